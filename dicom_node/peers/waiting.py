"""Every wait of a call: for a socket, no longer than the call may take, and not when somebody cancels it."""

from __future__ import annotations

import math
import selectors
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress

from dicom_node.peers.failure import Cause, failed
from dicom_node.peers.peer import Cancel, Timeouts

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE


class Waiter:
    """Waits on behalf of one call. Used by the thread that makes the call; `wake` by any.

    Raises CallFailed (OURS) when the system has no descriptors left.
    """

    def __init__(self, timeouts: Timeouts, cancel: Cancel | None) -> None:
        self.timeouts = timeouts
        self._cancel = cancel
        whole = timeouts.whole_seconds
        self._end = None if whole is None else time.monotonic() + whole
        self._ending = f"the call took longer than {whole:g} s" if whole is not None else ""
        self._alarms: list[Callable[[], None]] = []
        try:
            self._wake_reader, self._wake_writer = socket.socketpair()
        except OSError as error:
            raise failed(Cause.OURS, f"the system gives us no socket: {error.strerror}") from error
        self._selector = selectors.DefaultSelector()
        self._wake_reader.setblocking(False)
        self._wake_writer.setblocking(False)
        self._selector.register(self._wake_reader, READ)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Be woken by the Cancel; at the end the descriptors are freed."""
        try:
            with self._cancel.waking(self.wake) if self._cancel is not None else nullcontext():
                yield
        finally:
            self._selector.close()
            self._wake_reader.close()
            self._wake_writer.close()

    def wake(self) -> None:
        """Let a running `wait` look again. From any thread, also when the call is over."""
        with suppress(OSError):  # full: it wakes anyway; closed: nobody waits any more
            self._wake_writer.send(b"\0")

    @contextmanager
    def alarm(self, check: Callable[[], None]) -> Iterator[None]:
        """Call `check` whenever a wait begins or is woken; what it raises ends the wait."""
        self._alarms.append(check)
        try:
            yield
        finally:
            self._alarms.remove(check)

    def check(self) -> None:
        """Raise CallFailed when somebody has cancelled or the call's time is over."""
        if self._cancel is not None and self._cancel.is_set:
            raise failed(Cause.CANCELLED, "the call was cancelled")
        if self._end is not None and time.monotonic() >= self._end:
            raise failed(Cause.TOO_LONG, self._ending)
        for alarm in self._alarms:
            alarm()

    def grant(self, seconds: float) -> None:
        """Forget the cancel, and give the call so many seconds to end in order."""
        self._cancel = None
        self._end = time.monotonic() + seconds

    def wait(self, waited: socket.socket | None, events: int, until: float, silence: str) -> bool:
        """Wait until the socket is ready (True), or somebody woke us (False).

        Parameters
        ----------
        waited : socket.socket or None
            None waits for `wake` alone.
        events : int
            READ or WRITE.
        until : float
            Of time.monotonic; then CallFailed (SILENT) is raised with `silence` as its words.
        """
        self.check()
        end = until if self._end is None else min(until, self._end)
        if waited is not None:
            self._selector.register(waited, events)
        try:
            ready = self._selector.select(max(0.0, end - time.monotonic()) if end < math.inf else None)
        finally:
            if waited is not None:
                self._selector.unregister(waited)
        with suppress(BlockingIOError):
            while self._wake_reader.recv(4096):
                pass
        self.check()
        if not ready:
            raise failed(Cause.SILENT, silence)
        return any(key.fileobj is waited for key, _ in ready)
