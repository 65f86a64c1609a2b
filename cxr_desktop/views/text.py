"""Text that reads on black and on white: outlined, and kept as pictures, for most of it never changes."""

from __future__ import annotations

from collections import OrderedDict

import cv2
import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QGuiApplication, QImage, QPainter, QPainterPath

WHITE = QColor(235, 235, 235)
#: Of marks that warn: never the only sign, the words say it.
AMBER = QColor(255, 190, 90)
_KEPT = 128
#: How dark the outline is, 0 to 1.
_OUTLINE = 0.88


class OutlinedText:
    """Paints lines of text in device pixels of a painter that has no transformation."""

    def __init__(self) -> None:
        self._pictures: OrderedDict[tuple[str, int, int, bool], QImage] = OrderedDict()

    def draw(
        self,
        painter: QPainter,
        text: str,
        x: float,
        y: float,
        size: int,
        *,
        across: float = 0.0,
        colour: QColor = WHITE,
        bold: bool = False,
    ) -> QRectF:
        """A line with its top at `y`; `across` 0 begins at `x`, 0.5 is centred on it, 1 ends there. Where it stands.

        `size` is that of the font in device pixels.
        """
        picture = self._picture(text, size, colour, bold)
        place = QRectF(round(x - across * picture.width()), round(y), picture.width(), picture.height())
        painter.drawImage(place.topLeft(), picture)
        return place

    def _picture(self, text: str, size: int, colour: QColor, bold: bool) -> QImage:
        key = (text, size, colour.rgba(), bold)
        picture = self._pictures.pop(key, None) or _drawn(text, size, colour, bold)
        self._pictures[key] = picture
        if len(self._pictures) > _KEPT:
            self._pictures.popitem(last=False)
        return picture


def font_of(size: int, *, bold: bool = False) -> QFont:
    """The font of the application at a size in device pixels."""
    font = QFont(QGuiApplication.font())
    font.setPixelSize(max(size, 1))
    font.setBold(bold)
    return font


def _drawn(text: str, size: int, colour: QColor, bold: bool) -> QImage:
    font = font_of(size, bold=bold)
    metrics = QFontMetricsF(font)
    edge = max(round(size / 7), 1)
    width, height = int(metrics.horizontalAdvance(text) + 2 * edge) + 2, int(metrics.height()) + 1
    picture = QImage(width, height, QImage.Format.Format_ARGB32_Premultiplied)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    path = QPainterPath()
    path.addText(QPointF(edge, metrics.ascent()), font, text)
    painter.fillPath(path, colour)
    painter.end()
    # The outline is the letters grown in every direction: stroking their paths costs milliseconds, and a window that
    # is dragged has other numbers in every frame.
    pixels = np.frombuffer(picture.bits(), np.uint8).reshape(height, picture.bytesPerLine() // 4, 4)
    grown = cv2.dilate(pixels[..., 3], cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * edge + 1, 2 * edge + 1)))
    pixels[..., 3] = np.maximum(pixels[..., 3], cv2.convertScaleAbs(grown, alpha=_OUTLINE))
    return picture
