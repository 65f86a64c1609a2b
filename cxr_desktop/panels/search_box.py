"""A search box above a tree: Escape empties it, the down arrow leads into the tree."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QLineEdit, QTreeView, QWidget


class SearchBox(QLineEdit):
    """The box of a tree that shows what is found.

    Parameters
    ----------
    tree : QTreeView
        With its model, when the first key comes.
    placeholder, name : str
        What can be looked for; the accessible name.
    """

    def __init__(self, tree: QTreeView, placeholder: str, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._tree = tree
        self.setClearButtonEnabled(True)
        self.setPlaceholderText(placeholder)
        self.setAccessibleName(name)

    def event(self, event: QEvent) -> bool:
        """Qt's: Escape is taken before the window's own Escape, where there is something to empty."""
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and self._empties(event):
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Qt's."""
        if self._empties(event):
            self.clear()
        elif event.key() == Qt.Key.Key_Down:
            self._tree.setFocus()
            if not self._tree.currentIndex().isValid():
                self._tree.setCurrentIndex(self._tree.model().index(0, 0))
        else:
            super().keyPressEvent(event)

    def _empties(self, event: QKeyEvent) -> bool:
        return event.key() == Qt.Key.Key_Escape and bool(self.text())
