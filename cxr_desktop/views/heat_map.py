"""The map of the model's attention over a film: coloured small, scaled by Qt, and kept at the size it is shown."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPen, QPolygonF

from cxr_core.heatmap import OUTLINE_LEVEL, OverlaySettings, colour_table, outlines, relative
from cxr_desktop.views.film import Picture, colour_picture
from cxr_desktop.views.placement import Placement

#: Perceptually even colour maps; viridis is that of cxr_core's exports.
COLOUR_MAPS = {
    "viridis": cv2.COLORMAP_VIRIDIS,
    "cividis": cv2.COLORMAP_CIVIDIS,
    "inferno": cv2.COLORMAP_INFERNO,
    "magma": cv2.COLORMAP_MAGMA,
    "plasma": cv2.COLORMAP_PLASMA,
}
#: Values of the small picture for one of the grid: enough that straight lines between them are the curve.
_FINENESS = 24
_MOST = 512


@dataclass(frozen=True, eq=False, slots=True)
class HeatMapLayer:
    """A map on its native grid, and how it is shown."""

    cam: npt.NDArray[np.float32]
    """Shape (rows, columns) of the network's grid; it stretches over the whole film, as the film was squashed to it."""

    label: str = ""
    """What it is a map of: the name of the class."""

    opacity: float = 0.45
    """Of the strongest colour, 0 to 1."""

    threshold: float = 0.25
    """Share of the map's own maximum below which nothing is drawn, 0 to 1."""

    colours: str = "viridis"
    """A key of COLOUR_MAPS."""

    contour: bool = False
    """Whether a line is drawn where the map reaches half of its maximum."""

    legend: bool = True
    """Whether the legend is shown; a line is never without it, for it says what the line is."""

    @property
    def has_legend(self) -> bool:
        """Whether the legend is drawn."""
        return self.legend or self.contour


def layer_table(layer: HeatMapLayer) -> npt.NDArray[np.uint8]:
    """256 colours for map values 0 to 1: shape (256, 4), BGRA, straight alpha; the alpha of cxr_core's overlay."""
    table = colour_table(OverlaySettings(threshold=layer.threshold, opacity=layer.opacity))
    if layer.colours in COLOUR_MAPS and layer.colours != "viridis":  # a name of a later version is viridis
        ramp = np.arange(256, dtype=np.uint8)[:, np.newaxis]
        table[:, :3] = cv2.applyColorMap(ramp, COLOUR_MAPS[layer.colours])[:, 0]
    return table


def small_picture(layer: HeatMapLayer) -> Picture:
    """The map coloured on a grid that is fine enough to be scaled: premultiplied, some hundred pixels wide."""
    rows, columns = (min(side * _FINENESS, _MOST) for side in layer.cam.shape)
    smooth = cv2.resize(relative(layer.cam), (columns, rows), interpolation=cv2.INTER_CUBIC)
    levels = cv2.convertScaleAbs(np.maximum(smooth, 0), alpha=255)
    table = layer_table(layer).astype(np.float32)
    table[:, :3] *= table[:, 3:] / 255
    return colour_picture(np.rint(table).astype(np.uint8)[levels])


class HeatMapPainter:
    """Paints one layer; what does not change from frame to frame is kept."""

    def __init__(self, layer: HeatMapLayer, *, line_width: float = 1.0) -> None:
        self.layer = layer
        self._line_width = line_width
        self._small = small_picture(layer)
        self._lines = outlines(layer.cam, OUTLINE_LEVEL) if layer.contour else []
        self._kept: tuple[tuple[Placement, int, int], QPointF, QImage] | None = None

    def draw(self, painter: QPainter, placement: Placement, width: int, height: int) -> None:
        """Paint what is visible in `width` x `height` device pixels of a painter without transformation."""
        key = (placement, width, height)
        if self._kept is None or self._kept[0] != key:
            part = self._part(placement).intersected(QRect(0, 0, width, height))
            image = QImage(part.size(), QImage.Format.Format_ARGB32_Premultiplied)
            if not part.isEmpty():
                image.fill(Qt.GlobalColor.transparent)
                brush = QPainter(image)
                brush.translate(-part.x(), -part.y())
                self._draw(brush, placement)
                brush.end()
            self._kept = key, QPointF(part.topLeft()), image
        painter.drawImage(self._kept[1], self._kept[2])

    def _part(self, placement: Placement) -> QRect:
        """The device pixels in which anything is coloured: blending nothing costs as much as blending."""
        pixels = self._small.pixels
        rows, columns = (np.flatnonzero(pixels[..., 3].any(axis=axis)) for axis in (1, 0))
        if not len(rows):
            return QRect()
        across, down = placement.columns / pixels.shape[1], placement.rows / pixels.shape[0]
        # A value more at each side, to which the colours fade.
        first = QPointF((columns[0] - 1) * across, (rows[0] - 1) * down)
        last = QPointF((columns[-1] + 2) * across, (rows[-1] + 2) * down)
        film = QRectF(0, 0, placement.columns, placement.rows)
        return placement.transform().mapRect(QRectF(first, last).intersected(film)).toAlignedRect()

    def _draw(self, painter: QPainter, placement: Placement) -> None:
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.setTransform(placement.transform(), combine=True)
        painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_Source)
        painter.drawImage(QRectF(0, 0, placement.columns, placement.rows), self._small.image)
        painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_SourceOver)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        # White between black, so that it shows on any grey.
        for colour, width in (QColor(0, 0, 0), 3.0), (QColor(255, 255, 255), 1.2):
            pen = QPen(colour, width * self._line_width)
            pen.setCosmetic(True)
            painter.setPen(pen)
            for line in self._lines:
                points = line * (placement.columns, placement.rows)
                painter.drawPolygon(QPolygonF([QPointF(x, y) for x, y in points]))
