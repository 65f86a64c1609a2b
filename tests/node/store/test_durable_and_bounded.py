"""In which order things get to the disk, what is no image, and what a process that ends in between leaves behind."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from pydicom.uid import (
    Comprehensive3DSRStorage,
    DigitalXRayImageStorageForProcessing,
    GrayscaleSoftcopyPresentationStateStorage,
)

from cxr_core.files import write_whole
from dicom_node.received import CANNOT_UNDERSTAND, SUCCESS, Answer
from dicom_node.release import release
from dicom_node.settings import RetentionSettings, settings_of
from dicom_node.store import quarantine as quarantine_module
from dicom_node.store import receipts
from dicom_node.store import retention as retention_module
from dicom_node.store.quarantine import Quarantine, Quarantined
from dicom_node.store.retention import Retention
from dicom_node.store.sink import StoreSink
from tests.node.received import received
from tests.node.rows import Rows, deliveries, instances, studies

SETTINGS = settings_of({"retention": {"reserve_mb": 0}}, "test")
DAY = 86400.0


@pytest.fixture
def rows(tmp_path: Path) -> Iterator[Rows]:
    made = Rows(tmp_path)
    yield made
    made.engine.dispose()


@pytest.fixture
def sink(rows: Rows) -> StoreSink:
    return StoreSink(SETTINGS, rows.folder, rows.engine, lambda: None)


class Killed(BaseException):
    """The end of the process, at one place."""


def killed(*arguments: Any, **named: Any) -> None:
    raise Killed


def explained_and_killed(path: Path, *pieces: bytes, private: bool) -> None:
    write_whole(path, *pieces, private=private)
    raise Killed


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What reaches the disk, in order: fsync of which name (and size), renames to which name, rows."""
    seen: list[tuple[str, str]] = []
    fsync, replace, record = os.fsync, os.replace, receipts.record

    def synced(descriptor: int) -> None:
        fsync(descriptor)
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        seen.append(("fsync", path.name if path.is_dir() else f"{path.name} {path.stat().st_size}"))

    def renamed(source: Path, target: Path) -> None:
        replace(source, target)
        seen.append(("rename", Path(target).name))

    def recorded(engine: sa.Engine, receipt: receipts.Receipt) -> bool:
        done = record(engine, receipt)
        seen.append(("row", receipt.file))
        return done

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", renamed)
    monkeypatch.setattr(receipts, "record", recorded)
    return seen


def test_success_is_answered_after_file_folder_and_row(
    rows: Rows, sink: StoreSink, steps: list[tuple[str, str]]
) -> None:
    assert sink.accept(received()) == Answer(SUCCESS)
    file = rows.one(instances).file
    size = (rows.folder.objects / file).stat().st_size
    assert steps == [("fsync", f"{file}.part {size}"), ("rename", file), ("fsync", "objects"), ("row", file)]


def test_results_survive_a_power_failure_too(rows: Rows, steps: list[tuple[str, str]]) -> None:
    write_whole(rows.folder.encoded / "2.25.1.dcm", b"result", private=True)
    assert steps == [("fsync", "2.25.1.dcm.part 6"), ("rename", "2.25.1.dcm"), ("fsync", "encoded")]


@pytest.mark.parametrize("sop_class", [Comprehensive3DSRStorage, GrayscaleSoftcopyPresentationStateStorage])
def test_another_maker_s_results_are_stored_and_yield_nothing(rows: Rows, sink: StoreSink, sop_class: str) -> None:
    """Two nodes of two makers beside one PACS would answer each other for ever."""
    sink.accept(received(SOPInstanceUID="2.25.1"))
    before = rows.one(studies)
    answer = sink.accept(received(SOPInstanceUID="2.25.2", SOPClassUID=sop_class, Manufacturer="ANOTHER"))
    assert answer == Answer(SUCCESS)
    assert rows.one(instances, sop_instance_uid="2.25.2").state == "ignored"
    assert rows.one(studies) == before


def test_a_twin_for_processing_is_stored_and_yields_nothing_unless_it_is_wanted(rows: Rows, sink: StoreSink) -> None:
    twin = {"SOPClassUID": DigitalXRayImageStorageForProcessing, "Modality": "DX"}
    sink.accept(received(SOPInstanceUID="2.25.1"))
    before = rows.one(studies)
    assert sink.accept(received(SOPInstanceUID="2.25.2", **twin)) == Answer(SUCCESS)
    assert rows.one(instances, sop_instance_uid="2.25.2").state == "ignored"
    assert rows.one(studies) == before
    wanted = settings_of({"retention": {"reserve_mb": 0}, "analysis": {"relaxed_intake": ["for_processing"]}}, "test")
    StoreSink(wanted, rows.folder, rows.engine, lambda: None).accept(received(SOPInstanceUID="2.25.3", **twin))
    assert rows.one(instances, sop_instance_uid="2.25.3").state == "waiting"


def test_what_is_refused_has_its_reason_before_it_is_there(
    rows: Rows, sink: StoreSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill in between leaves no film that nobody lists and nothing deletes."""
    place, request = Quarantine(rows.folder), received(StudyInstanceUID="")
    with monkeypatch.context() as patch:
        patch.setattr(Quarantine, "_explain", killed)
        with pytest.raises(Killed):
            sink.accept(request)
    assert list(rows.folder.quarantine.iterdir()) == []
    with monkeypatch.context() as patch:
        patch.setattr(quarantine_module, "write_whole", explained_and_killed)
        with pytest.raises(Killed):
            sink.accept(request)
    (entry,) = place.entries()
    assert not place.path(entry.name).exists()
    assert release(SETTINGS, rows.folder, rows.engine, entry.name) == f"{entry.name} has no object; removed"
    assert place.entries() == []
    assert sink.accept(request).status == CANNOT_UNDERSTAND
    assert place.path(place.entries()[0].name).exists()


def test_what_the_quarantine_has_no_room_for_leaves_nothing(rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, *pieces: bytes, private: bool) -> None:
        if path.suffix == ".dcm":
            raise OSError(28, "No space left on device")
        write_whole(path, *pieces, private=private)

    monkeypatch.setattr(quarantine_module, "write_whole", full)
    with pytest.raises(OSError, match="No space"):
        Quarantine(rows.folder).put(Quarantined("bad", "damaged", time.time(), "PACS", None), b"junk")
    assert list(rows.folder.quarantine.iterdir()) == []


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"name": 1}'])
def test_a_damaged_reason_hides_and_keeps_nothing(rows: Rows, damage: bytes) -> None:
    place = Quarantine(rows.folder)
    for name in ("one", "two"):
        place.put(Quarantined(name, "damaged", time.time(), "PACS", None), b"junk")
    (rows.folder.quarantine / "one.json").write_bytes(damage)
    assert {entry.name: entry.reason for entry in place.entries()} == {
        "one": "the reason beside it cannot be read",
        "two": "damaged",
    }
    Retention(RetentionSettings(), rows.folder, rows.engine, ()).clean(time.time() + 31 * DAY)
    assert list(rows.folder.quarantine.iterdir()) == []


def finished(rows: Rows) -> Path:
    """A study that is delivered, into the folder of the default destination; the file there."""
    rows.answer(rows.image("2.25.1"))
    rows.complete("2.25.1")
    rows.change(deliveries, state="delivered")
    path = rows.folder.results / "2.25.1" / "sr.dcm"
    path.parent.mkdir()
    path.write_bytes(b"result")
    return path


def test_refused_objects_are_bounded_whatever_the_settings(rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention_module, "MAX_REFUSED_BYTES", 25_000)
    finished(rows)
    place = Quarantine(rows.folder)
    for number in range(5):
        place.put(Quarantined(f"bad{number}", "damaged", float(number + time.time()), "BROKEN", None), bytes(10_000))
    place.put_file(Quarantined("held", "ended the model", 0.0, "PACS", "key1"), rows.folder.objects / "key1.dcm")
    Retention(RetentionSettings(quarantine_days=1e5), rows.folder, rows.engine, ()).clean(time.time())
    assert [entry.name for entry in place.entries()] == ["held", "bad3", "bad4"]


def test_refused_objects_make_room_before_any_study(rows: Rows) -> None:
    """A sender of rubbish displaces no study, and its rubbish is bounded."""
    study, place = finished(rows), Quarantine(rows.folder)
    for number in range(3):
        place.put(Quarantined(f"bad{number}", "damaged", float(number + time.time()), "EVIL", None), bytes(10_000))
    held = Quarantined("held", "it ended the model process", 0.0, "PACS", "key1")
    place.put_file(held, rows.folder.objects / "key1.dcm")
    Retention(RetentionSettings(max_gb=15e-6, quarantine_days=1e5), rows.folder, rows.engine, ()).clean(time.time())
    assert [entry.name for entry in place.entries()] == ["held", "bad2"]
    assert study.exists()
    assert rows.one(studies).state == "complete"


def test_a_deletion_that_was_cut_off_is_finished_later(rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    study = finished(rows)
    later = time.time() + 8 * DAY
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", killed)
        with pytest.raises(Killed):
            Retention(RetentionSettings(), rows.folder, rows.engine, ()).clean(later)
    assert rows.one(studies).state == "expired"
    assert study.exists()
    Retention(RetentionSettings(), rows.folder, rows.engine, ()).clean(later)
    left = [rows.folder.objects, rows.folder.encoded, rows.folder.results]
    assert [path for folder in left for path in folder.rglob("*")] == []


def test_a_file_that_goes_while_it_is_looked_at_ends_no_round(rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    """The listener renames its `.part` files at any moment."""
    finished(rows)
    (rows.folder.objects / "film.dcm.part").symlink_to("gone")
    Retention(RetentionSettings(max_gb=1e-9), rows.folder, rows.engine, ()).clean(time.time())
    assert rows.one(studies).state == "expired"
