"""The list of measurements."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from cxr_desktop.panels.measurements import MeasurementsPanel
from cxr_desktop.state.geometry import PixelPoint
from cxr_desktop.state.measurement import Calibration, CardiothoracicRatio, Length
from cxr_desktop.tools.measurements import MeasurementModel
from tests.desktop.films import film


def at(*pairs: tuple[float, float]) -> tuple[PixelPoint, ...]:
    return tuple(PixelPoint(x, y) for x, y in pairs)


LINE = Length(points=at((0, 0), (30, 40)))
RATIO = CardiothoracicRatio(points=at((50, 0), (50, 90), (30, 60), (90, 70), (-10, 80), (110, 80)))


@pytest.fixture
def model() -> MeasurementModel:
    """A line and a ratio on an AP film."""
    model = MeasurementModel(film(ViewPosition="AP", ImagerPixelSpacing=[0.2, 0.2]))
    model.add(LINE)
    model.add(RATIO)
    model.select(None)
    return model


@pytest.fixture
def panel(qtbot: QtBot, model: MeasurementModel) -> MeasurementsPanel:
    panel = MeasurementsPanel()
    qtbot.addWidget(panel)
    panel.set_model(model)
    with qtbot.waitActive(panel):
        panel.show()
    model.select(None)  # a list that gets the focus chooses its first row
    return panel


def rows(panel: MeasurementsPanel) -> list[str]:
    return [panel.list.item(row).text() for row in range(panel.list.count())]


def test_values_and_warnings_are_listed(panel: MeasurementsPanel) -> None:
    assert rows(panel) == [
        "Length: 10.0 mm at the detector",
        "Cardiothoracic ratio: CTR 0.50, heart 12.0 mm, chest 24.0 mm at the detector\n"
        "⚠ AP view: the heart is magnified\n"
        "⚠ Position unknown: lying widens the heart",
    ]


def test_values_follow_a_calibration_and_its_undo(panel: MeasurementsPanel, model: MeasurementModel) -> None:
    model.add(Calibration(points=at((0, 0), (10, 0)), length_mm=5))
    assert rows(panel)[0] == "Length: 25.0 mm by manual calibration"
    assert rows(panel)[2] == "Calibration: 5.0 mm, set by hand"
    model.undo_stack.undo()
    assert rows(panel)[0] == "Length: 10.0 mm at the detector"


def test_selection_goes_both_ways(panel: MeasurementsPanel, model: MeasurementModel) -> None:
    assert panel.list.currentItem() is None
    panel.list.setCurrentRow(1)
    assert model.selected == RATIO
    model.select(LINE.id)
    assert panel.list.currentRow() == 0
    model.select(None)
    assert panel.list.currentItem() is None


def test_the_keyboard_chooses_and_deletes(panel: MeasurementsPanel, model: MeasurementModel) -> None:
    panel.list.setFocus()
    QTest.keyClick(panel.list, Qt.Key.Key_Down)
    QTest.keyClick(panel.list, Qt.Key.Key_Down)
    assert model.selected == RATIO
    QTest.keyClick(panel.list, Qt.Key.Key_Delete)
    assert [one.title for one in model.measurements] == ["Length"]
    model.undo_stack.undo()
    assert [one.title for one in model.measurements] == ["Length", "Cardiothoracic ratio"]


def test_a_comment_is_written_shown_and_undone(panel: MeasurementsPanel, model: MeasurementModel) -> None:
    assert not panel.comment.isEnabled()
    model.select(LINE.id)
    QTest.keyClicks(panel.comment, "right hilum")
    QTest.keyClick(panel.comment, Qt.Key.Key_Return)

    assert rows(panel)[0] == "Length: 10.0 mm at the detector\nright hilum"
    assert model.measurements[0].comment == "right hilum"
    model.undo_stack.undo()
    assert panel.comment.text() == ""


def test_a_comment_belongs_to_the_measurement_it_was_begun_for(
    panel: MeasurementsPanel, model: MeasurementModel
) -> None:
    model.select(LINE.id)
    panel.comment.setFocus()
    QTest.keyClicks(panel.comment, "hilum")
    panel.list.setFocus()
    panel.list.setCurrentRow(1)

    assert [one.comment for one in model.measurements] == ["hilum", ""]
    assert panel.comment.text() == ""


def test_a_half_written_comment_survives_the_same_model(panel: MeasurementsPanel, model: MeasurementModel) -> None:
    model.select(LINE.id)
    QTest.keyClicks(panel.comment, "right hi")
    panel.set_model(model)

    assert panel.comment.text() == "right hi"


def test_everything_is_copied_as_text(panel: MeasurementsPanel, model: MeasurementModel) -> None:
    model.set_comment(LINE.id, "hilum")
    QTest.mouseClick(panel.copy_button, Qt.MouseButton.LeftButton)

    assert QGuiApplication.clipboard().text().splitlines() == [
        "Length: 10.0 mm at the detector; hilum",
        "Cardiothoracic ratio: CTR 0.50, heart 12.0 mm, chest 24.0 mm at the detector;"
        " ⚠ AP view: the heart is magnified; ⚠ Position unknown: lying widens the heart",
    ]


def test_all_are_deleted_and_come_back(panel: MeasurementsPanel, model: MeasurementModel) -> None:
    QTest.mouseClick(panel.clear_button, Qt.MouseButton.LeftButton)
    assert rows(panel) == []
    assert panel.hint.isVisible()
    model.undo_stack.undo()
    assert len(rows(panel)) == 2


def test_without_measurements_nothing_can_be_done(panel: MeasurementsPanel, model: MeasurementModel) -> None:
    for other in (MeasurementModel(film(), parent=panel), None):
        panel.set_model(other)
        assert rows(panel) == []
        assert panel.hint.isVisible()
        for button in (panel.copy_button, panel.delete_button, panel.clear_button):
            assert not button.isEnabled()
    model.clear()  # the former model is let go
    model.undo_stack.undo()
    assert rows(panel) == []


def test_every_control_has_a_name_for_who_cannot_see_it(panel: MeasurementsPanel) -> None:
    item = panel.list.item(1)

    assert panel.list.accessibleName()
    assert panel.comment.accessibleName()
    assert str(item.data(Qt.ItemDataRole.AccessibleTextRole)).startswith("Cardiothoracic ratio: CTR 0.50")
