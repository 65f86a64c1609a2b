"""Temperature, threshold and band are what their rules say."""

from __future__ import annotations

import numpy as np
import pytest

from training.calibrate import balanced_weights, calibrate, positive_probability


def logits_of(temperature: float, n: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Logits that are over-confident by `temperature`, with labels drawn from the true probabilities."""
    rng = np.random.default_rng(3)
    margin = rng.normal(0, 2, n)
    labels = (rng.random(n) < 1 / (1 + np.exp(-margin))).astype(np.int64)
    return np.stack([np.zeros(n), margin * temperature], axis=1), labels


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_temperature_is_found_again(temperature: float) -> None:
    logits, labels = logits_of(temperature)
    assert calibrate(logits, labels).temperature == pytest.approx(temperature, rel=0.08)


def test_threshold_has_the_largest_sum_of_sensitivity_and_specificity() -> None:
    logits, labels = logits_of(1.0)
    found = calibrate(logits, labels)
    p = positive_probability(logits, found.temperature)

    def youden(cut: float) -> float:
        return float((p[labels == 1] >= cut).mean() + (p[labels == 0] < cut).mean())

    assert youden(found.threshold) == pytest.approx(max(youden(cut) for cut in p), abs=1e-12)


def test_band_holds_the_threshold_and_leaves_few_errors_outside() -> None:
    logits, labels = logits_of(1.0)
    found = calibrate(logits, labels)
    low, high = found.indeterminate
    assert low <= found.threshold <= high
    p = positive_probability(logits, found.temperature)
    assert (p[labels == 1] < low).mean() <= 0.021
    assert (p[labels == 0] > high).mean() <= 0.021


def test_balanced_weights_make_classes_count_alike() -> None:
    labels = np.array([0, 1, 1, 1])
    weights = balanced_weights(labels)
    assert weights[labels == 0].sum() == pytest.approx(weights[labels == 1].sum())
    assert weights.mean() == pytest.approx(1)
