"""The visible part of an image at the resolution of the screen: stored values, sampled quickly or exactly."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QRect

from cxr_core.grayscale import GrayscaleAttributes, StoredPixels
from cxr_desktop.views.placement import Placement, inverse

_ROTATIONS = {1: cv2.ROTATE_90_CLOCKWISE, 2: cv2.ROTATE_180, 3: cv2.ROTATE_90_COUNTERCLOCKWISE}
#: How far beyond the visible part a border is looked for that falls between two image pixels.
_REACH = 48


@dataclass(frozen=True, eq=False, slots=True)
class Pixels:
    """The stored values of an image, made ready for sampling."""

    stored: StoredPixels
    """Axes (row, column); not int8, which OpenCV cannot resize. All padding has one value."""

    padded: npt.NDArray[np.uint16] | None = None
    """65535 where there is padding, shape of `stored`; None where there is none. Fine enough for shares of 16 bits."""

    padding_value: int = 0


def pixels_of(stored: StoredPixels, attributes: GrayscaleAttributes) -> Pixels:
    """Stored values (row, column) of an image with such attributes."""
    if stored.dtype == np.int8:
        stored = stored.astype(np.int16)
    stored = np.ascontiguousarray(stored)
    if attributes.padding is None:
        return Pixels(stored)
    low, high = attributes.padding
    padded = cv2.inRange(stored, low, high)
    if not padded.any():
        return Pixels(stored)
    value = max(low, int(np.iinfo(stored.dtype).min), attributes.first)
    if low != high:
        stored = np.where(padded, stored.dtype.type(value), stored)
    return Pixels(stored, padded.astype(np.uint16) * np.uint16(257), value)


@dataclass(frozen=True, slots=True)
class Span:
    """Device pixels `first` to `behind` of an axis that has `pixels` device pixels for `size` image pixels."""

    first: int
    behind: int
    pixels: int
    size: int

    @property
    def step(self) -> float:
        """Image pixels for a device pixel."""
        return self.size / self.pixels

    def between_pixels(self) -> Span:
        """A span that holds this one and begins and ends, as nearly as there is one, between two image pixels."""
        before = range(max(self.first - _REACH, 0), self.first + 1)
        after = range(self.behind, min(self.behind + _REACH, self.pixels) + 1)
        first = min(reversed(before), key=self._off_border)
        return Span(first, min(after, key=self._off_border), self.pixels, self.size)

    def _off_border(self, place: int) -> float:
        # Rounded, so that of places as good as each other the nearest is taken.
        return round(abs(place * self.step - round(place * self.step)), 3)

    def of_image(self) -> slice:
        """The image pixels that it covers, its borders rounded."""
        first = min(round(self.first * self.step), self.size - 1)
        return slice(first, max(round(self.behind * self.step), first + 1))


@dataclass(frozen=True, eq=False, slots=True)
class Region:
    """Stored values of the visible part, turned as it is seen: shape (height, width) in device pixels."""

    stored: StoredPixels
    left: int
    """Of its upper left corner in the view, in device pixels."""

    top: int


def visible_region(
    pixels: Pixels, placement: Placement, view_width: int, view_height: int, *, exact: bool, smooth: bool
) -> Region | None:
    """What a view of that many device pixels shows of an image, or None where it shows nothing of it.

    `exact` averages every pixel where the image shrinks, otherwise it is interpolated; `smooth` interpolates where it
    is magnified, otherwise pixels are repeated. Padding is not averaged with what lies beside it.
    """
    width, height = placement.turned_size
    left, top = max(placement.left, 0), max(placement.top, 0)
    right, bottom = min(placement.left + width, view_width), min(placement.top + height, view_height)
    if right <= left or bottom <= top:
        return None
    part = inverse(placement.turning()).mapRect(QRect(left, top, right - left, bottom - top))
    rows = Span(part.y(), part.y() + part.height(), placement.height, placement.rows)
    columns = Span(part.x(), part.x() + part.width(), placement.width, placement.columns)
    sampled = sampled_part(pixels.stored, rows, columns, exact=exact, smooth=smooth)
    if pixels.padded is not None and (rows.step != 1 or columns.step != 1):
        share = sampled_part(pixels.padded, rows, columns, exact=exact, smooth=smooth)
        sampled = _without_padding(sampled, share, pixels.padding_value)
    return Region(turned(sampled, placement), left, top)


def turned(pixels: npt.NDArray[Any], placement: Placement) -> npt.NDArray[Any]:
    """Flipped and turned as the placement says, contiguous."""
    if placement.flipped:
        pixels = cv2.flip(pixels, 1)
    if placement.quarter_turns:
        pixels = cv2.rotate(pixels, _ROTATIONS[placement.quarter_turns])
    return np.ascontiguousarray(pixels)


def sampled_part(pixels: npt.NDArray[Any], rows: Span, columns: Span, *, exact: bool, smooth: bool) -> npt.NDArray[Any]:
    """A part of an array (row, column) in device pixels: first what shrinks, then what is magnified."""
    down, across = _plan(rows), _plan(columns)
    part = pixels[down.crop, across.crop]
    if part.shape != (down.size, across.size):
        part = cv2.resize(part, (across.size, down.size), interpolation=cv2.INTER_AREA if exact else cv2.INTER_LINEAR)
    part = part[down.held, across.held]
    if down.step == 1 and across.step == 1:
        return part
    if not smooth:
        return part[np.ix_(down.nearest(), across.nearest())]
    matrix = np.array([[across.step, 0, across.offset], [0, down.step, down.offset]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(
        np.ascontiguousarray(part), matrix, (across.count, down.count), flags=flags, borderMode=cv2.BORDER_REPLICATE
    )


@dataclass(frozen=True, slots=True)
class _Plan:
    """How one axis comes to device pixels: crop, resize to `size`, hold a part; then magnify."""

    crop: slice
    size: int
    held: slice
    count: int
    """Device pixels in the end."""

    step: float = 1.0
    """Places, as OpenCV counts them, between two device pixels of what is held; 1 where nothing is magnified."""

    offset: float = 0.0
    """Place of the first device pixel."""

    def nearest(self) -> npt.NDArray[np.intp]:
        places: npt.NDArray[np.float64] = np.floor(np.arange(self.count) * self.step + self.offset + 0.5)
        return places.astype(np.intp)


def _plan(span: Span) -> _Plan:
    count = span.behind - span.first
    if span.step < 1:
        # One pixel more at each side to interpolate with.
        start = max(math.floor(span.first * span.step) - 1, 0)
        stop = min(math.ceil(span.behind * span.step) + 1, span.size)
        # The centre of a device pixel to a place between the centres of image pixels, which OpenCV counts from 0.
        offset = (span.first + 0.5) * span.step - 0.5 - start
        return _Plan(slice(start, stop), stop - start, slice(None), count, span.step, offset)
    wide = span.between_pixels()
    held = slice(span.first - wide.first, span.behind - wide.first)
    return _Plan(wide.of_image(), wide.behind - wide.first, held, count)


def _without_padding(sampled: StoredPixels, share: npt.NDArray[np.uint16], padding_value: int) -> StoredPixels:
    """Take the padding's part (0 to 65535) out of sampled values; what is padding by half or more is padding."""
    sampled = sampled.copy()
    sampled[share >= 1 << 15] = padding_value
    mixed = (share > 0) & (share < 1 << 15)
    part = share[mixed] / 65535
    values = (sampled[mixed] - part * padding_value) / (1 - part)
    limits = np.iinfo(sampled.dtype)
    sampled[mixed] = np.clip(np.rint(values), limits.min, limits.max).astype(sampled.dtype)
    return sampled
