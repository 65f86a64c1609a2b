"""The tool that draws rectangles over text in a picture, and the rectangles as they are seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPen
from PySide6.QtWidgets import QGraphicsRectItem

from cxr_desktop.output.clean_pixels import Mask
from cxr_desktop.state.geometry import PixelPoint
from cxr_desktop.views.image_view import ImageView

#: Over a film, not of the palette: the fill is what the copy will have, the lines are seen on it and around it.
_FILL, _LINE, _CHOSEN = QColor(0, 0, 0), QColor("#ffd84d"), QColor("#5ce1ff")
#: Above the film, below what is written over it.
_HEIGHT = 5.0


class MaskTool:
    """The left button draws a rectangle from corner to corner; Escape gives it up.

    Parameters
    ----------
    drawing, drawn : callable
        Told of the rectangle while it is drawn (None: given up), and once it is.
    """

    name = "mask"
    cursor = Qt.CursorShape.CrossCursor

    def __init__(self, drawing: Callable[[Mask | None], None], drawn: Callable[[Mask], None]) -> None:
        self._drawing, self._drawn = drawing, drawn
        self._start: PixelPoint | None = None

    def press(self, view: ImageView, point: PixelPoint, event: QMouseEvent) -> None:
        """One corner."""
        self._start = point

    def move(self, view: ImageView, point: PixelPoint, event: QMouseEvent) -> None:
        """The other corner, as it would be."""
        if self._start is not None:
            self._drawing(self._mask(view, point))

    def release(self, view: ImageView, point: PixelPoint, event: QMouseEvent) -> None:
        """The other corner; a click without a drag draws nothing."""
        mask, start = self._mask(view, point), self._start
        self.cancel(view)
        if mask is not None and start is not None and point != start:
            self._drawn(mask)

    def double_click(self, view: ImageView, point: PixelPoint, event: QMouseEvent) -> None:
        """Nothing: the second press of it begins no rectangle."""

    def takes(self, event: QKeyEvent) -> bool:
        """Escape, while a rectangle is drawn."""
        return self._start is not None and event.key() == Qt.Key.Key_Escape

    def key(self, view: ImageView, event: QKeyEvent) -> bool:
        """Give it up."""
        if not self.takes(event):
            return False
        self.cancel(view)
        return True

    def cancel(self, view: ImageView) -> None:
        """Give it up."""
        self._start = None
        self._drawing(None)

    def _mask(self, view: ImageView, point: PixelPoint) -> Mask | None:
        if self._start is None or view.loaded is None:
            return None
        rows, columns = view.loaded.stored.shape
        return Mask.between(self._start, point, rows, columns)


class MaskItems:
    """The rectangles in the scene of a view."""

    def __init__(self, view: ImageView) -> None:
        self._view = view
        self._items: list[QGraphicsRectItem] = []

    def show(self, masks: Sequence[Mask], chosen: int | None) -> None:
        """Show these and no others; the chosen one has a line of its own colour and a wider one."""
        scene = self._view.scene()
        for item in self._items:
            scene.removeItem(item)
        self._items = []
        for number, mask in enumerate(masks):
            item = QGraphicsRectItem(QRectF(mask.left, mask.top, mask.right - mask.left, mask.bottom - mask.top))
            pen = QPen(_CHOSEN if number == chosen else _LINE, 3.0 if number == chosen else 1.5)
            pen.setCosmetic(True)
            item.setPen(pen)
            item.setBrush(_FILL)
            item.setZValue(_HEIGHT)
            scene.addItem(item)
            self._items.append(item)
