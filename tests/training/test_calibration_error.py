"""The error before calibration is that of the network's own probabilities, the one after it that of the served ones."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.special import expit, softmax

from tests.training.served_answers import FINDINGS, THREE, TWO, answers_of
from training.calibration_error import before_and_after, uncalibrated
from training.evaluation.calibration_figures import expected_calibration_error
from training.evaluation.metrics import measure

pytestmark = pytest.mark.training

RNG = np.random.default_rng(3)


@pytest.mark.parametrize("positive", TWO)
def test_of_two_classes_intercept_and_temperature_are_taken_back(positive: str) -> None:
    answers = answers_of(200, TWO, positive=positive, failed=[5])
    index, logits = TWO.index(positive), RNG.normal(0, 3, (200, 2))
    shift = np.eye(2)[index] * 0.7
    served = replace(answers, probabilities=softmax((logits + shift) / 2.5, axis=1))
    found = before_and_after(served, {"intercept": 0.7, "temperature": 2.5})
    own, truth = softmax(logits, axis=1)[:, index], (served.targets == index).astype(int)
    np.testing.assert_allclose(
        uncalibrated(served, {"intercept": 0.7, "temperature": 2.5}).probabilities[:, index], own
    )
    answered = served.answered
    assert found["before"] == pytest.approx(expected_calibration_error(truth[answered], own[answered]))
    assert found["after"] == measure(served, resamples=100)["ece"] != found["before"]


def test_of_several_classes_the_temperature_is_taken_back() -> None:
    logits = RNG.normal(0, 3, (200, 3))
    called = logits.argmax(axis=1)
    served = replace(
        answers_of(200, THREE), probabilities=softmax(logits / 2.5, axis=1), called=called, called_argmax=called
    )
    own = softmax(logits, axis=1)
    found = before_and_after(served, {"intercept": 0.0, "temperature": 2.5})
    expected = expected_calibration_error((called == served.targets).astype(int), own.max(axis=1))
    assert found["before"] == pytest.approx(expected)
    assert found["after"] == measure(served, resamples=100)["ece"] != found["before"]


def test_of_findings_each_has_its_intercept() -> None:
    answers, logits = answers_of(200, FINDINGS, multi=True), RNG.normal(0, 3, (200, 3))
    fitted: dict[str, Any] = {"temperature": 2.5, "intercepts": dict(zip(FINDINGS, (0.7, -2.0, 0.0), strict=True))}
    served = replace(answers, probabilities=expit((logits + np.array([0.7, -2.0, 0.0])) / 2.5))
    found = before_and_after(served, fitted)
    own = [expected_calibration_error(served.targets[:, k], expit(logits[:, k])) for k in range(3)]
    assert found["before"] == pytest.approx(np.mean(own))
    assert found["after"] == measure(served, resamples=100)["ece"] != found["before"]
