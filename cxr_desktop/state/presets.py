"""What is on the number keys: the reader's own windows first, then the built-in ones, up to nine."""

from __future__ import annotations

from collections.abc import Sequence

from cxr_core.grayscale import Window
from cxr_desktop.state import windowing
from cxr_desktop.state.display import DisplayState
from cxr_desktop.state.records import LoadedImage
from cxr_desktop.state.settings import WindowPreset

_KEYS = 9


def preset_names(own: Sequence[WindowPreset]) -> tuple[str, ...]:
    """The names of what is on the keys from 1 on."""
    return (*(preset.name for preset in own), *(preset.name for preset in windowing.PRESETS))[:_KEYS]


def with_number(state: DisplayState, loaded: LoadedImage, number: int, own: Sequence[WindowPreset]) -> DisplayState:
    """The film under what is on a number key, from 1 on; unchanged under a key with nothing on it."""
    if number <= len(own):
        return windowing.with_window(state, Window(own[number - 1].center, own[number - 1].width))
    place = number - len(own) - 1
    if place >= len(windowing.PRESETS):
        return state
    return windowing.with_preset(state, windowing.PRESETS[place], loaded)
