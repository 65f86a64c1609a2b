"""The rendered picture is what the reader sees, whole and at full resolution."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QPainter, QTransform
from pytestqt.qtbot import QtBot

from cxr_desktop.state import display as displays
from cxr_desktop.state.records import LoadedImage
from cxr_desktop.state.windowing import dragged_window, initial_display
from cxr_desktop.views.heat_map import HeatMapLayer
from cxr_desktop.views.rendering import render_picture
from tests.desktop.films import film
from tests.desktop.views.conftest import Shown, painted, pixels_of
from tests.desktop.views.test_pixels import oracle
from tests.dicom_builder import gradient

WINDOW = {"WindowCenter": 2048, "WindowWidth": 4096}


@pytest.fixture(autouse=True)
def _application(qtbot: QtBot) -> None:
    """Text needs the fonts of an application."""


def some_film(**attributes: Any) -> LoadedImage:
    return film(gradient(310, 401), **WINDOW, **attributes)


def test_every_pixel_is_that_of_the_chain(shown: Shown) -> None:
    loaded = some_film(photometric="MONOCHROME1")
    picture = pixels_of(render_picture(loaded, replace(initial_display(loaded), zoom=3.0)))
    assert picture.shape == (310, 401, 3)
    assert np.abs(picture - oracle(loaded)[..., np.newaxis]).max() <= 0.5 + 1e-3


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_it_is_what_the_view_shows(shown: Shown, turns: int) -> None:
    loaded = some_film()
    assert loaded.image.attributes is not None
    state = displays.rotated(displays.flipped_horizontally(initial_display(loaded)), turns)
    state = dragged_window(state, 40, -30, loaded.image.attributes)
    layer = HeatMapLayer(np.eye(9, dtype=np.float32), legend=False)
    rendered = pixels_of(render_picture(loaded, state, heat_map=layer))
    height, width = rendered.shape[:2]
    view = shown(loaded, width, height)
    view.set_display(replace(state, zoom=1.0))
    view.set_heat_map(layer)
    # The marks have the size of their picture; below them is the film alone.
    assert np.abs(rendered[60:].astype(int) - painted(view)[60:]).max() <= 2


def test_marks_of_a_turned_scaled_or_lossy_picture_cannot_be_left_out() -> None:
    loaded = film(np.full((500, 600), 2000), **WINDOW)
    state = initial_display(loaded)
    plain = pixels_of(render_picture(loaded, state))
    assert (plain == plain[0, 0]).all()
    flipped = pixels_of(render_picture(loaded, displays.flipped_horizontally(state)))
    assert (flipped[:80] != plain[:80]).any()
    small = pixels_of(render_picture(loaded, state, max_side=300))
    assert small.shape == (250, 300, 3)
    assert (small[200:] != plain[0, 0]).any()
    lossy = film(np.full((500, 600), 2000), **WINDOW, LossyImageCompression="01")
    assert (pixels_of(render_picture(lossy, state))[400:] != plain[400:]).any()


def test_pixels_that_are_not_square_lose_none_and_keep_their_shape() -> None:
    for spacing, size in (([0.3, 0.1], (300, 120)), ([0.1, 0.2], (100, 240))):
        loaded = film(gradient(100, 120), **WINDOW, ImagerPixelSpacing=spacing)
        assert pixels_of(render_picture(loaded, initial_display(loaded))).shape[:2] == size


def test_measurements_are_painted_where_they_are(shown: Shown) -> None:
    loaded = film(np.zeros((500, 600)), **WINDOW)
    got: list[tuple[QRectF, float]] = []

    def paint(painter: QPainter, to_target: QTransform, bounds: QRectF, size: float) -> None:
        got.append((bounds, size))
        painter.fillRect(to_target.mapRect(QRectF(QPointF(100, 200), QPointF(110, 230))), Qt.GlobalColor.white)

    state = displays.rotated(initial_display(loaded))
    seen = pixels_of(render_picture(loaded, state, paint_measurements=paint))
    rows, columns = np.nonzero(seen[80:, :, 0] > 250)
    assert (rows.min() + 80, rows.max() + 81, columns.min(), columns.max() + 1) == (100, 110, 270, 300)
    (bounds, size) = got[0]
    assert QRectF(0, 0, 500, 600).contains(bounds)
    assert size >= 0.5


def test_corners_are_written_only_when_they_are_given() -> None:
    loaded = film(np.full((500, 600), 2000), **WINDOW)
    plain, written = (
        pixels_of(render_picture(loaded, initial_display(loaded), corner_lines=lines))
        for lines in (None, {"top left": ["SYNTHETIC"]})
    )
    assert (plain == plain[0, 0]).all()
    assert (written[:40, :200] != plain[:40, :200]).any()
    assert (written[100:] == plain[100:]).all()


def test_the_legend_is_rendered_with_the_map() -> None:
    loaded = film(np.full((500, 600), 2000), **WINDOW)
    layer = HeatMapLayer(np.eye(9, dtype=np.float32), "PNEUMONIA")
    without, with_legend = (
        pixels_of(render_picture(loaded, initial_display(loaded), heat_map=one))
        for one in (replace(layer, legend=False), layer)
    )
    changed = (without != with_legend).any(axis=2)
    assert changed[380:, 320:].mean() > 0.3
    assert not changed[:300].any()
