"""The dialog of anonymised copies: images to look at and to mask, what is kept, and what became of each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QDialog,
    QFormLayout,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QListWidget,
    QProgressBar,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from cxr_desktop.output.anonymise import AnonymiseOptions, PixelText
from cxr_desktop.output.anonymise_job import AnonymiseJob, JobImage, JobReport
from cxr_desktop.panels.folder_row import FolderRow
from cxr_desktop.panels.mask_editor import MaskEditor
from cxr_desktop.state.patient_text import file_name
from cxr_desktop.state.records import InstanceRecord, LoadedImage
from cxr_desktop.workers.loading import load
from cxr_desktop.workers.task import Task, run


class AnonymiseDialog(QDialog):
    """Anonymised copies of images, into a folder.

    The window makes it with the records of the images (of the open one, or of its whole study), the ones of them that
    are loaded, and the folder of the last time; it opens it, and connects `told`.

    Signals
    -------
    told(str, bool)
        A job is over: so many in = so many written + so many refused; whether all were written. For a message.
    """

    told = Signal(str, bool)

    def __init__(
        self,
        records: Sequence[InstanceRecord],
        loaded: Sequence[LoadedImage],
        folder: Path,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Save anonymised copies"))
        self.resize(980, 760)
        self._records = tuple(records)
        self._loaded = {image.record.name: image for image in loaded}
        self._texts: dict[str, PixelText] = {}
        self._job: AnonymiseJob | None = None
        self._loading: Task | None = None
        self.images = QListWidget(self)
        self.images.setAccessibleName(self.tr("Images to be copied"))
        self.images.addItems([file_name(record) for record in self._records])
        self.images.currentRowChanged.connect(self._show)
        self.images.setMaximumWidth(220)
        self.images.setVisible(len(self._records) > 1)
        self.editor = MaskEditor(self)
        self.editor.changed.connect(self._remember)
        self.characteristics = QCheckBox(self.tr("&Keep age and sex"), self)
        self.folder = FolderRow(folder, self.tr("Folder for the copies"), self)
        self.about = QLabel(
            self.tr(
                "Copies follow the Basic Application Level Confidentiality Profile of DICOM (PS3.15 E). Files are "
                "numbered, the originals are only read."
            ),
            self,
        )
        self.about.setWordWrap(True)
        self.table = QTableWidget(0, 3, self)
        self.table.setAccessibleName(self.tr("What became of each image"))
        self.table.setHorizontalHeaderLabels([self.tr("Image"), self.tr("Result"), self.tr("Details")])
        self.table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.table.horizontalHeader().setSectionResizeMode(2, QHeaderView.ResizeMode.Stretch)
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setTabKeyNavigation(False)
        self.table.setMaximumHeight(170)
        self.table.hide()
        self.progress = QProgressBar(self)
        self.progress.setAccessibleName(self.tr("Images copied"))
        self.progress.setFormat(self.tr("%v of %m"))
        self.progress.hide()
        self.status = QLabel(self)
        self.status.setWordWrap(True)
        self.status.setTextFormat(Qt.TextFormat.PlainText)
        self.start_button = QPushButton(self.tr("&Save copies"), self)
        self.start_button.setDefault(True)
        self.start_button.clicked.connect(self.start)
        self.cancel_button = QPushButton(self.tr("Ca&ncel"), self)
        self.cancel_button.clicked.connect(self.cancel)
        self.close_button = QPushButton(self.tr("&Close"), self)
        self.close_button.clicked.connect(self.reject)
        self._lay_out()
        self._enable()
        self.images.setCurrentRow(0)

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        top.addWidget(self.images)
        top.addWidget(self.editor, 1)
        form = QFormLayout()
        form.addRow(self.characteristics)
        form.addRow(self.tr("&Folder"), self.folder)
        buttons = QHBoxLayout()
        buttons.addWidget(self.status, 1)
        for button in (self.start_button, self.cancel_button, self.close_button):
            buttons.addWidget(button)
        rows = QVBoxLayout(self)
        rows.addLayout(top, 1)
        rows.addWidget(self.about)
        rows.addLayout(form)
        for widget in (self.table, self.progress):
            rows.addWidget(widget)
        rows.addLayout(buttons)

    @property
    def busy(self) -> bool:
        """Whether copies are being made."""
        return self._job is not None

    def job_images(self) -> list[JobImage]:
        """What is copied, with what the reader did about text in each."""
        images = []
        for record in self._records:
            held = self._loaded.get(record.name)
            text = self._texts.get(record.name, PixelText())
            images.append(JobImage(record.name, None if held is None else held.content, text))
        return images

    def start(self) -> None:
        """Make the copies in a thread."""
        options = AnonymiseOptions(retain_characteristics=self.characteristics.isChecked())
        self._job = AnonymiseJob(self.job_images(), self.folder.folder, options)
        self._job.progressed.connect(self._progressed)
        self._job.ended.connect(self._ended)
        self._job.failed.connect(self._failed)
        self.table.hide()
        self.progress.setRange(0, len(self._records))
        self.progress.setValue(0)
        self.status.setText(self.tr("Copying..."))
        self._enable()
        self._job.start()

    def cancel(self) -> None:
        """Make no more copies; those that are there stay, and are listed."""
        if self._job is not None:
            self._job.cancel()

    def done(self, result: int) -> None:
        """However it is closed, what has not been copied is not."""
        self.cancel()
        if self._loading is not None:
            self._loading.cancel()
        super().done(result)

    def _show(self, row: int) -> None:
        if not 0 <= row < len(self._records):
            return
        record = self._records[row]
        held = self._loaded.get(record.name)
        self.editor.show_image(held, self._texts.get(record.name, PixelText()))
        if held is None:
            if self._loading is not None:
                self._loading.cancel()
            self.editor.warning.setText(self.tr("Loading..."))
            self._loading = run(load, record, on_result=self._arrived, on_error=self._not_loaded)

    def _arrived(self, loaded: LoadedImage) -> None:
        self._loading = None
        self._loaded[loaded.record.name] = loaded
        self._show(self.images.currentRow())

    def _not_loaded(self, words: str) -> None:
        self._loading = None
        self.editor.warning.setText(words)

    def _remember(self, text: PixelText) -> None:
        self._texts[self._records[self.images.currentRow()].name] = text

    def _progressed(self, done: int, total: int) -> None:
        self.progress.setValue(done)

    def _ended(self, report: JobReport) -> None:
        self._job = None
        self.table.setRowCount(len(report.rows))
        for number, row in enumerate(report.rows):
            result = self.tr("Refused") if row.written is None else row.written.name
            cells = (file_name(self._records[number]), result, row.words)
            for column, text in enumerate(cells):
                item = QTableWidgetItem(text)
                item.setToolTip(text)
                self.table.setItem(number, column, item)
        self.table.show()
        self.status.setText(report.words)
        self._enable()
        whole = report.written == len(report.rows)
        self.told.emit(self.tr("Anonymised copies: {0}").format(report.words), whole)

    def _failed(self, words: str) -> None:
        self._job = None
        self.status.setText(words)
        self._enable()

    def _enable(self) -> None:
        for widget in (self.start_button, self.characteristics, self.folder, self.images):
            widget.setEnabled(not self.busy)
        self.cancel_button.setEnabled(self.busy)
        self.progress.setVisible(self.busy)
