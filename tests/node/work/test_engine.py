"""DBOS as the node uses it: each of its risks that docs/decisions/0012 names."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import sqlalchemy as sa
from dbos import DBOS

from dicom_node.settings import RetentionSettings
from dicom_node.store.retention import Retention
from dicom_node.work.engine import APPLICATION_VERSION, EXECUTOR, Engine
from dicom_node.work.housekeeping import Housekeeper
from tests.node.node_process import until
from tests.node.rows import Rows


class Running:
    """An engine over a database, with workflows that the test gives."""

    def __init__(self, database: sa.Engine) -> None:
        self.database = database
        self.ended = threading.Semaphore(0)
        self.engine = Engine(database, self.ended.release)
        self.ran: list[tuple[Any, ...]] = []

    def launch(self, **workflows: Callable[..., None]) -> None:
        for name, run in ({"note": self._note} | workflows).items():
            self.engine.workflow(name, run)
        self.engine.launch()

    def _note(self, *arguments: Any) -> None:
        self.ran.append(arguments)

    def rows(self, query: str) -> list[Any]:
        with self.database.connect() as connection:
            return list(connection.execute(sa.text(query)))

    def change(self, statement: str) -> None:
        with self.database.begin() as connection:
            connection.execute(sa.text(statement))

    def status(self, key: str) -> str | None:
        return next(
            (row[0] for row in self.rows(f"SELECT status FROM workflow_status WHERE workflow_uuid='{key}'")), None
        )

    def wait(self, key: str, status: str = "SUCCESS") -> None:
        until(lambda: self.status(key) == status)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its end waits for what it sleeps."""
    monkeypatch.setattr("dicom_node.work.engine.LISTEN_SECONDS", 0.2)


@pytest.fixture
def rows(tmp_path: Path) -> Iterator[Rows]:
    made = Rows(tmp_path)
    yield made
    made.engine.dispose()


@pytest.fixture
def running(rows: Rows) -> Iterator[Running]:
    # DBOS flushes the handlers of its logger; one made in a test whose standard error was caught is closed by now.
    logging.getLogger("dbos").handlers.clear()
    yield Running(rows.engine)
    DBOS.destroy(destroy_registry=True)


def again(running: Running) -> Running:
    """As a process that starts after the first ended."""
    DBOS.destroy(destroy_registry=True)
    return Running(running.database)


def test_one_database_in_wal_mode_that_waits_for_the_disk(running: Running, rows: Rows) -> None:
    running.launch()
    names = {row[0] for row in running.rows("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert {"workflow_status", "instances", "studies", "results", "deliveries"} <= names
    assert running.rows("PRAGMA journal_mode") == [("wal",)]
    assert running.rows("PRAGMA synchronous") == [(2,)], "FULL"
    assert {path.name for path in rows.folder.root.glob("*.sqlite")} == {"node.sqlite"}


def test_a_workflow_runs_once_for_its_id(running: Running) -> None:
    running.launch()
    for _ in range(3):
        running.engine.start("note", "note:1", "key", 7)
    running.wait("note:1")
    assert running.ran == [("key", 7)]


def test_executor_and_version_are_fixed_and_inputs_are_keys_as_json(running: Running) -> None:
    running.launch()
    running.engine.start("note", "note:1", "key", 7)
    running.wait("note:1")
    assert running.rows("SELECT executor_id, application_version, serialization FROM workflow_status") == [
        (EXECUTOR, APPLICATION_VERSION, "portable_json")
    ]
    ((inputs,),) = running.rows("SELECT inputs FROM workflow_input")
    assert json.loads(inputs)["positionalArgs"] == ["key", 7]


INTERRUPTED = (
    f"UPDATE workflow_status SET status = 'PENDING', executor_id = '{EXECUTOR}', owner_xid = NULL, completed_at = NULL"
)


def test_what_an_earlier_version_began_goes_on_in_this_one(running: Running) -> None:
    running.launch(older=running._note)
    running.engine.start("note", "note:1", "key")
    running.wait("note:1")
    newer = again(running)
    newer.change(INTERRUPTED)
    newer.launch(newer=lambda *_: None, another=lambda *_: None)
    newer.wait("note:1")
    assert newer.ran == [("key",)]


def test_what_was_interrupted_goes_on_at_the_next_start_however_often(running: Running) -> None:
    running.launch()
    running.engine.start("note", "note:1", "key")
    running.wait("note:1")
    later = again(running)
    later.change(f"{INTERRUPTED}, recovery_attempts = 500")
    later.launch()
    later.wait("note:1")
    assert later.ran == [("key",)]


def test_the_dead_are_told_from_the_living(running: Running) -> None:
    goes_on = threading.Event()
    running.launch(holds=lambda: goes_on.wait(30), fails=lambda: (_ for _ in ()).throw(RuntimeError))
    running.engine.start("note", "done", "key")
    running.engine.start("holds", "runs")
    running.engine.start("fails", "failed")
    running.wait("done")
    running.wait("failed", "ERROR")
    running.wait("runs", "PENDING")
    everything = ["done", "runs", "failed", "unknown"]
    assert running.engine.dead(everything) == {"done", "failed", "unknown"}
    assert running.engine.dead(everything) == {"done", "failed", "unknown"}
    goes_on.set()
    running.wait("runs")
    assert "runs" in running.engine.dead(everything)


def test_one_that_dbos_takes_for_running_is_dead_at_the_second_look(running: Running) -> None:
    running.launch()
    running.engine.start("note", "note:1", "key")
    running.wait("note:1")
    running.change("UPDATE workflow_status SET status = 'PENDING'")
    assert running.engine.dead(["note:1"]) == set()
    assert running.engine.dead(["note:1"]) == {"note:1"}


def test_those_that_never_return_hold_up_no_other(running: Running) -> None:
    goes_on = threading.Event()
    running.launch(holds=lambda: goes_on.wait(30))
    for number in range(40):
        running.engine.start("holds", f"holds:{number}")
    running.engine.start("note", "note:1", "key")
    running.wait("note:1")
    goes_on.set()


def test_it_is_told_that_a_workflow_ended(running: Running) -> None:
    running.launch(fails=lambda: (_ for _ in ()).throw(RuntimeError))
    running.engine.start("note", "note:1", "key")
    assert running.ended.acquire(timeout=30)
    running.engine.start("fails", "fails:1")
    assert running.ended.acquire(timeout=30)


def test_after_stop_nothing_begins(running: Running) -> None:
    running.launch()
    running.engine.stop()
    running.engine.start("note", "note:1", "key")
    running.wait("note:1", "PENDING")
    assert running.ran == []
    running.engine._held.set()  # this process has to end, too


def test_finished_workflows_are_forgotten(running: Running) -> None:
    running.launch()
    for number in range(5):
        running.engine.start("note", f"note:{number}", "key")
        running.wait(f"note:{number}")
    assert running.engine.forget_finished(time.time() - 60, 100) == 0
    assert running.engine.forget_finished(time.time() + 60, 3) == 3
    assert running.engine.forget_finished(time.time() + 60, 3) == 2
    assert running.rows("SELECT count(*) FROM workflow_status") == [(0,)]


def test_the_housekeeper_deletes_what_is_over_its_time(running: Running, rows: Rows) -> None:
    running.launch()
    for number in range(3):
        running.engine.start("note", f"note:{number}", "key")
        running.wait(f"note:{number}")
    (rows.folder.objects / "orphan.dcm").write_bytes(b"")
    retention = Retention(RetentionSettings(), rows.folder, rows.engine, ())
    housekeeper = Housekeeper(retention, running.engine)
    housekeeper.clean()
    assert running.rows("SELECT count(*) FROM workflow_status") == [(3,)]
    assert (rows.folder.objects / "orphan.dcm").exists()
    later = time.time() + 8 * 86400
    with patch("dicom_node.work.housekeeping.time.time", lambda: later):
        housekeeper.clean()
    assert running.rows("SELECT count(*) FROM workflow_status") == [(0,)]
    assert not (rows.folder.objects / "orphan.dcm").exists()


def test_housekeeping_goes_on_after_an_error(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dicom_node.work.housekeeping._PAUSE_SECONDS", 0.01)
    rounds = threading.Semaphore(0)

    class Broken(Retention):
        def __init__(self) -> None:
            pass

        def clean(self, now: float) -> None:
            rounds.release()
            raise sa.exc.OperationalError("", {}, Exception("database is locked"))

    housekeeper = Housekeeper(Broken(), running.engine)
    housekeeper.start()
    assert rounds.acquire(timeout=30)
    assert rounds.acquire(timeout=30)
    housekeeper.stop()


def test_a_full_database_raises_at_once_and_stays_whole(running: Running) -> None:
    running.launch()

    @sa.event.listens_for(running.database, "checkout")
    def _limit(connection: Any, *_: object) -> None:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")

    def fill() -> None:
        for number in range(3000):
            running.engine.start("note", f"note:{number}", "x" * 4000)

    with pytest.raises(sa.exc.OperationalError) as raised:
        fill()
    assert "xxxx" not in str(raised.value), "parameters are in no error's text"
    assert running.rows("PRAGMA quick_check") == [("ok",)]


def test_it_opens_no_socket(running: Running) -> None:
    def sockets() -> set[str]:
        links = (str(path.readlink()) for path in Path("/proc/self/fd").iterdir() if path.is_symlink())
        return {link for link in links if link.startswith("socket:")}

    before = sockets()
    running.launch()
    running.engine.start("note", "note:1", "key")
    running.wait("note:1")
    inet = Path("/proc/self/net/tcp").read_text() + Path("/proc/self/net/udp").read_text()
    new = {link[8:-1] for link in sockets() - before}
    assert not any(inode in inet.split() for inode in new)
