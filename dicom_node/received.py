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


@dataclass(frozen=True, slots=True)
class InstanceReference:
    """An item of a Referenced SOP Sequence (PS3.3 C.12.1.1.1)."""

    sop_class_uid: str
    sop_instance_uid: str


@dataclass(frozen=True, slots=True)
class CommitmentRequest:
    """What a peer asks us to promise (N-ACTION of the Storage Commitment Push Model, PS3.4 J.3.2)."""

    transaction_uid: str
    instances: tuple[InstanceReference, ...]
    calling_ae_title: str
    address: str


@dataclass(frozen=True, slots=True)
class CommitmentReport:
    """What is promised and what is not (N-EVENT-REPORT, PS3.4 J.3.3)."""

    transaction_uid: str
    ae_title: str
    """Of the peer that is told, or that tells us."""

    committed: tuple[InstanceReference, ...]
    failed: tuple[tuple[InstanceReference, int], ...] = ()
    """With the Failure Reason (0008,1197) of each (PS3.3 C.14.1.1)."""


class CommitmentSink(Protocol):
    """Takes storage commitment. Called from the associations' threads, so it is thread-safe; raises nothing.

    Both answer the status of the response (PS3.7 C.5) after what they were told is on disk. The outcome of a request
    is handed to `Listener.report` later, not from within `requested`.
    """

    def requested(self, request: CommitmentRequest) -> int:
        """A peer wants a promise: 0x0000 when it will be told.

        0x0124 when we promise nothing to anybody, 0x0213 when it waits for too many already.
        """

    def reported(self, report: CommitmentReport) -> int:
        """An archive answers a request of ours: 0x0000, or 0x0115 for a transaction that is not ours."""
