"""The visible part of an image at the resolution of the screen: stored values, sampled quickly or exactly."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from PySide6.QtCore import QRect

from cxr_core.grayscale import StoredPixels
from cxr_desktop.views.placement import Placement, inverse

_ROTATIONS = {1: cv2.ROTATE_90_CLOCKWISE, 2: cv2.ROTATE_180, 3: cv2.ROTATE_90_COUNTERCLOCKWISE}


@dataclass(frozen=True, eq=False, slots=True)
class Region:
    """Stored values of the visible part, turned as it is seen: shape (height, width) in device pixels."""

    stored: StoredPixels
    left: int
    """Of its upper left corner in the view, in device pixels."""

    top: int


def visible_region(
    stored: StoredPixels,
    placement: Placement,
    view_width: int,
    view_height: int,
    *,
    padding: tuple[int, int] | None,
    exact: bool,
    smooth: bool,
) -> Region | None:
    """What a view of that many device pixels shows of an image, or None where it shows nothing of it.

    `exact` averages every pixel where the image shrinks, otherwise it is interpolated; `smooth` interpolates where it
    is magnified, otherwise pixels are repeated. Padding is not averaged with what lies beside it.
    """
    turned_width, turned_height = placement.turned_size
    left, top = max(placement.left, 0), max(placement.top, 0)
    right = min(placement.left + turned_width, view_width)
    bottom = min(placement.top + turned_height, view_height)
    if right <= left or bottom <= top:
        return None
    part = inverse(placement.turning()).mapRect(QRect(left, top, right - left, bottom - top))
    columns = _Span(part.x(), part.x() + part.width(), placement.width, placement.columns)
    rows = _Span(part.y(), part.y() + part.height(), placement.height, placement.rows)
    sampled = _sampled(stored, rows, columns, padding, exact=exact, smooth=smooth)
    if placement.flipped:
        sampled = np.asarray(cv2.flip(sampled, 1), sampled.dtype)
    if placement.quarter_turns:
        sampled = np.asarray(cv2.rotate(sampled, _ROTATIONS[placement.quarter_turns]), sampled.dtype)
    return Region(sampled, left, top)


@dataclass(frozen=True, slots=True)
class _Span:
    """Device pixels `first` to `behind` of an axis that has `pixels` device pixels for `size` image pixels."""

    first: int
    behind: int
    pixels: int
    size: int

    @property
    def step(self) -> float:
        """Image pixels for a device pixel."""
        return self.size / self.pixels


def _sampled(
    stored: StoredPixels, rows: _Span, columns: _Span, padding: tuple[int, int] | None, *, exact: bool, smooth: bool
) -> StoredPixels:
    if rows.step == 1 and columns.step == 1:
        return np.ascontiguousarray(stored[rows.first : rows.behind, columns.first : columns.behind])
    interpolation = cv2.INTER_LINEAR if smooth or max(rows.step, columns.step) > 1 else cv2.INTER_NEAREST
    # The centre of a device pixel to a place between the centres of image pixels, which OpenCV counts from 0.
    matrix = np.array(
        [
            [columns.step, 0, (columns.first + 0.5) * columns.step - 0.5],
            [0, rows.step, (rows.first + 0.5) * rows.step - 0.5],
        ]
    )
    size = (columns.behind - columns.first, rows.behind - rows.first)
    return np.asarray(
        cv2.warpAffine(
            stored, matrix, size, flags=interpolation | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE
        ),
        stored.dtype,
    )
