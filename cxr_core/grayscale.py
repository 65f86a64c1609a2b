"""The grayscale chain: ONE table from stored value to display value (PS3.3 C.11, PS3.4 N.2).

Modality LUT or rescale, then VOI LUT, window or range, then presentation shape and MONOCHROME1, once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

StoredPixels = npt.NDArray[np.integer[Any]]
"""Stored values, axes (row, column), 8- or 16-bit integers, bits above Bits Stored cleared or sign-extended."""

FloatArray = npt.NDArray[np.float32]

#: Below this share of the stored range an image without window or VOI LUT is stretched.
FULL_RANGE_SHARE = 0.25
#: Percentiles of the unpadded pixels between which it is stretched.
STRETCH_PERCENTILES = (1.0, 99.0)


@dataclass(frozen=True, eq=False, slots=True)
class LookupTable:
    """An explicit LUT: `data[i]` is the output for input `first + i`, ends extended (PS3.3 C.11.1.1, C.11.2.1.1)."""

    first: int
    data: npt.NDArray[np.uint16]
    bits: int
    """Output range is 0 to 2**bits - 1."""

    def __call__(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Raw output of the table, 0 to 2**bits - 1, shape of `values`."""
        index = np.clip(np.floor(values) - self.first, 0, len(self.data) - 1).astype(np.intp)
        output: npt.NDArray[np.float64] = self.data[index].astype(np.float64)
        return output

    def display(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Output scaled to [0, 1]."""
        return np.asarray(self(values) / (2**self.bits - 1))


WindowFunction = Literal["LINEAR", "LINEAR_EXACT", "SIGMOID"]


@dataclass(frozen=True, slots=True)
class Window:
    """Window Center, Window Width and VOI LUT Function (PS3.3 C.11.2.1.2, C.11.2.1.3), in modality units."""

    center: float
    width: float
    function: WindowFunction = "LINEAR"

    def display(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Output scaled to [0, 1]."""
        if self.function == "SIGMOID":
            # The exponent is bounded only to keep exp() from overflowing; the result is 0 there anyway.
            return 1.0 / (1.0 + np.exp(np.clip(-4.0 * (values - self.center) / self.width, -700, 700)))
        if self.function == "LINEAR_EXACT":
            return _ramp(values, self.center, self.width)
        center, width = self.center - 0.5, self.width - 1.0
        if width <= 0:
            return (values > center).astype(np.float64)
        return _ramp(values, center, width)


def _ramp(values: npt.NDArray[np.float64], center: float, width: float) -> npt.NDArray[np.float64]:
    """From 0 to 1 over `width` around `center`; in one array, for a drag makes it in every frame."""
    output = values - center
    output /= width
    output += 0.5
    return np.clip(output, 0.0, 1.0, out=output)


@dataclass(frozen=True, slots=True)
class ValueRange:
    """A linear ramp from `low` (0) to `high` (1), in modality units: the VOI of an image that names none."""

    low: float
    high: float

    def display(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Output scaled to [0, 1]; a constant image becomes 0.5."""
        if self.high <= self.low:
            return np.full(values.shape, 0.5)
        return np.clip((values - self.low) / (self.high - self.low), 0.0, 1.0)


Voi = LookupTable | Window | ValueRange


@dataclass(frozen=True, eq=False, slots=True)
class GrayscaleAttributes:
    """The attributes of the image that the table is made of."""

    bits_stored: int
    """8 to 16 usually; 1 to 16 accepted."""

    signed: bool = False
    monochrome1: bool = False
    presentation_inverse: bool = False
    """Presentation LUT Shape is INVERSE (PS3.3 C.8.11.3)."""

    slope: float = 1.0
    intercept: float = 0.0
    modality_lut: LookupTable | None = None
    voi_luts: tuple[LookupTable, ...] = ()
    windows: tuple[Window, ...] = ()
    padding: tuple[int, int] | None = None
    """Lowest and highest stored value that is padding (PS3.3 C.7.5.1.1.2), or None."""

    @property
    def first(self) -> int:
        """The smallest stored value that Bits Stored allows."""
        return -(1 << (self.bits_stored - 1)) if self.signed else 0

    @property
    def inverted(self) -> bool:
        """MONOCHROME1 and shape INVERSE say the same thing; either or both invert once (PS3.3 C.7.6.3.1.2)."""
        return self.monochrome1 or self.presentation_inverse


@dataclass(frozen=True, eq=False, slots=True)
class GrayscaleTable:
    """The table: `values[stored - first]` is the display value, float32 in [0, 1], 0 black and 1 white."""

    first: int
    values: FloatArray

    def __call__(self, stored: StoredPixels) -> FloatArray:
        """Display values, float32, shape of `stored`."""
        if self.first:
            return self.values[stored.astype(np.int32) - self.first]
        return self.values[stored]


def modality_values(attributes: GrayscaleAttributes) -> npt.NDArray[np.float64]:
    """Modality value of every stored value in order, shape (2**bits_stored,), read-only (PS3.3 C.11.1)."""
    slope, intercept = attributes.slope, attributes.intercept
    return _modality_values(attributes.first, attributes.bits_stored, slope, intercept, attributes.modality_lut)


@lru_cache(maxsize=4)  # a window that is dragged asks for the same ones in every frame
def _modality_values(
    first: int, bits_stored: int, slope: float, intercept: float, modality_lut: LookupTable | None
) -> npt.NDArray[np.float64]:
    stored = np.arange(first, first + (1 << bits_stored), dtype=np.float64)
    values = stored * slope + intercept if modality_lut is None else modality_lut(stored)
    values.flags.writeable = False
    return values


def named_voi(attributes: GrayscaleAttributes) -> LookupTable | Window | None:
    """The VOI transformation that the image asks for: its first VOI LUT, else its first window, else None."""
    if attributes.voi_luts:
        return attributes.voi_luts[0]
    return attributes.windows[0] if attributes.windows else None


def default_voi(attributes: GrayscaleAttributes, stored: StoredPixels) -> Voi:
    """The VOI transformation that the image asks for, or the stated rule when it names none.

    `stored` (any shape) is looked at only in the latter case, without its padding.
    """
    named = named_voi(attributes)
    if named is not None:
        return named
    parts = _unpadded_parts(attributes, stored)
    span = max(int(part.max()) for part in parts) - min(int(part.min()) for part in parts)
    if span >= FULL_RANGE_SHARE * ((1 << attributes.bits_stored) - 1):
        return full_range(attributes)
    return percentile_range(attributes, stored)


def full_range(attributes: GrayscaleAttributes) -> ValueRange:
    """From the lowest to the highest modality value that Bits Stored allows."""
    modality = modality_values(attributes)
    return ValueRange(float(modality.min()), float(modality.max()))


def percentile_range(attributes: GrayscaleAttributes, stored: StoredPixels) -> ValueRange:
    """Between the 1st and the 99th percentile of the modality values of unpadded pixels (any shape)."""
    modality = modality_values(attributes)
    counts = np.zeros(len(modality), np.int64)
    for part in _unpadded_parts(attributes, stored):
        counts += np.bincount((part.astype(np.int32) - attributes.first).ravel(), minlength=len(modality))
    used = np.flatnonzero(counts)
    # Percentiles of the modality values, which may fall with the stored value.
    order = np.argsort(modality[used], kind="stable")
    cumulative = np.cumsum(counts[used][order])
    ranks = np.array(STRETCH_PERCENTILES) / 100.0 * (cumulative[-1] - 1)
    ordered = modality[used][order]
    below, above = (ordered[np.searchsorted(cumulative, side(ranks), side="right")] for side in (np.floor, np.ceil))
    low, high = below + (above - below) * (ranks % 1.0)
    return ValueRange(float(low), float(high))


def _unpadded_parts(attributes: GrayscaleAttributes, stored: StoredPixels) -> list[StoredPixels]:
    """The pixels without the padding, about a million at a time: counting them takes 8 bytes each. None is empty."""
    parts = np.array_split(stored, max(min(stored.size >> 20, len(stored)), 1))
    if attributes.padding is None:
        return parts
    low, high = attributes.padding
    unpadded = [part[(part < low) | (part > high)] for part in parts]
    return [part for part in unpadded if part.size] or parts


def grayscale_table(attributes: GrayscaleAttributes, voi: Voi) -> GrayscaleTable:
    """The one table of an image under one VOI transformation.

    Padding is shown black whatever the polarity (PS3.3 C.7.5.1.1.2 leaves it to the reader).
    """
    display = voi.display(modality_values(attributes))
    if attributes.inverted:
        display = 1.0 - display
    if attributes.padding is not None:
        low, high = (value - attributes.first for value in attributes.padding)
        display[max(low, 0) : max(high + 1, 0)] = 0.0
    return GrayscaleTable(attributes.first, display.astype(np.float32))
