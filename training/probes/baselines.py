"""Trivial baselines: what can be told from a film's shape, from 64 grey values, or from its border alone.

A model that is hardly better than these may have learnt no more than they did. Each is a logistic regression on
standardised features, fitted on training examples and measured on the held-out ones.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from training.datasets.examples import Example
from training.probes.figures import Figures, Probabilities, ProbeError, Targets, figures_of

FloatArray = npt.NDArray[np.float32]

THUMBNAIL_SIDE = 8
#: The border baseline looks at the outer 2 of 25 cells on each side: 8 % of the side, the border of the shortcut probe.
_BORDER_CELLS, _BORDER_GRID = 2, 25
#: Columns of a table of original sizes, for copies that were squashed to a square.
SIZE_COLUMNS = ("file", "original_w", "original_h")


@dataclass(frozen=True, eq=False, slots=True)
class BaselineFeatures:
    """What the baselines see of n examples."""

    thumbnail: FloatArray
    """(n, 64)"""

    border: FloatArray
    """(n, 184)"""

    aspect: npt.NDArray[np.float64]
    """(n,) logarithm of width over height of the original; NaN where unknown"""


@dataclass(frozen=True, slots=True)
class Baseline:
    """One baseline as measured, or why it was not."""

    name: str
    words: str
    fitted_on: int
    figures: Figures | None
    note: str | None


def thumbnail(picture: FloatArray) -> FloatArray:
    """8 x 8 means, shape (64,)."""
    small = cv2.resize(picture, (THUMBNAIL_SIDE, THUMBNAIL_SIDE), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32).ravel()


def border(picture: FloatArray) -> FloatArray:
    """Means of the cells of the outer 8 %, shape (184,)."""
    cells = np.asarray(cv2.resize(picture, (_BORDER_GRID, _BORDER_GRID), interpolation=cv2.INTER_AREA), np.float32)
    outside = np.ones(cells.shape, bool)
    outside[_BORDER_CELLS:-_BORDER_CELLS, _BORDER_CELLS:-_BORDER_CELLS] = False
    return cells[outside]


def read_sizes(path: Path) -> dict[str, tuple[int, int]]:
    """{file: (rows, columns)} of a CSV with SIZE_COLUMNS; rows without a size are left out. Raises ProbeError."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            missing = [column for column in SIZE_COLUMNS if column not in (reader.fieldnames or ())]
            if missing:
                raise ProbeError(f"{path} without {', '.join(missing)}", ", ".join(SIZE_COLUMNS), "name another table")
            return {
                row["file"]: (int(row["original_h"]), int(row["original_w"]))
                for row in reader
                if row["original_h"] and row["original_w"] and int(row["original_h"]) > 0 and int(row["original_w"]) > 0
            }
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ProbeError(f"{path} that cannot be read", "a table of original sizes", "name another") from error
    except ValueError as error:
        raise ProbeError(f"{path} with a size that is no whole number", "pixels", "correct it") from error


def aspects(
    examples: Sequence[Example], sizes: Sequence[tuple[int, int]], originals: dict[str, tuple[int, int]]
) -> npt.NDArray[np.float64]:
    """Logarithm of width over height, NaN where unknown.

    From the table of originals where it names the file, else of the file itself unless it is square: whether a square
    file was squashed cannot be seen.
    """
    values = []
    for example, own in zip(examples, sizes, strict=True):
        known = _named(example.source.name, originals)
        rows, columns = known or own
        values.append(np.log(columns / rows) if known or rows != columns else np.nan)
    return np.array(values, np.float64)


def _named(name: str, originals: dict[str, tuple[int, int]]) -> tuple[int, int] | None:
    """The entry of a file, also when the table names it from a folder further down."""
    parts = name.replace("!", "/").split("/")
    for start in range(len(parts)):
        if (found := originals.get("/".join(parts[start:]))) is not None:
            return found
    return None


def measure_baselines(
    train: BaselineFeatures, train_targets: Targets, held_out: BaselineFeatures, targets: Targets, labels: int
) -> list[Baseline]:
    """All baselines; `targets` are class indices (n,), or 0 and 1 (n, labels)."""
    kinds = (
        ("aspect", "aspect ratio of the original alone", train.aspect[:, np.newaxis], held_out.aspect[:, np.newaxis]),
        ("thumbnail", "8 x 8 thumbnail", train.thumbnail, held_out.thumbnail),
        ("border", "border alone (the outer 8 %)", train.border, held_out.border),
    )
    return [
        _common_class(train_targets, targets, labels),
        *(_measure(name, words, fit_x, train_targets, test_x, targets, labels) for name, words, fit_x, test_x in kinds),
    ]


def _common_class(train_targets: Targets, targets: Targets, labels: int) -> Baseline:
    """The answer that is commonest in training, for every film: what accuracy is worth nothing."""
    name, words = "commonest", "the commonest training label for every film"
    if len(train_targets) == 0 or len(targets) == 0:
        return Baseline(name, words, len(train_targets), None, "no examples")
    shares = train_targets.mean(axis=0) if targets.ndim == 2 else np.bincount(train_targets, minlength=labels)
    probabilities = np.tile(shares / (1 if targets.ndim == 2 else len(train_targets)), (len(targets), 1))
    return Baseline(name, words, len(train_targets), _figures(targets, probabilities), None)


def _measure(
    name: str,
    words: str,
    fit_x: npt.NDArray[np.floating],
    fit_targets: Targets,
    test_x: npt.NDArray[np.floating],
    targets: Targets,
    labels: int,
) -> Baseline:
    fit_known, known = np.isfinite(fit_x).all(axis=1), np.isfinite(test_x).all(axis=1)
    fit_x, fit_targets, test_x, targets = fit_x[fit_known], fit_targets[fit_known], test_x[known], targets[known]
    note = None
    if not known.all() or not fit_known.all():
        note = f"known of {known.sum()} of {len(known)} held-out and {fit_known.sum()} of {len(fit_known)} others"
    if len(fit_x) == 0 or len(test_x) == 0:
        return Baseline(name, words, len(fit_x), None, "unknown" if note else "no examples")
    if fit_targets.ndim == 2:
        columns = [_positive_share(fit_x, fit_targets[:, k], test_x) for k in range(labels)]
        probabilities = np.stack(columns, axis=1)
    else:
        probabilities = np.zeros((len(test_x), labels))
        found = np.unique(fit_targets)
        if len(found) == 1:
            return Baseline(name, words, len(fit_x), None, "one label alone among the examples it was to be fitted on")
        probabilities[:, found] = _fitted(fit_x, fit_targets).predict_proba(test_x)
    return Baseline(name, words, len(fit_x), _figures(targets, probabilities), note)


def _fitted(x: npt.NDArray[np.floating], y: Targets) -> LogisticRegression:
    # C stays at its default: a baseline that is tuned would be a model.
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)).fit(x, y)


def _positive_share(fit_x: npt.NDArray[np.floating], y: Targets, test_x: npt.NDArray[np.floating]) -> Probabilities:
    """P(finding); its share in training where it is in all of them or in none."""
    if y.min() == y.max():
        return np.full(len(test_x), float(y[0]))
    return _fitted(fit_x, y).predict_proba(test_x)[:, 1]


def _figures(targets: Targets, probabilities: Probabilities) -> Figures:
    answers = probabilities.argmax(axis=1) if targets.ndim == 1 else (probabilities >= 0.5).astype(np.int64)
    return figures_of(targets, probabilities, answers)
