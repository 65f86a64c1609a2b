"""The page of keys and mouse, made of the commands as they are set; and what is said about the program."""

from __future__ import annotations

from html import escape

from PySide6.QtCore import QCoreApplication, Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QDialog, QTextBrowser, QVBoxLayout, QWidget

from cxr_core import __version__
from cxr_desktop.window.actions import COMMANDS, MENUS, Actions, translated

_CONTEXT = "help"
_MOUSE = (
    ("Left drag", "the chosen tool"),
    (
        "Right click, or the menu key",
        "every window and VOI LUT of the image, window as numbers, overlay planes, shutter",
    ),
    ("Right drag", "window/level; with Ctrl four times as fast"),
    ("Middle drag, or left drag with the space bar", "pan"),
    ("Wheel", "zoom about the pointer"),
    ("Double click", "in the list of studies: open"),
)
_WITHOUT_A_MOUSE = (
    "Tab walks from panel to panel, arrows within one, Enter opens what is chosen.",
    "With a measuring tool, arrows move a cross over the film and Enter sets a point.",
    "With a measurement chosen, arrows move it by a pixel, with Shift by ten.",
)


def help_html(actions: Actions) -> str:
    """All commands with the keys that they have now, by menu; the mouse; the way without one."""

    def tr(text: str) -> str:
        return escape(QCoreApplication.translate(_CONTEXT, text))

    parts = [f"<h2>{tr('Keys')}</h2>"]
    for menu in MENUS:
        rows = [
            (translated(command.text), actions[command.name].shortcut())
            for command in COMMANDS
            if command.menu == menu and not actions[command.name].shortcut().isEmpty()
        ]
        if rows:
            parts.append(f"<h3>{escape(translated(menu))}</h3>{_table([(text, _key(key)) for text, key in rows])}")
    presets = [actions[f"preset_{number}"].shortcut() for number in range(10)]
    if any(not key.isEmpty() for key in presets):
        words = tr("Window as the image says, then the windows and VOI LUTs of the image, then your own presets")
        keys = ", ".join(_key(key) for key in presets if not key.isEmpty())
        parts.append(_table([(words, keys)]))
    parts.append(f"<h2>{tr('Mouse')}</h2>{_table([(tr(words), tr(does)) for words, does in _MOUSE])}")
    parts.append(f"<h2>{tr('Without a mouse')}</h2>" + "".join(f"<p>{tr(line)}</p>" for line in _WITHOUT_A_MOUSE))
    return "".join(parts)


def about_html(models: list[str]) -> str:
    """What this is, and what it is not."""

    def tr(text: str) -> str:
        return escape(QCoreApplication.translate(_CONTEXT, text))

    listed = "".join(f"<li>{escape(model)}</li>" for model in models)
    return (
        f"<h2>CXR reading station {escape(__version__)}</h2>"
        f"<p><b>{tr('Research use only, not for diagnosis.')}</b> "
        f"{tr('It is no medical device. A display that is not calibrated shows no diagnostic picture.')}</p>"
        f"<p>{tr('Nothing leaves this machine unless you send, export or save it.')}</p>"
        f"<p>{tr('Models on this machine:')}</p><ul>{listed}</ul>"
        f"<p>{tr('Apache License 2.0. Qt for Python is used under the LGPL, version 3.')}</p>"
    )


def _key(key: QKeySequence) -> str:
    return escape(key.toString(QKeySequence.SequenceFormat.NativeText))


def _table(rows: list[tuple[str, str]]) -> str:
    cells = "".join(f"<tr><td width='420'>{words}</td><td><b>{key}</b></td></tr>" for words, key in rows)
    return f"<table cellpadding='3'>{cells}</table>"


class Page(QDialog):
    """A page of text that stays beside the window."""

    def __init__(self, title: str, html: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(title)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.resize(720, 640)
        self.text = QTextBrowser(self)
        self.text.setHtml(html)
        self.text.setAccessibleName(title)
        self.text.setOpenExternalLinks(False)
        QVBoxLayout(self).addWidget(self.text)
