"""Paths to records: what is behind them, in batches, with a reason for what cannot be read."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from pydicom.dataset import Dataset

from cxr_core.results.marks import MANUFACTURER, MODEL_NAME
from cxr_desktop.state import index as index_module
from cxr_desktop.state.index import Index, StoredAnswer
from cxr_desktop.state.records import InstanceRecord
from cxr_desktop.workers.listing import list_paths
from cxr_desktop.workers.loading import load
from cxr_desktop.workers.scan_messages import Listed, ListPaths
from tests.dicom_builder import build, gradient, header, to_bytes


def listed(*paths: Path | str, index: Path | None = None) -> list[Listed]:
    return list(list_paths(ListPaths(tuple(map(str, paths)), index and str(index))))


def records(*paths: Path | str) -> list[InstanceRecord]:
    return [record for batch in listed(*paths) for record in batch.records]


def record(path: Path, content: bytes) -> InstanceRecord:
    path.write_bytes(content)
    (found,) = records(path)
    return found


def code(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def test_all_that_the_header_says(tmp_path: Path) -> None:
    content = build(
        SpecificCharacterSet=["", "ISO 2022 IR 87"],
        PatientName="Yamada^Tarou=山田^太郎=やまだ^たろう",
        PatientID="SYN-1",
        IssuerOfPatientID="HOSPITAL",
        PatientSex="M",
        PatientBirthDate="20220101",
        StudyDate="20240315",
        StudyTime="101500",
        StudyDescription="CHEST\nPA",
        AccessionNumber="A-1",
        InstitutionName="HOSPITAL",
        SeriesDescription="UPRIGHT",
        ImageLaterality="U",
        InstanceNumber="1",
    )
    assert record(tmp_path / "a.dcm", content) == InstanceRecord(
        str(tmp_path / "a.dcm"),
        "image",
        sop_class_uid="1.2.840.10008.5.1.4.1.1.1",
        sop_instance_uid="2.25.1001",
        series_instance_uid="2.25.1003",
        study_instance_uid="2.25.1002",
        patient_id="SYN-1",
        issuer="HOSPITAL",
        patient_name="Yamada^Tarou=山田^太郎=やまだ^たろう",
        patient_sex="M",
        patient_birth_date="20220101",
        patient_age="003Y",
        study_date="20240315",
        study_time="101500",
        study_description="CHEST PA",
        accession_number="A-1",
        institution="HOSPITAL",
        modality="CR",
        series_description="UPRIGHT",
        body_part="CHEST",
        view_position="PA",
        laterality="U",
        instance_number="1",
        rows=96,
        columns=80,
    )


def test_view_and_issuer_out_of_their_sequences(tmp_path: Path) -> None:
    issuer = Dataset()
    issuer.UniversalEntityID, issuer.UniversalEntityIDType = "1.2.3", "ISO"
    found = record(
        tmp_path / "a.dcm",
        build(
            ViewPosition=None,
            ViewCodeSequence=[code("272479007", "SCT", "postero-anterior")],
            IssuerOfPatientIDQualifiersSequence=[issuer],
        ),
    )
    assert (found.view_position, found.issuer) == ("postero-anterior", "1.2.3")


def test_kinds(tmp_path: Path) -> None:
    ours = {"Manufacturer": MANUFACTURER, "ManufacturerModelName": MODEL_NAME}
    cases = {
        "film": (build(), "image", ""),
        "our capture": (build(**ours), "result", "a result object of this program"),
        "our report": (to_bytes(header(Modality="SR", **ours)), "result", "a result object of this program"),
        "report": (to_bytes(header(Modality="SR")), "other", "an object without a picture (SR)"),
        "name as modality": (
            to_bytes(header(Modality="DOE^JOHN")),
            "other",
            "an object without a picture (of no known modality)",
        ),
        "run": (build(NumberOfFrames=3), "other", "3 frames; single images are shown"),
        "no pixels": (
            build(PixelData=None),
            "failed",
            "no PixelData; expected a complete image; send the image again from its source",
        ),
        "cut": (
            build()[:-1000],
            "failed",
            "14360 bytes of pixel data; expected 15360 for 96 x 80; send it again",
        ),
        "text": (b"no image" * 100, "failed", "a file of another kind; expected a DICOM, JPEG or PNG image; check"),
    }
    for name, (content, kind, reason) in cases.items():
        found = record(tmp_path / f"{name}.dcm", content)
        assert found.kind == kind, name
        assert found.reason.startswith(reason), name
        assert bool(found.reason) == bool(reason), name


def test_failed_image_keeps_its_patient(tmp_path: Path) -> None:
    found = record(tmp_path / "a.dcm", build()[:-1000])
    assert (found.patient_id, found.study_instance_uid, found.kind) == ("SYNTHETIC-T", "2.25.1002", "failed")


def test_damaged_value_is_left_out(tmp_path: Path) -> None:
    content = to_bytes(header(PatientID="SYN-12"))
    damaged = content.replace(b"LO\x06\x00SYN-12", b"UL\x06\x00SYN-12")  # numbers of 4 bytes
    assert damaged != content
    found = record(tmp_path / "a.dcm", damaged)
    assert (found.patient_id, found.patient_name) == ("", "SYNTHETIC^TEST")


def test_damaged_sequence_does_not_hide_an_image(tmp_path: Path) -> None:
    content = build(ContributingEquipmentSequence=[code("1", "99X", "x")])
    damaged = content.replace(b"\x18\x00\x01\xa0SQ", b"\x18\x00\x01\xa0UT")
    assert damaged != content
    assert record(tmp_path / "a.dcm", damaged).kind == "image"


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_pictures_have_a_size(tmp_path: Path, suffix: str) -> None:
    content = cv2.imencode(suffix, np.full((60, 40), 90, np.uint8))[1].tobytes()
    path = tmp_path / f"a{suffix}"
    assert record(path, content) == InstanceRecord(str(path), "image", rows=60, columns=40)


def test_zip_members_have_names_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "films.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/1.dcm", build(PatientID="ONE"))
        archive.writestr("a/2.dcm", build(PatientID="TWO"))
        archive.writestr("../3.dcm", build())
        archive.writestr("bomb.dcm", bytes(50_000_000))
    found = {r.name.partition("!")[2]: (r.kind, r.patient_id, r.reason.partition(";")[0]) for r in records(path)}
    assert found == {
        "a/1.dcm": ("image", "ONE", ""),
        "a/2.dcm": ("image", "TWO", ""),
        "../3.dcm": ("failed", "", "a member path that climbs out of the archive"),
        "bomb.dcm": ("failed", "", found["bomb.dcm"][2]),
    }
    assert found["bomb.dcm"][2].startswith("a member that unpacks from")


def test_damaged_member_is_listed(tmp_path: Path) -> None:
    path = tmp_path / "films.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.dcm", build())
        archive.writestr("b.dcm", build(PatientID="WHOLE"))
    content = bytearray(path.read_bytes())
    content[60:160] = b"\xff" * 100
    path.write_bytes(content)
    assert [(r.kind, r.patient_id) for r in records(path)] == [("failed", ""), ("image", "WHOLE")]


#: In a process of its own: pydicom leaves a temporary folder to the end of the process.
_MEDIUM = """
import sys
from pydicom.fileset import FileSet
files = FileSet()
for path in sys.argv[2:]:
    files.add(path)
files.write(sys.argv[1])
"""


def test_dicomdir(tmp_path: Path) -> None:
    paths = [tmp_path / "1.dcm", tmp_path / "2.dcm"]
    for number, path in enumerate(paths, start=1):
        path.write_bytes(
            build(SOPInstanceUID=f"2.25.{number}", InstanceNumber=number, SeriesNumber=1, StudyID="1", StudyTime="1015")
        )
    subprocess.run([sys.executable, "-c", _MEDIUM, str(tmp_path / "medium"), *map(str, paths)], check=True)
    found = records(tmp_path / "medium" / "DICOMDIR")
    assert [(r.kind, r.instance_number) for r in found] == [("image", "1"), ("image", "2")]
    assert all(Path(r.name).is_file() for r in found)


def test_folder_with_everything_lists_everything(tmp_path: Path) -> None:
    folder = tmp_path / "day"
    (folder / "inner").mkdir(parents=True)
    (folder / "inner" / "a.dcm").write_bytes(build())
    (folder / "b.dcm").write_bytes(b"")
    (folder / "notes.txt").write_text("no image")
    os.mkfifo(folder / "pipe")
    with zipfile.ZipFile(folder / "c.zip", "w") as archive:
        archive.writestr("c.dcm", build())
    assert [(r.name.removeprefix(f"{folder}/"), r.kind) for r in records(folder)] == [
        ("b.dcm", "failed"),
        ("c.zip!c.dcm", "image"),
        ("inner/a.dcm", "image"),
    ]


def test_typed_pipe_and_missing_path_are_one_line_each(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    found = records(tmp_path / "pipe", tmp_path / "gone")
    assert [r.reason.partition(";")[0] for r in found] == [
        "a pipe or device",
        "a path that cannot be read (No such file or directory)",
    ]


def test_name_that_is_no_text_is_listed_kept_and_read(tmp_path: Path) -> None:
    folder = tmp_path / "day"
    folder.mkdir()
    name = os.fsdecode(os.fsencode(folder) + b"/f\xfflm.dcm")
    Path(name).write_bytes(build())
    (batch,) = [batch for batch in listed(folder, index=tmp_path / "index.sqlite") if batch.records]
    assert [(record.name, record.kind) for record in batch.records] == [(name, "image")]
    assert batch.trouble == ""
    assert load(batch.records[0]).stored.shape == (96, 80)


def test_names_are_absolute_so_that_the_index_finds_them_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.dcm").write_bytes(build())
    monkeypatch.chdir(tmp_path)
    assert [r.name for r in records("a.dcm")] == [str(tmp_path / "a.dcm")]


def test_500_studies_are_counted_in_order_and_kept(tmp_path: Path) -> None:
    folder = tmp_path / "studies"
    folder.mkdir()
    stored = gradient(8, 8)
    for number in range(500):
        (folder / f"{number:03}.dcm").write_bytes(
            build(stored, PatientID=f"SYN-{number}", SOPInstanceUID=f"2.25.{number}")
        )
    batches = listed(folder, index=tmp_path / "index.sqlite")
    found = [record for batch in batches for record in batch.records]
    assert [record.patient_id for record in found] == [f"SYN-{number}" for number in range(500)]
    assert [batch.done for batch in batches][-1] == 500
    assert batches[-1].total == 500
    assert all(batch.total in (0, 500) for batch in batches)
    assert all(len(batch.records) == len(batch.searched) for batch in batches)
    assert not any(batch.answered for batch in batches)
    index = Index(tmp_path / "index.sqlite", lambda words: None)
    index.put_answer(StoredAnswer("2.25.77", "cnn", "1", "ab", {}, None, "2026-01-01"))
    again = listed(folder, index=tmp_path / "index.sqlite")
    assert [key for batch in again for key in batch.answered] == ["2.25.77"]
    assert index.search("syn-77") == [found[77]]
    index.close()


def test_full_index_is_told_once_and_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = index_module._connected

    def small(path: Path, looked_through: bool) -> sqlite3.Connection:
        connection = made(path, looked_through)
        connection.execute("PRAGMA max_page_count = 1")  # SQLite's answer is that of a full disk
        return connection

    monkeypatch.setattr(index_module, "_connected", small)
    folder = tmp_path / "studies"
    folder.mkdir()
    for number in range(200):  # more than the pages that are there can hold
        (folder / f"{number}.dcm").write_bytes(build(gradient(8, 8), StudyDescription="x" * 60))
    batches = listed(folder, index=tmp_path / "index.sqlite")
    assert batches[-1].done == 200
    told = [batch.trouble for batch in batches if batch.trouble]
    assert told == ["a disk without room for the index; expected some free space; make room and do it again"]
