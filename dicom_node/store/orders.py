"""What people order: try again, or give up."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from cxr_core.errors import OutputError
from dicom_node.store import cancellations
from dicom_node.store.cancellations import Cancellation
from dicom_node.store.folder import DataFolder
from dicom_node.store.images import PENDING
from dicom_node.store.tables import deliveries, instances, results, studies


def retry(engine: sa.Engine, now: float, study_uid: str | None, destination: str | None) -> dict[str, int]:
    """Try again what was given up, and at once what waits; how many of what.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        The node's.
    now : float
        Seconds since the epoch.
    study_uid : str or None
        Of this study alone.
    destination : str or None
        To this destination alone; images and studies are then left as they are.
    """
    of = [deliveries.c.study_uid == study_uid] if study_uid else []
    to = [deliveries.c.destination == destination] if destination else []
    counts = {"images": 0, "studies": 0}
    with engine.begin() as connection:
        counts["deliveries"] = connection.execute(
            deliveries.update()
            .where(deliveries.c.state.in_(("waiting", "gave_up")), *of, *to)
            .values(state="waiting", due_at=now, failing_since=None)
        ).rowcount
        if destination is None:
            counts["images"] = connection.execute(
                instances.update()
                .where(instances.c.state == "set_aside", instances.c.file.is_not(None))
                .where(*([instances.c.study_uid == study_uid] if study_uid else []))
                .values(state="waiting", run=instances.c.run + 1, attempts=0, deaths=0, reason=None)
            ).rowcount
            _reopen_for_images(connection)
            counts["studies"] = connection.execute(
                studies.update()
                .where(studies.c.state == "set_aside")
                .where(*([studies.c.study_uid == study_uid] if study_uid else []))
                .values(
                    state="open",
                    queued_revision=studies.c.completed_revision,
                    run=studies.c.run + 1,
                    attempts=0,
                    deaths=0,
                    reason=None,
                )
            ).rowcount
    return counts


def _reopen_for_images(connection: sa.Connection) -> None:
    """A study that was completed without an image that now waits gets a further revision, with this image in it."""
    waiting = (
        sa.select(instances.c.key, instances.c.study_uid)
        .join(studies, studies.c.study_uid == instances.c.study_uid)
        .where(instances.c.state == "waiting", instances.c.study_revision.between(1, studies.c.completed_revision))
    )
    for key, study_uid in connection.execute(waiting).all():
        revision = connection.execute(
            studies.update()
            .where(studies.c.study_uid == study_uid)
            .values(revision=studies.c.revision + 1, state="open")
            .returning(studies.c.revision)
        ).scalar_one()
        connection.execute(instances.update().where(instances.c.key == key).values(study_revision=revision))


def try_image_again(engine: sa.Engine, key: str) -> bool:
    """Let an image that was set aside wait again; whether it was."""
    with engine.begin() as connection:
        changed = connection.execute(
            instances.update()
            .where(instances.c.key == key, instances.c.state == "set_aside", instances.c.file.is_not(None))
            .values(state="waiting", run=instances.c.run + 1, attempts=0, deaths=0, reason=None)
        ).rowcount
        _reopen_for_images(connection)
    return changed == 1


def cancel(
    engine: sa.Engine, folder: DataFolder, now: float, study_uid: str | None, destination: str | None
) -> dict[str, int]:
    """Give up what is not delivered: of a study, with its images that have no answer, or to a destination.

    What is in flight at this moment may still arrive. The order is kept in the folder, too, for a database that has to
    be made again. Raises OutputError where it cannot be: nothing is cancelled then.
    """
    kept: Path | None = None
    try:
        with engine.begin() as connection:
            order = _cancelled(connection, now, study_uid, destination)
            if order.studies or order.images or order.deliveries:
                kept = cancellations.keep(folder, order)
    except BaseException as error:
        if kept is not None:
            with suppress(OSError):
                kept.unlink()
        if isinstance(error, OSError):
            raise OutputError(
                f"the order cannot be kept ({error.strerror})", "a data folder with space", "make some"
            ) from error
        raise
    return {"images": len(order.images), "studies": len(order.studies), "deliveries": len(order.deliveries)}


def _cancelled(connection: sa.Connection, now: float, study_uid: str | None, destination: str | None) -> Cancellation:
    """Change the rows; what was meant."""
    of = [deliveries.c.study_uid == study_uid] if study_uid else []
    to = [deliveries.c.destination == destination] if destination else []
    changed = connection.execute(
        deliveries.update()
        .where(deliveries.c.state.in_(("waiting", "sending", "gave_up")), *of, *to)
        .values(state="cancelled", batch=None)
        .returning(deliveries.c.result_uid, deliveries.c.destination, deliveries.c.peer)
    ).all()
    meant: list[dict[str, Any]] = []
    for row in changed:
        result = connection.execute(sa.select(results).where(results.c.sop_instance_uid == row.result_uid)).one()
        meant.append({"destination": row.destination, "peer": row.peer, "result": dict(result._mapping)})
    images: list[str] = []
    without_results: list[str] = []
    if study_uid is not None and destination is None:
        images += connection.execute(
            instances.update()
            .where(instances.c.study_uid == study_uid, instances.c.state.in_((*PENDING, "set_aside")))
            .values(state="cancelled")
            .returning(instances.c.key)
        ).scalars()
        without_results += connection.execute(
            studies.update()
            .where(studies.c.study_uid == study_uid, studies.c.state.in_(("open", "set_aside")))
            .values(state="cancelled")
            .returning(studies.c.study_uid)
        ).scalars()
    return Cancellation(now, without_results, images, meant)
