"""Rows of storage commitment: who wants a promise for what, whom we ask, and what was answered."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from dicom_node.received import CommitmentReport, CommitmentRequest, InstanceReference
from dicom_node.store.tables import commitments, deliveries, results

#: Failure Reason (0008,1197) of what nobody answered for in time: processing failure (PS3.3 C.14.1.1).
NO_ANSWER = 0x0110
#: Nothing more to be done with the peer that is asked.
_OPEN = ("waiting", "asking", "asked")
#: Requests of one sender that it has not been told of; a hospital's busiest hour, or an archive's outage, is far below.
MAX_OPEN_REQUESTS = 1000


class TooManyRequestsError(Exception):
    """A sender has so many requests open that it has to wait for reports first."""


def record_request(
    engine: sa.Engine, request: CommitmentRequest, transaction_uid: str, peer: str, now: float, ends_at: float
) -> None:
    """Keep a sender's request, to be asked of `peer` under `transaction_uid`. Raises TooManyRequestsError.

    One that comes again, because its sender did not hear that we took it, is told of once.
    """
    theirs = sa.select(commitments.c.requester_transaction_uid).where(
        commitments.c.requester == request.calling_ae_title, commitments.c.state.in_((*_OPEN, "answered"))
    )
    with engine.begin() as connection:
        untold = connection.execute(theirs).scalars().all()
        if request.transaction_uid in untold:
            return
        if len(untold) >= MAX_OPEN_REQUESTS:
            raise TooManyRequestsError
        connection.execute(
            commitments.insert().values(
                transaction_uid=transaction_uid,
                peer=peer,
                requester=request.calling_ae_title,
                requester_transaction_uid=request.transaction_uid,
                instances=json.dumps([[one.sop_class_uid, one.sop_instance_uid] for one in request.instances]),
                state="waiting",
                due_at=now,
                ends_at=ends_at,
            )
        )


def record_deliveries(
    connection: sa.Connection,
    destination: str,
    sender: str,
    peer: str,
    transaction_uid: str,
    now: float,
    ends_at: float,
) -> int:
    """Ask for everything delivered there that nobody has asked for yet; how many objects.

    `sender` is that of the deliveries, empty unless the destination is "sender"; `peer` is asked where it is empty.
    """
    wanted = (
        sa.select(results.c.sop_class_uid, results.c.sop_instance_uid)
        .join(deliveries, deliveries.c.result_uid == results.c.sop_instance_uid)
        .where(deliveries.c.destination == destination, deliveries.c.peer == sender, deliveries.c.committed == "wanted")
    )
    instances = [[row.sop_class_uid, row.sop_instance_uid] for row in connection.execute(wanted)]
    if instances:
        connection.execute(
            commitments.insert().values(
                transaction_uid=transaction_uid,
                peer=sender or peer,
                destination=destination,
                instances=json.dumps(instances),
                state="waiting",
                due_at=now,
                ends_at=ends_at,
            )
        )
        connection.execute(
            deliveries.update()
            .where(
                deliveries.c.destination == destination,
                deliveries.c.result_uid.in_([uid for _, uid in instances]),
            )
            .values(committed="requested")
        )
    return len(instances)


def wanting(engine: sa.Engine) -> Sequence[sa.Row[Any, Any]]:
    """Destination and peer of deliveries that are to be committed and not asked for."""
    query = sa.select(deliveries.c.destination, deliveries.c.peer).where(deliveries.c.committed == "wanted").distinct()
    with engine.connect() as connection:
        return connection.execute(query).all()


def get(engine: sa.Engine, transaction_uid: str) -> sa.Row[Any] | None:
    """One row."""
    with engine.connect() as connection:
        query = sa.select(commitments).where(commitments.c.transaction_uid == transaction_uid)
        return connection.execute(query).one_or_none()


def in_state(engine: sa.Engine, *states: str) -> Sequence[sa.Row[Any]]:
    """Every row in one of these states."""
    with engine.connect() as connection:
        return connection.execute(sa.select(commitments).where(commitments.c.state.in_(states))).all()


def change(engine: sa.Engine, transaction_uid: str, before: str, **values: Any) -> bool:
    """Change a row that is in a state; whether it was."""
    with engine.begin() as connection:
        return (
            connection.execute(
                commitments.update()
                .where(commitments.c.transaction_uid == transaction_uid, commitments.c.state == before)
                .values(**values)
            ).rowcount
            == 1
        )


def answer(engine: sa.Engine, transaction_uid: str, outcome: Mapping[str, int]) -> bool:
    """Keep what the peer answered, by SOP Instance UID; False for a transaction that is not open, or not ours."""
    with engine.begin() as connection:
        row = connection.execute(
            sa.select(commitments).where(
                commitments.c.transaction_uid == transaction_uid, commitments.c.state.in_(_OPEN)
            )
        ).one_or_none()
        if row is None:
            return False
        told = {uid: outcome.get(uid, NO_ANSWER) for _, uid in json.loads(row.instances)}
        connection.execute(
            commitments.update()
            .where(commitments.c.transaction_uid == transaction_uid)
            .values(
                state="over" if row.requester is None else "answered", outcome=json.dumps(told), attempts=0, due_at=0.0
            )
        )
        for committed, uids in (
            ("yes", [uid for uid, reason in told.items() if reason == 0]),
            ("no", [uid for uid, reason in told.items() if reason]),
        ):
            if row.destination is not None and uids:
                connection.execute(
                    deliveries.update()
                    .where(deliveries.c.destination == row.destination, deliveries.c.result_uid.in_(uids))
                    .values(committed=committed)
                )
    return True


def report_of(row: sa.Row[Any]) -> CommitmentReport:
    """What the sender is to be told."""
    outcome = json.loads(row.outcome)
    references = [InstanceReference(sop_class, uid) for sop_class, uid in json.loads(row.instances)]
    return CommitmentReport(
        transaction_uid=row.requester_transaction_uid,
        ae_title=row.requester,
        committed=tuple(one for one in references if outcome[one.sop_instance_uid] == 0),
        failed=tuple((one, outcome[one.sop_instance_uid]) for one in references if outcome[one.sop_instance_uid] != 0),
    )


def shift(engine: sa.Engine, seconds: float) -> None:
    """Move times along with a clock that jumped: else a peer would be told that it was not answered in time."""
    with engine.begin() as connection:
        connection.execute(
            commitments.update()
            .where(commitments.c.state.in_((*_OPEN, "answered")))
            .values(due_at=commitments.c.due_at + seconds, ends_at=commitments.c.ends_at + seconds)
        )


def forget(engine: sa.Engine, before: float) -> None:
    """Delete rows of what ended long ago."""
    with engine.begin() as connection:
        connection.execute(
            commitments.delete().where(commitments.c.state.in_(("told", "over")), commitments.c.ends_at < before)
        )
