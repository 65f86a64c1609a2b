"""What the listener tells for the log: one record an event, without patient data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

#: Why a connection ends that carries nothing: load balancers and monitors connect and leave.
NEVER_SPOKE = "closed without a byte"


class NeverSpokeError(ConnectionError):
    """The peer has closed the connection without a byte."""


@dataclass(frozen=True, slots=True)
class ListenerEvent:
    """Something happened to an association."""

    kind: Literal["opened", "refused", "declined", "closed"]
    """`refused`: a connection or an association request; `declined`: an object, by the listener or the sink."""

    address: str
    calling_ae_title: str = ""
    reason: str = ""
    """Of a fixed set of texts, and the standard's names of SOP classes; nothing that the peer sent stands in it."""

    status: int | None = None
    """Of a declined object."""

    objects: int = 0
    """Stored objects of a closed association."""

    bytes_received: int = 0
    seconds: float = 0.0
    is_probe: bool = False
    """Of one who only looks whether we are there: a connection without a byte, an association for C-ECHO alone."""


#: Called from the associations' threads; raises nothing.
Tell = Callable[[ListenerEvent], None]
