"""The legend of a map of attention: its colours, and what they do not mean."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QCoreApplication, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QImage, QPainter

from cxr_core.heatmap import MAP_LABEL, OUTLINE_LABEL, blend
from cxr_desktop.views.film import colour_picture
from cxr_desktop.views.heat_map import HeatMapLayer, layer_table
from cxr_desktop.views.text import WHITE, font_of

_GROUND = QColor(0, 0, 0, 190)


def legend_lines(layer: HeatMapLayer) -> list[str]:
    """What stands in the legend: of which class, and what the colours do not mean."""
    rows, columns = layer.cam.shape
    title = _tr("Map of {0}").format(layer.label) if layer.label else _tr("Map")
    lines = [
        title,
        _tr(MAP_LABEL),
        _tr("relative within this image"),
        _tr("native grid {0} x {1}").format(rows, columns),
    ]
    if layer.contour:
        lines.append(_tr("Line: {0}").format(_tr(OUTLINE_LABEL)))
    return lines


def legend_image(layer: HeatMapLayer, size: int, width: int) -> QImage:
    """The legend at most `width` device pixels wide, its font `size` device pixels."""
    font, margin = font_of(size), size // 2 + 1
    metrics = QFontMetricsF(font)
    inner = width - 2 * margin
    flags = int(Qt.TextFlag.TextWordWrap)
    lines = legend_lines(layer)
    boxes = [metrics.boundingRect(QRectF(0, 0, inner, 10_000), flags, line) for line in lines]
    inner = min(inner, max(int(max(box.width() for box in boxes)) + 2, 10 * size))
    bar = size
    weak, strong = _tr("weak"), _tr("strong")
    height = int(sum(box.height() for box in boxes) + bar + metrics.height() + 2.5 * margin) + 1
    image = QImage(inner + 2 * margin, height, QImage.Format.Format_ARGB32_Premultiplied)
    image.fill(_GROUND)
    painter = QPainter(image)
    painter.setFont(font)
    painter.setPen(WHITE)
    y = float(margin)
    for line, box in zip(lines, boxes, strict=True):
        painter.drawText(QRectF(margin, y, inner, box.height()), flags, line)
        y += box.height()
    y += margin / 2
    ramp = layer_table(layer)[np.linspace(0, 255, inner).astype(np.intp)]
    colours = blend(np.full((bar, inner), 0.5, np.float32), np.repeat(ramp[np.newaxis], bar, axis=0))
    opaque = np.dstack([colours, np.full((bar, inner), 255, np.uint8)])
    painter.drawImage(QPointF(margin, y), colour_picture(opaque).image)
    below = QRectF(margin, y + bar, inner, metrics.height())
    painter.drawText(below, int(Qt.AlignmentFlag.AlignLeft), weak)
    painter.drawText(below, int(Qt.AlignmentFlag.AlignRight), strong)
    painter.end()
    return image


def _tr(text: str) -> str:
    return QCoreApplication.translate("Legend", text)
