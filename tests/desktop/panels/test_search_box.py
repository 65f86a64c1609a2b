"""The box above the trees, by keyboard."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QStringListModel, Qt
from PySide6.QtGui import QShortcut
from PySide6.QtWidgets import QTreeView, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from cxr_desktop.panels.page_keys import keep_page_keys
from cxr_desktop.panels.search_box import SearchBox


@pytest.fixture
def window(qtbot: QtBot) -> QWidget:
    made = QWidget()
    tree = QTreeView(made)
    tree.setModel(QStringListModel([f"row {number}" for number in range(200)], tree))
    rows = QVBoxLayout(made)
    rows.addWidget(SearchBox(tree, "what to look for", "Search", made))
    rows.addWidget(tree)
    qtbot.addWidget(made)
    with qtbot.waitExposed(made):
        made.show()
    made.activateWindow()
    qtbot.waitUntil(made.isActiveWindow)
    return made


def given(window: QWidget, key: Qt.Key) -> list[str]:
    """What the window hears of a key on which it has a command."""
    heard: list[str] = []
    QShortcut(key, window, lambda: heard.append("command"))
    return heard


def test_escape_empties_the_box_and_then_is_the_windows(window: QWidget, qtbot: QtBot) -> None:
    heard = given(window, Qt.Key.Key_Escape)
    box = window.findChild(SearchBox)
    box.setFocus()
    qtbot.keyClicks(box, "anna")
    qtbot.keyClick(box, Qt.Key.Key_Escape)
    assert (box.text(), heard) == ("", [])
    qtbot.keyClick(box, Qt.Key.Key_Escape)
    assert heard == ["command"]


def test_the_arrow_leads_to_the_first_row_and_stays_where_one_is_chosen(window: QWidget, qtbot: QtBot) -> None:
    box, tree = window.findChild(SearchBox), window.findChild(QTreeView)
    for chosen in (0, 3):
        tree.setCurrentIndex(tree.model().index(chosen, 0) if chosen else tree.rootIndex())
        box.setFocus()
        qtbot.keyClick(box, Qt.Key.Key_Down)
        assert window.focusWidget() is tree
        assert tree.currentIndex().row() == chosen


def test_page_keys_stay_in_a_list_that_keeps_them(window: QWidget, qtbot: QtBot) -> None:
    heard = given(window, Qt.Key.Key_PageDown)
    tree = window.findChild(QTreeView)
    tree.setCurrentIndex(tree.model().index(0, 0))
    tree.setFocus()
    qtbot.keyClick(tree, Qt.Key.Key_PageDown)
    assert (heard, tree.currentIndex().row()) == (["command"], 0)
    keep_page_keys(tree)
    qtbot.keyClick(tree, Qt.Key.Key_PageDown)
    assert heard == ["command"]
    assert tree.currentIndex().row() > 0
