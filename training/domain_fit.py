"""Fit the domain check on films; set its limits on what it says of films of patients it did not see.

Only films are used, as they are, slightly changed in tone and position, and zoomed vertically: none of the kinds
that benchmarks/domain.py tests (noise, blank, photographs, limbs, rotated, inverted, half cropped, text).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from cxr_core.domain import GRID_FEATURES, DomainCheck, features
from cxr_core.preprocess import to_input
from training.datasets.examples import Example
from training.pictures import Picture

FloatArray = npt.NDArray[np.float32]

#: Films that are looked at at most: more say little more, and the features of one take 20 kB.
LARGEST_SAMPLE = 5000
#: Gradient grid and tone statistics.
FEATURES = GRID_FEATURES + 12
LIMIT_FOLDS = 3
COMPONENTS = 30
HIDDEN_UNITS = 64
#: Shares of the films beyond the limits of distance, tone and framing.
LIMIT_SHARES = (0.004, 0.001, 0.0075)
#: Heights that are left of a film when it is zoomed vertically to teach what missing parts look like, 0 to 1.
ZOOM_HEIGHTS = (0.55, 0.80)


def chosen_films(films: list[Example]) -> list[Example]:
    """All films, or of more than LARGEST_SAMPLE those of the lowest digests: any of them, and always the same."""
    if len(films) <= LARGEST_SAMPLE:
        return films
    chosen = set(sorted(film.sha256 for film in films)[:LARGEST_SAMPLE])
    return [film for film in films if film.sha256 in chosen]


def fit_domain_check(pictures: Iterable[Picture], patients: Sequence[str], seed: int) -> DomainCheck:
    """Fit on all films; the limits come from the scores that films get of checks that never saw their patients.

    Extreme quantiles of a small part would be noise: all films together say better where their ends are.

    Parameters
    ----------
    pictures : iterable of numpy.ndarray
        8-bit pictures, axes (row, column); taken one by one.
    patients : sequence of str
        Patient group of each.
    seed : int
    """
    rng = np.random.default_rng(seed)
    groups = np.random.default_rng(seed).permutation(len(set(patients)))
    fold = groups[np.unique(patients, return_inverse=True)[1]] % LIMIT_FOLDS
    films = np.empty((len(patients), 2, FEATURES), np.float32)
    zoomed = np.empty((len(patients), 2, GRID_FEATURES), np.float32)
    for number, picture in enumerate(pictures):
        film = picture.astype(np.float32) / np.float32(255)
        films[number] = _features([film, _varied(film, rng)])
        zoomed[number] = _features([_zoomed(_varied(film, rng), rng) for _ in range(2)])[:, :GRID_FEATURES]
    raw = np.empty((len(patients), 3), np.float32)
    for left_out in range(LIMIT_FOLDS):
        inside = fold == left_out
        if inside.any() and not inside.all():
            raw[inside] = _fitted(films[~inside], zoomed[~inside], seed).scores(films[inside, 0])
        else:
            raw[inside] = _fitted(films, zoomed, seed).scores(films[inside, 0])
    limit = [np.quantile(raw[:, part], 1 - share) for part, share in enumerate(LIMIT_SHARES)]
    check = _fitted(films, zoomed, seed)
    return replace(check, typical=np.median(raw, axis=0).astype(np.float32), limit=np.array(limit, np.float32))


def _fitted(pictures: FloatArray, zoomed: FloatArray, seed: int) -> DomainCheck:
    """A check of features (n, 2, 1164) of films and grids (n, 2, 1152) of zoomed films; its limits are still 1."""
    films, zoomed = pictures.reshape(-1, FEATURES), zoomed.reshape(-1, GRID_FEATURES)
    grids, tones = films[:, :GRID_FEATURES], films[:, GRID_FEATURES:]
    mean, scale = grids.mean(axis=0), grids.std(axis=0)
    tone_axes, tone_deviations = _principal(tones, tones.shape[1])
    perceptron = MLPClassifier((HIDDEN_UNITS,), alpha=1.0, max_iter=25, early_stopping=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the iterations are a bound on purpose
        perceptron.fit((np.concatenate([grids, zoomed]) - mean) / scale, np.repeat([0, 1], [len(grids), len(zoomed)]))
    return DomainCheck(
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
