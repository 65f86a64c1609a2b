"""The first page."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from cxr_desktop.panels.welcome import Welcome


def test_one_key_opens_the_samples(qtbot: QtBot) -> None:
    page = Welcome([("W", "window/level"), ("V", "ask the model")])
    qtbot.addWidget(page)
    with qtbot.waitExposed(page):
        page.show()
    page.activateWindow()
    page.setFocus()
    qtbot.waitUntil(page.samples.hasFocus)
    with qtbot.waitSignal(page.samplesWanted):
        qtbot.keyClick(page.samples, Qt.Key.Key_Space)
    for button, signal in ((page.files, page.filesWanted), (page.folder, page.folderWanted)):
        with qtbot.waitSignal(signal):
            qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def test_says_what_it_is_and_names_the_keys(qtbot: QtBot) -> None:
    page = Welcome([("W", "window/level"), ("<", "a key that is no markup")])
    qtbot.addWidget(page)
    texts = [label.text() for label in page.findChildren(QLabel)]
    assert any("not a medical device" in text for text in texts)
    assert texts[-4:] == ["W", "window/level", "<", "a key that is no markup"]


def test_keys_that_the_reader_changed_are_named(qtbot: QtBot) -> None:
    page = Welcome([("W", "window/level"), ("V", "ask the model")])
    qtbot.addWidget(page)
    page.set_keys([("Q", "window/level")])

    def named() -> list[str]:
        return [label.text() for label in page.findChildren(QLabel)]

    qtbot.waitUntil(lambda: "ask the model" not in named())
    assert named()[-2:] == ["Q", "window/level"]
