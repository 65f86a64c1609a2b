"""Temperature, threshold and indeterminate band, fixed on validation patients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar

FloatArray = npt.NDArray[np.float64]

THRESHOLD_RULE = "the probability at which sensitivity + specificity is largest on the validation patients"
#: Outside the indeterminate band at most this share of either class may be on the wrong side.
BAND_ERROR = 0.02


@dataclass(frozen=True, slots=True)
class Calibration:
    """What is fixed on the validation patients."""

    temperature: float
    threshold: float
    indeterminate: tuple[float, float]


def balanced_weights(labels: npt.NDArray[np.int64]) -> FloatArray:
    """Weights under which both classes count alike (a prevalence of one half), mean 1, shape (n,)."""
    counts = np.bincount(labels)
    return len(labels) / (len(counts) * counts[labels])


def positive_probability(logits: FloatArray, temperature: float) -> FloatArray:
    """P(last class) of two-class logits (n, 2), shape (n,)."""
    return 1 / (1 + np.exp(-(logits[:, 1] - logits[:, 0]) / temperature))


def calibrate(logits: FloatArray, labels: npt.NDArray[np.int64]) -> Calibration:
    """Fit on validation logits (n, 2) and class indices (n,).

    Temperature minimises the class-balanced log loss; threshold: THRESHOLD_RULE, in the middle of the gap; the
    band reaches from the BAND_ERROR quantile of the positives to the 1 - BAND_ERROR quantile of the negatives, and
    always holds the threshold.
    """
    weights = balanced_weights(labels)
    margin = logits[:, 1] - logits[:, 0]
    sign = np.where(labels == 1, 1.0, -1.0)

    def log_loss(log_temperature: float) -> float:
        return float(np.mean(weights * np.logaddexp(0, -sign * margin / np.exp(log_temperature))))

    temperature = float(np.exp(minimize_scalar(log_loss, bounds=(-2.5, 2.5), method="bounded").x))
    p = positive_probability(logits, temperature)
    order = np.sort(np.unique(p))
    cuts = (order[1:] + order[:-1]) / 2
    sensitivity = np.array([(p[labels == 1] >= cut).mean() for cut in cuts])
    specificity = np.array([(p[labels == 0] < cut).mean() for cut in cuts])
    threshold = float(cuts[np.argmax(sensitivity + specificity)])
    low = float(np.quantile(p[labels == 1], BAND_ERROR))
    high = float(np.quantile(p[labels == 0], 1 - BAND_ERROR))
    return Calibration(temperature, threshold, (min(low, threshold), max(high, threshold)))
