"""The magnifier: a round part of the film, larger, where the cursor is."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPen

from cxr_desktop.state.display import MAX_ZOOM, DisplayState
from cxr_desktop.state.geometry import PixelPoint
from cxr_desktop.views.film import Film, FilmPainter
from cxr_desktop.views.placement import place

_FACTOR = 3.0
#: In logical pixels.
_RADIUS = 110


class Loupe:
    """The magnifier of a view; it keeps samples of its own, so that those of the view stay."""

    def __init__(self, film: Film, point: PixelPoint) -> None:
        self.point = point
        self._film = film
        self._painter = FilmPainter(film)

    def draw(
        self, painter: QPainter, display: DisplayState, *, at: QPointF, zoom: float, ratio: float, smooth: bool
    ) -> None:
        """Paint the film around the point, three times as large as it is shown and 1:1 at least, around `at`.

        `at` is in device pixels of a painter without transformation; `zoom` is what the view shows.
        """
        side = 2 * round(_RADIUS * ratio)
        larger = replace(display, zoom=min(max(zoom * _FACTOR, 1.0), MAX_ZOOM), centre=self.point)
        placement = place(
            larger,
            rows=self._film.rows,
            columns=self._film.columns,
            pixel_aspect=self._film.pixel_aspect,
            view_width=side,
            view_height=side,
        )
        corner = QPointF(round(at.x()) - side / 2, round(at.y()) - side / 2)
        rim = QRectF(0, 0, side, side)
        circle = QPainterPath()
        circle.addEllipse(rim)
        painter.save()
        painter.translate(corner)
        painter.setClipPath(circle)
        painter.fillRect(rim, QColor(0, 0, 0))
        self._painter.draw(painter, larger, placement, side, side, exact=True, smooth=smooth)
        painter.setClipping(False)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        # White between black, so that the rim shows on any grey.
        for colour, width in (QColor(0, 0, 0), 4 * ratio), (QColor(255, 255, 255), 1.5 * ratio):
            painter.setPen(QPen(colour, width))
            painter.drawEllipse(rim)
        painter.restore()
