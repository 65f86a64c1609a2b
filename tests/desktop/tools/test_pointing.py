"""Window, pan, zoom, magnifier and probe, by mouse and by keyboard."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from cxr_desktop.state.geometry import PixelPoint
from cxr_desktop.state.windowing import window_of
from tests.desktop.films import film
from tests.desktop.tools.conftest import NONE, SHIFT, Bench, bench_of


def window(bench: Bench) -> tuple[float, float]:
    assert bench.view.display is not None
    shown = window_of(bench.view.display)
    return shown.center, shown.width


def test_a_drag_to_the_right_widens_the_window(bench: Bench) -> None:
    bench.tools.choose("tool_window")
    center, width = window(bench)
    bench.drag((100, 100), (200, 100))

    assert window(bench)[1] > width
    assert window(bench)[0] == center


def test_a_drag_down_moves_the_center(bench: Bench) -> None:
    bench.tools.choose("tool_window")
    center, width = window(bench)
    bench.drag((100, 100), (100, 150))

    assert window(bench)[0] != center
    assert window(bench)[1] == width


@pytest.mark.parametrize(
    ("key", "number", "sign"), [(Qt.Key.Key_Right, 1, 1), (Qt.Key.Key_Left, 1, -1), (Qt.Key.Key_Up, 0, None)]
)
def test_arrows_change_the_window(bench: Bench, key: Qt.Key, number: int, sign: int | None) -> None:
    bench.tools.choose("tool_window")
    before = window(bench)
    bench.key(key)

    change = window(bench)[number] - before[number]
    assert change != 0
    assert sign is None or change * sign > 0
    assert window(bench)[1 - number] == before[1 - number]


def drag_on_screen(bench: Bench, start: QPoint, end: QPoint) -> None:
    """Of the left button, whatever becomes of the image under it."""
    viewport = bench.view.viewport()
    QTest.mousePress(viewport, Qt.MouseButton.LeftButton, NONE, start)
    for position in ((start + end) / 2, end):
        QTest.mouseMove(viewport, position)
    QTest.mouseRelease(viewport, Qt.MouseButton.LeftButton, NONE, end)


def test_the_image_goes_with_the_mouse(bench: Bench) -> None:
    bench.tools.choose("tool_pan")
    start, end = bench.place(100, 100), bench.place(140, 130)
    drag_on_screen(bench, start, end)

    # The image stands on whole device pixels.
    assert (bench.place(100, 100) - end).manhattanLength() <= 2


def test_arrows_move_the_image(bench: Bench) -> None:
    bench.tools.choose("tool_pan")
    place = bench.place(100, 100)
    bench.key(Qt.Key.Key_Right, times=2)
    bench.key(Qt.Key.Key_Down, SHIFT)

    way = bench.place(100, 100) - place
    assert (way.x(), way.y()) == (20, 100)


def test_a_drag_up_zooms_about_where_it_began(bench: Bench) -> None:
    bench.tools.choose("tool_zoom")
    zoom, place = bench.view.shown_zoom, bench.place(100, 200)
    drag_on_screen(bench, place, place - QPoint(0, 100))

    assert bench.view.shown_zoom == pytest.approx(2 * zoom, rel=0.01)
    assert (bench.place(100, 200) - place).manhattanLength() <= 2


def test_arrows_zoom(bench: Bench) -> None:
    bench.tools.choose("tool_zoom")
    zoom = bench.view.shown_zoom
    bench.key(Qt.Key.Key_Up, SHIFT)
    assert bench.view.shown_zoom == pytest.approx(2 * zoom, rel=0.01)
    bench.key(Qt.Key.Key_Down, SHIFT, times=2)
    assert bench.view.shown_zoom == pytest.approx(zoom / 2, rel=0.01)


@pytest.fixture
def loupe(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> list[PixelPoint | None]:
    """Where the magnifier was put."""
    places: list[PixelPoint | None] = []
    set_loupe = bench.view.set_loupe

    def noted(point: PixelPoint | None) -> None:
        places.append(point)
        set_loupe(point)

    monkeypatch.setattr(bench.view, "set_loupe", noted)
    bench.tools.choose("tool_magnifier")
    places.clear()
    return places


def test_the_magnifier_is_held(bench: Bench, loupe: list[PixelPoint | None]) -> None:
    bench.hover(90, 90)
    assert loupe == []
    bench.press(100, 100)
    assert loupe[-1] == bench.image(100, 100)
    bench.hover(150, 120)
    assert loupe[-1] == bench.image(150, 120)
    bench.release(150, 120)
    assert loupe[-1] is None
    bench.hover(160, 120)
    assert loupe[-1] is None


def test_the_magnifier_by_keyboard(bench: Bench, loupe: list[PixelPoint | None]) -> None:
    bench.key(Qt.Key.Key_Right)
    assert loupe == []
    bench.key(Qt.Key.Key_Return)
    bench.key(Qt.Key.Key_Right, SHIFT)
    assert loupe == [PixelPoint(200.5, 150.5), PixelPoint(210.5, 150.5)]
    bench.key(Qt.Key.Key_Return)
    assert loupe[-1] is None


def test_another_tool_takes_the_magnifier_away(bench: Bench, loupe: list[PixelPoint | None]) -> None:
    bench.press(100, 100)
    bench.tools.choose("tool_pan")

    assert loupe[-1] is None


def note(bench: Bench) -> tuple[tuple[str, ...], bool] | None:
    """Words that are shown, and whether the crosshair is."""
    held: Any = bench.tools.layer._note
    return None if held is None else (held[1].lines, held[2])


def test_the_probe_shows_the_pixel_under_the_mouse(qtbot: QtBot) -> None:
    stored = np.arange(300 * 400).reshape(300, 400) % 4096
    bench = bench_of(qtbot, film(stored, RescaleSlope=2, RescaleIntercept=-100))
    bench.tools.choose("tool_probe")
    bench.hover(100, 50)

    value = stored[50, 100]
    assert note(bench) == ((f"x 100 y 50: {value} = {2 * value - 100}",), False)
    bench.view.cursorMoved.emit(None)
    assert note(bench) is None


def test_the_probe_by_keyboard(bench: Bench) -> None:
    bench.tools.choose("tool_probe")
    bench.key(Qt.Key.Key_Return)
    bench.key(Qt.Key.Key_Down, SHIFT)
    assert note(bench) == (("x 200 y 160: 1000",), True)
    bench.view.cursorMoved.emit(None)
    assert note(bench) == (("x 200 y 160: 1000",), True)
    bench.key(Qt.Key.Key_Escape)
    assert note(bench) is None


def test_keys_without_an_image_do_nothing(bench: Bench) -> None:
    bench.view.show_image(None)
    for name in bench.tools.names:
        bench.tools.choose(name)
        for key in (Qt.Key.Key_Return, Qt.Key.Key_Right, Qt.Key.Key_Space, Qt.Key.Key_Escape, Qt.Key.Key_Delete):
            bench.key(key)

    assert bench.drawn == ()


def test_every_tool_is_a_command_of_the_window(bench: Bench) -> None:
    from cxr_desktop.window.actions import COMMANDS

    commands = {command.name for command in COMMANDS if command.group == "tool"}
    assert set(bench.tools.names) == commands
