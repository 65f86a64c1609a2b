"""The tag browser: every element of a data set as a tree, with a search that never stops the window."""

from __future__ import annotations

import time
from collections.abc import Iterator

from pydicom.dataset import Dataset
from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QAction, QGuiApplication, QKeySequence
from PySide6.QtWidgets import QHeaderView, QLabel, QTreeView, QVBoxLayout, QWidget

from cxr_desktop.panels.page_keys import keep_page_keys
from cxr_desktop.panels.search_box import SearchBox
from cxr_desktop.panels.tag_model import NAME, TAG, VALUE, TagModel
from cxr_desktop.state.search import folded
from cxr_desktop.state.tags import TagNode, search, tag_tree

_SEARCH_MS = 150
#: Seconds of searching between two looks at what the person does.
_SLICE_SECONDS = 0.01
#: Characters that are copied of one value.
_COPIED_CHARACTERS = 1_000_000


class TagBrowser(QWidget):
    """Shows the elements of one data set; private ones in italics, named so as well."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.model = TagModel(self)
        self.tree = QTreeView(self)
        placeholder = self.tr("Search tag, keyword, VR, value")
        self.search = SearchBox(self.tree, placeholder, self.tr("Search the elements"), self)
        self.status = QLabel(self)
        self._roots: list[TagNode] = []
        self._searching: Iterator[TagNode | None] | None = None
        self._found = 0
        self._lay_out()
        self._make_actions()
        self._delay = QTimer(self)
        self._delay.setSingleShot(True)
        self._delay.setInterval(_SEARCH_MS)
        self._delay.timeout.connect(self._begin_search)
        self._slices = QTimer(self)
        self._slices.setInterval(0)
        self._slices.timeout.connect(self._search_on)
        self.search.textChanged.connect(self._delay.start)
        self.show_data_set(None)

    def show_data_set(self, data_set: Dataset | None, title: str = "") -> None:
        """Show a data set under a title; None where there is none, as of a JPEG."""
        self._stop_search()
        self._roots = [] if data_set is None else tag_tree(data_set)
        self._title = title
        self.search.setEnabled(bool(self._roots))
        self._begin_search()

    def copy_value(self) -> None:
        """Put the value of the current element on the clipboard, whole."""
        node = self.model.node(self.tree.currentIndex())
        if node is not None:
            QGuiApplication.clipboard().setText(node.value(_COPIED_CHARACTERS))

    def copy_row(self) -> None:
        """Put tag, VR, keyword and value of the current element on the clipboard."""
        node = self.model.node(self.tree.currentIndex())
        if node is not None:
            parts = (node.tag_text, node.vr, node.path, node.value(_COPIED_CHARACTERS))
            QGuiApplication.clipboard().setText("\t".join(parts))

    def _lay_out(self) -> None:
        self.tree.setModel(self.model)
        keep_page_keys(self.tree)
        self.tree.setUniformRowHeights(True)
        self.tree.setAlternatingRowColors(True)
        self.tree.setAccessibleName(self.tr("Elements"))
        self.tree.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
        header = self.tree.header()
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)  # fitting to contents would read all values
        width = self.fontMetrics().horizontalAdvance("(0000,0000)")
        for column, times in ((TAG, 1.8), (1, 0.5), (NAME, 3.6), (VALUE, 4.0)):
            header.resizeSection(column, round(width * times))
        self.status.setAccessibleName(self.tr("What is shown"))
        rows = QVBoxLayout(self)
        rows.setContentsMargins(4, 4, 4, 4)
        rows.addWidget(self.search)
        rows.addWidget(self.tree, 1)
        rows.addWidget(self.status)
        QWidget.setTabOrder(self.search, self.tree)

    def _make_actions(self) -> None:
        for words, slot, keys in (
            (self.tr("Copy value"), self.copy_value, QKeySequence(QKeySequence.StandardKey.Copy)),
            (self.tr("Copy row"), self.copy_row, QKeySequence("Ctrl+Shift+C")),
        ):
            action = QAction(words, self.tree)
            action.setShortcut(keys)
            action.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
            action.triggered.connect(slot)
            self.tree.addAction(action)

    def _begin_search(self) -> None:
        self._stop_search()
        words = folded(self.search.text()).split()
        if not words or not self._roots:
            self.model.show_tree(self._roots)
            self._say()
            return
        self.model.show_found()
        self._found = 0
        self._searching = search(self._roots, words)
        self._slices.start()
        self._say()

    def _search_on(self) -> None:
        """Search for a moment."""
        assert self._searching is not None, "the timer runs while there is something to look through"
        found: list[TagNode] = []
        until = time.monotonic() + _SLICE_SECONDS
        for node in self._searching:
            if node is not None:
                found.append(node)
            if time.monotonic() > until:
                break
        else:
            self._stop_search()
        self._found += len(found)
        self.model.add_found(found)
        self._say()

    def _stop_search(self) -> None:
        self._slices.stop()
        self._searching = None

    def _say(self) -> None:
        if not self._roots:
            self.status.setText(self._title or self.tr("No DICOM elements are shown."))
            return
        parts = [self._title, self.tr("Elements: {}").format(len(self._roots))]
        if self.search.text().strip():
            words = self.tr("found so far: {}") if self._searching is not None else self.tr("found: {}")
            parts.append(words.format(self._found))
        self.status.setText(", ".join(part for part in parts if part))
