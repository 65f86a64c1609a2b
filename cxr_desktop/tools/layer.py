"""The measurements of a view's image, over its film: drawn, found under the mouse, shown while they are edited."""

from __future__ import annotations

from collections.abc import Callable
from textwrap import shorten

from PySide6.QtCore import QObject, QPointF, QRectF, Qt
from PySide6.QtGui import QPainter, QTransform
from PySide6.QtWidgets import QGraphicsItem, QStyleOptionGraphicsItem, QWidget

from cxr_desktop.state.geometry import PixelPoint
from cxr_desktop.state.measured import Values
from cxr_desktop.state.measurement import Measurement
from cxr_desktop.tools.measurements import MeasurementModel
from cxr_desktop.tools.painting import (
    HANDLE,
    SELECTED_LINE,
    Drawing,
    Text,
    brief,
    is_near,
    outline,
    paint_crosshair,
    paint_drawings,
    paint_label,
    to_place,
)
from cxr_desktop.views.image_view import ImageView
from cxr_desktop.views.text import OutlinedText

#: How far from a line or handle a click still takes it, in logical pixels of the screen.
REACH = 6.0
#: Labels stay that far within the view: at its upper and lower edge stand letters and corner text.
_MARGIN, _EDGE_TEXT = 4, 46
#: A view narrower than this (logical pixels) shows the first line of a label, and that there are warnings.
_NARROW = 460
#: Of a comment in a label, in characters; the list shows it in full.
_COMMENT_LENGTH = 60
#: Above the film, below the magnifier.
_HEIGHT = 10.0
#: Larger than any image: what is drawn here is small on the screen and may lie anywhere.
_EVERYWHERE = QRectF(-1e5, -1e5, 1.1e6, 1.1e6)


class MeasurementLayer(QObject):
    """What a view shows of a model, and what the tools show beside it."""

    def __init__(self, view: ImageView) -> None:
        super().__init__(view)
        self._view = view
        self._model: MeasurementModel | None = None
        self._shown = True
        self._preview: Measurement | None = None
        self._preview_label = True
        self._active: int | None = None
        self._note: tuple[PixelPoint, Text, bool] | None = None
        self._outlined = OutlinedText()
        self._item = _Item(self)
        view.scene().addItem(self._item)

    @property
    def model(self) -> MeasurementModel | None:
        """The measurements that are shown."""
        return self._model

    def set_model(self, model: MeasurementModel | None) -> None:
        """Show the measurements of another image."""
        if self._model is not None:
            self._model.changed.disconnect(self.update)
            self._model.selectionChanged.disconnect(self._selection_changed)
        self._model = model
        self._preview = self._note = self._active = None
        if model is not None:
            model.changed.connect(self.update)
            model.selectionChanged.connect(self._selection_changed)
        self.update()

    @property
    def shown(self) -> bool:
        """Whether measurements are shown."""
        return self._shown

    def set_shown(self, shown: bool) -> None:
        """Show or hide all measurements."""
        self._shown = shown
        self.update()

    def set_preview(self, measurement: Measurement | None, *, label: bool = True) -> None:
        """Show one that is being drawn, or edited: then in place of the one with its id."""
        self._preview, self._preview_label = measurement, label
        self.update()

    @property
    def active_handle(self) -> int | None:
        """The handle of the selected measurement that the keys move; None moves all of it."""
        return self._active

    def set_active_handle(self, index: int | None) -> None:
        """Choose what the keys move."""
        self._active = index
        self.update()

    def set_note(self, point: PixelPoint | None, *lines: str, crosshair: bool = False) -> None:
        """Show words beside a place, and the keyboard's crosshair on it; None takes them away."""
        self._note = None if point is None else (point, Text(lines, (), SELECTED_LINE), crosshair)
        self.update()

    def mouse_left(self) -> None:
        """Words beside the mouse go with it; those beside the crosshair stay."""
        if self._note is not None and not self._note[2]:
            self.set_note(None)

    def update(self) -> None:
        """Paint anew."""
        self._item.update()

    def _selection_changed(self) -> None:
        self._active = None
        self.update()

    def handle_at(self, position: QPointF) -> int | None:
        """The handle of the selected measurement under a position of the view."""
        selected = self._model.selected if self._model is not None and self._shown else None
        if selected is None:
            return None
        reach = HANDLE + REACH / 2
        offs = [self._view.to_view(point) - position for point in selected.points]
        near = [(off.manhattanLength(), index) for index, off in enumerate(offs) if _within(off, reach)]
        return min(near)[1] if near else None

    def measurement_at(self, position: QPointF) -> Measurement | None:
        """The measurement whose line or label is under a position of the view; the latest drawn is on top."""
        if self._model is None or not self._shown:
            return None
        scale, to_view = self._model.scale, self._view.viewportTransform()
        for measurement in reversed(self._model.measurements):
            if is_near(to_view.map(outline(measurement, scale)), position, REACH):
                return measurement
            if self._item.labels_at.get(measurement.id, QRectF()).contains(position):
                return measurement
        return None

    def drawings(self) -> list[Drawing]:
        """What is drawn now, the preview among it."""
        if self._model is None or not self._shown:
            return []
        model, preview = self._model, self._preview
        drawn = [preview if preview is not None and preview.id == one.id else one for one in model.measurements]
        if preview is not None and preview not in drawn:
            drawn.append(preview)
        drawings = []
        for measurement in drawn:
            if measurement is preview and not self._preview_label:
                drawings.append(Drawing(measurement, (), selected=True))
                continue
            values = model.values(measurement)
            selected = model.selected is not None and measurement.id == model.selected.id
            drawings.append(
                Drawing(
                    measurement,
                    label_lines(values, measurement),
                    values.warnings,
                    selected=selected or measurement is preview,
                    handles=selected and measurement is not preview,
                    active=self._active if selected else None,
                )
            )
        return drawings

    def paint(self, painter: QPainter, to_device: QTransform, bounds: QRectF, size: float) -> dict[str, QRectF]:
        """Draw all in device pixels; where each label is, by the id of its measurement."""
        places = {}
        if self._model is not None:
            drawings = self.drawings()
            if bounds.width() < _NARROW * size:
                drawings = [brief(drawing) for drawing in drawings]
            scale = self._model.scale
            places = paint_drawings(painter, to_device, drawings, scale, self._outlined, bounds=bounds, size=size)
        if self._note is not None:
            point, text, crosshair = self._note
            at = to_place(point, to_device)
            if crosshair:
                paint_crosshair(painter, at, size=size)
            if text.lines:
                paint_label(painter, self._outlined, at, text, bounds=bounds, size=size, taken=list(places.values()))
        return places


def export_painter(model: MeasurementModel) -> Callable[[QPainter, QTransform, QRectF, float], object]:
    """Paints the measurements of an image over a picture of it: painter, from image to picture, bounds, size."""
    drawings = []
    for measurement in model.measurements:
        values = model.values(measurement)
        drawings.append(Drawing(measurement, label_lines(values, measurement), values.warnings))

    def paint(painter: QPainter, to_device: QTransform, bounds: QRectF, size: float) -> object:
        return paint_drawings(painter, to_device, drawings, model.scale, OutlinedText(), bounds=bounds, size=size)

    return paint


def label_lines(values: Values, measurement: Measurement) -> tuple[str, ...]:
    """The lines of a label: the values, then the comment as far as a line reaches."""
    comment = shorten(measurement.comment, _COMMENT_LENGTH, placeholder=" ...")
    return (*values.lines, comment) if comment else values.lines


def _within(off: QPointF, reach: float) -> bool:
    return abs(off.x()) <= reach and abs(off.y()) <= reach


class _Item(QGraphicsItem):
    """Puts the layer into the view's scene. One item: what lies under the mouse is asked of the layer."""

    def __init__(self, layer: MeasurementLayer) -> None:
        super().__init__()
        self._layer = layer
        self.labels_at: dict[str, QRectF] = {}
        self.setZValue(_HEIGHT)
        self.setAcceptedMouseButtons(Qt.MouseButton.NoButton)

    def boundingRect(self) -> QRectF:
        """All that may ever be painted on."""
        return _EVERYWHERE

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        """In device pixels of the viewport, whatever the view's transform."""
        if widget is None:  # a picture of the scene, not of a view: its measurements are painted by who makes it
            return
        ratio = widget.devicePixelRatioF()
        to_view = painter.worldTransform()
        painter.resetTransform()
        painter.scale(1 / ratio, 1 / ratio)
        bounds = QRectF(0, 0, widget.width() * ratio, widget.height() * ratio)
        across, down = _MARGIN * ratio, _EDGE_TEXT * ratio
        to_device = to_view * QTransform.fromScale(ratio, ratio)
        places = self._layer.paint(painter, to_device, bounds.adjusted(across, down, -across, -down), ratio)
        to_logical = QTransform.fromScale(1 / ratio, 1 / ratio)
        self.labels_at = {id_: to_logical.mapRect(place) for id_, place in places.items()}
        painter.setWorldTransform(to_view)
