"""The page before anything is open: what this is, the sample studies in one click, the keys to begin with."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from cxr_desktop.panels.study_browser import local_paths


class Welcome(QWidget):
    """Shown where the film will be.

    Signals
    -------
    samplesWanted(), filesWanted(), folderWanted()
        A button was pressed.
    dropped(list of str)
        Paths that were dropped on it.

    Parameters
    ----------
    keys : sequence of (str, str)
        Key and what it does, as it is set now.
    """

    samplesWanted = Signal()
    filesWanted = Signal()
    folderWanted = Signal()
    dropped = Signal(list)

    def __init__(self, keys: Sequence[tuple[str, str]], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAcceptDrops(True)
        title = QLabel(self.tr("CXR assistant"), self)
        font = title.font()
        font.setPointSizeF(font.pointSizeF() * 1.8)
        title.setFont(font)
        statement = QLabel(
            self.tr(
                "A reading station for chest radiographs, for research. It is not a medical device: nothing that it "
                "shows or computes is a diagnosis."
            ),
            self,
        )
        hint = QLabel(
            self.tr("Drop files, folders, zip archives or a DICOMDIR anywhere on the window, or begin here:"), self
        )
        self.samples = QPushButton(self.tr("Open the sample studies"), self)
        self.samples.setDefault(True)
        self.samples.setToolTip(self.tr("Drawn chests: they show how it works; the scores of drawings mean nothing."))
        self.files = QPushButton(self.tr("Open files..."), self)
        self.folder = QPushButton(self.tr("Open folder..."), self)
        buttons = QHBoxLayout()
        for button, signal in (
            (self.samples, self.samplesWanted),
            (self.files, self.filesWanted),
            (self.folder, self.folderWanted),
        ):
            button.clicked.connect(signal)
            button.setAutoDefault(True)  # Return presses the one that has the focus
            buttons.addWidget(button)
        buttons.addStretch(1)
        page = QVBoxLayout()
        for label in (title, statement, hint):
            label.setWordWrap(True)
            page.addWidget(label)
        page.addLayout(buttons)
        page.addSpacing(16)
        page.addLayout(self._key_table(keys))
        sides = QHBoxLayout()
        sides.addStretch(1)
        sides.addLayout(page, 3)
        sides.addStretch(1)
        rows = QVBoxLayout(self)
        rows.addStretch(1)
        rows.addLayout(sides)
        rows.addStretch(2)
        self.setFocusProxy(self.samples)

    def _key_table(self, keys: Sequence[tuple[str, str]]) -> QGridLayout:
        table = QGridLayout()
        table.setColumnStretch(1, 1)
        table.setHorizontalSpacing(16)
        for row, (key, words) in enumerate(keys):
            name = QLabel(key, self)
            font = name.font()
            font.setBold(True)
            name.setFont(font)
            name.setTextFormat(Qt.TextFormat.PlainText)  # a key may be <
            table.addWidget(name, row, 0)
            table.addWidget(QLabel(words, self), row, 1)
        return table

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
