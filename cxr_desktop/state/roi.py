"""What lies inside a rectangle or an ellipse: statistics of the modality values of its pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from cxr_core.grayscale import GrayscaleAttributes, modality_values
from cxr_desktop.state.measurement import Ellipse, Rectangle

if TYPE_CHECKING:
    from cxr_desktop.state.records import LoadedImage


#: Rows counted in one go: few enough to stay in the processor's cache, many enough to pay for the 65,536 counters.
LINES_AT_ONCE = 128


@dataclass(frozen=True, slots=True)
class RoiStatistics:
    """Of the pixels whose centre lies inside, padding left out; in modality units (PS3.3 C.11.1)."""

    pixels: int
    """How many were counted."""

    mean: float
    standard_deviation: float
    """Of these pixels as they are: the sum of squares is divided by their number."""

    minimum: float
    maximum: float


@dataclass(frozen=True, slots=True)
class Roi:
    """What was found inside a region."""

    statistics: RoiStatistics | None
    """None where no pixel could be counted."""

    padding: int
    """Pixels left out because they are padding (PS3.3 C.7.5.1.1.2)."""

    cut: bool
    """The region reaches beyond the image: what is inside the image was counted."""


def frame_of(region: Rectangle | Ellipse) -> tuple[float, float, float, float]:
    """Left, top, right and bottom edge, in pixels."""
    one, other = region.points
    return min(one.x, other.x), min(one.y, other.y), max(one.x, other.x), max(one.y, other.y)


def area_pixels(region: Rectangle | Ellipse) -> float:
    """Area of the shape as it is drawn, in pixels."""
    left, top, right, bottom = frame_of(region)
    whole = (right - left) * (bottom - top)
    return whole * math.pi / 4 if isinstance(region, Ellipse) else whole


def roi_of(region: Rectangle | Ellipse, loaded: LoadedImage) -> Roi:
    """Statistics of a region. The image has been decoded: it has grayscale attributes."""
    attributes = loaded.image.attributes
    assert attributes is not None, "an image that is shown has a grayscale chain"
    rows, columns = loaded.stored.shape
    left, top, right, bottom = frame_of(region)
    counts = np.zeros(1 << attributes.bits_stored, np.int64)
    lines = [
        loaded.stored[row, first:behind]
        for row, first, behind in zip(*_spans(region, rows, columns), strict=True)
        if first < behind
    ]
    for start in range(0, len(lines), LINES_AT_ONCE):
        values = np.concatenate(lines[start : start + LINES_AT_ONCE])
        counts += np.bincount(values.astype(np.intp) - attributes.first, minlength=len(counts))
    padding = _take_padding(counts, attributes)
    cut = left < 0 or top < 0 or right > columns or bottom > rows
    return Roi(_statistics(counts, _values(attributes)), padding, cut)


Spans = tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.intp]]


def _spans(region: Rectangle | Ellipse, rows: int, columns: int) -> Spans:
    """Row, first column and column behind the last, of each row with a pixel centre inside, cut to the image.

    A centre on the left or upper edge of a rectangle is inside, on the right or lower edge it is not, so that
    rectangles side by side share no pixel. A centre on the edge of an ellipse is inside.
    """
    left, top, right, bottom = frame_of(region)
    flat = right == left or bottom == top
    last = math.ceil(bottom - 0.5) if isinstance(region, Rectangle) or flat else math.floor(bottom - 0.5) + 1
    row = np.arange(max(math.ceil(top - 0.5), 0), min(last, rows), dtype=np.intp)
    if isinstance(region, Rectangle) or flat:
        first = np.full(row.shape, math.ceil(left - 0.5))
        behind = np.full(row.shape, math.ceil(right - 0.5))
    else:
        off = (row + 0.5 - (top + bottom) / 2) / ((bottom - top) / 2)
        half = np.sqrt(np.clip(1 - off**2, 0, None)) * (right - left) / 2
        middle = (left + right) / 2
        first = np.ceil(middle - half - 0.5)
        behind = np.floor(middle + half - 0.5) + 1
    return row, np.clip(first, 0, columns).astype(np.intp), np.clip(behind, 0, columns).astype(np.intp)


def _take_padding(counts: npt.NDArray[np.int64], attributes: GrayscaleAttributes) -> int:
    """How many counted values are padding; they are no longer counted."""
    if attributes.padding is None:
        return 0
    low, high = (value - attributes.first for value in attributes.padding)
    part = counts[max(low, 0) : max(high + 1, 0)]
    padding = int(part.sum())
    part[:] = 0
    return padding


def _statistics(counts: npt.NDArray[np.int64], values: npt.NDArray[np.float64]) -> RoiStatistics | None:
    used = np.flatnonzero(counts)
    if not used.size:
        return None
    number, value = counts[used], values[used]
    pixels = int(number.sum())
    mean = float((number * value).sum() / pixels)
    deviation = math.sqrt(float((number * (value - mean) ** 2).sum() / pixels))
    return RoiStatistics(pixels, mean, deviation, float(value.min()), float(value.max()))


@lru_cache(maxsize=4)
def _values(attributes: GrayscaleAttributes) -> npt.NDArray[np.float64]:
    """Modality value of every stored value; kept, because a region is measured at every step of a drag."""
    return modality_values(attributes)
