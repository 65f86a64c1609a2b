"""`cxr-train compare`: two models on the same images, beside each other and beside reference figures."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest

from cxr_core.classifier import Classifier
from cxr_core.settings import Settings
from training.datasets.examples import Dataset, Example
from training.evaluation.bootstrap import RESAMPLES, Key
from training.evaluation.compare_report import comparison_html
from training.evaluation.curves import curves_png, read_history
from training.evaluation.evaluate import summary
from training.evaluation.files import EvaluationError, output_folder, write_result
from training.evaluation.metrics import bootstrap_of, point_and_resampled
from training.evaluation.models import find_candidate
from training.evaluation.plots import roc_plot
from training.evaluation.served import Progress, ServedAnswers, serve
from training.evaluation.words import NAMES, difference, shown

Floats = npt.NDArray[np.float64]

#: What the system that this one implements reports, on a test set whose size it does not state; of these labels.
REFERENCE_LABELS = frozenset(("NORMAL", "PNEUMONIA"))
REFERENCE = (
    {"model": "Sequential CNN (reference)", "accuracy": 0.9395, "loss": 0.1630},
    {"model": "MobileNetV2 transfer learning (reference)", "accuracy": 0.9166, "loss": 0.2030},
)
#: Figures whose difference is given with an interval.
DIFFERENCES = ("auc", "accuracy", "loss", "recall", "specificity", "brier", "ece")

TABLE, REPORT, CURVES, ROC = "compare.json", "compare.html", "curves.png", "roc.png"


def compare(
    first: str,
    second: str,
    dataset: Dataset,
    examples: Sequence[Example],
    out: Path,
    *,
    part: str = "",
    settings: Settings | None = None,
    progress: Progress | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Any]:
    """Compare two models (names, bundle folders or run folders) and write compare.json, compare.html and plots.

    The other parameters and the errors are those of evaluate.evaluate. Returns the content of compare.json.
    """
    candidates = [find_candidate(first), find_candidate(second)]
    titles = [candidate.title for candidate in candidates]
    if titles[0] == titles[1]:
        titles = [f"{titles[0]} (first)", f"{titles[1]} (second)"]
    schemes = [(c.bundle.manifest.task, c.bundle.manifest.positive, _names(c.bundle)) for c in candidates]
    if schemes[0] != schemes[1]:
        raise EvaluationError(
            f"{titles[0]} of {', '.join(sorted(schemes[0][2]))} and {titles[1]} of {', '.join(sorted(schemes[1][2]))}",
            "two models with the same labels",
            "name others",
        )
    histories = {
        title: read_history(candidate.history)
        for title, candidate in zip(titles, candidates, strict=True)
        if candidate.history is not None
    }
    output_folder(out)
    both = []
    for number, candidate in enumerate(candidates):
        told = None if progress is None else _shifted(progress, number * len(examples), 2 * len(examples))
        answers, _ = serve(Classifier(candidate.bundle, settings), dataset.scheme, examples, progress=told)
        both.append(answers)
    result = {
        "models": [
            {"title": title, **summary(candidate, dataset, answers, part=part, resamples=resamples, seed=seed)}
            for title, candidate, answers in zip(titles, candidates, both, strict=True)
        ],
        "reference": [dict(row) for row in REFERENCE] if schemes[0][2] == REFERENCE_LABELS else [],
        "mcnemar": mcnemar(*both),
        "differences": differences(*both, resamples=resamples, seed=seed),
    }
    plots = {ROC: roc_plot(dict(zip(titles, both, strict=True)))} if schemes[0][1] else {}
    if histories:
        plots[CURVES] = curves_png(histories)
    for name in (ROC, CURVES):
        (out / name).unlink(missing_ok=True)  # of an earlier comparison, which may have had others
    for name, png in plots.items():
        write_result(out / name, png)
    page = comparison_html(result, plots.get(ROC), plots.get(CURVES), [t for t in titles if t not in histories])
    write_result(out / REPORT, page.encode())
    write_result(out / TABLE, (json.dumps(result, indent=2, allow_nan=False) + "\n").encode())
    return result


def _names(bundle: Any) -> frozenset[str]:
    return frozenset(label.name for label in bundle.manifest.labels)


def _shifted(progress: Progress, before: int, total: int) -> Progress:
    return lambda done, _: progress(before + done, total)


def mcnemar(first: ServedAnswers, second: ServedAnswers) -> dict[str, Any]:
    """McNemar's exact test (Psychometrika 1947) of `label`; multi-label: of every finding, {name: ...}.

    It takes images as independent, which films of one patient are not quite: the paired differences do not.
    """
    if first.scheme.task == "single_label":
        return _mcnemar(first.right == 1, second.right == 1)
    right = {}
    for name in first.scheme.names:
        own = [a.scheme.names.index(name) for a in (first, second)]
        hits = [a.called[:, k] == a.targets[:, k] for a, k in zip((first, second), own, strict=True)]
        right[name] = _mcnemar(*hits)
    return right


def _mcnemar(first: npt.NDArray[np.bool_], second: npt.NDArray[np.bool_]) -> dict[str, Any]:
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    discordant = only_first + only_second
    return {
        "both_right": int((first & second).sum()),
        "only_first_right": only_first,
        "only_second_right": only_second,
        "both_wrong": int((~first & ~second).sum()),
        "p": float(binomtest(only_first, discordant, 0.5).pvalue) if discordant else 1.0,
    }


def differences(
    first: ServedAnswers, second: ServedAnswers, *, resamples: int = RESAMPLES, seed: int = 0
) -> dict[str, dict[str, Any]]:
    """First minus second of DIFFERENCES, {"difference", "ci95"}: both models on the same resamples of patients."""
    (point_1, resampled_1), (point_2, resampled_2) = point_and_resampled(first), point_and_resampled(second)
    keys: list[Key] = [("", figure) for figure in DIFFERENCES]

    def resampled(weights: Floats) -> dict[Key, Floats]:
        one, two = resampled_1(weights), resampled_2(weights)
        return {key: one[key] - two[key] for key in keys}

    point = {key: point_1[key] - point_2[key] for key in keys}
    intervals = bootstrap_of(first, resamples, seed).intervals(resampled, {("", "ece"): point["", "ece"]})
    found: dict[str, dict[str, Any]] = {}
    for key, value in point.items():
        bounds = intervals[key]
        defined = bool(np.isfinite(value))
        found[key[1]] = {
            "difference": float(value) if defined else None,
            "ci95": list(bounds) if defined and bounds else None,
        }
    return found


def lines_of(result: Mapping[str, Any]) -> Iterator[str]:
    """The comparison for a person at a terminal, a line each."""
    models = result["models"]
    yield f"{models[0]['n']} images of {models[0]['patients']} patient groups"
    yield f"  {'Model':<43} {'Accuracy':>9}  {'Loss':>7}  {'AUC':>7}"
    for row in models:
        yield (
            f"  {row['title']:<43} {_percent(row['accuracy']):>9}  {row['loss']:>7.4f}  {shown('auc', row['auc']):>7}"
        )
    for row in result["reference"]:
        yield f"  {row['model']:<43} {_percent(row['accuracy']):>9}  {row['loss']:>7.4f}"
    for figure, entry in result["differences"].items():
        value, bounds = difference(figure, entry)
        yield f"  Difference of {NAMES[figure]:<29} {value:>12}  {bounds}".rstrip()
    tests = {"": result["mcnemar"]} if "p" in result["mcnemar"] else result["mcnemar"]
    for name, test in tests.items():
        yield (
            f"  McNemar{f' of {name}' if name else ''}: only the first right {test['only_first_right']}, only the "
            f"second {test['only_second_right']}, p = {test['p']:.3g}"
        )
    if result["reference"]:
        yield "The reference figures are of another test set."
    yield "Research use, not for diagnosis."


def _percent(value: float) -> str:
    return f"{100 * value:.2f} %"
