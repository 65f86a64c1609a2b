"""The map over the film agrees with the core's overlay, follows turns, and says what it is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QImage, QPainter

from cxr_core.grayscale import Window
from cxr_core.heatmap import MAP_LABEL, OUTLINE_LABEL, OverlaySettings, overlaid
from cxr_desktop.state import display as displays
from cxr_desktop.state.display import DisplayState
from cxr_desktop.state.records import LoadedImage
from cxr_desktop.views.film import Film, FilmPainter
from cxr_desktop.views.heat_map import COLOUR_MAPS, HeatMapLayer, HeatMapPainter, layer_table
from cxr_desktop.views.legend import legend_image, legend_lines
from cxr_desktop.views.placement import place
from tests.desktop.films import film
from tests.desktop.views.conftest import Shown, painted, pixels_of
from tests.dicom_builder import gradient

ROWS, COLUMNS = 240, 280


def cam(seed: int = 0) -> np.ndarray:
    values = np.random.default_rng(seed).random((9, 9)).astype(np.float32) ** 3
    values[5, 2] = 1.2
    return values


def even(value: int = 2000) -> LoadedImage:
    return film(np.full((ROWS, COLUMNS), value), WindowCenter=2048, WindowWidth=4096)


def drawn(layer: HeatMapLayer, state: DisplayState, loaded: LoadedImage, size: tuple[int, int]) -> np.ndarray:
    film_of = Film(loaded)
    placement = place(
        state, rows=film_of.rows, columns=film_of.columns, pixel_aspect=1.0, view_width=size[0], view_height=size[1]
    )
    picture = QImage(*size, QImage.Format.Format_RGB32)
    picture.fill(Qt.GlobalColor.black)
    painter = QPainter(picture)
    FilmPainter(film_of).draw(painter, state, placement, *size, exact=True, smooth=True)
    HeatMapPainter(layer).draw(painter, placement, *size)
    painter.end()
    return pixels_of(picture)


STATE = DisplayState(Window(2048, 4096), zoom=1.0)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_colours_are_those_of_the_exported_overlay(seed: int) -> None:
    loaded = film(gradient(ROWS, COLUMNS), WindowCenter=2048, WindowWidth=4096)
    seen = drawn(HeatMapLayer(cam(seed), opacity=0.6, threshold=0.2), STATE, loaded, (COLUMNS, ROWS))
    grey = STATE.voi.display(loaded.stored.astype(np.float64)).astype(np.float32)
    expected = overlaid(grey, cam(seed), OverlaySettings(threshold=0.2, opacity=0.6))[..., ::-1]
    off = np.abs(seen.astype(int) - expected)
    assert off.mean() < 0.5
    assert np.percentile(off, 99.9) <= 4


def test_the_map_fades_in_without_an_edge() -> None:
    seen = drawn(HeatMapLayer(cam()), STATE, even(), (COLUMNS, ROWS)).astype(int)
    assert max(np.abs(np.diff(seen, axis=axis)).max() for axis in (0, 1)) <= 14


def test_nothing_is_coloured_below_the_threshold_and_an_empty_map_is_none() -> None:
    low = np.full((9, 9), 0.1, np.float32)
    low[0, 0] = 1
    seen = drawn(HeatMapLayer(low, threshold=0.5), STATE, even(), (COLUMNS, ROWS))
    assert (seen[80:, 80:] == seen[-1, -1]).all()
    nothing = drawn(HeatMapLayer(np.zeros((9, 9), np.float32)), STATE, even(), (COLUMNS, ROWS))
    assert (nothing == nothing[0, 0]).all()


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_the_map_is_turned_with_the_film(turns: int) -> None:
    layer = HeatMapLayer(cam())
    as_stored = drawn(layer, STATE, even(), (COLUMNS, ROWS)).astype(int)
    state = replace(STATE, quarter_turns=turns, flipped=True)
    size = (ROWS, COLUMNS) if turns % 2 else (COLUMNS, ROWS)
    seen = drawn(layer, state, even(), size)
    assert np.abs(seen - np.rot90(as_stored[:, ::-1], -turns)).max() <= 3


def test_only_the_visible_part_is_kept_and_it_is_the_same() -> None:
    whole = drawn(HeatMapLayer(cam()), replace(STATE, zoom=2.0), even(), (2 * COLUMNS, 2 * ROWS))
    part = drawn(HeatMapLayer(cam()), replace(STATE, zoom=2.0), even(), (200, 160))
    top, left = ROWS - 80, COLUMNS - 100
    assert np.abs(part.astype(int) - whole[top : top + 160, left : left + 200]).max() <= 2


def test_the_contour_is_drawn_only_when_asked_for() -> None:
    plain = drawn(HeatMapLayer(cam()), STATE, even(), (COLUMNS, ROWS))
    lined = drawn(HeatMapLayer(cam(), contour=True), STATE, even(), (COLUMNS, ROWS))
    changed = np.abs(plain.astype(int) - lined).max(axis=2) > 30
    assert 0.001 < changed.mean() < 0.1
    assert lined[changed].min() < 40
    assert lined[changed].max() > 230


@pytest.mark.parametrize("colours", COLOUR_MAPS)
def test_every_colour_map_rises_in_lightness_and_keeps_the_alpha(colours: str) -> None:
    table = layer_table(HeatMapLayer(cam(), colours=colours)).astype(float)
    lightness = table[:, :3] @ (0.114, 0.587, 0.299)
    assert (np.diff(lightness[::16]) > 0).all()
    assert (table[:, 3] == layer_table(HeatMapLayer(cam()))[:, 3]).all()


def test_the_legend_says_what_the_map_is_and_what_it_is_not() -> None:
    lines = legend_lines(HeatMapLayer(cam(), "PNEUMONIA", contour=True))
    assert lines == [
        "Map of PNEUMONIA",
        MAP_LABEL,
        "relative within this image",
        "native grid 9 x 9",
        f"Line: {OUTLINE_LABEL}",
    ]
    assert legend_lines(HeatMapLayer(cam()))[0] == "Map"


@pytest.mark.parametrize("width", [140, 320])
def test_the_legend_keeps_to_its_width_and_shows_the_colours(qapp: Any, width: int) -> None:
    image = legend_image(HeatMapLayer(cam(), "PNEUMONIA", contour=True), 13, width)
    assert image.width() <= width
    seen = pixels_of(image).astype(int)
    coloured = np.ptp(seen, axis=2) > 40
    assert coloured.any(axis=1).sum() == pytest.approx(13, abs=1)


def test_the_view_shows_map_and_legend_and_takes_them_away(shown: Shown) -> None:
    view = shown(even(), 600, 500)
    bare = painted(view)
    hot = np.zeros((9, 9), np.float32)
    hot[2, 2] = 1
    layer = HeatMapLayer(hot, "PNEUMONIA")
    view.set_heat_map(layer)
    assert view.heat_map is layer
    changed = (painted(view) != bare).any(axis=2)
    assert changed[60:200, 60:220].mean() > 0.1
    assert changed[380:, 400:].mean() > 0.3
    view.set_heat_map(replace(layer, legend=False))
    changed = (painted(view) != bare).any(axis=2)
    assert changed[60:200, 60:220].mean() > 0.1
    assert not changed[300:].any()
    view.set_heat_map(replace(layer, legend=False, contour=True))
    changed = (painted(view) != bare).any(axis=2)
    assert changed[380:, 400:].mean() > 0.3  # a line is never without what it means
    view.set_heat_map(None)
    assert (painted(view) == bare).all()


def test_the_map_stays_in_the_frames_of_a_drag(shown: Shown) -> None:
    view = shown(even(), 600, 500)
    view.set_heat_map(HeatMapLayer(cam(), legend=False))
    for _ in range(5):
        view.drag_window(9, 5)
        assert (np.ptp(painted(view).astype(int), axis=2) > 30).mean() > 0.03
    view.set_display(displays.rotated(view.display or STATE))
    assert (np.ptp(painted(view).astype(int), axis=2) > 30).mean() > 0.03
