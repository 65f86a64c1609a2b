"""Elements of a data set as a Qt model: the tree, or the flat list of what a search has found so far."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QAbstractItemModel, QModelIndex, QObject, QPersistentModelIndex, Qt
from PySide6.QtGui import QFont

from cxr_desktop.panels.tips import tip
from cxr_desktop.state.tags import TagNode

_Index = QModelIndex | QPersistentModelIndex
_NONE = QModelIndex()
TAG, VR, NAME, VALUE = range(4)
#: Characters of a value in its tool tip.
_TIP_CHARACTERS = 2000


class TagModel(QAbstractItemModel):
    """Rows of tag, VR, keyword and value; private elements in italics."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._roots: list[TagNode] = []
        self._flat = False
        self._nodes: list[TagNode] = []
        self._ids: dict[TagNode, int] = {}
        self._italic = QFont()
        self._italic.setItalic(True)

    def show_tree(self, roots: list[TagNode]) -> None:
        """Show these elements, with what is in them."""
        self._begin(roots, flat=False)

    def show_found(self) -> None:
        """Show nothing but what `add_found` brings."""
        self._begin([], flat=True)

    def add_found(self, nodes: list[TagNode]) -> None:
        """Show more that was found, each with its path."""
        if nodes:
            self.beginInsertRows(QModelIndex(), len(self._roots), len(self._roots) + len(nodes) - 1)
            self._roots += nodes
            self.endInsertRows()

    def node(self, index: _Index) -> TagNode | None:
        """The element of a row."""
        return self._nodes[index.internalId()] if index.isValid() else None

    def index(self, row: int, column: int, parent: _Index = _NONE) -> QModelIndex:
        """Qt's."""
        nodes = self._children(parent)
        if not (0 <= row < len(nodes) and 0 <= column < 4):
            return QModelIndex()
        return self.createIndex(row, column, self._id(nodes[row]))

    def parent(self, index: _Index = _NONE) -> QModelIndex:  # type: ignore[override]  # QObject's has no argument
        """Qt's."""
        node = self.node(index)
        if node is None or node.parent is None or self._flat:
            return QModelIndex()
        return self.createIndex(node.parent.row, 0, self._id(node.parent))

    def rowCount(self, parent: _Index = _NONE) -> int:
        """Qt's."""
        return len(self._children(parent)) if parent.column() <= 0 else 0

    def columnCount(self, parent: _Index = _NONE) -> int:
        """Qt's."""
        return 4

    def hasChildren(self, parent: _Index = _NONE) -> bool:
        """Qt's; without parsing the items of a sequence."""
        node = self.node(parent)
        if node is None:
            return bool(self._roots)
        return not self._flat and parent.column() == 0 and (node.tag is None or node.vr == "SQ")

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Qt's."""
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return (self.tr("Tag"), self.tr("VR"), self.tr("Name"), self.tr("Value"))[section]
        return None

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Qt's."""
        node = self.node(index)
        if node is None:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return self._text(node, index.column())
        if role == Qt.ItemDataRole.ToolTipRole and index.column() == VALUE:
            return tip(node.value(_TIP_CHARACTERS))
        if role == Qt.ItemDataRole.FontRole and node.private:
            return self._italic
        return None

    def _text(self, node: TagNode, column: int) -> str:
        if column == TAG:
            return node.tag_text
        if column == VR:
            return node.vr
        if column == NAME:
            return node.path if self._flat else node.keyword
        return node.value()

    def _begin(self, roots: list[TagNode], *, flat: bool) -> None:
        self.beginResetModel()
        self._roots, self._flat = roots, flat
        self._nodes, self._ids = [], {}
        self.endResetModel()

    def _children(self, parent: _Index) -> list[TagNode]:
        node = self.node(parent)
        if node is None:
            return self._roots
        return [] if self._flat else node.children

    def _id(self, node: TagNode) -> int:
        number = self._ids.get(node)
        if number is None:
            number = self._ids[node] = len(self._nodes)
            self._nodes.append(node)
        return number
