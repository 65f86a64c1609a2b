"""Intercept, temperature, threshold and indeterminate band, fixed on patients that the network was not fitted on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize, minimize_scalar

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

THRESHOLD_RULE = "one half: at the prevalence that the probabilities hold for, neither answer is then the likelier one"
#: Outside the indeterminate band at most this share of either class may be on the wrong side.
BAND_ERROR = 0.02
#: The band may not swallow the answers of a weak model: it stays within these probabilities.
BAND_LIMITS = (0.2, 0.8)


@dataclass(frozen=True, slots=True)
class Calibration:
    """What is fixed on the calibration patients."""

    intercept: float
    """Added to the positive logit of two classes; 0 for other tasks. `fit` folds it into the network's last bias."""

    temperature: float
    thresholds: dict[str, float]
    threshold_rule: str
    indeterminate: tuple[float, float] | None


#: Of a run whose validation part judges the recipe.
UNCALIBRATED = Calibration(0.0, 1.0, {}, "none", None)


def balanced_weights(labels: IntArray) -> FloatArray:
    """Weights under which all classes count alike, mean 1, shape (n,)."""
    counts = np.bincount(labels)
    present = np.count_nonzero(counts)
    return np.asarray(len(labels) / (present * counts[labels]), np.float64)


def positive_probability(logits: FloatArray, temperature: float) -> FloatArray:
    """P(last class) of two-class logits (n, 2), shape (n,)."""
    return np.asarray(1 / (1 + np.exp(-(logits[:, 1] - logits[:, 0]) / temperature)))


def calibrate_binary(clean: FloatArray, varied: FloatArray, labels: IntArray, positive: str) -> Calibration:
    """Calibrate a two-class network whose last class is positive.

    Parameters
    ----------
    clean : numpy.ndarray
        Logits (n, 2) of the calibration films as they are.
    varied : numpy.ndarray
        Logits (m, n, 2) of m augmented copies of them. Films as they are and copies have half of the say each in the
        intercept (Platt, Probabilistic Outputs for Support Vector Machines, 1999), so that it serves films that
        arrive otherwise, too (Tomani et al., Post-hoc Uncertainty Calibration for Domain Drift Scenarios, CVPR 2021).
        The temperature is the higher one of the two.
    labels : numpy.ndarray
        Class indices (n,). Both classes count alike.
    """
    weights = balanced_weights(labels)
    copies = len(varied)
    margins, varied_margins = clean[:, 1] - clean[:, 0], (varied[..., 1] - varied[..., 0]).ravel()
    intercept, slope = _platt(margins, labels, weights)
    temperature = 1 / slope
    if copies:
        half = np.concatenate([np.tile(margins, copies), varied_margins])
        intercept, _ = _platt(half, np.tile(labels, 2 * copies), np.tile(weights, 2 * copies))
        _, varied_slope = _platt(varied_margins, np.tile(labels, copies), np.tile(weights, copies))
        temperature = max(temperature, 1 / varied_slope)
    # Half of the way is the threshold: the intercept must put it there at whatever temperature.
    p = positive_probability(clean + np.array([0.0, intercept]), temperature)
    low = max(float(np.quantile(p[labels == 1], BAND_ERROR)), BAND_LIMITS[0])
    high = min(float(np.quantile(p[labels == 0], 1 - BAND_ERROR)), BAND_LIMITS[1])
    return Calibration(intercept, temperature, {positive: 0.5}, THRESHOLD_RULE, (min(low, 0.5), max(high, 0.5)))


def calibrate_classes(logits: FloatArray, labels: IntArray) -> Calibration:
    """Temperature for logits (n, classes) of three or more classes; the largest probability decides."""
    weights = balanced_weights(labels)

    def log_loss(log_temperature: float) -> float:
        tempered = logits / np.exp(log_temperature)
        tempered = tempered - tempered.max(axis=1, keepdims=True)
        log_p = tempered - np.log(np.exp(tempered).sum(axis=1, keepdims=True))
        return float(-np.mean(weights * log_p[np.arange(len(labels)), labels]))

    temperature = float(np.exp(minimize_scalar(log_loss, bounds=(-2.5, 2.5), method="bounded").x))
    return Calibration(0.0, temperature, {}, "the largest probability", None)


def calibrate_findings(logits: FloatArray, targets: IntArray, names: tuple[str, ...]) -> Calibration:
    """One temperature for logits (n, findings); a threshold for each where sensitivity + specificity is largest."""

    def log_loss(log_temperature: float) -> float:
        return float(np.mean(np.logaddexp(0, -np.where(targets == 1, 1.0, -1.0) * logits / np.exp(log_temperature))))

    temperature = float(np.exp(minimize_scalar(log_loss, bounds=(-2.5, 2.5), method="bounded").x))
    p = 1 / (1 + np.exp(-logits / temperature))
    thresholds = {name: _youden(p[:, index], targets[:, index]) for index, name in enumerate(names)}
    rule = "the probability at which sensitivity + specificity is largest on the calibration patients"
    return Calibration(0.0, temperature, thresholds, rule, None)


def _platt(margin: FloatArray, labels: IntArray, weights: FloatArray) -> tuple[float, float]:
    """(intercept, slope) of P(positive) = sigmoid(slope * (margin + intercept)), with a prior that no slope explodes.

    The prior is half a film of each class on the wrong side (Platt's own smoothing of the targets).
    """
    counts = np.bincount(labels, minlength=2)
    target = np.where(labels == 1, (counts[1] + 1) / (counts[1] + 2), 1 / (counts[0] + 2))

    def loss(parameters: FloatArray) -> float:
        score = np.exp(parameters[1]) * (margin + parameters[0])
        return float(np.mean(weights * (target * np.logaddexp(0, -score) + (1 - target) * np.logaddexp(0, score))))

    found = minimize(loss, np.zeros(2), method="Nelder-Mead", options={"xatol": 1e-5, "fatol": 1e-9, "maxiter": 2000})
    return float(found.x[0]), float(np.exp(np.clip(found.x[1], -3, 3)))


def _youden(p: FloatArray, labels: IntArray) -> float:
    """The cut, in the middle of a gap, with the largest sensitivity + specificity; 0.5 where a class is missing."""
    from sklearn.metrics import roc_curve

    if labels.min() == labels.max() or np.ptp(p) == 0:
        return 0.5
    false_rate, true_rate, cuts = roc_curve(labels, p, drop_intermediate=False)
    best = int(np.argmax(true_rate - false_rate))
    below = p[p < cuts[best]]
    return float((cuts[best] + below.max()) / 2) if len(below) and np.isfinite(cuts[best]) else 0.5
