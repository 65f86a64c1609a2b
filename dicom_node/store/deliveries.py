"""Rows of deliveries: one object to one destination, until it is there or somebody gives it up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from dicom_node.store.tables import deliveries, results

#: In a batch.
BUSY = ("sending", "in_flight")
#: Still to be done.
OPEN = ("waiting", *BUSY)


def destinations_due(engine: sa.Engine, now: float) -> Sequence[sa.Row[Any, Any]]:
    """Destination and peer of deliveries that are due, without those that have a batch."""
    busy = sa.select(deliveries.c.destination, deliveries.c.peer).where(deliveries.c.state.in_(BUSY)).distinct()
    due = (
        sa.select(deliveries.c.destination, deliveries.c.peer)
        .where(deliveries.c.state == "waiting", deliveries.c.due_at <= now)
        .distinct()
    )
    with engine.connect() as connection:
        return connection.execute(due.except_(busy)).all()


def take_batch(connection: sa.Connection, destination: str, peer: str, now: float, batch: str, limit: int) -> int:
    """Mark what is due there as being in a batch; how many, 0 where it has a batch already."""
    here = (deliveries.c.destination == destination, deliveries.c.peer == peer)
    other = deliveries.alias()
    busy = sa.exists().where(other.c.destination == destination, other.c.peer == peer, other.c.state.in_(BUSY))
    due = (
        sa.select(deliveries.c.result_uid)
        .where(*here, deliveries.c.state == "waiting", deliveries.c.due_at <= now, ~busy)
        .order_by(deliveries.c.due_at)
        .limit(limit)
    )
    return connection.execute(
        deliveries.update()
        .where(*here, deliveries.c.result_uid.in_(due.scalar_subquery()), deliveries.c.state == "waiting")
        .values(state="sending", batch=batch)
    ).rowcount


def of_batch(engine: sa.Engine, batch: str) -> Sequence[sa.Row[Any]]:
    """What is in a batch and not settled, with its results."""
    query = (
        sa.select(
            deliveries,
            results.c.sop_class_uid,
            results.c.series_instance_uid,
            results.c.kind,
            results.c.file,
            results.c.digest,
        )
        .join(results, results.c.sop_instance_uid == deliveries.c.result_uid)
        .where(deliveries.c.batch == batch, deliveries.c.state.in_(BUSY))
        .order_by(deliveries.c.due_at, results.c.kind, results.c.instance_number)
    )
    with engine.connect() as connection:
        return connection.execute(query).all()


def batches(engine: sa.Engine) -> list[str]:
    """Batches that are not settled."""
    query = sa.select(deliveries.c.batch).where(deliveries.c.state.in_(BUSY)).distinct()
    with engine.connect() as connection:
        return list(connection.execute(query).scalars())


def _one(destination: str, result_uid: str) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        deliveries.c.destination == destination,
        deliveries.c.result_uid == result_uid,
        deliveries.c.state.in_(BUSY),
    )


def mark_in_flight(engine: sa.Engine, destination: str, result_uids: Sequence[str]) -> None:
    """Note that requests for these may leave now: without an outcome, they may have arrived."""
    with engine.begin() as connection:
        connection.execute(
            deliveries.update()
            .where(
                deliveries.c.destination == destination,
                deliveries.c.result_uid.in_(result_uids),
                deliveries.c.state == "sending",
            )
            .values(state="in_flight", unknown=True, attempts=deliveries.c.attempts + 1)
        )


def delivered(engine: sa.Engine, destination: str, result_uid: str, note: str, now: float, *, to_commit: bool) -> None:
    """Settle one that is there; `to_commit` has the destination asked to commit to its storage."""
    with engine.begin() as connection:
        connection.execute(
            deliveries.update()
            .where(*_one(destination, result_uid))
            .values(
                state="delivered",
                note=note,
                delivered_at=now,
                unknown=False,
                unreachable=False,
                failing_since=None,
                committed="wanted" if to_commit else None,
            )
        )


def failed(
    engine: sa.Engine,
    destination: str,
    result_uid: str,
    note: str,
    now: float,
    *,
    due_at: float,
    unknown: bool,
    unreachable: bool,
) -> None:
    """Let one wait for its next attempt."""
    with engine.begin() as connection:
        connection.execute(
            deliveries.update()
            .where(*_one(destination, result_uid))
            .values(
                state="waiting",
                # What was in flight is counted; so is a question that got no answer.
                attempts=deliveries.c.attempts + sa.case((deliveries.c.state == "in_flight", 0), else_=1),
                note=note,
                due_at=due_at,
                unknown=unknown,
                unreachable=unreachable,
                failing_since=sa.func.coalesce(deliveries.c.failing_since, now),
                batch=None,
            )
        )


def gave_up(engine: sa.Engine, destination: str, result_uid: str, note: str) -> None:
    """Leave one to people: it waits for `cxr-node retry`."""
    with engine.begin() as connection:
        connection.execute(
            deliveries.update()
            .where(*_one(destination, result_uid))
            .values(state="gave_up", note=note, unreachable=False, batch=None)
        )


def interrupted(engine: sa.Engine, batch: str, due_at: float) -> int:
    """Let what was in flight in a batch that was interrupted wait for the question whether it arrived; how many."""
    with engine.begin() as connection:
        return connection.execute(
            deliveries.update()
            .where(deliveries.c.batch == batch, deliveries.c.state == "in_flight")
            .values(state="waiting", due_at=due_at, note="interrupted: it may have arrived", batch=None)
        ).rowcount


def put_back(engine: sa.Engine, batch: str) -> None:
    """Let what was in a batch whose workflow is gone, and not in flight, wait again."""
    with engine.begin() as connection:
        connection.execute(
            deliveries.update()
            .where(deliveries.c.batch == batch, deliveries.c.state == "sending")
            .values(state="waiting", batch=None)
        )


def reachable_again(engine: sa.Engine, destination: str, peer: str, now: float) -> None:
    """A destination answers: what only failed to reach it is due at once."""
    with engine.begin() as connection:
        connection.execute(
            deliveries.update()
            .where(
                deliveries.c.destination == destination,
                deliveries.c.peer == peer,
                deliveries.c.state == "waiting",
                deliveries.c.unreachable.is_(True),
                deliveries.c.due_at > now,
            )
            .values(due_at=now, unreachable=False)
        )


def shift_due(engine: sa.Engine, seconds: float) -> None:
    """Move due times along with a clock that jumped."""
    with engine.begin() as connection:
        connection.execute(
            deliveries.update()
            .where(deliveries.c.state.in_(OPEN))
            .values(due_at=deliveries.c.due_at + seconds, failing_since=deliveries.c.failing_since + seconds)
        )


def bound_due(engine: sa.Engine, destination: str, latest: float) -> None:
    """Let nothing wait longer than the destination's longest pause: the clock may have been changed meanwhile."""
    with engine.begin() as connection:
        connection.execute(
            deliveries.update()
            .where(
                deliveries.c.destination == destination,
                deliveries.c.state == "waiting",
                deliveries.c.due_at > latest,
            )
            .values(due_at=latest)
        )
