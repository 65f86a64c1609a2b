"""A thread that deletes what is over its time: files and rows of finished studies, and DBOS's rows of what ended."""

from __future__ import annotations

import threading
import time

from dicom_node import logs
from dicom_node.store.retention import Retention
from dicom_node.work.engine import Engine

log = logs.get(__name__)

#: Between two rounds.
_PAUSE_SECONDS = 300.0
#: DBOS's rows of workflows that ended so long ago are deleted, so many at once.
_FINISHED_SECONDS = 3600.0
_AT_ONCE = 500


class Housekeeper:
    """The thread.

    Parameters
    ----------
    retention : Retention
        Deletes files and rows.
    engine : Engine
        Forgets workflows.
    """

    def __init__(self, retention: Retention, engine: Engine) -> None:
        self._retention = retention
        self._engine = engine
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="housekeeper", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Let the thread end; a round that is under way may be cut off anywhere."""
        self._stopping.set()

    def _run(self) -> None:
        while not self._stopping.wait(_PAUSE_SECONDS):
            try:
                self.clean()
            except Exception as error:  # noqa: BLE001  # a locked database is no reason to stop
                log.error("could not keep house", **logs.trouble(error))

    def clean(self) -> None:
        """One round."""
        now = time.time()
        self._retention.clean(now)
        while not self._stopping.is_set() and self._engine.forget_finished(now - _FINISHED_SECONDS, _AT_ONCE):
            pass
