"""Are the probabilities right? Expected calibration error with its null, slope and intercept, reliability bins."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

ECE_BINS = 15
SIMULATIONS = 2000
#: Probabilities are kept this far from 0 and 1 before a logarithm is taken, as scikit-learn's log_loss does.
EPSILON = float(np.finfo(np.float64).eps)
#: Newton's method ends at a step this small: it squares the error, so what is left is about 1e-8.
_STEP = 1e-4

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def bin_of(probability: Floats, bins: int = ECE_BINS) -> Ints:
    """The equal-width bin of each probability, 0 to bins - 1."""
    return np.minimum((probability * bins).astype(np.int64), bins - 1)


def bin_residuals(truth: npt.ArrayLike, probability: Floats) -> Floats:
    """truth - probability in the column of its bin, zero elsewhere: shape (n, ECE_BINS)."""
    columns = np.zeros((len(probability), ECE_BINS))
    columns[np.arange(len(probability)), bin_of(probability)] = np.asarray(truth, np.float64) - probability
    return columns


def expected_calibration_error(truth: npt.ArrayLike, probability: Floats) -> float:
    """Mean over images of the distance between mean probability and share of positives of their bin.

    Guo et al., On Calibration of Modern Neural Networks (ICML 2017), with 15 equal-width bins; NaN for no image.
    """
    if not len(probability):
        return float("nan")
    return float(np.abs(bin_residuals(truth, probability).sum(axis=0)).sum() / len(probability))


def simulated_errors(probability: Floats, simulations: int = SIMULATIONS, seed: int = 0) -> Floats:
    """Expected calibration errors, (simulations,), of a model that is right: labels drawn from its probabilities.

    With few images a perfect model too has an error above zero; a measured one means something beyond these only.
    """
    if not len(probability):
        return np.full(simulations, np.nan)
    rng = np.random.default_rng(seed)
    ordered = np.sort(probability)
    starts = np.flatnonzero(np.diff(bin_of(ordered), prepend=-1))
    errors = []
    step = max(1, 2_000_000 // len(ordered))
    for start in range(0, simulations, step):
        rows = min(step, simulations - start)
        residuals = (rng.random((rows, len(ordered))) < ordered) - ordered
        errors.append(np.abs(np.add.reduceat(residuals, starts, axis=1)).sum(axis=1) / len(ordered))
    return np.concatenate(errors)


def logit(probability: Floats) -> Floats:
    """log(p / (1 - p)), finite at 0 and 1 too."""
    kept = np.clip(probability, EPSILON, 1 - EPSILON)
    return np.asarray(np.log(kept) - np.log1p(-kept))


def recalibration(
    truth: Floats, logits: Floats, weights: Floats, start: tuple[float, float] = (0.0, 1.0), iterations: int = 20
) -> tuple[Floats, Floats]:
    """Intercept and slope, each (m,), of the logistic regression of truth (n,) on logits (n,) under weights (m, n).

    Cox, Two further applications of a model for binary regression (Biometrika 1958), by Newton's method. NaN where it
    does not converge: one class only, or classes that the logit separates.
    """
    intercept, slope = np.full(len(weights), start[0]), np.full(len(weights), start[1])
    squares = logits**2
    with np.errstate(all="ignore"):
        for _ in range(iterations):
            p = slope[:, np.newaxis] * logits
            p += intercept[:, np.newaxis]
            np.negative(p, out=p)
            np.exp(p, out=p)
            p += 1
            np.reciprocal(p, out=p)
            residual = weights * (truth - p)
            p *= 1 - p
            p *= weights
            g0, g1 = residual.sum(axis=1), residual @ logits
            h00, h01, h11 = p.sum(axis=1), p @ logits, p @ squares
            determinant = h00 * h11 - h01**2
            d0, d1 = (h11 * g0 - h01 * g1) / determinant, (h00 * g1 - h01 * g0) / determinant
            intercept, slope = intercept + d0, slope + d1
            moved = np.maximum(np.abs(d0), np.abs(d1))
            if not np.any(moved > _STEP):  # NaN has moved nowhere and stays
                break
    converged = (moved <= _STEP) & np.isfinite(slope)
    return np.where(converged, intercept, np.nan), np.where(converged, slope, np.nan)


def calibration_in_the_large(
    truth: Floats, logits: Floats, weights: Floats, start: float = 0.0, iterations: int = 20
) -> Floats:
    """The intercept, (m,), when the slope is held at 1: above 0, positives are more frequent than the model says."""
    intercept = np.full(len(weights), start)
    with np.errstate(all="ignore"):
        for _ in range(iterations):
            p = 1 / (1 + np.exp(-(logits + intercept[:, np.newaxis])))
            step = (weights @ truth - np.einsum("mn,mn->m", weights, p)) / np.einsum("mn,mn,mn->m", weights, p, 1 - p)
            intercept = intercept + step
            if not np.any(np.abs(step) > _STEP):
                break
    return np.where((np.abs(step) <= _STEP) & np.isfinite(intercept), intercept, np.nan)
