"""The tables of the settings: window presets, and the PACS that results go to."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from cxr_core.errors import SettingsError
from cxr_desktop.state.settings import PacsEntry, WindowPreset


class _Table(QWidget):
    """Rows of text with buttons to add and remove one."""

    changed = Signal()

    def __init__(
        self, headings: Sequence[str], name: str, new_row: Sequence[str], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.table = QTableWidget(0, len(headings), self)
        self.table.setHorizontalHeaderLabels(list(headings))
        self.table.horizontalHeader().setStretchLastSection(True)
        self.table.verticalHeader().hide()
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setAccessibleName(name)
        self.table.setTabKeyNavigation(False)
        add, remove = QPushButton(self.tr("Add"), self), QPushButton(self.tr("Remove"), self)
        add.clicked.connect(lambda: self.add_row(new_row))
        remove.clicked.connect(self._remove)
        self.buttons = QHBoxLayout()
        self.buttons.addWidget(add)
        self.buttons.addWidget(remove)
        self.buttons.addStretch(1)
        rows = QVBoxLayout(self)
        rows.addWidget(self.table)
        rows.addLayout(self.buttons)
        self.table.itemChanged.connect(lambda _: self.changed.emit())

    def add_row(self, cells: Sequence[str]) -> None:
        """Add one."""
        row = self.table.rowCount()
        self.table.blockSignals(True)
        self.table.insertRow(row)
        for column, text in enumerate(cells):
            self.table.setItem(row, column, QTableWidgetItem(text))
        self.table.blockSignals(False)
        self.table.setCurrentCell(row, 0)
        self.changed.emit()

    def _remove(self) -> None:
        if self.table.currentRow() >= 0:
            self.table.removeRow(self.table.currentRow())
            self.changed.emit()

    def cells(self) -> list[list[str]]:
        """The text of all rows."""

        def text(row: int, column: int) -> str:
            item = self.table.item(row, column)
            return item.text().strip() if item else ""

        return [
            [text(row, column) for column in range(self.table.columnCount())] for row in range(self.table.rowCount())
        ]


class PresetTable(_Table):
    """Windows of the reader's own; the first nine are on the number keys after those of the image."""

    def __init__(self, presets: Sequence[WindowPreset], parent: QWidget | None = None) -> None:
        new_row = ("New", "2048", "4096")
        super().__init__(("Name", "Window Center", "Window Width"), "Window presets", new_row, parent)
        for preset in presets:
            self.add_row((preset.name, f"{preset.center:g}", f"{preset.width:g}"))
        self.table.resizeColumnsToContents()

    def entries(self) -> tuple[WindowPreset, ...]:
        """The presets. Raises SettingsError."""
        made = []
        for name, center, width in self.cells():
            try:
                numbers = float(center), float(width)
            except ValueError as error:
                raise SettingsError(f"a window of {center!r} and {width!r}", "two numbers", "correct it") from error
            made.append(WindowPreset(name or "Window", *numbers))
        return tuple(made)


class PacsTable(_Table):
    """The PACS, each with a button that tries it (C-ECHO)."""

    tried = Signal(object)

    def __init__(self, entries: Sequence[PacsEntry], parent: QWidget | None = None) -> None:
        headings = ("Name", "AE title", "Host", "Port", "Our AE title", "TLS authority (PEM), or 'system'",
                    "Our certificate (PEM)", "Its key (PEM)")  # fmt: skip
        new_row = ("PACS", "PACS", "127.0.0.1", "104", "CXR_DESKTOP", "", "", "")
        super().__init__(headings, "PACS that results are sent to", new_row, parent)
        for one in entries:
            tls = (one.tls_ca or "system") if one.tls else ""
            self.add_row((one.name, one.ae_title, one.host, str(one.port), one.calling_ae_title, tls,
                          one.tls_certificate or "", one.tls_key or ""))  # fmt: skip
        self.table.resizeColumnsToContents()
        self._test = QPushButton(self.tr("Try it"), self)
        self._test.clicked.connect(self._try)
        self._words = QLabel(self)
        self._words.setWordWrap(True)
        self.buttons.addWidget(self._test)
        layout = self.layout()
        assert layout is not None, "the base class made it"
        layout.addWidget(self._words)

    def entries(self) -> tuple[PacsEntry, ...]:
        """The PACS. Raises SettingsError."""
        return tuple(self._entry(cells) for cells in self.cells())

    def _entry(self, cells: Sequence[str]) -> PacsEntry:
        name, ae_title, host, port, calling, tls, certificate, key = cells
        if not port.isdecimal():
            raise SettingsError(f"port {port!r}", "a number from 1 to 65535", "correct it")
        return PacsEntry(
            name or ae_title, ae_title, host, int(port), calling,
            bool(tls), None if tls in ("", "system") else tls, certificate or None, key or None,
        )  # fmt: skip

    def _try(self) -> None:
        row = self.table.currentRow()
        if row < 0:
            self.tell(self.tr("Choose a row first."))
            return
        try:
            entry = self._entry(self.cells()[row])
        except SettingsError as error:
            self.tell(str(error))
            return
        self.tell(self.tr("Trying..."))
        self.tried.emit(entry)

    def tell(self, words: str) -> None:
        """Say what became of it."""
        self._words.setText(words)
