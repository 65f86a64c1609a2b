"""Three channels to one, and how much colour was in them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from cxr_core.grayscale import StoredPixels

#: Channels that differ by more than this share of the full scale are colour.
COLOUR_TOLERANCE = 8 / 255


def to_grey(pixels: npt.NDArray[np.integer[Any]]) -> tuple[StoredPixels, float]:
    """The grey picture (row, column), and the share of coloured pixels (0 to 1).

    Of three channels the mean is taken; a one-channel picture comes back as it is, with share 0.
    """
    if pixels.ndim == 2:
        return pixels, 0.0
    channels = pixels[:, :, :3]
    spread = channels.max(axis=2).astype(np.int32) - channels.min(axis=2)
    tolerance = COLOUR_TOLERANCE * np.iinfo(pixels.dtype).max
    grey = np.rint(channels.mean(axis=2)).astype(pixels.dtype)
    return grey, float((spread > tolerance).mean())
