"""The study browser: search box, tree of patients, studies and images, recent list, progress of what is listed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path

from PySide6.QtCore import QEvent, QModelIndex, QObject, QSize, Qt, QTimer, QUrl, Signal
from PySide6.QtGui import (
    QAction,
    QDesktopServices,
    QDragEnterEvent,
    QDropEvent,
    QIcon,
    QImage,
    QKeySequence,
    QShowEvent,
)
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QMenu,
    QProgressBar,
    QPushButton,
    QStyle,
    QToolButton,
    QTreeView,
    QVBoxLayout,
    QWidget,
)

from cxr_desktop.panels.search_box import SearchBox
from cxr_desktop.panels.study_model import StudyModel
from cxr_desktop.panels.tips import tip
from cxr_desktop.state.patient_text import person_name, study_line
from cxr_desktop.state.records import InstanceRecord
from cxr_desktop.state.search import query_words
from cxr_desktop.workers.scan_messages import Listed

#: Milliseconds after the last key, or the last movement of the list.
_SEARCH_MS = 150
_LOOK_MS = 60
#: So many patients are shown with their studies open.
_OPEN_PATIENTS = 300
_THUMBNAIL = 48
_ICONS = {
    "image": QStyle.StandardPixmap.SP_FileIcon,
    "result": QStyle.StandardPixmap.SP_FileDialogInfoView,
    "other": QStyle.StandardPixmap.SP_FileDialogDetailedView,
    "failed": QStyle.StandardPixmap.SP_MessageBoxWarning,
}


class StudyBrowser(QWidget):
    """Shows what was listed; what to do with it is somebody else's.

    Signals
    -------
    chosen(InstanceRecord)
        To be opened: Return, or a double click. Of what has no picture, whoever opens says why.
    chosenAsPrior(InstanceRecord)
        To be hung beside what is open: Shift+Return.
    tagsWanted(InstanceRecord)
        Its elements are to be shown.
    removed(list of str)
        Names that are no longer listed; the files stay.
    thumbnailsWanted(list of str)
        Names whose small pictures are visible and missing, from the top down.
    dropped(list of str)
        Paths that were dropped on it.
    cancelled()
        What is being listed is to be stopped.
    """

    chosen = Signal(object)
    chosenAsPrior = Signal(object)
    tagsWanted = Signal(object)
    removed = Signal(object)  # Qt would take from a list of names what is no text (PEP 383)
    thumbnailsWanted = Signal(object)
    dropped = Signal(list)
    cancelled = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAcceptDrops(True)
        icons = {kind: self.style().standardIcon(pixmap) for kind, pixmap in _ICONS.items()}
        self.model = StudyModel(lambda kind: icons.get(kind, QIcon()), self)
        self.tree = self._tree_view()
        placeholder = self.tr("Search name, ID, accession, date, description")
        self.search = SearchBox(self.tree, placeholder, self.tr("Search the studies"), self)
        self.recent_button = QToolButton(self)
        self.progress = QProgressBar(self)
        self.cancel_button = QPushButton(self.tr("Cancel"), self)
        self.status = QLabel(self)
        self._recent_menu = QMenu(self)
        self._closed_by_hand: set[tuple[str, ...]] = set()
        self._lay_out()
        self._search_timer = self._timer(_SEARCH_MS, self._find)
        self._look_timer = self._timer(_LOOK_MS, self._look)
        self.actions_ = self._make_actions()
        self._connect()
        self.set_recent([])
        self._say_how_many()

    def add(self, listed: Listed) -> None:
        """Take in what was listed, and show how far listing is."""
        self.model.add(listed)
        self._open_patients()
        self._say_how_many()
        self.progress.setMaximum(listed.total)  # 0 shows that it works, without saying how far it is
        self.progress.setValue(listed.done)
        self._look_timer.start()

    def set_busy(self, busy: bool) -> None:
        """Show the progress bar while something is listed."""
        if busy and self.progress.isHidden():
            self.progress.setMaximum(0)
        self.progress.setVisible(busy)
        self.cancel_button.setVisible(busy)

    def set_recent(self, records: Sequence[InstanceRecord]) -> None:
        """What the recent list offers, the latest first."""
        self._recent_menu.clear()
        for record in records:
            words = "  ".join(part for part in (person_name(record.patient_name), study_line(record)) if part)
            action = self._recent_menu.addAction(words.replace("&", "&&"))
            action.setToolTip(tip(record.name))
            action.triggered.connect(partial(self.chosen.emit, record))
        self.recent_button.setEnabled(bool(records))

    def set_answer_state(self, name: str, words: str) -> None:
        """Show beside the image of this name what became of it; "" takes it away."""
        self.model.set_answer_state(name, words)

    def set_thumbnail(self, name: str, image: QImage) -> None:
        """Show the small picture of a record; a null image where there is none."""
        self.model.set_thumbnail(name, image)

    def select(self, record: InstanceRecord) -> None:
        """Make a record's row the current one, where it is shown."""
        index = self.model.index_of(record)
        if index.isValid():
            self.tree.setCurrentIndex(index)

    def clear(self) -> None:
        """Forget everything that is listed."""
        self.search.clear()
        self.model.clear()
        self._closed_by_hand.clear()
        self.set_recent([])
        self._say_how_many()

    def current(self) -> InstanceRecord | None:
        """The record of the current row."""
        return self.model.record(self.tree.currentIndex())

    def _tree_view(self) -> QTreeView:
        tree = QTreeView(self)
        tree.setModel(self.model)
        tree.setHeaderHidden(True)
        tree.setUniformRowHeights(True)
        tree.setIconSize(QSize(_THUMBNAIL, _THUMBNAIL))
        tree.setIndentation(14)
        tree.setExpandsOnDoubleClick(False)
        tree.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        tree.setAccessibleName(self.tr("Studies"))
        tree.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
        tree.viewport().installEventFilter(self)
        return tree

    def _lay_out(self) -> None:
        self.recent_button.setText(self.tr("Recent"))
        self.recent_button.setAccessibleName(self.tr("Recently opened studies"))
        self.recent_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.recent_button.setMenu(self._recent_menu)
        self.recent_button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._recent_menu.setToolTipsVisible(True)
        self.progress.setAccessibleName(self.tr("Progress of listing"))
        self.progress.setFormat(self.tr("%v of %m files"))
        self.status.setAccessibleName(self.tr("What is listed"))
        self.status.setWordWrap(True)
        top, bottom = QHBoxLayout(), QHBoxLayout()
        top.addWidget(self.search, 1)
        top.addWidget(self.recent_button)
        bottom.addWidget(self.progress, 1)
        bottom.addWidget(self.cancel_button)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(4, 4, 4, 4)
        rows.addLayout(top)
        rows.addWidget(self.tree, 1)
        rows.addLayout(bottom)
        rows.addWidget(self.status)
        for before, after in pairwise((self.search, self.recent_button, self.tree)):
            QWidget.setTabOrder(before, after)
        self.set_busy(False)

    def _make_actions(self) -> dict[str, QAction]:
        """The context menu; reached from the keyboard by the menu key, too."""
        shift_return = QKeySequence(Qt.Modifier.SHIFT | Qt.Key.Key_Return)
        entries = {
            "open": (self.tr("Open"), self._open),
            "prior": (self.tr("Open as prior"), self._open_as_prior),
            "tags": (self.tr("Show tags"), self._show_tags),
            "folder": (self.tr("Show in file manager"), self._show_folder),
            "remove": (self.tr("Remove from list"), self._remove),
        }
        actions = {}
        for name, (words, slot) in entries.items():
            action = actions[name] = QAction(words, self.tree)
            action.triggered.connect(slot)
            self.tree.addAction(action)
        actions["prior"].setShortcuts([shift_return, QKeySequence(Qt.Modifier.SHIFT | Qt.Key.Key_Enter)])
        actions["prior"].setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
        return actions

    def _connect(self) -> None:
        self.search.textChanged.connect(self._search_timer.start)
        self.search.returnPressed.connect(self.tree.setFocus)
        self.cancel_button.clicked.connect(self.cancelled)
        self.tree.activated.connect(self._open)
        self.tree.selectionModel().currentChanged.connect(self._enable_actions)
        self.tree.collapsed.connect(self._note_closed)
        self.tree.expanded.connect(self._note_opened)
        self.tree.verticalScrollBar().valueChanged.connect(self._look_timer.start)
        self.model.rowsInserted.connect(self._on_more_rows)
        self._enable_actions()

    def _timer(self, milliseconds: int, slot: object) -> QTimer:
        timer = QTimer(self)
        timer.setSingleShot(True)
        timer.setInterval(milliseconds)
        timer.timeout.connect(slot)
        return timer

    def _find(self) -> None:
        self.model.find(query_words(self.search.text()))
        self._open_patients()
        self._say_how_many()
        self._look_timer.start()

    def _open_patients(self) -> None:
        """Show patients and studies open, as long as they are few, but for what was closed by hand."""
        if len(self.model.browser.patients) > _OPEN_PATIENTS:
            return
        for row, patient in enumerate(self.model.browser.patients):
            index = self.model.index(row, 0)
            if patient.key in self._closed_by_hand:
                continue
            self.tree.expand(index)
            for place, study in enumerate(patient.studies[: self.model.rowCount(index)]):
                if len(study.records) > 1 and (*patient.key, study.key) not in self._closed_by_hand:
                    self.tree.expand(self.model.index(place, 0, index))

    def _note_closed(self, index: QModelIndex) -> None:
        self._closed_by_hand.add(self.model.key(index))
        self._look_timer.start()

    def _note_opened(self, index: QModelIndex) -> None:
        self._closed_by_hand.discard(self.model.key(index))
        self._look_timer.start()

    def _on_more_rows(self) -> None:
        self._open_patients()
        self._look_timer.start()

    def _say_how_many(self) -> None:
        total = len(self.model.browser)
        if not total:
            self.status.setText(self.tr("Nothing is listed: open or drop files, folders, zip archives."))
            return
        words = [self.tr("Files: {}").format(total)]
        if self.model.browser.failed:
            words.append(self.tr("could not be read: {}").format(self.model.browser.failed))
        if self.search.text().strip():
            words.append(self.tr("patients found: {}").format(len(self.model.browser.patients)))
        self.status.setText(", ".join(words))

    def _look(self) -> None:
        """Ask for the thumbnails of what is visible, and show more rows where the last one is."""
        if not self.isVisible():
            return
        names = []
        ends = []
        for index in self._visible_rows():
            parent = index.parent()
            record = self.model.record(index) if parent.isValid() else None
            if record is not None and self.model.wants_thumbnail(record):
                names.append(record.name)
            if index.row() == self.model.rowCount(parent) - 1 and self.model.has_more(parent):
                ends.append(parent)
        for parent in ends:
            self.model.show_more(parent)
        self.thumbnailsWanted.emit(list(dict.fromkeys(names)))  # a study shows the picture of its first image

    def _visible_rows(self) -> Iterator[QModelIndex]:
        index = self.tree.indexAt(self.tree.viewport().rect().topLeft())
        bottom = self.tree.viewport().height()
        while index.isValid() and self.tree.visualRect(index).top() <= bottom:
            yield index
            index = self.tree.indexBelow(index)

    def _enable_actions(self) -> None:
        record = self.current()
        self.actions_["open"].setEnabled(record is not None and record.kind in ("image", "result") and record.rows > 0)
        self.actions_["prior"].setEnabled(record is not None and record.kind == "image" and record.rows > 0)
        for name in ("tags", "folder", "remove"):
            self.actions_[name].setEnabled(record is not None)

    def _open(self) -> None:
        record = self.current()
        if record is not None:
            self.chosen.emit(record)

    def _open_as_prior(self) -> None:
        record = self.current()
        if record is not None:  # the action is off for what is no image
            self.chosenAsPrior.emit(record)

    def _show_tags(self) -> None:
        record = self.current()
        if record is not None:
            self.tagsWanted.emit(record)

    def _show_folder(self) -> None:
        record = self.current()
        if record is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(Path(record.name.partition("!")[0]).parent)))

    def _remove(self) -> None:
        records = self.model.records(self.tree.currentIndex())
        if records:
            self.model.remove(record.name for record in records)
            self._say_how_many()
            self.removed.emit([record.name for record in records])

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Qt's: what becomes visible wants thumbnails."""
        if event.type() == QEvent.Type.Resize:
            self._look_timer.start()
        return super().eventFilter(watched, event)

    def showEvent(self, event: QShowEvent) -> None:
        """Qt's."""
        super().showEvent(event)
        self._look_timer.start()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Qt's."""
        if event.mimeData().hasUrls():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Qt's."""
        paths = local_paths(event.mimeData().urls())
        if paths:
            event.acceptProposedAction()
            self.dropped.emit(paths)


def local_paths(urls: Iterable[QUrl]) -> list[str]:
    """The files and folders among dropped things."""
    return [url.toLocalFile() for url in urls if url.isLocalFile()]
