"""The study browser: what it shows, and what it says that a person wants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QModelIndex, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QColor, QDropEvent, QImage, QKeySequence, QShortcut
from pytestqt.modeltest import ModelTester
from pytestqt.qtbot import QtBot

from cxr_desktop.panels.study_browser import StudyBrowser
from cxr_desktop.panels.study_model import PAGE
from cxr_desktop.state.records import InstanceRecord
from cxr_desktop.state.search import searched_text
from cxr_desktop.workers.scan_messages import Listed


def record(name: str, patient: str = "P1", study: str = "S1", date: str = "20240101", **fields: str) -> InstanceRecord:
    values = {"kind": "image", "patient_name": f"NAME^{patient}", **fields}
    return InstanceRecord(
        f"/films/{name}",
        patient_id=patient,
        study_instance_uid=study,
        study_date=date,
        sop_instance_uid=f"uid-{name}",
        rows=96,
        columns=80,
        **values,
    )


def listed(records: Sequence[InstanceRecord], total: int = 0) -> Listed:
    return Listed(tuple(records), tuple(map(searched_text, records)), len(records), total)


RECORDS = [
    record("old", "P1", "S1", "20200101", view_position="PA"),
    record("new", "P1", "S2", "20240101", view_position="AP"),
    record("a", "P2", "S3", "20230101", instance_number="1"),
    record("b", "P2", "S3", "20230101", instance_number="2"),
    record("sr", "P2", "S3", "20230101", kind="result", reason="a result object of this program"),
    InstanceRecord("/films/bad.dcm", "failed", "an empty file; expected a DICOM, JPEG or PNG image; check"),
]


@pytest.fixture
def browser(qtbot: QtBot) -> StudyBrowser:
    browser = StudyBrowser()
    qtbot.addWidget(browser)
    browser.resize(340, 700)
    with qtbot.waitExposed(browser):
        browser.show()
    return browser


@pytest.fixture
def filled(browser: StudyBrowser) -> StudyBrowser:
    browser.add(listed(RECORDS, len(RECORDS)))
    return browser


def shown(browser: StudyBrowser, parent: QModelIndex | None = None) -> list[object]:
    """The visible tree: text of each row, followed by a list of what is below it where it is open."""
    rows: list[object] = []
    parent = parent or QModelIndex()
    for row in range(browser.model.rowCount(parent)):
        index = browser.model.index(row, 0, parent)
        rows.append(browser.model.data(index))
        if browser.tree.isExpanded(index):
            rows.append(shown(browser, index))
    return rows


def go_to(browser: StudyBrowser, name: str) -> None:
    found = browser.model.browser.record(f"/films/{name}")
    assert found is not None
    browser.select(found)


def test_patients_newest_first_with_what_happened_to_each_file(filled: StudyBrowser) -> None:
    assert shown(filled) == [
        "NAME, P1\nID P1",
        ["2024-01-01\nAP\nNot analysed", "2020-01-01\nPA\nNot analysed"],
        "NAME, P2\nID P2",
        [
            "2023-01-01\n3 files",
            [
                "80 x 96 pixels\nNot analysed",
                "80 x 96 pixels\nNot analysed",
                "80 x 96 pixels\na result object of this program",
            ],
        ],
        "Could not be read\n1 file",
        ["bad.dcm\nCannot be read\nan empty file"],
    ]
    assert filled.status.text() == "Files: 6, could not be read: 1"


def test_model_keeps_qts_contract_while_records_come_and_go(browser: StudyBrowser, qtmodeltester: ModelTester) -> None:
    qtmodeltester.check(browser.model)
    for one in RECORDS:
        browser.add(listed([one]))
        browser.tree.setCurrentIndex(browser.model.index_of(one))
    browser.search.setText("p2")
    browser._find()
    browser.model.remove([RECORDS[2].name])
    browser.search.clear()
    browser._find()
    browser.clear()
    assert browser.model.rowCount() == 0


def test_current_row_and_open_patients_stay_while_records_arrive(browser: StudyBrowser) -> None:
    browser.add(listed(RECORDS[:2]))
    go_to(browser, "old")
    browser.tree.collapse(browser.model.index(0, 0))
    browser.tree.expand(browser.model.index(0, 0))
    browser.add(listed([record("newest", "P9", "S9", "20250101")]))
    assert browser.current() == RECORDS[0]
    assert browser.model.data(browser.model.index(0, 0)) == "NAME, P9\nID P9"
    assert shown(browser)[3] == ["2024-01-01\nAP\nNot analysed", "2020-01-01\nPA\nNot analysed"]


def test_patient_that_was_closed_by_hand_stays_closed(filled: StudyBrowser) -> None:
    filled.tree.collapse(filled.model.index(0, 0))
    filled.add(listed([record("more", "P1", "S5", "20220101")]))
    assert shown(filled)[:2] == ["NAME, P1\nID P1", "NAME, P2\nID P2"]


def test_study_that_was_closed_by_hand_stays_closed(filled: StudyBrowser) -> None:
    filled.tree.collapse(filled.model.index(0, 0, filled.model.index(1, 0)))
    filled.add(listed([record("c", "P2", "S3", "20230101", instance_number="3")]))
    assert shown(filled)[3] == ["2023-01-01\n4 files"]


def test_study_that_gets_a_second_image_opens_up(browser: StudyBrowser) -> None:
    browser.add(listed([RECORDS[2]]))
    go_to(browser, "a")
    browser.add(listed([RECORDS[3]]))
    assert shown(browser) == [
        "NAME, P2\nID P2",
        ["2023-01-01\n2 files", ["80 x 96 pixels\nNot analysed", "80 x 96 pixels\nNot analysed"]],
    ]
    assert browser.current() == RECORDS[2]


def test_search_shows_what_is_found(filled: StudyBrowser, qtbot: QtBot) -> None:
    qtbot.keyClicks(filled.search, "p1 2020")
    qtbot.waitUntil(lambda: shown(filled) == ["NAME, P1\nID P1", ["2020-01-01\nPA\nNot analysed"]])
    assert filled.status.text().endswith("patients found: 1")
    qtbot.keyClick(filled.search, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: len(shown(filled)) == 6)


def test_escape_in_the_search_box_comes_before_the_windows_own(filled: StudyBrowser, qtbot: QtBot) -> None:
    pressed: list[bool] = []
    QShortcut(QKeySequence(Qt.Key.Key_Escape), filled, activated=lambda: pressed.append(True))
    filled.activateWindow()
    filled.search.setFocus()
    qtbot.waitUntil(filled.search.hasFocus)
    filled.search.setText("p1")
    qtbot.keyClick(filled.search, Qt.Key.Key_Escape)
    assert (filled.search.text(), pressed) == ("", [])
    qtbot.keyClick(filled.search, Qt.Key.Key_Escape)
    assert pressed == [True]


def test_20000_files_are_counted_and_searched(browser: StudyBrowser) -> None:
    many = [record(f"{number}", f"P{number}", f"S{number}", f"{2000 + number % 20}0101") for number in range(20_000)]
    for first in range(0, 20_000, 2000):
        browser.add(listed(many[first : first + 2000]))
    assert browser.status.text() == "Files: 20000"
    assert browser.model.rowCount() == PAGE
    assert browser.model.data(browser.model.index(0, 0)) == "NAME, P19\nID P19"
    browser.search.setText("p19999")
    browser._find()
    assert shown(browser) == ["NAME, P19999\nID P19999", ["2019-01-01\n80 x 96 pixels\nNot analysed"]]


def test_all_by_keyboard(filled: StudyBrowser, qtbot: QtBot) -> None:
    filled.activateWindow()
    filled.search.setFocus()
    qtbot.keyClick(filled.search, Qt.Key.Key_Down)
    assert filled.tree.currentIndex() == filled.model.index(0, 0)
    qtbot.keyClick(filled.tree, Qt.Key.Key_Down)
    with qtbot.waitSignal(filled.chosen) as chosen:
        qtbot.keyClick(filled.tree, Qt.Key.Key_Return)
    assert chosen.args == [RECORDS[1]]
    qtbot.keyClick(filled.tree, Qt.Key.Key_Down)
    qtbot.waitUntil(filled.tree.hasFocus)
    with qtbot.waitSignal(filled.chosenAsPrior) as chosen, qtbot.assertNotEmitted(filled.chosen):
        qtbot.keyClick(filled.tree, Qt.Key.Key_Return, Qt.KeyboardModifier.ShiftModifier)
    assert chosen.args == [RECORDS[0]]


def test_double_click_opens(filled: StudyBrowser, qtbot: QtBot) -> None:
    place = filled.tree.visualRect(filled.model.index_of(RECORDS[0])).center()
    qtbot.mouseClick(filled.tree.viewport(), Qt.MouseButton.LeftButton, pos=place)
    with qtbot.waitSignal(filled.chosen) as chosen:
        qtbot.mouseDClick(filled.tree.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert chosen.args == [RECORDS[0]]


@pytest.mark.parametrize(
    ("name", "enabled"),
    [
        ("new", {"open", "prior", "tags", "folder", "remove"}),
        ("sr", {"open", "tags", "folder", "remove"}),
        ("bad.dcm", {"tags", "folder", "remove"}),
    ],
)
def test_menu_offers_what_can_be_done(filled: StudyBrowser, name: str, enabled: set[str]) -> None:
    go_to(filled, name)
    assert {name for name, action in filled.actions_.items() if action.isEnabled()} == enabled


@pytest.mark.parametrize("name", ["bad.dcm", "sr"])
def test_return_on_what_cannot_be_shown_is_not_passed_over(filled: StudyBrowser, qtbot: QtBot, name: str) -> None:
    go_to(filled, name)
    with qtbot.waitSignal(filled.chosen) as chosen:
        qtbot.keyClick(filled.tree, Qt.Key.Key_Return)
    assert [record.name for record in chosen.args] == [f"/films/{name}"]
    with qtbot.assertNotEmitted(filled.chosenAsPrior):
        qtbot.keyClick(filled.tree, Qt.Key.Key_Return, Qt.KeyboardModifier.ShiftModifier)


def test_tags_are_asked_for(filled: StudyBrowser, qtbot: QtBot) -> None:
    go_to(filled, "bad.dcm")
    with qtbot.waitSignal(filled.tagsWanted) as wanted:
        filled.actions_["tags"].trigger()
    assert wanted.args == [RECORDS[5]]


def test_removing_a_patient_removes_their_files_from_the_list(filled: StudyBrowser, qtbot: QtBot) -> None:
    filled.tree.setCurrentIndex(filled.model.index(1, 0))
    with qtbot.waitSignal(filled.removed) as removed:
        filled.actions_["remove"].trigger()
    assert removed.args == [["/films/a", "/films/b", "/films/sr"]]
    assert filled.status.text() == "Files: 3, could not be read: 1"


def test_answer_state_is_words_beside_the_image(filled: StudyBrowser) -> None:
    filled.set_answer_state("/films/new", "Withheld: out of domain")
    filled.set_answer_state("/films/nowhere", "Answered")
    assert shown(filled)[1] == ["2024-01-01\nAP\nWithheld: out of domain", "2020-01-01\nPA\nNot analysed"]
    index = filled.model.index_of(RECORDS[1])
    assert filled.model.data(index, Qt.ItemDataRole.AccessibleTextRole) == "2024-01-01. AP. Withheld: out of domain"
    filled.set_answer_state("/films/new", "")
    assert shown(filled)[1] == ["2024-01-01\nAP\nNot analysed", "2020-01-01\nPA\nNot analysed"]


def test_answers_of_earlier_days_are_told_without_their_content(browser: StudyBrowser) -> None:
    browser.add(replace(listed(RECORDS[:2]), answered=("uid-old",)))
    assert shown(browser)[1] == ["2024-01-01\nAP\nNot analysed", "2020-01-01\nPA\nAnswered before"]
    browser.set_answer_state("/films/old", "Withheld")
    browser.add(replace(listed(RECORDS[:2]), answered=("uid-old",)))
    assert shown(browser)[1] == ["2024-01-01\nAP\nNot analysed", "2020-01-01\nPA\nWithheld"]


def test_what_was_said_of_a_film_stands_beside_no_other_film(browser: StudyBrowser) -> None:
    one = replace(record("one", "P1", "S1", "20240101"), sop_instance_uid="uid")
    other = replace(record("other", "P2", "S2", "20230101"), sop_instance_uid="uid")
    browser.add(listed([one, other]))
    browser.set_answer_state(one.name, "Negative")
    assert [rows[0].splitlines()[-1] for rows in shown(browser)[1::2]] == ["Negative", "Not analysed"]
    browser.set_thumbnail(one.name, QImage(8, 8, QImage.Format.Format_Grayscale8))
    assert not browser.model.wants_thumbnail(one)
    browser.add(listed([replace(one, patient_id="P9"), other]))  # the file was replaced
    assert browser.model.wants_thumbnail(one)
    assert "Negative" not in str(shown(browser))


def test_reason_and_place_are_in_the_tool_tip(filled: StudyBrowser) -> None:
    tip = filled.model.data(filled.model.index_of(RECORDS[5]), Qt.ItemDataRole.ToolTipRole)
    assert tip.splitlines()[-2:] == [RECORDS[5].reason, RECORDS[5].name]


def test_visible_thumbnails_are_asked_for_once(filled: StudyBrowser, qtbot: QtBot) -> None:
    with qtbot.waitSignal(filled.thumbnailsWanted) as wanted:
        filled._look()
    assert wanted.args == [["/films/new", "/films/old", "/films/a", "/films/b", "/films/sr"]]
    grey = QImage(48, 32, QImage.Format.Format_Grayscale8)
    grey.fill(QColor(90, 90, 90))
    filled.set_thumbnail("/films/new", grey)
    filled.set_thumbnail("/films/old", QImage())
    with qtbot.waitSignal(filled.thumbnailsWanted) as wanted:
        filled._look()
    assert wanted.args == [["/films/a", "/films/b", "/films/sr"]]
    row = filled.tree.visualRect(filled.model.index_of(RECORDS[1]))
    picture = filled.tree.viewport().grab(row).toImage()
    greys = [picture.pixelColor(x, row.height() // 2).getRgb()[:3] for x in range(60)]
    assert greys.count((90, 90, 90)) >= 40


def test_many_patients_are_shown_as_they_are_scrolled_to(browser: StudyBrowser, qtbot: QtBot) -> None:
    many = [record(f"{number}", f"P{number}", f"S{number}", f"2024{1 + number % 12:02}01") for number in range(1000)]
    browser.add(listed(many))
    assert browser.model.rowCount() == PAGE
    bar = browser.tree.verticalScrollBar()
    pages = [PAGE]

    def all_are_shown() -> bool:
        if browser.model.rowCount() != pages[-1]:
            pages.append(browser.model.rowCount())
        bar.setValue(bar.maximum())
        return browser.model.rowCount() == 1000

    qtbot.waitUntil(all_are_shown)
    assert pages == [PAGE, 2 * PAGE, 3 * PAGE, 1000]
    browser.search.setText("p999")
    browser._find()
    assert browser.model.rowCount() == 1


def test_progress_and_cancel(browser: StudyBrowser, qtbot: QtBot) -> None:
    assert not browser.progress.isVisible()
    browser.set_busy(True)
    assert browser.progress.isVisible()
    assert browser.progress.maximum() == 0
    browser.add(listed(RECORDS, 12))
    assert (browser.progress.value(), browser.progress.maximum()) == (6, 12)
    with qtbot.waitSignal(browser.cancelled):
        browser.cancel_button.click()
    browser.set_busy(False)
    assert not browser.progress.isVisible()


def test_recent_list_opens(browser: StudyBrowser, qtbot: QtBot) -> None:
    assert not browser.recent_button.isEnabled()
    browser.set_recent([RECORDS[0], RECORDS[1]])
    actions = browser.recent_button.menu().actions()
    assert [action.text() for action in actions] == ["NAME, P1  2020-01-01", "NAME, P1  2024-01-01"]
    with qtbot.waitSignal(browser.chosen) as chosen:
        actions[1].trigger()
    assert chosen.args == [RECORDS[1]]


def test_dropped_files_are_told(browser: StudyBrowser, qtbot: QtBot, tmp_path: Path) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(tmp_path / "a.dcm")), QUrl("https://example.org/b.dcm")])
    event = QDropEvent(
        QPointF(10, 10), Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    )
    with qtbot.waitSignal(browser.dropped) as dropped:
        browser.dropEvent(event)
    assert dropped.args == [[str(tmp_path / "a.dcm")]]


def test_every_control_has_a_name_and_is_reached_by_tab(browser: StudyBrowser) -> None:
    browser.set_recent([RECORDS[0]])
    for control in (browser.search, browser.recent_button, browser.tree, browser.progress, browser.status):
        assert control.accessibleName()
    reached = [browser.search]
    while reached[-1].nextInFocusChain() is not browser.search:
        reached.append(reached[-1].nextInFocusChain())
    order = [widget for widget in reached if widget in (browser.search, browser.recent_button, browser.tree)]
    assert order == [browser.search, browser.recent_button, browser.tree]


def test_empty_place_opens_nothing(browser: StudyBrowser, qtbot: QtBot) -> None:
    with qtbot.assertNotEmitted(browser.chosen):
        qtbot.mouseDClick(browser.tree.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(50, 300))
    assert browser.current() is None
    assert not any(action.isEnabled() for action in browser.actions_.values())
