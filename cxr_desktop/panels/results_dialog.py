"""The dialog that makes a study's result objects and saves or sends them, with the real status of each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QDialog,
    QFormLayout,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from cxr_core.results.records import ResultChoice, ResultObject
from cxr_desktop.output.delivery import Delivery
from cxr_desktop.output.results import KIND_WORDS, STATUS_WORDS, AnsweredFilm, studies_of, summary
from cxr_desktop.panels.folder_row import FolderRow
from cxr_desktop.panels.tips import tip
from cxr_desktop.state.answers import words_of
from cxr_desktop.state.patient_text import file_name
from cxr_desktop.state.settings import PacsEntry
from cxr_desktop.workers.inference import Inference

#: Who makes the objects, as they say it (Device Serial Number).
PRODUCER = "CXR_DESKTOP"


class ResultsDialog(QDialog):
    """SR, SC and GSPS of the films that are open.

    The window makes it with what models said about the open films, opens it, and connects `told`. It belongs to the
    dialog's parent and may be closed at any time: what is on its way is cancelled.

    Signals
    -------
    told(str, bool)
        An attempt is over: how many of how many objects arrived, and whether all did. For a message in the window.

    Parameters
    ----------
    films : sequence of AnsweredFilm
        One for each film and model; a film without an answer is named as left out.
    inference : Inference
        Makes the objects in its process.
    pacs : sequence of PacsEntry
        ViewerSettings.pacs.
    folder : Path
        Of the last time.
    """

    told = Signal(str, bool)

    def __init__(
        self,
        films: Sequence[AnsweredFilm],
        inference: Inference,
        pacs: Sequence[PacsEntry],
        folder: Path,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Save or send results"))
        self.resize(760, 520)
        self._inference, self._pacs = inference, tuple(pacs)
        self._studies, left_out = studies_of(films)
        self._tickets: list[int] = []
        self._made: dict[ResultChoice, list[ResultObject]] = {}
        self._making: tuple[ResultChoice, list[ResultObject]] | None = None
        self._delivery: Delivery | None = None
        self._place_tried: tuple[int, Path] | None = None
        inference.encoded.connect(self._encoded)
        inference.failed.connect(self._not_encoded)
        self.films = QLabel(
            "\n".join([*(_film_words(film) for film in films if film.answer is not None), *left_out]), self
        )
        self.films.setTextFormat(Qt.TextFormat.PlainText)
        self.films.setWordWrap(True)
        self.sc, self.gsps = self._which(self.tr("Secondary captures")), self._which(self.tr("Presentation states"))
        self.target = QComboBox(self)
        self.target.setAccessibleName(self.tr("Where to"))
        self.target.addItem(self.tr("A folder"))
        for entry in self._pacs:
            self.target.addItem(f"{entry.name} ({entry.ae_title}, {entry.host}:{entry.port})")
        self.folder = FolderRow(folder, self.tr("Folder for the objects"), self)
        self.target.currentIndexChanged.connect(self._enable)
        self.folder.changed.connect(self._enable)
        self.table = QTableWidget(0, 3, self)
        self.table.setAccessibleName(self.tr("Objects and their status"))
        self.table.setHorizontalHeaderLabels([self.tr("Object"), self.tr("Status"), self.tr("Details")])
        self.table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.table.horizontalHeader().setSectionResizeMode(2, QHeaderView.ResizeMode.Stretch)
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setTabKeyNavigation(False)
        self.table.setWordWrap(True)
        self.status = QLabel(self)
        self.status.setWordWrap(True)
        self.status.setTextFormat(Qt.TextFormat.PlainText)
        self.start_button = QPushButton(self.tr("&Start"), self)
        self.start_button.setDefault(True)
        self.start_button.clicked.connect(self.start)
        self.retry_button = QPushButton(self.tr("&Try again what did not arrive"), self)
        self.retry_button.clicked.connect(self.retry)
        self.cancel_button = QPushButton(self.tr("Ca&ncel"), self)
        self.cancel_button.clicked.connect(self.cancel)
        self.close_button = QPushButton(self.tr("&Close"), self)
        self.close_button.clicked.connect(self.reject)
        form = QFormLayout()
        form.addRow(self.tr("S&econdary captures of"), self.sc)
        form.addRow(self.tr("&Presentation states of"), self.gsps)
        form.addRow(self.tr("&Where to"), self.target)
        form.addRow(self.tr("&Folder"), self.folder)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        for button in (self.start_button, self.retry_button, self.cancel_button, self.close_button):
            buttons.addWidget(button)
        rows = QVBoxLayout(self)
        rows.addWidget(self.films)
        rows.addLayout(form)
        rows.addWidget(self.table, 1)
        rows.addWidget(self.status)
        rows.addLayout(buttons)
        if not self._studies:
            self.status.setText(self.tr("There is nothing to write: no film here was analysed."))
        self._enable()

    def _which(self, name: str) -> QComboBox:
        box = QComboBox(self)
        box.setAccessibleName(name)
        for words, which in (
            (self.tr("positive answers"), "positive"),
            (self.tr("every answer, withheld ones too"), "always"),
            (self.tr("none"), "never"),
        ):
            box.addItem(words, which)
        return box

    @property
    def choice(self) -> ResultChoice:
        """What is made; a report always, of a refusal as well."""
        return ResultChoice(sc=self.sc.currentData(), gsps=self.gsps.currentData(), sr_for_refused=True)

    @property
    def _place(self) -> tuple[int, Path]:
        target = self.target.currentIndex()
        return target, self.folder.folder if target == 0 else Path()

    @property
    def delivery(self) -> Delivery | None:
        """The objects and where they are; None before they are made."""
        return self._delivery

    @property
    def busy(self) -> bool:
        """Whether objects are being made, or are on their way."""
        return self._making is not None or (self._delivery is not None and self._delivery.running)

    def start(self) -> None:
        """Make the objects, then save or send them all."""
        self._delivery = None
        self.table.setRowCount(0)
        choice = self.choice
        if choice in self._made:
            self._deliver(self._made[choice])
            return
        self._making = choice, []
        self.status.setText(self.tr("Making the objects..."))
        self._tickets = [self._inference.encode(images, choice, PRODUCER) for images in self._studies]
        self._enable()

    def retry(self) -> None:
        """Save or send again, to the same place, what is not known to have arrived there."""
        assert self._delivery is not None, "there is something to try again"
        self._go()

    def cancel(self) -> None:
        """Stop at once; the table says what that means for each object."""
        if self._making is not None:
            for ticket in self._tickets:
                self._inference.cancel(ticket)
            self._tickets, self._making = [], None
            self.status.setText(self.tr("Cancelled: nothing was written or sent."))
        elif self._delivery is not None:
            self._delivery.cancel()
        self._enable()

    def done(self, result: int) -> None:
        """However it is closed, what is on its way is cancelled."""
        self.cancel()
        super().done(result)

    def _encoded(self, ticket: int, objects: list[ResultObject]) -> None:
        if ticket not in self._tickets or self._making is None:
            return
        choice, made = self._making
        made += objects
        self._tickets.remove(ticket)
        if not self._tickets:
            self._making = None
            self._made[choice] = made
            self._deliver(made)

    def _not_encoded(self, ticket: int, words: str) -> None:
        if ticket not in self._tickets:
            return
        self.cancel()
        self.status.setText(self.tr("Not made: {0}").format(words))

    def _deliver(self, objects: Sequence[ResultObject]) -> None:
        self._delivery = Delivery(objects)  # no child: a thread tells it what happened, though this dialog be gone
        self._delivery.outcomeChanged.connect(self._show)
        self._delivery.ended.connect(self._ended)
        self.table.setRowCount(len(objects))
        for row, made in enumerate(objects):
            self.table.setItem(row, 0, QTableWidgetItem(self.tr(KIND_WORDS[made.kind])))
            self._show(row)
        self._go()

    def _go(self) -> None:
        assert self._delivery is not None, "made before"
        self.status.setText(self.tr("On their way..."))
        self._place_tried = target, folder = self._place
        if target == 0:
            self._delivery.save_to(folder)
        else:
            self._delivery.send_to(self._pacs[target - 1])
        self._enable()

    def _show(self, row: int) -> None:
        assert self._delivery is not None, "it has just told"
        outcome = self._delivery.outcomes[row]
        for column, text in ((1, self.tr(STATUS_WORDS[outcome.status])), (2, outcome.words)):
            item = QTableWidgetItem(text)
            item.setToolTip(tip(text))
            self.table.setItem(row, column, item)

    def _ended(self, words: str) -> None:
        assert self._delivery is not None, "it has just ended"
        told = words or summary(self._delivery.outcomes)
        self.status.setText(told)
        self._enable()
        self.told.emit(self.tr("Results: {0}").format(told), not words and not self._delivery.open)

    def _enable(self) -> None:
        busy = self.busy
        self.start_button.setEnabled(bool(self._studies) and not busy)
        open_ = self._delivery is not None and bool(self._delivery.open)
        self.retry_button.setEnabled(open_ and not busy and self._place == self._place_tried)
        self.cancel_button.setEnabled(busy)
        for widget in (self.sc, self.gsps, self.target):
            widget.setEnabled(not busy)
        self.folder.setEnabled(not busy and self.target.currentIndex() == 0)


def _film_words(film: AnsweredFilm) -> str:
    return f"{file_name(film.loaded.record)}: {words_of(film.answer).verdict}"
