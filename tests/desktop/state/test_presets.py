"""The number keys: own windows first, then the built-in ones."""

from __future__ import annotations

import numpy as np

from cxr_core.grayscale import Window, percentile_range
from cxr_desktop.state import windowing
from cxr_desktop.state.presets import preset_names, with_number
from cxr_desktop.state.settings import WindowPreset
from tests.desktop.films import film

OWN = (WindowPreset("Mine", 1500, 700), WindowPreset("Other", 100, 50))


def test_own_windows_come_first() -> None:
    loaded = film()
    state = windowing.initial_display(loaded)
    assert preset_names(OWN)[:3] == ("Mine", "Other", windowing.PRESETS[0].name)
    assert with_number(state, loaded, 2, OWN).voi == Window(100, 50)
    built_in = windowing.with_preset(state, windowing.PRESETS[0], loaded)
    assert with_number(state, loaded, 3, OWN) == built_in == with_number(state, loaded, 1, ())


def test_a_key_with_nothing_on_it_changes_nothing() -> None:
    loaded = film()
    state = windowing.initial_display(loaded)
    assert with_number(state, loaded, 9, ()) == state
    assert len(preset_names([WindowPreset(str(number), 1, 1) for number in range(20)])) == 9


def test_the_auto_window_of_a_large_film_is_that_of_all_its_pixels_within_a_hundredth() -> None:
    rng = np.random.default_rng(1)
    stored = rng.normal(2000, 400, (2100, 2000)).clip(0, 4095).astype(np.uint16)
    loaded = film(stored)
    sampled = windowing.auto_range(loaded)
    whole = percentile_range(windowing.attributes_of(loaded), loaded.stored)
    assert (sampled.low, sampled.high) != (0.0, 4095.0)
    assert abs(sampled.low - whole.low) <= 0.01 * (whole.high - whole.low)
    assert abs(sampled.high - whole.high) <= 0.01 * (whole.high - whole.low)


def test_the_auto_window_of_a_film_of_usual_size_counts_every_pixel() -> None:
    stored = np.full((1000, 1000), 100, np.uint16)
    stored[1::2, 1::2] = 3000  # what every second pixel of every second row would miss
    assert windowing.auto_range(film(stored)) == percentile_range(windowing.attributes_of(film(stored)), stored)
