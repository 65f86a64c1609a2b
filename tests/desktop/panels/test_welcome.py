"""The first page."""

from __future__ import annotations

from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
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


def test_drop(qtbot: QtBot) -> None:
    page = Welcome([])
    qtbot.addWidget(page)
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile("/films")])
    event = QDropEvent(
        QPointF(10, 10), Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    )
    with qtbot.waitSignal(page.dropped) as dropped:
        page.dropEvent(event)
    assert dropped.args == [["/films"]]
