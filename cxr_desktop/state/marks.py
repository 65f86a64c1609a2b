"""The marks that stand on a picture and on every export of it: how it is turned, and how faithful it is."""

from __future__ import annotations

from cxr_desktop.state.display import DisplayState
from cxr_desktop.state.header import numbers_of
from cxr_desktop.state.records import LoadedImage


def turned_words(display: DisplayState) -> str:
    """What stands on a picture that is not as it is stored; "" where it is."""
    words = []
    if display.flipped:
        words.append("FLIPPED")
    if display.quarter_turns % 4:
        words.append(f"ROTATED {display.quarter_turns % 4 * 90}°")
    return ", ".join(words)


def scaling_words(scales: tuple[float, float], *, exact: bool, smooth: bool) -> str:
    """How device pixels come from image pixels; "" at 1:1, where they are the same.

    `scales` are device pixels for an image pixel along (columns, rows); `exact` says that shrinking averaged them all.
    """
    if scales == (1.0, 1.0):
        return ""
    scale = scales[0]
    if min(scales) < 1:
        return f"scaled {scale:.2f}, " + ("every pixel averaged" if exact else "preview")
    return f"magnified {scale:.3g}, " + ("interpolated" if smooth else "pixels repeated")


def lossy_words(loaded: LoadedImage) -> str:
    """Lossy compression at any time, with its ratio where it is known (PS3.3 C.7.6.1.1.5); "" where there was none."""
    if not loaded.image.facts.lossy:
        return ""
    ratio = [0.0, *numbers_of(loaded.data_set, "LossyImageCompressionRatio")][-1]
    return f"lossy {ratio:.3g}:1" if 1 <= ratio < 1e4 else "lossy compression"
