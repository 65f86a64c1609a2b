"""The list of an image's measurements: values, warnings and comments; select, delete, copy."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtGui import QGuiApplication, QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from cxr_desktop.panels.page_keys import keep_page_keys
from cxr_desktop.state.measured import in_words
from cxr_desktop.tools.measurements import MeasurementModel

_ID = Qt.ItemDataRole.UserRole


class MeasurementsPanel(QWidget):
    """Shows a MeasurementModel; what it changes can be undone there."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model: MeasurementModel | None = None
        self.list = QListWidget(self)
        self.list.setAccessibleName(self.tr("Measurements of this image"))
        self.list.setWordWrap(True)
        keep_page_keys(self.list)
        self.list.setAlternatingRowColors(True)
        self.list.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.list.currentItemChanged.connect(self._chosen)
        self.comment = QLineEdit(self)
        self.comment.setPlaceholderText(self.tr("Comment on the selected measurement"))
        self.comment.setAccessibleName(self.tr("Comment on the selected measurement"))
        self.comment.setMaxLength(1000)
        self.comment.editingFinished.connect(self._commented)
        comment_label = QLabel(self.tr("Co&mment"), self)
        comment_label.setBuddy(self.comment)
        self.copy_button = QPushButton(self.tr("&Copy all"), self)
        self.copy_button.setToolTip(self.tr("Copy all values as text"))
        self.copy_button.clicked.connect(self.copy)
        self.delete_button = QPushButton(self.tr("&Delete"), self)
        self.delete_button.setToolTip(self.tr("Delete the selected measurement"))
        self.delete_button.clicked.connect(self._delete)
        self.clear_button = QPushButton(self.tr("Delete &all"), self)
        self.clear_button.setToolTip(self.tr("Delete all measurements of this image; undo brings them back"))
        self.clear_button.clicked.connect(self._clear)
        for sequence, slot in (
            (QKeySequence.StandardKey.Delete, self._delete),
            (QKeySequence.StandardKey.Copy, self.copy),
        ):
            shortcut = QShortcut(QKeySequence(sequence), self.list, slot)
            shortcut.setContext(Qt.ShortcutContext.WidgetShortcut)
        self.hint = QLabel(self.tr("Nothing is measured in this image."), self)
        self.hint.setWordWrap(True)
        comments = QHBoxLayout()
        comments.addWidget(comment_label)
        comments.addWidget(self.comment)
        buttons = QHBoxLayout()
        for button in (self.copy_button, self.delete_button, self.clear_button):
            buttons.addWidget(button)
        layout = QVBoxLayout(self)
        layout.addWidget(self.hint)
        layout.addWidget(self.list)
        layout.addLayout(comments)
        layout.addLayout(buttons)
        self._show()

    def set_model(self, model: MeasurementModel | None) -> None:
        """Show the measurements of another image; the same model again leaves a half-written comment alone."""
        if model is self._model:
            return
        if self._model is not None:
            self._model.changed.disconnect(self._show)
            self._model.selectionChanged.disconnect(self._show_selection)
        self._model = model
        if model is not None:
            model.changed.connect(self._show)
            model.selectionChanged.connect(self._show_selection)
        self._show()

    def copy(self) -> None:
        """All measurements as text into the clipboard."""
        if self._model is not None and self._model.measurements:
            QGuiApplication.clipboard().setText("\n".join(self.text()))

    def text(self) -> list[str]:
        """All measurements in words, a line each, with comment and warnings."""
        if self._model is None:
            return []
        return ["; ".join(in_words(self._model.values(one), one.comment)) for one in self._model.measurements]

    def _show(self) -> None:
        blocker = QSignalBlocker(self.list)
        self.list.clear()
        for measurement in self._model.measurements if self._model is not None else ():
            assert self._model is not None, "it has just given its measurements"
            words = in_words(self._model.values(measurement), measurement.comment)
            item = QListWidgetItem("\n".join(words), self.list)
            item.setData(_ID, measurement.id)
            item.setData(Qt.ItemDataRole.AccessibleTextRole, ". ".join(words))
        blocker.unblock()
        self._show_selection()

    def _show_selection(self) -> None:
        selected = self._model.selected if self._model is not None else None
        blocker = QSignalBlocker(self.list)
        self.list.setCurrentItem(None)  # type: ignore[call-overload]  # Qt takes none; the stub does not say so
        for row in range(self.list.count()):
            if selected is not None and self.list.item(row).data(_ID) == selected.id:
                self.list.setCurrentRow(row)
        blocker.unblock()
        self.comment.setText("" if selected is None else selected.comment)
        self.comment.setEnabled(selected is not None)
        self.delete_button.setEnabled(selected is not None)
        there = self.list.count() > 0
        self.copy_button.setEnabled(there)
        self.clear_button.setEnabled(there)
        self.list.setVisible(there)
        self.hint.setVisible(not there)

    def _chosen(self, item: QListWidgetItem | None) -> None:
        if self._model is not None:
            self._model.select(None if item is None else item.data(_ID))

    def _commented(self) -> None:
        selected = self._model.selected if self._model is not None else None
        if self._model is not None and selected is not None:
            self._model.set_comment(selected.id, self.comment.text().strip())

    def _delete(self) -> None:
        selected = self._model.selected if self._model is not None else None
        if self._model is not None and selected is not None:
            self._model.remove(selected.id)

    def _clear(self) -> None:
        if self._model is not None:
            self._model.clear()
