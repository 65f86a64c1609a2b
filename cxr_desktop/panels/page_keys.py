"""Page keys that belong to the list or slider they are pressed in, although the window has a command on them."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QWidget


class _PageKeys(QObject):
    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Qt asks the widget before a shortcut takes the key."""
        if (
            event.type() == QEvent.Type.ShortcutOverride
            and isinstance(event, QKeyEvent)
            and event.key() in (Qt.Key.Key_PageUp, Qt.Key.Key_PageDown)
            and event.modifiers() in (Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.KeypadModifier)
        ):
            event.accept()
            return True
        return super().eventFilter(watched, event)


def keep_page_keys(widget: QWidget) -> None:
    """Let Page Up and Page Down scroll a list or move a slider: no film is changed under the reader."""
    widget.installEventFilter(_PageKeys(widget))
