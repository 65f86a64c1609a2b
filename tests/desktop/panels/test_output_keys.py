"""Each key with Alt does one thing in a dialog, and Tab reaches everything that can be changed."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractButton, QAbstractSpinBox, QComboBox, QDialog, QLabel, QLineEdit, QWidget
from pytestqt.qtbot import QtBot

from cxr_desktop.panels.anonymise_dialog import AnonymiseDialog
from cxr_desktop.panels.export_dialog import picture_dialog, report_dialog
from cxr_desktop.panels.results_dialog import ResultsDialog
from tests.desktop.answers_builder import positive
from tests.desktop.output.results_builder import answered_film
from tests.desktop.panels.test_export_dialog import shown
from tests.desktop.panels.test_results_dialog import Encoder

DIALOGS = {
    "picture": lambda folder: picture_dialog(shown(), folder),
    "report": lambda folder: report_dialog(shown(), [positive()], [], folder),
    "results": lambda folder: ResultsDialog([answered_film(positive())], Encoder(), [], folder),  # type: ignore[arg-type]  # as the process
    "anonymise": lambda folder: AnonymiseDialog([shown().loaded.record] * 2, [shown().loaded], folder),
}


@pytest.fixture(params=DIALOGS)
def dialog(request: pytest.FixtureRequest, qtbot: QtBot, tmp_path: Path) -> QDialog:
    made = DIALOGS[request.param](tmp_path)
    qtbot.addWidget(made)
    made.open()
    qtbot.waitExposed(made)
    return made


def test_no_two_controls_have_one_key(dialog: QDialog) -> None:
    texts = [button.text() for button in dialog.findChildren(QAbstractButton)]
    texts += [label.text() for label in dialog.findChildren(QLabel) if label.buddy() is not None]
    keys = [found[1].casefold() for text in texts if (found := re.search(r"&([A-Za-z])", text))]
    assert keys
    assert [key for key, count in Counter(keys).items() if count > 1] == []


def test_tab_reaches_all_that_can_be_changed(dialog: QDialog) -> None:
    wanted = {
        widget
        for kind in (QAbstractButton, QComboBox, QLineEdit, QAbstractSpinBox)
        for widget in dialog.findChildren(kind)
        if widget.isEnabled() and widget.isVisible() and widget.focusPolicy() & Qt.FocusPolicy.TabFocus
    }
    wanted = {widget for widget in wanted if not isinstance(widget.parent(), QAbstractSpinBox)}
    reached: set[QWidget] = set()
    at: QWidget = dialog
    while at not in reached:
        reached.add(at)
        at = at.nextInFocusChain()
    assert wanted - reached == set()
    assert all(one.accessibleName() or getattr(one, "text", str)() or _labelled(one, dialog) for one in wanted)


def _labelled(widget: QWidget, dialog: QDialog) -> bool:
    return any(label.buddy() is widget for label in dialog.findChildren(QLabel))
