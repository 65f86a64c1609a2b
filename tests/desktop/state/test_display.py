"""How an image is shown: turns and flips as a reader sees them, zoom that holds a place."""

from __future__ import annotations

import numpy as np
import pytest

from cxr_core.grayscale import LookupTable, ValueRange, Window
from cxr_desktop.state import display as displays
from cxr_desktop.state.display import DisplayState
from cxr_desktop.state.geometry import PixelPoint

STATE = DisplayState(Window(2000, 4000))


def seen(state: DisplayState) -> list[list[int]]:
    """A small picture under the turns of a state."""
    picture = np.arange(6).reshape(2, 3)
    return np.rot90(picture[:, ::-1] if state.flipped else picture, -state.quarter_turns).tolist()


@pytest.mark.parametrize(
    "start", [STATE, displays.rotated(STATE), displays.rotated(displays.flipped_horizontally(STATE), 2)]
)
def test_turns_and_flips_are_those_of_the_screen(start: DisplayState) -> None:
    before = np.array(seen(start))
    assert seen(displays.rotated(start)) == np.rot90(before, -1).tolist()
    assert seen(displays.rotated(start, -1)) == np.rot90(before).tolist()
    assert seen(displays.flipped_horizontally(start)) == before[:, ::-1].tolist()
    assert seen(displays.flipped_vertically(start)) == before[::-1].tolist()


def test_two_flips_and_four_turns_change_nothing() -> None:
    assert displays.flipped_vertically(displays.flipped_vertically(STATE)) == STATE
    assert displays.rotated(STATE, 4) == STATE
    assert displays.inverted(displays.inverted(STATE)) == STATE


def test_zooming_keeps_the_place_under_the_cursor() -> None:
    point, centre = PixelPoint(300, 120), PixelPoint(500, 400)
    zoomed = displays.zoomed_about(STATE, point, 2.0, zoom=0.5, centre=centre)
    assert zoomed.zoom == 1.0
    assert zoomed.centre is not None
    # From the centre of the view to the point, in device pixels, before and after.
    assert (point.x - centre.x) * 0.5 == pytest.approx((point.x - zoomed.centre.x) * 1.0)
    assert (point.y - centre.y) * 0.5 == pytest.approx((point.y - zoomed.centre.y) * 1.0)


@pytest.mark.parametrize(("factor", "end"), [(1e9, displays.MAX_ZOOM), (1e-9, displays.MIN_ZOOM)])
def test_zoom_has_its_ends(factor: float, end: float) -> None:
    zoomed = displays.zoomed_about(STATE, PixelPoint(0, 0), factor, zoom=1.0, centre=PixelPoint(9, 9))
    assert zoomed.zoom == end
    assert displays.fitted(zoomed) == STATE


def test_the_voi_that_is_shown_holds_the_stretch() -> None:
    lut = LookupTable(100, np.linspace(0, 1023, 500).astype(np.uint16), 10)
    values = np.arange(0, 700, dtype=np.float64)
    stretch = Window(400, 300, "LINEAR_EXACT")
    stretched = DisplayState(lut, stretch).effective_voi
    assert isinstance(stretched, LookupTable)
    np.testing.assert_allclose(stretched.display(values), stretch.display(lut(values)), atol=1 / 65535)
    assert DisplayState(lut).effective_voi is lut
    assert DisplayState(ValueRange(0, 1)).effective_voi == ValueRange(0, 1)
