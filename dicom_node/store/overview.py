"""What people ask the rows: how much is where, which studies there are, what became of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from cxr_core.errors import CxrError
from dicom_node.store.tables import deliveries, instances, results, studies


def image_counts(engine: sa.Engine) -> dict[str, int]:
    """Images by state."""
    query = sa.select(instances.c.state, sa.func.count().label("number")).group_by(instances.c.state)
    with engine.connect() as connection:
        return {row.state: row.number for row in connection.execute(query)}


def study_counts(engine: sa.Engine) -> dict[str, int]:
    """Studies by state: `collecting`, `complete`, `set_aside`, `cancelled`, `expired`."""
    each = sa.select(study_state().label("state")).subquery()
    query = sa.select(each.c.state, sa.func.count().label("number")).group_by(each.c.state)
    with engine.connect() as connection:
        return {row.state: row.number for row in connection.execute(query)}


def study_state() -> sa.ColumnElement[str]:
    """The state of a study in one word."""
    return sa.case((studies.c.state == "open", "collecting"), else_=studies.c.state)


def delivery_counts(engine: sa.Engine) -> Sequence[sa.Row[Any]]:
    """By destination and state: number, attempts of the worst, time since which the oldest fails."""
    query = (
        sa.select(
            deliveries.c.destination,
            deliveries.c.state,
            sa.func.count().label("number"),
            sa.func.max(deliveries.c.attempts).label("attempts"),
            sa.func.min(deliveries.c.failing_since).label("failing_since"),
        )
        .group_by(deliveries.c.destination, deliveries.c.state)
        .order_by(deliveries.c.destination, deliveries.c.state)
    )
    with engine.connect() as connection:
        return connection.execute(query).all()


def not_committed(engine: sa.Engine) -> int:
    """Objects that were delivered, and that the peer did not commit to keep."""
    query = sa.select(sa.func.count()).where(deliveries.c.committed == "no")
    with engine.connect() as connection:
        return connection.execute(query).scalar_one()


def last_failure(engine: sa.Engine, destination: str) -> str | None:
    """What the last failed attempt there ended in."""
    query = (
        sa.select(deliveries.c.note)
        .where(deliveries.c.destination == destination, deliveries.c.state.in_(("waiting", "gave_up")))
        .where(deliveries.c.note.is_not(None))
        .order_by(deliveries.c.due_at.desc())
        .limit(1)
    )
    with engine.connect() as connection:
        return connection.execute(query).scalar()


def newest_studies(engine: sa.Engine, limit: int, state: str | None) -> Sequence[sa.Row[Any]]:
    """Studies with how many images, results and open deliveries they have; those with the newest images first."""

    def count(table: sa.Table, *where: sa.ColumnElement[bool]) -> sa.ScalarSelect[int]:
        matching = sa.select(sa.func.count()).where(table.c.study_uid == studies.c.study_uid, *where)
        return matching.correlate(studies).scalar_subquery()

    query = sa.select(
        studies.c.study_uid,
        studies.c.sender,
        studies.c.last_received_at,
        study_state().label("state"),
        studies.c.reason,
        count(instances, instances.c.study_revision > 0).label("images"),
        count(results).label("results"),
        count(deliveries, deliveries.c.state == "delivered").label("delivered"),
        count(deliveries, deliveries.c.state.not_in(("delivered", "cancelled"))).label("undelivered"),
    ).order_by(studies.c.last_received_at.desc())
    if state is not None:
        query = query.where(study_state() == state)
    with engine.connect() as connection:
        return connection.execute(query.limit(limit)).all()


def find_study(engine: sa.Engine, beginning: str) -> sa.Row[Any]:
    """The study whose UID is or begins so. Raises CxrError unless it is one."""
    query = sa.select(studies, study_state().label("shown_state"))
    with engine.connect() as connection:
        found = connection.execute(query.where(studies.c.study_uid == beginning)).all()
        found = found or connection.execute(query.where(studies.c.study_uid.startswith(beginning)).limit(2)).all()
    if len(found) != 1:
        how_many = "no study" if not found else "several studies"
        raise CxrError(f"{how_many} whose UID begins so", "one", "see `cxr-node list`")
    return found[0]


def known_destination(engine: sa.Engine, name: str | None) -> str | None:
    """The name, if deliveries to it are known, configured or not. Raises CxrError."""
    if name is None:
        return None
    with engine.connect() as connection:
        names = sorted(connection.execute(sa.select(deliveries.c.destination).distinct()).scalars())
    if name not in names:
        raise CxrError(f"no deliveries to {name}", " or ".join(names) or "none yet", "see `cxr-node status`")
    return name


def images_of(engine: sa.Engine, study_uid: str) -> Sequence[sa.Row[Any]]:
    """Every version of every image of a study."""
    query = sa.select(instances).where(instances.c.study_uid == study_uid).order_by(instances.c.study_revision)
    with engine.connect() as connection:
        return connection.execute(query).all()


def results_of(engine: sa.Engine, study_uid: str) -> Sequence[sa.Row[Any]]:
    """Every result object of a study."""
    query = sa.select(results).where(results.c.study_uid == study_uid)
    with engine.connect() as connection:
        return connection.execute(query.order_by(results.c.revision, results.c.kind)).all()


def deliveries_of(engine: sa.Engine, study_uid: str) -> Sequence[sa.Row[Any]]:
    """Every delivery of a study."""
    query = sa.select(deliveries).where(deliveries.c.study_uid == study_uid)
    with engine.connect() as connection:
        return connection.execute(query.order_by(deliveries.c.destination, deliveries.c.result_uid)).all()
