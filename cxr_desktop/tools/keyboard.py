"""Arrow keys over an image: a step in the direction that is seen, and a crosshair that stands for the mouse."""

from __future__ import annotations

import math

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QKeyEvent

from cxr_desktop.state.geometry import PixelPoint
from cxr_desktop.views.image_view import ImageView

ARROWS = {
    Qt.Key.Key_Left: (-1, 0),
    Qt.Key.Key_Right: (1, 0),
    Qt.Key.Key_Up: (0, -1),
    Qt.Key.Key_Down: (0, 1),
}
ENTER = (Qt.Key.Key_Return, Qt.Key.Key_Enter)
#: Image pixels for one press of an arrow key.
_STEPS = {
    Qt.KeyboardModifier.NoModifier: 1,
    Qt.KeyboardModifier.ShiftModifier: 10,
    Qt.KeyboardModifier.ControlModifier: 100,
}
#: The crosshair stays that far within the view, in logical pixels.
_MARGIN = 24


def arrow(event: QKeyEvent) -> tuple[int, int] | None:
    """The step of an arrow key on the screen, to the right and down: by 1, with Shift by 10, with Control by 100."""
    direction = ARROWS.get(Qt.Key(event.key()))
    # Keys of the number pad, and on macOS all arrows, bear a modifier of their own.
    step = _STEPS.get(event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier)
    return None if direction is None or step is None else (direction[0] * step, direction[1] * step)


def image_step(view: ImageView, step: tuple[int, int]) -> tuple[float, float]:
    """A step on the screen as whole columns and rows of the image, which may be turned and flipped."""
    across, down = step
    start, end = view.to_image(QPointF(0, 0)), view.to_image(QPointF(across, down))
    dx, dy = end.x - start.x, end.y - start.y
    pixels = max(abs(across), abs(down))
    # Turns are quarters: a step lies along a row or along a column.
    return (math.copysign(pixels, dx), 0.0) if abs(dx) > abs(dy) else (0.0, math.copysign(pixels, dy))


class Crosshair:
    """A place in the image that arrow keys move; it is kept within the image, and the view follows it."""

    def __init__(self) -> None:
        self.point: PixelPoint | None = None

    def shown(self, view: ImageView) -> PixelPoint:
        """Where it is; it begins at the centre of the view, amid a pixel."""
        if self.point is None:
            centre = view.shown_centre
            self._put(view, PixelPoint(math.floor(centre.x) + 0.5, math.floor(centre.y) + 0.5))
        assert self.point is not None
        return self.point

    def step(self, view: ImageView, step: tuple[int, int]) -> PixelPoint:
        """The next place. The first step only shows where it begins."""
        if self.point is None:
            return self.shown(view)
        self._put(view, self.point.moved(*image_step(view, step)))
        return self.point

    def _put(self, view: ImageView, point: PixelPoint) -> None:
        loaded = view.loaded
        assert loaded is not None, "a view without an image has no place to point at"
        rows, columns = loaded.stored.shape
        self.point = PixelPoint(min(max(point.x, 0.5), columns - 0.5), min(max(point.y, 0.5), rows - 0.5))
        place = view.to_view(self.point)
        dx = min(max(place.x(), _MARGIN), view.viewport().width() - _MARGIN) - place.x()
        dy = min(max(place.y(), _MARGIN), view.viewport().height() - _MARGIN) - place.y()
        if (dx or dy) and view.display is not None and view.display.zoom is not None:
            view.pan_by(dx, dy)  # a fitted image is in the view as a whole
