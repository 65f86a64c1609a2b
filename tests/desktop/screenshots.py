"""Pictures of the reading station for docs/: python -m tests.desktop.screenshots [FOLDER]. Drawn chests only."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from PySide6.QtCore import QRect, Qt, QTimer
from PySide6.QtGui import QImage, QPainter
from PySide6.QtWidgets import QApplication, QDialog, QTabWidget

from cxr_core.phantom import PhantomSettings, phantom_dataset, synthetic_uid
from cxr_desktop import start
from cxr_desktop.panels.anonymise_dialog import AnonymiseDialog
from cxr_desktop.state.geometry import PixelPoint
from cxr_desktop.views.image_view import ImageView
from cxr_desktop.window.main_window import MainWindow
from cxr_desktop.window.settings_dialog import SettingsDialog
from tests.desktop.reader import Reader, end_at_errors, until

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
_ROWS, _COLUMNS = 2048, 2304


@dataclass(frozen=True)
class _Film:
    name: str
    patient: str
    date: str
    age: str
    opacity: float = 0.0
    view: str = "PA"
    lateral: bool = False


#: Nobody. The first one has a film of the year before.
_FILMS = (
    _Film("chest-1.dcm", "SYNTHETIC^ANNA", "20260112", "004Y", opacity=0.9),
    _Film("chest-2.dcm", "SYNTHETIC^ANNA", "20250110", "003Y"),
    _Film("chest-3.dcm", "SYNTHETIC^БОРИС", "20260111", "002Y"),
    _Film("chest-4.dcm", "SYNTHETIC^CLARA", "20260110", "005Y", opacity=0.4, view="AP"),
    _Film("chest-5.dcm", "SYNTHETIC^CLARA", "20260110", "005Y", view="LL", lateral=True),
    _Film("chest-6.dcm", "SYNTHETIC^DAVID", "20260109", "061Y", opacity=0.6),
)


def write_films(folder: Path) -> None:
    """The films of the pictures; one file that is none."""
    folder.mkdir(parents=True)
    for number, film in enumerate(_FILMS, 100):
        settings = PhantomSettings(_ROWS, _COLUMNS, film.opacity, film.lateral, seed=number)
        dataset = phantom_dataset(settings, number, age=film.age, view=film.view)
        dataset.SpecificCharacterSet = "ISO_IR 192"
        dataset.PatientName, dataset.PatientID = film.patient, f"SYN-{film.patient.partition('^')[2][0]}"
        dataset.StudyDate, dataset.StudyDescription = film.date, "Chest, drawn"
        dataset.StudyInstanceUID = synthetic_uid("picture study", hash_of(film.patient + film.date))
        dataset.save_as(folder / film.name, enforce_file_format=True)
    (folder / "damaged.dcm").write_bytes(b"\0" * 128 + b"DICM, and then nothing")


def hash_of(text: str) -> int:
    """A number for a text, always the same."""
    return int.from_bytes(text.encode()) % 1_000_003


class Camera:
    """Takes the window with the dialog that stands before it."""

    def __init__(self, reader: Reader, folder: Path) -> None:
        self._reader, self._folder = reader, folder

    def take(self, name: str) -> None:
        """Write viewer-NAME.png."""
        window = self._reader.window
        QApplication.processEvents()  # what was shown or hidden has its place
        for view in window.findChildren(ImageView):
            view.settle()
        QApplication.processEvents()
        picture = window.grab().toImage()
        for dialog in window.findChildren(QDialog):
            if dialog.isVisible():
                _lay_over(picture, dialog)
        write_small(picture, self._folder / f"viewer-{name}.png")


def _lay_over(picture: QImage, dialog: QDialog) -> None:
    """The dialog amid the picture, with a title such as a window manager gives it."""
    title = 28
    left, top = (picture.width() - dialog.width()) // 2, (picture.height() - dialog.height() + title) // 2
    painter = QPainter(picture)
    around = QRect(left - 1, top - title, dialog.width() + 2, dialog.height() + title + 1)
    painter.fillRect(around, dialog.palette().highlight())
    painter.setPen(dialog.palette().highlightedText().color())
    painter.drawText(
        around.adjusted(0, 0, 0, title - around.height()), Qt.AlignmentFlag.AlignCenter, dialog.windowTitle()
    )
    painter.drawPixmap(left, top, dialog.grab())
    painter.end()


def write_small(picture: QImage, path: Path) -> None:
    """A PNG of 256 colours: a third of the bytes, and what is lost is the grain of the film."""
    picture = picture.convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(picture.constBits(), np.uint8).reshape(picture.height(), picture.bytesPerLine())
    pixels = rows[:, : 3 * picture.width()].reshape(picture.height(), picture.width(), 3)
    image = Image.fromarray(pixels).quantize(256, Image.Quantize.MAXCOVERAGE, kmeans=2, dither=Image.Dither.NONE)
    image.save(path, optimize=True)
    print(f"{path.name}: {path.stat().st_size // 1024} KB")


def tell_the_story(reader: Reader, camera: Camera, films: Path) -> None:
    """From the first page to a copy for others."""
    camera.take("welcome")
    reader.station.opening.open([str(films)])
    _listed(reader, films / _FILMS[0].name)
    camera.take("film")
    reader.command("prior")
    until(lambda: reader.prior.loaded is not None, "the prior hangs")
    reader.command("ask")
    until(lambda: reader.current.answers and reader.prior.answers, "the model has answered twice")
    camera.take("prior")
    reader.command("prior")
    reader.command("show_map")
    camera.take("answer")
    reader.command("ask_both")
    until(lambda: len(reader.current.answers) == 2, "both models have answered")
    camera.take("both-models")
    _measure(reader, films / _FILMS[2].name)
    camera.take("measuring")
    _show_docks(reader, camera, films)
    _show_dialogs(reader, camera)


def _listed(reader: Reader, first: Path) -> None:
    browser = reader.station.opening.browser
    until(lambda: _shows(reader, first), "the first film is there")
    until(lambda: len(browser.model.browser) == len(_FILMS) + 1, "all films are listed")
    until(lambda: browser.progress.isHidden(), "nothing is listed any more")
    wants = browser.model.wants_thumbnail
    until(lambda: not any(map(wants, browser.model.browser.records())), "small pictures are there")


def _shows(reader: Reader, path: Path) -> bool:
    loaded = reader.current.loaded
    return loaded is not None and loaded.record.name == str(path)


def _measure(reader: Reader, path: Path) -> None:
    """A cardiothoracic ratio and a length, where the drawn chest has its heart and ribs."""
    while not _shows(reader, path):
        before = reader.current.loaded
        reader.command("next_image")
        until(lambda before=before: reader.current.loaded is not before, "the next film is there")
    view = reader.view
    reader.command("tool_length")
    reader.drag(view, PixelPoint(420, 560), PixelPoint(600, 600), PixelPoint(900, 620))
    reader.command("tool_ctr")
    reader.drag(view, PixelPoint(1152, 420), PixelPoint(1152, 800), PixelPoint(1160, 1560))
    reader.click_at(view, PixelPoint(884, 1180))
    reader.click_at(view, PixelPoint(1630, 1330))
    reader.drag(view, PixelPoint(262, 1450), PixelPoint(1000, 1450), PixelPoint(2042, 1450))
    reader.command("tool_window")


def _show_docks(reader: Reader, camera: Camera, films: Path) -> None:
    docks, station = reader.window.docks, reader.station
    docks["tags"].show()
    station.tags.browser.search.setText("patient")
    until(lambda: "found:" in station.tags.browser.status.text(), "what was searched is found")
    camera.take("tags")
    docks["tags"].hide()
    docks["batch"].show()
    reader.window.resizeDocks([docks["batch"]], [320], Qt.Orientation.Vertical)
    station.batching.start(str(films))
    until(lambda: not station.batching.run.running, "the run is over")
    camera.take("batch")
    docks["batch"].hide()


def _show_dialogs(reader: Reader, camera: Camera) -> None:
    for command, name in (("settings", "keys"), ("export_picture", "export"), ("anonymise", "anonymise")):
        reader.command(command)
        until(QApplication.activeModalWidget, "the dialog is there")
        dialog = QApplication.activeModalWidget()
        assert isinstance(dialog, QDialog)
        if isinstance(dialog, SettingsDialog):
            pages = dialog.findChild(QTabWidget)
            assert pages is not None
            pages.setCurrentIndex(pages.count() - 1)
        if isinstance(dialog, AnonymiseDialog):
            reader.drag(dialog.editor.view, PixelPoint(20, 1930), PixelPoint(200, 1990), PixelPoint(430, 2030))
        camera.take(name)
        dialog.reject()


def main(folder: Path) -> int:
    """Open the window in folders of its own, and take it; what goes wrong ends it."""
    own = Path(tempfile.gettempdir()) / "chest-films"  # a path that pictures show is always the same
    own.mkdir()
    os.environ["HOME"] = str(own)
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"):
        os.environ[name] = str(own / name.lower())
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    application = QApplication([])

    def sit() -> None:
        (window,) = (widget for widget in application.topLevelWidgets() if isinstance(widget, MainWindow))
        until(window.isVisible, "the window is there")
        end_at_errors(window)
        write_films(own / "films")
        reader = Reader(window)
        tell_the_story(reader, Camera(reader, folder), own / "films")
        window.close()

    QTimer.singleShot(0, sit)
    try:
        return start.main([])
    finally:
        shutil.rmtree(own)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURES))
