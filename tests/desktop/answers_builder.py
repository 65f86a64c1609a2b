"""Answers of every kind, made without a model."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from cxr_core.bundle import Manifest, find_bundle
from cxr_core.prediction import Finding, ImageResult, Milliseconds, ModelIdentity, Prediction
from cxr_desktop.state.answers import Answer

UID = "1.2.826.0.1.3680043.8.498.1"


def manifest(**changes: Any) -> Manifest:
    """That of the shipped CNN, changed."""
    return Manifest.model_validate(find_bundle("cnn").manifest.model_dump() | changes)


def cam(side: int = 15) -> np.ndarray:
    """A map with one warm corner."""
    row, column = np.mgrid[0:side, 0:side].astype(np.float32)
    return np.exp(-((row - 0.7 * side) ** 2 + (column - 0.3 * side) ** 2) / side)


def answer(probability: float = 0.93, *, name: str = "cnn", **changes: Any) -> Answer:
    """An answer of a two-class model; `changes` are fields of Prediction."""
    held = manifest(name=name)
    positive = probability >= 0.5
    label = "PNEUMONIA" if positive else "NORMAL"
    prediction = Prediction(
        model=ModelIdentity(name, held.version, name.ljust(64, "0")),
        labels=("NORMAL", "PNEUMONIA"),
        probabilities=(1 - probability, probability),
        prevalence=0.5,
        label=label,
        probability=probability,
        findings=(Finding("PNEUMONIA", probability, 0.5, positive),),
        verdict=label,
        verdict_withheld=None,
        in_domain=True,
        domain_score=0.41,
        domain_reason=None,
        population="inside",
        warnings=(),
        maps=np.stack([1 - cam(), cam()]),
        embedding=np.zeros(4, np.float32),
    )
    prediction = replace(prediction, **changes)
    warnings = ("view unknown (neither View Position nor View Code Sequence says PA or AP)", *prediction.warnings)
    return Answer(ImageResult("a.dcm", "predicted", None, UID, warnings, prediction, Milliseconds(1, 2, 3)), held)


def positive(**changes: Any) -> Answer:
    return answer(0.93, **changes)


def negative(**changes: Any) -> Answer:
    return answer(0.04, **changes)


def indeterminate() -> Answer:
    return answer(0.32, verdict="INDETERMINATE")


def out_of_domain() -> Answer:
    reason = "looks rotated by 180 degrees"
    return answer(
        verdict=None,
        verdict_withheld="out_of_domain",
        in_domain=False,
        domain_score=2.31,
        domain_reason=reason,
        warnings=(f"out of domain: {reason}",),
    )


def wrong_population() -> Answer:
    words = "not validated for this patient (model of children of 1 to 5 years)"
    return answer(verdict=None, verdict_withheld="population", population="outside", warnings=(words,))


def refused() -> Answer:
    reason = "lateral view (View Position LL); a frontal film, PA or AP, is needed"
    return Answer(ImageResult("a.dcm", "refused", reason, UID, (), None, Milliseconds(1)), None)


def failed() -> Answer:
    reason = "a truncated DICOM file; expected a whole file; send it again"
    return Answer(ImageResult("a.dcm", "failed", reason, None, (), None, Milliseconds()), None)


def of_findings(*probabilities: float) -> Answer:
    """An answer of a multi-label model."""
    names = [f"FINDING {number}" for number in range(1, len(probabilities) + 1)]
    held = manifest(
        task="multi_label",
        labels=[{"name": name, "meaning": f"{name.lower()} pattern", "code": None} for name in names],
        positive=None,
        thresholds=dict.fromkeys(names, 0.5),
        indeterminate=None,
    )
    findings = tuple(Finding(name, p, 0.5, p >= 0.5) for name, p in zip(names, probabilities, strict=True))
    made = answer()
    assert made.result.prediction is not None
    prediction = replace(
        made.result.prediction,
        labels=tuple(names),
        probabilities=probabilities,
        prevalence=None,
        label=None,
        probability=max(probabilities),
        findings=findings,
        verdict=None,
        maps=np.stack([cam()] * len(names)),
    )
    return Answer(replace(made.result, prediction=prediction), held)


def of_classes(*probabilities: float) -> Answer:
    """An answer of a model of several classes, of which the first is no finding."""
    names = [f"CLASS {number}" for number in range(1, len(probabilities) + 1)]
    code = {"value": "1", "scheme": "99TEST", "meaning": "Test"}
    held = manifest(
        labels=[
            {"name": name, "meaning": f"{name.lower()} pattern", "code": code if number else None}
            for number, name in enumerate(names)
        ],
        positive=None,
        thresholds={},
        indeterminate=None,
    )
    best = max(range(len(names)), key=probabilities.__getitem__)
    findings = tuple(Finding(n, p, None, i == best) for i, (n, p) in enumerate(zip(names, probabilities, strict=True)))
    made = answer()
    assert made.result.prediction is not None
    prediction = replace(
        made.result.prediction,
        labels=tuple(names),
        probabilities=probabilities,
        prevalence=None,
        label=names[best],
        probability=probabilities[best],
        findings=findings,
        verdict=names[best],
        maps=np.stack([cam()] * len(names)),
    )
    return Answer(replace(made.result, prediction=prediction), held)
