"""The local index: what was listed and opened, with answers, opinions, measurements and thumbnails, in one SQLite file.

It holds patient data, so its file is its owner's alone, and `clear` leaves nothing of it on the disk.
"""

from __future__ import annotations

import errno
import json
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from cxr_core.errors import CxrError
from cxr_desktop.state.records import InstanceRecord
from cxr_desktop.state.search import query_words, searched_text

_T = TypeVar("_T")

#: Of the tables below; a file of a later version is left alone.
_VERSION = 1
_TABLES = """
CREATE TABLE instances(
    name TEXT PRIMARY KEY, key TEXT NOT NULL, study TEXT NOT NULL, record TEXT NOT NULL, words TEXT NOT NULL,
    opened REAL
) WITHOUT ROWID;
CREATE INDEX instances_opened ON instances(opened) WHERE opened IS NOT NULL;
CREATE INDEX instances_patient ON instances(json_extract(record, '$.patient_id'));
CREATE TABLE answers(
    key TEXT, sha256 TEXT, model TEXT NOT NULL, version TEXT NOT NULL, document TEXT NOT NULL, maps BLOB,
    made TEXT NOT NULL, PRIMARY KEY(key, sha256)
) WITHOUT ROWID;
CREATE TABLE opinions(number INTEGER PRIMARY KEY, key TEXT NOT NULL, document TEXT NOT NULL, made TEXT NOT NULL);
CREATE INDEX opinions_key ON opinions(key);
CREATE TABLE measurements(key TEXT PRIMARY KEY, document TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE thumbnails(name TEXT PRIMARY KEY, stamp TEXT NOT NULL, picture BLOB NOT NULL);
"""
#: Milliseconds that a window waits for another one that is writing; each writes for a few.
_BUSY_MS = 2000
_FIELDS = tuple(field.name for field in fields(InstanceRecord))
_MEASUREMENTS = "SELECT document FROM measurements WHERE key = ?"
_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class IndexFileError(CxrError):
    """Something that could not be kept in the index, or read from it; what is open goes on."""


@dataclass(frozen=True, eq=False, slots=True)
class StoredAnswer:
    """What one model said about one image."""

    key: str
    """InstanceRecord.key of the image."""

    model: str
    version: str
    sha256: str
    """Of the bundle; a later answer of the same bundle replaces this one."""

    document: dict[str, Any]
    """ImageResult.to_json, and what else the reader of it needs."""

    maps: bytes | None
    """The maps, as their writer encodes them; None where there are none."""

    made: str
    """When, ISO 8601 in UTC with zone."""


class Index:
    """The index file, open; from any thread. Where it cannot be used, an index in memory takes its place.

    Parameters
    ----------
    path : Path
        The file; made with its folder where it is missing.
    tell : callable
        Told in one line what became of a file that is damaged or cannot be written, from any thread.

    Raises
    ------
    IndexFileError
        By the methods that ask or keep: a full disk, a file held by somebody else. `clear` raises OSError.
    """

    def __init__(self, path: Path, tell: Callable[[str], None]) -> None:
        self.path = path
        self.in_memory = False
        """Whether everything is forgotten when the program ends."""

        self._tell = tell
        self._lock = threading.RLock()
        self._connection = self._opened()

    def put_instances(self, records: Iterable[InstanceRecord]) -> None:
        """Keep what was listed, in place of what was known under the same names."""
        rows = [
            (record.name, record.key, record.study_key, json.dumps(_document(record)), searched_text(record))
            for record in records
        ]
        self._write(
            "INSERT INTO instances(name, key, study, record, words) VALUES (?, ?, ?, ?, ?) ON CONFLICT(name) DO UPDATE "
            "SET key = excluded.key, study = excluded.study, record = excluded.record, words = excluded.words",
            rows,
        )

    def search(self, typed: str) -> list[InstanceRecord]:
        """The records that contain every typed word, in order of their names; all where nothing is typed."""
        words = query_words(typed)
        where = " AND ".join("instr(words, ?)" for _ in words) or "1"
        return self._records(f"SELECT record FROM instances WHERE {where} ORDER BY name", words)  # noqa: S608  # placeholders only

    def of_patient(self, record: InstanceRecord) -> list[InstanceRecord]:
        """The records of the same Patient ID and issuer, in order of their names; none where there is no Patient ID."""
        if not record.patient_id:
            return []
        found = self._records(
            "SELECT record FROM instances WHERE json_extract(record, '$.patient_id') = ? ORDER BY name",
            [record.patient_id],
        )
        return [one for one in found if one.issuer == record.issuer]

    def put_opened(self, record: InstanceRecord, now: float) -> None:
        """Note that a record was opened, `now` in seconds since the epoch."""
        self.put_instances([record])
        self._write("UPDATE instances SET opened = ? WHERE name = ?", [(now, record.name)])

    def recent(self, limit: int = 20) -> list[InstanceRecord]:
        """The record of each study that was opened last, the latest first."""
        return self._records(
            "SELECT record, max(opened) AS last FROM instances WHERE opened IS NOT NULL GROUP BY study "
            "ORDER BY last DESC LIMIT ?",
            [limit],
        )

    def remove(self, names: Iterable[str]) -> None:
        """Forget what was listed under these names; answers, opinions and measurements of the images stay."""
        rows = [(name,) for name in names]
        self._write("DELETE FROM instances WHERE name = ?", rows)
        self._write("DELETE FROM thumbnails WHERE name = ?", rows)

    def put_answer(self, answer: StoredAnswer) -> None:
        """Keep an answer, in place of an earlier one of the same bundle for the same image."""
        document = json.dumps(answer.document)
        row = (answer.key, answer.sha256, answer.model, answer.version, document, answer.maps, answer.made)
        self._write("INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?, ?, ?)", [row])

    def answers_of(self, key: str) -> list[StoredAnswer]:
        """The answers for one image, the latest first."""
        rows = self._read(
            "SELECT key, model, version, sha256, document, maps, made FROM answers WHERE key = ? ORDER BY made DESC",
            [key],
        )
        return [
            StoredAnswer(key, model, version, sha256, json.loads(document), maps, made)
            for key, model, version, sha256, document, maps, made in rows
        ]

    def answered(self, keys: Iterable[str]) -> set[str]:
        """Those of the images for which there is an answer of any model."""
        found = self._read(
            "SELECT DISTINCT key FROM answers WHERE key IN (SELECT value FROM json_each(?))", [json.dumps(list(keys))]
        )
        return {key for (key,) in found}

    def put_opinion(self, key: str, opinion: dict[str, Any]) -> None:
        """Add a reader's opinion on one image; earlier ones stay."""
        row = (key, json.dumps(opinion), datetime.now(UTC).isoformat())
        self._write("INSERT INTO opinions(key, document, made) VALUES (?, ?, ?)", [row])

    def opinions_of(self, key: str) -> list[dict[str, Any]]:
        """The opinions on one image, in the order in which they were given."""
        return self._documents("SELECT document FROM opinions WHERE key = ? ORDER BY number", [key])

    def put_measurements(self, key: str, change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> None:
        """Keep the measurements of one image: what `change` makes of those that are kept; an empty list removes them.

        No other window can write between.
        """

        def work() -> None:
            with self._connection:
                self._connection.execute("BEGIN IMMEDIATE")
                found = self._connection.execute(_MEASUREMENTS, _bound([key])).fetchone()
                changed = change(json.loads(found[0]) if found else [])
                if changed:
                    row = (key, json.dumps(changed))
                    self._connection.execute("INSERT OR REPLACE INTO measurements VALUES (?, ?)", _bound(row))
                else:
                    self._connection.execute("DELETE FROM measurements WHERE key = ?", _bound([key]))

        self._run(work)

    def measurements_of(self, key: str) -> list[dict[str, Any]]:
        """The measurements of one image, as they were put."""
        found = self._documents(_MEASUREMENTS, [key])
        return found[0] if found else []  # type: ignore[return-value]  # a list as it was put

    def put_thumbnail(self, name: str, stamp: str, picture: bytes) -> None:
        """Keep the picture of the file that bears this stamp."""
        self._write("INSERT OR REPLACE INTO thumbnails VALUES (?, ?, ?)", [(name, stamp, picture)])

    def thumbnail_of(self, name: str, stamp: str) -> bytes | None:
        """The kept picture, unless the file has changed since."""
        rows = self._read("SELECT picture FROM thumbnails WHERE name = ? AND stamp = ?", [name, stamp])
        return rows[0][0] if rows else None

    def clear(self) -> None:
        """Forget everything, also what damaged files that were set aside hold; another window's list is empty then."""
        with self._lock:
            try:
                for table in ("instances", "answers", "opinions", "measurements", "thumbnails"):
                    self._write(f"DELETE FROM {table}", [()])  # noqa: S608  # names of our tables
                self._read("PRAGMA wal_checkpoint(TRUNCATE)", [])  # what was written last leaves the log, too
            except IndexFileError:  # on a full disk nothing can be deleted but files
                self._connection.close()
                self._delete(self._files())
                self._connection = self._opened()
            if self.in_memory:
                self._delete(self._files())
            self._delete(self.path.parent.glob(f"{self.path.name}.damaged-*"))

    def close(self) -> None:
        """Close the file; nothing can be asked any more."""
        with self._lock:
            self._connection.close()

    def _records(self, statement: str, values: list[Any]) -> list[InstanceRecord]:
        return [
            InstanceRecord(**{name: value for name, value in document.items() if name in _FIELDS})
            for document in self._documents(statement, values)
        ]

    def _documents(self, statement: str, values: list[Any]) -> list[dict[str, Any]]:
        return [json.loads(row[0]) for row in self._read(statement, values)]

    def _read(self, statement: str, values: list[Any]) -> list[tuple[Any, ...]]:
        return self._run(lambda: self._connection.execute(statement, _bound(values)).fetchall())

    def _write(self, statement: str, rows: list[tuple[Any, ...]]) -> None:
        def work() -> None:
            with self._connection:  # all rows or none
                self._connection.executemany(statement, map(_bound, rows))

        self._run(work)

    def _run(self, work: Callable[[], _T]) -> _T:
        with self._lock:
            try:
                return work()
            except sqlite3.DatabaseError as error:
                if not _is_damage(error):
                    raise _failure(error) from error
            self._connection.close()
            self._connection = self._opened(looked_through=True)
            try:
                return work()
            except sqlite3.DatabaseError as error:
                raise _failure(error) from error

    def _opened(self, *, looked_through: bool = False) -> sqlite3.Connection:
        """A connection to a usable file with its tables, else to memory."""
        try:
            try:
                connection = _connected(self.path, looked_through)
            except sqlite3.DatabaseError as error:
                if not _is_damage(error):
                    raise
                self._set_aside()
                connection = _connected(self.path, looked_through=False)
            self.in_memory = False
            return connection
        except (OSError, sqlite3.Error, _LaterVersionError) as error:
            self.in_memory = True
            self._tell(
                f"The list of studies cannot be kept on this computer ({_brief(error)}): it is forgotten when the "
                "program ends. Check the folder of the index and its permissions."
            )
            return _in_memory(self.path)

    def _set_aside(self) -> None:
        mark = f"{self.path.name}.damaged-{datetime.now(UTC):%Y%m%dT%H%M%S}"
        for file in self._files():
            if file.exists():
                file.rename(file.with_name(mark + file.name.removeprefix(self.path.name)))
        self._tell(f"The index file was damaged. It was set aside as {mark}, and a new, empty one begun.")

    @staticmethod
    def _delete(files: Iterable[Path]) -> None:
        for file in files:
            if file.exists():
                file.unlink()

    def _files(self) -> list[Path]:
        """The database with its log and the memory that its users share (sqlite.org/wal.html)."""
        return [self.path.with_name(self.path.name + suffix) for suffix in ("", "-wal", "-shm")]


class _LaterVersionError(Exception):
    """The file was written by a later program."""


def _connected(path: Path, looked_through: bool) -> sqlite3.Connection:
    """The file, private and writable, with its tables. Raises OSError, sqlite3.Error, _LaterVersionError."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # Not opened where it is there: closing it would take SQLite's locks away from another window of this process
    # (sqlite.org/howtocorrupt.html, 2.2).
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))  # its log takes over its mode
    if not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    connection = sqlite3.connect(path, timeout=_BUSY_MS / 1000, check_same_thread=False)
    try:
        _use_log(connection)
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA secure_delete = ON")
        if looked_through and connection.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
            damage = sqlite3.DatabaseError("damaged")
            damage.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
            raise damage
        _make_tables(connection)
        return connection
    except BaseException:
        connection.close()
        raise


def _use_log(connection: sqlite3.Connection) -> None:
    """Have a write-ahead log, so that no reader waits for a writer.

    Where two windows begin one file at the same moment SQLite has no patience with this statement; both might wait.
    """
    until = time.monotonic() + _BUSY_MS / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
        time.sleep(0.01)


def _make_tables(connection: sqlite3.Connection) -> None:
    if connection.execute("PRAGMA user_version").fetchone() == (_VERSION,):
        return  # a reader waits for no writer
    connection.execute("BEGIN IMMEDIATE")  # another window may begin the same file
    with connection:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > _VERSION:
            raise _LaterVersionError("a later version of the program wrote it")
        if version == 0:
            for statement in _TABLES.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {_VERSION}")


def _in_memory(path: Path) -> sqlite3.Connection:
    """An index that is forgotten, with what can be read of the file."""
    connection = sqlite3.connect(":memory:", check_same_thread=False)
    with suppress(sqlite3.Error), closing(sqlite3.connect(f"{path.absolute().as_uri()}?immutable=1", uri=True)) as kept:
        if kept.execute("PRAGMA user_version").fetchone() == (_VERSION,):
            kept.backup(connection)
    _make_tables(connection)
    return connection


def _bound(values: Iterable[Any]) -> list[Any]:
    """Values as SQLite takes them: the name of a file need not be text (PEP 383), SQLite's text has to be UTF-8."""
    return [
        value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) and not value.isascii() else value
        for value in values
    ]


def _document(record: InstanceRecord) -> dict[str, Any]:
    return {name: getattr(record, name) for name in _FIELDS}


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGE


def _failure(error: sqlite3.DatabaseError) -> IndexFileError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return IndexFileError("a disk without room for the index", "some free space", "make room and do it again")
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return IndexFileError("an index that another window holds", "a free one", "do it again")
    return IndexFileError(f"an index that cannot be used ({_brief(error)})", "", "check its disk and its permissions")


def _brief(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or "cannot be used"
    return getattr(error, "sqlite_errorname", "") or str(error)
