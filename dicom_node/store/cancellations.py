"""What people cancelled, in files beside the database: one that is made again from the files must send none of it.

An order is a file of UIDs and keys, which come out the same when objects are analysed and encoded again.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from cxr_core.files import write_whole
from dicom_node import logs
from dicom_node.store.database import insert_new
from dicom_node.store.folder import DataFolder
from dicom_node.store.tables import deliveries, instances, results, studies

log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Cancellation:
    """One order."""

    at: float
    """Seconds since the epoch. What came later is not meant."""

    studies: Sequence[str]
    """Without results yet."""

    images: Sequence[str]
    """Keys of images without an answer."""

    deliveries: Sequence[Mapping[str, Any]]
    """Destination, peer, and the row of the result that was not to be sent there."""


def keep(folder: DataFolder, order: Cancellation) -> Path:
    """Write an order; its file. Raises OSError."""
    path = folder.cancelled / f"{secrets.token_hex(8)}.json"
    write_whole(path, json.dumps(asdict(order)).encode(), private=True)
    return path


def _kept(folder: DataFolder) -> Iterator[tuple[Path, Cancellation]]:
    for path in folder.cancelled.glob("*.json"):
        try:
            order = Cancellation(**json.loads(path.read_bytes()))
        except (OSError, ValueError, TypeError) as error:  # the others count all the same
            log.error("order not read", **logs.trouble(error))
        else:
            yield path, order


def apply(database: sa.Engine, folder: DataFolder) -> int:
    """Cancel once more, in rows that were made again, what had come before the order; how many orders."""
    count = 0
    for _, order in _kept(folder):
        with database.begin() as connection:
            _apply(database, connection, order)
        count += 1
    return count


def _apply(database: sa.Engine, connection: sa.Connection, order: Cancellation) -> None:
    for key in order.images:
        connection.execute(
            instances.update()
            .where(instances.c.key == key, instances.c.received_at <= order.at, instances.c.state == "waiting")
            .values(state="cancelled")
        )
    for study_uid in order.studies:
        # A further image opens a study again.
        connection.execute(
            studies.update()
            .where(studies.c.study_uid == study_uid, studies.c.last_received_at <= order.at, studies.c.state == "open")
            .values(state="cancelled")
        )
    for meant in order.deliveries:
        result = meant["result"]
        if not _had_come(connection, result["study_uid"], order.at):
            continue
        connection.execute(insert_new(database, results, result))
        delivery = {
            "result_uid": result["sop_instance_uid"],
            "destination": meant["destination"],
            "study_uid": result["study_uid"],
            "peer": meant["peer"],
            "state": "cancelled",
            "due_at": order.at,
        }
        connection.execute(insert_new(database, deliveries, delivery))


def _had_come(connection: sa.Connection, study_uid: str, at: float) -> bool:
    """Whether something of a study is here that the order can have meant; else all of it was sent once more later."""
    query = sa.select(instances.c.key).where(instances.c.study_uid == study_uid, instances.c.received_at <= at).limit(1)
    return connection.execute(query).one_or_none() is not None


def forget(database: sa.Engine, folder: DataFolder) -> None:
    """Delete orders on studies whose files are all gone: nothing of them can be made again."""
    with database.connect() as connection:
        held = set(connection.execute(sa.select(instances.c.study_uid).where(instances.c.file.is_not(None))).scalars())
        keys = set(connection.execute(sa.select(instances.c.key).where(instances.c.file.is_not(None))).scalars())
    for path, order in _kept(folder):
        meant = {*order.studies, *(one["result"]["study_uid"] for one in order.deliveries)}
        if not meant & held and not keys.intersection(order.images):
            path.unlink(missing_ok=True)
