"""The domain check: does this picture look like the films that the model was trained on, and is it whole and upright?

Three scores of the model's own input. `distance`: what the first principal components of the training films leave
over of a grid of gradient orientations (the Q statistic of Jackson and Mudholkar, Technometrics 1979; the grid after
Dalal and Triggs, Histograms of Oriented Gradients, CVPR 2005). `tone`: Mahalanobis distance of contrast by scale,
entropy and quantiles. `framing`: a small perceptron on the grid that knows films zoomed vertically.
"In domain" means near the training images, not valid here. Why the network's own embedding is not used:
docs/decisions/0006.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from zipfile import BadZipFile

import cv2
import numpy as np
import numpy.typing as npt

from cxr_core.errors import BundleError

FloatArray = npt.NDArray[np.float32]

_SIDE, _GRID, _ORIENTATIONS = 96, 12, 8
GRID_FEATURES = _ORIENTATIONS * _GRID**2
_row = np.arange(_SIDE) // (_SIDE // _GRID)
_CELL = _row[:, np.newaxis] * _GRID + _row
#: Less contrast than this (standard deviation of display values, 0 to 1) is a blank picture.
_MIN_CONTRAST = 0.02


@dataclass(frozen=True, slots=True)
class DomainResult:
    """The check's answer for one image."""

    in_domain: bool
    score: float
    """Rises with the distance from the training films; 1 is the limit."""

    reason: str | None
    """In words, when out of domain."""


@dataclass(frozen=True, eq=False, slots=True)
class DomainCheck:
    """The fitted check of one bundle; arrays are float32 and kept in domain.npz under these names."""

    mean: FloatArray
    """(1152,) of the gradient grids"""
    components: FloatArray
    """(k, 1152) principal components, orthonormal"""
    tone_mean: FloatArray
    """(12,) of the tone statistics"""
    tone_components: FloatArray
    """(12, 12) principal components, each divided by its standard deviation"""
    scale: FloatArray
    """(1152,) standard deviations of the gradient grids, for the perceptron"""
    hidden_kernel: FloatArray
    """(1152, h)"""
    hidden_bias: FloatArray
    """(h,)"""
    output_kernel: FloatArray
    """(h,)"""
    output_bias: FloatArray
    """()"""
    typical: FloatArray
    """(3,) medians of distance, tone and framing over the validation films"""
    limit: FloatArray
    """(3,) their limits"""

    def __call__(self, grey: FloatArray) -> DomainResult:
        """Check one model input's grey channel: display values in [0, 1], shape (150, 150)."""
        if float(grey.std()) < _MIN_CONTRAST:
            return DomainResult(False, 10.0, "blank picture")
        parts = self.scores(features(grey)[np.newaxis])[0]
        score = float(parts.max())
        if score <= 1:
            return DomainResult(True, score, None)
        return DomainResult(False, score, self._explain(grey, int(parts.argmax())))

    def scores(self, pictures: FloatArray) -> FloatArray:
        """(distance, tone, framing) of features (n, 1164), shape (n, 3): 0 is typical and 1 the limit."""
        grids, tones = pictures[:, :GRID_FEATURES], pictures[:, GRID_FEATURES:]
        centred = grids - self.mean
        distance = np.linalg.norm(centred - centred @ self.components.T @ self.components, axis=1)
        tone = np.sqrt(np.square((tones - self.tone_mean) @ self.tone_components.T).sum(axis=1))
        hidden = np.maximum(centred / self.scale @ self.hidden_kernel + self.hidden_bias, 0)
        framing = hidden @ self.output_kernel + self.output_bias
        raw = np.stack([distance, tone, framing], axis=1)
        return np.asarray((raw - self.typical) / (self.limit - self.typical), dtype=np.float32)

    def _explain(self, grey: FloatArray, worst: int) -> str:
        """What would bring the picture into the domain, if one simple change does."""
        changes = {
            "looks inverted": 1 - grey,
            "looks rotated by 180 degrees": np.rot90(grey, 2),
            "looks rotated by 90 degrees to the left": np.rot90(grey, 3),
            "looks rotated by 90 degrees to the right": np.rot90(grey),
        }
        for words, changed in changes.items():
            if self.scores(features(np.ascontiguousarray(changed))[np.newaxis]).max() <= 1:
                return words
        return (
            "unlike the films that the model was trained on",
            "brightness or contrast unlike those of the films that the model was trained on",
            "part of the chest seems to be missing",
        )[worst]

    def save(self, path: Path) -> None:
        """Write the arrays to an .npz."""
        np.savez(path, allow_pickle=False, **{field.name: getattr(self, field.name) for field in fields(self)})

    @classmethod
    def load(cls, path: Path) -> DomainCheck:
        """Read the arrays. Raises BundleError."""
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                return cls(**{field.name: arrays[field.name].astype(np.float32) for field in fields(cls)})
        except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
            raise BundleError(
                "a damaged domain check", "the bundle's domain.npz", "install the bundle again"
            ) from error


def features(grey: FloatArray) -> FloatArray:
    """What the scores look at: gradient grid (1152) and tone statistics (12) of one input, float32, shape (1164,).

    `grey` holds display values in [0, 1], shape (150, 150).
    """
    return np.concatenate([gradient_grid(grey), tone_statistics(grey)])


def gradient_grid(grey: FloatArray) -> FloatArray:
    """Square roots of gradient magnitude by signed orientation and cell, axes (orientation, row, column) flattened.

    Shape (8 * 12 * 12,); brightness and contrast of the whole picture cancel out.
    """
    small = cv2.resize(grey, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    small = (small - small.mean()) / (small.std() + 0.05)
    magnitude, angle = cv2.cartToPolar(cv2.Sobel(small, cv2.CV_32F, 1, 0), cv2.Sobel(small, cv2.CV_32F, 0, 1))
    turn = angle * (_ORIENTATIONS / (2 * np.pi))
    lower = turn.astype(np.intp)
    share = turn - lower
    # Each pixel's magnitude is shared between the two orientations next to its own.
    grid = np.zeros(GRID_FEATURES)
    for orientation, part in ((lower, magnitude * (1 - share)), (lower + 1, magnitude * share)):
        index = (orientation % _ORIENTATIONS) * _GRID**2 + _CELL
        grid += np.bincount(index.ravel(), part.ravel(), GRID_FEATURES)
    return np.sqrt(grid / (_SIDE // _GRID) ** 2).astype(np.float32)


def tone_statistics(grey: FloatArray) -> FloatArray:
    """Logarithms of the contrast at six scales, entropy in bits, and five quantiles: float32, shape (12,)."""
    contrasts, level = [], grey
    for _ in range(5):
        smooth = cv2.GaussianBlur(level, (0, 0), 1.0)
        contrasts.append((level - smooth).std())
        level = np.asarray(cv2.resize(smooth, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.float32)
    contrasts.append(level.std())
    shares = np.bincount((np.clip(grey, 0, 1) * 31.999).astype(np.intp).ravel(), minlength=32) / grey.size
    shares = shares[shares > 0]
    entropy = -(shares * np.log2(shares)).sum()
    quantiles = np.quantile(grey, [0.05, 0.25, 0.5, 0.75, 0.95])
    return np.concatenate([np.log(np.array(contrasts) + 1e-3), [entropy], quantiles]).astype(np.float32)
