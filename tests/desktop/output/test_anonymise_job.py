"""Jobs of anonymised copies: all images accounted for, originals untouched, nothing half-written, cancel."""

from __future__ import annotations

import errno
import hashlib
import os
import threading
from pathlib import Path

import pydicom
import pytest
from pytestqt.qtbot import QtBot

from cxr_desktop.output.anonymise import AnonymiseOptions, PixelText
from cxr_desktop.output.anonymise_job import AnonymiseJob, JobImage, JobReport, anonymise_all
from tests.core.results.builder import SOURCES
from tests.desktop.output.results_builder import result_objects
from tests.dicom_builder import build

PLAIN = AnonymiseOptions()


def digests(folder: Path) -> dict[str, tuple[str, int]]:
    return {
        path.name: (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns) for path in folder.iterdir()
    }


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """Five files, of which two can be copied without a word, and one after a look."""
    folder = tmp_path / "SYNTHETIC TEST study"
    folder.mkdir()
    for number in (1, 2):
        (folder / f"{number}.dcm").write_bytes(build(SOPInstanceUID=f"2.25.100{number}"))
    (folder / "3.dcm").write_bytes(build(SOPInstanceUID="2.25.1009", **SOURCES["SC"]))
    (folder / "4.dcm").write_bytes(result_objects()[1].data)
    (folder / "5.dcm").write_bytes(b"damaged")
    return folder


def images_of(folder: Path, text: PixelText | None = None) -> list[JobImage]:
    return [JobImage(str(path), text=text or PixelText()) for path in [*sorted(folder.iterdir()), folder / "gone.dcm"]]


def test_all_are_accounted_for_and_no_original_is_touched(study: Path, tmp_path: Path) -> None:
    before, target = digests(study), tmp_path / "copies"
    target.mkdir()
    done: list[int] = []
    report = anonymise_all(images_of(study), target, PLAIN, threading.Event(), done.append)
    assert digests(study) == before
    assert report.words == "6 in = 2 written + 4 refused"
    assert [Path(row.name).name for row in report.rows] == [*sorted(before), "gone.dcm"]
    assert [None if row.written is None else row.written.name for row in report.rows] == [
        "image-0001.dcm",
        "image-0002.dcm",
        *[None] * 4,
    ]
    reasons = [row.words for row in report.rows[2:]]
    for words, reason in zip(
        ("Secondary Capture", "result of this program", "another kind", "no longer there"), reasons, strict=True
    ):
        assert words in reason
    assert sorted(path.name for path in target.iterdir()) == ["image-0001.dcm", "image-0002.dcm"]
    assert done == [1, 2, 3, 4, 5, 6]
    one, two = (pydicom.dcmread(row.written) for row in report.rows[:2])  # type: ignore[arg-type]  # both were written
    assert one.StudyInstanceUID == two.StudyInstanceUID
    assert one.PatientID == two.PatientID != "SYNTHETIC-T"


def test_into_the_folder_of_the_originals_nothing_is_replaced(study: Path) -> None:
    (study / "image-0001.dcm").write_bytes(b"something of the reader's")
    before = digests(study)
    images = [JobImage(str(study / "1.dcm")), JobImage(str(study / "2.dcm"))]
    report = anonymise_all(images, study, PLAIN, threading.Event())
    assert [row.written.name for row in report.rows if row.written] == ["image-0001-2.dcm", "image-0002.dcm"]
    after = digests(study)
    assert {name: after[name] for name in before} == before


def test_who_has_looked_gets_the_secondary_capture(study: Path, tmp_path: Path) -> None:
    report = anonymise_all(images_of(study, PixelText(looked=True)), tmp_path, PLAIN, threading.Event())
    assert report.words == "6 in = 3 written + 3 refused"


def test_a_full_disk_costs_one_image_and_leaves_nothing_half(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = os.write, [0]

    def write(descriptor: int, data: bytes) -> int:
        calls[0] += 1
        if calls[0] == 1:
            return real(descriptor, data[:100])
        if calls[0] == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(descriptor, data)

    target = tmp_path / "copies"
    target.mkdir()
    monkeypatch.setattr(os, "write", write)
    report = anonymise_all(images_of(study)[:2], target, PLAIN, threading.Event())
    assert report.words == "2 in = 1 written + 1 refused"
    assert "full disk" in report.rows[0].words
    assert [path.name for path in target.iterdir()] == ["image-0002.dcm"]


def test_a_copy_that_vanished_does_not_count(study: Path, tmp_path: Path) -> None:
    target = tmp_path / "copies"
    target.mkdir()

    def remove(done: int) -> None:
        if done == 2:
            (target / "image-0001.dcm").unlink()

    report = anonymise_all(images_of(study)[:2], target, PLAIN, threading.Event(), remove)
    assert report.words == "2 in = 1 written + 1 refused"
    assert "not there any more" in report.rows[0].words


def test_cancel_accounts_for_what_was_not_copied(study: Path, tmp_path: Path) -> None:
    cancel = threading.Event()
    report = anonymise_all(images_of(study), tmp_path, PLAIN, cancel, lambda done: cancel.set())
    assert report.words == "6 in = 1 written + 5 refused"
    assert {row.words for row in report.rows[1:]} == {"cancelled before it was copied"}


def test_a_job_runs_in_a_thread_and_tells(qtbot: QtBot, study: Path, tmp_path: Path) -> None:
    held = [JobImage("removed meanwhile.dcm", (study / "1.dcm").read_bytes())]
    job = AnonymiseJob(held, tmp_path, PLAIN)
    progress: list[tuple[int, int]] = []
    job.progressed.connect(lambda done, total: progress.append((done, total)))
    with qtbot.waitSignal(job.ended, timeout=30_000) as ended:
        job.start()
    assert isinstance(ended.args[0], JobReport)
    assert ended.args[0].words == "1 in = 1 written + 0 refused"
    assert progress == [(1, 1)]
