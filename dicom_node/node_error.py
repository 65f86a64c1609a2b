"""The errors of a node that cannot do its work."""

from __future__ import annotations

from cxr_core.errors import CxrError


class NodeError(CxrError):
    """The node cannot run, or does not do its work."""


class PassingError(NodeError):
    """The node cannot run now, and may at the next start: who keeps it running is told so by another exit code."""
