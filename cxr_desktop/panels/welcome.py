"""The page before anything is open: what this is, the sample studies in one click, the keys to begin with."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget


class Welcome(QWidget):
    """Shown where the film will be.

    Signals
    -------
    samplesWanted(), filesWanted(), folderWanted()
        A button was pressed.

    Parameters
    ----------
    keys : sequence of (str, str)
        Key and what it does, as it is set now.
    """

    samplesWanted = Signal()
    filesWanted = Signal()
    folderWanted = Signal()

    def __init__(self, keys: Sequence[tuple[str, str]], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._keys = QGridLayout()
        self._keys.setColumnStretch(1, 1)
        self._keys.setHorizontalSpacing(16)
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
        page.addLayout(self._keys)
        sides = QHBoxLayout()
        sides.addStretch(1)
        sides.addLayout(page, 3)
        sides.addStretch(1)
        rows = QVBoxLayout(self)
        rows.addStretch(1)
        rows.addLayout(sides)
        rows.addStretch(2)
        self.setFocusProxy(self.samples)
        self.set_keys(keys)

    def set_keys(self, keys: Sequence[tuple[str, str]]) -> None:
        """Name keys and what they do: the reader changes them."""
        while (item := self._keys.takeAt(0)) is not None:
            label = item.widget()
            assert label is not None, "labels alone are put there"
            label.deleteLater()
        for row, (key, words) in enumerate(keys):
            name = QLabel(key, self)
            font = name.font()
            font.setBold(True)
            name.setFont(font)
            name.setTextFormat(Qt.TextFormat.PlainText)  # a key may be <
            self._keys.addWidget(name, row, 0)
            self._keys.addWidget(QLabel(words, self), row, 1)
