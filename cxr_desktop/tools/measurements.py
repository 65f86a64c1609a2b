"""The measurements of one image: what is drawn, what is selected, and every change of it to be undone and redone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QUndoCommand, QUndoStack

from cxr_desktop.state.measured import Values, measured
from cxr_desktop.state.measurement import Calibration, Measurement, calibration_among
from cxr_desktop.state.measurement_records import from_records, to_records
from cxr_desktop.state.records import LoadedImage
from cxr_desktop.state.scale import Scale, scale_of

Measurements = tuple[Measurement, ...]


class MeasurementModel(QObject):
    """The measurements of one image.

    Signals: changed() after every change, also by undo and redo; selectionChanged().

    Parameters
    ----------
    loaded : LoadedImage
        Their image.
    records : iterable
        What `records` of an earlier model gave; raises MeasurementError where they are damaged.
    """

    changed = Signal()
    selectionChanged = Signal()

    def __init__(self, loaded: LoadedImage, records: Iterable[object] = (), parent: QObject | None = None) -> None:
        self._measurements = from_records(records)
        super().__init__(parent)
        self.known = {one.id for one in self._measurements}
        """Ids of all that were here at any time."""

        self.loaded = loaded
        self.undo_stack = QUndoStack(self)
        self._selected: str | None = None
        self._values: dict[str, tuple[Measurement, Calibration | None, Values]] = {}

    @property
    def measurements(self) -> Measurements:
        """In the order in which they were drawn."""
        return self._measurements

    @property
    def scale(self) -> Scale:
        """The image's scale, under the reader's own calibration if there is one."""
        return scale_of(self.loaded, calibration_among(self._measurements))

    def records(self) -> list[dict[str, Any]]:
        """All measurements, for the index."""
        return to_records(self._measurements)

    def values(self, measurement: Measurement) -> Values:
        """The values of a measurement, one of the model or one that is being drawn."""
        calibration = calibration_among(self._measurements)
        kept = self._values.get(measurement.id)
        if kept is None or kept[0] is not measurement or kept[1] is not calibration:
            kept = measurement, calibration, measured(measurement, self.loaded, calibration)
            self._values[measurement.id] = kept
        return kept[2]

    @property
    def selected(self) -> Measurement | None:
        """The selected measurement."""
        return next((one for one in self._measurements if one.id == self._selected), None)

    def select(self, id_: str | None) -> None:
        """Select one, or none."""
        if id_ != self._selected:
            self._selected = id_
            self.selectionChanged.emit()

    def add(self, measurement: Measurement) -> None:
        """Add one and select it; a calibration takes the place of the former one."""
        before = self._measurements
        if isinstance(measurement, Calibration):
            before = tuple(one for one in before if not isinstance(one, Calibration))
        self._push(self.tr("Draw {title}").format(title=measurement.title), (*before, measurement))
        self.select(measurement.id)

    def replace(self, measurement: Measurement, *, step: bool = False) -> None:
        """Put an edited measurement in place of the one with its id. Steps of one measurement are undone together."""
        changed = tuple(measurement if one.id == measurement.id else one for one in self._measurements)
        text = self.tr("Move {title}").format(title=measurement.title)
        self._push(text, changed, measurement.id if step else "")

    def set_comment(self, id_: str, comment: str) -> None:
        """Write the reader's words on one."""
        changed = tuple(replace(one, comment=comment) if one.id == id_ else one for one in self._measurements)
        self._push(self.tr("Comment"), changed)

    def remove(self, id_: str) -> None:
        """Delete one."""
        gone = next((one for one in self._measurements if one.id == id_), None)
        if gone is not None:
            text = self.tr("Delete {title}").format(title=gone.title)
            self._push(text, tuple(one for one in self._measurements if one is not gone))

    def clear(self) -> None:
        """Delete all."""
        self._push(self.tr("Delete all measurements"), ())

    def _push(self, text: str, after: Measurements, step_of: str = "") -> None:
        if after != self._measurements:
            self.undo_stack.push(_Change(self, text, self._measurements, after, step_of))

    def _set(self, measurements: Measurements) -> None:
        self._measurements = measurements
        kept = {one.id for one in measurements}
        self.known |= kept
        self._values = {id_: values for id_, values in self._values.items() if id_ in kept}
        if self._selected not in kept:
            self.select(None)
        self.changed.emit()


class _Change(QUndoCommand):
    """From all measurements before to all after: they are few and frozen, so a change needs no other record."""

    def __init__(
        self, model: MeasurementModel, text: str, before: Measurements, after: Measurements, step_of: str
    ) -> None:
        super().__init__(text)
        self._model = model
        self._before = before
        self._after = after
        self._step_of = step_of

    def id(self) -> int:
        """Qt offers commands of one id, other than -1, to be merged."""
        return 1 if self._step_of else -1

    def mergeWith(self, other: QUndoCommand) -> bool:
        """Take a further step of the same measurement in."""
        if not isinstance(other, _Change) or other._step_of != self._step_of:
            return False
        self._after = other._after
        return True

    def redo(self) -> None:
        """Also when it is pushed."""
        self._model._set(self._after)

    def undo(self) -> None:
        """As it was before."""
        self._model._set(self._before)
