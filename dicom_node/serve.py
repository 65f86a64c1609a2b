"""The node's own process: data folder, store and listener, and the work process that it keeps running."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING

from cxr_core.child_process import Child
from dicom_node import logs
from dicom_node.node_error import NodeError
from dicom_node.settings import NodeSettings
from dicom_node.store.folder import DataFolder
from dicom_node.work import keeping
from dicom_node.work.keeping import CALL, MODULE, Alive, Begin, Damaged, Go

if TYPE_CHECKING:
    import sqlalchemy as sa

    from dicom_node.listener.events import ListenerEvent

log = logs.get(__name__)

LOCK = "lock"
#: A work process that ended is started again after so long; the longest pause is that of a process that ends at once.
_RESTART_SECONDS = (0.0, 0.2, 1.0, 5.0, 15.0, 30.0)
#: One that ran so long counts as having worked.
_WORKED_SECONDS = 60.0
#: What the work process may take to load everything, and to go through what was interrupted.
_BEGIN_SECONDS = 300.0
#: One that makes no sign for so long hangs: a stopped process, a disk that does not answer, a deadlock.
_SILENT_SECONDS = 60.0
#: What the work process may take to stop in order.
_STOP_SECONDS = 25.0


class _DamagedError(Exception):
    """The database is damaged, and has to be made again."""


class WorkKeeper:
    """Keeps one work process running. Its methods but `call` belong to the thread that lives as long as the node."""

    def __init__(self, settings: NodeSettings, folder: DataFolder) -> None:
        self._begin = Begin(settings.model_dump_json(), folder.root)
        self._child: Child | None = None
        self._started = 0.0
        self._failures = 0
        self._again_at = 0.0
        self._sign_until = 0.0
        self._prepared = False

    def start(self) -> None:
        """Start the process."""
        self._started = time.monotonic()
        self._sign_until = self._started + _BEGIN_SECONDS
        try:
            self._child = Child(MODULE)
        except OSError as error:  # no memory, no descriptors, no processes: there may be some later
            log.error("work process not started", **logs.trouble(error))
            self._pause()
            return
        self._say(self._begin)
        if self._prepared:
            self._say(Go())

    def go(self) -> None:
        """The database is prepared."""
        self._prepared = True
        self._sign_until = time.monotonic() + _BEGIN_SECONDS
        self._say(Go())

    def _say(self, message: object) -> None:
        if self._child is not None:
            with suppress(OSError):  # it has ended, which is heard
                self._child.send(message)

    def _pause(self) -> float:
        """How long until the next start."""
        if time.monotonic() - self._started > _WORKED_SECONDS:
            self._failures = 0
        pause = _RESTART_SECONDS[min(self._failures, len(_RESTART_SECONDS) - 1)]
        self._failures += 1
        self._again_at = time.monotonic() + pause
        return pause

    def tend(self, woken: int) -> None:
        """Start the process when it is time, then wait until something happens to it, or `woken` is readable.

        One that makes no sign in time is ended.

        Raises NodeError when the process says that it cannot work, _DamagedError when the database is damaged.
        """
        if self._child is None:
            pause = self._again_at - time.monotonic()
            if pause > 0:
                wait([woken], pause)
                return
            self.start()
            return
        heard: list[int | Connection] = [woken, self._child.connection]
        # A machine that was held as a whole is late as a whole: one that lives makes its sign now.
        ready = wait(heard, max(self._sign_until - time.monotonic(), 0)) or wait(heard, 2 * keeping.SIGN_SECONDS)
        if self._child.connection in ready:
            self._hear(self._child)
        elif not ready:
            log.error("work process makes no sign", pid=self._child.process.pid)
            self._bury(self._child)

    def _hear(self, child: Child) -> None:
        try:
            told = child.connection.recv()
        except (EOFError, OSError):
            self._bury(child)
            return
        if not isinstance(told, Alive):
            raise _DamagedError if isinstance(told, Damaged) else NodeError(told.words)
        self._sign_until = time.monotonic() + _SILENT_SECONDS

    def _bury(self, child: Child) -> None:
        exit_code = child.kill()
        self._child = None
        log.error("work process ended", exit_code=exit_code, seconds=self._pause())

    def call(self) -> None:
        """Tell the process that there is new work; from any thread, never waits. It also looks by itself."""
        child = self._child
        if child is not None:
            child.process.send_signal(CALL)

    def stop(self) -> None:
        """Have the process stop in order; one that has not begun, at once."""
        if self._child is None:
            return
        if self._prepared:
            self._child.process.terminate()
            try:
                self._child.process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                log.error("work process does not stop", pid=self._child.process.pid)
        self._child.kill()


class _Signals:
    """SIGTERM and SIGINT end the node; a pipe tells the thread that waits."""

    def __init__(self) -> None:
        self.stopping = False
        self.woken, waker = os.pipe()
        os.set_blocking(waker, False)
        signal.set_wakeup_fd(waker)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        # Until a work process hears it, this must not end it.
        signal.signal(CALL, signal.SIG_IGN)

    def _stop(self, *_: object) -> None:
        self.stopping = True


def serve(settings: NodeSettings, folder: DataFolder, say: Callable[[str], None]) -> None:
    """Run the node until SIGTERM or SIGINT.

    Parameters
    ----------
    settings : NodeSettings
        Of the whole node.
    folder : DataFolder
        Not prepared yet.
    say : callable
        Takes lines for the person who started it.

    Raises
    ------
    CxrError
        The folder, the database, the address or the model cannot be used.
    """
    os.umask(0o077)
    folder.prepare()
    # `cxr-node status` takes the lock for a moment.
    with folder.locked(LOCK, patience_seconds=1):
        signals = _Signals()
        while not signals.stopping:
            keeper = WorkKeeper(settings, folder)
            keeper.start()
            try:
                _run(settings, folder, keeper, signals, say)
            except _DamagedError:
                log.error("database damaged")  # found and mended as the loop begins anew
            finally:
                keeper.stop()


def _run(
    settings: NodeSettings, folder: DataFolder, keeper: WorkKeeper, signals: _Signals, say: Callable[[str], None]
) -> None:
    """Prepare and listen, until a signal."""
    # Loaded while the work process loads the model.
    from dicom_node.listener.server import Listener
    from dicom_node.promise import PromiseSink, PromiseTeller, report_elsewhere
    from dicom_node.store.database import open_engine
    from dicom_node.store.sink import StoreSink

    engine = open_engine(folder, settings.database, 0.8 * settings.listener.answer_timeout_seconds)
    try:
        _prepare(settings, engine, folder)
        folder.sweep()
        keeper.go()
        listener = Listener(
            settings,
            StoreSink(settings, folder, engine, keeper.call),
            PromiseSink(settings, engine, keeper.call) if _has_to_do_with_promises(settings) else None,
            report_elsewhere=partial(report_elsewhere, settings),
            tell=_log_event,
        )
        teller = PromiseTeller(engine, listener.report)
        port = listener.start()
        log.info("node listens", port=port, ae_title=settings.listener.ae_title)
        with suppress(BrokenPipeError):  # nobody reads it any more
            for line in _told(settings, folder, port, listener.takes_any_caller):
                say(line)
        if settings.commitment.archive is not None:
            teller.start()
        try:
            while not signals.stopping:
                keeper.tend(signals.woken)
        finally:
            teller.stop()
            aborted = listener.stop()
            log.info("node ends", count=aborted)
    finally:
        engine.dispose()


def _has_to_do_with_promises(settings: NodeSettings) -> bool:
    """Whether we take requests, or reports on what we sent."""
    return settings.commitment.archive is not None or any(one.request_commitment for one in settings.destinations)


def _prepare(settings: NodeSettings, engine: sa.Engine, folder: DataFolder) -> None:
    """Have a database with a row for every object. Raises DatabaseError."""
    from dicom_node.store import rebuild
    from dicom_node.store.database import DamagedDatabaseError, prepare_database, put_aside

    try:
        prepare_database(engine, folder)
    except DamagedDatabaseError:
        engine.dispose()
        put_aside(folder)
        log.error("damaged database put aside")
        prepare_database(engine, folder)
    if rebuild.is_needed(engine, folder):
        log.warning("rows made again from the files", count=rebuild.rebuild(settings, engine, folder))


def _told(settings: NodeSettings, folder: DataFolder, port: int, takes_any_caller: bool) -> list[str]:
    """What the person who starts the node should know."""
    from dicom_node.destinations.choose import Destinations

    listener = settings.listener
    lines = [f"{listener.ae_title} listens on {listener.bind} port {port}{' with TLS' if listener.tls else ''}"]
    if takes_any_caller:
        lines.append("No list of peers: any calling AE title may send, from this machine only")
    for name, chosen in Destinations(settings, folder).configured.items():
        where = {"dicom": chosen.peer, "stow": "a DICOMweb service", "folder": str(chosen.folder)}[chosen.kind]
        lines.append(f"Results go to {name}: {where}")
    lines.append("Research use, not for diagnosis")
    return lines


def _log_event(event: ListenerEvent) -> None:
    write = log.debug if event.is_probe else log.info  # a load balancer looks every few seconds
    write(
        f"association {event.kind}",
        address=event.address,
        sender=event.calling_ae_title,
        reason=event.reason,
        status=event.status,
        count=event.objects,
        bytes=event.bytes_received,
        seconds=round(event.seconds, 2),
    )
