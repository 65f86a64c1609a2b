"""Draws a measurement point by point: by click, by drag, or with the keyboard's crosshair."""

from __future__ import annotations

from itertools import accumulate

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QGuiApplication, QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QInputDialog

from cxr_desktop.state.geometry import PixelPoint
from cxr_desktop.state.measurement import Calibration, Length, Measurement, calibration_among
from cxr_desktop.tools.editing import Editor
from cxr_desktop.tools.keyboard import ENTER, Crosshair, arrow
from cxr_desktop.tools.layer import MeasurementLayer
from cxr_desktop.tools.tool import BaseTool
from cxr_desktop.views.image_view import ImageView

#: Two points of a line nearer than this on the screen are one click that trembled, in logical pixels.
_SAME_PLACE = 2.0


class DrawTool(BaseTool):
    """Draws measurements of one kind.

    Parameters
    ----------
    layer : MeasurementLayer
        Where they are drawn.
    name : str
        Of the command.
    kind : type
        What is drawn; while it is drawn a calibration is a length.
    strokes : tuple of int
        How its points fall into lines: a press sets the first of a line, so that a drag draws it; other points are
        set where the button is let go.
    """

    cursor = Qt.CursorShape.CrossCursor

    def __init__(self, layer: MeasurementLayer, name: str, kind: type[Measurement], strokes: tuple[int, ...]) -> None:
        super().__init__(layer)
        self.name = name
        self._kind = kind
        self._starts = {end - size for end, size in zip(accumulate(strokes), strokes, strict=True) if size > 1}
        self._begun: Measurement | None = None
        self._points: tuple[PixelPoint, ...] = ()
        self._pressed: QPointF | None = None
        self._opened = False
        self._crosshair = Crosshair()
        self._editor = Editor(layer)

    def begin(self) -> None:
        """Nobody draws on what is hidden."""
        self._layer.set_shown(True)
        super().begin()

    def hint(self) -> str:
        """Which point comes next."""
        how = "" if self._points else self.tr(" (click, or Enter and arrows)")
        return f"{self._kind.title} {self._prompt()}{how}"

    def _prompt(self) -> str:
        number = self.tr("{number} of {all}").format(number=len(self._points) + 1, all=len(self._kind.prompts))
        return f"{number}: {self._kind.prompts[len(self._points)]}"

    def press(self, view: ImageView, point: PixelPoint, event: QMouseEvent) -> None:
        """Take a handle of the selected measurement, or begin a line."""
        if self._layer.model is None:
            event.ignore()
            return
        event.accept()
        self._crosshair.point = None
        if not self._points and self._editor.grab_handle(event.position(), point):
            return
        self._pressed = event.position()
        self._opened = len(self._points) in self._starts and self._set(view, point)
        self._show(view, point)

    def move(self, view: ImageView, point: PixelPoint, event: QMouseEvent) -> None:
        """Show what a click here would draw."""
        if self._layer.model is None:
            event.ignore()
            return
        event.accept()
        if self._editor.busy:
            self._editor.move(point)
            return
        self._crosshair.point = None
        self._show(view, point)

    def release(self, view: ImageView, point: PixelPoint, event: QMouseEvent) -> None:
        """Set a point: the end of a drag, or where a click was."""
        event.accept()
        if self._editor.busy:
            self._editor.release()
            return
        if self._pressed is None:
            return
        way = (event.position() - self._pressed).manhattanLength()
        self._pressed = None
        if not self._opened or way >= QGuiApplication.styleHints().startDragDistance():
            self._set(view, point)
        self._show(view, point)

    def takes(self, event: QKeyEvent) -> bool:
        """Arrows and Enter; Escape and Backspace while something is drawn."""
        if self._layer.model is None:
            return False
        if arrow(event) is not None or event.key() in ENTER:
            return True
        if event.key() == Qt.Key.Key_Escape and (self._points or self._crosshair.point or self._editor.busy):
            return True
        if event.key() == Qt.Key.Key_Backspace and self._points:
            return True
        return super().takes(event)

    def key(self, view: ImageView, event: QKeyEvent) -> bool:
        """Enter shows the crosshair and sets points, Backspace takes one back, Escape gives up.

        Arrows move the crosshair where it is shown, else what is selected; else they show it.
        """
        if not self.takes(event):
            return False
        step = arrow(event)
        if not self._points and self._crosshair.point is None and self._editor.nudge(view, event):
            return True
        if step is not None:
            self._show(view, self._crosshair.step(view, step))
        elif event.key() in ENTER and self._crosshair.point is None:
            self._show(view, self._crosshair.shown(view))  # a point is set where it is seen that it will be
        elif event.key() in ENTER and self._crosshair.point is not None:
            point = self._crosshair.point
            self._set(view, point)
            self._show(view, point)
        elif event.key() == Qt.Key.Key_Backspace:
            self._points = self._points[:-1]
            self._show(view, self._crosshair.point or view.shown_centre)
        elif event.key() == Qt.Key.Key_Escape and (self._points or self._crosshair.point or self._editor.busy):
            self.cancel(view)
        else:
            return super().key(view, event)
        return True

    def cancel(self, view: ImageView) -> None:
        """Nothing is drawn."""
        self._editor.cancel()
        self._reset()
        self._layer.set_note(None)

    def _reset(self) -> None:
        self._points, self._begun, self._pressed = (), None, None
        self._crosshair.point = None  # arrows now move what was drawn
        self._layer.set_preview(None)
        self.hintChanged.emit(self.hint())

    def _set(self, view: ImageView, point: PixelPoint) -> bool:
        """Take a point, unless it is the one before once more; the last one completes the measurement."""
        number = len(self._points)
        if self._points and number not in self._starts:
            off = view.to_view(point) - view.to_view(self._points[-1])
            if off.manhattanLength() < _SAME_PLACE:
                return False
        self._points = (*self._points, point)
        if number + 1 == len(self._kind.prompts):
            drawn = self._measurement(point)
            self._reset()
            self._complete(view, drawn)
        else:
            self.hintChanged.emit(self.hint())
        return True

    def _complete(self, view: ImageView, drawn: Measurement) -> None:
        assert self._layer.model is not None, "nothing is drawn without a model"
        self._layer.model.add(drawn)

    def _drawn_kind(self) -> type[Measurement]:
        return self._kind

    def _measurement(self, point: PixelPoint) -> Measurement:
        """The points that are set, and `point` for all that are missing."""
        missing = len(self._kind.prompts) - len(self._points)
        points = (*self._points, *(point,) * missing)
        kind = self._drawn_kind()
        if self._begun is None:
            self._begun = kind(points=points)
        return kind(points=points, id=self._begun.id, created=self._begun.created)

    def _show(self, view: ImageView, point: PixelPoint) -> None:
        """The measurement as a click at this place would make it, and the words for the next point."""
        last = len(self._kind.prompts) - 1
        if self._points:
            self._layer.set_preview(self._measurement(point), label=len(self._points) == last)
        else:
            self._layer.set_preview(None)
        keys = self._crosshair.point is not None
        # A line of two points needs no words beside the mouse, nor does who has not begun.
        says = len(self._points) < last and (keys or bool(self._points))
        if says or keys:
            self._layer.set_note(point, *((self._prompt(),) if says else ()), crosshair=keys)
        else:
            self._layer.set_note(None)


class CalibrateTool(DrawTool):
    """Draws a line and asks for its true length."""

    def __init__(self, layer: MeasurementLayer) -> None:
        super().__init__(layer, "tool_calibrate", Calibration, (2,))
        self._asking = False

    def _drawn_kind(self) -> type[Measurement]:
        return Length

    def _complete(self, view: ImageView, drawn: Measurement) -> None:
        model = self._layer.model
        assert model is not None, "nothing is drawn without a model"
        former = calibration_among(model.measurements)
        dialog = QInputDialog(view)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setInputMode(QInputDialog.InputMode.DoubleInput)
        dialog.setWindowTitle(self.tr("Calibrate"))
        dialog.setLabelText(self.tr("True length of the line, in millimetres"))
        dialog.setDoubleDecimals(1)
        dialog.setDoubleRange(0.1, 10000)
        dialog.setDoubleValue(former.length_mm if former is not None else 100)
        dialog.doubleValueSelected.connect(
            lambda length_mm: model.add(Calibration(points=drawn.points, length_mm=length_mm))
        )
        dialog.finished.connect(self._asked)
        self._layer.set_preview(drawn)
        self._asking = True
        dialog.open()

    def _asked(self) -> None:
        self._asking = False
        self._layer.set_preview(None)

    def _show(self, view: ImageView, point: PixelPoint) -> None:
        """The line stays while its length is asked for."""
        if not self._asking:
            super()._show(view, point)
