"""A window with its station, as the command opens it, and synthetic studies of one patient."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydicom.uid import generate_uid
from pytestqt.qtbot import QtBot

from cxr_core.phantom import PhantomSettings, phantom_dataset
from cxr_desktop import start
from cxr_desktop.state.places import Places
from cxr_desktop.window.station import Station

#: Milliseconds; a child process starts on a busy machine.
PATIENCE = 60_000


def write_study(path: Path, number: int, *, patient: str = "SYNTHETIC-P", date: str = "20260110", **attributes: object) -> Path:  # fmt: skip  # noqa: E501  # a call as it is read
    """A drawn chest of a patient at a date."""
    dataset = phantom_dataset(PhantomSettings(320, 360, seed=number), number, age="003Y")
    dataset.PatientID, dataset.StudyDate, dataset.PatientName = patient, date, f"SYNTHETIC^{patient}"
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)
    return path


def unique_uid() -> str:
    """A UID that nothing else has."""
    return str(generate_uid())


Opener = Callable[..., Station]


@pytest.fixture
def open_station(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> Iterator[Opener]:
    """Open the window with paths and wait until it is filled; closed at the end, as a reader does."""
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)  # the window sets its own
    opened = []

    def opener(*paths: Path | str) -> Station:
        window = start.open_window(Places.of_user(), [str(path) for path in paths])
        qtbot.addWidget(window)
        opened.append(window)
        window.resize(1300, 850)
        window.show()
        qtbot.waitUntil(lambda: window.findChild(Station) is not None, timeout=PATIENCE)
        station = window.findChild(Station)
        assert station is not None
        return station

    yield opener
    for window in opened:
        window.close()


@pytest.fixture
def shows(qtbot: QtBot) -> Callable[[Station, Path | str], None]:
    """Wait until a file is the current film."""

    def wait(station: Station, path: Path | str) -> None:
        def seen() -> bool:
            loaded = station.viewing.area.current.loaded
            return loaded is not None and loaded.record.name == str(path)

        qtbot.waitUntil(seen, timeout=PATIENCE)

    return wait
