"""The dialogs that save a picture or a report: what is chosen is written, what is wrong is said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import pytest
from pytestqt.qtbot import QtBot

from cxr_desktop.output.picture import PictureOptions, ShownFilm, encoded, picture_of
from cxr_desktop.panels.export_dialog import ExportDialog, picture_dialog, report_dialog
from cxr_desktop.panels.shown_film import shown_film
from cxr_desktop.state.display import inverted
from cxr_desktop.state.geometry import PixelPoint
from cxr_desktop.state.measurement import Length
from cxr_desktop.state.windowing import initial_display
from cxr_desktop.tools.measurements import MeasurementModel
from cxr_desktop.views.heat_map import HeatMapLayer
from cxr_desktop.views.image_view import ImageView
from tests.desktop.answers_builder import cam, positive
from tests.desktop.films import film
from tests.dicom_builder import gradient


def shown() -> ShownFilm:
    loaded = film(gradient(300, 240))
    loaded = replace(loaded, record=replace(loaded.record, patient_name="SYNTHETIC^TEST"))
    return ShownFilm(loaded, initial_display(loaded))


def save(qtbot: QtBot, dialog: ExportDialog) -> Path:
    with qtbot.waitSignal(dialog.saved, timeout=30_000) as saved:
        dialog.save()
    assert isinstance(saved.args[0], Path)
    return saved.args[0]


def test_the_suggested_name_has_no_patient_and_is_free(qtbot: QtBot, tmp_path: Path) -> None:
    (tmp_path / "film.png").write_bytes(b"there")
    dialog = picture_dialog(shown(), tmp_path)
    qtbot.addWidget(dialog)
    assert dialog.path.text() == str(tmp_path / "film-2.png")
    assert dialog.trouble.text() == ""
    written = save(qtbot, dialog)
    assert written == tmp_path / "film-2.png"
    assert cv2.imread(str(written)).shape == (300, 240, 3)
    assert dialog.result() == ExportDialog.DialogCode.Accepted


def test_the_boxes_decide_what_is_on_it(qtbot: QtBot, tmp_path: Path) -> None:
    held = shown()
    dialog = picture_dialog(held, tmp_path)
    qtbot.addWidget(dialog)
    assert "names the patient" in dialog.hint.text()
    dialog.patient_text.setChecked(False)
    assert "burnt into the film" in dialog.hint.text()
    dialog.overlays.setChecked(False)
    assert dialog.options == PictureOptions(patient_text=False, overlays=False)
    written = save(qtbot, dialog)
    assert written.read_bytes() == encoded(picture_of(held, dialog.options), ".png")


def test_a_name_of_no_picture_is_not_taken(qtbot: QtBot, tmp_path: Path) -> None:
    dialog = picture_dialog(shown(), tmp_path)
    qtbot.addWidget(dialog)
    button = dialog.buttons.button(dialog.buttons.StandardButton.Save)
    for name in ("film", "film.gif", ".png"):
        dialog.path.setText(str(tmp_path / name))
        assert not button.isEnabled()
        assert ".png or .jpg or .jpeg" in dialog.trouble.text()
    (tmp_path / "there.JPG").write_bytes(b"")
    dialog.path.setText(str(tmp_path / "there.JPG"))
    assert button.isEnabled()
    assert "replaced" in dialog.trouble.text()


def test_what_went_wrong_is_said_and_the_dialog_stays(qtbot: QtBot, tmp_path: Path) -> None:
    dialog = picture_dialog(shown(), tmp_path / "gone")
    qtbot.addWidget(dialog)
    dialog.show()
    dialog.save()
    qtbot.waitUntil(lambda: "not there" in dialog.trouble.text(), timeout=30_000)
    assert dialog.isVisible()
    dialog.path.setText(str(tmp_path / "film.jpg"))
    assert save(qtbot, dialog).read_bytes().startswith(b"\xff\xd8")


def test_a_report_is_saved(qtbot: QtBot, tmp_path: Path) -> None:
    dialog = report_dialog(shown(), [positive()], [], tmp_path)
    qtbot.addWidget(dialog)
    assert dialog.path.text() == str(tmp_path / "report.pdf")
    assert save(qtbot, dialog).read_bytes().startswith(b"%PDF")


def test_all_can_be_reached_by_keyboard_and_has_a_name(qtbot: QtBot, tmp_path: Path) -> None:
    dialog = picture_dialog(shown(), tmp_path)
    qtbot.addWidget(dialog)
    for widget in (dialog.path, dialog.preview):
        assert widget.accessibleName()
    for box in (dialog.patient_text, dialog.overlays, dialog.choose_button):
        assert "&" in box.text()


@pytest.mark.parametrize("measured", [True, False])
def test_what_a_view_shows_is_taken_as_it_is(qtbot: QtBot, measured: bool) -> None:
    view = ImageView()
    qtbot.addWidget(view)
    assert shown_film(view, None, 2) is None
    held = shown()
    view.show_image(held.loaded)
    view.set_display(inverted(held.display))
    layer = HeatMapLayer(cam())
    view.set_heat_map(layer)
    model = MeasurementModel(held.loaded)
    if measured:
        model.add(Length(points=(PixelPoint(10, 10), PixelPoint(100, 10)), comment="mine"))
    taken = shown_film(view, model, 1)
    assert taken is not None
    assert (taken.loaded, taken.display, taken.heat_map) == (held.loaded, view.display, layer)
    assert taken.corner_text_level == 1
    assert (taken.paint_measurements is not None) == measured
    assert [words[1] for words in taken.measurement_words] == (["mine"] if measured else [])
