"""Window and level: what an image offers to choose from, the presets on the number keys, and the drag."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

from cxr_core.grayscale import (
    GrayscaleAttributes,
    LookupTable,
    ValueRange,
    Voi,
    Window,
    WindowFunction,
    default_voi,
    full_range,
    percentile_range,
)
from cxr_desktop.state.display import DisplayState
from cxr_desktop.state.header import items_of, one_line, text_of, values_of
from cxr_desktop.state.records import LoadedImage

Direction = Literal["classic", "ihe"]

#: A drag of so many logical pixels changes the width e-fold, and the centre by one width.
_PIXELS_A_FOLD = 300.0
_FASTER = 4.0
#: So many pixels tell percentiles well enough.
_COUNTED = 2_000_000
#: The narrowest window that is not LINEAR, as a share of the range of the values.
_NARROWEST = 1e-4


@dataclass(frozen=True, slots=True)
class Preset:
    """A window as shares of a reference: the range of the values, dark end of the film 0, bright end 1."""

    name: str
    centre: float
    width: float


#: On the number keys from 1; 0 is the window that the image asks for.
PRESETS = (
    Preset("Full range", 0.5, 1.0),
    Preset("Lungs", 0.35, 0.55),
    Preset("Mediastinum", 0.70, 0.50),
    Preset("Bones", 0.75, 0.70),
    Preset("High contrast", 0.5, 0.6),
    Preset("Low contrast", 0.5, 1.4),
)


@dataclass(frozen=True, eq=False, slots=True)
class VoiChoice:
    """One of the VOI transformations that can be chosen for an image."""

    name: str
    voi: Voi


def initial_display(loaded: LoadedImage) -> DisplayState:
    """The image as it asks to be shown, fitted."""
    return DisplayState(default_voi(attributes_of(loaded), loaded.stored))


def attributes_of(loaded: LoadedImage) -> GrayscaleAttributes:
    """The grayscale attributes of an image that has pixels."""
    attributes = loaded.image.attributes
    assert attributes is not None, "intake refuses an object without pixels"
    return attributes


def voi_choices(loaded: LoadedImage) -> tuple[VoiChoice, ...]:
    """All that the image names, each with its explanation, then the full range and the 1st to 99th percentile.

    LUT Explanation (0028,3003) and Window Center & Width Explanation (0028,1055): PS3.3 C.11.2. An explanation whose
    place is unsure, for damaged ones were left out, is not shown.
    """
    attributes = attributes_of(loaded)
    luts = _explanations(
        [text_of(item, "LUTExplanation") for item in items_of(loaded.data_set, "VOILUTSequence")],
        len(attributes.voi_luts),
    )
    windows = _explanations(
        [one_line(value) for value in values_of(loaded.data_set, "WindowCenterWidthExplanation")],
        len(attributes.windows),
    )
    choices = [
        VoiChoice(_named(f"VOI LUT {number}", text), lut)
        for number, (lut, text) in enumerate(zip(attributes.voi_luts, luts, strict=True), 1)
    ]
    choices += [
        VoiChoice(_named(f"Window {number}", text) + f" (C {window.center:g} W {window.width:g})", window)
        for number, (window, text) in enumerate(zip(attributes.windows, windows, strict=True), 1)
    ]
    choices.append(VoiChoice("Full range of the stored bits", full_range(attributes)))
    choices.append(VoiChoice("Auto: 1st to 99th percentile", auto_range(loaded)))
    return tuple(choices)


def _named(name: str, explanation: str) -> str:
    return f"{name}: {explanation}" if explanation else name


def _explanations(found: list[str], wanted: int) -> list[str]:
    return found if len(found) == wanted else [""] * wanted


def with_voi(state: DisplayState, voi: Voi) -> DisplayState:
    """Under another VOI transformation, nothing else changed."""
    return replace(state, voi=voi, stretch=None)


def auto_windowed(state: DisplayState, loaded: LoadedImage) -> DisplayState:
    """Between the 1st and the 99th percentile of the unpadded pixels."""
    return with_voi(state, auto_range(loaded))


def auto_range(loaded: LoadedImage) -> ValueRange:
    """Between these percentiles, of a large film by every second, third ... pixel of every such row.

    The reader waits for it: to count 60 million pixels takes a second or two, 2 million some milliseconds.
    """
    step = math.ceil(math.sqrt(loaded.stored.size / _COUNTED))
    return percentile_range(attributes_of(loaded), loaded.stored[::step, ::step])


def as_asked(state: DisplayState, loaded: LoadedImage) -> DisplayState:
    """Under the VOI transformation that the image asks for, its polarity restored."""
    return replace(with_voi(state, default_voi(attributes_of(loaded), loaded.stored)), inverted=False)


def next_choice(state: DisplayState, loaded: LoadedImage) -> DisplayState:
    """The next one of what the image itself names and the general ranges, round and round."""
    choices = voi_choices(loaded)
    at = next((number for number, choice in enumerate(choices) if is_chosen(state, choice)), -1)
    return with_voi(state, choices[(at + 1) % len(choices)].voi)


def is_chosen(state: DisplayState, choice: VoiChoice) -> bool:
    """Whether an image is shown under a choice as it is, no window over it."""
    return state.stretch is None and choice.voi == state.voi


def with_preset(state: DisplayState, preset: Preset, loaded: LoadedImage) -> DisplayState:
    """Under a preset, scaled to the image: over the output of its VOI LUT, else its first window, else its bits.

    Shares count from the dark end of the film, so lungs are lungs in a MONOCHROME1 image too.
    """
    attributes = attributes_of(loaded)
    centre = 1 - preset.centre if attributes.inverted else preset.centre
    if attributes.voi_luts:
        lut = state.voi if isinstance(state.voi, LookupTable) else attributes.voi_luts[0]
        return replace(state, voi=lut, stretch=_share_of(ValueRange(0, 2**lut.bits - 1), centre, preset.width))
    if attributes.windows:
        first = attributes.windows[0]
        reference = ValueRange(first.center - first.width / 2, first.center + first.width / 2)
    else:
        reference = full_range(attributes)
    return with_voi(state, _share_of(reference, centre, preset.width))


def _share_of(reference: ValueRange, centre: float, width: float) -> Window:
    extent = max(reference.high - reference.low, _NARROWEST)
    return Window(reference.low + centre * extent, width * extent, "LINEAR_EXACT")


def window_of(state: DisplayState) -> Window:
    """The window that is shown: over the output of a VOI LUT in its units, else in modality units."""
    if isinstance(state.voi, LookupTable):
        top = 2**state.voi.bits - 1
        return state.stretch or Window(top / 2, top, "LINEAR_EXACT")
    if isinstance(state.voi, ValueRange):
        return Window((state.voi.low + state.voi.high) / 2, state.voi.high - state.voi.low, "LINEAR_EXACT")
    return state.voi


def with_window(state: DisplayState, window: Window) -> DisplayState:
    """Under a window: over the output of the VOI LUT where one is shown."""
    if isinstance(state.voi, LookupTable):
        return replace(state, stretch=window)
    return replace(state, voi=window, stretch=None)


def usable_window(center: float, width: float, function: WindowFunction = "LINEAR") -> tuple[Window, str]:
    """A window as somebody typed it, and a note about what had to be put right; "" where nothing had.

    PS3.3 C.11.2.1.2.1: a LINEAR window is at least 1 wide, C.11.2.1.3: the others are wider than 0.
    """
    if not (math.isfinite(center) and math.isfinite(width)):
        return Window(0.0, 1.0), "a window needs two numbers: taken as center 0, width 1"
    if width <= 0:
        return Window(center, 1.0, function), f"a window width of {width:g} shows nothing: taken as 1"
    if function == "LINEAR" and width < 1:
        note = f"a LINEAR window of width {width:g} is not defined below 1 (PS3.3 C.11.2.1.2): taken as LINEAR_EXACT"
        return Window(center, width, "LINEAR_EXACT"), note
    return Window(center, width, function), ""


def dragged_window(
    state: DisplayState,
    dx: float,
    dy: float,
    attributes: GrayscaleAttributes,
    *,
    faster: bool = False,
    direction: Direction = "ihe",
) -> DisplayState:
    """The window after the mouse moved by (dx, dy) logical pixels: to the right wider.

    Down is brighter as in IHE Basic Image Review (RAD TF-2 4.16.4.2.2.5.4), darker in the classic direction; brighter
    means so on the screen, whatever the polarity. Steps go with the width, so they suit every image.
    """
    window = window_of(state)
    speed = (_FASTER if faster else 1.0) / _PIXELS_A_FOLD
    brighter = dy * speed if direction == "ihe" else -dy * speed
    shown_inverted = attributes.inverted != state.inverted
    if isinstance(state.voi, LookupTable):
        reference = ValueRange(0.0, 2**state.voi.bits - 1)
    else:
        reference = full_range(attributes)
    extent = max(reference.high - reference.low, _NARROWEST)
    function = window.function
    if function == "LINEAR" and extent < 256:
        function = "LINEAR_EXACT"  # values of a small range, as of a fractional slope: 1 is not narrow there
    narrowest = 1.0 if function == "LINEAR" else extent * _NARROWEST
    width = min(max(window.width * math.exp(dx * speed), narrowest), 16 * extent)
    center = window.center + brighter * window.width * (1 if shown_inverted else -1)
    center = min(max(center, reference.low - extent), reference.high + extent)
    return with_window(state, Window(center, width, function))


def window_words(state: DisplayState) -> str:
    """What is shown, for the corner of the view."""
    window = window_of(state)
    words = f"C {_number(window.center)} W {_number(window.width)}"
    if isinstance(state.voi, LookupTable):
        words = "VOI LUT" if state.stretch is None else f"VOI LUT, {words}"
    elif window.function == "SIGMOID":
        words += " sigmoid"
    return words + (" inverted" if state.inverted else "")


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
