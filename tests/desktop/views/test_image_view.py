"""The view: where things are, when the picture is final, what the mouse does, what is written over the film."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QKeyEvent, QMouseEvent, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QGraphicsRectItem
from pytestqt.qtbot import QtBot

from cxr_core.grayscale import Window
from cxr_desktop.state import display as displays
from cxr_desktop.state.display import DisplayState
from cxr_desktop.state.geometry import PixelPoint
from cxr_desktop.state.records import LoadedImage
from cxr_desktop.views.image_view import ImageView
from tests.desktop.films import film
from tests.desktop.views.conftest import Shown, grey, painted
from tests.dicom_builder import gradient

WINDOW = {"WindowCenter": 2048, "WindowWidth": 4096}


def large(**attributes: Any) -> LoadedImage:
    return film(gradient(600, 700), **WINDOW, **attributes)


def state_of(view: ImageView) -> DisplayState:
    assert view.display is not None
    return view.display


# ---- places


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
@pytest.mark.parametrize("flipped", [False, True])
def test_places_in_the_view_and_in_the_image_are_one(shown: Shown, turns: int, flipped: bool) -> None:
    view = shown(large())
    view.set_display(replace(state_of(view), quarter_turns=turns, flipped=flipped, zoom=1.3))
    for point in (PixelPoint(0, 0), PixelPoint(700, 600), PixelPoint(123.25, 456.5)):
        back = view.to_image(view.to_view(point))
        assert (back.x, back.y) == pytest.approx((point.x, point.y))
    # A quarter turn takes what is to the right in the image down on the screen.
    step = view.to_view(PixelPoint(101, 50)) - view.to_view(PixelPoint(100, 50))
    across = -1 if flipped else 1
    expected = [(across, 0), (0, across), (-across, 0), (0, -across)][turns]
    assert (step.x() / 1.3, step.y() / 1.3) == pytest.approx(expected, abs=1e-6)


def test_items_lie_on_the_pixels_they_name(shown: Shown) -> None:
    view = shown(film(np.zeros((60, 70)), **WINDOW))
    view.zoom_to(3.0)
    item = QGraphicsRectItem(10, 20, 5, 4)
    item.setPen(Qt.PenStyle.NoPen)
    item.setBrush(Qt.GlobalColor.white)
    view.scene().addItem(item)
    rows, columns = np.nonzero(grey(view)[:240] == 255)
    corner = view.to_view(PixelPoint(10, 20))
    assert (columns.min(), rows.min()) == (corner.x(), corner.y())
    assert (columns.max() + 1 - columns.min(), rows.max() + 1 - rows.min()) == (15, 12)


def test_a_fitted_image_touches_the_edges_and_follows_the_size(shown: Shown) -> None:
    view = shown(large(), 350, 200)
    assert view.shown_zoom == pytest.approx(200 / 600, rel=0.01)
    view.resize(350, 600)
    assert view.shown_zoom == pytest.approx(0.5)
    assert view.to_view(PixelPoint(0, 0)).x() == 0
    assert view.shown_zoom == view.fitted_zoom
    view.set_display(displays.rotated(state_of(view)))
    assert view.shown_zoom == pytest.approx(350 / 600, rel=1e-3)
    view.zoom_to(2.0)
    assert view.fitted_zoom == pytest.approx(350 / 600, rel=1e-3)


@pytest.mark.parametrize(
    "attributes", [{"ImagerPixelSpacing": [0.3, 0.1]}, {"PixelAspectRatio": [3, 1]}, {"PixelSpacing": [0.6, 0.2]}]
)
def test_pixels_that_are_not_square_are_shown_in_their_shape(shown: Shown, attributes: dict[str, Any]) -> None:
    view = shown(film(gradient(60, 70), **WINDOW, **attributes))
    view.zoom_to(1.0)
    size = view.to_view(PixelPoint(70, 60)) - view.to_view(PixelPoint(0, 0))
    assert (size.x(), size.y()) == (70, 180)
    drawn = grey(view)[:230] > 0
    rows, columns = np.nonzero(drawn)
    assert rows.max() - rows.min() > 170
    assert columns.max() - columns.min() < 70


@pytest.mark.parametrize("aspect", [[1_000_000, 1], [1, 1_000_000], [0, 1]])
def test_a_shape_that_no_pixel_has_is_not_believed(shown: Shown, aspect: list[int]) -> None:
    view = shown(film(gradient(60, 70), **WINDOW, PixelAspectRatio=aspect))
    view.zoom_to(64.0)
    assert view.shown_scales == (64.0, 64.0)
    assert painted(view).any()


def test_zoom_about_the_cursor_holds_the_place_to_the_pixel(shown: Shown) -> None:
    view = shown(large(), 700, 600)
    at = QPointF(41, 33)
    place = view.to_image(at)
    for step in range(24):
        wheel(view, at, 120 if step < 12 else -120)
        off = view.to_view(place) - at
        assert max(abs(off.x()), abs(off.y())) <= 1.0
    assert view.shown_zoom == pytest.approx(1.0, rel=0.01)


def wheel(view: ImageView, at: QPointF, delta: int) -> None:
    event = QWheelEvent(
        at,
        view.viewport().mapToGlobal(at),
        QPoint(),
        QPoint(0, delta),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(view.viewport(), event)


def test_there_is_nothing_to_scroll(shown: Shown) -> None:
    view = shown(large())
    for zoom in (0.1, 0.77, 3.7, 64.0):
        view.set_display(replace(state_of(view), zoom=zoom, centre=PixelPoint(3, 599)))
        for bar in (view.horizontalScrollBar(), view.verticalScrollBar()):
            assert (bar.value(), bar.maximum() - bar.minimum()) in [(0, 0), (0, 1)]


# ---- final or not


def test_what_is_seen_becomes_final_when_the_hand_rests(shown: Shown, qtbot: QtBot) -> None:
    view = shown(large())
    assert view.exact
    view.zoom_to(0.7)
    assert not view.exact
    quick = grey_around_the_mark(view)
    qtbot.waitUntil(lambda: view.exact)
    assert (grey_around_the_mark(view) != quick).any()


def grey_around_the_mark(view: ImageView) -> np.ndarray:
    return painted(view)[:200, :, 0]


def test_a_final_state_needs_no_rest_and_a_window_drag_spoils_nothing(shown: Shown) -> None:
    view = shown(large())
    view.set_display(replace(state_of(view), zoom=0.6), final=True)
    assert view.exact
    view.drag_window(30, 20)
    assert view.exact
    view.zoom_to(2.0)
    assert view.exact  # nothing is averaged where nothing shrinks


def test_the_same_place_again_stays_final(shown: Shown) -> None:
    view = shown(large())
    view.set_display(state_of(view))
    assert view.exact


# ---- signals


def test_the_state_is_told_once_for_a_change(shown: Shown) -> None:
    view = shown(large())
    told: list[object] = []
    view.displayChanged.connect(told.append)
    view.set_display(replace(state_of(view), inverted=True))
    view.set_display(state_of(view))
    assert told == [state_of(view)]


def test_a_view_says_what_it_shows_to_who_cannot_see_it(shown: Shown) -> None:
    loaded = large()
    record = replace(loaded.record, body_part="CHEST", view_position="PA", study_date="20260102")
    view = shown(replace(loaded, record=record))
    assert (view.accessibleName(), view.accessibleDescription()) == ("Image", "CHEST PA 2026-01-02")
    view.show_image(None)
    assert view.accessibleDescription() == ""


def test_an_empty_view_can_be_used(shown: Shown) -> None:
    view = shown(None)
    view.zoom_to(1.0)
    view.pan_by(3, 3)
    view.drag_window(3, 3)
    view.set_loupe(PixelPoint(1, 1))
    view.set_display(DisplayState(Window(1, 2)))
    QTest.mouseMove(view.viewport(), QPoint(30, 30))
    QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(30, 30))
    assert not painted(view).any()
    assert view.display is None


def test_another_image_takes_everything_of_the_former_with_it(shown: Shown) -> None:
    view = shown(large())
    view.zoom_to(3.0)
    view.set_loupe(PixelPoint(100, 100))
    told: list[object] = []
    view.imageChanged.connect(told.append)
    other = film(gradient(50, 40), WindowCenter=1000, WindowWidth=500)
    view.show_image(other)
    assert told == [other]
    assert state_of(view) == DisplayState(Window(1000, 500))
    assert (painted(view) == painted(shown(other))).all()
    view.show_image(None)
    assert not painted(view).any()


# ---- mouse


def drag(view: ImageView, button: Qt.MouseButton, start: QPoint, end: QPoint, **modifiers: Any) -> None:
    port = view.viewport()
    QTest.mousePress(port, button, pos=start, **modifiers)
    for share in (0.5, 1.0):
        at = QPointF(start) * (1 - share) + QPointF(end) * share
        state = modifiers.get("stateKey", Qt.KeyboardModifier.NoModifier)
        move = QMouseEvent(QEvent.Type.MouseMove, at, port.mapToGlobal(at), Qt.MouseButton.NoButton, button, state)
        QApplication.sendEvent(port, move)
    QTest.mouseRelease(port, button, pos=end, **modifiers)


def test_the_middle_button_pans_with_the_hand(shown: Shown) -> None:
    view = shown(large())
    view.zoom_to(1.5)
    place = view.to_image(QPointF(100, 100))
    drag(view, Qt.MouseButton.MiddleButton, QPoint(100, 100), QPoint(160, 70))
    at = view.to_view(place)
    assert (at.x(), at.y()) == pytest.approx((160, 70), abs=1.5)


def test_many_small_moves_add_up(shown: Shown) -> None:
    view = shown(large())
    view.zoom_to(3.7)
    place = view.to_image(QPointF(100, 100))
    for _ in range(90):
        view.pan_by(1, -1)
    at = view.to_view(place)
    assert (at.x(), at.y()) == pytest.approx((190, 10), abs=1.0)


def test_the_right_button_windows_and_its_click_opens_the_menu(shown: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    view = shown(large())
    asked: list[QPoint] = []
    monkeypatch.setattr(view, "show_menu", asked.append)
    drag(view, Qt.MouseButton.RightButton, QPoint(100, 100), QPoint(160, 100))
    window = state_of(view).voi
    assert isinstance(window, Window)
    assert window.width > 4096
    assert window.center == 2048
    assert asked == []
    QTest.mouseClick(view.viewport(), Qt.MouseButton.RightButton, pos=QPoint(50, 60))
    assert asked == [view.viewport().mapToGlobal(QPoint(50, 60))]
    QTest.keyClick(view, Qt.Key.Key_Menu)
    assert len(asked) == 2


@pytest.mark.parametrize(("direction", "brighter"), [("ihe", True), ("classic", False)])
def test_the_direction_of_the_window_drag_is_set(shown: Shown, direction: Any, brighter: bool) -> None:
    view = shown(large())
    view.set_window_direction(direction)
    before = int(grey_around_the_mark(view).sum())
    drag(view, Qt.MouseButton.RightButton, QPoint(100, 60), QPoint(100, 120))
    assert (int(grey_around_the_mark(view).sum()) > before) is brighter


class Recorder:
    """A tool that writes down what it gets, and takes it or not."""

    name = "recorder"
    cursor = Qt.CursorShape.CrossCursor

    def __init__(self, *, takes: bool = True) -> None:
        self.got: list[tuple[str, Any]] = []
        self.taken = takes

    def _get(self, what: str, point: Any, event: QMouseEvent) -> None:
        self.got.append((what, point))
        event.setAccepted(self.taken)

    def press(self, view: ImageView, point: PixelPoint, event: QMouseEvent) -> None:
        self._get("press", point, event)

    def move(self, view: ImageView, point: PixelPoint, event: QMouseEvent) -> None:
        self._get("move", point, event)

    def release(self, view: ImageView, point: PixelPoint, event: QMouseEvent) -> None:
        self._get("release", point, event)

    def double_click(self, view: ImageView, point: PixelPoint, event: QMouseEvent) -> None:
        self._get("double", point, event)

    def takes(self, event: QKeyEvent) -> bool:
        return event.key() == Qt.Key.Key_Escape

    def key(self, view: ImageView, event: QKeyEvent) -> bool:
        self.got.append(("key", event.key()))
        return self.takes(event)

    def cancel(self, view: ImageView) -> None:
        self.got.append(("cancel", None))


def test_the_left_button_and_the_keys_go_to_the_tool_in_image_coordinates(shown: Shown) -> None:
    view = shown(large())
    view.zoom_to(2.0)
    tool = Recorder()
    view.set_tool(tool)
    assert view.viewport().cursor().shape() == Qt.CursorShape.CrossCursor
    at = QPoint(80, 90)
    place = view.to_image(QPointF(at))
    QTest.mousePress(view.viewport(), Qt.MouseButton.LeftButton, pos=at)
    QTest.mouseRelease(view.viewport(), Qt.MouseButton.LeftButton, pos=at)
    QTest.mouseDClick(view.viewport(), Qt.MouseButton.LeftButton, pos=at)
    QTest.keyClick(view, Qt.Key.Key_Escape)
    drag(view, Qt.MouseButton.MiddleButton, QPoint(80, 90), QPoint(85, 90))
    names = [name for name, _ in tool.got if name != "move"]
    assert names[:2] == ["press", "release"]
    assert "double" in names
    assert names[-1] == "key"
    assert tool.got[0][1] == place
    view.set_tool(None)
    assert tool.got[-1] == ("cancel", None)
    view.set_tool(tool)
    view.show_image(None)
    assert tool.got[-1] == ("cancel", None)


def test_a_key_of_the_tool_is_no_shortcut_of_the_window(shown: Shown) -> None:
    view = shown(large())
    view.set_tool(Recorder())
    for key, taken in ((Qt.Key.Key_Escape, True), (Qt.Key.Key_F, False)):
        event = QKeyEvent(QEvent.Type.ShortcutOverride, key, Qt.KeyboardModifier.NoModifier)
        event.ignore()
        QApplication.sendEvent(view, event)
        assert event.isAccepted() is taken


class Held(QGraphicsRectItem):
    """An item that tells that it was pressed."""

    def __init__(self) -> None:
        super().__init__(0, 0, 700, 600)
        self.pressed = 0

    def mousePressEvent(self, event: Any) -> None:  # noqa: N802  # Qt's name
        self.pressed += 1


@pytest.mark.parametrize("takes", [True, False])
def test_what_a_tool_does_not_take_goes_to_the_items(shown: Shown, takes: bool) -> None:
    view = shown(large())
    item = Held()
    view.scene().addItem(item)
    view.set_tool(Recorder(takes=takes))
    QTest.mousePress(view.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(150, 130))
    assert item.pressed == (0 if takes else 1)


def test_the_place_of_the_cursor_is_told(shown: Shown) -> None:
    view = shown(large())
    told: list[object] = []
    view.cursorMoved.connect(told.append)
    at = QPointF(100, 90)
    none = Qt.MouseButton.NoButton
    move = QMouseEvent(
        QEvent.Type.MouseMove, at, view.viewport().mapToGlobal(at), none, none, Qt.KeyboardModifier.NoModifier
    )
    QApplication.sendEvent(view.viewport(), move)
    QApplication.sendEvent(view, QEvent(QEvent.Type.Leave))
    assert told == [view.to_image(at), None]


# ---- what is written


def test_what_of_the_file_cannot_be_shown_is_told(shown: Shown) -> None:
    loaded = even()
    assert loaded.data_set is not None
    loaded.data_set.add_new((0x6000, 0x0010), "US", 4)
    lower_right = slice(440, 480), slice(300, 600)
    assert ink(shown(loaded, 600, 500, bare=False), *lower_right)
    assert not ink(shown(even(), 600, 500, bare=False), *lower_right)


def ink(view: ImageView, rows: slice, columns: slice) -> bool:
    """Whether anything is written there: the film is of one grey."""
    part = painted(view)[rows, columns]
    return len(np.unique(part.reshape(-1, 3), axis=0)) > 2


TOP_LEFT, TOP, LEFT = (slice(0, 40), slice(0, 120)), (slice(0, 34), slice(280, 320)), (slice(230, 270), slice(0, 30))


def even(**attributes: Any) -> LoadedImage:
    loaded = film(np.full((500, 600), 2000), **WINDOW, **attributes)
    return replace(loaded, record=replace(loaded.record, patient_name="SYNTHETIC^TEST", patient_id="SYNTHETIC-T"))


def test_corner_text_has_levels_and_leaves_a_small_view(shown: Shown) -> None:
    view = shown(even(), 600, 500, bare=False)
    assert ink(view, *TOP_LEFT)
    view.set_corner_text_level(0)
    assert not ink(view, *TOP_LEFT)
    view.set_corner_text_level(1)
    assert ink(view, *TOP_LEFT)
    view.resize(200, 160)
    assert not ink(view, *TOP_LEFT)


def test_text_reads_on_white_and_on_black(shown: Shown) -> None:
    for value in (0, 4095):
        loaded = replace(film(np.full((500, 600), value), **WINDOW), record=even().record)
        view = shown(loaded, 600, 500, bare=False)
        part = painted(view)[TOP_LEFT].max(axis=2)
        assert part.max() > 200
        assert part.min() < 60


def test_letters_stand_only_where_the_header_says_them(shown: Shown) -> None:
    for attributes, written in (({}, False), ({"PatientOrientation": ["L", "F"]}, True)):
        view = shown(even(**attributes), 600, 500)
        assert ink(view, *TOP) is written
        assert ink(view, *LEFT) is written


def test_a_turned_picture_is_marked_whatever_is_switched_off(shown: Shown) -> None:
    view = shown(even(), 600, 500)
    assert not ink(view, slice(0, 60), slice(200, 400))
    view.set_display(displays.flipped_horizontally(state_of(view)))
    assert ink(view, slice(0, 60), slice(200, 400))
    view.resize(220, 180)
    assert ink(view, slice(0, 60), slice(0, 220))


def test_the_magnifier_shows_the_film_larger_and_takes_nothing_from_the_view(shown: Shown) -> None:
    stored = np.zeros((500, 600))
    stored[240:260, 290:310] = 4095
    view = shown(film(stored, **WINDOW), 600, 500)
    before = (painted(view)[..., 0] == 255).sum()
    view.set_loupe(PixelPoint(300, 250))
    large = (painted(view)[100:400, 150:450, 0] == 255).sum()
    assert large > 8 * before
    view.set_loupe(None)
    assert (painted(view)[..., 0] == 255).sum() == before
