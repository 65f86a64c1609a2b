"""Where an image lies in a view: from image coordinates to device pixels and back, on whole pixels of the screen."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QPointF
from PySide6.QtGui import QTransform

from cxr_desktop.state.display import DisplayState
from cxr_desktop.state.geometry import PixelPoint


@dataclass(frozen=True, slots=True)
class Placement:
    """An image of `rows` x `columns` pixels drawn `height` x `width` device pixels large, flipped, turned, and moved.

    Sizes and origin are whole device pixels: so a pan never samples anew, and at 1:1 pixel falls on pixel.
    """

    rows: int
    columns: int
    height: int
    """Of the scaled image in device pixels, before the turns."""

    width: int
    flipped: bool
    quarter_turns: int
    left: int
    """Of the turned picture in the view, in device pixels."""

    top: int

    @property
    def turned_size(self) -> tuple[int, int]:
        """(width, height) of the turned picture in device pixels."""
        return (self.height, self.width) if self.quarter_turns % 2 else (self.width, self.height)

    @property
    def zoom(self) -> float:
        """Device pixels for an image column."""
        return self.width / self.columns

    @property
    def scales(self) -> tuple[float, float]:
        """Device pixels for an image pixel along (columns, rows)."""
        return self.width / self.columns, self.height / self.rows

    def turning(self) -> QTransform:
        """From the scaled image to device pixels: flip, turns and place."""
        turning = QTransform()
        if self.flipped:
            turning *= QTransform(-1, 0, 0, 1, self.width, 0)
        width, height = self.width, self.height
        for _ in range(self.quarter_turns):
            turning *= QTransform(0, 1, -1, 0, height, 0)
            width, height = height, width
        return turning * QTransform.fromTranslate(self.left, self.top)

    def transform(self) -> QTransform:
        """From image coordinates to device pixels of the view."""
        return QTransform.fromScale(*self.scales) * self.turning()


def place(
    state: DisplayState, *, rows: int, columns: int, pixel_aspect: float, view_width: int, view_height: int
) -> Placement:
    """Where the image lies in a view of that many device pixels.

    `pixel_aspect` is height over width of a pixel. A fitted image touches two edges of the view.
    """
    turned = state.quarter_turns % 2 == 1
    if state.zoom is None:
        tall, wide = rows * pixel_aspect, float(columns)
        if turned:
            tall, wide = wide, tall
        zoom = min(view_width / wide, view_height / tall)
    else:
        zoom = state.zoom
    width, height = max(round(columns * zoom), 1), max(round(rows * zoom * pixel_aspect), 1)
    centre = state.centre or PixelPoint(columns / 2, rows / 2)
    unplaced = Placement(rows, columns, height, width, state.flipped, state.quarter_turns, 0, 0)
    middle = unplaced.transform().map(QPointF(centre.x, centre.y))
    return Placement(
        rows,
        columns,
        height,
        width,
        state.flipped,
        state.quarter_turns,
        left=round(view_width / 2 - middle.x()),
        top=round(view_height / 2 - middle.y()),
    )


def inverse(transform: QTransform) -> QTransform:
    """The way back."""
    back: QTransform = transform.inverted()[0]
    return back
