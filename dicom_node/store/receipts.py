"""Rows of what came in: one for every version of an image, and one for its study."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa

from dicom_node.store.database import insert_new, upsert
from dicom_node.store.tables import instances, results, studies

#: What becomes of an object that is stored.
Purpose = Literal["waiting", "own", "ignored"]


def instance_key(sop_instance_uid: str, transfer_syntax_uid: str, digest: str) -> str:
    """What tells versions of an image apart: 32 hexadecimal digits."""
    parts = f"{sop_instance_uid}\n{transfer_syntax_uid}\n{digest}"
    return hashlib.sha256(parts.encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Receipt:
    """One object on the disk, to be recorded."""

    key: str
    study_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    digest: str
    sender: str
    received_at: float
    file: str
    """Name in objects/."""

    bytes: int
    purpose: Purpose


def versions(engine: sa.Engine, sop_instance_uid: str) -> dict[str, str | None]:
    """What was recorded of an image before: the file of each version, by key."""
    with engine.connect() as connection:
        query = sa.select(instances.c.key, instances.c.file).where(instances.c.sop_instance_uid == sop_instance_uid)
        return {row.key: row.file for row in connection.execute(query)}


def is_our_result(engine: sa.Engine, sop_instance_uid: str) -> bool:
    """Whether we made the object with this UID."""
    with engine.connect() as connection:
        query = sa.select(results.c.kind).where(results.c.sop_instance_uid == sop_instance_uid)
        return connection.execute(query).one_or_none() is not None


def record(engine: sa.Engine, receipt: Receipt) -> bool:
    """Record an object and its work in one transaction.

    Returns
    -------
    bool
        False where the same version is recorded with a file already, so that this copy is one too many.
    """
    with engine.begin() as connection:
        row = _row(receipt)
        if connection.execute(insert_new(engine, instances, row)).one_or_none() is None:
            # What retention has deleted may come again: its first receipt stays, so that results are the same bytes.
            changes = {
                "file": receipt.file,
                "state": receipt.purpose,
                "attempts": 0,
                "deaths": 0,
                "run": instances.c.run + 1,
            }
            replaced = connection.execute(
                instances.update().where(instances.c.key == receipt.key, instances.c.file.is_(None)).values(changes)
            )
            if replaced.rowcount == 0:
                return False
        if receipt.purpose == "waiting":
            revision = connection.execute(_next_revision(engine, receipt)).scalar_one()
            connection.execute(instances.update().where(instances.c.key == receipt.key).values(study_revision=revision))
    return True


def _row(receipt: Receipt) -> dict[str, Any]:
    return {
        "key": receipt.key,
        "study_uid": receipt.study_uid,
        "sop_instance_uid": receipt.sop_instance_uid,
        "sop_class_uid": receipt.sop_class_uid,
        "digest": receipt.digest,
        "study_revision": 0,
        "sender": receipt.sender,
        "received_at": receipt.received_at,
        "file": receipt.file,
        "bytes": receipt.bytes,
        "state": receipt.purpose,
    }


def _next_revision(engine: sa.Engine, receipt: Receipt) -> sa.UpdateBase:
    """The study's row with one image more; one that was cancelled or set aside is open again."""
    new = {
        "study_uid": receipt.study_uid,
        "revision": 1,
        "sender": receipt.sender,
        "first_received_at": receipt.received_at,
        "last_received_at": receipt.received_at,
    }
    changes = {
        "revision": studies.c.revision + 1,
        "sender": receipt.sender,
        "last_received_at": receipt.received_at,
        "state": "open",
        "attempts": 0,
        "deaths": 0,
    }
    return upsert(engine, studies, new, changes).returning(studies.c.revision)


def forget_file(engine: sa.Engine, key: str) -> None:
    """Note that the file of a version is gone, so that it may come again."""
    with engine.begin() as connection:
        connection.execute(instances.update().where(instances.c.key == key).values(file=None))
