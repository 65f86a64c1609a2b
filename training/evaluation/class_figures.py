"""The figures of N classes: macro averages over the classes, one against the rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    brier_score_loss,
    log_loss,
    multilabel_confusion_matrix,
    precision_recall_fscore_support,
    roc_auc_score,
)

from training.evaluation.bootstrap import Figures, Key
from training.evaluation.calibration_figures import EPSILON, bin_residuals, expected_calibration_error
from training.evaluation.ranking import Ranking

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
BY_CLASS = ("precision", "recall", "f1", "specificity", "auc", "average_precision")


@dataclass(frozen=True, eq=False)
class ClassProblem:
    """n answers out of several classes. Where `answered` is False, `called` must be wrong."""

    names: tuple[str, ...]
    truth: Ints
    """(n,) class indices."""

    probabilities: Floats
    """(n, classes), calibrated."""

    called: Ints
    called_argmax: Ints
    answered: npt.NDArray[np.bool_]

    @cached_property
    def scores(self) -> Floats:
        """(n, classes) probabilities, and for a file that failed scores at the wrong end."""
        wrong = np.where(np.arange(len(self.names)) == self.truth[:, np.newaxis], -1.0, 2.0)
        return np.where(self.answered[:, np.newaxis], self.probabilities, wrong)

    @property
    def confidence(self) -> Floats:
        """(n,) the largest probability."""
        return np.asarray(self.probabilities.max(axis=1))

    def figures(self) -> Figures:
        """Overall under "", and BY_CLASS under each name; NaN where not defined. The macro average leaves NaN out."""
        classes = range(len(self.names))
        truth, called = self.truth, self.called
        confusion = multilabel_confusion_matrix(truth, called, labels=classes)
        precision, recall, f1, _ = precision_recall_fscore_support(truth, called, labels=classes, zero_division=np.nan)
        own = [(truth == k).astype(np.int64) for k in classes]
        both = [0 < o.sum() < len(o) for o in own]
        scores = self.scores
        with np.errstate(divide="ignore", invalid="ignore"):
            by_class = {
                "precision": precision,
                "recall": recall,
                "f1": f1,
                "specificity": confusion[:, 0, 0] / confusion[:, 0].sum(axis=1),
                "auc": [roc_auc_score(own[k], scores[:, k]) if both[k] else np.nan for k in classes],
                "average_precision": [
                    average_precision_score(own[k], scores[:, k]) if both[k] else np.nan for k in classes
                ],
            }
        right = (self.called_argmax == truth)[self.answered]
        overall = {
            "accuracy": accuracy_score(truth, called),
            "accuracy_argmax": accuracy_score(truth, self.called_argmax),
            "loss": log_loss(truth, self.probabilities, labels=classes),
            **{name: _mean(np.asarray(values, np.float64)) for name, values in by_class.items()},
            "brier": brier_score_loss(truth, self.probabilities, labels=classes),
            "ece": expected_calibration_error(right, self.confidence[self.answered]),
        }
        return {("", name): float(value) for name, value in overall.items()} | {
            (label, name): float(values[k]) for name, values in by_class.items() for k, label in enumerate(self.names)
        }

    def resampled(self) -> Callable[[Floats], dict[Key, Floats]]:
        """The same figures as a function of weights (m, n), each (m,)."""
        count, n = len(self.names), len(self.truth)
        cells = np.zeros((n, count * count))
        cells[np.arange(n), self.truth * count + self.called] = 1
        one_hot = np.eye(count)[self.truth]
        right = (self.called_argmax == self.truth).astype(np.float64)
        answered = self.answered.astype(np.float64)
        columns = np.column_stack(
            [
                right,
                -np.log(np.clip(self.probabilities[np.arange(n), self.truth], EPSILON, 1)),
                ((self.probabilities - one_hot) ** 2).sum(axis=1) * (0.5 if count == 2 else 1),
                answered,
                bin_residuals(right, self.confidence) * answered[:, np.newaxis],
                cells,
            ]
        )
        rankings = [Ranking(one_hot[:, k], self.scores[:, k]) for k in range(count)]

        def figures(weights: Floats) -> dict[Key, Floats]:
            sums = weights @ columns
            confusion = sums[:, -count * count :].reshape(-1, count, count)
            total = weights.sum(axis=1)
            hits, own, called = np.einsum("mkk->mk", confusion), confusion.sum(axis=2), confusion.sum(axis=1)
            others = total[:, np.newaxis] - own
            areas = [ranking.auc_and_average_precision(weights) for ranking in rankings]
            with np.errstate(divide="ignore", invalid="ignore"):
                by_class = {
                    "precision": hits / called,
                    "recall": hits / own,
                    "f1": 2 * hits / (own + called),
                    "specificity": (others - called + hits) / others,
                    "auc": np.stack([auc for auc, _ in areas], axis=1),
                    "average_precision": np.stack([ap for _, ap in areas], axis=1),
                }
                overall = {
                    "accuracy": hits.sum(axis=1) / total,
                    "accuracy_argmax": sums[:, 0] / total,
                    "loss": sums[:, 1] / total,
                    **{name: _mean(values) for name, values in by_class.items()},
                    "brier": sums[:, 2] / total,
                    "ece": np.abs(sums[:, 4 : -count * count]).sum(axis=1) / sums[:, 3],
                }
            return {("", name): value for name, value in overall.items()} | {
                (label, name): values[:, k] for name, values in by_class.items() for k, label in enumerate(self.names)
            }

        return figures


def _mean(values: Floats) -> Floats:
    """Mean over the last axis of what is defined; NaN where nothing is."""
    defined = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(defined, values, 0).sum(axis=-1) / defined.sum(axis=-1))
