"""The look: Fusion, dark, with the palette set by hand, because a colour scheme is a request that X11 may ignore."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QApplication

_ROLES = {
    QPalette.ColorRole.Window: "#202225",
    QPalette.ColorRole.WindowText: "#dcdfe3",
    QPalette.ColorRole.Base: "#17191b",
    QPalette.ColorRole.AlternateBase: "#1d1f22",
    QPalette.ColorRole.Text: "#dcdfe3",
    QPalette.ColorRole.Button: "#2b2e32",
    QPalette.ColorRole.ButtonText: "#dcdfe3",
    QPalette.ColorRole.BrightText: "#ffffff",
    QPalette.ColorRole.ToolTipBase: "#2b2e32",
    QPalette.ColorRole.ToolTipText: "#dcdfe3",
    QPalette.ColorRole.PlaceholderText: "#8b9096",
    QPalette.ColorRole.Highlight: "#2f6fb0",
    QPalette.ColorRole.HighlightedText: "#ffffff",
    QPalette.ColorRole.Accent: "#2f6fb0",
    QPalette.ColorRole.Link: "#7db7f0",
    QPalette.ColorRole.LinkVisited: "#b39ddb",
    QPalette.ColorRole.Light: "#3a3e43",
    QPalette.ColorRole.Midlight: "#33363b",
    QPalette.ColorRole.Mid: "#26292c",
    QPalette.ColorRole.Dark: "#131416",
    QPalette.ColorRole.Shadow: "#000000",
}
_DISABLED = "#7a7f85"
#: What the strip and warnings are written in: 9.6 to 1 on the window's colour.
CAUTION = "#ffbe5a"

#: Fusion outlines an empty box darker than the window, which in the dark nobody sees.
_UNCHECKED = (
    "QCheckBox::indicator:unchecked { width: 13px; height: 13px; border: 1px solid #8b9096; border-radius: 2px; "
    "background: #17191b; } QCheckBox::indicator:unchecked:focus { border-color: #7db7f0; }"
)


def apply_theme(application: QApplication) -> None:
    """Dark, everywhere alike."""
    application.setStyle("Fusion")
    application.styleHints().setColorScheme(Qt.ColorScheme.Dark)  # for what the platform draws itself
    palette = QPalette()
    for role, colour in _ROLES.items():
        palette.setColor(role, QColor(colour))
    for role in (QPalette.ColorRole.WindowText, QPalette.ColorRole.Text, QPalette.ColorRole.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, role, QColor(_DISABLED))
    application.setPalette(palette)
    application.setStyleSheet(_UNCHECKED)
