"""The work process: DBOS, the dispatcher, deliveries and retention, over a model process of its own.

`python -m dicom_node.work.process DESCRIPTOR`, started by `serve.py`. It may end at any moment: what it does is in
rows, and goes on where it starts again.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from multiprocessing.connection import Connection, wait

from cxr_core.child_process import connect
from dicom_node import logs
from dicom_node.settings import NodeSettings
from dicom_node.store.folder import DataFolder, LockedError
from dicom_node.work import keeping
from dicom_node.work.keeping import CALL, Alive, Begin, Damaged, Hopeless

log = logs.get("dicom_node.work.process")  # it runs as __main__

LOCK = "work.lock"
#: For calls that are under way when the process is asked to stop.
_GRACE_SECONDS = 10.0
#: A round of the dispatcher takes milliseconds, and waits for a locked database half a minute.
_ROUND_SECONDS = 300.0
#: An earlier process that is just ending may still hold the lock.
_LOCK_SECONDS = 10.0


class Work:
    """Everything that the process holds, started and stopped in order.

    Parameters
    ----------
    settings : NodeSettings
        Of the whole node.
    folder : DataFolder
        Locked.
    end : callable
        Told why the process has to end.
    prepared : callable
        Returns when the database is prepared.
    """

    def __init__(
        self,
        settings: NodeSettings,
        folder: DataFolder,
        end: Callable[[Hopeless | Damaged], None],
        prepared: Callable[[], object],
    ) -> None:
        from dicom_node.work.model_process import ModelProcess

        # Before all other modules are loaded: loading the model takes as long as all the rest.
        self._model = ModelProcess(settings, folder.encoded, self._count, lambda words: end(Hopeless(words)))
        self._model.start()
        from dicom_node.destinations.choose import Destinations
        from dicom_node.store.database import open_engine
        from dicom_node.store.retention import Retention
        from dicom_node.work.analyse import AnalyseImage
        from dicom_node.work.commit import AskForCommitment
        from dicom_node.work.complete import CompleteStudy
        from dicom_node.work.dispatcher import Dispatcher
        from dicom_node.work.engine import Engine
        from dicom_node.work.housekeeping import Housekeeper
        from dicom_node.work.send import SendBatch

        prepared()
        self._database = open_engine(folder, settings.database)
        destinations = Destinations(settings, folder)
        attempts = settings.analysis.max_attempts
        self._engine = Engine(self._database, self.call)
        self._dispatcher = Dispatcher(self._database, self._engine, settings, destinations, lambda: end(Damaged()))
        self._sender = SendBatch(self._database, folder, destinations)
        self._engine.workflow("analyse", AnalyseImage(self._database, folder, self._model, attempts))
        self._engine.workflow("complete", CompleteStudy(self._database, folder, self._model, destinations, attempts))
        self._engine.workflow("send", self._sender)
        self._engine.workflow("commit", AskForCommitment(self._database, settings))
        self._engine.launch()
        self._dispatcher.start()
        retention = Retention(settings.retention, folder, self._database, destinations.elsewhere)
        self._housekeeper = Housekeeper(retention, self._engine)
        self._housekeeper.start()

    def _count(self, keys: list[str]) -> None:
        from dicom_node.store import images

        images.count_attempts(self._database, keys)

    def call(self) -> None:
        """There is something new."""
        self._dispatcher.call()

    def goes_round(self) -> bool:
        """Whether the dispatcher, without which nothing begins, has looked at the rows lately."""
        return time.monotonic() - self._dispatcher.came_round < _ROUND_SECONDS

    def stop(self) -> None:
        """Begin nothing, let calls that are under way end, let the model finish what it has."""
        self._housekeeper.stop()
        self._dispatcher.stop()
        self._engine.stop()
        self._sender.stop(_GRACE_SECONDS)
        self._model.stop()


class Main:
    """The main thread: hears the parent, and signals."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._woken, waker = os.pipe()
        self._waker = waker
        os.set_blocking(waker, False)
        signal.set_wakeup_fd(waker)
        self._stopping = False
        self._end: Hopeless | Damaged | None = None
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, self._terminate)
        signal.signal(CALL, lambda *_: None)  # the pipe tells

    def _terminate(self, *_: object) -> None:
        self._stopping = True

    def _has_to_end(self, why: Hopeless | Damaged) -> None:
        self._end = why
        os.write(self._waker, b"\0")

    def run(self) -> int:
        """Work until the parent asks to stop, or is gone; the exit code."""
        begin: Begin = self._connection.recv()
        folder = DataFolder(begin.root)
        try:
            with folder.locked(LOCK, patience_seconds=_LOCK_SECONDS):
                return self._work(NodeSettings.model_validate_json(begin.settings), folder)
        except LockedError:
            log.error("another work process is running")
            return 1

    def _work(self, settings: NodeSettings, folder: DataFolder) -> int:
        started = time.monotonic()
        work = Work(settings, folder, self._has_to_end, self._connection.recv)
        log.info("work begins", seconds=round(time.monotonic() - started, 2))
        sign_at = time.monotonic()
        while not self._stopping:
            if time.monotonic() >= sign_at and work.goes_round():
                self._connection.send(Alive())
                sign_at = time.monotonic() + keeping.SIGN_SECONDS
            ready = wait([self._connection, self._woken], keeping.SIGN_SECONDS)
            if self._end is not None:
                self._connection.send(self._end)
                return 2
            if self._connection in ready:
                return 1  # the parent is gone; what it would have stopped in order goes on at the next start
            if self._woken in ready:
                os.read(self._woken, 1024)
                work.call()
        work.stop()
        log.info("work ends")
        return 0


def main() -> None:
    """Run, and leave without waiting for threads of libraries: everything that counts is on the disk."""
    connection = connect()
    os.umask(0o077)
    logs.configure("work")
    code = 1
    try:
        code = Main(connection).run()
    except Exception as error:  # noqa: BLE001  # the parent starts us again
        log.error("work process failed", **logs.trouble(error))
    os._exit(code)


if __name__ == "__main__":
    main()
