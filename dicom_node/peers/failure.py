"""Why a call did not come to its end, in one word for programs and in words for people."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Cause(StrEnum):
    """Where a call ended."""

    OURS = "ours"
    """Before anything was sent: a file of ours, such as a certificate, cannot be used."""

    ADDRESS = "address"
    """The host name has no address."""

    UNREACHABLE = "unreachable"
    """No TCP connection."""

    TLS = "tls"
    """No trust in the peer's certificate, or none of the peer in ours."""

    REFUSED = "refused"
    """The association was rejected (A-ASSOCIATE-RJ), or an HTTP request not let in."""

    NOT_OFFERED = "not offered"
    """The peer accepts no presentation context for what we want."""

    ABORTED = "aborted"
    """A-ABORT by the peer."""

    LOST = "lost"
    """The connection was closed or broke."""

    SILENT = "silent"
    """A time-out: nothing came."""

    TOO_LONG = "too long"
    """The whole call's time is over."""

    CANCELLED = "cancelled"
    """By us."""

    NOT_UNDERSTOOD = "not understood"
    """What came is not DICOM, or not what the standard allows there."""

    STATUS = "status"
    """The peer answered that it has failed."""


#: Causes that may be gone at the next attempt without anybody changing a setting.
_PASSING = {Cause.ADDRESS, Cause.UNREACHABLE, Cause.ABORTED, Cause.LOST, Cause.SILENT, Cause.TOO_LONG, Cause.CANCELLED}

#: Statuses of a peer in need: PS3.7 C.4 (processing failure, resource limitation), PS3.4 B.2.3 and C.4.
_PASSING_STATUSES = {0x0110, 0x0213}


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a call did not come to its end."""

    cause: Cause
    words: str
    """One line for people: what happened and, where somebody can do something, what. No patient data."""

    status: int | None = None
    """Status (0000,0900) that the peer answered, or that of HTTP."""

    comment: str = field(default="", repr=False)
    """Error Comment (0000,0902) in the peer's words. May hold patient data: not for logs."""

    passing: bool = False
    """Whether another attempt may succeed though nobody changes anything."""

    def __str__(self) -> str:
        return self.words


class CallFailed(Exception):  # noqa: N818  # never leaves the package: every call turns it into its result
    """Carries a Failure to where a call makes its result of it."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.words)
        self.failure = failure


def failed(cause: Cause, words: str) -> CallFailed:
    """The exception of a failure without a status."""
    return CallFailed(Failure(cause, words, passing=cause in _PASSING))


def is_passing_status(status: int) -> bool:
    """Whether the peer may answer otherwise later: out of resources, processing failure."""
    return status in _PASSING_STATUSES or status >> 8 == 0xA7


#: PS3.8 Table 9-21: (source, reason) of an A-ASSOCIATE-RJ. {ours} and {theirs} are AE titles.
_REJECTIONS = {
    (
        1,
        1,
    ): "the peer refused the association without a reason; it may know neither our AE title {ours} nor our address",
    (1, 2): "the peer refused the association: application context name not supported",
    (1, 3): "the peer refused our AE title {ours}: calling AE title not recognised; the peer has to list it",
    (1, 7): "the peer refused its AE title {theirs}: called AE title not recognised; correct the peer's AE title",
    (2, 1): "the peer refused the association without a reason",
    (2, 2): "the peer refused the association: protocol version not supported",
    (3, 1): "the peer refused the association for now: temporary congestion",
    (3, 2): "the peer refused the association for now: it has reached its limit of associations",
}

#: PS3.8 Table 9-26: reason of an A-ABORT by the service provider.
_ABORT_REASONS = {
    1: "unrecognised PDU",
    2: "unexpected PDU",
    4: "unrecognised PDU parameter",
    5: "unexpected PDU parameter",
    6: "invalid PDU parameter value",
}


def rejection(result: int, source: int, reason: int, ours: str, theirs: str) -> Failure:
    """What an A-ASSOCIATE-RJ says; result 2 is transient (PS3.8 9.3.4)."""
    words = _REJECTIONS.get((source, reason), f"the peer refused the association (source {source}, reason {reason})")
    return Failure(Cause.REFUSED, words.format(ours=ours, theirs=theirs), passing=result == 2)


def abortion(source: int, reason: int) -> Failure:
    """What an A-ABORT says; source 2 is the peer's network layer (PS3.8 9.3.8)."""
    if source == 2 and reason in _ABORT_REASONS:
        return Failure(Cause.ABORTED, f"the peer aborted the association: {_ABORT_REASONS[reason]}", passing=True)
    return Failure(Cause.ABORTED, "the peer aborted the association without a reason", passing=True)
