"""The window while things around it go wrong: processes killed, folders closed, disks full, its own files damaged."""

from __future__ import annotations

import errno
import json
import os
import signal
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QSettings
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from cxr_core.samples import sample_folder
from cxr_desktop.state.geometry import PixelPoint
from cxr_desktop.state.measurement import Length
from cxr_desktop.state.places import Places
from cxr_desktop.window.station import Station
from tests.desktop.window.conftest import PATIENCE, Opener, write_study

Shows = Callable[[Station, Path | str], None]


def told(station: Station) -> str:
    return "\n".join(station.window.messages.texts())


def length() -> Length:
    return Length(points=(PixelPoint(10, 10), PixelPoint(40, 50)))


# --- processes ---


def send(pid: int | None, number: signal.Signals) -> None:
    """Send a signal to a process that there is: 0 would be our own group."""
    assert pid
    os.kill(pid, number)


def test_a_stopped_model_is_cancelled_and_answers_again(
    open_station: Opener, shows: Shows, qtbot: QtBot, tmp_path: Path
) -> None:
    path = write_study(tmp_path / "a.dcm", 1)
    station = open_station(path)
    shows(station, path)
    actions, inference = station.window.actions_, station.answering.inference
    qtbot.waitUntil(lambda: inference.pid is not None, timeout=PATIENCE)
    send(inference.pid, signal.SIGSTOP)
    actions["ask"].trigger()
    assert station.answering.desk.running
    actions["cancel"].trigger()
    assert not station.answering.desk.running
    actions["ask"].trigger()
    qtbot.waitUntil(lambda: bool(station.viewing.area.current.answers), timeout=PATIENCE)


def test_a_batch_goes_on_after_its_process_was_killed(open_station: Opener, qtbot: QtBot, tmp_path: Path) -> None:
    for number in range(5):
        write_study(tmp_path / "in" / f"{number}.dcm", number, patient=f"P{number}")
    station = open_station()
    run = station.batching.run
    killed: list[int | None] = []

    def stop(name: str) -> None:
        if name.endswith("1.dcm"):  # so that it dies with the next one in its hands
            killed.append(station.answering.inference.pid)
            send(killed[0], signal.SIGSTOP)

    def kill(number: int) -> None:
        if number == 2 and run.items.items[2].state == "running":
            send(killed[0], signal.SIGKILL)

    run.answered.connect(stop)
    run.changed.connect(kill)
    station.batching.start(str(tmp_path / "in"))
    qtbot.waitUntil(lambda: bool(run.items.items) and not run.running, timeout=PATIENCE)
    states = [item.state for item in run.items.items]
    if states[2] == "failed":  # else it died before it was given the film, and the next process was
        assert "SIGKILL" in run.items.items[2].words
    assert "failed" not in states[:2] + states[3:]
    assert "waiting" not in states


@pytest.mark.slow
def test_a_killed_listing_is_told_and_the_next_one_works(
    open_station: Opener, shows: Shows, qtbot: QtBot, tmp_path: Path
) -> None:
    film = write_study(tmp_path / "in" / "0.dcm", 1)
    for number in range(1, 3000):
        os.link(film, tmp_path / "in" / f"{number}.dcm")
    other = write_study(tmp_path / "other.dcm", 2, patient="OTHER")
    station = open_station(tmp_path / "in")
    qtbot.waitUntil(lambda: len(station.opening.browser.model.browser) > 0, timeout=PATIENCE)
    send(station.opening._scanner._child.pid, signal.SIGKILL)
    qtbot.waitUntil(lambda: "SIGKILL" in told(station), timeout=PATIENCE)
    assert len(station.opening.browser.model.browser) > 0
    station.opening.open([str(other)])
    shows(station, other)


def test_thumbnails_come_again_after_their_process_was_killed(
    open_station: Opener, shows: Shows, qtbot: QtBot, tmp_path: Path
) -> None:
    first = write_study(tmp_path / "0.dcm", 1)
    station = open_station(first)
    shows(station, first)
    model, thumbnails = station.opening.browser.model, station.opening._thumbnails
    qtbot.waitUntil(lambda: thumbnails._child.pid is not None, timeout=PATIENCE)
    send(thumbnails._child.pid, signal.SIGKILL)
    second = write_study(tmp_path / "1.dcm", 2, patient="OTHER")
    station.opening.open([str(second)])
    qtbot.waitUntil(lambda: model._icons.get(str(second)) is not None, timeout=PATIENCE)


@pytest.mark.parametrize("child", ["inference", "scan", "thumbnails"])
def test_the_window_closes_although_a_process_does_not_answer(
    open_station: Opener, shows: Shows, qtbot: QtBot, tmp_path: Path, child: str
) -> None:
    path = write_study(tmp_path / "a.dcm", 1)
    station = open_station(path)
    shows(station, path)
    children = {
        "inference": station.answering.inference,
        "scan": station.opening._scanner._child,
        "thumbnails": station.opening._thumbnails._child,
    }
    qtbot.waitUntil(lambda: children[child].pid is not None, timeout=PATIENCE)
    send(children[child].pid, signal.SIGSTOP)
    station.opening.open([str(sample_folder())])
    station.window.actions_["ask_both"].trigger()
    station.window.close()
    assert all(one.pid is None for one in children.values())


@pytest.mark.parametrize("busy", ["listing", "loading", "asking", "batch"])
def test_the_window_closes_in_the_middle_of_everything(
    open_station: Opener, shows: Shows, qtbot: QtBot, tmp_path: Path, busy: str
) -> None:
    for number in range(4):
        write_study(tmp_path / "in" / f"{number}.dcm", number, patient=f"P{number}")
    path = tmp_path / "in" / "0.dcm"
    station = open_station(path)
    shows(station, path)
    if busy == "listing":
        station.opening.open([str(tmp_path / "in")])
    elif busy == "loading":
        film = station.viewing.area.current.loaded
        assert film is not None
        station.opening.chosen.emit(film.record)
        assert station.viewing.loading
    elif busy == "asking":
        station.window.actions_["ask_both"].trigger()
    else:
        station.batching.start(str(tmp_path / "in"))
        qtbot.waitUntil(lambda: bool(station.batching.run.items.items), timeout=PATIENCE)
    station.window.close()
    for _ in range(20):
        QApplication.processEvents()
    assert station.answering.inference.pid is None
    assert station.viewing.area.current.loaded is None


# --- places that cannot be written, and what is damaged in them ---


@pytest.mark.parametrize("place", ["xdg_data_home", "xdg_config_home", "xdg_state_home"])
def test_a_folder_that_cannot_be_made_is_told_and_films_are_read(
    open_station: Opener, shows: Shows, qtbot: QtBot, tmp_path: Path, place: str
) -> None:
    """A file stands where the folder should be: root, too, is kept out by that."""
    (tmp_path / place).write_bytes(b"")
    path = write_study(tmp_path / "in" / "a.dcm", 1)
    station = open_station(path)
    shows(station, path)
    station.window.actions_["corner_text"].trigger()
    words = {"xdg_data_home": "The list of studies cannot be kept", "xdg_config_home": "Settings",
             "xdg_state_home": "No log is written"}[place]  # fmt: skip
    assert words in told(station)
    model = station.viewing.area.current.model
    assert model is not None
    model.add(length())
    station.window.actions_["ask"].trigger()
    qtbot.waitUntil(lambda: bool(station.viewing.area.current.answers), timeout=PATIENCE)
    station.opening.open([str(path)])
    qtbot.waitUntil(lambda: station.viewing.area.current.model is not model, timeout=PATIENCE)
    again = station.viewing.area.current.model
    assert again is not None
    assert len(again.measurements) == 1, "kept as long as the window is open"


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[1, 2]",
        "\0\xff",
        '{"corner_text": 9, "presets": [{"name": 1}], "model": 7, "heat_map": {"opacity": "x"}}',
        '{"prevalence": 1' + "0" * 400 + "}",
        '{"prevalence": NaN, "heat_map": {"opacity": NaN, "threshold": -5.0, "colour_map": "none"}}',
        '{"presets": [{"name": "x", "center": NaN, "width": Infinity}]}',
        '{"shortcuts": {"ask": "no key at all", "fit": "F, F, F, F, F", "x": "y"}}',
        '{"second_model": "no/such/model", "model": "\\u0000"}',
        "[" * 5000,
    ],
    ids=range(11),
)
def test_damaged_settings_cost_no_more_than_themselves(
    open_station: Opener, shows: Shows, qtbot: QtBot, tmp_path: Path, text: str
) -> None:
    file = Places.of_user().settings_file
    file.parent.mkdir(parents=True)
    file.write_bytes(text.encode("latin-1"))
    path = write_study(tmp_path / "a.dcm", 1)
    station = open_station(path)
    shows(station, path)
    actions = station.window.actions_
    actions["preset_1"].trigger()
    actions["ask"].trigger()
    qtbot.waitUntil(lambda: not station.answering.desk.running, timeout=PATIENCE)
    actions["show_map"].trigger()
    actions["show_map"].trigger()
    actions["contour"].trigger()
    station.viewing.area.current.view.grab()
    assert "went wrong" not in told(station)
    json.loads(file.read_text())


@pytest.mark.parametrize(
    "values",
    [
        {"geometry": "words", "docks": "words"},
        {"geometry": 7, "docks": [1, 2]},
        {"geometry": b"\0\1\2", "docks": b"\xff" * 5000},
        None,
    ],
    ids=["words", "numbers", "bytes", "noise"],
)
def test_a_damaged_file_of_places_costs_the_places(
    open_station: Opener, tmp_path: Path, values: dict[str, Any] | None
) -> None:
    file = Places.of_user().window_file
    file.parent.mkdir(parents=True)
    if values is None:
        file.write_bytes(b"[General]\ngeometry=@Variant(\0\0\0\x7f\xff)\ndocks=@ByteArray(" + bytes(range(256)))
    else:
        kept = QSettings(str(file), QSettings.Format.IniFormat)
        for name, value in values.items():
            kept.setValue(name, value)
        kept.sync()
    station = open_station()
    assert station.window.isVisible()
    assert "went wrong" not in told(station)


@pytest.mark.slow
def test_a_disk_that_fills_up_keeps_what_is_open_and_says_so(
    open_station: Opener, shows: Shows, qtbot: QtBot, tmp_path: Path
) -> None:
    path, other = write_study(tmp_path / "a.dcm", 1), write_study(tmp_path / "b.dcm", 2, patient="OTHER")
    station = open_station(path)
    shows(station, path)
    connection = station.index._connection
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")  # SQLite's own way to a full disk
    fill(connection)
    model = station.viewing.area.current.model
    assert model is not None
    for _ in range(60):
        model.add(length())
    assert "Measurements are not kept: a disk without room for the index" in told(station)
    assert len(model.measurements) == 60
    station.window.actions_["agree"].trigger()
    qtbot.waitUntil(lambda: "a disk without room" in told(station), timeout=PATIENCE)
    station.opening.open([str(other)])
    shows(station, other)


def fill(connection: sqlite3.Connection) -> None:
    """Use up the free pages."""
    with suppress(sqlite3.OperationalError):
        while True:
            with connection:
                connection.execute("INSERT INTO opinions(key, document, made) VALUES ('', ?, '')", ["x" * 2000])


@pytest.mark.parametrize("what", ["export_picture", "export_report"])
def test_a_full_disk_on_export_is_told_and_leaves_nothing_behind(
    open_station: Opener, shows: Shows, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    path = write_study(tmp_path / "a.dcm", 1)
    station = open_station(path)
    shows(station, path)
    (tmp_path / "out").mkdir()
    station.outgoing.folder = tmp_path / "out"
    dialog = getattr(station.outgoing, what)()
    assert dialog is not None
    write = os.write

    def full(descriptor: int, data: Any) -> int:
        if (tmp_path / "out") in Path(f"/proc/self/fd/{descriptor}").readlink().parents:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(descriptor, data)

    monkeypatch.setattr(os, "write", full)
    dialog.save()
    qtbot.waitUntil(lambda: "a full disk" in words_of(dialog) + told(station), timeout=PATIENCE)
    assert list((tmp_path / "out").iterdir()) == []
    assert station.viewing.area.current.loaded is not None


def words_of(dialog: Any) -> str:
    from PySide6.QtWidgets import QLabel

    return " ".join(label.text() for label in dialog.findChildren(QLabel))


# --- two windows, and what comes while something else is under way ---


def test_two_windows_on_one_index_lose_nothing_of_each_other(
    open_station: Opener, shows: Shows, qtbot: QtBot, tmp_path: Path
) -> None:
    path = write_study(tmp_path / "a.dcm", 1)
    one, two = open_station(path), open_station(path)
    shows(one, path)
    shows(two, path)
    models = [station.viewing.area.current.model for station in (one, two)]
    for model in models:
        assert model is not None
        model.add(length())
    third = open_station(path)
    shows(third, path)
    again = third.viewing.area.current.model
    assert again is not None
    kept = {measurement.id for measurement in again.measurements}
    assert kept == {model.measurements[0].id for model in models if model is not None}
    for model in models:
        assert model is not None
        model.clear()
    film = one.viewing.area.current.loaded
    assert film is not None
    assert one.index.measurements_of(film.key) == []


@pytest.mark.slow
def test_what_is_opened_while_a_folder_is_listed_is_seen(
    open_station: Opener, shows: Shows, qtbot: QtBot, tmp_path: Path
) -> None:
    film = write_study(tmp_path / "in" / "0.dcm", 1)
    for number in range(1, 1500):
        os.link(film, tmp_path / "in" / f"{number}.dcm")
    other = write_study(tmp_path / "other.dcm", 2, patient="OTHER")
    station = open_station(tmp_path / "in")
    shows(station, film)
    station.opening.open([str(other)])
    station.opening.open([str(tmp_path / "none.dcm")])
    shows(station, other)
    qtbot.waitUntil(lambda: "No image was found" in told(station), timeout=PATIENCE)
    assert len(station.opening.browser.model.browser) == 1502
