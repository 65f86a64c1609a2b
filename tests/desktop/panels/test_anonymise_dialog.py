"""The dialog of anonymised copies: masks by mouse and keyboard, what is refused and why, counts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pydicom
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from cxr_core.reading import Source, read_image
from cxr_desktop.output.anonymise import PixelText
from cxr_desktop.output.clean_pixels import Mask
from cxr_desktop.panels.anonymise_dialog import AnonymiseDialog
from cxr_desktop.panels.mask_editor import MaskEditor
from cxr_desktop.state.geometry import PixelPoint
from cxr_desktop.state.records import InstanceRecord, LoadedImage
from cxr_desktop.workers.listing import record_of
from tests.core.results.builder import SOURCES
from tests.desktop.films import film
from tests.dicom_builder import build, gradient


def loaded(name: str = "a.dcm", **attributes: object) -> LoadedImage:
    held = film(gradient(240, 200), **attributes)
    return replace(held, record=replace(held.record, name=name))


@pytest.fixture
def editor(qtbot: QtBot) -> MaskEditor:
    editor = MaskEditor()
    qtbot.addWidget(editor)
    editor.resize(800, 600)
    editor.show_image(loaded(), PixelText())
    editor.show()
    qtbot.waitExposed(editor)
    return editor


def drag(editor: MaskEditor, start: PixelPoint, end: PixelPoint, *, release: bool = True) -> None:
    port = editor.view.viewport()
    one, other = (editor.view.to_view(point).toPoint() for point in (start, end))
    QTest.mousePress(port, Qt.MouseButton.LeftButton, pos=one)
    QTest.mouseMove(port, other)
    if release:
        QTest.mouseRelease(port, Qt.MouseButton.LeftButton, pos=other)


def test_a_drag_draws_a_rectangle_that_covers_what_it_touches(editor: MaskEditor) -> None:
    told: list[PixelText] = []
    editor.changed.connect(told.append)
    drag(editor, PixelPoint(150, 40), PixelPoint(20, 10))
    (mask,) = told[-1].masks
    for edge, wanted in zip(("left", "top", "right", "bottom"), (20, 10, 150, 40), strict=True):
        assert abs(getattr(mask, edge) - wanted) <= 2
        assert editor.edges[edge].value() == getattr(mask, edge)
    assert editor.list.count() == 1
    colour = editor.view.grab().toImage().pixelColor(editor.view.to_view(PixelPoint(100, 25)).toPoint())
    assert colour.lightness() < 10


def test_a_click_draws_nothing_and_escape_gives_up(editor: MaskEditor) -> None:
    told: list[PixelText] = []
    editor.changed.connect(told.append)
    QTest.mouseClick(editor.view.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(200, 200))
    drag(editor, PixelPoint(20, 10), PixelPoint(150, 40), release=False)
    QTest.keyClick(editor.view, Qt.Key.Key_Escape)
    QTest.mouseRelease(editor.view.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(300, 300))
    assert told == []
    assert editor.list.count() == 0


def test_by_keyboard_alone(editor: MaskEditor) -> None:
    told: list[PixelText] = []
    editor.changed.connect(told.append)
    QTest.keyClick(editor.add_button, Qt.Key.Key_Space)
    assert told[-1].masks == (Mask(0, 0, 200, 20),)
    editor.edges["left"].setValue(50)
    editor.edges["bottom"].setValue(30)
    assert told[-1].masks == (Mask(50, 0, 200, 30),)
    editor.edges["right"].setValue(10)  # makes no rectangle
    assert told[-1].masks == (Mask(50, 0, 200, 30),)
    QTest.keyClick(editor.add_button, Qt.Key.Key_Space)
    editor.list.setCurrentRow(0)
    assert editor.edges["left"].value() == 50
    QTest.keyClick(editor.remove_button, Qt.Key.Key_Space)
    assert told[-1].masks == (Mask(0, 0, 200, 20),)
    QTest.keyClick(editor.looked, Qt.Key.Key_Space)
    assert told[-1].looked
    QTest.keyClick(editor.clear_button, Qt.Key.Key_Space)
    assert told[-1] == PixelText(looked=True)


def test_every_control_has_a_name(editor: MaskEditor) -> None:
    for widget in (editor.view, editor.list, *editor.edges.values()):
        assert widget.accessibleName()
        assert widget.focusPolicy() & Qt.FocusPolicy.TabFocus


def finished(qtbot: QtBot, dialog: AnonymiseDialog) -> list[list[str]]:
    with qtbot.waitSignal(dialog.told, timeout=30_000):
        dialog.start()
    rows = range(dialog.table.rowCount())
    return [[cell.text() if (cell := dialog.table.item(row, column)) else "" for column in range(3)] for row in rows]


def test_a_secondary_capture_is_refused_until_it_is_masked(qtbot: QtBot, tmp_path: Path) -> None:
    held = loaded(**SOURCES["SC"])
    dialog = AnonymiseDialog([held.record], [held], tmp_path)
    qtbot.addWidget(dialog)
    assert "Secondary Capture" in dialog.editor.warning.text()
    ((_, result, details),) = finished(qtbot, dialog)
    assert result == "Refused"
    assert "Secondary Capture" in details
    assert dialog.status.text() == "1 in = 0 written + 1 refused"
    assert list(tmp_path.glob("*.dcm")) == []
    dialog.editor.add_button.click()
    ((_, result, _),) = finished(qtbot, dialog)
    assert result == "image-0001.dcm"
    copy = tmp_path / result
    assert (read_image(copy).stored[:20] == held.stored.min()).all()
    assert pydicom.dcmread(copy).BurnedInAnnotation == "NO"


def test_several_images_each_with_what_was_done_about_it(qtbot: QtBot, tmp_path: Path) -> None:
    folder, target = tmp_path / "originals", tmp_path / "copies"
    folder.mkdir()
    target.mkdir()
    records = []
    for number in (1, 2, 3):
        path = folder / f"{number}.dcm"
        content = build(SOPInstanceUID=f"2.25.10{number}", BurnedInAnnotation="YES", PatientSex="F")
        path.write_bytes(content)
        records.append(record_of(Source(str(path), lambda content=content: content)))
    dialog = AnonymiseDialog(records, [], target)
    qtbot.addWidget(dialog)
    qtbot.waitUntil(lambda: dialog.editor.view.loaded is not None, timeout=30_000)
    dialog.editor.looked.setChecked(True)
    dialog.images.setCurrentRow(1)
    qtbot.waitUntil(lambda: dialog.editor.view.loaded is not None, timeout=30_000)
    assert not dialog.editor.looked.isChecked()
    dialog.editor.add_button.click()
    dialog.images.setCurrentRow(0)
    assert dialog.editor.looked.isChecked()
    dialog.characteristics.setChecked(True)
    results = [row[1] for row in finished(qtbot, dialog)]
    assert results == ["image-0001.dcm", "image-0002.dcm", "Refused"]
    assert dialog.status.text() == "3 in = 2 written + 1 refused"
    one = pydicom.dcmread(target / "image-0001.dcm")
    assert (one.PatientSex, one.PatientAge) == ("F", "003Y")


@pytest.mark.parametrize("way", ["escape", "button", "window"])
def test_it_can_be_closed(qtbot: QtBot, tmp_path: Path, way: str) -> None:
    held = loaded()
    dialog = AnonymiseDialog([held.record], [held], tmp_path)
    qtbot.addWidget(dialog)
    dialog.open()
    with qtbot.waitSignal(dialog.finished, timeout=30_000):
        if way == "escape":
            QTest.keyClick(dialog, Qt.Key.Key_Escape)
        elif way == "button":
            dialog.close_button.click()
        else:
            dialog.close()
    assert not dialog.isVisible()


def test_a_file_that_is_gone_is_told_where_it_would_be_seen(qtbot: QtBot, tmp_path: Path) -> None:
    dialog = AnonymiseDialog([InstanceRecord(str(tmp_path / "gone.dcm"), "image")], [], tmp_path)
    qtbot.addWidget(dialog)
    qtbot.waitUntil(lambda: "no longer there" in dialog.editor.warning.text(), timeout=30_000)
    assert [row[1] for row in finished(qtbot, dialog)] == ["Refused"]
