"""Messages inside the window: what went wrong and what to do, dismissed when read; nothing pops up over a film."""

from __future__ import annotations

from html import escape
from typing import Literal

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QSizePolicy, QStyle, QToolButton, QVBoxLayout, QWidget

Kind = Literal["error", "warning", "done"]
_ICONS = {
    "error": QStyle.StandardPixmap.SP_MessageBoxCritical,
    "warning": QStyle.StandardPixmap.SP_MessageBoxWarning,
    "done": QStyle.StandardPixmap.SP_DialogApplyButton,
}
#: More than these push the oldest out.
_MOST = 4


class MessageBar(QFrame):
    """The last messages, newest first. Each stays until it is closed, answered by the same again, or pushed out.

    `escape` is the reader's key for closing the newest.
    """

    closed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows = QVBoxLayout(self)
        self._rows.setContentsMargins(8, 4, 8, 4)
        self._rows.setSpacing(4)
        self.setAccessibleName(self.tr("Messages"))
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        self.hide()

    def tell(self, text: str, kind: Kind = "error") -> None:
        """Show one line; one that stands there already is moved up."""
        text = "".join(letter if letter.isprintable() else "?" for letter in text)  # names of files may hold anything
        for row in self._held():
            if row.text == text:
                self._remove(row)
        row = _Row(text, kind, self)
        row.closed.connect(lambda: self._remove(row))
        self._rows.insertWidget(0, row)
        for old in self._held()[_MOST:]:
            self._remove(old)
        self.show()

    def texts(self) -> list[str]:
        """What stands there, newest first."""
        return [row.text for row in self._held()]

    def close_newest(self) -> bool:
        """Close the newest; whether there was one."""
        held = self._held()
        if held:
            self._remove(held[0])
        return bool(held)

    def _held(self) -> list[_Row]:
        items = (self._rows.itemAt(index) for index in range(self._rows.count()))
        widgets = (item.widget() for item in items if item is not None)
        return [row for row in widgets if isinstance(row, _Row)]

    def _remove(self, row: _Row) -> None:
        self._rows.removeWidget(row)
        row.hide()
        row.deleteLater()
        if not self._held():
            self.hide()
            self.closed.emit()


class _Row(QWidget):
    closed = Signal()

    def __init__(self, text: str, kind: Kind, parent: QWidget) -> None:
        super().__init__(parent)
        self.text = text
        words = {"error": self.tr("Error"), "warning": self.tr("Warning"), "done": self.tr("Done")}[kind]
        icon, label, close = QLabel(self), QLabel(text, self), QToolButton(self)
        icon.setPixmap(self.style().standardIcon(_ICONS[kind]).pixmap(18, 18))
        icon.setAccessibleName(words)
        label.setTextFormat(Qt.TextFormat.PlainText)
        label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        label.setWordWrap(True)
        label.setMinimumWidth(1)  # a long path has no place to break at: it must not widen the window
        label.setToolTip(f"<qt>{escape(text)}</qt>")
        label.setAccessibleName(f"{words}: {text}")
        close.setIcon(self.style().standardIcon(QStyle.StandardPixmap.SP_TitleBarCloseButton))
        close.setAutoRaise(True)
        close.setAccessibleName(self.tr("Close this message"))
        close.clicked.connect(self.closed)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(icon)
        row.addWidget(label, 1)
        row.addWidget(close)
