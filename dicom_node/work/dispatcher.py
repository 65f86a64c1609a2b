"""From rows to workflows: what is new, what is due, and what has lost its workflow.

A row is marked before its workflow is started. Why there is none (it was not started, it ended in an error, its own
rows are gone) does not matter: the row waits again.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import sqlalchemy as sa
from pydicom.uid import generate_uid

from dicom_node import logs
from dicom_node.destinations.choose import Destinations
from dicom_node.settings import NodeSettings
from dicom_node.store import commitments, completions, deliveries, images
from dicom_node.store.database import is_damage
from dicom_node.work.engine import Engine

log = logs.get(__name__)

#: Between two looks, where nothing is due earlier and nobody calls.
_LOOK_SECONDS = 1.0
#: Between two looks for rows that have lost their workflow.
_RECONCILE_SECONDS = 10.0
_STOP_SECONDS = 5.0
#: Deliveries of one batch, which go over one association.
_BATCH = 50
#: A clock that differs so much from the monotonic one has jumped.
_JUMP_SECONDS = 2.0


def analyse_id(key: str, run: int) -> str:
    """Id of an image's workflow."""
    return f"analyse:{key}:{run}"


def complete_id(study_uid: str, revision: int, run: int) -> str:
    """Id of the workflow of a study's revision."""
    return f"complete:{study_uid}:{revision}:{run}"


def commit_id(transaction_uid: str, run: int) -> str:
    """Id of the workflow of a request for storage commitment."""
    return f"commit:{transaction_uid}:{run}"


@dataclass(frozen=True, slots=True)
class _Timer:
    revision: int
    due: float
    """On the monotonic clock."""


class Dispatcher:
    """A thread that looks at the rows.

    Parameters
    ----------
    database : sqlalchemy.Engine
        The node's.
    engine : Engine
        Runs workflows.
    settings : NodeSettings
        `analysis.study_quiet_seconds` and `batch_size` are used.
    destinations : Destinations
        Those that deliveries are made to.
    damaged : callable
        Called once when the database turns out to be damaged.
    """

    def __init__(
        self,
        database: sa.Engine,
        engine: Engine,
        settings: NodeSettings,
        destinations: Destinations,
        damaged: Callable[[], None],
    ) -> None:
        self._database = database
        self._engine = engine
        self._quiet = settings.analysis.study_quiet_seconds
        # Enough that no batch waits for the next look; the rest of a long row stays in its rows.
        self._window = 2 * settings.analysis.batch_size
        self._commitment_seconds = settings.commitment.timeout_seconds
        self._destinations = destinations
        self._damaged = damaged
        self._timers: dict[str, _Timer] = {}
        self._clocks = time.time() - time.monotonic()
        self._reconciled = -_RECONCILE_SECONDS
        self._called = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="dispatcher", daemon=True)
        self.came_round = time.monotonic()
        """When the last look was over, on the monotonic clock."""

    def start(self) -> None:
        """Start the thread."""
        now = time.time()
        for name, chosen in self._destinations.configured.items():
            deliveries.bound_due(self._database, name, now + chosen.max_retry_seconds)
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stopping.set()
        self._called.set()
        self._thread.join(_STOP_SECONDS)  # it may be waiting for a locked database

    def call(self) -> None:
        """Look now: there is something new."""
        self._called.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._called.clear()
            try:
                self.look()
            except Exception as error:  # noqa: BLE001  # a locked or full database is no reason to stop
                log.error("could not look at the rows", **logs.trouble(error))
                if is_damage(error):
                    self._damaged()
                    return
            self.came_round = time.monotonic()
            self._called.wait(self._pause())

    def _pause(self) -> float:
        now = time.monotonic()
        coming = [timer.due - now for timer in self._timers.values() if timer.due > now]
        return min([_LOOK_SECONDS, *coming])

    def look(self) -> None:
        """Start everything that is new or due."""
        self._follow_clock()
        if time.monotonic() - self._reconciled >= _RECONCILE_SECONDS:
            self._reconcile()
            self._reconciled = time.monotonic()
        self._start_images()
        self._start_studies()
        self._start_deliveries()
        self._start_commitments()

    def _follow_clock(self) -> None:
        """Move due times along with a clock that was set: a pause is so many seconds, whatever the time of day."""
        clocks = time.time() - time.monotonic()
        jump = clocks - self._clocks
        if abs(jump) > _JUMP_SECONDS:
            log.warning("the clock jumped", seconds=round(jump, 1))
            deliveries.shift_due(self._database, jump)
            commitments.shift(self._database, jump)
            self._clocks = clocks

    def _start_images(self) -> None:
        room = self._window - len(images.queued(self._database))
        if room <= 0:
            return
        waiting = images.waiting(self._database, room)
        if not waiting:
            return
        with self._database.begin() as connection:
            marked = [(key, run) for key, run in waiting if images.mark_queued(connection, key, run)]
        for key, run in marked:
            self._engine.start("analyse", analyse_id(key, run), key, run)

    def _start_studies(self) -> None:
        incomplete = completions.incomplete(self._database)
        now = time.monotonic()
        timers = {}
        for study in incomplete:
            timer = self._timers.get(study.study_uid)
            if timer is None or timer.revision != study.revision:
                timer = _Timer(study.revision, now + self._rest(study.last_received_at))
            timers[study.study_uid] = timer
            # One revision after the other, so that the later one finds the report of the one before.
            if study.queued_revision > study.completed_revision or timer.due > now:
                continue
            if completions.is_answered(self._database, study.study_uid, study.revision):
                self._start_study(study.study_uid, study.revision, study.run)
        self._timers = timers

    def _rest(self, last_received_at: float) -> float:
        """What is left of the quiet time, by the clock on the wall; afterwards the monotonic one counts."""
        return min(max(last_received_at + self._quiet - time.time(), 0.0), self._quiet)

    def _start_study(self, study_uid: str, revision: int, run: int) -> None:
        with self._database.begin() as connection:
            completions.mark_queued(connection, study_uid, revision, run)
        self._engine.start("complete", complete_id(study_uid, revision, run), study_uid, revision, run)

    def _start_deliveries(self) -> None:
        now = time.time()
        for name, peer in deliveries.destinations_due(self._database, now):
            if name not in self._destinations.configured:
                continue
            batch = f"send:{name}:{secrets.token_hex(8)}"
            with self._database.begin() as connection:
                taken = deliveries.take_batch(connection, name, peer, now, batch, _BATCH)
            if taken:
                self._engine.start("send", batch, name, peer, batch)

    def _start_commitments(self) -> None:
        now = time.time()
        for name, peer in commitments.wanting(self._database):
            chosen = self._destinations.configured.get(name)
            if chosen is not None:
                with self._database.begin() as connection:
                    uid = str(generate_uid(None))
                    ends_at = now + self._commitment_seconds
                    commitments.record_deliveries(connection, name, peer, str(chosen.peer), uid, now, ends_at)
        for row in commitments.in_state(self._database, "waiting", "asked"):
            if row.ends_at <= now:
                commitments.answer(self._database, row.transaction_uid, {})
                log.error("commitment not answered", ae_title=row.peer)
            elif row.due_at <= now and commitments.change(
                self._database, row.transaction_uid, "waiting", state="asking"
            ):
                self._engine.start("commit", commit_id(row.transaction_uid, row.run), row.transaction_uid, row.run)

    def _reconcile(self) -> None:
        """Let rows whose workflow is gone wait again."""
        again: dict[str, Callable[[], object]] = {}
        for row in images.queued(self._database):
            again[analyse_id(row.key, row.run)] = partial(images.put_back, self._database, row.key, row.run)
        for study in completions.incomplete(self._database):
            if study.queued_revision > study.completed_revision:
                workflow_id = complete_id(study.study_uid, study.queued_revision, study.run)
                again[workflow_id] = partial(completions.put_back, self._database, study)
        for batch in deliveries.batches(self._database):
            again[batch] = partial(self._put_batch_back, batch)
        for asking in commitments.in_state(self._database, "asking"):
            uid, run = asking.transaction_uid, asking.run
            again[commit_id(uid, run)] = partial(
                commitments.change, self._database, uid, "asking", state="waiting", run=run + 1
            )
        dead = self._engine.dead(again)
        for workflow_id in dead:
            again[workflow_id]()
        if dead:
            log.warning("work without a workflow waits again", count=len(dead))

    def _put_batch_back(self, batch: str) -> None:
        deliveries.interrupted(self._database, batch, time.time() + self._retry_seconds(batch))
        deliveries.put_back(self._database, batch)

    def _retry_seconds(self, batch: str) -> float:
        chosen = self._destinations.configured.get(batch.split(":")[1])
        return 0.0 if chosen is None else chosen.retry_seconds
