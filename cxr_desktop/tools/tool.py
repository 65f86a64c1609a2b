"""What every tool of a view has: its layer of measurements, the keys that all know, and nothing to do."""

from __future__ import annotations

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent

from cxr_desktop.state.geometry import PixelPoint
from cxr_desktop.tools.layer import MeasurementLayer
from cxr_desktop.views.image_view import ImageView


class BaseTool(QObject):
    """A tool of one view. Those that follow take over what they need.

    Signals: hintChanged(str), words on what the next click or key does.
    """

    hintChanged = Signal(str)

    name = ""
    cursor = Qt.CursorShape.ArrowCursor

    def __init__(self, layer: MeasurementLayer) -> None:
        super().__init__(layer)
        self._layer = layer

    def begin(self) -> None:
        """It was chosen."""
        self.hintChanged.emit(self.hint())

    def hint(self) -> str:
        """What the next click or key does."""
        return ""

    def press(self, view: ImageView, point: PixelPoint, event: QMouseEvent) -> None:
        """Nothing to do: the event goes on."""
        event.ignore()

    def move(self, view: ImageView, point: PixelPoint, event: QMouseEvent) -> None:
        """Nothing to do: the event goes on."""
        event.ignore()

    def release(self, view: ImageView, point: PixelPoint, event: QMouseEvent) -> None:
        """Nothing to do: the event goes on."""
        event.ignore()

    def double_click(self, view: ImageView, point: PixelPoint, event: QMouseEvent) -> None:
        """The second press of two quick ones is a press."""
        self.press(view, point, event)

    def takes(self, event: QKeyEvent) -> bool:
        """Whether `key` does something with a key now: it is then no shortcut of the window."""
        model = self._layer.model
        keys = (Qt.Key.Key_Delete, Qt.Key.Key_Escape)
        return model is not None and model.selected is not None and event.key() in keys

    def key(self, view: ImageView, event: QKeyEvent) -> bool:
        """Delete deletes the selected measurement, Escape selects none."""
        model = self._layer.model
        if not BaseTool.takes(self, event) or model is None or model.selected is None:
            return False
        if event.key() == Qt.Key.Key_Delete:
            model.remove(model.selected.id)
        else:
            model.select(None)
        return True

    def cancel(self, view: ImageView) -> None:
        """Nothing was begun."""
