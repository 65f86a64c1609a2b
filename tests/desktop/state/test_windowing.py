"""Window and level as states: choices, presets and the drag."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from cxr_core.grayscale import GrayscaleAttributes, LookupTable, ValueRange, Voi, Window, grayscale_table
from cxr_desktop.state.display import DisplayState
from cxr_desktop.state.windowing import (
    PRESETS,
    as_asked,
    auto_windowed,
    dragged_window,
    initial_display,
    next_choice,
    usable_window,
    voi_choices,
    window_of,
    window_words,
    with_preset,
    with_window,
)
from tests.desktop.films import film
from tests.dicom_builder import gradient, lut_item

TWELVE = GrayscaleAttributes(12)
LUT = lut_item([n // 4 for n in range(4096)], 0, 10)


def explained(explanation: str) -> Any:
    item = lut_item([n // 4 for n in range(4096)], 0, 10)
    item.LUTExplanation = explanation
    return item


def test_everything_that_an_image_names_can_be_chosen_with_its_explanation() -> None:
    loaded = film(
        VOILUTSequence=[explained("NORMAL"), explained("HARD\n")],
        WindowCenter=[2000, 100],
        WindowWidth=[4000, 300],
        WindowCenterWidthExplanation=["WIDE", "LUNG"],
    )
    choices = voi_choices(loaded)
    assert [choice.name for choice in choices] == [
        "VOI LUT 1: NORMAL",
        "VOI LUT 2: HARD",
        "Window 1: WIDE (C 2000 W 4000)",
        "Window 2: LUNG (C 100 W 300)",
        "Full range of the stored bits",
        "Auto: 1st to 99th percentile",
    ]
    state = initial_display(loaded)
    assert state.voi is choices[0].voi
    for choice in [*choices[1:], choices[0]]:
        state = next_choice(state, loaded)
        assert state.voi is choice.voi or state.voi == choice.voi


def test_an_explanation_whose_place_is_unsure_is_not_shown() -> None:
    loaded = film(WindowCenter=[2000, 5], WindowWidth=[4000, 0], WindowCenterWidthExplanation=["WIDE", "BROKEN"])
    assert voi_choices(loaded)[0].name == "Window 1 (C 2000 W 4000)"


def test_auto_is_the_percentiles_of_what_is_no_padding() -> None:
    stored = gradient(100, 100)
    stored[:50] = 0
    loaded = film(stored, PixelPaddingValue=0, WindowCenter=10, WindowWidth=20)
    low, high = np.percentile(stored[stored > 0], (1, 99))
    state = auto_windowed(initial_display(loaded), loaded)
    assert state.voi == ValueRange(pytest.approx(low), pytest.approx(high))
    assert as_asked(replace(state, inverted=True), loaded) == initial_display(loaded)


def grey_of(state: DisplayState, attributes: GrayscaleAttributes, stored: int) -> float:
    table = grayscale_table(attributes, state.effective_voi)
    value = float(table.values[stored - attributes.first])
    return 1 - value if state.inverted else value


@pytest.mark.parametrize(
    "attributes", [TWELVE, replace(TWELVE, monochrome1=True), replace(TWELVE, slope=-1.0, intercept=4095.0)]
)
@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize(
    "voi", [Window(2000, 1500), ValueRange(500, 3500), LookupTable(0, np.arange(4096, dtype=np.uint16), 12)]
)
def test_brighter_is_brighter_on_the_screen_whatever_the_polarity(
    attributes: GrayscaleAttributes, inverted: bool, voi: Voi
) -> None:
    state = DisplayState(voi, inverted=inverted)
    down = dragged_window(state, 0, 40, attributes, direction="ihe")
    assert grey_of(down, attributes, 2048) > grey_of(state, attributes, 2048)
    up = dragged_window(state, 0, -40, attributes, direction="classic")
    assert grey_of(up, attributes, 2048) > grey_of(state, attributes, 2048)


def test_to_the_right_is_wider_and_control_is_faster() -> None:
    state = DisplayState(Window(2000, 1500))
    fine, fast = (window_of(dragged_window(state, 30, 0, TWELVE, faster=faster)) for faster in (False, True))
    assert 1500 < fine.width < fast.width
    assert window_of(dragged_window(state, -30, 0, TWELVE)).width < 1500
    assert fine.center == 2000


def test_a_drag_begins_at_what_is_shown() -> None:
    lut = LookupTable(0, np.arange(4096, dtype=np.uint16), 12)
    for state in (DisplayState(ValueRange(500, 3500)), DisplayState(lut), DisplayState(Window(9, 8, "SIGMOID"))):
        unmoved = dragged_window(state, 0, 0, TWELVE)
        values = np.arange(4096, dtype=np.float64)
        np.testing.assert_allclose(unmoved.effective_voi.display(values), state.voi.display(values), atol=2e-5)


def test_a_window_is_never_dragged_to_nothing() -> None:
    state = DisplayState(Window(2000, 1500))
    for _ in range(50):
        state = dragged_window(state, -500, 300, TWELVE, faster=True)
    assert window_of(state).width == 1.0
    for _ in range(50):
        state = dragged_window(state, 5000, -3000, TWELVE, faster=True)
    window = window_of(state)
    assert window.width <= 16 * 4095
    assert -4095 <= window.center <= 2 * 4095


def test_values_of_a_fractional_slope_can_be_windowed_below_1() -> None:
    attributes = replace(TWELVE, slope=1 / 4096)
    state = dragged_window(DisplayState(Window(0.5, 1.0)), -600, 0, attributes)
    window = window_of(state)
    assert window.function == "LINEAR_EXACT"
    assert 0 < window.width < 0.2


def test_a_constant_image_can_be_dragged() -> None:
    state = dragged_window(DisplayState(ValueRange(7, 7)), 10, 10, GrayscaleAttributes(1))
    assert window_of(state).width > 0


@pytest.mark.parametrize(
    ("center", "width", "expected", "note"),
    [
        (10.0, 5.0, Window(10, 5), ""),
        (10.0, 0.5, Window(10, 0.5, "LINEAR_EXACT"), "not defined below 1"),
        (10.0, 0.0, Window(10, 1), "shows nothing"),
        (10.0, -4.0, Window(10, 1), "shows nothing"),
        (float("nan"), 4.0, Window(0, 1), "two numbers"),
        (1.0, float("inf"), Window(0, 1), "two numbers"),
    ],
)
def test_a_window_that_cannot_be_is_put_right_with_a_note(
    center: float, width: float, expected: Window, note: str
) -> None:
    window, told = usable_window(center, width)
    assert window == expected
    assert note in told
    assert bool(note) == bool(told)


def test_presets_scale_to_the_bits_where_no_window_exists() -> None:
    for bits in (8, 12, 16):
        loaded = film(gradient(bits=bits), bits_stored=bits)
        window = window_of(with_preset(initial_display(loaded), PRESETS[1], loaded))
        top = 2**bits - 1
        assert (window.center / top, window.width / top) == pytest.approx((PRESETS[1].centre, PRESETS[1].width))


def test_presets_go_with_the_first_window_else() -> None:
    loaded = film(WindowCenter=1000, WindowWidth=400)
    assert window_of(with_preset(initial_display(loaded), PRESETS[0], loaded)) == Window(1000, 400, "LINEAR_EXACT")


def test_presets_stretch_a_voi_lut_and_leave_it() -> None:
    loaded = film(VOILUTSequence=[LUT])
    state = with_preset(initial_display(loaded), PRESETS[1], loaded)
    assert state.voi is initial_display(loaded).voi
    assert state.stretch == Window(pytest.approx(0.35 * 1023), pytest.approx(0.55 * 1023), "LINEAR_EXACT")


def test_lungs_are_lungs_in_a_monochrome1_image() -> None:
    stored = gradient()
    dark = int(0.2 * 4095)
    two, one = film(stored), film(4095 - stored, photometric="MONOCHROME1")
    shown = []
    for loaded, value in ((two, dark), (one, 4095 - dark)):
        assert loaded.image.attributes is not None
        state = with_preset(initial_display(loaded), PRESETS[1], loaded)
        shown.append(grey_of(state, loaded.image.attributes, value))
    assert shown[0] == pytest.approx(shown[1], abs=1e-3)


def test_words_of_a_window() -> None:
    lut = LookupTable(0, np.arange(4096, dtype=np.uint16), 12)
    assert window_words(DisplayState(Window(2000, 1500.4))) == "C 2000 W 1500"
    assert window_words(DisplayState(Window(0.25, 0.5, "SIGMOID"), inverted=True)) == "C 0.25 W 0.5 sigmoid inverted"
    assert window_words(DisplayState(lut)) == "VOI LUT"
    assert window_words(with_window(DisplayState(lut), Window(900, 300))) == "VOI LUT, C 900 W 300"
