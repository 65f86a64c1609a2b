"""The sink: on the disk with its work before the sender is told, a truthful status for whatever goes wrong."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pydicom
import pytest
import sqlalchemy as sa
from pydicom.dataset import Dataset

from cxr_core.files import PART
from cxr_core.results.marks import MANUFACTURER, MODEL_NAME
from dicom_node.received import CANNOT_UNDERSTAND, OUT_OF_RESOURCES, SUCCESS, Answer, ReceivedObject
from dicom_node.settings import NodeSettings, settings_of
from dicom_node.store import folder as folder_module
from dicom_node.store.database import open_engine, prepare_database
from dicom_node.store.folder import DataFolder, LockedError
from dicom_node.store.header import MAX_HEADER_BYTES, MAX_READS
from dicom_node.store.part10 import read
from dicom_node.store.quarantine import Quarantine
from dicom_node.store.sink import StoreSink
from dicom_node.store.tables import instances, results, studies
from tests.dicom_builder import TRANSFER_SYNTAXES
from tests.node.received import received


class Store:
    """A sink with its folder and database, and how often it called for work."""

    def __init__(self, root: Path, **settings: Any) -> None:
        settings.setdefault("retention", {"reserve_mb": 0})
        self.settings: NodeSettings = settings_of(settings, "test")
        self.folder = DataFolder(root)
        self.folder.prepare()
        self.engine = open_engine(self.folder, None)
        prepare_database(self.engine, self.folder)
        self.calls = 0
        self.sink = StoreSink(self.settings, self.folder, self.engine, self._called)

    def _called(self) -> None:
        self.calls += 1

    def accept(self, **attributes: Any) -> Answer:
        return self.sink.accept(received(**attributes))

    def rows(self, table: sa.Table = instances) -> list[sa.Row[Any]]:
        with self.engine.connect() as connection:
            return list(connection.execute(sa.select(table)))

    def files(self) -> list[str]:
        return sorted(path.name for path in self.folder.objects.iterdir())

    def close(self) -> None:
        self.engine.dispose()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / "data")
    yield made
    made.close()


def test_an_object_is_a_file_and_a_row_before_it_is_answered(store: Store) -> None:
    request = received()
    assert store.sink.accept(request) == Answer(SUCCESS)
    (row,) = store.rows()
    assert (row.state, row.study_revision, row.sender) == ("waiting", 1, "PACS")
    path = store.folder.objects / row.file
    assert path.read_bytes().endswith(bytes(request.data_set))
    assert pydicom.dcmread(path).PatientID == "SYNTHETIC-T"
    origin, data_set = read(path)
    assert (origin.sender, data_set) == ("PACS", request.data_set)
    assert path.stat().st_mtime == pytest.approx(row.received_at, abs=1e-3)
    (study,) = store.rows(studies)
    assert (study.study_uid, study.revision, study.completed_revision) == ("2.25.1002", 1, 0)
    assert store.calls == 1


def test_only_the_owner_can_read_what_is_kept(store: Store) -> None:
    store.accept()
    everything = [store.folder.root, *store.folder.root.rglob("*")]
    assert {path.name: path.stat().st_mode & 0o077 for path in everything} == dict.fromkeys(
        (path.name for path in everything), 0
    )


@pytest.mark.parametrize("syntax", ["implicit", "explicit", "deflated", "big-endian", "rle", "jpeg2000-lossless"])
def test_every_kind_of_encoding_is_understood(store: Store, syntax: str) -> None:
    assert store.accept(syntax=syntax).status == SUCCESS
    (row,) = store.rows()
    meta = pydicom.dcmread(store.folder.objects / row.file, stop_before_pixels=True).file_meta
    assert meta.TransferSyntaxUID == TRANSFER_SYNTAXES[syntax]


def test_an_identical_duplicate_is_success_without_new_work(store: Store) -> None:
    assert [store.accept().status for _ in range(3)] == [SUCCESS] * 3
    assert (len(store.rows()), len(store.files()), store.calls) == (1, 1, 1)


def test_identical_objects_at_the_same_moment_are_one(store: Store) -> None:
    request, answers = received(), []
    threads = [threading.Thread(target=lambda: answers.append(store.sink.accept(request))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer.status for answer in answers] == [SUCCESS] * 8
    (row,) = store.rows()
    assert store.files() == [row.file]
    assert store.rows(studies)[0].revision == 1


def test_a_differing_duplicate_is_kept_as_a_new_version(store: Store) -> None:
    store.accept(PatientAge="003Y")
    assert store.accept(PatientAge="004Y").status == SUCCESS
    assert sorted(row.study_revision for row in store.rows()) == [1, 2]
    assert len(store.files()) == 2
    assert store.rows(studies)[0].revision == 2


def test_a_version_whose_file_is_gone_is_taken_again_with_its_first_receipt(store: Store) -> None:
    store.accept()
    (before,) = store.rows()
    (store.folder.objects / before.file).unlink()
    assert store.accept().status == SUCCESS
    (after,) = store.rows()
    assert store.files() == [after.file]
    assert (after.received_at, after.study_revision, after.state) == (before.received_at, 2, "waiting")


@pytest.mark.parametrize(
    ("attributes", "request_changes", "reason"),
    [
        ({"SOPInstanceUID": "2.25.7"}, {"sop_instance_uid": "2.25.8"}, "SOP Instance UID differs"),
        ({}, {"sop_class_uid": "1.2.840.10008.5.1.4.1.1.7"}, "SOP Class UID differs"),
        ({"StudyInstanceUID": None}, {}, "StudyInstanceUID missing"),
        ({"SeriesInstanceUID": ""}, {}, "SeriesInstanceUID missing"),
        ({}, {"data_set": memoryview(b"")}, "SOPClassUID missing"),
        ({}, {"data_set": memoryview(b"\x08\x00\x16\x00UI\xff\xff" + b"x" * 9)}, "SOPClassUID missing"),
    ],
)
def test_what_cannot_be_understood_is_refused_with_a_reason_and_quarantined(
    store: Store, attributes: dict[str, Any], request_changes: dict[str, Any], reason: str
) -> None:
    request = replace(received(**attributes), **request_changes)
    answer = store.sink.accept(request)
    assert answer.status == CANNOT_UNDERSTAND
    assert answer.comment.startswith(reason)
    assert len(answer.comment) <= 64
    assert (store.rows(), store.files()) == ([], [])
    (entry,) = Quarantine(store.folder).entries()
    assert entry.reason == answer.comment
    assert (store.folder.quarantine / f"{entry.name}.dcm").read_bytes().endswith(bytes(request.data_set))
    store.sink.accept(request)
    assert len(Quarantine(store.folder).entries()) == 1


@pytest.mark.parametrize("uid", ["../../../etc/passwd", "1.2.3/4", "..", "SYNTHETIC^NAME"])
def test_a_uid_that_is_none_becomes_no_path_and_no_comment(store: Store, uid: str) -> None:
    request = received()
    spoiled = bytes(request.data_set).replace(b"2.25.1002\0", uid.encode()[:10].ljust(10, b"\0"))
    answer = store.sink.accept(replace(request, data_set=memoryview(spoiled)))
    assert answer == Answer(CANNOT_UNDERSTAND, "StudyInstanceUID missing or no UID")


def test_hostile_headers_end_in_a_refusal(store: Store) -> None:
    nested = b"".join(b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff" for _ in range(5000))
    long = b"\x08\x00\x05\x00CS\x02\x00  " + b"\x09\x00\x10\x00LO\x02\x00x " * (MAX_HEADER_BYTES // 10 + 1)
    for content in (nested, long, os.urandom(5000)):
        assert store.sink.accept(replace(received(), data_set=memoryview(content))).status == CANNOT_UNDERSTAND


def test_a_header_of_too_many_elements_is_refused(store: Store) -> None:
    request = received()
    content = bytes(request.data_set)
    at = content.index(b"\x10\x00\x10\x00PN")
    many = b"".join(b"\x09\x00" + n.to_bytes(2, "little") + b"LO\x02\x00x " for n in range(0x10, MAX_READS + 0x10))
    answer = store.sink.accept(replace(request, data_set=memoryview(content[:at] + many + content[at:])))
    assert answer.status == CANNOT_UNDERSTAND


def test_a_long_private_element_in_front_hides_nothing(store: Store) -> None:
    request = received()
    private = b"\x09\x00\x10\x00OB\0\0" + (8 * 1024**2).to_bytes(4, "little") + bytes(8 * 1024**2)
    content = bytes(request.data_set)
    at = content.index(b"\x10\x00\x10\x00PN")
    answer = store.sink.accept(replace(request, data_set=memoryview(content[:at] + private + content[at:])))
    assert answer == Answer(SUCCESS)


def test_our_own_object_is_stored_and_yields_nothing(store: Store) -> None:
    contributing = Dataset()
    contributing.Manufacturer, contributing.ManufacturerModelName = MANUFACTURER, MODEL_NAME
    store.accept(SOPInstanceUID="2.25.1", Manufacturer=MANUFACTURER, ManufacturerModelName=MODEL_NAME)
    store.accept(SOPInstanceUID="2.25.2", ContributingEquipmentSequence=[contributing])
    with store.engine.begin() as connection:
        connection.execute(
            results.insert().values(
                sop_instance_uid="2.25.3",
                sop_class_uid="1.2.3",
                series_instance_uid="2.25.4",
                instance_number=1,
                kind="sc",
                study_uid="2.25.5",
                revision=1,
                file=None,
                bytes=1,
                digest="",
                made_at=0,
            )
        )
    assert store.accept(SOPInstanceUID="2.25.3").status == SUCCESS
    assert [row.state for row in store.rows()] == ["own"] * 3
    assert len(store.files()) == 3
    assert (store.rows(studies), store.calls) == ([], 0)


def test_a_derived_film_is_not_taken_for_ours(store: Store) -> None:
    store.accept(ImageType=["DERIVED", "PRIMARY"], Manufacturer=MANUFACTURER, ManufacturerModelName="phantom")
    assert [row.state for row in store.rows()] == ["waiting"]


def test_old_studies_are_stored_and_not_analysed(tmp_path: Path) -> None:
    store = Store(tmp_path, analysis={"ignore_older_than_hours": 24})
    now = datetime.now()
    ages = {"new": timedelta(hours=2), "old": timedelta(hours=26), "very old": timedelta(days=400)}
    for number, age in enumerate(ages.values()):
        at = now - age
        store.accept(SOPInstanceUID=f"2.25.{number + 1}", StudyDate=f"{at:%Y%m%d}", StudyTime=f"{at:%H%M%S}.5")
    store.accept(SOPInstanceUID="2.25.8", StudyDate="", StudyTime=None)
    store.accept(SOPInstanceUID="2.25.9", StudyDate=f"{now - timedelta(days=1):%Y%m%d}", StudyTime=None)
    states = {row.sop_instance_uid[-1]: row.state for row in store.rows()}
    assert states == {"1": "waiting", "2": "ignored", "3": "ignored", "8": "waiting", "9": "waiting"}
    assert len(store.files()) == 5
    store.close()


class FullDisk:
    """os.write of a disk that takes so many bytes."""

    def __init__(self, room: int) -> None:
        self.room = room
        self._write = os.write

    def __call__(self, descriptor: int, content: Any) -> int:
        if self.room <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = self._write(descriptor, memoryview(content)[: self.room])
        self.room -= written
        return written


@pytest.mark.parametrize("room", [0, 100, 5000])
def test_a_full_disk_is_said_and_leaves_nothing(store: Store, monkeypatch: pytest.MonkeyPatch, room: int) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(folder_module.os, "write", FullDisk(room))
        assert store.accept() == Answer(OUT_OF_RESOURCES, "out of space")
    assert (store.rows(), store.files(), store.calls) == ([], [], 0)
    assert store.accept().status == SUCCESS


def test_a_full_database_is_said_and_leaves_nothing(store: Store) -> None:
    @sa.event.listens_for(store.engine, "checkout")
    def _limit(connection: Any, *_: object) -> None:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")

    full = 0
    for number in range(1, 400):
        answer = store.accept(SOPInstanceUID=f"2.25.{number}", StudyInstanceUID=f"2.25.9{number}")
        full += answer.status == OUT_OF_RESOURCES
        if full:
            break
    assert full == 1, "the database never was full"
    assert len(store.files()) == len(store.rows()) == len(store.rows(studies)) == number - 1


def test_too_little_space_is_said_before_anything_is_written(tmp_path: Path) -> None:
    store = Store(tmp_path, retention={"reserve_mb": 10**9})
    assert not store.sink.has_space()
    assert store.accept() == Answer(OUT_OF_RESOURCES, "out of space")
    assert store.files() == []
    store.close()


def test_a_locked_database_is_answered_in_time(store: Store) -> None:
    patient = open_engine(store.folder, None)
    hasty = open_engine(store.folder, None, patience_seconds=0.1)
    sink = StoreSink(store.settings, store.folder, hasty, lambda: None)
    with patient.begin() as holding:
        holding.execute(studies.delete())  # takes the write lock
        assert sink.accept(received()) == Answer(OUT_OF_RESOURCES, "cannot be stored now")
    assert (store.files(), store.rows()) == ([], [])
    assert sink.accept(received()) == Answer(SUCCESS)
    patient.dispose()
    hasty.dispose()


def test_whatever_goes_wrong_is_an_answer(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> ReceivedObject:
        raise RuntimeError("SYNTHETIC^TEST")

    monkeypatch.setattr("dicom_node.store.sink.receipts.record", broken)
    assert store.accept() == Answer(OUT_OF_RESOURCES, "cannot be stored now")
    assert store.files() == []


def test_a_data_folder_belongs_to_one_node(store: Store) -> None:
    with store.folder.locked("lock"):
        with pytest.raises(LockedError, match=f"in use by process {os.getpid()}"), store.folder.locked("lock"):
            pass
        with store.folder.locked("other"):
            pass
    with store.folder.locked("lock"):
        pass


def test_what_was_being_written_is_swept(store: Store) -> None:
    store.accept()
    left = [store.folder.objects / f"x.dcm{PART}", store.folder.results / "1.2" / f"y.dcm{PART}"]
    for path in left:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"half")
    assert store.folder.sweep() == 2
    assert not any(path.exists() for path in left)
    assert len(store.files()) == 1
