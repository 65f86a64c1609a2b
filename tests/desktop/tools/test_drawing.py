"""Measurements drawn by mouse and by keyboard."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QInputDialog
from pytestqt.qtbot import QtBot

from cxr_desktop.state.display import flipped_horizontally, rotated
from cxr_desktop.state.geometry import PixelPoint
from cxr_desktop.state.measurement import (
    Angle,
    Calibration,
    CardiothoracicRatio,
    CobbAngle,
    Ellipse,
    Length,
    Measurement,
    Rectangle,
)
from tests.desktop.tools.conftest import CONTROL, SHIFT, Bench, bench_of, uniform

TWO_POINTS = [("tool_length", Length), ("tool_rectangle", Rectangle), ("tool_ellipse", Ellipse)]
MANY_POINTS: list[tuple[str, type[Measurement], list[tuple[float, float]]]] = [
    ("tool_angle", Angle, [(60, 60), (160, 160), (260, 60)]),
    ("tool_cobb", CobbAngle, [(60, 60), (260, 80), (60, 200), (260, 160)]),
    ("tool_ctr", CardiothoracicRatio, [(200, 40), (210, 260), (150, 180), (290, 190), (60, 220), (340, 215)]),
]


def near(points: tuple[PixelPoint, ...], places: list[tuple[float, float]]) -> bool:
    """Within the pixel of the screen that a mouse points at."""
    return len(points) == len(places) and all(
        math.dist((point.x, point.y), place) < 1 for point, place in zip(points, places, strict=True)
    )


@pytest.mark.parametrize(("name", "kind"), TWO_POINTS)
def test_a_drag_draws_and_selects(bench: Bench, name: str, kind: type[Measurement]) -> None:
    bench.tools.choose(name)
    bench.drag((100, 80), (220, 170))

    assert type(bench.only) is kind
    assert near(bench.only.points, [(100, 80), (220, 170)])
    assert bench.model.selected == bench.only


@pytest.mark.parametrize(("name", "kind"), TWO_POINTS)
def test_two_clicks_draw(bench: Bench, name: str, kind: type[Measurement]) -> None:
    bench.tools.choose(name)
    bench.click(100, 80)
    assert bench.drawn == ()
    bench.click(220, 170)

    assert type(bench.only) is kind
    assert near(bench.only.points, [(100, 80), (220, 170)])


@pytest.mark.parametrize(("name", "kind", "places"), MANY_POINTS)
def test_clicks_draw_many_points(
    bench: Bench, name: str, kind: type[Measurement], places: list[tuple[float, float]]
) -> None:
    bench.tools.choose(name)
    for place in places:
        assert bench.drawn == ()
        bench.click(*place)

    assert type(bench.only) is kind
    assert near(bench.only.points, places)


def test_lines_of_many_points_may_be_dragged(bench: Bench) -> None:
    bench.tools.choose("tool_ctr")
    *_, places = MANY_POINTS[2]
    bench.drag(places[0], places[1])
    bench.click(*places[2])
    bench.click(*places[3])
    bench.drag(places[4], places[5])

    assert near(bench.only.points, places)


def test_an_angle_is_a_drag_and_a_click(bench: Bench) -> None:
    bench.tools.choose("tool_angle")
    bench.drag((60, 60), (160, 160))
    bench.click(260, 60)

    assert near(bench.only.points, [(60, 60), (160, 160), (260, 60)])
    assert bench.model.values(bench.only).lines == ("90.0°",)


def test_a_click_that_trembles_draws_nothing(bench: Bench) -> None:
    bench.tools.choose("tool_length")
    bench.click(100, 80)
    bench.click(100, 80)
    bench.click(101, 80)

    assert bench.drawn == ()


def test_the_hint_says_the_next_point(bench: Bench) -> None:
    hints: list[str] = []
    bench.tools.hintChanged.connect(hints.append)
    bench.tools.choose("tool_angle")
    bench.click(60, 60)

    assert hints == [
        "Angle 1 of 3: the end of one arm (click, or Enter and arrows)",
        "Angle 2 of 3: the vertex",
    ]


def test_words_beside_the_mouse_say_the_next_point_once_it_is_begun(bench: Bench) -> None:
    bench.tools.choose("tool_angle")
    bench.hover(50, 50)
    assert bench.tools.layer._note is None
    bench.click(60, 60)
    bench.hover(90, 90)
    assert bench.tools.layer._note is not None
    assert bench.tools.layer._note[1].lines == ("2 of 3: the vertex",)
    bench.click(160, 160)
    bench.click(260, 60)
    assert bench.tools.layer._note is None


def test_arrows_move_what_the_keyboard_has_drawn(bench: Bench) -> None:
    bench.tools.choose("tool_length")
    bench.key(Qt.Key.Key_Return, times=2)
    bench.key(Qt.Key.Key_Right, SHIFT)
    bench.key(Qt.Key.Key_Return)
    bench.key(Qt.Key.Key_Down)

    assert bench.only.points == (PixelPoint(200.5, 151.5), PixelPoint(210.5, 151.5))


def test_escape_gives_up_what_is_begun_and_then_the_selection(bench: Bench) -> None:
    bench.tools.choose("tool_length")
    bench.drag((100, 80), (220, 170))
    bench.click(30, 30)
    bench.key(Qt.Key.Key_Escape)
    bench.click(50, 50)  # begins anew: one point alone is no line
    bench.key(Qt.Key.Key_Escape)

    assert len(bench.drawn) == 1
    assert bench.model.selected is not None
    bench.key(Qt.Key.Key_Escape)
    assert bench.model.selected is None


def test_backspace_takes_the_last_point_back(bench: Bench) -> None:
    bench.tools.choose("tool_angle")
    bench.click(60, 60)
    bench.click(100, 100)
    bench.key(Qt.Key.Key_Backspace)
    bench.click(160, 160)
    bench.click(260, 60)

    assert near(bench.only.points, [(60, 60), (160, 160), (260, 60)])


def test_another_tool_gives_up_what_is_begun(bench: Bench) -> None:
    bench.tools.choose("tool_length")
    bench.click(60, 60)
    bench.tools.choose("tool_length")
    bench.click(200, 200)

    assert bench.drawn == ()


def test_another_image_takes_its_measurements_away(bench: Bench) -> None:
    bench.tools.choose("tool_length")
    bench.click(60, 60)
    bench.view.show_image(uniform())
    bench.click(200, 200)

    assert bench.tools.layer.model is None
    assert bench.drawn == ()


def test_values_are_shown_while_they_are_drawn(bench: Bench) -> None:
    bench.tools.choose("tool_length")
    bench.press(100, 80)
    bench.hover(200, 80)

    (drawing,) = bench.tools.layer.drawings()
    assert drawing.lines == ("20.0 mm at the detector",)
    assert bench.drawn == ()


@pytest.mark.parametrize("name", ["tool_length", "tool_rectangle", "tool_ellipse"])
def test_the_keyboard_draws(bench: Bench, name: str) -> None:
    bench.tools.choose(name)
    bench.key(Qt.Key.Key_Return)  # shows the crosshair at the centre of the view
    bench.key(Qt.Key.Key_Left, SHIFT, times=3)
    bench.key(Qt.Key.Key_Return)
    bench.key(Qt.Key.Key_Right, SHIFT, times=6)
    bench.key(Qt.Key.Key_Down, times=2)
    assert bench.drawn == ()
    bench.key(Qt.Key.Key_Return)

    assert bench.only.points == (PixelPoint(170.5, 150.5), PixelPoint(230.5, 152.5))


@pytest.mark.parametrize(("name", "kind", "places"), MANY_POINTS)
def test_the_keyboard_draws_many_points(
    bench: Bench, name: str, kind: type[Measurement], places: list[tuple[float, float]]
) -> None:
    bench.tools.choose(name)
    at = (200, 150)
    bench.key(Qt.Key.Key_Return)
    for x, y in places:
        across, down = round(x - at[0]), round(y - at[1])
        for step, keys in ((across, (Qt.Key.Key_Left, Qt.Key.Key_Right)), (down, (Qt.Key.Key_Up, Qt.Key.Key_Down))):
            key = keys[step > 0]
            bench.key(key, CONTROL, times=abs(step) // 100)
            bench.key(key, SHIFT, times=abs(step) % 100 // 10)
            bench.key(key, times=abs(step) % 10)
        bench.key(Qt.Key.Key_Return)
        at = (round(x), round(y))

    assert type(bench.only) is kind
    assert bench.only.points == tuple(PixelPoint(x + 0.5, y + 0.5) for x, y in places)


def test_the_crosshair_stays_within_the_image_and_the_view_follows(bench: Bench) -> None:
    bench.view.zoom_to(4.0)
    bench.tools.choose("tool_length")
    bench.key(Qt.Key.Key_Return)
    bench.key(Qt.Key.Key_Left, CONTROL, times=3)
    bench.key(Qt.Key.Key_Return)
    bench.key(Qt.Key.Key_Right, CONTROL, times=5)

    place = bench.view.to_view(PixelPoint(399.5, 150.5))
    assert bench.view.viewport().rect().contains(place.toPoint())
    bench.key(Qt.Key.Key_Return)
    assert bench.only.points == (PixelPoint(0.5, 150.5), PixelPoint(399.5, 150.5))


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
@pytest.mark.parametrize("flipped", [False, True])
def test_turns_and_flips_change_no_value(bench: Bench, turns: int, flipped: bool) -> None:
    assert bench.view.display is not None
    state = replace(bench.view.display, zoom=None, centre=None)
    state = flipped_horizontally(state) if flipped else state
    bench.view.set_display(rotated(state, turns), final=True)
    bench.tools.choose("tool_length")
    bench.drag((100, 80), (100, 200))
    bench.tools.choose("tool_ctr")
    for place in MANY_POINTS[2][2]:
        bench.click(*place)

    length, ratio = bench.drawn
    # The mouse points at whole pixels of the screen; a turned film is shown smaller.
    assert bench.model.values(length).quantities[0].value == pytest.approx(24.0, abs=0.4)
    assert bench.model.values(ratio).quantities[0].value == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
@pytest.mark.parametrize("flipped", [False, True])
def test_arrows_go_where_they_point_on_the_screen(bench: Bench, turns: int, flipped: bool) -> None:
    assert bench.view.display is not None
    state = flipped_horizontally(bench.view.display) if flipped else bench.view.display
    bench.view.set_display(rotated(state, turns), final=True)
    bench.tools.choose("tool_length")
    bench.key(Qt.Key.Key_Return)
    bench.key(Qt.Key.Key_Return)
    bench.key(Qt.Key.Key_Right, SHIFT, times=3)
    bench.key(Qt.Key.Key_Up, SHIFT)
    bench.key(Qt.Key.Key_Return)

    start, end = (bench.view.to_view(point) for point in bench.only.points)
    way = (end - start) * bench.view.devicePixelRatioF() / bench.view.shown_zoom
    assert way.x() == pytest.approx(30, abs=0.5)
    assert way.y() == pytest.approx(-10, abs=0.5)


def test_a_calibration_asks_for_the_length_and_marks_every_value(bench: Bench, qtbot: QtBot) -> None:
    bench.tools.choose("tool_length")
    bench.drag((100, 200), (200, 200))
    bench.tools.choose("tool_calibrate")
    bench.drag((100, 80), (300, 80))
    dialog = bench.view.findChild(QInputDialog)
    assert dialog is not None
    assert [one.title for one in bench.drawn] == ["Length"]
    assert len(bench.tools.layer.drawings()) == 2  # the line that is asked about stays
    dialog.setDoubleValue(50.0)
    with qtbot.waitSignal(dialog.finished):
        dialog.accept()

    length, calibration = bench.drawn
    assert isinstance(calibration, Calibration)
    assert calibration.length_mm == 50.0
    assert bench.model.values(length).lines == ("25.0 mm by manual calibration",)
    bench.model.undo_stack.undo()
    assert bench.model.values(length).lines == ("20.0 mm at the detector",)
    bench.model.undo_stack.redo()
    assert bench.model.values(length).lines == ("25.0 mm by manual calibration",)


def test_a_calibration_that_is_not_given_changes_nothing(bench: Bench) -> None:
    bench.tools.choose("tool_calibrate")
    bench.drag((100, 80), (300, 80))
    dialog = bench.view.findChild(QInputDialog)
    assert dialog is not None
    dialog.reject()

    assert bench.drawn == ()
    assert bench.tools.layer.drawings() == []


def test_a_drawing_tool_shows_what_was_hidden(bench: Bench) -> None:
    bench.model.add(Length(points=(PixelPoint(0, 0), PixelPoint(100, 0))))
    bench.tools.layer.set_shown(False)
    bench.tools.choose("tool_length")

    assert len(bench.tools.layer.drawings()) == 1


def test_a_second_calibration_takes_the_place_of_the_first(bench: Bench) -> None:
    for length_mm in (50.0, 60.0):
        bench.model.add(Calibration(points=(PixelPoint(0, 0), PixelPoint(100, 0)), length_mm=length_mm))

    assert [one.length_mm for one in bench.drawn if isinstance(one, Calibration)] == [60.0]
    bench.model.undo_stack.undo()
    assert [one.length_mm for one in bench.drawn if isinstance(one, Calibration)] == [50.0]


def test_a_film_of_pixels_that_are_not_square(qtbot: QtBot) -> None:
    # 0.4 mm between rows, 0.2 mm between columns: 100 columns and 50 rows are as long.
    bench = bench_of(qtbot, uniform(200, 400, ImagerPixelSpacing=[0.4, 0.2]))
    bench.tools.choose("tool_length")
    bench.drag((100, 50), (200, 50))
    bench.drag((100, 60), (100, 110))

    across, down = (bench.model.values(one).quantities[0].value for one in bench.drawn)
    assert across == pytest.approx(20.0, abs=0.4)
    assert down == pytest.approx(20.0, abs=0.4)
