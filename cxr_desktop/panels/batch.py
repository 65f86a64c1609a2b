"""A batch run over a folder: its list, how far it is, what to do with it."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from cxr_desktop.panels.batch_table import ANSWER, FILE, SCORE, STATE, BatchTable
from cxr_desktop.panels.page_keys import keep_page_keys
from cxr_desktop.state.batch import STATE_WORDS, Order
from cxr_desktop.workers.batch_run import BatchRun

#: Between two sorts by score while a run goes on.
_SORT_MS = 500


class BatchPanel(QWidget):
    """Shows a BatchRun.

    Signals
    -------
    runRequested()
        A folder is to be chosen, and `run.start` called.
    exportRequested()
        A file is to be chosen, and state.batch.write_csv called with `run.items`.
    openRequested(name: str)
        A file of the list, by double click or Enter.
    """

    runRequested = Signal()
    exportRequested = Signal()
    openRequested = Signal(object)

    def __init__(self, run: BatchRun, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.run = run
        self.model = BatchTable(self)
        self.start_button = QPushButton(self.tr("Analyse a &folder..."), self)
        self.start_button.clicked.connect(self.runRequested)
        self.cancel_button = QPushButton(self.tr("Ca&ncel the run"), self)
        self.cancel_button.clicked.connect(run.cancel)
        self.export_button = QPushButton(self.tr("E&xport as CSV..."), self)
        self.export_button.clicked.connect(self.exportRequested)
        self.order = QComboBox(self)
        self.order.setAccessibleName(self.tr("Order of the list"))
        self.order.addItem(self.tr("In order of arrival"), "arrival")
        self.order.addItem(self.tr("By score"), "score")
        self.order.setToolTip(
            self.tr("By score: what was found first, then all without a verdict, then the rest. A score is no urgency.")
        )
        self.order.currentIndexChanged.connect(self._sort)
        self.progress = QProgressBar(self)
        self.progress.setAccessibleName(self.tr("How far the run is"))
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        policy.setRetainSizeWhenHidden(True)  # the buttons stay where they are
        self.progress.setSizePolicy(policy)
        self.note = QLabel(self)
        self.note.setWordWrap(True)
        self.note.setTextFormat(Qt.TextFormat.PlainText)
        self.note.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        self.table = self._table()
        self._sorting = QTimer(self)
        self._sorting.setSingleShot(True)
        self._sorting.setInterval(_SORT_MS)
        self._sorting.timeout.connect(self._sort)
        bar = QHBoxLayout()
        for widget in (self.start_button, self.cancel_button, self.order, self.export_button):
            bar.addWidget(widget)
        bar.addWidget(self.progress, 1)
        layout = QVBoxLayout(self)
        layout.addLayout(bar)
        layout.addWidget(self.note)
        layout.addWidget(self.table, 1)
        run.listed.connect(self._listed)
        run.changed.connect(self._changed)
        run.progress.connect(self._on_progress)
        run.finished.connect(self._finished)
        run.failed.connect(self._failed)
        self._show_state(self.tr("No folder was analysed yet."))

    def begin(self, path: str) -> None:
        """Say that the files behind a path are being listed; called beside `run.start`."""
        self.model.set_items(self.run.items)
        self.progress.setRange(0, 0)
        self._show_state(self.tr("Listing {0}").format(path))

    def _table(self) -> QTableView:
        table = QTableView(self)
        table.setModel(self.model)
        keep_page_keys(table)
        table.setAccessibleName(self.tr("Files of the run"))
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        table.setAlternatingRowColors(True)
        table.setTabKeyNavigation(False)
        table.setWordWrap(False)
        table.verticalHeader().hide()
        header = table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        header.setSectionResizeMode(ANSWER, QHeaderView.ResizeMode.Stretch)
        letter = table.fontMetrics().horizontalAdvance("m")
        for column, letters in ((FILE, 18), (STATE, 16), (SCORE, 8)):
            header.resizeSection(column, letters * letter)
        table.activated.connect(self._activated)
        return table

    def _activated(self, index: QModelIndex) -> None:
        self.openRequested.emit(self.model.item(index.row()).name)

    def _listed(self) -> None:
        self.model.set_items(self.run.items)
        self._show_state()

    def _changed(self, number: int) -> None:
        self.model.tell_changed(number)
        if self.order.currentData() == "score" and not self._sorting.isActive():
            self._sorting.start()

    def _on_progress(self, done: int, total: int) -> None:
        self.progress.setRange(0, max(total, 1))
        self.progress.setValue(done)
        self._show_state()

    def _finished(self) -> None:
        self._sorting.stop()
        self._sort()
        self.progress.setRange(0, 1)
        self.progress.setValue(1)
        self._show_state()

    def _failed(self, words: str) -> None:
        self.progress.setRange(0, 1)
        self._show_state(words)

    def _sort(self) -> None:
        by: Order = self.order.currentData()
        self.model.set_order(by)

    def _show_state(self, words: str = "") -> None:
        counts = self.run.items.counts()
        if not words:
            parts = (f"{self.tr(STATE_WORDS[state])}: {number}" for state, number in counts.items())
            words = "   ".join(parts) or self.tr("There is no file.")
        self.note.setText(words)
        self.start_button.setEnabled(not self.run.running)
        self.cancel_button.setEnabled(self.run.running)
        self.export_button.setEnabled(bool(counts) and not self.run.running)
        self.progress.setVisible(self.run.running)
