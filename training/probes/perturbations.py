"""Deterministic copies of a picture: what another window, machine, export or compression would have made of it.

Every copy works on the 224 x 224 picture through which the model's input passes (cxr_core.preprocess.to_input), so
that a blur or a compression is of the same strength whatever size the film had: float32 in [0, 1], axes (row, column).
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Change:
    """One kind of copy."""

    name: str
    words: str
    """What was done, for a person."""

    apply: Callable[[FloatArray], FloatArray]
    """Picture to changed picture, same shape and range; the same picture always gives the same copy."""


def windowed(picture: FloatArray, low: float, high: float) -> FloatArray:
    """Display values `low` to `high` spread over 0 to 1; outside of [0, 1] they make the window wider."""
    return np.asarray(np.clip((picture - low) / (high - low), 0, 1), np.float32)


def stretched(picture: FloatArray, horizontal: float, vertical: float) -> FloatArray:
    """The picture enlarged about its centre by a factor in each direction, and cut to its size again.

    The training copies are films squashed to a square. A film whose field is narrower by 1 / 1.25 arrives there with
    its chest 25 % wider and what lay at the sides outside; one that is lower, and so relatively wider, arrives with
    its chest 25 % taller. No content is invented.
    """
    rows, columns = picture.shape
    turn = np.array(
        [[horizontal, 0, (1 - horizontal) * (columns - 1) / 2], [0, vertical, (1 - vertical) * (rows - 1) / 2]]
    )
    return np.asarray(cv2.warpAffine(picture, turn, (columns, rows), flags=cv2.INTER_LINEAR), np.float32)


def blurred(picture: FloatArray, sigma_px: float) -> FloatArray:
    """Gaussian blur, sigma in pixels."""
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma_px, borderType=cv2.BORDER_REPLICATE), np.float32)


def noisy(picture: FloatArray, deviation: float) -> FloatArray:
    """Normal noise of a standard deviation in display values, seeded by the picture itself."""
    rng = np.random.default_rng(zlib.crc32(np.ascontiguousarray(picture).tobytes()))
    return np.asarray(np.clip(picture + rng.normal(0, deviation, picture.shape), 0, 1), np.float32)


def recompressed(picture: FloatArray, quality: int) -> FloatArray:
    """8-bit JPEG and back."""
    _, packed = cv2.imencode(".jpg", np.rint(picture * 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(packed, cv2.IMREAD_GRAYSCALE), np.float32) / np.float32(255)


# 25 %: in the Kaggle originals width / height is 1.21 of NORMAL and 1.50 of PNEUMONIA films, a ratio of 1.24, so this
# carries the shape of one class into the other.
STRETCHED_HORIZONTAL = Change(
    "stretched_horizontal",
    "stretched 25 % horizontally: a film of four fifths of the width, squashed to the same square",
    lambda picture: stretched(picture, 1.25, 1),
)
STRETCHED_VERTICAL = Change(
    "stretched_vertical",
    "stretched 25 % vertically: a film of four fifths of the height (relatively wider), squashed to the same square",
    lambda picture: stretched(picture, 1, 1.25),
)

#: Set when training.augment drew less. What it draws now holds nearly all of them: the narrowed window and JPEG 30 lie
#: at its end, both gammas (it draws 0.6 to 1.65), both stretches (to 1.4), the blur (1.0 of the input's pixels; to 1.1)
#: and the noise (0.021 at the input's size; to 0.03) inside it; the widened window alone is wider than those drawn
#: (0.15 at either end), and reached with the flattest contrast only. Inside it the network was told not to mind, and
#: the report says so.
PERTURBATIONS = (
    Change(
        "window_narrow",
        "window narrowed: values 0.15 to 0.85 spread over the whole range",
        lambda picture: windowed(picture, 0.15, 0.85),
    ),
    Change(
        "window_wide",
        "window widened: the whole range pressed into five sevenths of it",
        lambda picture: windowed(picture, -0.2, 1.2),
    ),
    Change("gamma_up", "gamma 1.6: darker", lambda picture: np.asarray(picture**1.6, np.float32)),
    Change("gamma_down", "gamma 1 / 1.6: lighter", lambda picture: np.asarray(picture ** (1 / 1.6), np.float32)),
    STRETCHED_HORIZONTAL,
    STRETCHED_VERTICAL,
    Change("blurred", "blurred, sigma 1.5 of 224 pixels", lambda picture: blurred(picture, 1.5)),
    Change("noisy", "noise of standard deviation 0.04", lambda picture: noisy(picture, 0.04)),
    Change("jpeg_30", "recompressed as JPEG of quality 30", lambda picture: recompressed(picture, 30)),
)
