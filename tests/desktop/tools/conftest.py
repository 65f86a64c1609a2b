"""A view of a film with its tools, as a reader has it before him."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from cxr_desktop.state.geometry import PixelPoint
from cxr_desktop.state.measurement import Measurement
from cxr_desktop.state.records import LoadedImage
from cxr_desktop.tools.measurements import MeasurementModel
from cxr_desktop.tools.toolbox import Toolbox
from cxr_desktop.views.image_view import ImageView
from tests.desktop.films import film

NONE = Qt.KeyboardModifier.NoModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier
CONTROL = Qt.KeyboardModifier.ControlModifier


@dataclass(eq=False)
class Bench:
    """A view, its tools, its measurements, and hands for mouse and keyboard."""

    view: ImageView
    tools: Toolbox
    model: MeasurementModel

    @property
    def drawn(self) -> tuple[Measurement, ...]:
        return self.model.measurements

    @property
    def only(self) -> Measurement:
        (one,) = self.model.measurements
        return one

    def place(self, x: float, y: float) -> QPoint:
        """Where in the viewport a place of the image is, to the pixel of the screen."""
        return self.view.to_view(PixelPoint(x, y)).toPoint()

    def image(self, x: float, y: float) -> PixelPoint:
        """The place of the image that the mouse can point at nearest to this one."""
        return self.view.to_image(QPointF(self.place(x, y)))

    def hover(self, x: float, y: float) -> None:
        QTest.mouseMove(self.view.viewport(), self.place(x, y))

    def press(self, x: float, y: float) -> None:
        self.hover(x, y)
        QTest.mousePress(self.view.viewport(), Qt.MouseButton.LeftButton, NONE, self.place(x, y))

    def release(self, x: float, y: float) -> None:
        self.hover(x, y)
        QTest.mouseRelease(self.view.viewport(), Qt.MouseButton.LeftButton, NONE, self.place(x, y))

    def click(self, x: float, y: float) -> None:
        self.press(x, y)
        self.release(x, y)

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        self.press(*start)
        self.hover((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
        self.release(*end)

    def key(self, key: Qt.Key, modifiers: Qt.KeyboardModifier = NONE, times: int = 1) -> None:
        for _ in range(times):
            QTest.keyClick(self.view, key, modifiers)


def bench_of(qtbot: QtBot, loaded: LoadedImage, size: tuple[int, int] = (400, 300)) -> Bench:
    """A view of that size in logical pixels with an image, shown."""
    view = ImageView()
    qtbot.addWidget(view)
    view.resize(*size)
    view.show()
    view.show_image(loaded)
    tools = Toolbox(view)
    model = MeasurementModel(loaded, parent=view)
    tools.set_model(model)
    return Bench(view, tools, model)


def uniform(rows: int = 300, columns: int = 400, value: int = 1000, **attributes: object) -> LoadedImage:
    """A film of one grey."""
    return film(np.full((rows, columns), value), **attributes)


@pytest.fixture
def bench(qtbot: QtBot) -> Bench:
    """A film of 300 x 400 pixels at 1:1, 0.2 mm at the detector."""
    return bench_of(qtbot, uniform(ImagerPixelSpacing=[0.2, 0.2], WindowCenter=1000, WindowWidth=800))
