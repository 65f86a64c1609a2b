"""Figures of a served bundle on films it was not fitted on, with 95 % intervals by patient bootstrap."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import accuracy_score, average_precision_score, confusion_matrix, log_loss, roc_auc_score

from cxr_core.classifier import Classifier
from training.dataset_index import Film
from training.input_batches import inputs_of, labels_of

BOOTSTRAP_SAMPLES = 2000


def evaluate(classifier: Classifier, films: Sequence[Film]) -> dict[str, Any]:
    """Accuracy at the served threshold, AUC, log loss, sensitivity, specificity and confusion matrix.

    Every film counts under its label, withheld ones too; their number stands beside.
    """
    inputs = inputs_of(films, classifier.bundle.manifest.input_scaling)
    predictions = [p for start in range(0, len(films), 32) for p in classifier.predict(inputs[start : start + 32])]
    labels = labels_of(films)
    p = np.array([prediction.probability for prediction in predictions])
    called = np.array([prediction.findings[0].positive for prediction in predictions])
    matrix = confusion_matrix(labels, called, labels=[0, 1])
    (tn, fp), (fn, tp) = matrix.tolist()
    return {
        "n": len(films),
        "patients": len({film.patient for film in films}),
        "accuracy": accuracy_score(labels, called),
        "loss": log_loss(labels, p, labels=[0, 1]),
        "auc": roc_auc_score(labels, p),
        "average_precision": average_precision_score(labels, p),
        "sensitivity": tp / (tp + fn),
        "specificity": tn / (tn + fp),
        "confusion_matrix": matrix.tolist(),
        "indeterminate": sum(prediction.verdict == "INDETERMINATE" for prediction in predictions),
        "withheld_out_of_domain": sum(not prediction.in_domain for prediction in predictions),
        "ci95": {"auc": _auc_interval(labels, p, films)},
    }


def _auc_interval(labels: npt.NDArray[np.int64], p: npt.NDArray[np.float64], films: Sequence[Film]) -> list[float]:
    """2.5th and 97.5th percentile of the AUC over samples of patients with replacement."""
    rng = np.random.default_rng(0)
    _, patient = np.unique([film.patient for film in films], return_inverse=True)
    of_patient = [np.flatnonzero(patient == index) for index in range(patient.max() + 1)]
    values = []
    for _ in range(BOOTSTRAP_SAMPLES):
        chosen = np.concatenate([of_patient[i] for i in rng.integers(0, len(of_patient), len(of_patient))])
        if labels[chosen].min() != labels[chosen].max():
            values.append(roc_auc_score(labels[chosen], p[chosen]))
    return [float(value) for value in np.quantile(values, [0.025, 0.975])]
