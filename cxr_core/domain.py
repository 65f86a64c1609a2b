"""The domain check: does this picture look like the films that the model was trained on, and is it whole and upright?

Two scores of the model's own input. `distance`: Mahalanobis distance of a grid of gradient orientations
(after Dalal and Triggs, Histograms of Oriented Gradients, CVPR 2005) from the training films, in their first
principal components (after Lee et al., A Simple Unified Framework for Detecting Out-of-Distribution Samples,
NeurIPS 2018). `framing`: a small perceptron on the same grid that knows films zoomed vertically. "In domain" means
near the training images, not valid here. Why the network's own embedding is not used: docs/decisions/0006.
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
    """(1152,)"""
    components: FloatArray
    """(k, 1152) principal components, each divided by its standard deviation."""
    scale: FloatArray
    """(1152,) standard deviations for the perceptron."""
    hidden_kernel: FloatArray
    """(1152, h)"""
    hidden_bias: FloatArray
    """(h,)"""
    output_kernel: FloatArray
    """(h,)"""
    output_bias: FloatArray
    """()"""
    typical: FloatArray
    """(2,) medians of distance and framing over the validation films."""
    limit: FloatArray
    """(2,) their limits."""

    def __call__(self, grey: FloatArray) -> DomainResult:
        """Check one model input's grey channel: display values in [0, 1], shape (150, 150)."""
        if float(grey.std()) < _MIN_CONTRAST:
            return DomainResult(False, 10.0, "blank picture")
        parts = self.scores(gradient_grid(grey)[np.newaxis])[0]
        score = float(parts.max())
        if score <= 1:
            return DomainResult(True, score, None)
        return DomainResult(False, score, self._explain(grey, int(parts.argmax())))

    def scores(self, grids: FloatArray) -> FloatArray:
        """(distance, framing) of gradient grids (n, 1152), shape (n, 2): 0 is typical and 1 the limit."""
        centred = grids - self.mean
        distance = np.sqrt(np.square(centred @ self.components.T).sum(axis=1))
        hidden = np.maximum(centred / self.scale @ self.hidden_kernel + self.hidden_bias, 0)
        framing = hidden @ self.output_kernel + self.output_bias
        raw = np.stack([distance, framing], axis=1)
        return np.asarray((raw - self.typical) / (self.limit - self.typical), dtype=np.float32)

    def _explain(self, grey: FloatArray, worst: int) -> str:
        """What would bring the picture into the domain, if one simple change does."""
        changes = {
            "inverted": 1 - grey,
            "rotated by 180 degrees": np.rot90(grey, 2),
            "rotated by 90 degrees": np.rot90(grey),
            "rotated by 90 degrees ": np.rot90(grey, 3),
        }
        for words, changed in changes.items():
            if self.scores(gradient_grid(np.ascontiguousarray(changed))[np.newaxis]).max() <= 1:
                return f"looks {words.strip()}"
        return (
            "part of the chest seems to be missing" if worst == 1 else "unlike the films that the model was trained on"
        )

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


def gradient_grid(grey: FloatArray) -> FloatArray:
    """Square roots of gradient magnitude by cell and signed orientation, axes (orientation, row, column) flattened.

    Shape (8 * 12 * 12,). `grey` holds display values, shape (150, 150); brightness and contrast of the whole picture
    cancel out.
    """
    small = cv2.resize(grey, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    small = (small - small.mean()) / (small.std() + 0.05)
    right, down = cv2.Sobel(small, cv2.CV_32F, 1, 0), cv2.Sobel(small, cv2.CV_32F, 0, 1)
    magnitude = np.hypot(right, down)
    turn = (np.arctan2(down, right) / (2 * np.pi) + 0.5) * _ORIENTATIONS
    lower = np.floor(turn)
    share = (turn - lower).astype(np.float32)
    lower = lower.astype(np.intp) % _ORIENTATIONS
    upper = (lower + 1) % _ORIENTATIONS
    cells = []
    for orientation in range(_ORIENTATIONS):
        part = np.where(lower == orientation, magnitude * (1 - share), 0) + np.where(
            upper == orientation, magnitude * share, 0
        )
        cells.append(cv2.resize(part.astype(np.float32), (_GRID, _GRID), interpolation=cv2.INTER_AREA))
    return np.sqrt(np.stack(cells)).ravel().astype(np.float32)
