"""A folder of 20,000 files: all are listed, and the window goes on with what else the reader does meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from PySide6.QtCore import QTimer
from pytestqt.qtbot import QtBot

from cxr_desktop.window.station import Station
from cxr_desktop.workers.scan_messages import Listed
from tests.desktop.window.conftest import Opener, write_study
from tests.dicom_builder import build, gradient

Shows = Callable[[Station, Path | str], None]
PATIENCE = 600_000


def fill(folder: Path) -> None:
    """10,000 patients, a study of 5,000 films, and 5,000 files that are none."""
    film = build(gradient(8, 8), SOPInstanceUID="2.25.77777777", StudyInstanceUID="2.25.88888888", PatientID="P0000000")
    folder.mkdir()
    for number in range(15_000):
        mark = f"{number:08}".encode()
        content = film.replace(b"77777777", mark)
        if number < 10_000:
            content = content.replace(b"88888888", mark).replace(b"P0000000", b"P" + mark[1:])
        (folder / f"{number:05}").write_bytes(content)
    for number in range(15_000, 20_000):
        (folder / f"{number:05}").write_bytes(b"no film")


@pytest.mark.slow
def test_twenty_thousand_files_are_listed_while_films_are_read(
    open_station: Opener, shows: Shows, qtbot: QtBot, tmp_path: Path
) -> None:
    fill(tmp_path / "in")
    one = write_study(tmp_path / "1.dcm", 1, patient="ONE", date="20990102")
    two = write_study(tmp_path / "2.dcm", 2, patient="TWO", date="20990101")
    station = open_station(one, two)
    shows(station, one)
    browser = station.opening.browser
    qtbot.waitUntil(lambda: len(browser.model.browser) == 2, timeout=PATIENCE)
    turns, batches, films = [0], [], []
    timer = QTimer()
    timer.timeout.connect(lambda: turns.__setitem__(0, turns[0] + 1))
    timer.start(0)

    def note(listed: Listed) -> None:
        batches.append((listed.done, turns[0]))
        if len(batches) % 5 == 1:
            station.opening.chosen.emit(browser.model.browser.record(str((one, two)[len(batches) % 2])))

    station.opening._scanner.listed.connect(note)
    station.viewing.shown.connect(lambda pane: films.append(pane.loaded.record.name))
    station.opening.open([str(tmp_path / "in")])
    qtbot.waitUntil(lambda: not station.opening._scanner.busy, timeout=PATIENCE)
    assert len(browser.model.browser) == 20_002
    assert browser.model.browser.failed == 5_000
    assert batches[-1][0] == 20_000
    assert len(films) > len(batches) // 10, "films that were chosen meanwhile were shown meanwhile"
    crowded = sum(later == earlier for (_, earlier), (_, later) in pairwise(batches))
    assert crowded <= len(batches) // 2, "what is listed leaves the window its turns"
    browser.search.setText("P0000042")
    browser._find()
    assert browser.model.rowCount() == 1
    station.opening.chosen.emit(browser.model.browser.record(str(two)))
    shows(station, two)
    station.window.actions_["next_image"].trigger()
