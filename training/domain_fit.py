"""Fit the domain check on training films; set its limits on validation films.

Only films are used, as they are, slightly changed in tone and position, and zoomed vertically: none of the kinds
that benchmarks/domain.py tests (noise, blank, photographs, limbs, rotated, inverted, half cropped, text).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt
from sklearn.neural_network import MLPClassifier

from cxr_core.domain import GRID_FEATURES, DomainCheck, features
from cxr_core.preprocess import to_input
from training.pictures import Picture

FloatArray = npt.NDArray[np.float32]

COMPONENTS = 30
HIDDEN_UNITS = 64
#: Shares of the validation films beyond the limits of distance, tone and framing.
LIMIT_SHARES = (0.004, 0.001, 0.01)
#: Heights that are left of a film when it is zoomed vertically to teach what missing parts look like, 0 to 1.
ZOOM_HEIGHTS = (0.55, 0.80)


def fit_domain_check(train: Sequence[Picture], validation: Sequence[Picture], seed: int) -> DomainCheck:
    """Fit on 8-bit pictures of films, axes (row, column)."""
    rng = np.random.default_rng(seed)
    train, validation = ([picture.astype(np.float32) / 255 for picture in films] for films in (train, validation))
    films = _features([*train, *(_varied(film, rng) for film in train)])
    zoomed = _features([_zoomed(_varied(film, rng), rng) for film in train for _ in range(2)])
    grids, tones = films[:, :GRID_FEATURES], films[:, GRID_FEATURES:]
    zoomed = zoomed[:, :GRID_FEATURES]
    mean, scale = grids.mean(axis=0), grids.std(axis=0)
    tone_axes, tone_deviations = _principal(tones, tones.shape[1])
    perceptron = MLPClassifier((HIDDEN_UNITS,), alpha=1.0, max_iter=25, early_stopping=True, random_state=seed)
    perceptron.fit((np.concatenate([grids, zoomed]) - mean) / scale, np.repeat([0, 1], [len(grids), len(zoomed)]))
    check = DomainCheck(
        mean=mean.astype(np.float32),
        components=_principal(grids, COMPONENTS)[0],
        tone_mean=tones.mean(axis=0),
        tone_components=tone_axes / tone_deviations[:, np.newaxis],
        scale=scale.astype(np.float32),
        hidden_kernel=perceptron.coefs_[0].astype(np.float32),
        hidden_bias=perceptron.intercepts_[0].astype(np.float32),
        output_kernel=perceptron.coefs_[1][:, 0].astype(np.float32),
        output_bias=perceptron.intercepts_[1][0].astype(np.float32),
        typical=np.zeros(3, np.float32),
        limit=np.ones(3, np.float32),
    )
    raw = check.scores(_features(validation))
    limit = [np.quantile(raw[:, part], 1 - share) for part, share in enumerate(LIMIT_SHARES)]
    return replace(check, typical=np.median(raw, axis=0).astype(np.float32), limit=np.array(limit, np.float32))


def _principal(values: FloatArray, count: int) -> tuple[FloatArray, FloatArray]:
    """The first principal axes of values (n, m), (count, m), and the standard deviations along them, (count,)."""
    variances, axes = np.linalg.eigh(np.cov(values.T))
    largest = np.argsort(variances)[::-1][:count]
    return axes[:, largest].T.astype(np.float32), np.sqrt(variances[largest]).astype(np.float32)


def _features(films: Sequence[FloatArray]) -> FloatArray:
    return np.stack([features(to_input(film, "zero_to_one")[:, :, 0]) for film in films])


def _varied(film: FloatArray, rng: np.random.Generator) -> FloatArray:
    """What positioning and export change: rotation to 4 degrees, zoom, stretch and shift of a few per cent, tone."""
    rows, columns = film.shape
    centre = np.array([columns / 2, rows / 2])
    turn = cv2.getRotationMatrix2D((columns / 2, rows / 2), rng.uniform(-4, 4), rng.uniform(0.95, 1.08))
    stretch = np.exp(rng.uniform(-0.08, 0.08))
    turn[:, :2] = turn[:, :2] @ np.diag([stretch, 1 / stretch])
    turn[:, 2] = centre - turn[:, :2] @ centre + rng.uniform(-0.03, 0.03, 2) * centre * 2
    moved = cv2.warpAffine(film, turn, (columns, rows), borderMode=cv2.BORDER_REPLICATE)
    low, high = rng.uniform(-0.08, 0.08), rng.uniform(0.92, 1.1)
    return np.asarray(np.clip((moved - low) / (high - low), 0, 1) ** np.exp(rng.uniform(-0.35, 0.35)), np.float32)


def _zoomed(film: FloatArray, rng: np.random.Generator) -> FloatArray:
    height = round(rng.uniform(*ZOOM_HEIGHTS) * film.shape[0])
    top = rng.integers(0, film.shape[0] - height + 1)
    return film[top : top + height]
