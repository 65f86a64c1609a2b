"""Rows of studies on their way to results, and of the results that were made."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from cxr_core.results.records import PreviousReport
from dicom_node.store import images
from dicom_node.store.database import insert_new
from dicom_node.store.encoded import EncodedResult
from dicom_node.store.tables import deliveries, instances, results, studies


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a destination gets of a study."""

    destination: str
    peer: str
    """The study's sender, of a destination "sender"; else empty."""

    kinds: Sequence[str]


def get(engine: sa.Engine, study_uid: str) -> sa.Row[Any] | None:
    """The row of a study."""
    with engine.connect() as connection:
        return connection.execute(sa.select(studies).where(studies.c.study_uid == study_uid)).one_or_none()


def incomplete(engine: sa.Engine) -> Sequence[sa.Row[Any]]:
    """Studies with a revision that has no results yet."""
    query = sa.select(studies).where(studies.c.state == "open")
    with engine.connect() as connection:
        return connection.execute(query).all()


def is_answered(engine: sa.Engine, study_uid: str, revision: int) -> bool:
    """Whether no image of the study up to a revision waits for its answer."""
    query = sa.select(sa.func.count()).where(
        instances.c.study_uid == study_uid,
        instances.c.study_revision.between(1, revision),
        instances.c.state.in_(images.PENDING),
    )
    with engine.connect() as connection:
        return connection.execute(query).scalar_one() == 0


def mark_queued(connection: sa.Connection, study_uid: str, revision: int, run: int) -> None:
    """Note that a workflow for a revision exists."""
    connection.execute(
        studies.update().where(studies.c.study_uid == study_uid).values(queued_revision=revision, run=run)
    )


def put_back(engine: sa.Engine, study: sa.Row[Any]) -> bool:
    """Let a revision whose workflow is gone be queued again; whether it still was."""
    with engine.begin() as connection:
        return (
            connection.execute(
                studies.update()
                .where(
                    studies.c.study_uid == study.study_uid,
                    studies.c.queued_revision == study.queued_revision,
                    studies.c.run == study.run,
                    studies.c.completed_revision < study.queued_revision,
                )
                .values(queued_revision=studies.c.completed_revision, run=study.run + 1)
            ).rowcount
            == 1
        )


def count_attempt(engine: sa.Engine, study_uid: str) -> None:
    """Note that the model process is about to get the study."""
    with engine.begin() as connection:
        connection.execute(
            studies.update().where(studies.c.study_uid == study_uid).values(attempts=studies.c.attempts + 1)
        )


def count_death(engine: sa.Engine, study_uid: str) -> None:
    """Note that the model process ended while it had the study."""
    with engine.begin() as connection:
        connection.execute(studies.update().where(studies.c.study_uid == study_uid).values(deaths=studies.c.deaths + 1))


def uncount_attempt(engine: sa.Engine, study_uid: str) -> None:
    """Take an attempt back, which failed for a reason that lies not in the study."""
    with engine.begin() as connection:
        connection.execute(
            studies.update().where(studies.c.study_uid == study_uid).values(attempts=studies.c.attempts - 1)
        )


def set_aside(engine: sa.Engine, study_uid: str, revision: int, reason: str) -> None:
    """Give a revision up; a further image opens the study again."""
    with engine.begin() as connection:
        connection.execute(
            studies.update()
            .where(studies.c.study_uid == study_uid, studies.c.revision == revision, studies.c.state == "open")
            .values(state="set_aside", reason=reason)
        )


def previous_report(engine: sa.Engine, study_uid: str, revision: int) -> PreviousReport | None:
    """The last SR of a study that was made for a revision before this one."""
    query = (
        sa.select(results)
        .where(results.c.study_uid == study_uid, results.c.kind == "sr", results.c.revision < revision)
        .order_by(results.c.revision.desc())
        .limit(1)
    )
    with engine.connect() as connection:
        row = connection.execute(query).one_or_none()
    if row is None:
        return None
    return PreviousReport(row.sop_instance_uid, row.series_instance_uid, row.instance_number)


def complete(
    engine: sa.Engine,
    study: sa.Row[Any],
    revision: int,
    made: Sequence[EncodedResult],
    answers: Mapping[str, str],
    wanted: Sequence[Wanted],
) -> None:
    """Record the results of a revision and a delivery of each to each destination, all or nothing.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        The node's.
    study : sqlalchemy.Row
        Of the study.
    revision : int
        What the results were made for.
    made : sequence of EncodedResult
        What is on the disk. What is recorded already is not sent twice.
    answers : mapping of str to str
        Of images that had to be answered again, by key.
    wanted : sequence of Wanted
        Of every destination.
    """
    now = time.time()
    with engine.begin() as connection:
        for key, answer in answers.items():
            images.answer_again(connection, key, answer)
        for result in made:
            row = {
                "sop_instance_uid": result.sop_instance_uid,
                "sop_class_uid": result.sop_class_uid,
                "series_instance_uid": result.series_instance_uid,
                "instance_number": result.instance_number,
                "kind": result.kind,
                "study_uid": study.study_uid,
                "revision": revision,
                "file": result.file,
                "bytes": result.bytes,
                "digest": result.digest,
                "made_at": now,
            }
            if connection.execute(insert_new(engine, results, row)).one_or_none() is None:
                connection.execute(
                    results.update()
                    .where(results.c.sop_instance_uid == result.sop_instance_uid)
                    .values(file=result.file)
                )
            for want in wanted:
                if result.kind in want.kinds:
                    delivery = {
                        "result_uid": result.sop_instance_uid,
                        "destination": want.destination,
                        "study_uid": study.study_uid,
                        "peer": want.peer,
                        "state": "waiting",
                        "due_at": now,
                        "unknown": result.made_before,
                    }
                    connection.execute(insert_new(engine, deliveries, delivery))
        connection.execute(
            studies.update()
            .where(
                studies.c.study_uid == study.study_uid,
                studies.c.state == "open",
                studies.c.completed_revision < revision,
            )
            .values(
                completed_revision=revision,
                completed_at=now,
                state=sa.case((studies.c.revision > revision, "open"), else_="complete"),
                attempts=0,
                deaths=0,
                reason=None,
            )
        )
