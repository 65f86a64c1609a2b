"""The magnifier: as long as the button is held, or until Enter is pressed again."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent, QMouseEvent

from cxr_desktop.state.geometry import PixelPoint
from cxr_desktop.tools.keyboard import ENTER, Crosshair, arrow
from cxr_desktop.tools.layer import MeasurementLayer
from cxr_desktop.tools.tool import BaseTool
from cxr_desktop.views.image_view import ImageView


class MagnifierTool(BaseTool):
    """Moves the view's magnifier."""

    name = "tool_magnifier"
    cursor = Qt.CursorShape.CrossCursor

    def __init__(self, layer: MeasurementLayer) -> None:
        super().__init__(layer)
        self._crosshair = Crosshair()
        self._held = False

    def hint(self) -> str:
        """How it is shown."""
        return self.tr("Hold the button, or press Enter and move the magnifier with the arrows")

    def press(self, view: ImageView, point: PixelPoint, event: QMouseEvent) -> None:
        """Show it."""
        event.accept()
        self.cancel(view)
        self._held = True
        view.set_loupe(point)

    def move(self, view: ImageView, point: PixelPoint, event: QMouseEvent) -> None:
        """It goes with the mouse."""
        event.accept()
        if self._held:
            view.set_loupe(point)

    def release(self, view: ImageView, point: PixelPoint, event: QMouseEvent) -> None:
        """It is gone."""
        event.accept()
        self.cancel(view)

    def takes(self, event: QKeyEvent) -> bool:
        """Enter, and while it is there arrows and Escape."""
        shown = self._crosshair.point is not None and (arrow(event) is not None or event.key() == Qt.Key.Key_Escape)
        return shown or event.key() in ENTER or super().takes(event)

    def key(self, view: ImageView, event: QKeyEvent) -> bool:
        """Enter shows and hides it, arrows move it."""
        step = arrow(event)
        if view.loaded is None:
            return False
        if event.key() in ENTER and self._crosshair.point is None:
            view.set_loupe(self._crosshair.shown(view))
        elif self._crosshair.point is not None and step is not None:
            view.set_loupe(self._crosshair.step(view, step))
        elif self._crosshair.point is not None and (event.key() in ENTER or event.key() == Qt.Key.Key_Escape):
            self.cancel(view)
        else:
            return super().key(view, event)
        return True

    def cancel(self, view: ImageView) -> None:
        """It is gone."""
        self._crosshair.point, self._held = None, False
        view.set_loupe(None)
