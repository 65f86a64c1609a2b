"""The memory of one message while it arrives: grows in place, is never copied, and is counted."""

from __future__ import annotations

import contextlib
import mmap
import threading

_FIRST_BYTES = 1 << 20
#: So many mappings, of up to so many bytes, are kept for the next messages: to have pages cleared anew takes a third of
#: the time that it takes to receive a film.
_SPARES, _SPARE_BYTES = 4, 1 << 24


class MessageTooLargeError(Exception):
    """A message that is longer than one may be, or for which all messages together leave no room."""


class MemoryBudget:
    """What all messages that arrive at the same time may hold together, in bytes."""

    def __init__(self, limit_bytes: int) -> None:
        self._free = limit_bytes
        self._lock = threading.Lock()
        self._spares: list[mmap.mmap] = []

    def take(self, count: int) -> None:
        """Reserve bytes. Raises MessageTooLargeError."""
        with self._lock:
            if count > self._free:
                raise MessageTooLargeError("all messages together need more memory than the node gives them")
            self._free -= count

    def give_back(self, count: int) -> None:
        """Return reserved bytes."""
        with self._lock:
            self._free += count

    def keep(self, mapping: mmap.mmap) -> None:
        """Keep a mapping for another message, unless there are enough."""
        with self._lock:
            if len(mapping) <= _SPARE_BYTES and len(self._spares) < _SPARES:
                self._spares.append(mapping)

    def spare(self, limit_bytes: int) -> mmap.mmap | None:
        """A mapping of at most so many bytes that nobody holds a view of any more, reserved; or None."""
        with self._lock:
            for place, mapping in enumerate(self._spares):
                if len(mapping) <= min(limit_bytes, self._free) and _is_ours_alone(mapping):
                    self._free -= len(mapping)
                    return self._spares.pop(place)
        return None


def _is_ours_alone(mapping: mmap.mmap) -> bool:
    try:
        mapping.resize(len(mapping))  # refused while there are views
    except BufferError:
        return False
    return True


class MessageMemory:
    """One anonymous mapping a message.

    The length of a message is not known before its end. A mapping grows by moving pages instead of copying bytes, its
    pages cost nothing before they are written (a third less as huge pages), and all but a few spare ones go back to the
    system at the end, so that hours of films leave no fragmented heap behind.
    """

    def __init__(self, budget: MemoryBudget, limit_bytes: int) -> None:
        self._budget = budget
        self._limit = limit_bytes
        self._map: mmap.mmap | None = None
        self._view = memoryview(b"")
        self.length = 0
        """Bytes received so far."""

    def room(self, count: int) -> memoryview:
        """The next `count` bytes, to be written to and released. Raises MessageTooLargeError."""
        needed = self.length + count
        if needed > len(self._view):
            self._grow(needed)
        place = self._view[self.length : needed]
        self.length = needed
        return place

    def whole(self) -> memoryview:
        """All bytes received, read-only."""
        return self._view[: self.length].toreadonly()

    def close(self) -> None:
        """Let go of the memory. Who still holds a view of it keeps it, and nobody else writes to it."""
        self._budget.give_back(len(self._view))
        self._view = memoryview(b"")
        if self._map is not None:
            self._budget.keep(self._map)
        self._map = None

    def _grow(self, needed: int) -> None:
        if needed > self._limit:
            raise MessageTooLargeError(f"a message of more than {self._limit >> 20} MiB")
        if self._map is None and (spare := self._budget.spare(self._limit)) is not None:
            self._map, self._view = spare, memoryview(spare)
            if needed <= len(spare):
                return
        held = len(self._view)
        size = max(_FIRST_BYTES, held)
        while size < needed:
            size *= 2
        size = min(size, max(self._limit, _FIRST_BYTES))
        self._budget.take(size - held)
        self._view.release()
        try:
            if self._map is None:
                self._map = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
            else:
                self._map.resize(size)
        except OSError as error:
            self._budget.give_back(size - held)
            raise MessageTooLargeError("the system has no memory left for it") from error
        finally:
            if self._map is not None:
                with contextlib.suppress(OSError):  # a kernel without huge pages
                    self._map.madvise(mmap.MADV_HUGEPAGE)
            self._view = memoryview(b"" if self._map is None else self._map)
