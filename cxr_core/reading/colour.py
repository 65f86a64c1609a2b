"""Three channels to one, and how much colour was in them: a few rows at a time, in integers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from cxr_core.grayscale import StoredPixels

#: Channels that differ by more than this share of the full scale are colour.
COLOUR_TOLERANCE = 8 / 255
#: Pixels that are converted at once: what a conversion takes beside its picture does not grow with it.
BLOCK_PIXELS = 1 << 20

Rows = Callable[[int, int], npt.NDArray[np.integer[Any]]]
"""(first row, row behind the last) to those rows, shape (n, columns) or (n, columns, channels)."""


def to_grey(rows_of: Rows, rows: int, columns: int) -> tuple[StoredPixels, float]:
    """The grey picture (row, column), and the share of coloured pixels (0 to 1).

    Of three channels the mean is taken; a one-channel picture comes back as it is, with share 0.
    """
    coloured = 0
    grey: StoredPixels | None = None
    for first, behind in blocks(rows, columns):
        part = rows_of(first, behind)
        if part.ndim == 3:
            red, green, blue = (part[:, :, channel] for channel in range(3))
            spread = np.maximum(np.maximum(red, green), blue) - np.minimum(np.minimum(red, green), blue)
            coloured += int(np.count_nonzero(spread > COLOUR_TOLERANCE * np.iinfo(part.dtype).max))
            total = red.astype(np.uint32) + green + blue
            part = ((total + 1) // 3).astype(part.dtype)  # the mean of three, rounded to the nearest
        if grey is None:
            grey = np.empty((rows, columns), part.dtype)
        grey[first:behind] = part
    assert grey is not None, "a picture has a row"
    return grey, coloured / (rows * columns)


def blocks(rows: int, columns: int) -> Iterator[tuple[int, int]]:
    """(first row, row behind the last) of blocks of about BLOCK_PIXELS pixels."""
    step = max(BLOCK_PIXELS // max(columns, 1), 1)
    return ((first, min(first + step, rows)) for first in range(0, rows, step))
