"""DBOS as the node uses it: which settings it gets, how a workflow is started, which ones are alive.

Workflows are started, not queued. What waits is in the node's own rows, which bound how much runs at once; DBOS's
queues would be looked at many times a second, which costs an idle node more than the work of a hospital.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

import sqlalchemy as sa
from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, SetWorkflowID

APPLICATION = "cxr-node"
#: Its default is a hash of the source, so every upgrade would strand what was begun. Changed only with a workflow
#: that an earlier version must not run.
APPLICATION_VERSION = "1"
#: Its default is the same for every process. Work of an executor goes on where one of the same name starts, and a
#: lock of the data folder sees to it that there is one.
EXECUTOR = "work"

#: Between two looks for messages between workflows and for schedules, of which there are none.
LISTEN_SECONDS = 600.0

_LIVE = ["ENQUEUED", "PENDING", "DELAYED"]


class Engine:
    """The workflows of this process. There can be one of it, as there can be one DBOS.

    Parameters
    ----------
    database : sqlalchemy.Engine
        DBOS's tables lie beside the node's.
    ended : callable
        Called when a workflow has run, however it ended.
    """

    def __init__(self, database: sa.Engine, ended: Callable[[], None]) -> None:
        config: DBOSConfig = {
            "name": APPLICATION,
            "system_database_engine": database,
            "executor_id": EXECUTOR,
            "application_version": APPLICATION_VERSION,
            "serializer": DBOSPortableJSONSerializer(),  # its default pickles
            "log_level": "WARNING",
            "notification_listener_polling_interval_sec": LISTEN_SECONDS,
            "scheduler_polling_interval_sec": LISTEN_SECONDS,
        }
        DBOS(config=config)
        self._workflows: dict[str, Callable[..., None]] = {}
        self._ended = ended
        self._stopping, self._held = threading.Event(), threading.Event()
        self._lock = threading.Lock()
        self._running: set[str] = set()
        self._idle: set[str] = set()

    def workflow(self, name: str, run: Callable[..., None]) -> None:
        """Register a workflow, before `launch`. It may run again from its beginning at any time.

        Without DBOS's limit of recoveries: the rows count attempts, and stop what is repeated too often.
        """

        def called(*arguments: str | int) -> None:
            workflow_id = DBOS.workflow_id or ""
            if self._stopping.is_set():
                self._held.wait()  # until the process ends: nobody sets it
            with self._lock:
                self._running.add(workflow_id)
            try:
                run(*arguments)
            finally:
                with self._lock:
                    self._running.discard(workflow_id)
                self._ended()

        self._workflows[name] = DBOS.workflow(name=name, max_recovery_attempts=None)(called)

    def launch(self) -> None:
        """Begin, and go on with what was interrupted."""
        DBOS.launch()

    def stop(self) -> None:
        """Let no further workflow begin; what DBOS has down as begun goes on at the next start."""
        self._stopping.set()

    def start(self, workflow: str, workflow_id: str, *arguments: str | int) -> None:
        """Start a workflow in a thread of its own; one with this id, whatever became of it, is not started again."""
        with SetWorkflowID(workflow_id):
            DBOS.start_workflow(self._workflows[workflow], *arguments)

    def dead(self, workflow_ids: Iterable[str]) -> set[str]:
        """Those that neither run nor are going to, for whatever reason.

        One that DBOS holds for running, though no thread of this process runs it, counts at the second look: it may
        just be about to start. DBOS itself would only look at it again at the next start.
        """
        wanted = list(workflow_ids)
        if not wanted:
            return set()
        live = {
            workflow.workflow_id: workflow.status
            for workflow in DBOS.list_workflows(workflow_ids=wanted, status=_LIVE, load_input=False, load_output=False)
        }
        with self._lock:
            idle = {key for key, status in live.items() if status == "PENDING" and key not in self._running}
        stuck, self._idle = idle & self._idle, idle
        return {key for key in wanted if key not in live} | stuck

    def forget_finished(self, before: float, limit: int) -> int:
        """Delete DBOS's rows of workflows that ended before a time, in seconds since the epoch; how many."""
        ended = DBOS.list_workflows(
            status=["SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"],
            completed_before=datetime.fromtimestamp(before, UTC).isoformat(),
            limit=limit,
            load_input=False,
            load_output=False,
        )
        ids = [workflow.workflow_id for workflow in ended]
        if ids:
            DBOS.delete_workflows(ids)
        return len(ids)
