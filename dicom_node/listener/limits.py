"""How much at once and how fast: connections in total and of one address, objects a minute of one sender."""

from __future__ import annotations

import threading
import time
from collections import Counter
from typing import Literal

#: Connections above a limit that are still heard, so that their association request can be rejected with a reason.
_HEARD_ABOVE_TOTAL, _HEARD_ABOVE_ADDRESS = 32, 8


class ConnectionCounts:
    """Open connections, whether they carry an association or say nothing."""

    def __init__(self, total: int, per_address: int) -> None:
        self._total, self._per_address = total, per_address
        self._of: Counter[str] = Counter()
        self._lock = threading.Lock()

    def enter(self, address: str) -> Literal["within", "above", "closed"]:
        """Count a connection: within the limits; above, to be rejected; or not counted, to be closed at once."""
        with self._lock:
            total, own = self._of.total(), self._of[address]
            if total >= self._total + _HEARD_ABOVE_TOTAL or own >= self._per_address + _HEARD_ABOVE_ADDRESS:
                return "closed"
            self._of[address] += 1
            return "above" if total >= self._total or own >= self._per_address else "within"

    def leave(self, address: str) -> None:
        """A counted connection has ended."""
        with self._lock:
            self._of[address] -= 1
            if not self._of[address]:
                del self._of[address]


class SenderRates:
    """A bucket a sender: it holds a minute's worth and is refilled evenly."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._buckets: dict[str, tuple[float, float]] = {}
        self._lock = threading.Lock()

    def allows(self, sender: str, now: float | None = None) -> bool:
        """Whether a sender may send one more object at `now`, in seconds of the monotonic clock; it is counted."""
        now = time.monotonic() if now is None else now
        with self._lock:
            held, since = self._buckets.get(sender, (float(self._per_minute), now))
            held = min(float(self._per_minute), held + (now - since) * self._per_minute / 60)
            allowed = held >= 1
            self._buckets[sender] = (held - allowed, now)
            return allowed
