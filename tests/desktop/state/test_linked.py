"""One film follows another in its own measures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cxr_core.grayscale import LookupTable, ValueRange, Window
from cxr_desktop.state.display import DisplayState
from cxr_desktop.state.geometry import PixelPoint
from cxr_desktop.state.linked import Shown, following

LUT = LookupTable(0, np.arange(4096, dtype=np.uint16), 12)


def shown(display: DisplayState, scale: int = 1) -> Shown:
    zoom = display.zoom or 0.5 / scale
    centre = display.centre or PixelPoint(500 * scale, 1000 * scale)
    return Shown(display, 2000 * scale, 1000 * scale, zoom, 0.5 / scale, centre)


def test_the_same_part_of_the_film_is_shown_at_the_same_share_of_the_fitted_zoom() -> None:
    before = DisplayState(Window(100, 50))
    after = shown(replace(before, zoom=1.0, centre=PixelPoint(250, 500)))
    other = shown(DisplayState(Window(3000, 2000), quarter_turns=1), scale=2)
    state = following(before, after, other)
    assert state == DisplayState(Window(3000, 2000), quarter_turns=1, zoom=0.5, centre=PixelPoint(500, 1000))


def test_fit_is_followed_by_fit() -> None:
    before = DisplayState(Window(100, 50), zoom=2.0, centre=PixelPoint(1, 1))
    state = following(before, shown(DisplayState(Window(100, 50))), shown(replace(before, zoom=3.0), 2))
    assert (state.zoom, state.centre) == (None, None)


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        (Window(3000, 2000), Window(3000 + 0.2 * 2000, 4000)),
        (ValueRange(0, 4000), Window(2000 + 0.2 * 4000, 8000, "LINEAR_EXACT")),
        (Window(3000, 2000, "SIGMOID"), Window(3400, 4000, "SIGMOID")),
    ],
)
def test_a_window_moves_by_the_same_share_of_its_width(own: Window | ValueRange, expected: Window) -> None:
    before, after = DisplayState(Window(100, 50)), DisplayState(Window(110, 100))
    assert following(before, shown(after), shown(DisplayState(own))).voi == expected


def test_a_linear_window_below_one_is_not_made() -> None:
    before, after = DisplayState(Window(100, 50)), DisplayState(Window(100, 1))
    state = following(before, shown(after), shown(DisplayState(Window(5, 10))))
    assert state.voi == Window(5, 0.2, "LINEAR_EXACT")


def test_a_stretch_over_a_voi_lut_moves_a_window_and_the_other_way_round() -> None:
    before, after = DisplayState(LUT), DisplayState(LUT, stretch=Window(2047.5, 2047.5, "LINEAR_EXACT"))
    assert following(before, shown(after), shown(DisplayState(Window(10, 8)))).voi == Window(10, 4)
    state = following(DisplayState(Window(10, 8)), shown(DisplayState(Window(10, 4))), shown(DisplayState(LUT)))
    assert (state.voi, state.stretch) == (LUT, Window(2047.5, 2047.5, "LINEAR_EXACT"))


def test_another_kind_of_voi_is_not_followed_but_inversion_is() -> None:
    before = DisplayState(LUT)
    after = replace(before, voi=Window(10, 8), inverted=True)
    other = DisplayState(Window(5, 6), inverted=True)
    assert following(before, shown(after), shown(other)) == replace(other, inverted=False)


def test_turns_and_flips_are_each_images_own() -> None:
    before = DisplayState(Window(100, 50))
    after = replace(before, quarter_turns=1, flipped=True)
    assert following(before, shown(after), shown(before)) == before
