"""What each figure is called, how it is printed, and what it means in plain words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

#: Printed as a percentage.
_SHARES = frozenset(
    "accuracy accuracy_argmax precision recall f1 specificity accuracy_of_given withheld_share".split()
    + [f"{kind}_at_{percent}" for kind in ("ppv", "npv") for percent in (5, 10, 30)]
)

NAMES = {
    "accuracy": "Accuracy",
    "accuracy_argmax": "Accuracy at argmax",
    "loss": "Loss",
    "precision": "Precision",
    "recall": "Recall (sensitivity)",
    "f1": "F1",
    "specificity": "Specificity",
    "auc": "AUC",
    "average_precision": "Average precision",
    "brier": "Brier score",
    "ece": "ECE",
    "calibration_slope": "Calibration slope",
    "calibration_intercept": "Calibration intercept",
    "calibration_in_the_large": "Calibration in the large",
    "accuracy_of_given": "Accuracy of given verdicts",
    "withheld_share": "Verdicts withheld",
}


def shown(figure: str, value: float | None) -> str:
    """A value as it is printed."""
    if value is None:
        return "not defined"
    return f"{100 * value:.1f} %" if figure in _SHARES else f"{value:.3f}"


def interval(figure: str, ci95: Mapping[str, Any]) -> str:
    """A 95 % interval as it is printed; "" where there is none."""
    bounds = ci95.get(figure)
    if bounds is None:
        return ""
    if figure in _SHARES:
        return f"{100 * bounds[0]:.1f} to {100 * bounds[1]:.1f} %"
    return f"{bounds[0]:.3f} to {bounds[1]:.3f}"


def difference(figure: str, entry: Mapping[str, Any]) -> tuple[str, str]:
    """A difference of two models and its interval as printed; of shares in percentage points."""
    texts = shown(figure, entry["difference"]), interval(figure, {figure: entry["ci95"]})
    return (texts[0].replace("%", "points"), texts[1].replace("%", "points"))


def _of_100(value: float) -> str:
    """A share as images out of 100, whole where that says enough."""
    return f"{100 * value:.0f}" if 0.03 <= value <= 0.97 or value in (0, 1) else f"{100 * value:.1f}"


def meaning(figure: str, result: Mapping[str, Any]) -> str:
    """One line in plain words about a figure of metrics.measure's JSON."""
    value = result.get(figure)
    if value is None:
        return "Not defined for these images (a class is missing, or nothing was called so)."
    if result.get("positive"):
        return _two_class(figure, value, result)
    return _macro(figure, value, result)


def definition(figure: str) -> str:
    """One line in plain words about a figure, whatever its value."""
    return _DEFINITIONS[figure]


_DEFINITIONS = {
    "accuracy": "Share called what the label says, at the served threshold.",
    "accuracy_argmax": "The same when the more probable class is called.",
    "loss": "Mean negative logarithm of the probability given to the truth; 0 is perfect.",
    "precision": "Share of calls of the label that are right.",
    "recall": "Share of images with the label that are called so.",
    "f1": "Harmonic mean of precision and recall.",
    "specificity": "Share of images without the label that are not called so.",
    "auc": "Share of pairs (with and without the label) ranked the right way round; 0.5 is chance.",
    "average_precision": "Mean precision over all thresholds.",
    "brier": "Mean squared distance between probability and truth; 0 is perfect.",
    "ece": "How far stated probabilities are off on average; 0 is perfect.",
    "calibration_slope": "1 is right; below 1 the probabilities are too extreme, above 1 too cautious.",
    "calibration_intercept": "Belongs to the slope; 0 is right when the slope is 1.",
    "calibration_in_the_large": "0 is right; above 0 the label is more frequent here than the model says.",
    "accuracy_of_given": "Accuracy when withheld and indeterminate answers are left to the reader.",
    "withheld_share": "Share of images on which the model gives no verdict.",
}


def _two_class(figure: str, value: float, result: Mapping[str, Any]) -> str:
    positive = result["positive"]
    negative = next(name for name in result["labels"] if name != positive)
    lines = {
        "accuracy": f"Of 100 images, {_of_100(value)} are called what their label says, at the served threshold.",
        "accuracy_argmax": "The same when the more probable class is called, whatever the threshold.",
        "precision": f"Of 100 images called {positive}, {_of_100(value)} carry that label in these data. "
        "It changes with how frequent the label is.",
        "recall": f"Of 100 images labelled {positive}, {_of_100(value)} are called so; the others are missed.",
        "specificity": f"Of 100 images labelled {negative}, {_of_100(value)} are called so; "
        "the others are false alarms.",
        "auc": f"Of 100 pairs of one {positive} and one {negative} image, {_of_100(value)} are ranked the right way "
        "round; 50 would be chance.",
        "average_precision": f"Mean precision over all thresholds; calling by chance would give "
        f"{result['prevalence']:.3f} here.",
    }
    return lines.get(figure) or _common(figure, value, result)


def _macro(figure: str, value: float, result: Mapping[str, Any]) -> str:
    multi = result["task"] == "multi_label"
    unit = "findings" if multi else "classes"
    mean = f"Mean over the {unit} in which it is defined"
    lines = {
        "accuracy": f"Of 100 answers about a finding, {_of_100(value)} are right at the served thresholds, "
        "mean over findings."
        if multi
        else f"Of 100 images, {_of_100(value)} are called what their label says.",
        "accuracy_argmax": "The same when a finding is called at a probability of one half."
        if multi
        else "The most probable class is called, so this is the accuracy.",
        "precision": f"{mean}: share of calls that are right.",
        "recall": f"{mean}: share of images with the label that are called so.",
        "specificity": f"{mean}: share of images without the label that are not called so.",
        "f1": f"{mean}: harmonic mean of precision and recall.",
        "auc": f"{mean}: share of pairs (with and without the label) ranked the right way round; 0.5 is chance.",
        "average_precision": f"{mean}: mean precision over all thresholds.",
    }
    return lines.get(figure) or _common(figure, value, result)


def _common(figure: str, value: float, result: Mapping[str, Any]) -> str:
    null = result["ece_null"]
    classes = len(result["labels"])
    equal = "0.693" if result["task"] == "multi_label" or classes == 2 else f"{math.log(classes):.3f}"
    known = (
        ""
        if null["mean"] is None
        else (
            f" A model that is right would show {null['mean']:.3f} on so many images, and over "
            f"{null['p95']:.3f} once in 20 times."
        )
    )
    lines = {
        "loss": "Mean negative logarithm of the probability given to the truth: 0 is perfect, "
        f"{equal} is what equal probabilities get.",
        "ece": f"Stated probabilities are off by {100 * value:.1f} points on average (15 equal bins).{known}",
    }
    return lines.get(figure) or _DEFINITIONS[figure]
