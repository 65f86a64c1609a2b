"""Augmentation that makes sense for chest radiographs: what another machine, technician or export would change.

No flips: the heart is on the left.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]


def augment(display: FloatArray, rng: np.random.Generator) -> FloatArray:
    """One random variant of display values (float32 in [0, 1], axes (row, column)), same shape."""
    picture = _geometry(display, rng)
    picture = _tone(picture, rng)
    return _quality(picture, rng)


def _geometry(picture: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Shift to 7 %, rotation to 8 degrees, zoom 0.85 to 1.2, stretch to 15 % in either direction."""
    rows, columns = picture.shape
    angle, zoom, stretch = rng.uniform(-8, 8), rng.uniform(0.85, 1.2), np.exp(rng.uniform(-0.15, 0.15))
    turn = cv2.getRotationMatrix2D((columns / 2, rows / 2), angle, zoom)
    turn[:, :2] = turn[:, :2] @ np.diag([stretch, 1 / stretch])
    center = np.array([columns / 2, rows / 2])
    turn[:, 2] = center - turn[:, :2] @ center + rng.uniform(-0.07, 0.07, 2) * center * 2
    border = cv2.BORDER_CONSTANT if rng.random() < 0.5 else cv2.BORDER_REPLICATE
    return np.asarray(cv2.warpAffine(picture, turn, (columns, rows), flags=cv2.INTER_LINEAR, borderMode=border))


def _tone(picture: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Window (up to 12 % cut at either end, or the range narrowed) and gamma 0.65 to 1.5."""
    low, high = rng.uniform(-0.12, 0.12), rng.uniform(0.88, 1.15)
    picture = np.clip((picture - low) / (high - low), 0, 1)
    return np.asarray(picture ** np.exp(rng.uniform(-0.43, 0.41)), dtype=np.float32)


def _quality(picture: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Blur, noise and JPEG compression, each on about half of the pictures."""
    if rng.random() < 0.5:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.3, 1.2)))
    if rng.random() < 0.5:
        picture = picture + rng.normal(0, rng.uniform(0.005, 0.03), picture.shape).astype(np.float32)
    grey = np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8)
    if rng.random() < 0.5:
        _, packed = cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(30, 96))])
        grey = np.asarray(cv2.imdecode(packed, cv2.IMREAD_GRAYSCALE))
    return np.asarray(grey, np.float32) / np.float32(255)
