"""Every command of the window: its name, its words, its key, its menu, and when it can be given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from PySide6.QtCore import QCoreApplication, QObject
from PySide6.QtGui import QAction, QActionGroup, QKeySequence

#: On the bar above the films, with the short words that stand there; "" is a gap.
TOOLBAR = (
    ("tool_window", "Window"),
    ("tool_pan", "Pan"),
    ("tool_zoom", "Zoom"),
    ("tool_magnifier", "Lens"),
    ("tool_probe", "Probe"),
    ("", ""),
    ("tool_select", "Select"),
    ("tool_length", "Length"),
    ("tool_angle", "Angle"),
    ("tool_rectangle", "Rectangle"),
    ("tool_ellipse", "Ellipse"),
    ("tool_ctr", "CTR"),
    ("", ""),
    ("fit", "Fit"),
    ("one_to_one", "1:1"),
    ("invert", "Invert"),
    ("rotate_right", "Rotate"),
    ("flip", "Flip"),
    ("reset", "Reset"),
    ("", ""),
    ("ask", "Ask"),
    ("show_map", "Map"),
    ("prior", "Prior"),
)

#: What has to be there: nothing; an image in the view; a prior beside it; an answer of the model.
Needs = Literal["nothing", "image", "prior", "answer"]

MENUS = ("File", "Edit", "View", "Tools", "AI", "Compare", "Panels", "Help")


@dataclass(frozen=True, slots=True)
class Command:
    """One command."""

    name: str
    menu: str
    text: str
    key: str = ""
    needs: Needs = "nothing"
    checkable: bool = False
    group: str = ""
    """Of commands of which one is checked."""

    separated: bool = False
    """Whether a line stands above it in the menu."""


COMMANDS = (
    Command("open_files", "File", "Open files...", "Ctrl+O"),
    Command("open_folder", "File", "Open folder...", "Ctrl+Shift+O"),
    Command("open_sample", "File", "Open the sample studies"),
    Command("export_picture", "File", "Export picture...", "Ctrl+E", "image", separated=True),
    Command("export_report", "File", "Save report as PDF...", "Ctrl+P", "image"),
    Command("results", "File", "Save or send results (SR, SC, GSPS)...", "Ctrl+R", "answer"),
    Command("anonymise", "File", "Save anonymised copy...", "Ctrl+Shift+A", "image"),
    Command("close_study", "File", "Close the image", "Ctrl+W", "image", separated=True),
    Command("forget", "File", "Forget everything that was opened..."),
    Command("settings", "File", "Settings...", "Ctrl+,", separated=True),
    Command("quit", "File", "Quit", "Ctrl+Q"),
    Command("undo", "Edit", "Undo", "Ctrl+Z", "image"),
    Command("redo", "Edit", "Redo", "Ctrl+Shift+Z", "image"),
    Command("delete", "Edit", "Delete the selected measurement", "Delete", "image"),
    Command("fit", "View", "Fit to the window", "F", "image"),
    Command("one_to_one", "View", "One image pixel on one screen pixel", "Z", "image"),
    Command("zoom_in", "View", "Zoom in", "+", "image"),
    Command("zoom_out", "View", "Zoom out", "-", "image"),
    Command("rotate_right", "View", "Rotate right", "R", "image", separated=True),
    Command("rotate_left", "View", "Rotate left", "Shift+R", "image"),
    Command("flip", "View", "Flip left to right", "H", "image"),
    Command("invert", "View", "Invert", "I", "image"),
    Command("auto_window", "View", "Auto window", "A", "image", separated=True),
    Command("next_voi", "View", "Next window or VOI LUT of the image", "Shift+W", "image"),
    Command("reset", "View", "As it was opened", "Backspace", "image"),
    Command("corner_text", "View", "Corner text: full, short, none", "O", separated=True),
    Command("full_screen", "View", "Full screen", "F11", checkable=True),
    Command("tool_window", "Tools", "Window/level", "W", "image", True, "tool"),
    Command("tool_pan", "Tools", "Pan", "P", "image", True, "tool"),
    Command("tool_zoom", "Tools", "Zoom", "Shift+Z", "image", True, "tool"),
    Command("tool_magnifier", "Tools", "Magnifier", "L", "image", True, "tool"),
    Command("tool_probe", "Tools", "Pixel probe", "X", "image", True, "tool"),
    Command("tool_select", "Tools", "Select and edit measurements", "S", "image", True, "tool", True),
    Command("hide_measurements", "Tools", "Hide or show measurements", "J", "image"),
    Command("tool_length", "Tools", "Length", "D", "image", True, "tool"),
    Command("tool_angle", "Tools", "Angle", "K", "image", True, "tool"),
    Command("tool_cobb", "Tools", "Angle of two lines", "Shift+K", "image", True, "tool"),
    Command("tool_rectangle", "Tools", "Rectangle statistics", "T", "image", True, "tool"),
    Command("tool_ellipse", "Tools", "Ellipse statistics", "E", "image", True, "tool"),
    Command("tool_ctr", "Tools", "Cardiothoracic ratio", "C", "image", True, "tool"),
    Command("tool_calibrate", "Tools", "Calibrate by a known length", "Shift+D", "image", True, "tool"),
    Command("ask", "AI", "Ask the model", "V", "image"),
    Command("show_map", "AI", "Show or hide the model's attention", "M", "answer"),
    Command("contour", "AI", "Line at half of the map's maximum", "Shift+M", "answer", True),
    Command("ask_both", "AI", "Ask both models", "B", "image"),
    Command("cancel", "AI", "Cancel what runs", "Esc"),
    Command("agree", "AI", "Opinion: agree", "Y", "image", separated=True),
    Command("reject", "AI", "Opinion: reject", "N", "image"),
    Command("unsure", "AI", "Opinion: unsure", "U", "image"),
    Command("comment", "AI", "Comment on it", "Shift+C", "image"),
    Command("batch", "AI", "Analyse a folder...", "Ctrl+B", separated=True),
    Command("analyse_on_open", "AI", "Analyse on open", checkable=True),
    Command("next_image", "Compare", "Next image of the list", "PgDown"),
    Command("previous_image", "Compare", "Previous image of the list", "PgUp"),
    Command("prior", "Compare", "Prior beside the current film", "G", "image", True, separated=True),
    Command("other_prior", "Compare", "An older prior", "Shift+G", "prior"),
    Command("linked", "Compare", "Zoom, pan and window linked", "Ctrl+L", "nothing", True),
    Command("film_alone", "Panels", "Film alone, without panels", "F9", checkable=True),
    Command("keys", "Help", "Keys and mouse", "F1"),
    Command("test_pattern", "Help", "Test pattern for the display"),
    Command("log_folder", "Help", "Open the log folder"),
    Command("about", "Help", "About", separated=True),
    *(
        Command(f"preset_{number}", "", f"Window preset {number}" if number else "Window as the image says",
                str(number), "image")
        for number in range(10)
    ),
)  # fmt: skip


def translated(text: str) -> str:
    """A command's or menu's words in the language of the window."""
    return QCoreApplication.translate("commands", text)


class Actions(QObject):
    """The commands as QActions; those that need an image are off until there is one.

    Parameters
    ----------
    parent : QObject
        Whose shortcuts they are.
    shortcuts : mapping
        Keys that the reader changed, by name of the command.
    """

    def __init__(self, parent: QObject, shortcuts: Mapping[str, str]) -> None:
        super().__init__(parent)
        self._by_name: dict[str, QAction] = {}
        groups: dict[str, QActionGroup] = {}
        short = dict(TOOLBAR)
        for command in COMMANDS:
            action = QAction(translated(command.text), parent)
            action.setObjectName(command.name)
            if command.name in short:
                action.setIconText(translated(short[command.name]))
            action.setCheckable(command.checkable)
            if command.group:
                group = groups.setdefault(command.group, QActionGroup(self))
                group.addAction(action)
            self._by_name[command.name] = action
        self.set_shortcuts(shortcuts)
        self.set_available(set())

    def __getitem__(self, name: str) -> QAction:
        return self._by_name[name]

    def set_shortcuts(self, shortcuts: Mapping[str, str]) -> None:
        """Give every command its key: the reader's own, else the one of the table."""
        for command in COMMANDS:
            action, key = self._by_name[command.name], QKeySequence(shortcuts.get(command.name, command.key))
            action.setShortcut(key)
            words = key.toString(QKeySequence.SequenceFormat.NativeText)
            action.setToolTip(f"{action.text()} ({words})" if words else action.text())

    def set_available(self, present: set[Needs]) -> None:
        """Switch commands on or off by what is there."""
        for command in COMMANDS:
            self._by_name[command.name].setEnabled(command.needs == "nothing" or command.needs in present)


def key_conflicts(shortcuts: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Keys that two commands would share: (key, command, command)."""
    seen: dict[str, str] = {}
    conflicts = []
    for command in COMMANDS:
        key = QKeySequence(shortcuts.get(command.name, command.key)).toString()
        if key and key in seen:
            conflicts.append((key, seen[key], command.name))
        elif key:
            seen[key] = command.name
    return conflicts
