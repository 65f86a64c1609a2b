"""From stored pixels to the model's input: the one rule of viewer, node, command line and training.

Reduce in stored units, look up the display values, squash to the input size, repeat and scale the channel.
"""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from cxr_core.chest_image import ChestImage
from cxr_core.grayscale import GrayscaleAttributes, StoredPixels, default_voi, grayscale_table

FloatArray = npt.NDArray[np.float32]
InputScaling = Literal["zero_to_one", "minus_one_to_one"]

#: Both sides keep at least this many pixels when the image is reduced before the table.
MIN_REDUCED_SIDE = 512
#: The training copies are 224 x 224, so every film passes through that size (docs/decisions/0005).
TRAINING_SIDE = 224
#: Rows and columns of the model's input.
INPUT_SIDE = 150


def model_input(image: ChestImage, scaling: InputScaling) -> FloatArray:
    """The network's input for one image.

    Parameters
    ----------
    image : ChestImage
        An image that intake accepted.
    scaling : str
        The bundle's input scaling: "zero_to_one" or "minus_one_to_one".

    Returns
    -------
    numpy.ndarray
        float32, shape (150, 150, 3), axes (row, column, channel), the three channels equal.

    Raises
    ------
    ImageReadError
        The pixel data cannot be decoded.
    """
    return to_input(display_reduced(image), scaling)


def display_reduced(image: ChestImage) -> FloatArray:
    """Display values of the reduced image: float32 in [0, 1], axes (row, column), both sides >= 512 if they were."""
    attributes = image.attributes
    assert attributes is not None, "intake refuses an object without pixels"
    assert image.source is not None, "intake refuses an object without pixels"
    log2_factor = reduction(image.facts.rows, image.facts.columns)
    # A decoder that reduces by wavelets would smear padding into the picture, so padded images decode in full.
    stored = image.source.reduced(log2_factor) if log2_factor and attributes.padding is None else None
    padded = None
    if stored is None:
        stored, padded = area_reduced(image.stored, log2_factor, attributes)
    display = grayscale_table(attributes, default_voi(attributes, stored))(stored)
    # Padding is shown black, so a block that is padding in part is as much darker: as if the full size were averaged.
    return display if padded is None else display * (1 - padded.astype(np.float32) / np.float32(255))


def reduction(rows: int, columns: int) -> int:
    """log2 of the largest power of two that leaves both sides at least MIN_REDUCED_SIDE."""
    return max(min(rows, columns) // MIN_REDUCED_SIDE, 1).bit_length() - 1


def area_reduced(
    stored: StoredPixels, log2_factor: int, attributes: GrayscaleAttributes
) -> tuple[StoredPixels, npt.NDArray[np.uint8] | None]:
    """Block means of stored values, shape (ceil(rows / f), ceil(columns / f)) with f = 2**log2_factor.

    Padded pixels do not count; a block of nothing else stays padding. With it the share of padding in each block, 0 to
    255, where an image with padding is reduced.
    """
    if log2_factor == 0:
        return stored, None
    factor = 1 << log2_factor
    rows, columns = (-(-side // factor) for side in stored.shape)
    pad_rows, pad_columns = rows * factor - stored.shape[0], columns * factor - stored.shape[1]
    size = (columns, rows)
    if pad_rows or pad_columns:
        # Whole blocks let OpenCV take its fast path, and give the size that a JPEG 2000 decoder gives.
        stored = np.asarray(cv2.copyMakeBorder(stored, 0, pad_rows, 0, pad_columns, cv2.BORDER_REPLICATE), stored.dtype)
    means = np.asarray(cv2.resize(stored, size, interpolation=cv2.INTER_AREA), stored.dtype)
    if attributes.padding is None:
        return means, None
    low, high = attributes.padding
    padded = np.asarray(cv2.inRange(stored, low, high))  # 255 where padding
    share: npt.NDArray[np.uint8] = np.asarray(padded, np.uint8)
    for _ in range(log2_factor):  # halving is OpenCV's fastest step, and to a sixteenth no share rounds to none or all
        share = np.asarray(cv2.resize(share, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8)
    means[share == 255] = low
    # Few blocks are mixed, and only they are averaged again, without their padding: a million pixels at a time, for a
    # hostile picture mixes them all.
    step = max((1 << 20) // (columns * factor * factor), 1)
    blocks, marks = (pixels.reshape(rows, factor, columns, factor) for pixels in (stored, padded))
    ones = np.ones(factor * factor)
    for first in range(0, rows, step):
        strip = share[first : first + step]
        row, column = np.divmod(np.flatnonzero((strip > 0) & (strip < 255)), columns)
        inside = (marks[first + row, :, column] == 0).reshape(len(row), factor * factor)
        values = blocks[first + row, :, column].reshape(inside.shape) * inside
        mean = (values @ ones) / (inside @ ones)  # sums as products, exact in float64, cost a fifth
        means[first + row, column] = np.rint(mean).astype(stored.dtype)
    return means, share


def to_input(display: FloatArray, scaling: InputScaling) -> FloatArray:
    """Squash display values (row, column) in [0, 1] to the input: float32, shape (150, 150, 3)."""
    return scaled(squashed(display), scaling)


def squashed(display: FloatArray) -> FloatArray:
    """Display values (row, column) at the input's size, (150, 150), by way of 224 x 224: float32 in the same range."""
    for side in (TRAINING_SIDE, INPUT_SIDE):
        if display.shape != (side, side):
            display = np.asarray(cv2.resize(display, (side, side), interpolation=cv2.INTER_AREA), dtype=np.float32)
    return display


def scaled(display: FloatArray, scaling: InputScaling) -> FloatArray:
    """Display values of the input's size, (150, 150) in [0, 1], scaled and repeated to three channels."""
    if scaling == "minus_one_to_one":
        display = display * 2.0 - 1.0
    return np.repeat(display[:, :, np.newaxis], 3, axis=2)
