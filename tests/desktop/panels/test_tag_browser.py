"""The tag browser: tree, search, copy."""

from __future__ import annotations

import pydicom
import pytest
from pydicom.dataset import Dataset
from PySide6.QtCore import QModelIndex, Qt
from PySide6.QtGui import QGuiApplication
from pytestqt.modeltest import ModelTester
from pytestqt.qtbot import QtBot

from cxr_desktop.panels.tag_browser import TagBrowser
from cxr_desktop.panels.tag_model import NAME, VALUE
from tests.dicom_builder import header


def nested() -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "272479007", "SCT", "postero-anterior"
    data_set = header(ViewCodeSequence=[code], ImageComments="x" * 5000)
    data_set.private_block(0x0011, "SYNTHETIC MAKER", create=True).add_new(0x01, "LO", "secret setting")
    return data_set


@pytest.fixture
def browser(qtbot: QtBot) -> TagBrowser:
    browser = TagBrowser()
    qtbot.addWidget(browser)
    with qtbot.waitExposed(browser):
        browser.show()
    browser.show_data_set(nested(), "film.dcm")
    return browser


def rows(browser: TagBrowser) -> list[tuple[str, str]]:
    model = browser.model
    return [
        (model.data(model.index(row, NAME)), model.data(model.index(row, VALUE))) for row in range(model.rowCount())
    ]


def find(browser: TagBrowser, qtbot: QtBot, typed: str) -> list[tuple[str, str]]:
    browser.search.setText(typed)
    qtbot.waitUntil(lambda: ", found: " in browser.status.text())
    return rows(browser)


def row_of(browser: TagBrowser, keyword: str) -> QModelIndex:
    names = [name for name, _ in rows(browser)]
    return browser.model.index(names.index(keyword), 0)


def test_model_keeps_qts_contract(browser: TagBrowser, qtmodeltester: ModelTester, qtbot: QtBot) -> None:
    qtmodeltester.check(browser.model)
    browser.tree.expandAll()
    find(browser, qtbot, "code")


def test_tree_with_nested_items(browser: TagBrowser) -> None:
    assert ("PatientName", "SYNTHETIC^TEST") in rows(browser)
    view = row_of(browser, "ViewCodeSequence")
    item = browser.model.index(0, 0, view)
    assert browser.model.data(item) == "Item 1"
    assert browser.model.parent(item) == view
    values = [browser.model.data(browser.model.index(row, VALUE, item)) for row in range(browser.model.rowCount(item))]
    assert values == ["272479007", "SCT", "postero-anterior"]
    assert browser.status.text().startswith("film.dcm, Elements: ")


def test_private_elements_are_told_by_name_and_style(browser: TagBrowser) -> None:
    index = row_of(browser, "Private (SYNTHETIC MAKER): Private tag data")
    assert browser.model.data(index, Qt.ItemDataRole.FontRole).italic()
    assert browser.model.data(row_of(browser, "PatientName"), Qt.ItemDataRole.FontRole) is None


def test_search_lists_what_is_found_with_its_path(browser: TagBrowser, qtbot: QtBot) -> None:
    assert find(browser, qtbot, "postero") == [("ViewCodeSequence > Item 1 > CodeMeaning", "postero-anterior")]
    assert browser.status.text().endswith("found: 1")
    assert not browser.model.hasChildren(browser.model.index(0, 0))
    browser.search.setFocus()
    qtbot.keyClick(browser.search, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: len(rows(browser)) > 10)


def test_search_of_a_large_data_set_goes_in_slices(qtbot: QtBot, browser: TagBrowser) -> None:
    items = []
    for number in range(5000):
        item = Dataset()
        item.CodeValue, item.CodeMeaning = str(number), f"meaning {number}"
        items.append(item)
    browser.show_data_set(header(ViewCodeSequence=items))
    browser.search.setText("meaning")
    qtbot.waitUntil(lambda: "found so far: " in browser.status.text() and browser.model.rowCount() > 0)
    assert browser.model.rowCount() < 5000
    qtbot.waitUntil(lambda: ", found: 5000" in browser.status.text(), timeout=60_000)
    assert browser.model.rowCount() == 5000


def test_another_data_set_ends_the_search_of_the_last(qtbot: QtBot, browser: TagBrowser) -> None:
    browser.search.setText("patient")
    browser._begin_search()
    browser.show_data_set(header(PatientID="OTHER"), "other.dcm")
    assert ("PatientID", "OTHER") in find(browser, qtbot, "patient")
    browser.show_data_set(None, "a.png holds no DICOM elements")
    assert rows(browser) == []
    assert browser.status.text() == "a.png holds no DICOM elements"
    assert not browser.search.isEnabled()


def test_copying_gives_the_whole_value(browser: TagBrowser, qtbot: QtBot) -> None:
    browser.tree.setCurrentIndex(row_of(browser, "ImageComments"))
    browser.tree.setFocus()
    qtbot.keyClick(browser.tree, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QGuiApplication.clipboard().text() == "x" * 5000
    browser.tree.setCurrentIndex(row_of(browser, "PatientName"))
    browser.copy_row()
    assert QGuiApplication.clipboard().text() == "(0010,0010)\tPN\tPatientName\tSYNTHETIC^TEST"


def test_keyboard_leads_from_the_search_into_the_tree(browser: TagBrowser, qtbot: QtBot) -> None:
    browser.activateWindow()
    browser.search.setFocus()
    qtbot.keyClick(browser.search, Qt.Key.Key_Down)
    qtbot.waitUntil(browser.tree.hasFocus)
    assert browser.tree.currentIndex() == browser.model.index(0, 0)
    for control in (browser.search, browser.tree, browser.status):
        assert control.accessibleName()


def test_data_set_of_a_file(browser: TagBrowser) -> None:
    from cxr_core.samples import sample_folder

    browser.show_data_set(pydicom.dcmread(sample_folder() / "synthetic-1-child.dcm"))
    assert rows(browser)[0][0] == "FileMetaInformationGroupLength"
    assert rows(browser)[-1][0] == "PixelData"
    assert rows(browser)[-1][1].startswith("binary, ")
