"""What became of each object that was sent, by C-STORE or over the web."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from dicom_node.peers.encoded import EncodedObject
from dicom_node.peers.failure import Failure, is_passing_status


class Sent(StrEnum):
    """What we know about an object after an attempt to send it."""

    ACCEPTED = "accepted"
    WARNING = "accepted with a warning"
    DUPLICATE = "duplicate"
    """The peer has an object of this UID, whether or not with this content (0x0111)."""

    REFUSED = "refused"
    UNKNOWN = "unknown"
    """The whole request went out and no answer came: the peer may have the object."""

    NOT_SENT = "not sent"
    """The peer cannot have the object from this attempt: the request did not go out, or not to its end."""


@dataclass(frozen=True, slots=True)
class StoreOutcome:
    """What became of one object."""

    sop_class_uid: str
    sop_instance_uid: str
    """Empty, like the class, for what is no DICOM object."""

    result: Sent
    words: str
    """One line for people without patient data."""

    status: int | None = None
    """Status (0000,0900) of C-STORE; Failure Reason (0008,1197) or Warning Reason (0008,1196) of STOW-RS."""

    comment: str = field(default="", repr=False)
    """Error Comment (0000,0902) in the peer's words. May hold patient data: not for logs."""

    failure: Failure | None = None
    """What stopped the attempt, for UNKNOWN and NOT_SENT, and for what is no object None."""

    @property
    def is_delivered(self) -> bool:
        """Whether the peer says that it has taken these very bytes."""
        return self.result in (Sent.ACCEPTED, Sent.WARNING)

    @property
    def passing(self) -> bool:
        """Whether another attempt may succeed though nobody changes anything."""
        if self.failure is not None:
            return self.failure.passing
        return self.result is Sent.REFUSED and self.status is not None and is_passing_status(self.status)


def stopped(given: EncodedObject, result: Sent, failure: Failure) -> StoreOutcome:
    """The outcome of an attempt that a failure ended."""
    words = f"{failure.words}; the peer may have the object" if result is Sent.UNKNOWN else failure.words
    return StoreOutcome(given.sop_class_uid, given.sop_instance_uid, result, words, failure=failure)


def not_an_object(reason: object) -> StoreOutcome:
    """The outcome of what is no DICOM object."""
    return StoreOutcome("", "", Sent.NOT_SENT, str(reason))
