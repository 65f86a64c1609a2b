"""Tools that point: select and edit what is drawn, and probe a pixel."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent, QMouseEvent

from cxr_desktop.state.geometry import PixelPoint
from cxr_desktop.state.probe import pixel_values
from cxr_desktop.tools.editing import Editor
from cxr_desktop.tools.keyboard import ENTER, Crosshair, arrow
from cxr_desktop.tools.layer import MeasurementLayer
from cxr_desktop.tools.tool import BaseTool
from cxr_desktop.views.image_view import ImageView


class SelectTool(BaseTool):
    """Selects measurements, moves them and their handles."""

    name = "tool_select"

    def __init__(self, layer: MeasurementLayer) -> None:
        super().__init__(layer)
        self._editor = Editor(layer)

    def hint(self) -> str:
        """The keys."""
        return self.tr("Space: next measurement; Enter: next handle; arrows: move it (Shift by 10, Ctrl by 100)")

    def press(self, view: ImageView, point: PixelPoint, event: QMouseEvent) -> None:
        """Take what is under the mouse; where there is nothing, nothing stays selected."""
        event.accept()
        if not self._editor.grab(event.position(), point) and self._layer.model is not None:
            self._layer.model.select(None)

    def move(self, view: ImageView, point: PixelPoint, event: QMouseEvent) -> None:
        """Drag, or show what can be taken."""
        event.accept()
        if self._editor.busy:
            self._editor.move(point)
        else:
            view.viewport().setCursor(self._editor.cursor_at(event.position(), self.cursor))

    def release(self, view: ImageView, point: PixelPoint, event: QMouseEvent) -> None:
        """The drag is over."""
        event.accept()
        self._editor.release()

    def takes(self, event: QKeyEvent) -> bool:
        """The editor's keys; Escape during a drag."""
        dropped = event.key() == Qt.Key.Key_Escape and self._editor.busy
        return dropped or self._editor.takes(event) or super().takes(event)

    def key(self, view: ImageView, event: QKeyEvent) -> bool:
        """Escape leaves a dragged measurement where it was."""
        if event.key() == Qt.Key.Key_Escape and self._editor.busy:
            self._editor.cancel()
        elif self._editor.takes(event):
            self._editor.key(view, event)
        else:
            return super().key(view, event)
        return True

    def cancel(self, view: ImageView) -> None:
        """A measurement that is dragged stays where it was."""
        self._editor.cancel()


class ProbeTool(BaseTool):
    """Shows stored and modality value of the pixel under the mouse or the crosshair."""

    name = "tool_probe"
    cursor = Qt.CursorShape.CrossCursor

    def __init__(self, layer: MeasurementLayer) -> None:
        super().__init__(layer)
        self._crosshair = Crosshair()

    def hint(self) -> str:
        """The keys."""
        return self.tr("Point at a pixel, or move the crosshair with the arrows (Shift by 10, Ctrl by 100)")

    def press(self, view: ImageView, point: PixelPoint, event: QMouseEvent) -> None:
        """As the mouse's move: a tap of a touch screen is no move."""
        self.move(view, point, event)

    def move(self, view: ImageView, point: PixelPoint, event: QMouseEvent) -> None:
        """The pixel under the mouse."""
        event.accept()
        self._crosshair.point = None
        self._show(view, point)

    def takes(self, event: QKeyEvent) -> bool:
        """Arrows and Enter; Escape while the crosshair is shown."""
        shown = event.key() == Qt.Key.Key_Escape and self._crosshair.point is not None
        return shown or arrow(event) is not None or event.key() in ENTER or super().takes(event)

    def key(self, view: ImageView, event: QKeyEvent) -> bool:
        """Arrows move the crosshair."""
        if view.loaded is None:
            return False
        step = arrow(event)
        if step is not None:
            self._show(view, self._crosshair.step(view, step))
        elif event.key() in ENTER:
            self._show(view, self._crosshair.shown(view))
        elif event.key() == Qt.Key.Key_Escape and self._crosshair.point is not None:
            self.cancel(view)
        else:
            return super().key(view, event)
        return True

    def cancel(self, view: ImageView) -> None:
        """Nothing is shown."""
        self._crosshair.point = None
        self._layer.set_note(None)

    def _show(self, view: ImageView, point: PixelPoint) -> None:
        found = pixel_values(view.loaded, point) if view.loaded is not None else None
        words = str(found) if found is not None else self.tr("beside the image")
        self._layer.set_note(point, words, crosshair=self._crosshair.point is not None)
