"""Rows of images on their way to an answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from dicom_node.store.tables import instances

#: No answer yet, and one is to come.
PENDING = ("waiting", "queued")


def get(engine: sa.Engine, key: str) -> sa.Row[Any] | None:
    """The row of a version of an image."""
    with engine.connect() as connection:
        return connection.execute(sa.select(instances).where(instances.c.key == key)).one_or_none()


def waiting(engine: sa.Engine, limit: int) -> Sequence[sa.Row[Any, Any]]:
    """Key and run of images without a workflow, in the order in which they came."""
    query = sa.select(instances.c.key, instances.c.run).where(instances.c.state == "waiting")
    with engine.connect() as connection:
        return connection.execute(query.order_by(instances.c.received_at).limit(limit)).all()


def queued(engine: sa.Engine) -> Sequence[sa.Row[Any, Any]]:
    """Key and run of images with a workflow."""
    query = sa.select(instances.c.key, instances.c.run).where(instances.c.state == "queued")
    with engine.connect() as connection:
        return connection.execute(query).all()


def mark_queued(connection: sa.Connection, key: str, run: int) -> bool:
    """Note that a workflow exists; whether the row was still waiting for it."""
    return _change(connection, key, run, "waiting", {"state": "queued"})


def put_back(engine: sa.Engine, key: str, run: int) -> bool:
    """Let an image whose workflow is gone wait for another; whether it was still queued."""
    with engine.begin() as connection:
        return _change(connection, key, run, "queued", {"state": "waiting", "run": run + 1})


def _change(connection: sa.Connection, key: str, run: int, state: str, values: dict[str, Any]) -> bool:
    same = (instances.c.key == key, instances.c.run == run, instances.c.state == state)
    return connection.execute(instances.update().where(*same).values(values)).rowcount == 1


def count_attempts(engine: sa.Engine, keys: Sequence[str]) -> None:
    """Note that the model process is about to get these images."""
    with engine.begin() as connection:
        connection.execute(
            instances.update().where(instances.c.key.in_(keys)).values(attempts=instances.c.attempts + 1)
        )


def count_death(engine: sa.Engine, key: str) -> None:
    """Note that the model process ended while it had the image."""
    with engine.begin() as connection:
        connection.execute(instances.update().where(instances.c.key == key).values(deaths=instances.c.deaths + 1))


def answered(engine: sa.Engine, key: str, answer: str) -> None:
    """Keep the answer of a queued image."""
    with engine.begin() as connection:
        connection.execute(
            instances.update()
            .where(instances.c.key == key, instances.c.state == "queued")
            .values(state="answered", answer=answer, attempts=0, deaths=0, reason=None)
        )


def answer_again(connection: sa.Connection, key: str, answer: str) -> None:
    """Replace the answer of an earlier model."""
    connection.execute(instances.update().where(instances.c.key == key).values(answer=answer))


def set_aside(engine: sa.Engine, key: str, reason: str) -> None:
    """Give an image up."""
    with engine.begin() as connection:
        connection.execute(
            instances.update()
            .where(instances.c.key == key, instances.c.state.in_(PENDING))
            .values(state="set_aside", reason=reason)
        )


def of_study(engine: sa.Engine, study_uid: str, revision: int) -> list[sa.Row[Any]]:
    """The answered images of a study as it was at a revision: of each SOP Instance UID the newest version."""
    query = (
        sa.select(instances)
        .where(
            instances.c.study_uid == study_uid,
            instances.c.study_revision.between(1, revision),
            instances.c.state == "answered",
        )
        .order_by(instances.c.study_revision)
    )
    with engine.connect() as connection:
        newest = {row.sop_instance_uid: row for row in connection.execute(query)}
    return list(newest.values())
