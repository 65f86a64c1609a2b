"""The workflow of one batch of deliveries: what may have arrived is asked for, the rest sent, each outcome kept."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from dicom_node import logs
from dicom_node.destinations.choose import Destinations
from dicom_node.destinations.outcome import Destination, Fate, Outcome, Outgoing
from dicom_node.settings import DestinationSettings
from dicom_node.store import deliveries
from dicom_node.store.folder import DataFolder

log = logs.get(__name__)

#: For a call to end, and its outcomes to be kept, after it was told to.
_ABORT_SECONDS = 2.0

Row = sa.Row[Any]


class SendBatch:
    """`send:<destination>:<number>`.

    Parameters
    ----------
    database : sqlalchemy.Engine
        The node's.
    folder : DataFolder
        Holds the encoded results.
    destinations : Destinations
        Where they go.
    """

    def __init__(self, database: sa.Engine, folder: DataFolder, destinations: Destinations) -> None:
        self._database = database
        self._folder = folder
        self._destinations = destinations
        self._running: set[Destination] = set()
        self._idle = threading.Condition()

    def __call__(self, name: str, peer: str, batch: str) -> None:
        """Bring every delivery of the batch to an outcome, or back to waiting."""
        chosen = self._destinations.configured[name]
        # In flight from an earlier run: the other side may still be busy with it, so it is not asked at once.
        deliveries.interrupted(self._database, batch, time.time() + chosen.retry_seconds)
        rows = {row.result_uid: row for row in deliveries.of_batch(self._database, batch)}
        settle = self._settler(chosen, rows)
        destination = self._destinations.open(name, peer)
        if isinstance(destination, str):
            for uid in rows:
                settle(uid, Outcome(Fate.HOPELESS, destination))
            return
        with self._idle:
            self._running.add(destination)
        try:
            self._ask_and_send(destination, name, rows, settle)
        finally:
            with self._idle:
                self._running.discard(destination)
                self._idle.notify_all()
        # What the destination said nothing of may have arrived.
        deliveries.interrupted(self._database, batch, time.time() + chosen.retry_seconds)

    def stop(self, grace_seconds: float) -> None:
        """Let calls that are running end for so long, then end them; their outcomes are kept."""
        with self._idle:
            self._idle.wait_for(lambda: not self._running, grace_seconds)
            for destination in self._running:
                destination.stop()
            self._idle.wait_for(lambda: not self._running, _ABORT_SECONDS)

    def _ask_and_send(
        self, destination: Destination, name: str, rows: dict[str, Row], settle: Callable[[str, Outcome], None]
    ) -> None:
        outgoing = {uid: self._outgoing(row) for uid, row in rows.items()}
        asked = destination.ask([sent for sent in outgoing.values() if sent.sent_before])
        for uid, outcome in asked.items():
            if outcome.fate is not Fate.NOT_THERE:
                settle(uid, outcome)
        to_send = [sent for uid, sent in outgoing.items() if uid not in asked or asked[uid].fate is Fate.NOT_THERE]
        if to_send:
            deliveries.mark_in_flight(self._database, name, [sent.sop_instance_uid for sent in to_send])
            destination.send(to_send, settle)

    def _outgoing(self, row: Row) -> Outgoing:
        return Outgoing(
            sop_class_uid=row.sop_class_uid,
            sop_instance_uid=row.result_uid,
            series_instance_uid=row.series_instance_uid,
            study_instance_uid=row.study_uid,
            path=self._folder.encoded / row.file,
            digest=row.digest,
            sent_before=row.unknown,
        )

    def _settler(self, chosen: DestinationSettings, rows: dict[str, Row]) -> Callable[[str, Outcome], None]:
        def settle(uid: str, outcome: Outcome) -> None:
            self._settle(chosen, rows[uid], outcome)

        return settle

    def _settle(self, chosen: DestinationSettings, row: Row, outcome: Outcome) -> None:
        now = time.time()
        told = {"destination": chosen.name, "result": row.result_uid, "words": outcome.words}
        if outcome.fate is Fate.DELIVERED:
            to_commit = chosen.request_commitment and chosen.kind == "dicom"
            deliveries.delivered(self._database, chosen.name, row.result_uid, outcome.words, now, to_commit=to_commit)
            deliveries.reachable_again(self._database, chosen.name, row.peer, now)
            log.info("delivered", kind=row.kind, **told)
            return
        failing_since = now if row.failing_since is None else row.failing_since
        if outcome.fate is Fate.HOPELESS or now - failing_since > 3600 * chosen.give_up_hours:
            deliveries.gave_up(self._database, chosen.name, row.result_uid, outcome.words)
            log.error("delivery given up", kind=row.kind, **told)
            return
        pause = min(chosen.retry_seconds * 2 ** min(row.attempts, 30), chosen.max_retry_seconds)
        deliveries.failed(
            self._database,
            chosen.name,
            row.result_uid,
            outcome.words,
            now,
            due_at=now + pause,
            unknown=outcome.fate is Fate.UNKNOWN,
            unreachable=not outcome.reached,
        )
        log.warning("not delivered", kind=row.kind, seconds=pause, **told)
