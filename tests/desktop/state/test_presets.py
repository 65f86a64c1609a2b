"""The number keys: own windows first, then the built-in ones."""

from __future__ import annotations

from cxr_core.grayscale import Window
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
