"""Augmentation that makes sense for chest radiographs: what another machine, technician or export would change.

No flips: the heart is on the left. Everything works on 8-bit pictures, which costs a fifth of the same on floats.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]

_LEVELS = np.arange(256, dtype=np.float64) / 255
_NOISE_SIDE = 512


def _noise_bank() -> npt.NDArray[np.int16]:
    """Normal noise of standard deviation 256, drawn once; a picture takes a random window of it."""
    return np.random.default_rng(0).normal(0, 256, (_NOISE_SIDE, _NOISE_SIDE)).astype(np.int16)


_NOISE = _noise_bank()


def augment(picture: Picture, rng: np.random.Generator) -> Picture:
    """One random variant of an 8-bit picture, axes (row, column), same shape."""
    picture = _geometry(picture, rng)
    picture = np.asarray(cv2.LUT(picture, _tone_table(rng)), np.uint8)
    picture = _quality(picture, rng)
    return _covered(picture, rng)


def _geometry(picture: Picture, rng: np.random.Generator) -> Picture:
    """Shift to 7 %, rotation to 8 degrees, zoom 0.85 to 1.2, stretch to 30 % in either direction."""
    rows, columns = picture.shape
    angle, zoom = math.radians(rng.uniform(-8, 8)), rng.uniform(0.85, 1.2)
    stretch = math.exp(rng.uniform(-0.13, 0.13))  # width against height: exp(0.26) = 1.3
    cos, sin = zoom * math.cos(angle), zoom * math.sin(angle)
    turn = np.array([[cos * stretch, sin / stretch, 0.0], [-sin * stretch, cos / stretch, 0.0]])
    center = np.array([columns / 2, rows / 2])
    turn[:, 2] = center - turn[:, :2] @ center + rng.uniform(-0.07, 0.07, 2) * center * 2
    border = cv2.BORDER_CONSTANT if rng.random() < 0.5 else cv2.BORDER_REPLICATE
    return np.asarray(cv2.warpAffine(picture, turn, (columns, rows), flags=cv2.INTER_LINEAR, borderMode=border))


def _tone_table(rng: np.random.Generator) -> Picture:
    """Window (up to 15 % cut at either end, or the range narrowed), gamma 0.6 to 1.67 and contrast, shape (256,)."""
    low, high = rng.uniform(-0.15, 0.15), rng.uniform(0.85, 1.15)
    values = np.clip((_LEVELS - low) / (high - low), 0, 1) ** math.exp(rng.uniform(-0.5, 0.5))
    contrast = rng.uniform(-0.5, 0.5)  # an S-curve (positive) or its opposite, ends fixed
    values = values + contrast * values * (1 - values) * (2 * values - 1)
    return np.rint(values * 255).astype(np.uint8)


def _quality(picture: Picture, rng: np.random.Generator) -> Picture:
    """Blur, noise and JPEG compression, each on a part of the pictures."""
    if rng.random() < 0.4:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.4, 1.6)))
    if rng.random() < 0.4:
        row, column = rng.integers(0, _NOISE_SIDE - max(picture.shape), 2)
        window = _NOISE[row : row + picture.shape[0], column : column + picture.shape[1]]
        scale = rng.uniform(0.005, 0.035) * 255 / 256
        noise = cv2.multiply(window, scale)  # type: ignore[call-overload]  # a number is taken, too
        picture = np.asarray(cv2.add(picture, noise, dtype=cv2.CV_8U))
    if rng.random() < 0.3:
        _, packed = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 96))])
        picture = np.asarray(cv2.imdecode(packed, cv2.IMREAD_GRAYSCALE), np.uint8)
    return picture


def _covered(picture: Picture, rng: np.random.Generator) -> Picture:
    """Corners or the border covered, as letters and collimation come and go between hospitals."""
    rows, columns = picture.shape
    if rng.random() < 0.2:
        picture = picture.copy()
        for vertical in (slice(None, rows // 8), slice(-rows // 8, None)):
            for horizontal in (slice(None, columns // 5), slice(-columns // 5, None)):
                if rng.random() < 0.5:
                    picture[vertical, horizontal] = rng.integers(0, 256)
    if rng.random() < 0.15:
        row, column = int(rows * rng.uniform(0, 0.08)), int(columns * rng.uniform(0, 0.08))
        covered = np.full_like(picture, 0)
        covered[row : rows - row, column : columns - column] = picture[row : rows - row, column : columns - column]
        picture = covered
    return picture
