"""The model card's figures on the held-out patients: overall, and by class or finding."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

Json = Mapping[str, Any]

#: Figures printed in per cent.
_SHARES = ("accuracy", "accuracy_argmax", "recall", "specificity", "precision", "f1")
#: Columns of the table by class or finding.
_BY_LABEL = ("recall", "specificity", "precision", "f1", "auc", "average_precision")
_WORDS = {
    "auc": "AUC",
    "recall": "recall (sensitivity)",
    "specificity": "specificity",
    "precision": "precision",
    "f1": "F1",
    "average_precision": "average precision",
    "brier": "Brier score",
    "ece": "expected calibration error, 15 bins",
}


def number(value: float | None, share: bool) -> str:
    """A figure as it is printed; a share in per cent."""
    if value is None or math.isnan(value):
        return "not defined"
    return f"{100 * value:.1f} %" if share else f"{value:.3f}"


def figures_section(manifest: Json, recipe: str) -> str:
    """Markdown of the section; `recipe` says where the recipe comes from."""
    figures = manifest["metrics"].get("holdout")
    if not figures:
        return "## Figures\nThe data set has no hold-out; none are given."
    lines = [
        "## Figures on the held-out patients",
        f"{figures['n']} films of {figures['patients']} patient groups, in no training or calibration of this model."
        f" Every film counts, those with a withheld\nverdict too. 95 % intervals by bootstrap over patients. {recipe}",
        "",
        "| figure | value | 95 % interval |",
        "|---|---|---|",
    ]
    for key, words in _rows(manifest).items():
        if figures.get(key) is not None:
            lines.append(f"| {words} | {_value(figures, key)} | {_interval(figures, key)} |")
    if manifest["positive"] is not None:
        (tn, fp), (fn, tp) = figures["confusion_matrix"]
        lines.append(f"| true negative, false positive, false negative, true positive | {tn}, {fp}, {fn}, {tp} | |")
    null = figures["ece_null"]
    if null["mean"] is not None:
        lines.append(
            f"| calibration error that a perfect model would show here | {null['mean']:.3f} | up to {null['p95']:.3f} |"
        )
    if manifest["indeterminate"] is not None:
        lines.append(f"| indeterminate | {figures['indeterminate']} | |")
    lines.append(f"| verdict withheld as out of domain | {figures['withheld']['out_of_domain']} | |")
    if figures["failed"]:
        lines.append(f"| could not be read, counted as wrong | {figures['failed']} | |")
    if manifest["positive"] is None:
        lines += ["", *_by_label(manifest, figures)]
        if manifest["task"] == "single_label":
            lines += ["", *_confusion(manifest, figures)]
    if errors := manifest["metrics"].get("calibration_error"):
        told = "; ".join(
            f"{words} {number(errors[part]['before'], False)} before, {number(errors[part]['after'], False)} after"
            for part, words in (("holdout", "on the held-out patients"), ("calibration", "on the calibration patients"))
            if part in errors
        )
        lines += ["", f"Expected calibration error, before and after calibration: {told}."]
    agreement = manifest["metrics"]["agreement_with_keras"]
    lines += [
        "",
        f"The graph against Keras over {agreement['films']} films: {agreement['probability']:.1g} in probability,"
        f" {agreement['maps_relative']:.1g} in the maps.",
    ]
    return "\n".join(lines)


def _rows(manifest: Json) -> dict[str, str]:
    """Keys of the overall figures and what they are called, in the order of the table."""
    if manifest["positive"] is not None:
        first = {"accuracy": "accuracy at the threshold", "accuracy_argmax": "accuracy of the likelier answer"}
        loss = {"loss": "log loss of the calibrated probability"}
        return {"auc": _WORDS["auc"], **first, **loss, **_WORDS}
    if manifest["task"] == "multi_label":
        mean = "mean over the findings"
        first = {
            "accuracy": f"accuracy at the thresholds, {mean}",
            "loss": f"log loss of the calibrated probabilities, {mean}",
        }
        return first | {key: f"{words}, {mean}" for key, words in _WORDS.items()}
    first = {
        "accuracy": "accuracy of the likeliest class",
        "loss": "log loss of the calibrated probabilities",
        "brier": "Brier score, summed over the classes",
        "ece": "expected calibration error of the largest probability, 15 bins",
    }
    return first | {key: f"{_WORDS[key]}, mean over the classes" for key in _BY_LABEL}


def _by_label(manifest: Json, figures: Json) -> list[str]:
    """One row for every class or finding; a mean above leaves out those in which it is not defined."""
    several = manifest["task"] == "multi_label"
    columns = [*_BY_LABEL, "ece"] if several else list(_BY_LABEL)
    words = [_WORDS[key] for key in columns]
    words.insert(columns.index("auc") + 1, "95 % interval of the AUC")
    rule = "|---" * (len(words) + 2) + "|"
    lines = [f"| {'finding' if several else 'class'} | films | {' | '.join(words)} |", rule]
    for name, own in figures["per_label"].items():
        cells = [_value(own, key) for key in columns]
        cells.insert(columns.index("auc") + 1, _interval(own, "auc"))
        lines.append(f"| {name} | {own['n']} | {' | '.join(cells)} |")
    even = "a finding is there as often as not" if several else "all classes are as frequent"
    told = (
        f"A mean is over those in which the figure is defined. The probabilities hold where {even}; where these films\n"
        "have other shares, that difference is in log loss, Brier score and calibration error, too."
    )
    return [*lines, "", told]


def _confusion(manifest: Json, figures: Json) -> list[str]:
    names = [label["name"] for label in manifest["labels"]]
    lines = [f"| label, and what was answered | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    counts = zip(names, figures["confusion_matrix"], strict=True)
    return [*lines, *(f"| {name} | {' | '.join(map(str, row))} |" for name, row in counts)]


def _value(figures: Json, key: str) -> str:
    return number(figures.get(key), key in _SHARES)


def _interval(figures: Json, key: str) -> str:
    bounds = figures["ci95"].get(key)
    return " to ".join(number(bound, key in _SHARES) for bound in bounds) if bounds else "not defined"
