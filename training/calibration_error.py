"""How far the probabilities of a bundle were off before its calibration, and how far they are after it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.special import expit, softmax

from training.evaluation.calibration_figures import logit
from training.evaluation.metrics import point_figures
from training.evaluation.served import ServedAnswers


def before_and_after(answers: ServedAnswers, fitted: Mapping[str, Any]) -> dict[str, float | None]:
    """Expected calibration errors, 15 bins, at the classes' frequencies as they come; None where no film is answered.

    Parameters
    ----------
    answers : ServedAnswers
        Of the bundle.
    fitted : mapping
        The run's calibration.json.

    Returns
    -------
    dict
        "before": of the network as trained, without intercept, at temperature 1; "after": as served. Of two classes
        the error of the positive one, of more that of the largest probability, of findings their mean.
    """
    return {
        "before": point_figures(uncalibrated(answers, fitted))["ece"],
        "after": point_figures(answers)["ece"],
    }


def uncalibrated(answers: ServedAnswers, fitted: Mapping[str, Any]) -> ServedAnswers:
    """The same answers with the probabilities that the network as trained gave."""
    temperature, names = fitted["temperature"], answers.scheme.names
    if answers.scheme.task == "multi_label":
        shifts = np.array([fitted["intercepts"][name] for name in names])
        before = expit(temperature * logit(answers.probabilities) - shifts)
    elif answers.positive_index is not None:
        p = expit(temperature * logit(answers.probabilities[:, answers.positive_index]) - fitted["intercept"])
        before = np.stack([1 - p, p] if answers.positive_index == 1 else [p, 1 - p], axis=1)
    else:
        before = softmax(temperature * np.log(np.maximum(answers.probabilities, np.finfo(np.float64).tiny)), axis=1)
    return replace(answers, probabilities=np.asarray(before))
