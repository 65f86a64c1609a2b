"""A picture to look for burnt-in text in, and to cover it: by mouse, or by numbers with the keyboard."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from cxr_desktop.output.anonymise import PixelText, burnt_in_doubt
from cxr_desktop.output.clean_pixels import Mask
from cxr_desktop.panels.mask_tool import MaskItems, MaskTool
from cxr_desktop.state.records import LoadedImage
from cxr_desktop.views.image_view import ImageView

_EDGES = ("left", "top", "right", "bottom")
#: Of the rows: how high a rectangle is that is added by the button, for most text stands in a band at the top.
_BAND = 12


class MaskEditor(QWidget):
    """Shows one image, and what was done about text in it.

    Signals
    -------
    changed(PixelText)
        By the reader.
    """

    changed = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._text = PixelText()
        self._drawing: Mask | None = None
        self.view = ImageView(self)
        self.view.setAccessibleName(self.tr("The image that is copied"))
        self.view.set_corner_text_level(0)
        self.view.setMinimumSize(320, 320)
        self._items = MaskItems(self.view)
        self.view.set_tool(MaskTool(self._draw, self._add))
        self.warning = QLabel(self)
        self.warning.setWordWrap(True)
        self.warning.setTextFormat(Qt.TextFormat.PlainText)
        self.list = QListWidget(self)
        self.list.setAccessibleName(self.tr("Rectangles that are painted over"))
        self.list.setMaximumHeight(110)
        self.list.currentRowChanged.connect(self._show_chosen)
        names = {
            "left": self.tr("&Left"),
            "top": self.tr("&Top"),
            "right": self.tr("&Right"),
            "bottom": self.tr("&Bottom"),
        }
        form = QFormLayout()
        self.edges: dict[str, QSpinBox] = {}
        for edge in _EDGES:
            box = QSpinBox(self)
            box.setAccessibleName(self.tr("{0} edge of the rectangle, in pixels").format(names[edge].replace("&", "")))
            box.valueChanged.connect(self._edited)
            self.edges[edge] = box
            form.addRow(names[edge], box)
        self.add_button = QPushButton(self.tr("&Add rectangle"), self)
        self.add_button.clicked.connect(self._add_band)
        self.remove_button = QPushButton(self.tr("Re&move"), self)
        self.remove_button.clicked.connect(self._remove)
        self.clear_button = QPushButton(self.tr("Remo&ve all"), self)
        self.clear_button.clicked.connect(lambda: self._set(PixelText(looked=self._text.looked)))
        self.looked = QCheckBox(self.tr("I &have looked: no text is left in this image"), self)
        self.looked.toggled.connect(lambda on: self._set(PixelText(self._text.masks, on), self.list.currentRow()))
        for button in (self.add_button, self.remove_button, self.clear_button):
            button.setAutoDefault(False)
        buttons = QHBoxLayout()
        for button in (self.add_button, self.remove_button, self.clear_button):
            buttons.addWidget(button)
        side = QVBoxLayout()
        side.addWidget(self.warning)
        side.addWidget(self.list)
        side.addLayout(buttons)
        side.addLayout(form)
        side.addWidget(self.looked)
        side.addStretch(1)
        columns = QHBoxLayout(self)
        columns.setContentsMargins(0, 0, 0, 0)
        columns.addWidget(self.view, 3)
        columns.addLayout(side, 2)
        self.show_image(None, PixelText())

    def show_image(self, loaded: LoadedImage | None, text: PixelText) -> None:
        """Show another image with what was done about its text; None of nothing."""
        self.view.show_image(loaded)
        words = self.tr(
            "Look for text in the picture: names, numbers, dates. It stays in the copy unless you draw a rectangle "
            "over it. The wheel zooms."
        )
        doubt = burnt_in_doubt(loaded.data_set) if loaded is not None else None
        if doubt is not None:
            words = self.tr(
                "⚠ {0}. It is not copied before you have drawn a rectangle over the text, or looked."
            ).format(doubt[:1].upper() + doubt[1:])
        self.warning.setText(words)
        if loaded is not None:
            rows, columns = loaded.stored.shape
            for edge, box in self.edges.items():
                blocker = QSignalBlocker(box)
                box.setRange(0, columns if edge in ("left", "right") else rows)
                blocker.unblock()
        self._text = text
        self._fill(0 if text.masks else -1)
        self.setEnabled(loaded is not None)

    def _set(self, text: PixelText, chosen: int = -1) -> None:
        if text != self._text:
            self._text = text
            self._fill(chosen)
            self.changed.emit(text)

    def _fill(self, chosen: int) -> None:
        blockers = [QSignalBlocker(self.list), QSignalBlocker(self.looked)]
        self.list.clear()
        self.list.addItems([self._words(mask) for mask in self._text.masks])
        self.list.setCurrentRow(chosen)
        self.looked.setChecked(self._text.looked)
        for blocker in blockers:
            blocker.unblock()
        self._show_chosen()

    def _words(self, mask: Mask) -> str:
        words = self.tr("columns {0} to {1}, rows {2} to {3}")
        return words.format(mask.left, mask.right, mask.top, mask.bottom)

    def _chosen(self) -> int | None:
        row = self.list.currentRow()
        return row if 0 <= row < len(self._text.masks) else None

    def _show_chosen(self) -> None:
        chosen = self._chosen()
        for edge, box in self.edges.items():
            blocker = QSignalBlocker(box)
            box.setEnabled(chosen is not None)
            box.setValue(0 if chosen is None else getattr(self._text.masks[chosen], edge))
            blocker.unblock()
        self.remove_button.setEnabled(chosen is not None)
        self.clear_button.setEnabled(bool(self._text.masks))
        self._paint()

    def _paint(self) -> None:
        drawn = [] if self._drawing is None else [self._drawing]
        self._items.show([*self._text.masks, *drawn], len(self._text.masks) if drawn else self._chosen())

    def _draw(self, mask: Mask | None) -> None:
        self._drawing = mask
        self._paint()

    def _add(self, mask: Mask) -> None:
        masks = (*self._text.masks, mask)
        self._set(PixelText(masks, self._text.looked), len(masks) - 1)

    def _add_band(self) -> None:
        if self.view.loaded is not None:
            rows, columns = self.view.loaded.stored.shape
            self._add(Mask(0, 0, columns, max(rows // _BAND, 1)))
            self.edges["left"].setFocus()

    def _remove(self) -> None:
        chosen, masks = self._chosen(), self._text.masks
        if chosen is not None:
            left = (*masks[:chosen], *masks[chosen + 1 :])
            self._set(PixelText(left, self._text.looked), min(chosen, len(left) - 1))

    def _edited(self) -> None:
        """Numbers that make no rectangle change nothing until they do."""
        chosen, masks = self._chosen(), self._text.masks
        mask = Mask(*(self.edges[edge].value() for edge in _EDGES))
        if chosen is not None and mask.left < mask.right and mask.top < mask.bottom:
            changed = (*masks[:chosen], mask, *masks[chosen + 1 :])
            self._text = PixelText(changed, self._text.looked)
            blocker = QSignalBlocker(self.list)
            self.list.item(chosen).setText(self._words(mask))
            blocker.unblock()
            self._paint()
            self.changed.emit(self._text)
