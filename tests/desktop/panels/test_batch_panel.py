"""The batch panel over a real run: states in words, order by choice, an item opened by double click or Enter."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QAbstractItemModel, QModelIndex, Qt
from PySide6.QtTest import QAbstractItemModelTester
from pytestqt.qtbot import QtBot

from cxr_core.samples import sample_folder
from cxr_core.settings import Settings
from cxr_desktop.panels.batch import BatchPanel
from cxr_desktop.panels.batch_table import BatchTable
from cxr_desktop.state.batch import BatchList
from cxr_desktop.workers.batch_run import BatchRun
from cxr_desktop.workers.inference import Inference
from tests.desktop import answers_builder as made

PATIENCE_MS = 60_000


@pytest.fixture
def panel(qtbot: QtBot) -> Iterator[BatchPanel]:
    inference = Inference(Settings())
    shown = BatchPanel(BatchRun(inference, inference))
    qtbot.addWidget(shown)
    shown.resize(1000, 300)
    shown.show()
    yield shown
    inference.stop()


@pytest.fixture
def folder(tmp_path: Path) -> str:
    shutil.copytree(sample_folder(), tmp_path / "films")
    (tmp_path / "films" / "zzz.dcm").write_bytes(b"no film at all, nor anything else")
    return str(tmp_path / "films")


def column(model: QAbstractItemModel, number: int) -> list[str]:
    return [model.index(row, number, QModelIndex()).data() for row in range(model.rowCount(QModelIndex()))]


def test_before_a_run(qtbot: QtBot, panel: BatchPanel) -> None:
    assert panel.note.text() == "No folder was analysed yet."
    assert not panel.cancel_button.isEnabled()
    assert not panel.export_button.isEnabled()
    assert not panel.progress.isVisible()
    with qtbot.waitSignal(panel.runRequested):
        panel.start_button.click()


def test_a_run(qtbot: QtBot, panel: BatchPanel, folder: str) -> None:
    with qtbot.waitSignal(panel.run.finished, timeout=PATIENCE_MS):
        panel.run.start(folder, None)
        panel.begin(folder)
        assert panel.note.text() == f"Listing {folder}"
        assert panel.cancel_button.isEnabled()
        assert panel.progress.isVisible()
        assert not panel.start_button.isEnabled()
        assert not panel.export_button.isEnabled()
    model = panel.model
    assert column(model, 0) == sorted(path.name for path in Path(folder).iterdir())
    assert column(model, 1) == ["Answered", "Answered", "Verdict withheld", "Refused", "Verdict withheld", "Failed"]
    assert column(model, 2)[3].startswith("Not analysed, refused: lateral view")
    assert column(model, 3) == ["above 0.99", "above 0.99", "", "", "", ""]
    assert panel.note.text() == "Answered: 2   Verdict withheld: 2   Refused: 1   Failed: 1"
    assert panel.start_button.isEnabled()
    assert panel.export_button.isEnabled()
    assert not panel.progress.isVisible()
    with qtbot.waitSignal(panel.exportRequested):
        panel.export_button.click()


def test_cancel(qtbot: QtBot, panel: BatchPanel, folder: str) -> None:
    panel.run.changed.connect(lambda number: panel.cancel_button.click() if number == 1 else None)
    with qtbot.waitSignal(panel.run.finished, timeout=PATIENCE_MS):
        panel.run.start(folder, None)
        panel.begin(folder)
    assert column(panel.model, 1) == ["Answered", *["Cancelled, not analysed"] * 5]
    assert panel.note.text() == "Answered: 1   Cancelled, not analysed: 5"
    assert panel.start_button.isEnabled()


def test_a_model_that_cannot_be_used(qtbot: QtBot, panel: BatchPanel, folder: str) -> None:
    with qtbot.waitSignal(panel.run.failed, timeout=PATIENCE_MS):
        panel.run.start(folder, "nix")
        panel.begin(folder)
    assert panel.note.text().startswith("no model named nix")
    assert panel.start_button.isEnabled()


def test_an_item_is_opened_by_double_click_or_enter(qtbot: QtBot, panel: BatchPanel) -> None:
    panel.run.items.add(["/films/a.dcm", "/films/b.zip!c.dcm"])
    panel.model.set_items(panel.run.items)
    assert column(panel.model, 0) == ["a.dcm", "c.dcm"]
    place = panel.table.visualRect(panel.model.index(1, 0)).center()
    viewport = panel.table.viewport()
    with qtbot.waitSignal(panel.openRequested) as told:
        qtbot.mouseClick(viewport, Qt.MouseButton.LeftButton, pos=place)
        qtbot.mouseDClick(viewport, Qt.MouseButton.LeftButton, pos=place)
    assert told.args == ["/films/b.zip!c.dcm"]
    panel.table.setCurrentIndex(panel.model.index(0, 0))
    with qtbot.waitSignal(panel.openRequested) as told:
        qtbot.keyClick(panel.table, Qt.Key.Key_Return)
    assert told.args == ["/films/a.dcm"]


def test_the_reader_sorts_and_the_chosen_file_stays_chosen(panel: BatchPanel) -> None:
    items = panel.run.items
    items.add(["low", "refused", "high"])
    panel.model.set_items(items)
    panel.table.setCurrentIndex(panel.model.index(0, 0))
    for number, answer in enumerate((made.answer(0.1), made.refused(), made.answer(0.9))):
        items.answer(number, answer)
        panel.model.tell_changed(number)
    assert column(panel.model, 0) == ["low", "refused", "high"]  # nothing moves by itself
    panel.order.setCurrentIndex(1)
    assert column(panel.model, 0) == ["high", "refused", "low"]
    assert panel.table.currentIndex().row() == 2
    panel.order.setCurrentIndex(0)
    assert panel.table.currentIndex().row() == 0


def test_sorted_by_score_a_new_answer_takes_its_place(qtbot: QtBot, panel: BatchPanel, folder: str) -> None:
    panel.order.setCurrentIndex(1)
    with qtbot.waitSignal(panel.run.finished, timeout=PATIENCE_MS):
        panel.run.start(folder, None)
        panel.begin(folder)
    assert column(panel.model, 1)[:2] == ["Answered", "Answered"]
    scores = [panel.model.item(row).score for row in range(2)]
    assert scores == sorted(scores, reverse=True)


def test_the_table_keeps_the_rules_of_models(qtbot: QtBot) -> None:
    table = BatchTable()
    tester = QAbstractItemModelTester(table, QAbstractItemModelTester.FailureReportingMode.Fatal)
    items = BatchList()
    items.add(["a", "b", "c"])
    table.set_items(items)
    items.answer(2, made.positive())
    table.tell_changed(2)
    table.set_order("score")
    assert tester.model() is table
    assert column(table, 0) == ["c", "a", "b"]
    assert table.index(0, 0).data(Qt.ItemDataRole.ToolTipRole) == "c"
