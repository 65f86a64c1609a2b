"""The dialogs that save what is seen: a picture, or a report of one page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QImage, QPixmap
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from cxr_desktop.output.files import free_name
from cxr_desktop.output.picture import PICTURE_SUFFIXES, PictureOptions, ShownFilm, picture_of, write_picture
from cxr_desktop.output.report import PICTURE_SIDE, write_report
from cxr_desktop.output.report_text import report_text
from cxr_desktop.state.answers import Answer
from cxr_desktop.state.opinion import Opinion
from cxr_desktop.workers.task import Task, run

_PREVIEW_SIDE = 420


class ExportDialog(QDialog):
    """Saves one file of one film; what differs is given by `picture_dialog` and `report_dialog`.

    Signals
    -------
    saved(Path)
        The file is there, whole. The window keeps its folder for the next time and says so; the dialog closes.
    """

    saved = Signal(object)

    def __init__(
        self,
        film: ShownFilm,
        path: Path,
        suffixes: Sequence[str],
        render: Callable[[PictureOptions], Callable[[Path], None]],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._film, self._suffixes, self._render = film, tuple(suffixes), render
        self._task: Task | None = None
        self.patient_text = QCheckBox(self.tr("Patient and study &text"), self)
        self.patient_text.setChecked(True)
        self.overlays = QCheckBox(self.tr("Map, &measurements and overlay planes"), self)
        self.overlays.setChecked(True)
        self.preview = QLabel(self)
        self.preview.setAccessibleName(self.tr("Preview"))
        self.preview.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.preview.setMinimumSize(_PREVIEW_SIDE, 200)
        self.hint = _words(self)
        self.path = QLineEdit(str(path), self)
        self.path.setAccessibleName(self.tr("File"))
        label = QLabel(self.tr("&File"), self)
        label.setBuddy(self.path)
        self.choose_button = QPushButton(self.tr("C&hoose..."), self)
        self.choose_button.setAutoDefault(False)
        self.choose_button.clicked.connect(self._choose)
        self.trouble = _words(self)
        self.buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Save | QDialogButtonBox.StandardButton.Cancel, self
        )
        self.buttons.accepted.connect(self.save)
        self.buttons.rejected.connect(self.reject)
        place = QHBoxLayout()
        for part in (label, self.path, self.choose_button):
            place.addWidget(part)
        rows = QVBoxLayout(self)
        for widget in (self.preview, self.patient_text, self.overlays, self.hint):
            rows.addWidget(widget)
        rows.addLayout(place)
        rows.addWidget(self.trouble)
        rows.addWidget(self.buttons)
        for box in (self.patient_text, self.overlays):
            box.toggled.connect(self._show)
        self.path.textChanged.connect(self._look)
        self._show()
        self._look()
        self.path.setFocus()

    @property
    def options(self) -> PictureOptions:
        """As the boxes stand."""
        return PictureOptions(self.patient_text.isChecked(), self.overlays.isChecked())

    def save(self) -> None:
        """Write the file in a thread; the dialog stays until it is there."""
        if self._task is not None:
            return
        path = Path(self.path.text().strip()).expanduser()
        write = self._render(self.options)
        self._busy(True)
        self.trouble.setText(self.tr("Writing..."))
        self._task = run(write, path, on_result=self._written, on_error=self._failed)

    def _written(self, _nothing: object) -> None:
        self._task = None
        self.saved.emit(Path(self.path.text().strip()).expanduser())
        self.accept()

    def _failed(self, words: str) -> None:
        self._task = None
        self._busy(False)
        self.trouble.setText(words)

    def _busy(self, busy: bool) -> None:
        for widget in (self.patient_text, self.overlays, self.path, self.choose_button):
            widget.setEnabled(not busy)
        self.buttons.button(QDialogButtonBox.StandardButton.Save).setEnabled(not busy)

    def _show(self) -> None:
        picture = picture_of(self._film, self.options, max_side=_PREVIEW_SIDE)
        self.preview.setPixmap(QPixmap.fromImage(picture))
        hidden = not self.patient_text.isChecked()
        self.hint.setText(
            self.tr("Text that is burnt into the film itself stays: look for it.")
            if hidden
            else self.tr("The file names the patient: keep it as you keep the film.")
        )

    def _look(self) -> None:
        """Say what the name would lead to."""
        path = Path(self.path.text().strip()).expanduser()
        usable = path.suffix.lower() in self._suffixes and path.name != path.suffix
        words = "" if usable else self.tr("The name has to end in {0}.").format(self.tr(" or ").join(self._suffixes))
        if usable and path.exists():
            words = self.tr("A file of this name is there; it will be replaced.")
        self.trouble.setText(words)
        self.buttons.button(QDialogButtonBox.StandardButton.Save).setEnabled(usable)

    def _choose(self) -> None:
        kinds = " ".join(f"*{suffix}" for suffix in self._suffixes)
        chosen, _ = QFileDialog.getSaveFileName(self, self.windowTitle(), self.path.text(), kinds)
        if chosen:
            self.path.setText(chosen)


def _words(parent: QWidget) -> QLabel:
    label = QLabel(parent)
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    return label


def picture_dialog(film: ShownFilm, folder: Path, parent: QWidget | None = None) -> ExportDialog:
    """The dialog that saves a film as PNG or JPEG at full resolution.

    The window calls it with shown_film(...) and the folder of the last time, connects `saved`, and opens it.
    """

    def render(options: PictureOptions) -> Callable[[Path], None]:
        picture = picture_of(film, options)
        return lambda path: write_picture(picture, path)

    path = free_name(folder, "film", ".png")
    dialog = ExportDialog(film, path, tuple(PICTURE_SUFFIXES), render, parent)
    dialog.setWindowTitle(dialog.tr("Export picture"))
    return dialog


def report_dialog(
    film: ShownFilm,
    answers: Sequence[Answer],
    opinions: Sequence[Opinion],
    folder: Path,
    parent: QWidget | None = None,
) -> ExportDialog:
    """The dialog that saves a report of one page as PDF.

    The window calls it with shown_film(...), the answers that there are of this film, the reader's opinions on it
    (Opinion.from_json of Index.opinions_of) and the folder of the last time, connects `saved`, and opens it.
    """

    def render(options: PictureOptions) -> Callable[[Path], None]:
        picture: QImage = picture_of(film, options, max_side=PICTURE_SIDE)
        words = report_text(film, answers, opinions, options, datetime.now().astimezone())
        return lambda path: write_report(words, picture, path)

    path = free_name(folder, "report", ".pdf")
    dialog = ExportDialog(film, path, (".pdf",), render, parent)
    dialog.setWindowTitle(dialog.tr("Save report as PDF"))
    return dialog
