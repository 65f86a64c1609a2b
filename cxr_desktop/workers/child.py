"""A child process behind Qt signals: requests go in one after the other, replies come out in the GUI thread."""

from __future__ import annotations

import itertools
import queue
import signal
import threading
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QObject, Qt, Signal

from cxr_core.child_process import Child
from cxr_desktop.workers.child_service import Done, Failed, unexpected


@dataclass(frozen=True, slots=True)
class _Job:
    ticket: int
    request: object


class ChildProcess(QObject):
    """A child that is started with the first request, kept, and started again when it was ended.

    The module that it runs calls `child_service.serve`. A thread owns the child, because the kernel ends a child
    together with the thread that started it (`cxr_core.child_process`). A request gets any number of `replied`, then
    one `finished` or `failed`; a cancelled one gets nothing more.

    Signals
    -------
    replied(ticket: int, reply: object)
        What the child yielded.
    finished(ticket: int)
        The request was met.
    failed(ticket: int, words: str)
        It was not, or the child ended while it had it; later requests go to a new child.

    Parameters
    ----------
    module : str
        Run as `python -m module`.
    parent : QObject, optional
        `stop` has to be called before the parent goes.
    """

    replied = Signal(int, object)
    finished = Signal(int)
    failed = Signal(int, str)
    _arrived = Signal(int, object)

    def __init__(self, module: str, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._module = module
        self._tickets = itertools.count(1)
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        # Under the lock:
        self._open: set[int] = set()
        self._running: int | None = None
        self._child: Child | None = None
        # Queued, so that whoever listens is called in the thread of this object, functions too.
        self._arrived.connect(self._pass_on, Qt.ConnectionType.QueuedConnection)
        self._stopping = False
        self._thread: threading.Thread | None = None

    @property
    def pid(self) -> int | None:
        """Process id of the child; None while there is none."""
        with self._lock:
            return None if self._child is None else self._child.process.pid

    def ask(self, request: object) -> int:
        """Put a request, which can be pickled, in the queue; its ticket. After `stop` nothing comes of it."""
        ticket = next(self._tickets)
        with self._lock:
            if self._stopping:
                return ticket
            self._open.add(ticket)
        self._jobs.put(_Job(ticket, request))
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=self._module, daemon=True)
            self._thread.start()
        return ticket

    def cancel(self, ticket: int) -> None:
        """Drop a request. A child that has it, or one that nobody waits for, is ended; the queue goes to a new one."""
        with self._lock:
            self._open.discard(ticket)
            if self._running is not None and self._running not in self._open:
                self._end_child()

    def forget(self, ticket: int) -> None:
        """Drop a request, but let the child finish it where it has it."""
        with self._lock:
            self._open.discard(ticket)

    def stop(self) -> None:
        """Drop everything, and end child and thread."""
        with self._lock:
            self._stopping = True
            self._open.clear()
            self._end_child()
        self._jobs.put(None)
        if self._thread is not None:
            self._thread.join()

    def _end_child(self) -> None:
        """Kill it, under the lock; the thread, which may be reading from it, buries it."""
        if self._child is not None:
            self._child.process.kill()
            self._child = None

    def _pass_on(self, ticket: int, reply: object) -> None:
        with self._lock:
            if ticket not in self._open:
                return
            if isinstance(reply, Done | Failed):
                self._open.discard(ticket)
        if isinstance(reply, Done):
            self.finished.emit(ticket)
        elif isinstance(reply, Failed):
            self.failed.emit(ticket, reply.words)
        else:
            self.replied.emit(ticket, reply)

    def _run(self) -> None:
        """In the thread."""
        child: Child | None = None
        while (job := self._jobs.get()) is not None:
            with self._lock:
                # Ended by `cancel`, or by somebody while it had nothing to do.
                if child is not None and (self._child is not child or child.process.poll() is not None):
                    child.kill()
                    child = None
                if job.ticket not in self._open:
                    continue
                self._running = job.ticket
            try:
                if child is None:
                    child = self._started()
                self._serve(job, child)
            except Exception as error:  # noqa: BLE001  # one request ends, not the thread
                self._arrived.emit(job.ticket, Failed(_ended(error, child)))
                child = None
            finally:
                with self._lock:
                    self._running = None
                    if child is None:
                        self._child = None
        if child is not None:
            child.kill()

    def _started(self) -> Child:
        """A new child. Raises OSError when there is no memory or no process for it."""
        child = Child(self._module)
        with self._lock:
            self._child = child
            if self._running not in self._open:  # cancelled meanwhile
                self._end_child()
        return child

    def _serve(self, job: _Job, child: Child) -> None:
        """Raises OSError or EOFError when the child is gone."""
        child.send(job.request)
        reply: Any = None
        while not isinstance(reply, Done | Failed):
            reply = child.receive(None)
            self._arrived.emit(job.ticket, reply)


def _ended(error: Exception, child: Child | None) -> str:
    """Why a request was not met, in words; ends what is left of the child."""
    if child is None:
        told = f" ({error.strerror})" if isinstance(error, OSError) else ""
        return f"no process can be started for this{told}; close other programs and ask again"
    exit_code = child.kill()
    if not isinstance(error, OSError | EOFError):  # what was asked or replied cannot be pickled: a defect
        return unexpected(error)
    how = signal.Signals(-exit_code).name if exit_code < 0 else f"exit code {exit_code}"
    return f"the process that worked on this ended ({how}); ask again, and free memory if it happens again"
