"""What is asked of the scanning process, and what it replies."""

from __future__ import annotations

from dataclasses import dataclass

from cxr_desktop.state.records import InstanceRecord


@dataclass(frozen=True, slots=True)
class ListPaths:
    """List what is behind some paths."""

    paths: tuple[str, ...]
    """Files, folders, zip archives, DICOMDIRs."""

    index: str | None
    """The index file in which the records are kept; None where there is none."""


@dataclass(frozen=True, slots=True)
class Listed:
    """Some of the records, in order of their names."""

    records: tuple[InstanceRecord, ...]
    searched: tuple[str, ...]
    """What a search looks at, of each record (state.search.searched_text)."""

    done: int
    """Records so far, these included."""

    total: int
    """Of how many; 0 until that is known."""

    answered: tuple[str, ...] = ()
    """Those of their keys (InstanceRecord.key) for which the index has an answer."""

    trouble: str = ""
    """Why the records are not kept in the index, told once."""


@dataclass(frozen=True, slots=True)
class MakeThumbnails:
    """Make small pictures, in this order."""

    names: tuple[str, ...]
    """Of records."""

    index: str | None
    """The index file in which they are kept."""


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """One small picture."""

    name: str
    png: bytes
    """8-bit grey, as the image asks to be shown; b"" where none can be made."""
