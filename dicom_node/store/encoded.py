"""The record of a result object on the disk; it goes between processes, so it needs no library."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EncodedResult:
    """One result object on the disk."""

    kind: str
    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str
    instance_number: int
    file: str
    """Name in encoded/."""

    bytes: int
    digest: str
    """SHA-256 of the file."""

    made_before: bool
    """The file was there, so that it may have been sent: by a node whose rows are gone."""
