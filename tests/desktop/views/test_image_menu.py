"""The menu of the image, and the window as numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from PySide6.QtCore import QPoint
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QMenu
from pytestqt.qtbot import QtBot

from cxr_core.grayscale import Window
from cxr_desktop.state.display import DisplayState
from cxr_desktop.state.windowing import PRESETS, with_preset
from cxr_desktop.views.image_menu import ImageMenu
from cxr_desktop.views.image_view import ImageView
from cxr_desktop.views.window_dialog import WindowDialog
from tests.desktop.films import film
from tests.desktop.views.conftest import Shown
from tests.dicom_builder import lut_item

TWO_WINDOWS = {"WindowCenter": [2000, 100], "WindowWidth": [4000, 300]}


def state_of(view: ImageView) -> DisplayState:
    assert view.display is not None
    return view.display


def menu_of(view: ImageView) -> ImageMenu:
    assert view.film is not None
    return ImageMenu(view, view.film, state_of(view))


def texts(menu: QMenu) -> list[str]:
    return [action.text() for action in menu.actions() if not action.isSeparator()]


def choose(menu: QMenu, text: str) -> None:
    next(action for action in menu.actions() if action.text() == text).trigger()


def test_every_window_is_listed_and_the_shown_one_is_checked(shown: Shown) -> None:
    view = shown(film(**TWO_WINDOWS))
    menu = menu_of(view)
    assert texts(menu)[:5] == [
        "Window 1 (C 2000 W 4000)",
        "Window 2 (C 100 W 300)",
        "Full range of the stored bits",
        "Auto: 1st to 99th percentile",
        "Window and level...",
    ]
    assert next(action.text() for action in menu.actions() if action.isChecked()) == "Window 1 (C 2000 W 4000)"
    choose(menu, "Window 2 (C 100 W 300)")
    assert state_of(view).voi == Window(100, 300)
    view.drag_window(10, 0)
    checked = [action.text() for action in menu_of(view).actions() if action.isChecked()]
    assert checked == ["Interpolate magnified pixels"]


def test_presets_and_flips_are_there(shown: Shown) -> None:
    loaded = film(**TWO_WINDOWS)
    view = shown(loaded)
    before = state_of(view)
    menu = menu_of(view)
    (presets,) = (action.menu() for action in menu.actions() if action.menu() is not None)
    assert isinstance(presets, QMenu)
    assert texts(presets) == [preset.name for preset in PRESETS]
    choose(presets, "Lungs")
    assert state_of(view) == with_preset(before, PRESETS[1], loaded)
    choose(menu, "Flip top to bottom")
    assert (state_of(view).flipped, state_of(view).quarter_turns) == (True, 2)


def test_only_what_the_image_has_can_be_switched(shown: Shown) -> None:
    assert {"Overlay planes", "Shutter"}.isdisjoint(texts(menu_of(shown(film()))))
    loaded = film(ShutterShape="CIRCULAR", CenterOfCircularShutter=[30, 50], RadiusOfCircularShutter=20)
    assert loaded.data_set is not None
    for element, vr, value in ((0x10, "US", 4), (0x11, "US", 4), (0x50, "SS", [1, 1]), (0x3000, "OW", b"\xff\xff")):
        loaded.data_set.add_new((0x6000, element), vr, value)
    view = shown(loaded)
    choose(menu_of(view), "Overlay planes")
    choose(menu_of(view), "Shutter")
    assert (state_of(view).overlays, state_of(view).shutter) == (False, False)
    choose(menu_of(view), "Shutter")
    assert state_of(view).shutter
    choose(menu_of(view), "Interpolate magnified pixels")
    assert not view.smooth


def test_the_menu_pops_up_and_goes(shown: Shown, qtbot: QtBot) -> None:
    view = shown(film())
    view.show_menu(view.mapToGlobal(QPoint(20, 20)))
    (menu,) = view.findChildren(ImageMenu)
    qtbot.waitUntil(menu.isVisible)
    menu.close()
    qtbot.waitUntil(lambda: not view.findChildren(ImageMenu))
    shown(None).show_menu(QPoint(0, 0))  # nothing to offer


def test_the_dialog_opens_from_the_menu_and_leaves_nothing_behind(shown: Shown, qtbot: QtBot) -> None:
    view = shown(film(**TWO_WINDOWS))
    choose(menu_of(view), "Window and level...")
    (dialog,) = view.findChildren(WindowDialog)
    qtbot.waitUntil(dialog.isVisible)
    dialog.accept()
    qtbot.waitUntil(lambda: not view.findChildren(WindowDialog))


def dialog_of(view: ImageView, qtbot: QtBot) -> WindowDialog:
    dialog = WindowDialog(view)
    qtbot.addWidget(dialog)
    return dialog


def enter(edit: Any, text: str) -> None:
    edit.selectAll()
    QTest.keyClicks(edit, text)


def test_numbers_are_seen_at_once_and_taken_back(shown: Shown, qtbot: QtBot) -> None:
    view = shown(film(**TWO_WINDOWS))
    before = state_of(view)
    dialog = dialog_of(view, qtbot)
    assert (dialog.center.text(), dialog.width_.text()) == ("2000", "4000")
    enter(dialog.center, "1234,5")
    enter(dialog.width_, "77")
    assert state_of(view).voi == Window(1234.5, 77)
    assert dialog.note.text() == ""
    dialog.reject()
    assert state_of(view) == before


@pytest.mark.parametrize(
    ("width", "voi", "note"),
    [
        ("0.5", Window(2000, 0.5, "LINEAR_EXACT"), "below 1"),
        ("0", Window(2000, 1), "shows nothing"),
        ("-3", Window(2000, 1), "shows nothing"),
        ("wide", Window(0, 1), "two numbers"),
    ],
)
def test_a_width_that_cannot_be_is_told(shown: Shown, qtbot: QtBot, width: str, voi: Window, note: str) -> None:
    view = shown(film(**TWO_WINDOWS))
    dialog = dialog_of(view, qtbot)
    enter(dialog.width_, width)
    assert note in dialog.note.text()
    assert state_of(view).voi == voi


def test_over_a_voi_lut_the_numbers_are_of_its_output(shown: Shown, qtbot: QtBot) -> None:
    view = shown(film(VOILUTSequence=[lut_item([n // 4 for n in range(4096)], 0, 10)]))
    lut = state_of(view).voi
    dialog = dialog_of(view, qtbot)
    enter(dialog.width_, "300")
    assert state_of(view) == replace(state_of(view), voi=lut, stretch=Window(511.5, 300, "LINEAR_EXACT"))
