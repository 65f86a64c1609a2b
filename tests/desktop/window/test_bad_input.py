"""Whatever is opened: one clear line in the list or a message, nothing lost, and the next good film is shown."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom.encaps import encapsulate
from pytestqt.qtbot import QtBot

from cxr_desktop.window.station import Station
from tests.desktop.window.bad_inputs import bad_files, bad_paths
from tests.desktop.window.conftest import PATIENCE, Opener, write_study
from tests.dicom_builder import build

Shows = Callable[[Station, Path | str], None]


def told(station: Station) -> str:
    return "\n".join(station.window.messages.texts())


def one_line(words: str) -> None:
    assert words.strip()
    assert words.isprintable(), words
    assert "SYNTHETIC" not in words, "a patient's name"
    assert "mistake in the program" not in words
    assert "not expected" not in words
    assert len(words) < 500


def settled(station: Station, qtbot: QtBot) -> None:
    """Wait until everything that was opened is listed and read."""
    qtbot.waitUntil(lambda: not (station.opening._scanner.busy or station.viewing.loading), timeout=PATIENCE)


def open_and_wait(station: Station, qtbot: QtBot, path: Path) -> None:
    """Open a path as the reader does, without earlier messages."""
    settled(station, qtbot)
    while station.window.messages.close_newest():
        pass
    station.opening.open([str(path)])
    settled(station, qtbot)


@pytest.mark.slow
def test_every_bad_file_has_its_reason_and_the_next_film_is_shown(
    open_station: Opener, shows: Shows, qtbot: QtBot, tmp_path: Path
) -> None:
    good = write_study(tmp_path / "good" / "first.dcm", 1)
    station = open_station(good)
    shows(station, good)
    first = station.viewing.area.current.loaded
    (tmp_path / "bad").mkdir()
    for name, (content, words) in bad_files().items():
        path = tmp_path / "bad" / name
        path.write_bytes(content)
        open_and_wait(station, qtbot, path)
        record = station.opening.browser.model.browser.record(str(path))
        assert record is not None, name
        if record.kind == "image":
            said = next((line for line in told(station).splitlines() if line.startswith(f"{path}: ")), "")
            assert said, f"{name} is shown, or nothing is said"
            reason = said.removeprefix(f"{path}: ")
        else:
            assert "No image was found" in told(station), name
            reason = record.reason
        one_line(reason)
        assert words in reason, (name, reason)
        assert station.viewing.area.current.loaded is first, f"{name} took the film away"
    for _ in range(2):
        station.window.actions_["next_image"].trigger()
    last = write_study(tmp_path / "good" / "last.dcm", 2, patient="OTHER")
    station.opening.open([str(last)])
    shows(station, last)


@pytest.mark.slow
def test_every_bad_path_has_its_reason_and_the_next_film_is_shown(
    open_station: Opener, shows: Shows, qtbot: QtBot, tmp_path: Path
) -> None:
    station = open_station()
    (tmp_path / "bad").mkdir()
    for path, words in bad_paths(tmp_path / "bad").items():
        station.opening.browser.clear()
        open_and_wait(station, qtbot, path)
        (record,) = station.opening.browser.model.browser.records()
        assert record.kind == "failed", path
        assert "No image was found" in told(station), path
        one_line(record.reason)
        assert words in record.reason, path
    assert station.viewing.area.current.loaded is None
    last = write_study(tmp_path / "good" / "last.dcm", 2)
    station.opening.open([str(last)])
    shows(station, last)


def test_names_of_files_cannot_break_a_line_or_the_window(
    open_station: Opener, shows: Shows, qtbot: QtBot, tmp_path: Path
) -> None:
    station = open_station()
    size = station.window.size()
    deep = tmp_path / ("d" * 200) / ("e" * 200) / ("f" * 200)
    deep.mkdir(parents=True)
    odd = [
        tmp_path / "line\nbreak.dcm",
        tmp_path / "clear\x1b[2J.dcm",
        tmp_path / "turned\u202egpj.dcm",
        tmp_path / os.fsdecode(b"\xe9.dcm"),
        tmp_path / "a!b.zip!c.dcm",
        deep / ("g" * 200 + ".dcm"),
    ]
    for number, path in enumerate(odd):
        path.write_bytes(build(syntax="rle", PixelData=encapsulate([b"\0" * 64])))
        open_and_wait(station, qtbot, path)
        (line,) = station.window.messages.texts()
        assert line.isprintable(), path
        assert station.window.size() == size, path
        station.window.grab()
        good = path.with_name("good-" + path.name[-40:])
        write_study(good, number, patient=f"P{number}")
        station.opening.open([str(good)])
        shows(station, good)
        icons = station.opening.browser.model._icons
        qtbot.waitUntil(lambda good=good, icons=icons: icons.get(str(good)) is not None, timeout=PATIENCE)
        assert station.window.size() == size, good
