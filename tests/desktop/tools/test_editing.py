"""What is drawn is taken, moved, deleted, undone, and opened again."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMainWindow
from pytestqt.qtbot import QtBot

from cxr_desktop.state.geometry import PixelPoint
from cxr_desktop.state.index import Index
from cxr_desktop.state.measurement import Calibration, Length, Measurement, MeasurementError, Rectangle
from cxr_desktop.tools.measurements import MeasurementModel
from tests.desktop.tools.conftest import SHIFT, Bench, uniform

NAVIGATION = ["tool_window", "tool_pan", "tool_zoom", "tool_select"]


@pytest.fixture
def line(bench: Bench) -> Measurement:
    """A line across the film, selected."""
    bench.model.add(Length(points=(PixelPoint(100, 100), PixelPoint(200, 100))))
    return bench.only


def moved(measurement: Measurement) -> list[tuple[float, float]]:
    return [(round(point.x, 6), round(point.y, 6)) for point in measurement.points]


@pytest.mark.parametrize("name", [*NAVIGATION, "tool_length"])
def test_a_handle_is_dragged(bench: Bench, line: Measurement, name: str) -> None:
    bench.tools.choose(name)
    bench.drag((200, 100), (250, 160))

    assert moved(bench.only) == [(100, 100), (250, 160)]
    assert bench.only.id == line.id
    bench.model.undo_stack.undo()
    assert bench.only == line


@pytest.mark.parametrize("name", NAVIGATION)
def test_a_line_is_dragged_as_a_whole(bench: Bench, line: Measurement, name: str) -> None:
    bench.model.select(None)
    display = bench.view.display
    bench.tools.choose(name)
    bench.drag((150, 100), (170, 130))

    assert moved(bench.only) == [(120, 130), (220, 130)]
    assert bench.model.selected == bench.only
    assert bench.view.display == display


def test_what_is_dragged_is_shown_and_measured_meanwhile(bench: Bench, line: Measurement) -> None:
    bench.tools.choose("tool_select")
    bench.press(200, 100)
    bench.hover(150, 100)

    (drawing,) = bench.tools.layer.drawings()
    assert drawing.lines == ("10.0 mm at the detector",)
    assert bench.only == line
    bench.key(Qt.Key.Key_Escape)
    bench.release(150, 100)
    assert bench.only == line
    assert bench.model.undo_stack.count() == 1


def test_a_click_beside_selects_nothing_and_changes_nothing(bench: Bench, line: Measurement) -> None:
    bench.tools.choose("tool_select")
    bench.click(300, 250)

    assert bench.model.selected is None
    assert bench.model.undo_stack.count() == 1


def test_the_label_can_be_clicked(bench: Bench, line: Measurement) -> None:
    bench.model.select(None)
    bench.view.grab()
    bench.tools.choose("tool_select")
    bench.click(230, 112)

    assert bench.model.selected == line


@pytest.mark.parametrize("zoom", [0.5, 1.0, 8.0])
def test_a_handle_is_as_large_on_the_screen_whatever_the_zoom(bench: Bench, line: Measurement, zoom: float) -> None:
    bench.view.zoom_about(PixelPoint(200, 100), zoom)
    layer = bench.tools.layer
    place = bench.view.to_view(PixelPoint(200, 100))

    assert layer.handle_at(place + QPointF(7, 0)) == 1
    assert layer.handle_at(place + QPointF(9, 0)) is None
    assert layer.measurement_at(place + QPointF(-8, 5)) == line
    assert layer.measurement_at(place + QPointF(-8, -8)) is None


def test_arrows_move_the_whole_or_one_handle(bench: Bench, line: Measurement) -> None:
    bench.tools.choose("tool_select")
    bench.key(Qt.Key.Key_Right, times=3)
    bench.key(Qt.Key.Key_Down, SHIFT)
    assert moved(bench.only) == [(103, 110), (203, 110)]
    bench.key(Qt.Key.Key_Return, times=2)
    bench.key(Qt.Key.Key_Up)
    assert moved(bench.only) == [(103, 110), (203, 109)]
    bench.key(Qt.Key.Key_Return)
    bench.key(Qt.Key.Key_Left)
    assert moved(bench.only) == [(102, 110), (202, 109)]
    bench.model.undo_stack.undo()  # steps of one measurement are one change
    assert bench.only == line


@pytest.mark.parametrize("name", [*NAVIGATION, "tool_length", "tool_ctr"])
def test_arrows_move_what_is_selected_whatever_the_tool(bench: Bench, line: Measurement, name: str) -> None:
    display = bench.view.display
    bench.tools.choose(name)
    bench.key(Qt.Key.Key_Left)

    assert moved(bench.only) == [(99, 100), (199, 100)]
    assert bench.view.display == display


def test_arrows_move_the_handle_that_was_dragged(bench: Bench, line: Measurement) -> None:
    bench.tools.choose("tool_length")
    bench.drag((200, 100), (250, 160))
    bench.key(Qt.Key.Key_Down, SHIFT)

    assert moved(bench.only) == [(100, 100), (250, 170)]


def test_enter_shows_the_crosshair_and_arrows_then_move_it(bench: Bench, line: Measurement) -> None:
    bench.tools.choose("tool_length")
    bench.key(Qt.Key.Key_Return)
    bench.key(Qt.Key.Key_Left)

    assert bench.only == line


def test_space_goes_round_the_measurements(bench: Bench, line: Measurement) -> None:
    bench.model.add(Rectangle(points=(PixelPoint(20, 20), PixelPoint(50, 50))))
    bench.model.select(None)
    bench.tools.choose("tool_select")
    chosen = []
    for _ in range(3):
        bench.key(Qt.Key.Key_Space)
        assert bench.model.selected is not None
        chosen.append(bench.model.selected.title)

    assert chosen == ["Length", "Rectangle", "Length"]


def test_delete_undo_redo(bench: Bench, line: Measurement) -> None:
    bench.key(Qt.Key.Key_Delete)
    assert len(bench.drawn) == 0
    assert bench.model.selected is None
    bench.model.undo_stack.undo()
    assert bench.only == line
    bench.model.undo_stack.redo()
    assert len(bench.drawn) == 0
    assert bench.model.undo_stack.undoText() == "Delete Length"


def test_the_window_may_delete_and_clear(bench: Bench, line: Measurement) -> None:
    bench.tools.delete_selected()
    assert len(bench.drawn) == 0
    bench.tools.delete_selected()
    bench.model.undo_stack.undo()
    bench.model.clear()
    assert len(bench.drawn) == 0
    bench.model.undo_stack.undo()
    assert bench.only == line


def test_a_calibration_line_keeps_an_extent(bench: Bench) -> None:
    bench.model.add(Calibration(points=(PixelPoint(100, 100), PixelPoint(103, 100)), length_mm=10))
    bench.tools.choose("tool_select")
    bench.key(Qt.Key.Key_Return)
    bench.key(Qt.Key.Key_Right, times=5)  # the third step would put one end on the other

    assert moved(bench.only) == [(102, 100), (103, 100)]


def test_measurements_are_there_again_after_reopening(bench: Bench, line: Measurement) -> None:
    bench.model.set_comment(line.id, "right hilum")
    bench.model.add(Calibration(points=(PixelPoint(0, 0), PixelPoint(100, 0)), length_mm=30))
    records = json.loads(json.dumps(bench.model.records()))

    again = MeasurementModel(bench.model.loaded, records)
    bench.tools.set_model(again)

    assert again.measurements == bench.drawn
    assert not again.undo_stack.canUndo()
    assert [drawing.lines for drawing in bench.tools.layer.drawings()] == [
        ("30.0 mm by manual calibration", "right hilum"),
        ("30.0 mm, set by hand",),
    ]


def test_measurements_survive_in_the_index(bench: Bench, line: Measurement, tmp_path: Path) -> None:
    told: list[str] = []
    Index(tmp_path / "index.sqlite", told.append).put_measurements("key", lambda _: bench.model.records())

    again = Index(tmp_path / "index.sqlite", told.append).measurements_of("key")
    assert MeasurementModel(bench.model.loaded, again).measurements == (line,)
    assert told == []


def test_a_shortcut_of_the_window_comes_after_the_tool(bench: Bench, line: Measurement, qtbot: QtBot) -> None:
    window = QMainWindow()
    qtbot.addWidget(window)
    window.setCentralWidget(bench.view)
    done: list[str] = []
    for name in ("Esc", "Delete", "Left", "W"):
        action = QAction(name, window)
        action.setShortcut(name)
        action.triggered.connect(partial(done.append, name))
        window.addAction(action)
    with qtbot.waitActive(window):
        window.show()
    bench.view.setFocus()
    bench.tools.choose("tool_select")
    bench.key(Qt.Key.Key_Left)
    bench.key(Qt.Key.Key_W)
    assert moved(bench.only) == [(99, 100), (199, 100)]
    assert done == ["W"]
    bench.key(Qt.Key.Key_Escape)
    assert bench.model.selected is None
    for key in (Qt.Key.Key_Escape, Qt.Key.Key_Delete, Qt.Key.Key_Left):
        bench.key(key)
    assert done == ["W", "Esc", "Delete", "Left"]
    window.takeCentralWidget()


def test_damaged_records_are_refused(qtbot: QtBot) -> None:
    with pytest.raises(MeasurementError, match="damaged stored measurements"):
        MeasurementModel(uniform(), [{"kind": "Length"}])


def test_a_change_is_told_once(bench: Bench, line: Measurement) -> None:
    told: list[int] = []
    bench.model.changed.connect(lambda: told.append(1))
    bench.model.replace(line.moved(1, 1))
    bench.model.replace(bench.only)

    assert told == [1]


def test_a_long_comment_is_cut_in_the_film(bench: Bench, line: Measurement) -> None:
    bench.model.set_comment(line.id, "a word " * 40)

    assert bench.only.comment == "a word " * 40
    (drawing,) = bench.tools.layer.drawings()
    assert drawing.lines[1].startswith("a word a word")
    assert len(drawing.lines[1]) <= 60


def test_hidden_measurements_cannot_be_taken(bench: Bench, line: Measurement) -> None:
    bench.tools.layer.set_shown(False)

    assert bench.tools.layer.drawings() == []
    assert bench.tools.layer.handle_at(bench.view.to_view(PixelPoint(200, 100))) is None
    assert bench.tools.layer.measurement_at(bench.view.to_view(PixelPoint(150, 100))) is None
