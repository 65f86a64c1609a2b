"""DBOS as the node uses it: which settings it gets, how a workflow is queued, which ones are alive."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

import sqlalchemy as sa
from dbos import DBOS, DBOSClient, DBOSConfig, DBOSPortableJSONSerializer, EnqueueOptions

APPLICATION = "cxr-node"
#: Its default is a hash of the source, so every upgrade would strand what is queued. Changed only with a workflow
#: that an earlier version must not run.
APPLICATION_VERSION = "1"
#: Its default is the same for every process. Work of an executor goes on where one of the same name starts, and a
#: lock of the data folder sees to it that there is one.
EXECUTOR = "work"

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
        serializer = DBOSPortableJSONSerializer()  # its default pickles
        config: DBOSConfig = {
            "name": APPLICATION,
            "system_database_engine": database,
            "executor_id": EXECUTOR,
            "application_version": APPLICATION_VERSION,
            "serializer": serializer,
            "log_level": "WARNING",
        }
        DBOS(config=config)
        self._ended = ended
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._running: set[str] = set()
        self._idle: set[str] = set()
        self._client = DBOSClient(
            system_database_engine=database, serializer=serializer, application_name=APPLICATION, lazy=True
        )

    def workflow(self, name: str, run: Callable[..., None]) -> None:
        """Register a workflow, before `launch`. It may run again from its beginning at any time.

        Without DBOS's limit of recoveries: the rows count attempts, and stop what is repeated too often.
        """

        def called(*arguments: str | int) -> None:
            workflow_id = DBOS.workflow_id or ""
            if self._stopping.is_set():
                threading.Event().wait()  # stays as it is, for the next start
            with self._lock:
                self._running.add(workflow_id)
            try:
                run(*arguments)
            finally:
                with self._lock:
                    self._running.discard(workflow_id)
                self._ended()

        DBOS.workflow(name=name, max_recovery_attempts=None)(called)

    def launch(self, queues: dict[str, tuple[int, float]]) -> None:
        """Run what is queued, and go on with what was interrupted.

        Parameters
        ----------
        queues : dict of str to (int, float)
            By name: workflows at once, and seconds between two looks. Queues of other names are deleted.
        """
        DBOS.launch()
        for queue in DBOS.list_queues():
            if queue.name not in queues:
                DBOS.delete_queue(queue.name)
        for name, (at_once, seconds) in queues.items():
            DBOS.register_queue(
                name, worker_concurrency=at_once, polling_interval_sec=seconds, on_conflict="always_update"
            )

    def stop(self) -> None:
        """Let no further workflow begin; what DBOS takes out of a queue from now on is recovered at the next start."""
        self._stopping.set()

    def enqueue(
        self, connection: sa.Connection, queue: str, workflow: str, workflow_id: str, *arguments: str | int
    ) -> None:
        """Queue a workflow in the caller's transaction; one with this id that is there already stays as it is."""
        options: EnqueueOptions = {
            "queue_name": queue,
            "workflow_name": workflow,
            "workflow_id": workflow_id,
            "app_version": APPLICATION_VERSION,
        }
        self._client.enqueue_in_transaction(connection, options, *arguments)

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

    def cancel(self, workflow_id: str) -> None:
        """Let a queued workflow never run."""
        DBOS.cancel_workflow(workflow_id)

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
