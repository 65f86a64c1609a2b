"""The loss of a step and the weights of its films are the numbers that a person works out by hand."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.training.served_answers import FINDINGS, THREE, TWO, example_of, scheme_of
from training.datasets.examples import LabelScheme
from training.fit import _batches, _calibrate
from training.input_batches import TrainingBatches
from training.loop import Loop, LossSettings
from training.settings import FitSettings

pytestmark = [pytest.mark.training, pytest.mark.filterwarnings("default")]

ALL, NOBODY = [0.8, 0.2], [0.0, 0.0]
LN_3 = math.log(3)


def losses(settings: LossSettings, logits: Any, targets: Any, weights: Any, teacher: Any) -> np.ndarray:
    """What Loop makes of them; the network itself has no part in it."""
    outputs = len(logits[0])
    network = keras.Sequential([keras.Input((150, 150, 3)), keras.layers.Flatten(), keras.layers.Dense(outputs)])
    loop = Loop(network, keras.optimizers.Adam(), settings, "zero_to_one", tf.distribute.get_strategy())
    several = settings.task == "multi_label"
    told = tf.constant(targets, tf.float32 if several else tf.int64)
    return loop._losses(tf.constant(logits, tf.float32), told, tf.constant(weights, tf.float32), tf.constant(teacher))


#: Logits (ln 3, 0) are probabilities 3/4 and 1/4; (0, 0) are one half each.
def test_plain_loss_is_the_weighted_logarithm_of_the_probability_of_the_truth() -> None:
    found = losses(LossSettings("single_label"), [[LN_3, 0], [LN_3, 0], [0, 0]], [0, 1, 1], [1, 1, 3], [NOBODY] * 3)
    np.testing.assert_allclose(found, [math.log(4 / 3), math.log(4), 3 * math.log(2)], rtol=1e-5)


def test_label_smoothing_spreads_its_share_over_all_classes() -> None:
    # 0.2 of smoothing over two classes: 0.9 of the target is the truth's, 0.1 the other's.
    found = losses(LossSettings("single_label", 0.2), [[LN_3, 0], [LN_3, 0]], [0, 1], [1, 0.5], [NOBODY] * 2)
    right, wrong = -math.log(0.75), -math.log(0.25)
    np.testing.assert_allclose(found, [0.9 * right + 0.1 * wrong, 0.5 * (0.1 * right + 0.9 * wrong)], rtol=1e-5)


def test_label_smoothing_over_three_classes() -> None:
    found = losses(LossSettings("single_label", 0.3), [[math.log(2), 0, 0]], [0], [1], [[0.0, 0, 0]])  # 1/2, 1/4, 1/4
    np.testing.assert_allclose(found, [0.8 * math.log(2) + 0.2 * math.log(4)], rtol=1e-5)


def test_teacher_has_its_share_where_there_is_one() -> None:
    settings = LossSettings("single_label", 0.0, 0.5)
    found = losses(settings, [[LN_3, 0]] * 3, [0, 1, 1], [1, 1, 2], [ALL, ALL, NOBODY])
    right, wrong = -math.log(0.75), -math.log(0.25)
    # Targets: (1 + 0.8) / 2 and 0.1; 0.4 and (1 + 0.2) / 2; untaught (0, 1), weighing double.
    expected = [0.9 * right + 0.1 * wrong, 0.4 * right + 0.6 * wrong, 2 * wrong]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_teacher_is_mixed_with_the_smoothed_target() -> None:
    found = losses(LossSettings("single_label", 0.2, 0.25), [[LN_3, 0]], [0], [1], [ALL])
    truth = 0.75 * 0.9 + 0.25 * 0.8
    np.testing.assert_allclose(found, [-truth * math.log(0.75) - (1 - truth) * math.log(0.25)], rtol=1e-5)


def test_findings_loss_is_the_mean_over_them_each_with_its_weight() -> None:
    found = losses(
        LossSettings("multi_label"), [[LN_3, LN_3], [0, 0]], [[1, 0], [1, 1]], [[2, 1], [1, 4]], [NOBODY] * 2
    )
    expected = [(2 * math.log(4 / 3) + math.log(4)) / 2, (math.log(2) + 4 * math.log(2)) / 2]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_findings_are_smoothed_to_one_half_and_taught() -> None:
    settings = LossSettings("multi_label", 0.2, 0.5)
    found = losses(settings, [[LN_3, LN_3], [LN_3, LN_3]], [[1, 0], [1, 0]], [[1, 1], [1, 1]], [ALL, NOBODY])
    right, wrong = -math.log(0.75), -math.log(0.25)

    def loss(target: float) -> float:
        return target * right + (1 - target) * wrong

    # Smoothed 0.9 and 0.1; half of each is then the teacher's 0.8 and 0.2.
    expected = [(loss(0.85) + loss(0.15)) / 2, (loss(0.9) + loss(0.1)) / 2]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


class NoPictures:
    """A store that is never looked into."""


def batches_of(
    targets: list[tuple[int, ...]], scheme: LabelScheme, taught: dict[str, list[float]] | None = None
) -> TrainingBatches:
    examples = [example_of(number, target) for number, target in enumerate(targets)]
    return _batches(NoPictures(), examples, scheme, FitSettings(), taught)  # type: ignore[arg-type]


@pytest.mark.parametrize(("names", "counts"), [(TWO, (3, 1)), (THREE, (6, 2, 1))])
def test_classes_weigh_alike_and_one_on_average(names: tuple[str, ...], counts: tuple[int, ...]) -> None:
    targets = [(k,) for k, count in enumerate(counts) for _ in range(count)]
    batches = batches_of(targets, scheme_of(names))
    n = len(targets)
    expected = [n / (len(counts) * counts[target]) for (target,) in targets]
    np.testing.assert_allclose(batches._weights, expected, rtol=1e-6)
    assert batches._weights.sum() == pytest.approx(n)
    for k, count in enumerate(counts):
        assert batches._weights[[target == (k,) for target in targets]].sum() == pytest.approx(n / len(counts)), count


def test_findings_weigh_alike_present_and_absent_up_to_20_to_1() -> None:
    # Of 100 films: 50 with the first finding, 20 with the second, 1 with the third.
    targets = [(int(i < 50), int(i < 20), int(i == 0)) for i in range(100)]
    weights = batches_of(targets, scheme_of(FINDINGS, "multi_label"))._weights
    np.testing.assert_allclose(weights[:, 0], 1, rtol=1e-6)
    np.testing.assert_allclose(weights[:, 1], [2.5] * 20 + [0.625] * 80, rtol=1e-6)
    # 99 to 1 would be alike; bounded it is 20 to 1, mean 1: 20 * a + 99 * a = 100.
    np.testing.assert_allclose(weights[:, 2], [20 * 100 / 119] + [100 / 119] * 99, rtol=1e-6)
    np.testing.assert_allclose(weights.mean(axis=0), 1, rtol=1e-5)


def test_soft_labels_are_put_beside_their_films() -> None:
    taught = {example_of(1, (1,)).sha256: [0.25, 0.75], "another film": [0.5, 0.5]}
    batches = batches_of([(0,), (1,)], scheme_of(TWO), taught)
    np.testing.assert_allclose(batches._teacher, [[0, 0], [0.25, 0.75]])


def test_intercepts_of_findings_are_in_the_last_bias(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    targets = (rng.random((300, 3)) < 0.2).astype(np.int64)
    network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3)])
    network.layers[-1].set_weights([np.eye(3, dtype=np.float32), np.zeros(3, np.float32)])
    inputs = (rng.normal(-2, 1, (300, 3)) + 1.5 * targets).astype(np.float32)

    class Forward:
        def logits(self, greys: Any) -> np.ndarray:
            return network(inputs).numpy()

    monkeypatch.setattr("training.fit.greys_of", lambda store, examples: None)
    examples = [example_of(number, tuple(row)) for number, row in enumerate(targets.tolist())]
    found, logits = _calibrate(Forward(), network, NoPictures(), examples, scheme_of(FINDINGS, "multi_label"))  # type: ignore[arg-type]
    shifts = [found.intercepts[name] for name in FINDINGS]
    assert min(shifts) > 0.5
    np.testing.assert_allclose(network.layers[-1].bias.numpy(), shifts, rtol=1e-5)
    np.testing.assert_allclose(network(inputs).numpy(), logits, rtol=1e-5)
