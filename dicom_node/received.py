"""What the listener hands on, and what it is told to answer: the seam between the network and the store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

#: Status codes of C-STORE (PS3.4 B.2.3, PS3.7 C).
SUCCESS, OUT_OF_RESOURCES, CANNOT_UNDERSTAND = 0x0000, 0xA700, 0xC000


@dataclass(frozen=True, eq=False, slots=True)
class ReceivedObject:
    """One C-STORE request, complete in memory."""

    sop_class_uid: str
    """Affected SOP Class UID of the request, as the sender names it; not yet compared with the data set."""

    sop_instance_uid: str
    transfer_syntax_uid: str
    """Of the presentation context."""

    calling_ae_title: str
    called_ae_title: str
    address: str
    """IP address of the sender."""

    data_set: memoryview
    """The encoded data set without preamble and file meta information, as it was sent."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The status of a C-STORE response."""

    status: int
    comment: str = ""
    """Error Comment (0000,0902): at most 64 characters, no patient data."""


class Sink(Protocol):
    """Takes received objects. Called from the associations' threads, so it is thread-safe."""

    def accept(self, received: ReceivedObject) -> Answer:
        """Keep the object and its work durably, then answer. Raises nothing."""

    def has_space(self) -> bool:
        """False: new associations are refused as transient until there is space again."""
