"""Calls that are waited for a limited time, so many at once: what the disk or a lock holds up holds up no peer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

_T = TypeVar("_T")


class _Outcome(Generic[_T]):
    def __init__(self) -> None:
        self.done = threading.Event()
        self.value: _T | None = None
        self.error: BaseException | None = None


class BoundedCalls:
    """Runs each call in a thread of its own, and waits no longer than `seconds` for a place and for its end.

    A call that takes longer goes on; it keeps its place, so that a disk that hangs gathers no heap of threads.
    """

    def __init__(self, seconds: float, at_once: int) -> None:
        self._seconds = seconds
        self._places = threading.BoundedSemaphore(at_once)

    def run(self, call: Callable[[], _T]) -> _T:
        """What the call returns. Raises TimeoutError, or what the call raises."""
        deadline = time.monotonic() + self._seconds
        if not self._places.acquire(timeout=self._seconds):
            raise TimeoutError
        outcome: _Outcome[_T] = _Outcome()
        try:
            threading.Thread(target=self._call, args=(call, outcome), name="cxr-node-sink", daemon=True).start()
        except RuntimeError:  # no more threads
            self._places.release()
            raise
        if not outcome.done.wait(deadline - time.monotonic()):
            raise TimeoutError
        if outcome.error is not None:
            try:
                raise outcome.error
            finally:
                # Its traceback holds this frame, and through it all that the call held: megabytes, until a collection.
                del outcome
        return outcome.value  # type: ignore[return-value]  # set unless there is an error

    def _call(self, call: Callable[[], _T], outcome: _Outcome[_T]) -> None:
        try:
            outcome.value = call()
        except BaseException as error:  # noqa: BLE001  # handed on to the thread that waits
            outcome.error = error.with_traceback(None)
        finally:
            self._places.release()
            outcome.done.set()
