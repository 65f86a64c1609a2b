"""The window before anything heavy: commands, keys, messages, the strip, and what must not be imported yet."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QKeySequence
from PySide6.QtWidgets import QApplication, QLabel
from pytestqt.qtbot import QtBot

from cxr_desktop.panels.welcome import Welcome
from cxr_desktop.state.settings import ViewerSettings
from cxr_desktop.window.actions import COMMANDS, MENUS, key_conflicts
from cxr_desktop.window.main_window import MainWindow
from cxr_desktop.window.messages import MessageBar
from cxr_desktop.window.theme import apply_theme

HEAVY = ("numpy", "cv2", "pydicom", "pynetdicom", "highdicom", "PIL", "pydantic", "ai_edge_litert", "rich", "typer",
         "requests", "sqlalchemy", "dicomanonymizer", "imagecodecs", "sqlite3", "asyncio")  # fmt: skip


def test_nothing_heavy_is_imported_before_the_first_paint() -> None:
    code = (
        "import sys; from PySide6.QtWidgets import QApplication; from pathlib import Path\n"
        "from cxr_desktop import start\n"
        "from cxr_desktop.state.places import Places\n"
        "a = QApplication([]); start.apply_theme(a)\n"
        "w = start.open_window(Places.of_user(), [])\n"
        "w.painted.disconnect()\n"
        "w.painted.connect(a.quit); w.show(); a.exec()\n"
        f"print(sorted(set({HEAVY!r}) & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert (ran.returncode, ran.stdout.strip()) == (0, "[]"), ran.stderr


@pytest.fixture
def window(qtbot: QtBot, tmp_path: Path) -> MainWindow:
    made = MainWindow(ViewerSettings(), tmp_path / "window.ini")
    qtbot.addWidget(made)
    return made


def test_every_command_is_in_its_menu_and_no_key_is_used_twice(window: MainWindow) -> None:
    for menu in MENUS:
        shown = {action.objectName() for action in window.menus[menu].actions()}
        assert {command.name for command in COMMANDS if command.menu == menu} <= shown
    assert key_conflicts({}) == []
    assert key_conflicts({"ask": "F"}) == [("F", "fit", "ask")]


def test_on_a_small_screen_no_tool_is_out_of_sight(window: MainWindow, qtbot: QtBot) -> None:
    window.resize(1024, 768)
    with qtbot.waitExposed(window):
        window.show()
    buttons = [window.bar.widgetForAction(action) for action in window.bar.actions()]
    assert all(button.isVisible() for button in buttons)


def test_the_film_stands_alone_and_the_panels_come_back_as_they_were(tmp_path: Path, qtbot: QtBot) -> None:
    def shown(window: MainWindow) -> list[str]:
        return [name for name, dock in window.docks.items() if not dock.isHidden()]

    first = MainWindow(ViewerSettings(), tmp_path / "window.ini")
    qtbot.addWidget(first)
    first.show()
    first.docks["tags"].show()
    before = shown(first)
    first.actions_["film_alone"].trigger()
    assert shown(first) == []
    first.actions_["film_alone"].trigger()
    assert shown(first) == before
    first.actions_["film_alone"].trigger()
    first.close()
    second = MainWindow(ViewerSettings(), tmp_path / "window.ini")  # the next start does not begin without them
    qtbot.addWidget(second)
    second.show()
    assert shown(second) == before


def test_without_an_image_only_what_needs_none_can_be_given(window: MainWindow) -> None:
    on = {command.name for command in COMMANDS if window.actions_[command.name].isEnabled()}
    assert on == {command.name for command in COMMANDS if command.needs == "nothing"}
    window.actions_.set_available({"image"})
    assert window.actions_["fit"].isEnabled()
    assert not window.actions_["show_map"].isEnabled()


def test_the_reader_may_change_a_key_or_take_it_away(qtbot: QtBot) -> None:
    window = MainWindow(ViewerSettings(shortcuts={"ask": "Q", "fit": ""}))
    qtbot.addWidget(window)
    assert window.actions_["ask"].shortcut() == QKeySequence("Q")
    assert window.actions_["fit"].shortcut().isEmpty()


def test_the_strip_is_always_there(window: MainWindow) -> None:
    window.show()
    strip = window.findChild(QLabel, "strip")
    assert strip is not None
    assert strip.isVisible()
    assert strip.text() == "Research use only, not for diagnosis"


def test_docks_stand_where_they_were_left(qtbot: QtBot, tmp_path: Path) -> None:
    first = MainWindow(ViewerSettings(), tmp_path / "window.ini")
    qtbot.addWidget(first)
    first.show()
    first.docks["studies"].setVisible(False)
    first.docks["batch"].setVisible(True)
    first.close()
    second = MainWindow(ViewerSettings(), tmp_path / "window.ini")
    qtbot.addWidget(second)
    second.show()
    assert [second.docks[name].isVisible() for name in ("studies", "batch")] == [False, True]


def test_dropped_files_are_told(window: MainWindow, qtbot: QtBot) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile("/a/film.dcm"), QUrl("https://example.org/x")])
    event = QDropEvent(
        QPointF(QPoint(5, 5)), Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    )
    with qtbot.waitSignal(window.dropped) as told:
        window.dropEvent(event)
    assert told.args == [["/a/film.dcm"]]


def test_what_is_dropped_on_the_first_page_reaches_the_window(window: MainWindow, qtbot: QtBot) -> None:
    page = Welcome([])
    window.middle.addWidget(page)
    with qtbot.waitExposed(window):
        window.show()
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile("/a/film.dcm")])
    none, left, copy = Qt.KeyboardModifier.NoModifier, Qt.MouseButton.LeftButton, Qt.DropAction.CopyAction
    QApplication.sendEvent(page.samples, QDragEnterEvent(QPoint(5, 5), copy, data, left, none))
    with qtbot.waitSignal(window.dropped) as told:
        QApplication.sendEvent(page.samples, QDropEvent(QPointF(5, 5), copy, data, left, none))
    assert told.args == [["/a/film.dcm"]]


def test_messages_stand_newest_first_until_they_are_closed(qtbot: QtBot) -> None:
    bar = MessageBar()
    qtbot.addWidget(bar)
    for number in range(6):
        bar.tell(f"message {number}")
    bar.tell("message 4", "warning")
    assert bar.texts() == ["message 4", "message 5", "message 3", "message 2"]
    assert bar.close_newest()
    assert bar.texts()[0] == "message 5"
    while bar.close_newest():
        pass
    assert bar.isHidden()


def test_words_stand_out_from_their_ground(qtbot: QtBot) -> None:
    """4.5 to 1 at least (WCAG 2.2, 1.4.3), in every pair of roles that words are written in."""
    application = QApplication.instance()
    assert isinstance(application, QApplication)
    apply_theme(application)
    palette = application.palette()

    def luminance(role: object) -> float:
        channels = palette.color(role).getRgbF()[:3]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    roles = palette.ColorRole
    pairs = [
        (roles.WindowText, roles.Window),
        (roles.Text, roles.Base),
        (roles.Text, roles.AlternateBase),
        (roles.ButtonText, roles.Button),
        (roles.HighlightedText, roles.Highlight),
        (roles.ToolTipText, roles.ToolTipBase),
        (roles.Link, roles.Window),
        (roles.PlaceholderText, roles.Base),
    ]
    for front, back in pairs:
        light, dark = sorted((luminance(front), luminance(back)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (front, back)
