"""Intercept, temperature, threshold and indeterminate band, fixed on patients that the network was not fitted on."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq, minimize, minimize_scalar
from scipy.special import expit

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
    intercepts: dict[str, float] = field(default_factory=dict)
    """Of each finding, added to its logit likewise; empty for other tasks."""

    notes: tuple[str, ...] = ()
    """What could not be fixed, a line each."""


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
    """An intercept for each finding of logits (n, findings), and one temperature; films with and without weigh alike.

    So a probability holds where a finding is as often there as not, whatever the weights of training left of its
    rarity, and one half is where sensitivity + specificity is largest: no cut is chosen on the few films that a
    rare finding has. A finding without a film, or with all films, keeps its logit, and a note says so.
    """
    both = np.flatnonzero((targets.min(axis=0, initial=1) == 0) & (targets.max(axis=0, initial=0) == 1))
    own = [(logits[:, k], _smoothed(targets[:, k]), balanced_weights(targets[:, k])) for k in both]

    def log_loss(log_temperature: float) -> float:
        temperature = np.exp(log_temperature)
        total = 0.0
        for margin, target, weights in own:
            score = (margin + _intercept(margin, target, weights, temperature)) / temperature
            total += _weighted_loss(score, target, weights)
        return total

    temperature, shifts = 1.0, {}
    if own:
        temperature = float(np.exp(minimize_scalar(log_loss, bounds=(-2.5, 2.5), method="bounded").x))
        shifts = {names[k]: _intercept(*parts, temperature) for k, parts in zip(both, own, strict=True)}
    notes = [
        f"{name}: no film {'without' if targets[:, k].any() else 'with'} it in the calibration part, so its"
        " probability is not calibrated"
        for k, name in enumerate(names)
        if name not in shifts
    ]
    intercepts = {name: shifts.get(name, 0.0) for name in names}
    return Calibration(
        0.0, temperature, dict.fromkeys(names, 0.5), THRESHOLD_RULE, None, intercepts=intercepts, notes=tuple(notes)
    )


def _intercept(margin: FloatArray, target: FloatArray, weights: FloatArray, temperature: float) -> float:
    """The shift of the margins (n,) under which their tempered probabilities add up to the targets."""

    def excess(shift: float) -> float:
        return float(np.sum(weights * (expit((margin + shift) / temperature) - target)))

    # Beyond these ends every probability is more, or less, extreme than any smoothed target.
    far = 40 * temperature
    return float(brentq(excess, -float(margin.max()) - far, -float(margin.min()) + far))


def _smoothed(labels: IntArray) -> FloatArray:
    """Targets with half a film of each class on the wrong side (Platt's own), so that no slope explodes, shape (n,)."""
    counts = np.bincount(labels, minlength=2)
    return np.asarray(np.where(labels == 1, (counts[1] + 1) / (counts[1] + 2), 1 / (counts[0] + 2)))


def _weighted_loss(score: FloatArray, target: FloatArray, weights: FloatArray) -> float:
    """Log loss of logits (n,)."""
    return float(np.mean(weights * (target * np.logaddexp(0, -score) + (1 - target) * np.logaddexp(0, score))))


def _platt(margin: FloatArray, labels: IntArray, weights: FloatArray) -> tuple[float, float]:
    """(intercept, slope) of P(positive) = sigmoid(slope * (margin + intercept)); targets smoothed."""
    target = _smoothed(labels)

    def loss(parameters: FloatArray) -> float:
        return _weighted_loss(np.exp(parameters[1]) * (margin + parameters[0]), target, weights)

    found = minimize(loss, np.zeros(2), method="Nelder-Mead", options={"xatol": 1e-5, "fatol": 1e-9, "maxiter": 2000})
    return float(found.x[0]), float(np.exp(np.clip(found.x[1], -3, 3)))
