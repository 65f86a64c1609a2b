"""What leaves the program through the window: picture, report, results."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import pydicom
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from cxr_desktop.window.station import Station
from tests.desktop.window.conftest import PATIENCE, Opener, unique_uid, write_study

Shows = Callable[[Station, Path | str], None]


def opened(open_station: Opener, shows: Shows, path: Path) -> Station:
    write_study(path, 1)
    station = open_station(path)
    shows(station, path)
    return station


def asked(station: Station, qtbot: QtBot) -> None:
    station.window.actions_["ask"].trigger()
    qtbot.waitUntil(lambda: bool(station.viewing.area.current.answers), timeout=PATIENCE)


def test_a_picture_is_saved_as_it_is_seen(open_station: Opener, shows: Shows, qtbot: QtBot, tmp_path: Path) -> None:
    station = opened(open_station, shows, tmp_path / "a.dcm")
    plain, inverted = tmp_path / "plain.png", tmp_path / "inverted.png"
    for path in (plain, inverted):
        dialog = station.outgoing.export_picture()
        assert dialog is not None
        dialog.path.setText(str(path))
        dialog.save()
        qtbot.waitUntil(lambda path=path: f"Saved: {path}" in station.window.messages.texts(), timeout=PATIENCE)
        station.window.actions_["invert"].trigger()
    one, other = cv2.imread(str(plain)), cv2.imread(str(inverted))
    assert one.shape[:2] == (320, 360)
    middle = slice(100, 200), slice(100, 250)
    assert abs(one[middle].astype(int) + other[middle].astype(int) - 255).max() <= 1


def test_a_report_is_saved_with_the_answer(open_station: Opener, shows: Shows, qtbot: QtBot, tmp_path: Path) -> None:
    station = opened(open_station, shows, tmp_path / "a.dcm")
    asked(station, qtbot)
    station.window.actions_["agree"].trigger()
    dialog = station.outgoing.export_report()
    assert dialog is not None
    dialog.path.setText(str(tmp_path / "report.pdf"))
    dialog.save()
    qtbot.waitUntil(lambda: bool(station.window.messages.texts()), timeout=PATIENCE)
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF-")


def test_results_are_saved_as_dicom_objects(open_station: Opener, shows: Shows, qtbot: QtBot, tmp_path: Path) -> None:
    station = opened(open_station, shows, tmp_path / "a.dcm")
    asked(station, qtbot)
    out = tmp_path / "out"
    out.mkdir()
    station.outgoing.folder = out
    dialog = station.outgoing.results()
    dialog.start()
    qtbot.waitUntil(lambda: any("delivered" in text for text in station.window.messages.texts()), timeout=PATIENCE)
    made = [pydicom.dcmread(path) for path in sorted(out.glob("*.dcm"))]
    source = pydicom.dcmread(tmp_path / "a.dcm")
    assert any(one.Modality == "SR" for one in made)
    assert {one.StudyInstanceUID for one in made} == {source.StudyInstanceUID}


def test_results_that_did_not_arrive_are_no_success(
    open_station: Opener, shows: Shows, qtbot: QtBot, tmp_path: Path
) -> None:
    station = opened(open_station, shows, tmp_path / "a.dcm")
    asked(station, qtbot)
    station.outgoing.folder = tmp_path / "a.dcm"  # no folder
    dialog = station.outgoing.results()
    dialog.start()
    qtbot.waitUntil(lambda: any("delivered" in text for text in station.window.messages.texts()), timeout=PATIENCE)
    (row,) = [row for row in station.window.messages.findChildren(QLabel) if "delivered" in row.text()]
    assert row.accessibleName().startswith("Warning: Results: 0 of")
    dialog.close()


def test_without_an_answer_there_are_no_results(open_station: Opener, shows: Shows, tmp_path: Path) -> None:
    station = opened(open_station, shows, tmp_path / "a.dcm")
    assert not station.window.actions_["results"].isEnabled()
    dialog = station.outgoing.results()
    assert not dialog.start_button.isEnabled()
    dialog.close()


def test_a_pacs_that_does_not_answer_is_told_in_the_settings(open_station: Opener, qtbot: QtBot) -> None:
    from cxr_desktop.state.settings import PacsEntry

    station = open_station()
    dialog = station.helping.show_settings()
    heard: list[str] = []
    dialog.tell_tried = heard.append  # type: ignore[method-assign]  # what the table would show
    station.outgoing.try_pacs(PacsEntry("Nobody", "NOBODY", "127.0.0.1", 1), dialog)
    qtbot.waitUntil(lambda: bool(heard), timeout=PATIENCE)
    assert "refused" in heard[0].lower()
    dialog.reject()


def test_the_images_of_a_study_are_copied_without_their_patient(
    open_station: Opener, shows: Shows, qtbot: QtBot, tmp_path: Path
) -> None:
    study = unique_uid()
    for number in (1, 2):
        write_study(tmp_path / "in" / f"{number}.dcm", number, StudyInstanceUID=study, BurnedInAnnotation="NO")
    write_study(tmp_path / "in" / "3.dcm", 3, StudyInstanceUID=unique_uid(), date="20200101")
    station = open_station(tmp_path / "in")
    qtbot.waitUntil(lambda: len(station.opening.browser.model.browser) == 3, timeout=PATIENCE)
    shows(station, tmp_path / "in" / "1.dcm")
    out = tmp_path / "out"
    out.mkdir()
    station.outgoing.folder = out
    dialog = station.outgoing.anonymise()
    assert dialog is not None
    dialog.start()
    qtbot.waitUntil(lambda: any("2 in" in text for text in station.window.messages.texts()), timeout=PATIENCE)
    copies = [path.read_bytes() for path in out.glob("*.dcm")]
    assert len(copies) == 2
    assert not any(b"SYNTHETIC-P" in copy or study.encode() in copy for copy in copies)
