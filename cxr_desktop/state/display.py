"""How an image is shown: window, inversion, turns, zoom and place, as a frozen state and what changes it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cxr_core.grayscale import LookupTable, Voi, Window
from cxr_desktop.state.geometry import PixelPoint

#: Device pixels an image column may take at least and at most.
MIN_ZOOM, MAX_ZOOM = 0.02, 64.0


@dataclass(frozen=True, slots=True)
class DisplayState:
    """How one image is shown; the same state gives the same picture in a view of the same size, and on export.

    The image is first flipped left to right, then turned; so turns and flip of one state always mean the same.
    """

    voi: Voi
    """The VOI transformation in modality units: a VOI LUT, a window or a range (PS3.3 C.11.2)."""

    stretch: Window | None = None
    """Over the output of a VOI LUT, in its output units: windowing goes on after a VOI LUT."""

    inverted: bool = False
    """By the reader, on top of what the image itself asks for."""

    quarter_turns: int = 0
    """Clockwise, 0 to 3."""

    flipped: bool = False
    """Left to right, before the turns."""

    zoom: float | None = None
    """Device pixels of the screen for an image column; None fits the image to the view."""

    centre: PixelPoint | None = None
    """The point of the image at the centre of the view; None is the centre of the image."""

    overlays: bool = True
    """Whether the image's overlay planes are drawn."""

    shutter: bool = True
    """Whether its display shutter is closed."""

    @property
    def effective_voi(self) -> Voi:
        """The one VOI transformation that is shown, with the stretch in it: for the table, exports and GSPS."""
        if self.stretch is None or not isinstance(self.voi, LookupTable):
            return self.voi
        shown = self.stretch.display(self.voi.data.astype(np.float64))
        return LookupTable(self.voi.first, np.rint(shown * 65535).astype(np.uint16), 16)


def rotated(state: DisplayState, quarter_turns: int = 1) -> DisplayState:
    """Turned clockwise as seen on the screen (negative: counter-clockwise)."""
    return replace(state, quarter_turns=(state.quarter_turns + quarter_turns) % 4)


def flipped_horizontally(state: DisplayState) -> DisplayState:
    """Mirrored left to right as seen on the screen."""
    return replace(state, quarter_turns=-state.quarter_turns % 4, flipped=not state.flipped)


def flipped_vertically(state: DisplayState) -> DisplayState:
    """Mirrored top to bottom as seen on the screen."""
    return rotated(flipped_horizontally(state), 2)


def fitted(state: DisplayState) -> DisplayState:
    """The whole image in the view."""
    return replace(state, zoom=None, centre=None)


def zoomed_about(
    state: DisplayState, point: PixelPoint, factor: float, *, zoom: float, centre: PixelPoint
) -> DisplayState:
    """Zoomed by `factor` with `point` of the image staying where it is on the screen.

    `zoom` and `centre` are those that the view shows now (a fitted state does not know its own).
    """
    wanted = min(max(zoom * factor, MIN_ZOOM), MAX_ZOOM)
    share = zoom / wanted
    moved = PixelPoint(point.x + (centre.x - point.x) * share, point.y + (centre.y - point.y) * share)
    return replace(state, zoom=wanted, centre=moved)


def inverted(state: DisplayState) -> DisplayState:
    """Black and white exchanged."""
    return replace(state, inverted=not state.inverted)
