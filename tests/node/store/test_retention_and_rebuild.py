"""What is deleted and when, what never is, and the rows again from the files."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from structlog.testing import capture_logs

from dicom_node import logs
from dicom_node.settings import NodeSettings, RetentionSettings, settings_of
from dicom_node.store import orders, rebuild, receipts, retention
from dicom_node.store.completions import Wanted
from dicom_node.store.database import (
    DamagedDatabaseError,
    DatabaseAwayError,
    DatabaseError,
    open_engine,
    open_existing,
    prepare_database,
    put_aside,
)
from dicom_node.store.folder import DataFolder
from dicom_node.store.quarantine import Quarantine, Quarantined
from dicom_node.store.retention import MAY_GROW_SECONDS, Retention
from dicom_node.store.sink import StoreSink
from dicom_node.store.tables import metadata, schema
from tests.node.received import received
from tests.node.rows import Rows, deliveries, instances, results, studies

DAY = 86400.0


@pytest.fixture
def rows(tmp_path: Path) -> Iterator[Rows]:
    made = Rows(tmp_path)
    yield made
    made.engine.dispose()


def finished(rows: Rows, study: str, *, delivered: bool = True) -> None:
    """A study with its answer, result and delivery."""
    rows.answer(rows.image(study))
    rows.complete(study, f"sr {study}")
    (rows.folder.results / study).mkdir()
    (rows.folder.results / study / "x.dcm").write_bytes(b"result")
    if delivered:
        with rows.engine.begin() as connection:
            mine = deliveries.c.study_uid == study
            connection.execute(deliveries.update().where(mine).values(state="delivered"))


def clean(rows: Rows, days_later: float, **settings: float) -> None:
    Retention(RetentionSettings(**settings), rows.folder, rows.engine, ()).clean(time.time() + DAY * days_later)


def files(rows: Rows) -> set[str]:
    folders = (rows.folder.objects, rows.folder.encoded, rows.folder.results)
    return {path.name for folder in folders for path in folder.rglob("*.dcm")}


def test_a_finished_study_is_deleted_after_its_time_and_its_uids_are_kept(rows: Rows) -> None:
    finished(rows, "2.25.1")
    clean(rows, 6.9)
    assert len(files(rows)) == 3
    clean(rows, 7.1)
    assert files(rows) == set()
    assert not (rows.folder.results / "2.25.1").exists()
    image, result = rows.one(instances), rows.one(results)
    assert (image.state, image.file, image.answer) == ("expired", None, None)
    assert result.file is None
    assert rows.all(deliveries) == []
    assert rows.one(studies).state == "expired"
    assert receipts.is_our_result(rows.engine, result.sop_instance_uid)


def test_rows_of_uids_go_after_a_year(rows: Rows) -> None:
    finished(rows, "2.25.1")
    clean(rows, 8)
    clean(rows, 399)
    assert len(rows.all(results)) == 1
    clean(rows, 401)
    assert [rows.all(table) for table in (instances, results, studies)] == [[], [], []]


@pytest.mark.parametrize("state", ["waiting", "sending", "in_flight", "gave_up"])
def test_unsent_work_is_never_deleted(rows: Rows, state: str) -> None:
    finished(rows, "2.25.1", delivered=False)
    rows.change(deliveries, state=state)
    clean(rows, 1000, max_gb=1e-9)
    assert len(files(rows)) == 3
    rows.change(deliveries, state="cancelled")
    clean(rows, 1000)
    assert files(rows) == set()


@pytest.mark.parametrize("state", ["waiting", "queued", "set_aside"])
def test_what_has_no_answer_is_not_deleted(rows: Rows, state: str) -> None:
    finished(rows, "2.25.1")
    rows.image("2.25.1")
    rows.change(instances, state=state)
    rows.change(studies, completed_revision=2)
    clean(rows, 20)
    assert len(files(rows)) == 4


def test_a_study_that_is_not_complete_is_not_deleted(rows: Rows) -> None:
    rows.answer(rows.image("2.25.1"))
    clean(rows, 20)
    assert len(files(rows)) == 1


def test_what_was_only_stored_is_deleted_after_its_time(rows: Rows) -> None:
    rows.image("2.25.1")
    rows.change(instances, state="own", study_revision=0)
    rows.change(studies, state="expired")
    clean(rows, 6)
    assert len(files(rows)) == 1
    clean(rows, 8)
    assert files(rows) == set()


def test_over_the_space_the_oldest_finished_studies_go(rows: Rows) -> None:
    for study in ("2.25.1", "2.25.2", "2.25.3"):
        finished(rows, study)
    now = time.time()
    with rows.engine.begin() as connection:
        for number, study in enumerate(("2.25.2", "2.25.3", "2.25.1")):
            values = {"completed_at": now + number, "last_received_at": now + number}
            connection.execute(studies.update().where(studies.c.study_uid == study).values(values))
    size = sum(path.stat().st_size for path in rows.folder.root.rglob("*.dcm"))
    clean(rows, 0, max_gb=(size - 1) / 1000**3)
    assert {row.study_uid: row.state for row in rows.all(studies)} == {
        "2.25.1": "complete",
        "2.25.2": "expired",
        "2.25.3": "complete",
    }


RESERVE_MB = 1024
PLENTY = 2 * RESERVE_MB * 1024**2


def clean_with_free(
    rows: Rows, free_bytes: int, *elsewhere: str, later: float = MAY_GROW_SECONDS + 60
) -> list[dict[str, Any]]:
    """A round while the disk has so much free space; what was logged of it."""
    rows.folder.free_bytes = lambda: free_bytes  # type: ignore[method-assign]
    with patch.object(retention, "log", logs.get("fresh")), capture_logs() as lines:  # one that no test has bound yet
        Retention(RetentionSettings(reserve_mb=RESERVE_MB), rows.folder, rows.engine, elsewhere).clean(
            time.time() + later
        )
    return [line for line in lines if line["event"] == "little space"]


def test_with_little_space_the_oldest_studies_go_whose_results_are_elsewhere(rows: Rows) -> None:
    now = time.time()
    for number, study in enumerate(("2.25.2", "2.25.3", "2.25.1")):
        finished(rows, study)
        with rows.engine.begin() as connection:
            values = {"completed_at": now + number, "last_received_at": now + number}
            connection.execute(studies.update().where(studies.c.study_uid == study).values(values))
    assert clean_with_free(rows, PLENTY, "there") == []
    assert len(files(rows)) == 7, "results in the folder of each study bear one name"
    (line,) = clean_with_free(rows, PLENTY - 20, "there")  # a study has 19 bytes
    assert (line["count"], line["log_level"], line["free_bytes"]) == (2, "warning", PLENTY - 20)
    assert {row.study_uid for row in rows.all(studies, state="complete")} == {"2.25.1"}
    assert len(files(rows)) == 3
    (line,) = clean_with_free(rows, 0, "there")
    assert line["count"] == 1
    assert files(rows) == set()


def test_with_little_space_a_study_that_may_get_another_image_stays(rows: Rows) -> None:
    finished(rows, "2.25.1")
    clean_with_free(rows, 0, "there", later=MAY_GROW_SECONDS - 60)
    assert len(files(rows)) == 3
    clean_with_free(rows, 0, "there")
    assert files(rows) == set()


@pytest.mark.parametrize(
    ("elsewhere", "values"),
    [
        (["pacs"], {"state": "delivered"}),
        (["there"], {"state": "cancelled"}),
        (["there"], {"state": "gave_up"}),
        (["there"], {"state": "waiting"}),
        (["there"], {"state": "in_flight"}),
        (["there"], {"committed": "wanted"}),
        (["there"], {"committed": "no"}),
    ],
)
def test_with_little_space_nothing_goes_that_is_nowhere_else(
    rows: Rows, elsewhere: list[str], values: dict[str, str]
) -> None:
    finished(rows, "2.25.1")
    rows.change(deliveries, **values)
    (line,) = clean_with_free(rows, 0, *elsewhere)
    assert line["count"] == 0
    assert len(files(rows)) == 3


def test_with_little_space_each_result_has_to_be_elsewhere_once(rows: Rows) -> None:
    both = (Wanted("results", "", ("sr", "sc")), Wanted("pacs", "", ("sr",)))
    rows.answer(rows.image("2.25.1"))
    rows.complete("2.25.1", "sr", "sc", "gsps", wanted=both)
    rows.change(deliveries, state="delivered")
    clean_with_free(rows, 0, "pacs")
    assert len(files(rows)) == 4, "the picture is in the data folder alone"
    rows.answer(rows.image("2.25.2"))
    rows.complete("2.25.2", "sr 2", "gsps 2", wanted=both)
    rows.change(deliveries, state="delivered", committed="yes")
    clean_with_free(rows, 0, "pacs")
    assert {row.study_uid: row.state for row in rows.all(studies)} == {"2.25.1": "complete", "2.25.2": "expired"}


def test_with_little_space_refused_objects_and_what_was_only_stored_go_first(rows: Rows) -> None:
    finished(rows, "2.25.1")
    rows.image("2.25.2")
    with rows.engine.begin() as connection:
        connection.execute(instances.update().where(instances.c.study_uid == "2.25.2").values(state="ignored"))
        connection.execute(studies.delete().where(studies.c.study_uid == "2.25.2"))
    place = Quarantine(rows.folder)
    place.put(Quarantined("bad", "damaged", time.time(), "PACS", None), b"junk")
    clean_with_free(rows, PLENTY - 1, "there")
    assert place.entries() == []
    assert len(files(rows)) == 4
    clean_with_free(rows, PLENTY - 1, "there")
    assert rows.one(instances, study_uid="2.25.2").state == "expired"
    assert len(files(rows)) == 3


def test_the_quarantine_is_emptied_after_its_time(rows: Rows) -> None:
    key = rows.image("2.25.1")
    rows.change(instances, state="set_aside")
    place = Quarantine(rows.folder)
    place.put(Quarantined("bad", "damaged", time.time(), "PACS", None), b"junk")
    place.put_file(
        Quarantined(key, "it ended the model process", time.time(), "PACS", key), rows.folder.objects / f"{key}.dcm"
    )
    clean(rows, 29)
    assert len(place.entries()) == 2
    clean(rows, 31)
    assert place.entries() == []
    assert list(rows.folder.quarantine.iterdir()) == []
    assert rows.one(instances).state == "cancelled"


def test_files_without_rows_are_deleted_when_they_are_old_enough(rows: Rows) -> None:
    rows.image("2.25.1")
    (rows.folder.results / "2.25.2").mkdir()
    for folder in (rows.folder.objects, rows.folder.encoded, rows.folder.results / "2.25.2"):
        (folder / "orphan.dcm").write_bytes(b"")
    clean(rows, 6.9)  # after a rebuild, what is so old may yet get its row
    assert "orphan.dcm" in files(rows)
    clean(rows, 7.1)
    assert files(rows) == {"key1.dcm"}
    assert list(rows.folder.results.iterdir()) == []


def test_what_comes_again_after_its_deletion_is_analysed_again_with_its_first_receipt(rows: Rows) -> None:
    sink = StoreSink(settings_of({"retention": {"reserve_mb": 0}}, "test"), rows.folder, rows.engine, lambda: None)
    request = received()
    sink.accept(request)
    (before,) = rows.all(instances)
    rows.answer(before.key)
    rows.complete("2.25.1002", "sr")
    rows.change(deliveries, state="delivered")
    clean(rows, 8)
    sink.accept(request)
    (after,) = rows.all(instances)
    assert (after.state, after.received_at, after.study_revision) == ("waiting", before.received_at, 2)
    assert rows.one(studies).state == "open"


# The rows again from the files.


def stored(rows: Rows) -> NodeSettings:
    """Two studies as the store keeps them."""
    settings = settings_of({"retention": {"reserve_mb": 0}}, "test")
    sink = StoreSink(settings, rows.folder, rows.engine, lambda: None)
    for number in range(3):
        sink.accept(
            received(SOPInstanceUID=f"2.25.{number + 1}", StudyInstanceUID=f"2.25.7{number // 2}", sender=f"DR{number}")
        )
    return settings


def told(rows: Rows) -> list[tuple[object, ...]]:
    """Everything that matters of the rows."""
    names = ("key", "study_uid", "sop_instance_uid", "sop_class_uid", "digest", "sender", "file", "bytes", "state")
    found = rows.all(instances)
    return sorted((*(getattr(row, name) for name in names), round(row.received_at, 3)) for row in found)


@pytest.mark.parametrize("how", ["zeros", "text", "truncated", "gone"])
def test_a_damaged_database_is_made_again_from_the_files(rows: Rows, how: str) -> None:
    settings = stored(rows)
    before, revisions = told(rows), {row.study_uid: row.revision for row in rows.all(studies)}
    rows.engine.dispose()
    path = rows.folder.database
    for ending in ("-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)
    size = path.stat().st_size
    if how == "zeros":
        with path.open("r+b") as file:
            file.seek(4096)
            file.write(bytes(size - 4096))
    elif how == "text":
        path.write_text("no database " * 1000)
    elif how == "truncated":
        os.truncate(path, size // 2)
    if how == "gone":
        path.unlink()
    else:
        with pytest.raises(DamagedDatabaseError):
            prepare_database(rows.engine, rows.folder)
        rows.engine.dispose()
        assert put_aside(rows.folder).exists()
    prepare_database(rows.engine, rows.folder)
    assert rebuild.is_needed(rows.engine, rows.folder)
    assert rebuild.rebuild(settings, rows.engine, rows.folder) == 3
    assert told(rows) == before
    assert {row.study_uid: row.revision for row in rows.all(studies)} == revisions
    assert not rebuild.is_needed(rows.engine, rows.folder)


def test_a_damaged_file_keeps_no_other_from_being_recorded(rows: Rows) -> None:
    settings = stored(rows)
    first = next(rows.folder.objects.iterdir())
    first.write_bytes(b"junk")
    with rows.engine.begin() as connection:
        connection.execute(instances.delete())
        connection.execute(studies.delete())
    assert rebuild.rebuild(settings, rows.engine, rows.folder) == 2


def test_a_database_of_another_version_is_refused(rows: Rows) -> None:
    with rows.engine.begin() as connection:
        connection.execute(schema.update().values(version=2))
    for refuses in (
        lambda: prepare_database(rows.engine, rows.folder),
        lambda: open_existing(rows.folder, None),
    ):
        with pytest.raises(DatabaseError, match="a database of schema 2; expected schema 1"):
            refuses()


def test_a_folder_without_a_database_is_told(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match="a data folder without a database"):
        open_existing(DataFolder(tmp_path), None)


def test_a_database_that_cannot_be_reached_is_told_without_its_address(rows: Rows) -> None:
    engine = open_engine(rows.folder, "postgresql://node:secret@127.0.0.1:1/cxr")
    with pytest.raises(DatabaseAwayError) as raised:
        prepare_database(engine, rows.folder)
    assert "secret" not in str(raised.value)


def test_statements_are_right_for_postgresql_too(rows: Rows) -> None:
    """Compiled only: what a dialect cannot express raises here."""
    for table in metadata.sorted_tables:
        assert sa.schema.CreateTable(table).compile(dialect=postgresql.dialect())  # type: ignore[no-untyped-call]


def test_orders_change_only_what_they_name(rows: Rows) -> None:
    finished(rows, "2.25.1", delivered=False)
    finished(rows, "2.25.2", delivered=False)
    rows.change(deliveries, state="gave_up", failing_since=1.0, due_at=9e9)
    assert orders.retry(rows.engine, 5.0, "2.25.1", None)["deliveries"] == 1
    row = rows.one(deliveries, study_uid="2.25.1")
    assert (row.state, row.due_at, row.failing_since) == ("waiting", 5.0, None)
    assert rows.one(deliveries, study_uid="2.25.2").state == "gave_up"
    assert orders.cancel(rows.engine, rows.folder, 9e9, "2.25.2", None)["deliveries"] == 1
    assert rows.one(deliveries, study_uid="2.25.2").state == "cancelled"
    assert orders.cancel(rows.engine, rows.folder, 9e9, None, "there")["deliveries"] == 1
