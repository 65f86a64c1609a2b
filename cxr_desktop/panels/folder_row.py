"""A row that names a folder: typed, or chosen in the system's dialog."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QLineEdit, QPushButton, QWidget


class FolderRow(QWidget):
    """Holds a folder. Signals: changed()."""

    changed = Signal()

    def __init__(self, folder: Path, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._name = name
        self.typed = QLineEdit(str(folder), self)
        self.typed.setAccessibleName(name)
        self.typed.textChanged.connect(self.changed)
        self.button = QPushButton(self.tr("Choose..."), self)
        self.button.setAccessibleName(self.tr("Choose: {0}").format(name))
        self.button.setAutoDefault(False)
        self.button.clicked.connect(self._choose)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.typed, 1)
        row.addWidget(self.button)
        self.setFocusProxy(self.typed)

    @property
    def folder(self) -> Path:
        """As it is typed."""
        return Path(self.typed.text().strip()).expanduser()

    def _choose(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, self._name, str(self.folder))
        if chosen:
            self.typed.setText(chosen)
