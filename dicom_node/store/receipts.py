"""Rows of what came in: one for every version of an image, and one for its study."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from dicom_node.store.tables import instances, results, studies

#: What becomes of an object that is stored.
Purpose = Literal["waiting", "own", "ignored"]


_INSERTS: dict[str, Callable[[sa.Table], sqlite.Insert | postgresql.Insert]] = {
    "sqlite": sqlite.insert,
    "postgresql": postgresql.insert,
}
# Statements of every receipt are made once: with several senders to make them took as long as to run them.
_VERSIONS = sa.select(instances.c.key, instances.c.file).where(
    instances.c.sop_instance_uid == sa.bindparam("sop_instance_uid")
)
_OUR_RESULT = sa.select(results.c.kind).where(results.c.sop_instance_uid == sa.bindparam("sop_instance_uid"))
#: Returns the key only of a new row.
_NEW = {
    name: insert(instances).on_conflict_do_nothing().returning(instances.c.key) for name, insert in _INSERTS.items()
}
# What retention has deleted may come again: its first receipt stays, so that results are the same bytes.
_AGAIN = (
    instances.update()
    .where(instances.c.key == sa.bindparam("of_key"), instances.c.file.is_(None))
    .values(file=sa.bindparam("file"), state=sa.bindparam("state"), attempts=0, deaths=0, run=instances.c.run + 1)
)
_SET_REVISION = (
    instances.update()
    .where(instances.c.key == sa.bindparam("of_key"))
    .values(study_revision=sa.bindparam("study_revision"))
)


def _next_revision(insert: sqlite.Insert | postgresql.Insert) -> sa.sql.dml.ReturningInsert[Any]:
    """The study's row with one image more; one that was cancelled or set aside is open again."""
    changes = {
        "revision": studies.c.revision + 1,
        "sender": insert.excluded.sender,
        "last_received_at": insert.excluded.last_received_at,
        "state": "open",
        "attempts": 0,
        "deaths": 0,
    }
    return insert.on_conflict_do_update(index_elements=[studies.c.study_uid], set_=changes).returning(
        studies.c.revision
    )


_NEXT_REVISION = {name: _next_revision(insert(studies)) for name, insert in _INSERTS.items()}


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
        found = connection.execute(_VERSIONS, {"sop_instance_uid": sop_instance_uid})
        return {row.key: row.file for row in found}


def is_our_result(engine: sa.Engine, sop_instance_uid: str) -> bool:
    """Whether we made the object with this UID."""
    with engine.connect() as connection:
        return connection.execute(_OUR_RESULT, {"sop_instance_uid": sop_instance_uid}).one_or_none() is not None


def record(engine: sa.Engine, receipt: Receipt) -> bool:
    """Record an object and its work in one transaction.

    Returns
    -------
    bool
        False where the same version is recorded with a file already, so that this copy is one too many.
    """
    with engine.begin() as connection:
        if connection.execute(_NEW[engine.dialect.name], _row(receipt)).one_or_none() is None:
            again = {"of_key": receipt.key, "file": receipt.file, "state": receipt.purpose}
            if connection.execute(_AGAIN, again).rowcount == 0:
                return False
        if receipt.purpose == "waiting":
            revision = connection.execute(_NEXT_REVISION[engine.dialect.name], _study_row(receipt)).scalar_one()
            connection.execute(_SET_REVISION, {"of_key": receipt.key, "study_revision": revision})
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


def _study_row(receipt: Receipt) -> dict[str, Any]:
    return {
        "study_uid": receipt.study_uid,
        "revision": 1,
        "sender": receipt.sender,
        "first_received_at": receipt.received_at,
        "last_received_at": receipt.received_at,
    }


def forget_file(engine: sa.Engine, key: str) -> None:
    """Note that the file of a version is gone, so that it may come again."""
    with engine.begin() as connection:
        connection.execute(instances.update().where(instances.c.key == key).values(file=None))
