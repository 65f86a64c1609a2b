"""A reader's whole session in a real window, on an X server of the test's own, by mouse and keys."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cxr_core.phantom import PhantomSettings, phantom_dataset, synthetic_uid

pytestmark = pytest.mark.window


@pytest.fixture(scope="module")
def display() -> Iterator[str]:
    """An Xvfb at a free display, stopped by its own process id."""
    read_end, write_end = os.pipe()
    command = ["Xvfb", "-displayfd", str(write_end), "-screen", "0", "1600x1000x24", "-nolisten", "tcp"]
    server = subprocess.Popen(command, pass_fds=(write_end,), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        os.close(write_end)
        with os.fdopen(read_end) as told:
            number = told.readline().strip()  # "" when it ended
        assert number, "Xvfb did not start"
        yield f":{number}"
    finally:
        server.terminate()
        server.wait()


@pytest.fixture
def films(tmp_path: Path) -> Path:
    """Two films of one drawn patient, a year apart."""
    folder = tmp_path / "films"
    folder.mkdir()
    for number, name, date in ((1, "then.dcm", "20250110"), (2, "now.dcm", "20260112")):
        dataset = phantom_dataset(
            PhantomSettings(640, 720, opacity=0.9 * (number - 1), seed=number), number, age="003Y"
        )
        dataset.PatientID, dataset.PatientName = "SYNTHETIC-W", "SYNTHETIC^WINDOW"
        dataset.StudyDate, dataset.StudyInstanceUID = date, synthetic_uid("window study", number)
        dataset.save_as(folder / name, enforce_file_format=True)
    return folder


def session(part: str, folder: Path, display: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.desktop.window.reading_session", part, str(folder)],
        env=os.environ | {"QT_QPA_PLATFORM": "xcb", "DISPLAY": display},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr


def test_a_day_of_reading_and_the_day_after(films: Path, display: str) -> None:
    session("read", films, display)
    session("reopen", films, display)
