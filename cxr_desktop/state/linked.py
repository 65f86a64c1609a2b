"""How one image follows another: what a reader changes on one film is done to the other, each in its own measures."""

from __future__ import annotations

from dataclasses import dataclass, replace

from cxr_core.grayscale import LookupTable, Window
from cxr_desktop.state.display import DisplayState
from cxr_desktop.state.geometry import PixelPoint
from cxr_desktop.state.windowing import window_of, with_window


@dataclass(frozen=True, slots=True)
class Shown:
    """An image as a view shows it."""

    display: DisplayState
    rows: int
    columns: int
    zoom: float
    """Device pixels for an image column, as shown."""

    fitted_zoom: float
    """The zoom that fits it to its view."""

    centre: PixelPoint
    """The place of the image at the centre of the view."""


def following(before: DisplayState, after: Shown, other: Shown) -> DisplayState:
    """The other image's state after one went from `before` to `after`.

    Films of two devices differ in size and in values, so what follows is relative: the same part of the film at the
    same share of the fitted zoom, the window moved by the same share of its width. Turns and flips are each one's own.
    """
    state = other.display
    changed = after.display
    if (before.zoom, before.centre) != (changed.zoom, changed.centre):
        state = _placed(state, after, other)
    if (before.voi, before.stretch) != (changed.voi, changed.stretch):
        state = _windowed(state, before, changed)
    if before.inverted != changed.inverted:
        state = replace(state, inverted=not state.inverted)
    return state


def _placed(state: DisplayState, after: Shown, other: Shown) -> DisplayState:
    if after.display.zoom is None:
        return replace(state, zoom=None, centre=None)
    zoom = other.fitted_zoom * after.zoom / after.fitted_zoom
    centre = PixelPoint(
        after.centre.x / after.columns * other.columns,
        after.centre.y / after.rows * other.rows,
    )
    return replace(state, zoom=zoom, centre=centre)


def _windowed(state: DisplayState, before: DisplayState, changed: DisplayState) -> DisplayState:
    if isinstance(before.voi, LookupTable) != isinstance(changed.voi, LookupTable):
        return state  # a VOI LUT against a window: no measure that both have
    was, now, own = window_of(before), window_of(changed), window_of(state)
    if was.width <= 0 or now.width <= 0 or own.width <= 0:
        return state
    moved = (now.center - was.center) / was.width
    width = own.width * now.width / was.width
    function = own.function
    if function == "LINEAR" and width < 1:
        function = "LINEAR_EXACT"  # PS3.3 C.11.2.1.2.1: a LINEAR one is at least 1 wide
    return with_window(state, Window(own.center + moved * own.width, width, function))
