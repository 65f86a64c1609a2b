"""How measurements look: on white and on black, at every zoom, turn and resolution, and in exports."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QColor, QImage, QPainter, QTransform
from pytestqt.qtbot import QtBot

from cxr_desktop.state.display import flipped_horizontally, rotated
from cxr_desktop.state.geometry import PixelPoint
from cxr_desktop.state.measurement import (
    Angle,
    Calibration,
    CardiothoracicRatio,
    CobbAngle,
    Ellipse,
    Length,
    Measurement,
    Rectangle,
)
from cxr_desktop.state.scale import Scale
from cxr_desktop.tools.layer import export_painter
from cxr_desktop.tools.measurements import MeasurementModel
from cxr_desktop.tools.painting import Drawing, brief, outline, paint_drawings
from cxr_desktop.views.rendering import render_picture
from cxr_desktop.views.text import OutlinedText
from tests.desktop.tools.conftest import Bench, bench_of, uniform

SQUARE = Scale(1.0, 1.0, None)


def at(*pairs: tuple[float, float]) -> tuple[PixelPoint, ...]:
    return tuple(PixelPoint(x, y) for x, y in pairs)


EVERY: list[Measurement] = [
    Length(points=at((60, 60), (240, 90))),
    Angle(points=at((60, 60), (150, 150), (240, 60))),
    CobbAngle(points=at((60, 60), (240, 90), (60, 200), (240, 180))),
    Rectangle(points=at((60, 60), (240, 160))),
    Ellipse(points=at((60, 60), (240, 160))),
    CardiothoracicRatio(points=at((150, 20), (155, 220), (100, 120), (210, 140), (30, 160), (270, 155))),
    Calibration(points=at((60, 60), (240, 90)), length_mm=50),
]


def painted(
    *drawings: Drawing,
    ground: int = 128,
    transform: QTransform | None = None,
    width: int = 400,
    height: int = 300,
    size: float = 1.0,
) -> tuple[np.ndarray, dict[str, QRectF]]:
    """What is painted over one grey: colours (row, column, RGB), and where the labels stand."""
    image = QImage(width, height, QImage.Format.Format_RGB888)
    image.fill(QColor(ground, ground, ground))
    painter = QPainter(image)
    bounds = QRectF(0, 0, width, height)
    places = paint_drawings(
        painter, transform or QTransform(), drawings, SQUARE, OutlinedText(), bounds=bounds, size=size
    )
    painter.end()
    return pixels(image), places


def pixels(image: QImage) -> np.ndarray:
    image = image.convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    return rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).copy()


@pytest.mark.parametrize("ground", [0, 128, 255])
@pytest.mark.parametrize("measurement", EVERY, ids=lambda one: one.title)
def test_lines_and_labels_stand_out_on_every_grey(measurement: Measurement, ground: int, qtbot: QtBot) -> None:
    shown, places = painted(Drawing(measurement, ("12.3 mm",)), ground=ground)
    label = places[measurement.id]

    grey = shown.astype(int).mean(axis=2)
    for part in (grey, grey[int(label.top()) : int(label.bottom()), int(label.left()) : int(label.right())]):
        differs = np.abs(part - ground) > 90
        assert differs.sum() > 100


def test_the_outline_of_a_ratio_has_true_perpendiculars() -> None:
    scale = Scale(1.0, 2.0, None)  # rows twice as far apart as columns
    ratio = EVERY[5]
    path = outline(ratio, scale)
    ends = [(path.elementAt(n).x, path.elementAt(n).y) for n in range(path.elementCount())]

    (high, low), borders = ends[:2], (ends[4:6], ends[6:8])
    along = np.subtract(low, high) * (1, 2)
    for border, foot in borders:
        assert np.dot(np.subtract(foot, border) * (1, 2), along) == pytest.approx(0, abs=1e-6)
        (x, y), (across, down) = np.subtract(foot, high), np.subtract(low, high)
        assert x * down - y * across == pytest.approx(0, abs=1e-6)


def test_a_label_stays_within_the_view_and_clear_of_others(qtbot: QtBot) -> None:
    corner = [Length(points=at((380 - n, 280), (398, 296))) for n in range(3)]
    _, places = painted(*(Drawing(one, ("123.4 mm at the detector",)) for one in corner))

    boxes = list(places.values())
    assert len(boxes) == 3
    assert all(QRectF(0, 0, 400, 300).contains(box) for box in boxes)
    assert not any(one.intersects(other) for n, one in enumerate(boxes) for other in boxes[n + 1 :])


def test_what_is_out_of_sight_has_no_label(qtbot: QtBot) -> None:
    _, places = painted(Drawing(EVERY[0], ("1 mm",)), transform=QTransform.fromTranslate(1000, 0))

    assert places == {}


@pytest.mark.parametrize("zoom", [0.25, 1.0, 6.0])
def test_a_label_is_as_large_whatever_the_zoom(zoom: float, qtbot: QtBot) -> None:
    about_an_end = QTransform.fromTranslate(-60, -60) * QTransform.fromScale(zoom, zoom)
    _, places = painted(Drawing(EVERY[0], ("12.3 mm",)), transform=about_an_end)
    _, plain = painted(Drawing(EVERY[0], ("12.3 mm",)))

    assert places[EVERY[0].id].size() == plain[EVERY[0].id].size()


def test_text_grows_with_the_picture(qtbot: QtBot) -> None:
    double = QTransform.fromScale(2, 2)
    _, places = painted(Drawing(EVERY[0], ("12.3 mm",)), transform=double, width=800, height=600, size=2.0)
    _, plain = painted(Drawing(EVERY[0], ("12.3 mm",)))

    assert places[EVERY[0].id].width() == pytest.approx(2 * plain[EVERY[0].id].width(), rel=0.05)


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
@pytest.mark.parametrize("flipped", [False, True])
def test_labels_stand_upright_whatever_the_turns(bench: Bench, turns: int, flipped: bool) -> None:
    # A label of two lines is wider than high, and the same picture under every turn.
    bench.model.add(Length(points=at((190, 140), (210, 160))))
    bench.model.select(None)
    bench.view.set_corner_text_level(0)
    plain = _label(bench)
    assert bench.view.display is not None
    state = flipped_horizontally(bench.view.display) if flipped else bench.view.display
    bench.view.set_display(rotated(state, turns), final=True)

    turned = _label(bench)
    assert turned.shape == plain.shape
    # Anti-aliasing differs where a label begins between two pixels.
    assert np.mean(np.abs(turned.astype(int) - plain)) < 25


def _label(bench: Bench) -> np.ndarray:
    """The pixels of the only label."""
    shown = pixels(bench.view.grab().toImage())
    (box,) = bench.tools.layer._item.labels_at.values()
    parts = (box.left(), box.top(), box.width(), box.height())
    left, top, width, height = (round(part * bench.view.devicePixelRatioF()) for part in parts)
    return shown[top : top + height, left : left + width]


def test_handles_are_shown_of_the_selected_alone(bench: Bench) -> None:
    for measurement in EVERY[:2]:
        bench.model.add(measurement)

    assert [(one.selected, one.handles) for one in bench.tools.layer.drawings()] == [(False, False), (True, True)]
    bench.tools.choose("tool_select")
    bench.press(60, 60)
    bench.hover(80, 80)
    assert [(one.selected, one.handles) for one in bench.tools.layer.drawings()] == [(False, False), (True, False)]


def test_the_view_paints_in_device_pixels(bench: Bench) -> None:
    bench.model.add(EVERY[3])
    bench.model.select(None)
    bench.view.set_corner_text_level(0)
    ratio = 2.0
    size = bench.view.viewport().size()
    image = QImage(size * ratio, QImage.Format.Format_RGB888)
    image.fill(QColor(100, 100, 100))
    painter = QPainter(image)
    to_device = bench.view.viewportTransform() * QTransform.fromScale(ratio, ratio)
    places = bench.tools.layer.paint(painter, to_device, QRectF(image.rect()), ratio)
    painter.end()

    corner = to_device.map(QPointF(60, 60)).toPoint()
    yellow = pixels(image)[corner.y() + 40, corner.x() - 6 : corner.x() + 7]
    # The left side of the rectangle: bright line of 3.2 device pixels between dark ones.
    assert (yellow[:, 0].astype(int) - yellow[:, 2] > 80).sum() in (3, 4)
    assert (yellow.max(axis=1) < 60).sum() in (4, 5, 6)
    assert places[EVERY[3].id].height() == pytest.approx(2 * 15, abs=6)


def test_a_narrow_view_shows_the_first_line_and_that_there_are_warnings() -> None:
    long = Drawing(EVERY[5], ("CTR 0.50", "heart 60 px"), ("AP view: the heart is magnified",))

    assert brief(long).lines == ("CTR 0.50 ⚠",)
    assert brief(long).warnings == ()
    assert brief(Drawing(EVERY[0], ("9 px",))).lines == ("9 px",)
    assert brief(Drawing(EVERY[0], ())).lines == ()


def test_an_export_shows_the_measurements_and_no_handles(qtbot: QtBot) -> None:
    loaded = uniform(600, 800, ViewPosition="AP", WindowCenter=1000, WindowWidth=800)
    bench = bench_of(qtbot, loaded)
    assert bench.view.display is not None
    bare = pixels(render_picture(loaded, bench.view.display))
    bench.model.add(Length(points=at((100, 300), (700, 300))))
    selected = pixels(render_picture(loaded, bench.view.display, paint_measurements=export_painter(bench.model)))
    bench.model.select(None)
    unselected = pixels(render_picture(loaded, bench.view.display, paint_measurements=export_painter(bench.model)))

    assert bare.shape == selected.shape == (600, 800, 3)
    assert (selected == unselected).all()
    changed = (bare != selected).any(axis=2)
    assert changed[300, 110:690].all()
    assert not changed[:200].any()


def test_an_export_of_a_turned_film_has_the_lines_where_they_belong(qtbot: QtBot) -> None:
    loaded = uniform(600, 800, WindowCenter=1000, WindowWidth=800)
    model = MeasurementModel(loaded)
    model.add(Length(points=at((100, 200), (700, 200))))
    bench = bench_of(qtbot, loaded)
    assert bench.view.display is not None
    turned = rotated(bench.view.display)
    bare = pixels(render_picture(loaded, turned))
    shown = pixels(render_picture(loaded, turned, paint_measurements=export_painter(model)))

    assert shown.shape == (800, 600, 3)
    # A quarter turn clockwise: row 200 becomes column 600 - 200.
    assert (bare != shown).any(axis=2)[110:690, 400].all()
    model.deleteLater()
