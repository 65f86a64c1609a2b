"""The table of commands and their keys, in which the reader changes them."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QKeySequenceEdit, QLabel, QTableWidget, QTableWidgetItem, QVBoxLayout, QWidget

from cxr_desktop.window.actions import COMMANDS, key_conflicts, translated


class KeysTable(QWidget):
    """One row a command. A key that two commands share is named, and `conflicts` is not empty."""

    changed = Signal()

    def __init__(self, shortcuts: Mapping[str, str], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._table = QTableWidget(len(COMMANDS), 2, self)
        self._table.setHorizontalHeaderLabels([self.tr("Command"), self.tr("Key")])
        self._table.setAccessibleName(self.tr("Commands and their keys"))
        self._table.verticalHeader().hide()
        self._table.horizontalHeader().setStretchLastSection(True)
        self._trouble = QLabel(self)
        self._trouble.setWordWrap(True)
        self._edits: dict[str, QKeySequenceEdit] = {}
        for row, command in enumerate(COMMANDS):
            item = QTableWidgetItem(translated(command.text))
            item.setFlags(Qt.ItemFlag.ItemIsEnabled)
            edit = QKeySequenceEdit(QKeySequence(shortcuts.get(command.name, command.key)))
            edit.setMaximumSequenceLength(1)
            edit.setClearButtonEnabled(True)
            edit.setAccessibleName(translated(command.text))
            edit.keySequenceChanged.connect(self._look)
            self._edits[command.name] = edit
            self._table.setItem(row, 0, item)
            self._table.setCellWidget(row, 1, edit)
        self._table.resizeColumnToContents(0)
        rows = QVBoxLayout(self)
        rows.addWidget(self._table)
        rows.addWidget(self._trouble)
        self._look()

    def shortcuts(self) -> dict[str, str]:
        """The keys that differ from the table's own."""
        keys = {name: edit.keySequence().toString() for name, edit in self._edits.items()}
        own = {command.name: QKeySequence(command.key).toString() for command in COMMANDS}
        return {name: key for name, key in keys.items() if key != own[name]}

    def set_key(self, name: str, key: str) -> None:
        """Give a command another key; "" for none."""
        self._edits[name].setKeySequence(QKeySequence(key))

    def conflicts(self) -> list[str]:
        """In words, each key that two commands share."""
        words = {command.name: translated(command.text) for command in COMMANDS}
        shared = key_conflicts(self.shortcuts())
        return [self.tr("{key}: {one}, and {other}").format(key=k, one=words[a], other=words[b]) for k, a, b in shared]

    def _look(self) -> None:
        conflicts = self.conflicts()
        told = self.tr("One key for two commands: {which}").format(which="; ".join(conflicts)) if conflicts else ""
        self._trouble.setText(told)
        self.changed.emit()
