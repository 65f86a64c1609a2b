"""All figures of what was served, with intervals, as the JSON that scripts rely on."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import confusion_matrix, multilabel_confusion_matrix

from training.evaluation.binary_figures import BinaryProblem
from training.evaluation.bootstrap import RESAMPLES, Figures, Interval, Key, PatientBootstrap
from training.evaluation.calibration_figures import simulated_errors
from training.evaluation.class_figures import BY_CLASS, ClassProblem
from training.evaluation.ranking import Ranking
from training.evaluation.served import ServedAnswers

Floats = npt.NDArray[np.float64]
Resample = Callable[[Floats], dict[Key, Floats]]

#: Figures that every kind of model has; each is a key of the JSON, and of its "ci95".
FIGURES = ("accuracy", "accuracy_argmax", "loss", *BY_CLASS, "brier", "ece")
#: Prefix of a stratum's key beside those of labels.
STRATUM = "stratum:"
#: Failed files named in the JSON.
LISTED = 20


def problems_of(answers: ServedAnswers) -> dict[str, BinaryProblem]:
    """The yes-or-no questions in the answers: {"": the positive class}, one for each finding, or none of N classes."""
    names, positive = answers.scheme.names, answers.positive_index
    if positive is not None:
        columns = {"": positive}
        marked = [(values == positive).astype(np.int64)[:, np.newaxis] for values in _labels(answers)]
        truth, called, argmax = (np.repeat(values, len(names), axis=1) for values in marked)
    elif answers.scheme.task == "multi_label":
        columns = {name: k for k, name in enumerate(names)}
        truth, called, argmax = _labels(answers)
    else:
        return {}
    return {
        name: BinaryProblem(truth[:, k], answers.probabilities[:, k], called[:, k], argmax[:, k], answers.answered)
        for name, k in columns.items()
    }


def classes_of(answers: ServedAnswers) -> ClassProblem:
    """The answers of a single-label model as a choice among its classes."""
    truth, called, argmax = _labels(answers)
    return ClassProblem(answers.scheme.names, truth, answers.probabilities, called, argmax, answers.answered)


def _labels(answers: ServedAnswers) -> tuple[npt.NDArray[np.int64], ...]:
    return answers.targets, answers.called, answers.called_argmax


def point_and_resampled(answers: ServedAnswers) -> tuple[Figures, Resample]:
    """Every figure (overall under "", labels, strata), and the same as a function of weights (m, n)."""
    if answers.scheme.positive is None and answers.scheme.task == "single_label":
        classes = classes_of(answers)
        point, resampled = classes.figures(), classes.resampled()
    else:
        problems = problems_of(answers)
        point = _with_macro({name: problem.figures() for name, problem in problems.items()})
        parts = {name: problem.resampled() for name, problem in problems.items()}

        def resampled(weights: Floats) -> dict[Key, Floats]:
            return _with_macro({name: part(weights) for name, part in parts.items()})

    shares = _shares(answers)
    areas = _stratum_rankings(answers)
    ones = np.ones((1, len(answers.targets)))
    point = dict(point)
    point.update({key: float(value[0]) for key, value in _beside(shares, areas, ones).items()})
    return point, lambda weights: resampled(weights) | _beside(shares, areas, weights)


def _with_macro(by_name: Mapping[str, Mapping[str, Any]]) -> dict[Key, Any]:
    """Figures of each question, and under "" their mean over the questions in which they are defined."""
    figures = {(name, figure): value for name, own in by_name.items() for figure, value in own.items()}
    if "" not in by_name:
        for figure in next(iter(by_name.values())):
            stacked = np.stack([np.asarray(own[figure], np.float64) for own in by_name.values()])
            defined = np.isfinite(stacked)
            with np.errstate(invalid="ignore"):
                figures["", figure] = np.where(defined, stacked, 0).sum(axis=0) / defined.sum(axis=0)
    return figures


def strata_of(answers: ServedAnswers) -> dict[str, npt.NDArray[np.bool_]]:
    """Which examples are in each stratum; those without one are under their label. Empty for multi-label."""
    if answers.scheme.task == "multi_label":
        return {}
    names = np.array(
        [e.stratum or answers.scheme.names[t] for e, t in zip(answers.examples, answers.targets, strict=True)]
    )
    return {str(name): names == name for name in np.unique(names)}


def _shares(answers: ServedAnswers) -> dict[Key, tuple[Floats, Floats]]:
    """(counted, out of): figures that are a share of weights."""
    given = given_verdicts(answers).astype(np.float64)
    withheld = np.array([reason is not None for reason in answers.withheld], np.float64)
    shares = {
        ("", "accuracy_of_given"): (answers.right * given, given),
        ("", "withheld_share"): (withheld, np.ones(len(withheld))),
    }
    for name, mask in strata_of(answers).items():
        own = mask.astype(np.float64)
        shares[STRATUM + name, "accuracy"] = (answers.right * own, own)
        shares[STRATUM + name, "withheld_share"] = (withheld * own, own)
    return shares


def _stratum_rankings(answers: ServedAnswers) -> dict[str, tuple[npt.NDArray[np.int64], Ranking]]:
    """For two classes: a stratum of one class, ranked against the whole other class."""
    problem = problems_of(answers).get("")
    if problem is None:
        return {}
    rankings = {}
    for name, mask in strata_of(answers).items():
        classes = set(problem.truth[mask])
        if len(classes) == 1:
            chosen = np.flatnonzero(mask | ~np.isin(problem.truth, list(classes)))
            rankings[name] = chosen, Ranking(problem.truth[chosen], problem.score[chosen])
    return rankings


def _beside(
    shares: Mapping[Key, tuple[Floats, Floats]],
    rankings: Mapping[str, tuple[npt.NDArray[np.int64], Ranking]],
    weights: Floats,
) -> dict[Key, Floats]:
    with np.errstate(divide="ignore", invalid="ignore"):
        figures = {key: (weights @ counted) / (weights @ out_of) for key, (counted, out_of) in shares.items()}
    for name, (chosen, ranking) in rankings.items():
        figures[STRATUM + name, "auc"] = ranking.auc_and_average_precision(weights[:, chosen])[0]
    return figures


def given_verdicts(answers: ServedAnswers) -> npt.NDArray[np.bool_]:
    """(n,) whether a reader gets a definite answer: read, not withheld, not indeterminate."""
    withheld = np.array([reason is not None for reason in answers.withheld], bool)
    return np.asarray(answers.answered & ~withheld & ~answers.indeterminate)


def bootstrap_of(answers: ServedAnswers, resamples: int = RESAMPLES, seed: int = 0) -> PatientBootstrap:
    """The resamples of the patients behind the answers."""
    return PatientBootstrap([example.patient for example in answers.examples], resamples, seed)


def measure(answers: ServedAnswers, *, resamples: int = RESAMPLES, seed: int = 0) -> dict[str, Any]:
    """The JSON of all figures; what is not defined is None. Positive is the bundle's positive class."""
    point, resampled = point_and_resampled(answers)
    centres = {key: value for key, value in point.items() if key[1] == "ece"}
    intervals = bootstrap_of(answers, resamples, seed).intervals(resampled, centres)
    overall = _group(point, intervals, "")
    figures = {name: overall.get(name) for name in FIGURES}
    positives = answers.targets == answers.positive_index if answers.positive_index is not None else None
    return {
        "n": len(answers.targets),
        "patients": len({example.patient for example in answers.examples}),
        "labels": _counts(answers),
        "prevalence": None if positives is None else float(positives.mean()),
        **figures,
        **{name: value for name, value in overall.items() if name not in figures and name != "ci95"},
        "ece_null": _ece_null(answers),
        "confusion_matrix": confusion(answers),
        **_withheld(answers),
        "ci95": overall["ci95"],
        "per_label": {
            name: {"n": count, **_group(point, intervals, name)}
            for name, count in _counts(answers).items()
            if answers.positive_index is None
        },
        "strata": {
            name: _stratum(answers, mask) | _group(point, intervals, STRATUM + name)
            for name, mask in strata_of(answers).items()
        },
    }


def point_figures(answers: ServedAnswers) -> dict[str, Any]:
    """The overall figures alone, without intervals."""
    point, _ = point_and_resampled(answers)
    return {figure: _finite(value) for (group, figure), value in point.items() if group == ""}


def confusion(answers: ServedAnswers) -> list[Any]:
    """[[tn, fp], [fn, tp]]; N classes: rows are true, columns called; multi-label: the two-class matrix by finding."""
    if answers.scheme.task == "multi_label":
        return multilabel_confusion_matrix(answers.targets, answers.called).tolist()
    order = list(range(len(answers.scheme.names)))
    if answers.positive_index is not None:
        order = [1 - answers.positive_index, answers.positive_index]
    return confusion_matrix(answers.targets, answers.called, labels=order).tolist()


def _group(point: Figures, intervals: Mapping[Key, Interval | None], group: str) -> dict[str, Any]:
    own = {figure: _finite(value) for (name, figure), value in point.items() if name == group}
    ci95 = {
        figure: _bounds(figure, intervals.get((group, figure))) if value is not None else None
        for figure, value in own.items()
    }
    return {**own, "ci95": ci95}


def _bounds(figure: str, interval: Interval | None) -> list[float] | None:
    if interval is None:
        return None
    low, high = interval
    return [max(low, 0.0) if figure == "ece" else low, high]  # the shift of ECE may go below what it can be


def _finite(value: Any) -> float | None:
    return float(value) if math.isfinite(value) else None


def _counts(answers: ServedAnswers) -> dict[str, int]:
    names = answers.scheme.names
    if answers.scheme.task == "multi_label":
        return {name: int(answers.targets[:, k].sum()) for k, name in enumerate(names)}
    return {name: int((answers.targets == k).sum()) for k, name in enumerate(names)}


def _ece_null(answers: ServedAnswers) -> dict[str, float | None]:
    answered = answers.answered
    if problems := problems_of(answers):
        errors = np.mean(
            [simulated_errors(p.probability[answered], seed=k) for k, p in enumerate(problems.values())], axis=0
        )
    else:
        errors = simulated_errors(classes_of(answers).confidence[answered])
    return {"mean": _finite(errors.mean()), "p95": _finite(np.quantile(errors, 0.95))}


def _withheld(answers: ServedAnswers) -> dict[str, Any]:
    n = len(answers.targets)
    reasons = {name: answers.withheld.count(name) for name in ("out_of_domain", "population")}
    failures = [reason for reason in answers.failed if reason is not None]
    return {
        "withheld": {**reasons, "total": sum(reasons.values()), "share": sum(reasons.values()) / n},
        "verdicts_given": int(given_verdicts(answers).sum()),
        "indeterminate": int(answers.indeterminate.sum()),
        "refused": sum(reason is not None for reason in answers.refused),
        "failed": len(failures),
        "failed_files": failures[:LISTED],
    }


def _stratum(answers: ServedAnswers, mask: npt.NDArray[np.bool_]) -> dict[str, Any]:
    chosen = np.flatnonzero(mask)
    return {
        "n": len(chosen),
        "patients": len({answers.examples[i].patient for i in chosen}),
        "withheld": sum(answers.withheld[i] is not None for i in chosen),
        "indeterminate": int(answers.indeterminate[chosen].sum()),
    }
