"""Window/level drag on a 3056x2500 film in a 1000x1200 view with corner text, heat map and three measurements.

A frame is from the mouse's move to the painted view: new window, synchronous repaint, and a word from the screen that
it has it (QGuiApplication.sync). A grabbed frame is checked: map, text and lines are there while the window is dragged.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from benchmarks.desktop_screen import Beside, measured, need_xvfb, screens
from benchmarks.material import drawn_film, write_film
from benchmarks.report import Figure, at_most
from benchmarks.setting import Setting

ROWS, COLUMNS = 3056, 2500
WIDTH, HEIGHT = 1000, 1200
FRAMES, SHORT_FRAMES = 600, 60
_WARM_UP = 20


def run(setting: Setting) -> Iterator[Figure]:
    """Offscreen and in a real window, at device pixel ratios 1 and 2; each in a process of its own."""
    film = write_film(setting.work / "film.dcm", drawn_film(ROWS, COLUMNS, 16), bits=16)
    frames = SHORT_FRAMES if setting.short else FRAMES
    with screens(setting.work) as found:
        for name, environment in found.items():
            for ratio in (1, 2):
                scaled = environment | {"QT_SCALE_FACTOR": str(ratio)}
                result = measured("desktop_drag", [str(film), str(frames)], scaled)
                if result["ratio"] != ratio:
                    raise RuntimeError(f"a device pixel ratio of {result['ratio']} where {ratio} was asked for")
                times = result["frames"]
                what = f"window/level drag, {name}, ratio {ratio}"
                detail = f"{len(times)} frames; {result['beside']}"
                median, last = (float(np.percentile(times, share)) for share in (50, 99))
                yield Figure(f"{what}, median frame", median, "ms", at_most(8 if ratio == 1 else 16.7), detail)
                yield Figure(f"{what}, 99th percentile", last, "ms", at_most(16.7) if ratio == 1 else None, detail)
        need_xvfb(found)


def main(path: str, frames: int) -> None:
    """In the process of its own: print the milliseconds of every frame."""
    from PySide6.QtCore import QEvent, QPointF, Qt
    from PySide6.QtGui import QGuiApplication, QMouseEvent
    from PySide6.QtWidgets import QApplication

    from benchmarks.desktop_station import record_at
    from cxr_desktop.state.geometry import PixelPoint
    from cxr_desktop.state.measurement import Angle, Length, Rectangle
    from cxr_desktop.tools.measurements import MeasurementModel
    from cxr_desktop.views.heat_map import HeatMapLayer
    from cxr_desktop.window.pane import Pane
    from cxr_desktop.window.theme import apply_theme
    from cxr_desktop.workers.loading import load

    application = QApplication([])
    apply_theme(application)
    loaded = load(record_at(path))
    model = MeasurementModel(loaded)
    for measurement in (
        Length(points=(PixelPoint(600, 800), PixelPoint(1800, 900))),
        Angle(points=(PixelPoint(500, 1500), PixelPoint(900, 1900), PixelPoint(1300, 1500))),
        Rectangle(points=(PixelPoint(1500, 1400), PixelPoint(1900, 1900))),
    ):
        model.add(measurement)
    pane = Pane("film")
    pane.resize(WIDTH, HEIGHT)
    pane.show_film(loaded, model)
    view = pane.view
    view.set_heat_map(HeatMapLayer(_two_hills(), "PNEUMONIA"))
    pane.show()
    while not pane.windowHandle().isExposed():
        application.processEvents()
    view.settle()
    application.processEvents()

    def send(kind: QEvent.Type, x: float, y: float) -> None:
        at, left = QPointF(x, y), Qt.MouseButton.LeftButton
        pressed = Qt.MouseButton.NoButton if kind == QEvent.Type.MouseButtonRelease else left
        button = Qt.MouseButton.NoButton if kind == QEvent.Type.MouseMove else left
        event = QMouseEvent(kind, at, view.mapToGlobal(at), button, pressed, Qt.KeyboardModifier.NoModifier)
        QApplication.sendEvent(view.viewport(), event)

    beside, times, windows = Beside(), [], set()
    send(QEvent.Type.MouseButtonPress, 100, 600)
    for number in range(-_WARM_UP, frames):
        if number >= 0 and number % 20 == 0:
            beside.take()
        angle = number / 40
        x, y = 100 + 60 * np.sin(angle), 600 + 40 * np.cos(angle)
        started = time.perf_counter()
        send(QEvent.Type.MouseMove, x, y)
        view.viewport().repaint()
        QGuiApplication.sync()
        if number >= 0:
            times.append(1000 * (time.perf_counter() - started))
        assert view.display is not None
        windows.add(view.display.voi)
    if len(windows) < 0.9 * frames:
        raise RuntimeError(f"{len(windows)} different windows in {frames} frames")
    _check(_grabbed(pane))
    print(json.dumps({"frames": times, "ratio": view.devicePixelRatioF(), "beside": beside.words()}))


def _two_hills() -> npt.NDArray[np.float32]:
    """A map on the grid of the default network."""
    y, x = np.mgrid[0:7, 0:7]
    hills = np.exp(-((x - 1.5) ** 2 + (y - 3) ** 2) / 2) + 0.7 * np.exp(-((x - 4.5) ** 2 + (y - 4) ** 2) / 2)
    return hills.astype(np.float32)


def _grabbed(pane: object) -> npt.NDArray[np.int16]:
    """What is on the screen now, axes (row, column, BGR); offscreen what was painted for it."""
    from PySide6.QtGui import QGuiApplication, QImage
    from PySide6.QtWidgets import QWidget

    assert isinstance(pane, QWidget)
    if QGuiApplication.platformName() == "offscreen":
        image = pane.grab().toImage()
    else:
        image = pane.screen().grabWindow(pane.winId()).toImage()
    image = image.convertToFormat(QImage.Format.Format_RGB32)
    pixels = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine() // 4, 4)
    return pixels[:, : image.width(), :3].astype(np.int16)


def _check(frame: npt.NDArray[np.int16]) -> None:
    """Raises RuntimeError where a frame lacks the map, the corner text or the lines of measurements."""
    height, width = frame.shape[:2]
    blue, green, red = frame[..., 0], frame[..., 1], frame[..., 2]
    # Viridis from its middle on is green and yellow, below it blue; a film is grey.
    middle = (slice(height // 4, 3 * height // 4), slice(width // 8, 7 * width // 8))
    coloured = (np.maximum(green, blue) - red > 20)[middle].mean()
    if coloured < 0.05:
        raise RuntimeError(f"{coloured:.1%} of the film's middle have colours of the map")
    corner = frame[: height // 16, : width // 4]
    white = ((corner.min(axis=-1) > 215) & (corner.max(axis=-1) - corner.min(axis=-1) < 8)).mean()
    if not 0.005 < white < 0.5:
        raise RuntimeError(f"{white:.1%} of the corner are the white of its text")
    lines = ((red > 200) & (green > 150) & (blue < 120)).sum()
    if lines < 500:
        raise RuntimeError(f"{lines} pixels have the colour of measurements")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
