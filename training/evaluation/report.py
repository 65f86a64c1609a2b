"""The report of one evaluation as a page that a person can mail."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from cxr_core.heatmap import MAP_LABEL
from training.evaluation import page
from training.evaluation.binary_figures import PREVALENCES_PERCENT
from training.evaluation.cases import Case, file_name
from training.evaluation.class_figures import BY_CLASS
from training.evaluation.metrics import FIGURES
from training.evaluation.parts import calibration_note
from training.evaluation.served import FAILED_RULE, ServedAnswers
from training.evaluation.words import NAMES, interval, meaning, shown

#: Figures of two classes or findings beside FIGURES.
CALIBRATION = ("calibration_slope", "calibration_intercept", "calibration_in_the_large")
_CAPTIONS = {
    "confusion_matrix": "Rows: the label of the data set. Columns: what the model calls.",
    "roc": "Every threshold at once. The nearer to the upper left corner, the better.",
    "precision_recall": "How many calls are right when more of the labelled images are to be found.",
    "reliability": "Points on the dotted line: the stated probability is what comes true. Below: images in each bin.",
    "risk_coverage": "To the left, only the images that the model is most certain of are answered.",
}


def report_html(
    result: Mapping[str, Any],
    plots: Mapping[str, bytes],
    answers: ServedAnswers,
    pictures: Sequence[tuple[Case, npt.NDArray[np.uint8]]],
) -> str:
    """The page of evaluate's JSON, its plots, and the gallery."""
    model = result["model"]
    title = f"Evaluation of {model['name']} {model['version']}"
    parts = [
        page.heading(title, 1),
        page.paragraph(
            f"{result['data']['description']}{_part(result)}: {result['n']} images of {result['patients']} patient "
            f"groups. Written {result['written']}.",
            quiet=True,
        ),
        *(page.note(text) for text in warnings(result)),
        page.cards(_headline(result)),
        page.heading("What was evaluated"),
        page.facts(_identity(result)),
        page.heading("What a reader would have seen"),
        page.paragraph(
            "Every image counts in the figures under its label, whether or not its verdict is withheld. "
            "This is how many would have got a verdict."
        ),
        page.table(("", "Images", "Share"), _seen(result), (1, 2)),
        page.paragraph(
            f"Accuracy of the verdicts that are given: {shown('accuracy_of_given', result['accuracy_of_given'])}"
            f"{_bracket('accuracy_of_given', result)}. Withheld: {shown('withheld_share', result['withheld_share'])}"
            f"{_bracket('withheld_share', result)}."
        ),
        page.heading("All figures"),
        page.table(("Figure", "Value", "95 % interval", "In plain words"), _figures(result), (1, 2)),
        *_predictive(result),
        *_by_group(result),
        page.heading("Plots"),
        page.grid("plots", (page.figure(plots[name], _CAPTIONS[name], name.replace("_", " ")) for name in plots)),
        *_gallery(result, answers, pictures),
        *_keras(result),
        page.heading("How to read this"),
        *(page.paragraph(text) for text in _method(result)),
    ]
    return page.page(title, parts)


def warnings(result: Mapping[str, Any]) -> Iterator[str]:
    """What must be known before any figure is believed, a line each."""
    n, overlap = result["n"], result["overlap"]
    if overlap is not None and overlap["training_files"]:
        names = ", ".join(overlap["names"][:5])
        more = " and others" if overlap["training_files"] > 5 else ""
        yield (
            f"The model was trained on {overlap['training_files']} of these {n} images ({names}{more}): "
            "the figures flatter it."
        )
    if overlap is None:
        yield "The bundle does not list its training files, so whether it was trained on these images is not known."
    if note := calibration_note(result["calibrated_on"], n, result["data"]["part"]):
        yield note
    if result["failed"]:
        yield (
            f"{result['failed']} of {n} files could not be read and count as wrong, for example "
            f"{result['failed_files'][0]}"
        )
    missing = [name for name, count in result["labels"].items() if not count]
    if missing:
        yield f"No image is labelled {' or '.join(missing)}: figures that need it are not defined."
    if result["prevalence"] is not None and abs(result["prevalence"] - result["calibrated_prevalence"]) > 0.1:
        yield (
            f"{100 * result['prevalence']:.0f} % of these images are {result['positive']}, and the probabilities are "
            f"calibrated for {100 * result['calibrated_prevalence']:.0f} %: that alone moves loss, Brier score and "
            "calibration; AUC, recall and specificity do not depend on it."
        )


def _part(result: Mapping[str, Any]) -> str:
    part = result["data"]["part"]
    return f", part {part}" if part else ""


def _bracket(figure: str, result: Mapping[str, Any]) -> str:
    text = interval(figure, result["ci95"])
    return f" ({text})" if text else ""


def _headline(result: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for figure in ("accuracy", "recall", "specificity", "auc", "loss"):
        bounds = interval(figure, result["ci95"])
        yield NAMES[figure], shown(figure, result[figure]), f"95 %: {bounds}" if bounds else "no interval"


def _identity(result: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    model, data = result["model"], result["data"]
    yield "Model", f"{model['name']} {model['version']}: {model['description']}"
    yield "SHA-256 of the bundle", model["sha256"]
    yield (
        "Population",
        f"Made for {result['population']}. These figures say nothing about other patients, hospitals or devices.",
    )
    yield "Trained on", model["training_data"]
    yield "Data evaluated", f"{data['description']}{_part(result)}"
    if data["population"] != result["population"]:
        yield "Patients evaluated", data["population"]
    yield (
        "Images",
        f"{result['n']} of {result['patients']} patient groups; "
        + ", ".join(f"{name} {count}" for name, count in result["labels"].items()),
    )
    yield "Fingerprint of the images", data["fingerprint"]
    if result["thresholds"]:
        listed = ", ".join(f"{name} at {value:.3f} or more" for name, value in result["thresholds"].items())
        yield "Called", f"{listed}; {result['threshold_rule']}"
    if result["indeterminate_band"]:
        low, high = result["indeterminate_band"]
        yield "Indeterminate", f"probability from {low:.3f} to under {high:.3f}"
    overlap = result["overlap"]
    yield (
        "Overlap with training files",
        ("not known: the bundle has no list" if overlap is None else f"{overlap['training_files']} of {result['n']}"),
    )
    for note in data["notes"]:
        yield "Note on the data", note


def _seen(result: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    withheld = result["withheld"]
    rows = (
        ("Verdict given", result["verdicts_given"]),
        ("Indeterminate", result["indeterminate"]),
        ("Withheld: out of domain", withheld["out_of_domain"]),
        ("Withheld: outside the population", withheld["population"]),
        ("File that cannot be read", result["failed"]),
        ("Beside that: refused by intake, but answered and counted here", result["refused"]),
    )
    for name, count in rows:
        yield name, str(count), f"{100 * count / result['n']:.1f} %"


def _figures(result: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    for figure in (*FIGURES, *CALIBRATION):
        if figure in result:
            yield (
                NAMES[figure],
                shown(figure, result[figure]),
                interval(figure, result["ci95"]),
                meaning(figure, result),
            )


def _predictive(result: Mapping[str, Any]) -> Iterator[str]:
    if not result["positive"]:
        return
    yield page.heading("What a call would mean where the label is rarer", 3)
    yield page.table(
        ("Patients with the label", f"Called {result['positive']}: right", "95 %", "Called the other: right", "95 %"),
        (
            (
                f"{percent} of 100",
                shown(ppv, result[ppv]),
                interval(ppv, result["ci95"]),
                shown(npv, result[npv]),
                interval(npv, result["ci95"]),
            )
            for percent in PREVALENCES_PERCENT
            for ppv, npv in [(f"ppv_at_{percent}", f"npv_at_{percent}")]
        ),
        (1, 2, 3, 4),
    )
    yield page.paragraph(
        "Positive and negative predictive value by Bayes' rule from recall and specificity above, as if nothing but "
        "the frequency were different there.",
        quiet=True,
    )


def _by_group(result: Mapping[str, Any]) -> Iterator[str]:
    if result["per_label"]:
        yield page.heading("By label", 3)
        yield page.table(
            ("", "Images", *(NAMES[figure] for figure in BY_CLASS)),
            (
                (name.replace("_", " "), str(own["n"]), *(_with_interval(figure, own) for figure in BY_CLASS))
                for name, own in result["per_label"].items()
            ),
            range(1, 2 + len(BY_CLASS)),
        )
    if result["strata"]:
        ranked = any("auc" in own for own in result["strata"].values())
        head = ("", "Images", "Patient groups", "Called right", "95 %", "Withheld", "Indeterminate")
        yield page.heading("By kind of image", 3)
        yield page.table(
            (*head, "AUC against the other class", "95 %") if ranked else head,
            (
                (
                    name,
                    str(own["n"]),
                    str(own["patients"]),
                    shown("accuracy", own["accuracy"]),
                    interval("accuracy", own["ci95"]),
                    str(own["withheld"]),
                    str(own["indeterminate"]),
                    *((shown("auc", own.get("auc")), interval("auc", own["ci95"])) if ranked else ()),
                )
                for name, own in result["strata"].items()
            ),
            range(1, 9),
        )


def _with_interval(figure: str, own: Mapping[str, Any]) -> str:
    return f"{shown(figure, own[figure])}\n{interval(figure, own['ci95']).replace(' %', '')}"


def _gallery(
    result: Mapping[str, Any], answers: ServedAnswers, pictures: Sequence[tuple[Case, npt.NDArray[np.uint8]]]
) -> Iterator[str]:
    yield page.heading("Right and wrong cases")
    yield page.paragraph(
        f"The film, and beside it the film under the Grad-CAM map ({MAP_LABEL}; relative within each image). "
        "Wrong cases: the most certain first. Right cases: from the most to the least certain. A film without colour "
        "has no region that speaks for the label."
    )
    groups: dict[str, list[str]] = {}
    totals = {case.group: case.group_size for case, _ in pictures}
    for case, picture in pictures:
        name = answers.scheme.names[case.output]
        verdict = answers.verdicts[case.example]
        withheld = answers.withheld[case.example]
        state = "" if not withheld else f"; withheld: {withheld.replace('_', ' ')}"
        if verdict == "INDETERMINATE":
            state = "; verdict indeterminate"
        caption = f"{file_name(answers, case)}: labelled {case.caption}; P({name}) {case.probability:.2f}{state}"
        ok, packed = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 88])
        assert ok
        groups.setdefault(case.group, []).append(page.figure(packed.tobytes(), caption, caption, "jpeg"))
    for group, figures in groups.items():
        yield page.heading(f"{group.capitalize()}: {len(figures)} of {totals[group]}", 3)
        yield page.grid("cases", figures)
    if not groups:
        yield page.paragraph("No image was answered.")


def _keras(result: Mapping[str, Any]) -> Iterator[str]:
    keras = result["keras"]
    if keras is None:
        return
    yield page.heading("The Keras model that the bundle was made from")
    yield page.paragraph(
        "The same inputs through the network before it was converted, with the bundle's temperature and threshold. "
        f"Largest difference of a probability: {keras['largest_probability_difference']:.1e}."
    )
    yield page.table(
        ("Figure", "Bundle (served)", "Keras"),
        ((NAMES[figure], f"{shown(figure, result[figure])}", f"{shown(figure, keras[figure])}") for figure in FIGURES),
        (1, 2),
    )
    yield page.paragraph(f"Loss of the Keras model before calibration: {keras['loss_uncalibrated']:.3f}.", quiet=True)


def _method(result: Mapping[str, Any]) -> Iterator[str]:
    yield (
        f"Intervals: 2.5th to 97.5th percentile of {result['resamples']} resamples of patient groups with "
        "replacement, films of one patient together; that of ECE is centred on the measured value. An interval of no "
        "width means that no error was met, not that none can be."
    )
    yield FAILED_RULE
    yield "Ages are those that DICOM files tell; where none is told, no verdict is withheld for age."
    yield (
        "Overlap is found by the content of files: the same film saved anew, or another film of a training patient, "
        "is not found."
    )
    yield "No figure is broken down by sex, age or device of the patients, so fairness across them was not assessed."
