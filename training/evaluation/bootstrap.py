"""95 % intervals by a bootstrap over patients: films of one patient are drawn together, or they would look like more.

A resample is a weight for every image (how often its patient was drawn), so that all figures of all resamples are
matrix products and cumulative sums.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

RESAMPLES = 2000
#: Weights held at a time: 2 million float64, whatever the number of images.
_CHUNK_WEIGHTS = 2_000_000

Floats = npt.NDArray[np.float64]
#: Whose figure ("" for all, else a label or a stratum), and which.
Key = tuple[str, str]
Figures = dict[Key, float]
#: Weights (resamples, images) to the values of each figure (resamples,); NaN where it is not defined.
Resampled = Callable[[Floats], Mapping[Key, Floats]]
Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class PatientBootstrap:
    """The resamples of one set of images; the same for everything that is computed on it, so differences are paired."""

    patients: Sequence[str]
    """Patient group of every image."""

    resamples: int = RESAMPLES
    seed: int = 0

    def weights(self) -> Iterator[Floats]:
        """Weights (some resamples, images), until all resamples were given."""
        names, patient = np.unique(np.asarray(self.patients), return_inverse=True)
        rng = np.random.default_rng(self.seed)
        step = max(1, _CHUNK_WEIGHTS // len(patient))
        for start in range(0, self.resamples, step):
            rows = min(step, self.resamples - start)
            drawn = rng.integers(0, len(names), (rows, len(names)))
            drawn += len(names) * np.arange(rows)[:, np.newaxis]
            counts = np.bincount(drawn.ravel(), minlength=rows * len(names)).reshape(rows, len(names))
            yield counts.astype(np.float64)[:, patient]

    def intervals(self, figures: Resampled, centres: Mapping[Key, float]) -> dict[Key, Interval | None]:
        """2.5th and 97.5th percentile of every figure over the resamples in which it is defined.

        None where it is defined in none, and for fewer than two patients. Figures in `centres` are shifted so that
        their mean over the resamples is the value given: repeating images adds calibration error (ECE), and its plain
        percentiles may not even hold the measured value.
        """
        values: dict[Key, list[Floats]] = {}
        for weights in self.weights():
            for key, value in figures(weights).items():
                values.setdefault(key, []).append(value)
        if len(set(self.patients)) < 2:
            return dict.fromkeys(values)
        return {key: _interval(np.concatenate(parts), centres.get(key)) for key, parts in values.items()}


def _interval(values: Floats, centre: float | None) -> Interval | None:
    defined = values[np.isfinite(values)]
    if not len(defined):
        return None
    low, high = np.quantile(defined, (0.025, 0.975)) + (0 if centre is None else centre - defined.mean())
    return float(low), float(high)
