"""`cxr-train evaluate`: what is served, measured, drawn, and written into a folder."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cxr_core.classifier import Classifier
from cxr_core.settings import Settings
from training.datasets.examples import Dataset, Example, fingerprint
from training.evaluation.bootstrap import RESAMPLES
from training.evaluation.cases import case_picture, choose_cases, gallery_png
from training.evaluation.files import output_folder, write_result
from training.evaluation.metrics import FIGURES, measure, point_figures
from training.evaluation.models import Candidate, find_candidate, keras_logits
from training.evaluation.overlap import overlap
from training.evaluation.parts import calibration_films
from training.evaluation.plots import all_plots
from training.evaluation.report import report_html, warnings
from training.evaluation.served import Progress, ServedAnswers, serve
from training.evaluation.words import NAMES, interval, shown

METRICS, IMAGES, REPORT, GALLERY = "metrics.json", "images.csv", "report.html", "gallery.png"


def evaluate(
    model: str,
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
    """Evaluate a model on examples of a data set and write metrics.json, images.csv, the plots and report.html.

    Parameters
    ----------
    model : str
        Name of a bundle, a bundle folder, or a run folder (then the Keras model in it stands beside).
    dataset : Dataset
        Where the examples are from.
    examples : sequence of Example
        Those to evaluate.
    out : Path
        Folder to write.
    part : str
        What the examples are of the data set ("test", "holdout"), for the report.
    settings : Settings, optional
        Of the core; `threads` = 2 is faster where there are two processors.
    progress : callable, optional
        Told (images done, images in all).
    resamples, seed : int
        Of the patient bootstrap.

    Returns
    -------
    dict
        The content of metrics.json.

    Raises
    ------
    EvaluationError, BundleError
        Nothing to evaluate, labels that do not fit, a folder that cannot be written, a bundle that is not whole.
    """
    candidate = find_candidate(model)
    output_folder(out)
    classifier = Classifier(candidate.bundle, settings)
    beside = keras_logits(candidate.keras_model) if candidate.keras_model else None
    answers, logits = serve(classifier, dataset.scheme, examples, progress=progress, beside=beside)
    result = summary(candidate, dataset, answers, part=part, resamples=resamples, seed=seed)
    result["keras"] = None if logits is None else _keras(answers, logits, classifier)
    plots = all_plots(answers)
    pictures = [
        (case, picture)
        for case in choose_cases(answers)
        if (picture := case_picture(answers, case, classifier)) is not None
    ]
    for name, png in plots.items():
        write_result(out / f"{name}.png", png)
    write_result(out / GALLERY, gallery_png(answers, pictures))
    write_result(out / IMAGES, images_csv(answers).encode())
    write_result(out / REPORT, report_html(result, plots, answers, pictures).encode())
    write_result(out / METRICS, (json.dumps(result, indent=2, allow_nan=False) + "\n").encode())
    return result


def summary(
    candidate: Candidate, dataset: Dataset, answers: ServedAnswers, *, part: str, resamples: int, seed: int
) -> dict[str, Any]:
    """The JSON of one model on one set of examples."""
    manifest = candidate.bundle.manifest
    return {
        "model": {
            "name": manifest.name,
            "version": manifest.version,
            "sha256": candidate.bundle.sha256,
            "description": manifest.description,
            "training_data": manifest.training_data,
        },
        "data": {
            "kind": dataset.kind,
            "description": dataset.description,
            "part": part,
            "fingerprint": fingerprint(answers.examples),
            "population": dataset.population.description,
            "notes": list(dataset.notes),
        },
        "task": manifest.task,
        "positive": manifest.positive,
        "thresholds": dict(manifest.thresholds),
        "threshold_rule": manifest.threshold_rule,
        "indeterminate_band": list(manifest.indeterminate) if manifest.indeterminate else None,
        "population": manifest.population.description,
        "calibrated_prevalence": manifest.prevalence,
        "overlap": overlap(candidate.bundle.folder, answers.examples),
        "calibrated_on": calibration_films(candidate, answers.examples),
        "resamples": resamples,
        "seed": seed,
        "written": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        **measure(answers, resamples=resamples, seed=seed),
    }


def _keras(answers: ServedAnswers, logits: npt.NDArray[np.float32], classifier: Classifier) -> dict[str, Any]:
    """The Keras model's figures under the bundle's temperature and thresholds."""
    answered, scheme = answers.answered, answers.scheme
    usual = answers.probabilities.copy()
    usual[answered] = classifier.probabilities(logits[answered])
    other = replace(answers, probabilities=usual, **_called(answers, usual))
    plain = answers.probabilities.copy()
    plain[answered] = _untempered(logits[answered], multi=scheme.task == "multi_label")
    figures = point_figures(other)
    difference = np.abs(usual - answers.probabilities)
    return {
        **{figure: figures[figure] for figure in FIGURES},
        "loss_uncalibrated": point_figures(replace(answers, probabilities=plain))["loss"],
        "largest_probability_difference": float(difference.max()),
    }


def _called(answers: ServedAnswers, probabilities: npt.NDArray[np.float64]) -> dict[str, Any]:
    """The calls that the bundle's rules make of other probabilities; failed files stay wrong."""
    names, answered = answers.scheme.names, answers.answered
    if answers.scheme.task == "multi_label":
        called = (probabilities >= [answers.thresholds[name] for name in names]).astype(np.int64)
        argmax = (probabilities >= 0.5).astype(np.int64)
        answered = answered[:, np.newaxis]
    else:
        argmax = called = probabilities.argmax(axis=1)
        if (positive := answers.positive_index) is not None:
            over = probabilities[:, positive] >= answers.thresholds[names[positive]]
            called = np.where(over, positive, 1 - positive)
    return {
        "called": np.where(answered, called, answers.called),
        "called_argmax": np.where(answered, argmax, answers.called_argmax),
    }


def _untempered(logits: npt.NDArray[np.float32], *, multi: bool) -> npt.NDArray[np.float64]:
    from scipy.special import expit, softmax

    wide = logits.astype(np.float64)
    return np.asarray(expit(wide) if multi else softmax(wide, axis=1))


def images_csv(answers: ServedAnswers) -> str:
    """A row for each example, in their order; what is unknown is empty, several findings are joined by "|"."""
    names = answers.scheme.names
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    told = "called right verdict withheld in_domain domain_score refused failed sha256".split()
    writer.writerow(["file", "label", "patient", "stratum", "split", *(f"p_{name}" for name in names), *told])
    for i, example in enumerate(answers.examples):
        answered = answers.failed[i] is None
        writer.writerow(
            [
                example.source.name,
                _words(answers.targets[i], names),
                example.patient,
                example.stratum,
                example.split or "",
                *(f"{p:.6f}" if answered else "" for p in answers.probabilities[i]),
                _words(answers.called[i], names) if answered else "",
                int(answers.right[i] == 1),
                answers.verdicts[i] or "",
                answers.withheld[i] or "",
                str(bool(answers.in_domain[i])).lower() if answered else "",
                f"{answers.domain_scores[i]:.4f}" if answered else "",
                answers.refused[i] or "",
                answers.failed[i] or "",
                example.sha256,
            ]
        )
    return text.getvalue()


def _words(value: Any, names: Sequence[str]) -> str:
    if np.ndim(value):
        return "|".join(name for name, there in zip(names, value, strict=True) if there)
    return names[int(value)]


def lines_of(result: Mapping[str, Any]) -> Iterator[str]:
    """The result for a person at a terminal, a line each."""
    model = result["model"]
    yield f"{model['name']} {model['version']} on {result['n']} images of {result['patients']} patient groups"
    for figure in (*FIGURES, "calibration_slope", "calibration_intercept", "accuracy_of_given", "withheld_share"):
        if figure in result:
            value, bounds = shown(figure, result[figure]), interval(figure, result["ci95"])
            yield f"  {NAMES[figure]:<27} {value:>11}  {bounds}".rstrip()
    if result["task"] == "single_label":
        yield f"  {'Confusion matrix':<27} {result['confusion_matrix']}"
    if result["keras"] is not None:
        keras = result["keras"]
        yield (
            f"  Keras model beside it: accuracy {shown('accuracy', keras['accuracy'])}, loss {keras['loss']:.3f}, "
            f"largest difference of a probability {keras['largest_probability_difference']:.1e}"
        )
    for text in warnings(result):
        yield f"  Note: {text}"
    yield "Research use, not for diagnosis."
