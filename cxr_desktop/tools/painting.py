"""Draws measurements over a film: lines that are seen on white and on black, and labels that stand upright.

Everything is drawn in device pixels, so that line, handle and text keep their size whatever the zoom, and text stands
upright whatever the turns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from PySide6.QtCore import QPointF, QRectF, QSizeF, Qt
from PySide6.QtGui import (
    QColor,
    QFontMetricsF,
    QPainter,
    QPainterPath,
    QPainterPathStroker,
    QPen,
    QTransform,
)

from cxr_desktop.state.cardiothoracic import cardiothoracic_parts
from cxr_desktop.state.geometry import PixelPoint
from cxr_desktop.state.measurement import (
    Angle,
    Calibration,
    CardiothoracicRatio,
    CobbAngle,
    Ellipse,
    Measurement,
    Rectangle,
)
from cxr_desktop.state.roi import frame_of
from cxr_desktop.state.scale import Scale
from cxr_desktop.views.text import OutlinedText, font_of

#: Over a film, not of the palette: bright and dark are seen on every grey together.
LINE = QColor("#ffd84d")
SELECTED_LINE = QColor("#5ce1ff")
WARNING = QColor("#ffb070")
OUTLINE = QColor(0, 0, 0)

#: Half of the side of a handle, in logical pixels of the screen.
HANDLE = 4.5
_LINE_WIDTH = 1.6
_OUTLINE_WIDTH = 4.0
_FONT_PIXELS = 13
_LABEL_GAP = 10.0


@dataclass(frozen=True, slots=True)
class Drawing:
    """One measurement as it is drawn."""

    measurement: Measurement
    lines: tuple[str, ...]
    """Of its label."""

    warnings: tuple[str, ...] = ()
    """Below the lines, marked."""

    selected: bool = False
    """Or being drawn or moved."""

    handles: bool = False
    """Not while a point is being set: a handle would hide the place."""

    active: int | None = None
    """The handle that the keys move."""


def brief(drawing: Drawing) -> Drawing:
    """With a label that fits into a small view: its first line, and a mark that there are warnings."""
    if not drawing.lines:
        return drawing
    first = f"{drawing.lines[0]} ⚠" if drawing.warnings else drawing.lines[0]
    return replace(drawing, lines=(first,), warnings=())


@dataclass(frozen=True, slots=True)
class Text:
    """What a label says."""

    lines: tuple[str, ...]
    warnings: tuple[str, ...]
    color: QColor


def outline(measurement: Measurement, scale: Scale) -> QPainterPath:
    """The lines of a measurement, in image coordinates. Points may coincide: one that is being drawn has few places."""
    points = [QPointF(point.x, point.y) for point in measurement.points]
    path = QPainterPath()
    match measurement:
        case Rectangle():
            left, top, right, bottom = frame_of(measurement)
            path.addRect(QRectF(QPointF(left, top), QPointF(right, bottom)))
        case Ellipse():
            left, top, right, bottom = frame_of(measurement)
            path.addEllipse(QRectF(QPointF(left, top), QPointF(right, bottom)))
        case CobbAngle():
            _line(path, points[0], points[1])
            _line(path, points[2], points[3])
        case CardiothoracicRatio():
            _line(path, points[0], points[1])
            _line(path, points[4], points[5])
            parts = cardiothoracic_parts(measurement, scale)
            for border, foot in zip(points[2:4], parts.feet if parts else (), strict=False):
                _line(path, border, QPointF(foot.x, foot.y))
        case Angle():
            _line(path, points[0], points[1])
            _line(path, points[1], points[2])
        case _:
            _line(path, points[0], points[1])
    return path


def _line(path: QPainterPath, start: QPointF, end: QPointF) -> None:
    """Every line by itself, with square caps and an opaque pen: Qt draws that 50 times faster than round ones."""
    path.moveTo(start)
    path.lineTo(end)


def is_near(drawn: QPainterPath, position: QPointF, reach: float) -> bool:
    """Whether a position lies on a line of a path, give or take `reach`; both in the same pixels."""
    stroker = QPainterPathStroker(QPen(Qt.GlobalColor.black, 2 * reach))
    return stroker.createStroke(drawn).contains(position)


def paint_drawings(
    painter: QPainter,
    to_device: QTransform,
    drawings: Sequence[Drawing],
    scale: Scale,
    outlined: OutlinedText,
    *,
    bounds: QRectF,
    size: float,
) -> dict[str, QRectF]:
    """Draw measurements, then their labels, which keep clear of each other and of handles; their places, by id.

    Parameters
    ----------
    painter : QPainter
        In device pixels of the target: a view's viewport, or an exported picture.
    to_device : QTransform
        From image coordinates to device pixels.
    drawings : sequence of Drawing
        The last is on top.
    scale : Scale
        Perpendiculars are drawn in true geometry.
    outlined : OutlinedText
        Draws the labels.
    bounds : QRectF
        Labels stay within it; what lies outside of it gets none.
    size : float
        Of lines and text in device pixels: the device pixel ratio on the screen, more in a large picture.
    """
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    paths = [_paint_shape(painter, to_device, drawing, scale, size) for drawing in drawings]
    places: dict[str, QRectF] = {}
    reach = 2 * HANDLE * size
    handles = [
        QRectF(-reach, -reach, 2 * reach, 2 * reach).translated(to_place(point, to_device))
        for drawing in drawings
        if drawing.handles
        for point in drawing.measurement.points
    ]
    for drawing, path in zip(drawings, paths, strict=True):
        text = Text(drawing.lines, drawing.warnings, _color(drawing))
        # A straight line has no height, and a rectangle without height meets nothing.
        seen = path.boundingRect().adjusted(-1, -1, 1, 1).intersects(bounds)
        if seen and (text.lines or text.warnings):
            anchor = _anchor(drawing.measurement, to_device, path)
            taken = [*places.values(), *handles]
            places[drawing.measurement.id] = paint_label(
                painter, outlined, anchor, text, bounds=bounds, size=size, taken=taken
            )
    painter.restore()
    return places


def _color(drawing: Drawing) -> QColor:
    return SELECTED_LINE if drawing.selected else LINE


def _paint_shape(painter: QPainter, to_device: QTransform, drawing: Drawing, scale: Scale, size: float) -> QPainterPath:
    measurement, color = drawing.measurement, _color(drawing)
    path: QPainterPath = to_device.map(outline(measurement, scale))
    style = Qt.PenStyle.DashLine if isinstance(measurement, Calibration) else Qt.PenStyle.SolidLine
    width = _LINE_WIDTH * (1.5 if drawing.selected else 1.0)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for pen_color, pen_width, pen_style in (
        (OUTLINE, _OUTLINE_WIDTH + width - _LINE_WIDTH, Qt.PenStyle.SolidLine),
        (color, width, style),
    ):
        painter.setPen(
            QPen(pen_color, pen_width * size, pen_style, Qt.PenCapStyle.SquareCap, Qt.PenJoinStyle.MiterJoin)
        )
        painter.drawPath(path)
    points = [to_place(point, to_device) for point in measurement.points]
    if drawing.handles:
        _paint_handles(painter, points, drawing.active, size)
    elif not isinstance(measurement, (Rectangle, Ellipse)):
        painter.setPen(QPen(OUTLINE, size))
        painter.setBrush(color)
        for point in points:
            painter.drawEllipse(point, 2.6 * size, 2.6 * size)
    return path


def _anchor(measurement: Measurement, to_device: QTransform, path: QPainterPath) -> QPointF:
    """The place beside which the label stands."""
    points = [to_place(point, to_device) for point in measurement.points]
    match measurement:
        case Rectangle() | Ellipse():
            return path.boundingRect().bottomRight()
        case Angle():
            return points[1]
        case CardiothoracicRatio():
            return points[1]  # low on the spine, where it covers no lung
    return max(points, key=lambda point: (point.x(), point.y()))


def _paint_handles(painter: QPainter, points: list[QPointF], active: int | None, size: float) -> None:
    for index, point in enumerate(points):
        half = HANDLE * size * (1.4 if index == active else 1.0)
        painter.setPen(QPen(OUTLINE, 1.5 * size))
        painter.setBrush(SELECTED_LINE if index == active else QColor(Qt.GlobalColor.white))
        painter.drawRect(QRectF(point.x() - half, point.y() - half, 2 * half, 2 * half))


def paint_crosshair(painter: QPainter, position: QPointF, *, size: float) -> None:
    """The keyboard's cursor: a cross with an open middle, so that the place itself is seen."""
    path = QPainterPath()
    for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1)):
        direction = QPointF(dx * size, dy * size)
        _line(path, position + direction * 4.0, position + direction * 22.0)
    painter.save()
    painter.setPen(QPen(OUTLINE, _OUTLINE_WIDTH * size))
    painter.drawPath(path)
    painter.setPen(QPen(SELECTED_LINE, _LINE_WIDTH * size))
    painter.drawPath(path)
    painter.restore()


def paint_label(
    painter: QPainter,
    outlined: OutlinedText,
    anchor: QPointF,
    text: Text,
    *,
    bounds: QRectF,
    size: float,
    taken: Sequence[QRectF] = (),
) -> QRectF:
    """Text beside a place, within the bounds and clear of what is taken where it can be; the rectangle of the text."""
    pixels = round(_FONT_PIXELS * size)
    lines = [(line, text.color) for line in text.lines] + [(f"⚠ {line}", WARNING) for line in text.warnings]
    metrics = QFontMetricsF(font_of(pixels, bold=True))
    width = max(metrics.horizontalAdvance(line) for line, _ in lines) + pixels / 2
    place = _free_place(anchor, QSizeF(width, metrics.lineSpacing() * len(lines)), bounds, taken, _LABEL_GAP * size)
    for number, (line, color) in enumerate(lines):
        top = place.top() + number * metrics.lineSpacing()
        outlined.draw(painter, line, place.left(), top, pixels, colour=color, bold=True)
    return place


def _free_place(anchor: QPointF, size: QSizeF, bounds: QRectF, taken: Sequence[QRectF], gap: float) -> QRectF:
    """Below to the right of the anchor, else above, else to the left; else below or above all that is in the way."""
    right, left = anchor.x() + gap, anchor.x() - gap - size.width()
    below, above = anchor.y() + gap / 2, anchor.y() - gap / 2 - size.height()
    for x, y in ((right, below), (right, above), (left, below), (left, above)):
        place = QRectF(QPointF(x, y), size)
        if bounds.contains(place) and not any(place.intersects(other) for other in taken):
            return place
    x = max(min(right, bounds.right() - size.width()), bounds.left())
    place = QRectF(QPointF(x, max(below, bounds.top())), size)
    for other in sorted(taken, key=QRectF.top):
        if place.intersects(other):
            place.moveTop(other.bottom() + 1)
    if place.bottom() <= bounds.bottom():
        return place
    place.moveBottom(min(above + size.height(), bounds.bottom()))
    for other in sorted(taken, key=QRectF.bottom, reverse=True):
        if place.intersects(other):
            place.moveBottom(other.top() - 1)
    place.moveTop(max(place.top(), bounds.top()))
    return place


def to_place(point: PixelPoint, to_device: QTransform) -> QPointF:
    """Where in the target a place of the image is."""
    place: QPointF = to_device.map(QPointF(point.x, point.y))
    return place
