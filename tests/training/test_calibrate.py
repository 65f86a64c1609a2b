"""Intercept, temperature, threshold and band are what their rules say."""

from __future__ import annotations

import numpy as np
import pytest

from training.calibrate import (
    balanced_weights,
    calibrate_binary,
    calibrate_classes,
    calibrate_findings,
    positive_probability,
)


def drawn(seed: int, scale: float = 1.0, shift: float = 0.0, n: int = 6000) -> tuple[np.ndarray, np.ndarray]:
    """Logits (n, 2) that are over-confident by `scale` and too low by `shift`, labels of the true probabilities."""
    rng = np.random.default_rng(seed)
    margin = rng.normal(0, 2, n)
    labels = (rng.random(n) < 1 / (1 + np.exp(-margin))).astype(np.int64)
    return np.stack([np.zeros(n), (margin - shift) * scale], axis=1), labels


NONE = np.empty((0, 6000, 2))


@pytest.mark.parametrize(("scale", "shift"), [(0.5, 0.0), (1.0, 1.5), (3.0, -0.7)])
def test_temperature_and_intercept_are_found_again(scale: float, shift: float) -> None:
    logits, labels = drawn(3, scale, shift)
    found = calibrate_binary(logits, NONE, labels, "PNEUMONIA")
    assert found.temperature == pytest.approx(scale, rel=0.1)
    assert found.intercept == pytest.approx(shift * scale, abs=0.15 * scale)
    assert found.thresholds == {"PNEUMONIA": 0.5}


def test_what_augmented_copies_lose_in_confidence_counts() -> None:
    logits, labels = drawn(4)
    blurred = logits + np.random.default_rng(0).normal(0, 2, (3, *logits.shape))
    alone = calibrate_binary(logits, NONE, labels, "P").temperature
    assert calibrate_binary(logits, blurred, labels, "P").temperature > 1.2 * alone
    surer = np.stack([np.stack([np.zeros(len(labels)), np.where(labels == 1, 5.0, -5.0)], axis=1)] * 2)
    assert calibrate_binary(logits, surer, labels, "P").temperature == pytest.approx(alone)


def test_intercept_lies_between_what_films_and_what_their_copies_ask_for() -> None:
    logits, labels = drawn(4, shift=2.0)
    unshifted, _ = drawn(4)
    copies = np.stack([unshifted, unshifted])
    assert calibrate_binary(logits, NONE, labels, "P").intercept == pytest.approx(2, abs=0.15)
    assert calibrate_binary(logits, copies, labels, "P").intercept == pytest.approx(1, abs=0.25)


def test_rare_and_frequent_classes_count_alike() -> None:
    logits, labels = drawn(5)
    kept = (labels == 1) | (np.arange(len(labels)) % 5 == 0)
    all_of_them = calibrate_binary(logits, NONE, labels, "P")
    few = calibrate_binary(logits[kept], NONE, labels[kept], "P")
    assert few.intercept == pytest.approx(all_of_them.intercept, abs=0.2)
    weights = balanced_weights(labels[kept])
    assert weights[labels[kept] == 0].sum() == pytest.approx(weights[labels[kept] == 1].sum())


def test_separated_classes_do_not_explode() -> None:
    labels = np.repeat([0, 1], 200)
    logits = np.stack([np.zeros(400), np.where(labels == 1, 4.0, -4.0)], axis=1)
    found = calibrate_binary(logits, np.empty((0, 400, 2)), labels, "P")
    p = positive_probability(logits + np.array([0, found.intercept]), found.temperature)
    assert 0.95 < p[labels == 1].min() < 0.9999


def test_band_holds_the_threshold_and_stays_in_its_limits() -> None:
    logits, labels = drawn(6, n=6000)
    found = calibrate_binary(logits, NONE, labels, "P")
    assert found.indeterminate is not None
    low, high = found.indeterminate
    assert 0.2 <= low <= 0.5 <= high <= 0.8


def test_temperature_of_three_classes_is_found_again() -> None:
    rng = np.random.default_rng(7)
    true = rng.normal(0, 2, (6000, 3))
    p = np.exp(true) / np.exp(true).sum(axis=1, keepdims=True)
    labels = np.array([rng.choice(3, p=row) for row in p])
    found = calibrate_classes(true * 2.5, labels)
    assert found.temperature == pytest.approx(2.5, rel=0.1)
    assert (found.thresholds, found.indeterminate) == ({}, None)


def balanced_error(p: np.ndarray, labels: np.ndarray) -> float:
    """Calibration error (15 bins) of films re-drawn so that a finding is as often there as not."""
    weights = balanced_weights(labels)
    bins = np.minimum((p * 15).astype(int), 14)
    residuals = np.bincount(bins, weights * (labels - p), minlength=15)
    return float(np.abs(residuals).sum() / weights.sum())


@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_probabilities_of_rare_findings_hold_where_they_are_as_frequent_as_not(scale: float) -> None:
    rng = np.random.default_rng(8)
    shares = np.array([0.05, 0.3, 0.05])
    targets = (rng.random((20_000, 3)) < shares).astype(np.int64)
    margin = rng.normal(0, 1.5, targets.shape) + np.where(targets == 1, 1, -1) * 1.5**2 * 0.5  # the true log odds
    # Learned as rare as films are, as frequent as a capped weight makes them, and as frequent as not.
    logits = (margin + np.array([np.log(0.05 / 0.95), -1.0, 0.0])) * scale
    found = calibrate_findings(logits, targets, ("A", "B", "C"))
    after = 1 / (1 + np.exp(-(logits + np.array(list(found.intercepts.values()))) / found.temperature))
    before = 1 / (1 + np.exp(-logits))
    assert balanced_error(before[:, 0], targets[:, 0]) > 0.25
    assert balanced_error(before[:, 1], targets[:, 1]) > 0.1
    for k in range(3):
        assert balanced_error(after[:, k], targets[:, k]) < 0.03
    assert found.temperature == pytest.approx(scale, rel=0.05)
    expected = {"A": -np.log(0.05 / 0.95) * scale, "B": scale, "C": 0}
    assert found.intercepts == pytest.approx(expected, abs=0.12 * scale)
    assert (found.intercept, found.notes, found.indeterminate) == (0.0, (), None)


def test_one_half_of_a_finding_has_nearly_the_largest_sensitivity_and_specificity() -> None:
    first, labels = drawn(8)
    margin = first[:, 1] - 2.5
    found = calibrate_findings(margin[:, np.newaxis], labels[:, np.newaxis], ("A",))
    p = 1 / (1 + np.exp(-(margin + found.intercepts["A"]) / found.temperature))

    def youden(cut: float) -> float:
        return float((p[labels == 1] >= cut).mean() + (p[labels == 0] < cut).mean())

    assert found.thresholds == {"A": 0.5}
    assert youden(0.5) > max(youden(cut) for cut in p[::10]) - 0.01


def test_separated_finding_does_not_explode() -> None:
    labels = np.repeat([0, 1], [390, 10])
    logits = np.where(labels == 1, 4.0, -4.0)[:, np.newaxis]
    found = calibrate_findings(logits, labels[:, np.newaxis], ("A",))
    p = 1 / (1 + np.exp(-(logits[:, 0] + found.intercepts["A"]) / found.temperature))
    assert 0.8 < p[labels == 1].min() < 0.9999


def test_finding_without_a_film_keeps_its_logit_and_is_named() -> None:
    first, labels = drawn(9, shift=1.0)
    logits = np.repeat(first[:, 1:], 3, axis=1)
    targets = np.stack([labels, np.zeros_like(labels), np.ones_like(labels)], axis=1)
    found = calibrate_findings(logits, targets, ("A", "B", "C"))
    assert found.intercepts["A"] == pytest.approx(1, abs=0.15)
    assert (found.intercepts["B"], found.intercepts["C"]) == (0.0, 0.0)
    assert found.thresholds == {"A": 0.5, "B": 0.5, "C": 0.5}
    rest = "it in the calibration part, so its probability is not calibrated"
    assert found.notes == (f"B: no film with {rest}", f"C: no film without {rest}")
    alone = calibrate_findings(logits[:, 1:], targets[:, 1:], ("B", "C"))
    assert (alone.temperature, len(alone.notes)) == (1.0, 2)
