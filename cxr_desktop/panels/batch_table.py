"""The list of a batch run as a table, in order of arrival or by score."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from cxr_desktop.panels.tips import tip
from cxr_desktop.state.answers import score_words
from cxr_desktop.state.batch import BatchItem, BatchList, Order

_Index = QModelIndex | QPersistentModelIndex
FILE, STATE, ANSWER, SCORE = range(4)
_NOWHERE = QModelIndex()


class BatchTable(QAbstractTableModel):
    """Rows are files; the columns are file, state, answer and score."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._items = BatchList()
        self._by: Order = "arrival"
        self._order: list[int] = []
        self._rows: list[int] = []
        self._headers = (self.tr("File"), self.tr("State"), self.tr("Answer or reason"), self.tr("Score"))

    def set_items(self, items: BatchList) -> None:
        """Show another list."""
        self.beginResetModel()
        self._items = items
        self._sort()
        self.endResetModel()

    def set_order(self, by: Order) -> None:
        """Show the list in another order, or again in the same after scores have come; what is chosen stays so."""
        self.layoutAboutToBeChanged.emit()
        held = self.persistentIndexList()
        numbers = [self._order[index.row()] for index in held]
        self._by = by
        self._sort()
        moved = [self.index(self._rows[number], index.column()) for number, index in zip(numbers, held, strict=True)]
        self.changePersistentIndexList(held, moved)
        self.layoutChanged.emit()

    def tell_changed(self, number: int) -> None:
        """A file, by its place in the list, is in another state."""
        row = self._rows[number]
        self.dataChanged.emit(self.index(row, FILE), self.index(row, SCORE))

    def item(self, row: int) -> BatchItem:
        """The file of a row."""
        return self._items.items[self._order[row]]

    def _sort(self) -> None:
        self._order = self._items.order(self._by)
        self._rows = [0] * len(self._order)
        for row, number in enumerate(self._order):
            self._rows[number] = row

    def rowCount(self, parent: _Index = _NOWHERE) -> int:
        """Files."""
        return 0 if parent.isValid() else len(self._order)

    def columnCount(self, parent: _Index = _NOWHERE) -> int:
        """File, state, answer, score."""
        return 0 if parent.isValid() else len(self._headers)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Names of the columns."""
        if role == Qt.ItemDataRole.DisplayRole and orientation == Qt.Orientation.Horizontal:
            return self._headers[section]
        return None

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Text of a cell, or of its tool tip."""
        if role not in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole):
            return None
            return None
        item = self.item(index.row())
        if index.column() == FILE:
            return tip(item.name) if role == Qt.ItemDataRole.ToolTipRole else _short(item.name)
        if index.column() == STATE:
            return self.tr(item.state_words)
        if index.column() == ANSWER:
            return item.words
        return "" if item.score is None else score_words(item.score)


def _short(name: str) -> str:
    """What tells a file from its neighbours: its own name; the folder is in the tool tip."""
    return name.replace("!", "/").rstrip("/").rsplit("/", 1)[-1]
