"""Augmentation that makes sense for chest radiographs: what another machine, technician or export would change.

No flips: the heart is on the left. Everything works on 8-bit pictures, which costs a fifth of the same on floats.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

from cxr_core.preprocess import INPUT_SIDE

Picture = npt.NDArray[np.uint8]

_LEVELS = np.arange(256, dtype=np.float64) / 255
_NOISE_SIDE = 512
_INPUT_SHAPE = (INPUT_SIDE, INPUT_SIDE)


def _noise_bank() -> npt.NDArray[np.int16]:
    """Normal noise of standard deviation 256, drawn once; a picture takes a random window of it."""
    return np.random.default_rng(0).normal(0, 256, (_NOISE_SIDE, _NOISE_SIDE)).astype(np.int16)


_NOISE = _noise_bank()


def augment(picture: Picture, other: Picture, rng: np.random.Generator) -> Picture:
    """One random variant of an 8-bit picture at the input's size, (150, 150), axes (row, column).

    `other` is any film's picture: now and then its border replaces this one's, so that what surrounds a chest (the
    collimation, the arms, letters) tells nothing of its label.
    """
    picture = _geometry(picture, rng)
    picture = np.asarray(cv2.LUT(picture, _tone_table(rng)), np.uint8)
    picture = _quality(picture, rng)
    return _covered(picture, other, rng)


def without_chest(picture: Picture, rng: np.random.Generator) -> Picture:
    """All but a border of 5 to 18 % of the side covered with one grey: nothing of the lungs is left to go by."""
    rows, columns = picture.shape
    top, bottom, left, right = (rows * rng.uniform(0.05, 0.18, 4)).astype(int)
    erased = picture.copy()
    erased[top : rows - bottom, left : columns - right] = rng.integers(0, 256)
    return erased


def _geometry(picture: Picture, rng: np.random.Generator) -> Picture:
    """Shift to 7 %, rotation to 8 degrees, zoom 0.85 to 1.2, stretch to 40 % in either direction, to the input's size.

    In one step from the picture to the input: two would blur it more than any film is that is served.
    """
    rows, columns = picture.shape
    angle, zoom = math.radians(rng.uniform(-8, 8)), rng.uniform(0.85, 1.2) * INPUT_SIDE / rows
    stretch = math.exp(rng.uniform(-0.17, 0.17))  # width against height: exp(0.34) = 1.4
    cos, sin = zoom * math.cos(angle), zoom * math.sin(angle)
    turn = np.array([[cos * stretch, sin / stretch, 0.0], [-sin * stretch, cos / stretch, 0.0]])
    center = np.array([columns / 2, rows / 2])
    turn[:, 2] = INPUT_SIDE / 2 - turn[:, :2] @ center + rng.uniform(-0.07, 0.07, 2) * INPUT_SIDE
    border = cv2.BORDER_CONSTANT if rng.random() < 0.5 else cv2.BORDER_REPLICATE
    return np.asarray(cv2.warpAffine(picture, turn, _INPUT_SHAPE, flags=cv2.INTER_LINEAR, borderMode=border))


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
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.3, 1.1)))
    if rng.random() < 0.4:
        row, column = rng.integers(0, _NOISE_SIDE - max(picture.shape), 2)
        window = _NOISE[row : row + picture.shape[0], column : column + picture.shape[1]]
        scale = rng.uniform(0.005, 0.03) * 255 / 256
        noise = cv2.multiply(window, scale)  # type: ignore[call-overload]  # a number is taken, too
        picture = np.asarray(cv2.add(picture, noise, dtype=cv2.CV_8U))
    if rng.random() < 0.3:
        _, packed = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(30, 96))])
        picture = np.asarray(cv2.imdecode(packed, cv2.IMREAD_GRAYSCALE), np.uint8)
    return picture


def _covered(picture: Picture, other: Picture, rng: np.random.Generator) -> Picture:
    """Corners or the border covered, as letters and collimation come and go between hospitals."""
    rows, columns = picture.shape
    if rng.random() < 0.2:
        picture = picture.copy()
        for vertical in (slice(None, rows // 8), slice(-rows // 8, None)):
            for horizontal in (slice(None, columns // 5), slice(-columns // 5, None)):
                if rng.random() < 0.5:
                    picture[vertical, horizontal] = rng.integers(0, 256)
    kind = rng.random()
    if kind < 0.4:
        if kind < 0.25:
            covered = np.asarray(cv2.resize(other, (columns, rows), interpolation=cv2.INTER_LINEAR), np.uint8)
        else:
            covered = np.full_like(picture, 0 if kind < 0.32 else rng.integers(0, 256))
        top, bottom, left, right = (rows * rng.uniform(0, 0.12, 4)).astype(int)
        inside = slice(top, rows - bottom), slice(left, columns - right)
        covered[inside] = picture[inside]
        picture = covered
    return picture
