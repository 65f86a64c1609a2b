"""Changes a drawn measurement: by its handles, by its lines, by the arrow keys."""

from __future__ import annotations

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QKeyEvent

from cxr_core.errors import CxrError
from cxr_desktop.state.geometry import PixelPoint
from cxr_desktop.state.measurement import Measurement
from cxr_desktop.tools.keyboard import ENTER, arrow, image_step
from cxr_desktop.tools.layer import MeasurementLayer
from cxr_desktop.views.image_view import ImageView


class Editor:
    """The drag of a handle or of a whole measurement, and the keys that do the same."""

    def __init__(self, layer: MeasurementLayer) -> None:
        self._layer = layer
        self._edited: Measurement | None = None
        self._now: Measurement | None = None
        self._index: int | None = None
        self._from = PixelPoint(0, 0)

    @property
    def busy(self) -> bool:
        """Whether a drag is going on."""
        return self._edited is not None

    def grab_handle(self, position: QPointF, point: PixelPoint) -> bool:
        """Begin to drag the handle under a position of the view, if there is one."""
        model = self._layer.model
        index = self._layer.handle_at(position)
        if model is None or index is None:
            return False
        self._edited, self._index, self._from = model.selected, index, point
        self._layer.set_active_handle(index)
        return True

    def grab(self, position: QPointF, point: PixelPoint) -> bool:
        """Begin to drag what is under a position of the view, a handle first; it is selected."""
        if self.grab_handle(position, point):
            return True
        model, found = self._layer.model, self._layer.measurement_at(position)
        if model is None or found is None:
            return False
        model.select(found.id)
        self._layer.set_active_handle(None)
        self._edited, self._index, self._from = found, None, point
        return True

    def cursor_at(self, position: QPointF, otherwise: Qt.CursorShape) -> Qt.CursorShape:
        """The cursor that says what a press at a position of the view would take."""
        if self._layer.handle_at(position) is not None:
            return Qt.CursorShape.CrossCursor
        return otherwise if self._layer.measurement_at(position) is None else Qt.CursorShape.SizeAllCursor

    def move(self, point: PixelPoint) -> None:
        """Show what the drag makes of it."""
        if self._edited is None:
            return
        dx, dy = point.x - self._from.x, point.y - self._from.y
        changed = _changed(self._edited, self._index, dx, dy)
        if changed is not None:
            self._now = changed
            self._layer.set_preview(changed)

    def release(self) -> None:
        """Make the change."""
        model, now = self._layer.model, self._now
        self.cancel()
        if model is not None and now is not None:
            model.replace(now)

    def cancel(self) -> None:
        """Leave all as it was."""
        if self._now is not None:
            self._layer.set_preview(None)
        self._edited = self._now = None

    def nudges(self, event: QKeyEvent) -> bool:
        """Whether `nudge` does something with a key: an arrow while a measurement is selected."""
        model = self._layer.model
        return model is not None and model.selected is not None and arrow(event) is not None

    def nudge(self, view: ImageView, event: QKeyEvent) -> bool:
        """An arrow moves the chosen handle of the selected measurement, or all of it; whether it was one."""
        model, step = self._layer.model, arrow(event)
        if model is None or model.selected is None or step is None:
            return False
        changed = _changed(model.selected, self._layer.active_handle, *image_step(view, step))
        if changed is not None:
            model.replace(changed, step=True)
        return True

    def takes(self, event: QKeyEvent) -> bool:
        """Whether `key` does something with a key."""
        model = self._layer.model
        if model is None or not model.measurements:
            return False
        chosen = model.selected is not None and event.key() in ENTER
        return event.key() == Qt.Key.Key_Space or chosen or self.nudges(event)

    def key(self, view: ImageView, event: QKeyEvent) -> None:
        """Space selects the next, Enter chooses the next handle, arrows move the handle or the whole."""
        model = self._layer.model
        assert model is not None, "takes() was asked"
        selected = model.selected
        if event.key() == Qt.Key.Key_Space:
            ids = [one.id for one in model.measurements]
            model.select(ids[(ids.index(selected.id) + 1) % len(ids)] if selected is not None else ids[0])
        elif not self.nudge(view, event) and selected is not None:
            index = self._layer.active_handle
            following = 0 if index is None else index + 1
            self._layer.set_active_handle(following if following < len(selected.points) else None)


def _changed(measurement: Measurement, index: int | None, dx: float, dy: float) -> Measurement | None:
    """With one point, or all of it, elsewhere; None where it cannot be there: a calibration line needs an extent."""
    try:
        if index is None:
            return measurement.moved(dx, dy)
        return measurement.with_point(index, measurement.points[index].moved(dx, dy))
    except CxrError:
        return None
