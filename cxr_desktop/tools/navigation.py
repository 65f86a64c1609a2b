"""Window/level, pan and zoom with the left button or the arrow keys; what is drawn can be moved meanwhile."""

from __future__ import annotations

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QKeyEvent, QMouseEvent

from cxr_desktop.state.geometry import PixelPoint
from cxr_desktop.tools.editing import Editor
from cxr_desktop.tools.keyboard import arrow
from cxr_desktop.tools.layer import MeasurementLayer
from cxr_desktop.tools.tool import BaseTool
from cxr_desktop.views.image_view import ImageView

#: Logical pixels of a drag that one press of an arrow key stands for.
_KEY_PIXELS = 10
#: Of the steps of the arrow keys: a drag by hundreds of steps would leave the image.
_LONGEST = 10
#: A drag of that many logical pixels up zooms to the double.
_PIXELS_TO_DOUBLE = 100


class DragTool(BaseTool):
    """A drag of the left button, unless it takes a measurement."""

    def __init__(self, layer: MeasurementLayer) -> None:
        super().__init__(layer)
        self._editor = Editor(layer)
        self._last: QPointF | None = None
        self._start = PixelPoint(0, 0)

    def dragged(self, view: ImageView, dx: float, dy: float, *, faster: bool) -> None:
        """What the drag does, in logical pixels of the view."""
        raise NotImplementedError

    def press(self, view: ImageView, point: PixelPoint, event: QMouseEvent) -> None:
        """Take a measurement, else begin the drag."""
        event.accept()
        if not self._editor.grab(event.position(), point):
            self._last, self._start = event.position(), point

    def move(self, view: ImageView, point: PixelPoint, event: QMouseEvent) -> None:
        """Go on."""
        event.accept()
        if self._editor.busy:
            self._editor.move(point)
        elif self._last is not None:
            moved = event.position() - self._last
            self._last = event.position()
            faster = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
            self.dragged(view, moved.x(), moved.y(), faster=faster)
        else:
            view.viewport().setCursor(self._editor.cursor_at(event.position(), self.cursor))

    def release(self, view: ImageView, point: PixelPoint, event: QMouseEvent) -> None:
        """It is over."""
        event.accept()
        self._last = None
        self._editor.release()

    def takes(self, event: QKeyEvent) -> bool:
        """Arrows; Escape while a measurement is dragged."""
        dropped = event.key() == Qt.Key.Key_Escape and self._editor.busy
        return dropped or arrow(event) is not None or super().takes(event)

    def key(self, view: ImageView, event: QKeyEvent) -> bool:
        """An arrow moves what is selected, else it is a short drag in its direction, with Shift a longer one."""
        step = arrow(event)
        if self._editor.nudge(view, event):
            return True
        if step is not None:
            self._start = view.shown_centre
            dx, dy = (max(min(part, _LONGEST), -_LONGEST) * _KEY_PIXELS for part in step)
            self.dragged(view, dx, dy, faster=False)
        elif event.key() == Qt.Key.Key_Escape and self._editor.busy:
            self._editor.cancel()
        else:
            return super().key(view, event)
        return True

    def cancel(self, view: ImageView) -> None:
        """A measurement that is dragged stays where it was."""
        self._last = None
        self._editor.cancel()


class WindowTool(DragTool):
    """Window and level."""

    name = "tool_window"

    def hint(self) -> str:
        """The directions."""
        return self.tr("Drag or arrows: left and right change the window's width, up and down its center")

    def dragged(self, view: ImageView, dx: float, dy: float, *, faster: bool) -> None:
        """To the right wider."""
        view.drag_window(dx, dy, faster=faster)


class PanTool(DragTool):
    """Moves the image."""

    name = "tool_pan"
    cursor = Qt.CursorShape.OpenHandCursor

    def hint(self) -> str:
        """The directions."""
        return self.tr("Drag or arrows: the image goes along")

    def dragged(self, view: ImageView, dx: float, dy: float, *, faster: bool) -> None:
        """With the mouse."""
        view.pan_by(dx, dy)


class ZoomTool(DragTool):
    """Zooms about the place where the drag began."""

    name = "tool_zoom"
    cursor = Qt.CursorShape.SizeVerCursor

    def hint(self) -> str:
        """The directions."""
        return self.tr("Drag or arrows: up is larger, down is smaller")

    def dragged(self, view: ImageView, dx: float, dy: float, *, faster: bool) -> None:
        """Up is larger."""
        view.zoom_about(self._start, 2 ** (-dy / _PIXELS_TO_DOUBLE))
