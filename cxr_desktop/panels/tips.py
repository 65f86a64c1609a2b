"""Tool tips of what a header or path says: never rich text, in which a value could draw and load what it likes."""

from __future__ import annotations

from PySide6.QtGui import Qt


def tip(text: str) -> str:
    """The text as a tool tip that shows it letter by letter."""
    return Qt.convertFromPlainText(text) if Qt.mightBeRichText(text) else text
