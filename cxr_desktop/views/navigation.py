"""What the other buttons and the wheel do, whatever the tool: middle pans, right windows, the wheel zooms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QMouseEvent, QWheelEvent

from cxr_desktop.state.windowing import Direction

if TYPE_CHECKING:
    from cxr_desktop.views.image_view import ImageView

_WHEEL_FACTOR = 1.2
#: Of the wheel, in eighths of a degree (QWheelEvent.angleDelta).
_WHEEL_STEP = 120
#: A press that moved less (logical pixels) was a click.
_CLICK = 4
_BUTTONS = (Qt.MouseButton.MiddleButton, Qt.MouseButton.RightButton)


class Navigation:
    """The drag that goes on in one view, if any."""

    def __init__(self) -> None:
        self.direction: Direction = "classic"
        self._button: Qt.MouseButton | None = None
        self._last = QPointF()
        self._way = 0.0

    def press(self, event: QMouseEvent) -> bool:
        """Whether the button is one of ours."""
        if event.button() not in _BUTTONS or self._button is not None:
            return False
        self._button, self._last, self._way = event.button(), event.position(), 0.0
        return True

    def move(self, view: ImageView, event: QMouseEvent) -> bool:
        """Whether a drag goes on."""
        if self._button is None:
            return False
        moved = event.position() - self._last
        self._last = event.position()
        self._way += moved.manhattanLength()
        if self._button == Qt.MouseButton.MiddleButton:
            view.pan_by(moved.x(), moved.y())
        elif self._way >= _CLICK:
            faster = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
            view.drag_window(moved.x(), moved.y(), faster=faster)
        return True

    def release(self, view: ImageView, event: QMouseEvent) -> bool:
        """Whether a drag ended; a right click opens the menu."""
        if event.button() != self._button:
            return False
        self._button = None
        if event.button() == Qt.MouseButton.RightButton and self._way < _CLICK:
            view.show_menu(event.globalPosition().toPoint())
        return True

    def wheel(self, view: ImageView, event: QWheelEvent) -> None:
        """Zoom about the cursor; pixel by pixel on a touch pad too."""
        steps = event.angleDelta().y() / _WHEEL_STEP
        if steps:
            view.zoom_at(event.position(), _WHEEL_FACTOR**steps)
        event.accept()
