"""Are the maps worth looking at? Deletion and insertion, stability under a shift, and mass inside boxes.

All of them use the bundle as served, on model inputs: 150 x 150 display values, axes (row, column).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from scipy.stats import spearmanr

from cxr_core.classifier import Classifier
from cxr_core.preprocess import INPUT_SIDE, scaled, to_input
from training.probes.stream import BATCH

FloatArray = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]
Box = tuple[float, float, float, float]
"""x, y, width, height in pixels of the film, from its upper left corner."""

#: Steps in which a picture is deleted or inserted; each takes an equal share of its pixels.
STEPS = 20
#: Blur of the canvas into which is inserted (Petsiuk et al. blur ImageNet's 224 pixels with sigma 5 to 10).
_CANVAS_SIGMA_PX = 8.0
#: Pixels of the model's input by which a picture is shifted.
SHIFT_PX = 2
#: Standard deviation of the centred Gaussian prior, as a share of the side: a film's lungs lie within two of it.
PRIOR_SIGMA = 0.25

# Lines set before any model was measured against them.
#: Median rank correlation under the shift: a fifth of a cell of a 15 x 15 map may not move what is looked at.
MIN_STABILITY = 0.8


@dataclass(frozen=True, slots=True)
class CurveAreas:
    """Mean area under the probability of the label while pixels are deleted or inserted, 0 to 1 (RISE, BMVC 2018)."""

    deletion: float
    """Lower is better: what the order puts first was needed."""

    insertion: float
    """Higher is better: what the order puts first suffices."""


@dataclass(frozen=True, slots=True)
class DeletionInsertion:
    """The map's order of pixels against two that know nothing of the picture."""

    n: int
    by_map: CurveAreas
    by_centre: CurveAreas
    """The centred Gaussian, the same for every picture."""

    by_chance: CurveAreas
    """Cells of the map's grid in a random order."""

    @property
    def passed(self) -> bool:
        """Whether the map is better than chance in both; the centre is printed beside and is no line."""
        return self.by_map.deletion < self.by_chance.deletion and self.by_map.insertion > self.by_chance.insertion


@dataclass(frozen=True, slots=True)
class RankCorrelation:
    """Of maps with what they become, over n pictures (Spearman); 0 where either map is constant."""

    n: int
    median: float
    lowest_twentieth: float
    """5th percentile."""


def centred_gaussian(rows: int, columns: int) -> FloatArray:
    """The prior that says "the middle of the film", maximum near 1, shape (rows, columns)."""
    row, column = (np.exp(-(((np.arange(n) + 0.5) / n - 0.5) ** 2) / (2 * PRIOR_SIGMA**2)) for n in (rows, columns))
    return np.outer(row, column).astype(np.float32)


def enlarged(cam: FloatArray, rows: int, columns: int) -> FloatArray:
    """A map on its native grid over the whole picture, bilinear."""
    return np.asarray(cv2.resize(cam, (columns, rows), interpolation=cv2.INTER_LINEAR), np.float32)


def grey_of(picture: FloatArray) -> FloatArray:
    """The model's input of a picture before scaling and repeating, shape (150, 150)."""
    return np.ascontiguousarray(to_input(picture, "zero_to_one")[:, :, 0])


def probabilities_of(classifier: Classifier, greys: Sequence[FloatArray]) -> tuple[Floats, FloatArray]:
    """Probabilities (n, labels) and maps (n, labels, rows, columns) of greys, each (150, 150)."""
    scaling = classifier.bundle.manifest.input_scaling
    probabilities, maps = [], []
    for start in range(0, len(greys), BATCH):
        outputs = classifier.outputs(np.stack([scaled(grey, scaling) for grey in greys[start : start + BATCH]]))
        probabilities.append(classifier.probabilities(outputs.logits))
        maps.append(outputs.maps)
    return np.concatenate(probabilities), np.concatenate(maps)


def deletion_insertion(
    classifier: Classifier, greys: Sequence[FloatArray], columns: npt.NDArray[np.int64]
) -> DeletionInsertion:
    """Petsiuk, Das, Saenko, RISE, BMVC 2018, of the label in `columns` (n,) of each grey.

    Deleted pixels take the mean of their picture (black would be a collimator to a radiograph); insertion starts from
    the blurred picture.
    """
    _, maps = probabilities_of(classifier, greys)
    grid = maps.shape[2:]
    rng = np.random.default_rng(0)
    areas: dict[str, list[tuple[float, float]]] = {"map": [], "centre": [], "chance": []}
    prior = centred_gaussian(INPUT_SIDE, INPUT_SIDE)
    for grey, cams, column in zip(greys, maps, columns, strict=True):
        noise = cv2.resize(rng.random(grid, np.float32), grey.shape[::-1], interpolation=cv2.INTER_NEAREST)
        chance = np.asarray(noise, np.float32)
        orders = {"map": enlarged(cams[column], *grey.shape), "centre": prior, "chance": chance}
        canvas = np.asarray(cv2.GaussianBlur(grey, (0, 0), _CANVAS_SIGMA_PX), np.float32)
        mean = np.full_like(grey, grey.mean())
        for name, importance in orders.items():
            # A map is 0 over much of a picture (ReLU): there the order is that of chance, not from the top down.
            order = np.lexsort((-chance.ravel(), -importance.ravel()))
            deleted = _curve(classifier, _steps(grey, mean, order), column)
            inserted = _curve(classifier, _steps(canvas, grey, order), column)
            areas[name].append((deleted, inserted))
    means = {name: CurveAreas(*(float(v) for v in np.mean(values, axis=0))) for name, values in areas.items()}
    return DeletionInsertion(len(greys), means["map"], means["centre"], means["chance"])


def _steps(start: FloatArray, end: FloatArray, order: npt.NDArray[np.int64]) -> list[FloatArray]:
    """STEPS + 1 pictures from `start` to `end`, whose pixels are replaced in an order of flat indices."""
    picture = start.copy()
    pictures = [start]
    for part in np.array_split(order, STEPS):
        picture.flat[part] = end.flat[part]
        pictures.append(picture.copy())
    return pictures


def _curve(classifier: Classifier, pictures: Sequence[FloatArray], column: int) -> float:
    probability = probabilities_of(classifier, pictures)[0][:, column]
    return float(np.trapezoid(probability, dx=1 / (len(pictures) - 1)))


def stability(classifier: Classifier, greys: Sequence[FloatArray], columns: npt.NDArray[np.int64]) -> RankCorrelation:
    """Rank correlation of the map with the shifted-back map of the picture moved by SHIFT_PX: mean of 4 directions."""
    _, plain = probabilities_of(classifier, greys)
    inside = (slice(SHIFT_PX, -SHIFT_PX),) * 2
    found = np.zeros((len(greys), 4))
    directions = ((SHIFT_PX, 0), (-SHIFT_PX, 0), (0, SHIFT_PX), (0, -SHIFT_PX))
    for k, (down, right) in enumerate(directions):
        _, moved = probabilities_of(classifier, [shifted(grey, down, right) for grey in greys])
        for i, column in enumerate(columns):
            before, after = (enlarged(maps[i, column], INPUT_SIDE, INPUT_SIDE) for maps in (plain, moved))
            found[i, k] = rank_correlation(before[inside], shifted(after, -down, -right)[inside])
    return summary_of(found.mean(axis=1))


def shifted(grey: FloatArray, down: int, right: int) -> FloatArray:
    """A picture moved by whole pixels, its edge repeated."""
    move = np.array([[1, 0, right], [0, 1, down]], np.float32)
    size = (grey.shape[1], grey.shape[0])
    moved = cv2.warpAffine(grey, move, size, flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, np.float32)


def rank_correlation(first: FloatArray, second: FloatArray) -> float:
    """Spearman's; 0 where either is constant or not finite, as such a map tells nothing of another."""
    finite = np.isfinite(first).all() and np.isfinite(second).all()
    if not finite or np.ptp(first) == 0 or np.ptp(second) == 0:
        return 0.0
    return float(spearmanr(first, second, axis=None).statistic)


def summary_of(values: Floats) -> RankCorrelation:
    """Median and 5th percentile of correlations."""
    return RankCorrelation(len(values), float(np.median(values)), float(np.quantile(values, 0.05)))


def mass_inside(cam: FloatArray, boxes: Sequence[Box], rows: int, columns: int) -> float:
    """Share of the map's sum that lies in the union of the boxes, on a film of rows x columns pixels; 0 of a blank map.

    The energy-based pointing game of Wang et al., Score-CAM, CVPR workshops 2020.
    """
    mask = np.zeros((rows, columns), bool)
    for x, y, width, height in boxes:
        mask[max(round(y), 0) : max(round(y + height), 0), max(round(x), 0) : max(round(x + width), 0)] = True
    large = enlarged(cam, rows, columns)
    total = float(large.sum(dtype=np.float64))
    return float(large[mask].sum(dtype=np.float64)) / total if total > 0 else 0.0
