"""One function in a thread: its result, error and progress arrive as signals in the thread that asked for it."""

from __future__ import annotations

import functools
import inspect
import logging
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, Qt, QThreadPool, Signal

from cxr_core.errors import CxrError

_log = logging.getLogger(__name__)

#: At most so many reports of progress a second: each costs the window a repaint.
_REPORTS_PER_SECOND = 10


class CancelledError(Exception):
    """The work was given up because nobody waits for it."""


class Task(QObject):
    """Work under way. Keep it until it has ended; `cancel` ends its signals at once, and the work where it looks.

    Each of its signals is sent once at most, `progress` but ten times a second.
    """

    result = Signal(object)
    """What the function returned."""

    error = Signal(str)
    """One line: a CxrError's words, or those of a mistake in the program, which the log has in full."""

    progress = Signal(int, int)
    """Done and of how many; 0 where that is not known."""

    ended = Signal()
    """After `result` or `error`, or when a cancelled function came back."""

    # From the worker's thread to this object's.
    _returned = Signal(object)
    _raised = Signal(str)
    _reported = Signal(int, int)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._cancelled = threading.Event()
        self._next_report = 0.0
        self._returned.connect(self._on_returned, Qt.ConnectionType.QueuedConnection)
        self._raised.connect(self._on_raised, Qt.ConnectionType.QueuedConnection)
        self._reported.connect(self._on_reported, Qt.ConnectionType.QueuedConnection)

    def cancel(self) -> None:
        """Let nothing arrive any more but `ended`."""
        self._cancelled.set()

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits any more; a long function asks now and then, from its thread."""
        return self._cancelled.is_set()

    def check(self) -> None:
        """Raise CancelledError where nobody waits any more: for the function, from its thread."""
        if self._cancelled.is_set():
            raise CancelledError

    def report(self, done: int, total: int = 0) -> None:
        """Tell how far it is, and raise CancelledError as `check` does: for the function, from its thread."""
        self.check()
        now = time.monotonic()
        if now >= self._next_report or done == total:
            self._next_report = now + 1 / _REPORTS_PER_SECOND
            self._reported.emit(done, total)

    def _on_returned(self, value: object) -> None:
        if not self.cancelled:
            self.result.emit(value)
        self._end()

    def _on_raised(self, words: str) -> None:
        if not self.cancelled:
            self.error.emit(words)
        self._end()

    def _end(self) -> None:
        self.ended.emit()
        _running.discard(self)

    def _on_reported(self, done: int, total: int) -> None:
        if not self.cancelled:
            self.progress.emit(done, total)

    def _work(self, work: Callable[[], Any]) -> None:
        """In the worker's thread."""
        try:
            self.check()
            value = work()
        except CancelledError:
            self._returned.emit(None)
        except CxrError as error:
            self._raised.emit(str(error))
        except MemoryError:
            self._raised.emit("too little memory for this; close other studies or programs, and do it again")
        except Exception as error:  # noqa: BLE001  # whatever it is, the window goes on and says so
            # Its own text may quote a patient's data, hence only its kind and the places.
            _log.error("%s in a task\n%s", type(error).__name__, "".join(traceback.format_tb(error.__traceback__)))
            self._raised.emit(f"a mistake in the program ({type(error).__name__}); the log has the details")
        else:
            self._returned.emit(value)


def run(
    function: Callable[..., Any],
    *arguments: Any,
    on_result: Callable[[Any], None] | None = None,
    on_error: Callable[[str], None] | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    pool: QThreadPool | None = None,
) -> Task:
    """Call a function in a thread of a pool, and hear of it in the thread that asks, which needs an event loop.

    Parameters
    ----------
    function, arguments
        What is called. A function that has a parameter `task` gets the Task there, to `report` to and `check`.
    on_result, on_error, on_progress : callable, optional
        Connected to the signals of those names. A bound method of a QObject falls silent with its object.
    pool : QThreadPool, optional
        The program's own by default.
    """
    task = Task()
    for signal, slot in ((task.result, on_result), (task.error, on_error), (task.progress, on_progress)):
        if slot is not None:
            signal.connect(slot)
    _running.add(task)
    named = {"task": task} if "task" in inspect.signature(function).parameters else {}
    work = functools.partial(function, *arguments, **named)
    (pool or QThreadPool.globalInstance()).start(lambda: task._work(work))
    return task


#: Tasks whose end has not arrived: a QObject that Python forgets could not deliver it.
_running: set[Task] = set()
