"""What a destination is given, and what it tells of each object."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One result object to be delivered."""

    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str
    study_instance_uid: str
    path: Path
    """The encoded file, which is sent as it is."""

    digest: str
    """SHA-256 of the file."""

    sent_before: bool
    """An earlier attempt of unknown outcome carried these very bytes."""


class Fate(Enum):
    """What became of an object."""

    DELIVERED = "delivered"
    NOT_THERE = "not there"
    """Certainly: it may be sent (again)."""

    UNKNOWN = "unknown"
    """It may be there: ask before it is sent again."""

    HOPELESS = "hopeless"
    """Nothing but a person can help."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The fate of one object, in words without patient data."""

    fate: Fate
    words: str
    reached: bool = True
    """Whether the destination answered at all."""


class Destination(Protocol):
    """One place where objects go. Its calls end in bounded time, and raise nothing for what the other side does."""

    def ask(self, objects: Sequence[Outgoing]) -> dict[str, Outcome]:
        """Whether objects are there, by SOP Instance UID.

        DELIVERED, NOT_THERE, or UNKNOWN where it cannot be asked now. Of a destination that never can be asked
        NOT_THERE, so that it is sent again with the same bytes.
        """

    def send(self, objects: Sequence[Outgoing], settle: Callable[[str, Outcome], None]) -> None:
        """Send objects; `settle` is called with the SOP Instance UID of each as soon as its fate is known."""

    def stop(self) -> None:
        """End a call that is running, from another thread, for good."""
