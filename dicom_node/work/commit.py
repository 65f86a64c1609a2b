"""The workflow of one request for storage commitment: the peer is asked, and its report kept, now or when it comes."""

from __future__ import annotations

import json
import time

import sqlalchemy as sa

from dicom_node import logs
from dicom_node.destinations.choose import called
from dicom_node.settings import NodeSettings
from dicom_node.store import commitments

log = logs.get(__name__)

#: A report may come on the association of the request, if it comes so soon; else the listener takes it.
_WAIT_SECONDS = 10.0
#: Before a request that was not taken is made again: doubled each time.
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 10.0, 900.0


class AskForCommitment:
    """`commit:<transaction>:<run>`.

    Parameters
    ----------
    database : sqlalchemy.Engine
        The node's.
    settings : NodeSettings
        Lists the peers.
    """

    def __init__(self, database: sa.Engine, settings: NodeSettings) -> None:
        self._database = database
        self._settings = settings

    def __call__(self, transaction_uid: str, run: int) -> None:
        """Ask once. A repeat of the request bears the same transaction, so that any answer to it counts."""
        from dicom_node.peers import Reference, commit

        row = commitments.get(self._database, transaction_uid)
        if row is None or (row.state, row.run) != ("asking", run):
            return
        peer = self._settings.peer(row.peer)
        if peer is None or peer.port is None:
            self._later(row, f"no peer {row.peer} with a port is listed")
            return
        result = commit(
            called(peer),
            [Reference(sop_class, uid) for sop_class, uid in json.loads(row.instances)],
            calling_ae_title=self._settings.listener.ae_title,
            wait_seconds=_WAIT_SECONDS,
            transaction_uid=transaction_uid,
        )
        if result.report is not None:
            outcome = {one.sop_instance_uid: 0 for one in result.report.committed}
            outcome |= {one.sop_instance_uid: commitments.NO_ANSWER for one in result.report.failed}
            commitments.answer(self._database, transaction_uid, outcome)
            log.info("commitment answered", ae_title=row.peer, count=len(result.report.committed))
        elif result.failure is not None:
            self._later(row, result.failure.words)
        else:
            commitments.change(self._database, transaction_uid, "asking", state="asked")

    def _later(self, row: sa.Row[tuple[object, ...]], words: str) -> None:
        pause = min(_FIRST_PAUSE_SECONDS * 2 ** min(row.attempts, 20), _LONGEST_PAUSE_SECONDS)
        values = {"attempts": row.attempts + 1, "due_at": time.time() + pause, "run": row.run + 1, "note": words}
        commitments.change(self._database, row.transaction_uid, "asking", state="waiting", **values)
        log.warning("commitment not asked for", ae_title=row.peer, words=words, seconds=pause)
