"""The version of pynetdicom whose insides `receive_path` and `acceptor` replace."""

from __future__ import annotations

from importlib.metadata import version

from cxr_core.errors import CxrError

PYNETDICOM_VERSION = "3.0.4"


class PynetdicomVersionError(CxrError):
    """Another pynetdicom than the one that the listener was written against and tested with."""


def require_pynetdicom() -> None:
    """Raise PynetdicomVersionError unless that version is installed."""
    installed = version("pynetdicom")
    if installed != PYNETDICOM_VERSION:
        raise PynetdicomVersionError(
            f"pynetdicom {installed} is installed",
            f"{PYNETDICOM_VERSION}, whose receive path the listener replaces",
            f"install pynetdicom=={PYNETDICOM_VERSION}",
        )
