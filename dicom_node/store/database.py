"""The node's database: its own tables and DBOS's behind one address, SQLite in the data folder or PostgreSQL."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url

from cxr_core.errors import CxrError
from dicom_node.node_error import PassingError
from dicom_node.store.folder import DataFolder
from dicom_node.store.tables import SCHEMA_VERSION, metadata, schema


class DatabaseError(CxrError):
    """A database that cannot be reached, or is of another version."""


class DatabaseAwayError(DatabaseError, PassingError):
    """A database that cannot be reached or written to now: it is starting, locked, or its disk is full."""


class DamagedDatabaseError(DatabaseError):
    """A SQLite file that is no database any more; `rebuild.py` makes another."""


def open_engine(folder: DataFolder, address: str | None, patience_seconds: float = 30) -> sa.Engine:
    """An engine for the node's database. Nothing is connected yet.

    Parameters
    ----------
    folder : DataFolder
        Where the SQLite file lies.
    address : str or None
        SQLAlchemy address; None for the SQLite file of the folder.
    patience_seconds : float
        How long a statement waits for a lock, and a caller for a connection.
    """
    url = sa.URL.create("sqlite", database=str(folder.database)) if address is None else make_url(address)
    if url.get_backend_name() == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    options: dict[str, Any] = {"pool_size": 20, "max_overflow": 0, "pool_timeout": patience_seconds}
    # Parameters of statements would stand in every error's text.
    if url.get_backend_name() != "sqlite":
        return sa.create_engine(url, hide_parameters=True, pool_pre_ping=True, **options)
    engine = sa.create_engine(url, hide_parameters=True, connect_args={"timeout": patience_seconds}, **options)

    @sa.event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _record: object) -> None:
        # As DBOS does: a transaction takes the write lock as it begins, so that no reader has to upgrade.
        connection.isolation_level = "IMMEDIATE"
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")

    return engine


def prepare_database(engine: sa.Engine, folder: DataFolder) -> None:
    """Check the database and make our tables.

    Raises
    ------
    DamagedDatabaseError
        SQLite says that the file is damaged.
    DatabaseAwayError
        It cannot be used now.
    DatabaseError
        It is of another version of the node.
    """
    try:
        if engine.dialect.name == "sqlite":
            folder.database.touch(mode=0o600)  # SQLite's other files take its permissions
        with engine.begin() as connection:
            if engine.dialect.name == "sqlite":
                verdict = connection.execute(sa.text("PRAGMA quick_check(1)")).scalar()
                if verdict != "ok":
                    raise DamagedDatabaseError("a damaged database")
            metadata.create_all(connection)
            version = connection.execute(sa.select(schema.c.version)).scalar()
            if version is None:
                connection.execute(schema.insert().values(version=SCHEMA_VERSION))
    except sa.exc.DatabaseError as error:
        if is_damage(error):
            raise DamagedDatabaseError("a damaged database") from error
        kind = type(error.orig).__name__
        raise DatabaseAwayError(
            f"a database that cannot be used ({kind})", "a reachable and writable one", "check address and space"
        ) from error
    _check_version(SCHEMA_VERSION if version is None else version)


def open_existing(folder: DataFolder, address: str | None) -> sa.Engine:
    """The engine of a database that a node made. Raises DatabaseError where none did."""
    if address is None and not folder.database.exists():
        raise DatabaseError("a data folder without a database", "that of a node", "start the node, or name its folder")
    engine = open_engine(folder, address, patience_seconds=10)
    try:
        with engine.connect() as connection:
            version = connection.execute(sa.select(schema.c.version)).scalar()
    except sa.exc.DatabaseError as error:
        raise DatabaseError(
            f"a database that cannot be read ({type(error.orig).__name__})", "that of a node", "start the node"
        ) from error
    _check_version(version)
    return engine


def _check_version(version: int | None) -> None:
    if version != SCHEMA_VERSION:
        raise DatabaseError(
            f"a database of schema {version}", f"schema {SCHEMA_VERSION}", "use the version of the node that made it"
        )


def is_damage(error: BaseException) -> bool:
    """Whether SQLite says that the file is no database any more."""
    return _sqlite_code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _sqlite_code(error: BaseException) -> int | None:
    code = getattr(getattr(error, "orig", None), "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def put_aside(folder: DataFolder) -> Path:
    """Rename the SQLite files, so that another database can be made; the new path of the main one."""
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
    aside = folder.database.with_name(f"{folder.database.name}.damaged-{stamp}")
    for ending in ("", "-wal", "-shm"):
        path = folder.database.with_name(folder.database.name + ending)
        if path.exists():
            path.replace(aside.with_name(aside.name + ending))
    return aside


def insert_new(engine: sa.Engine, table: sa.Table, values: Mapping[str, Any]) -> sa.sql.dml.ReturningInsert[Any]:
    """An INSERT that leaves a row with the same primary key as it is, and returns the key only of a new one."""
    insert = _insert(engine, table).values(**values).on_conflict_do_nothing()
    return insert.returning(*table.primary_key.columns)


def _insert(engine: sa.Engine, table: sa.Table) -> sqlite.Insert | postgresql.Insert:
    return postgresql.insert(table) if engine.dialect.name == "postgresql" else sqlite.insert(table)
