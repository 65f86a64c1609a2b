"""The figures of one yes-or-no question: a positive class against the other, or one finding."""

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
    f1_score,
    log_loss,
    precision_score,
    recall_score,
    roc_auc_score,
)

from training.evaluation.calibration_figures import (
    ECE_BINS,
    EPSILON,
    bin_residuals,
    calibration_in_the_large,
    expected_calibration_error,
    logit,
    recalibration,
)
from training.evaluation.ranking import Ranking

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: Prevalences, in percent, at which predictive values are given: theirs, not the data set's, decides what a call means.
PREVALENCES_PERCENT = (5, 10, 30)


@dataclass(frozen=True, eq=False)
class BinaryProblem:
    """n answers to one question. Where `answered` is False, `called` must be wrong (served.FAILED_RULE)."""

    truth: Ints
    """(n,) 1 for a positive."""

    probability: Floats
    """(n,) calibrated."""

    called: Ints
    """(n,) at the served threshold."""

    called_argmax: Ints
    """(n,) by the larger probability."""

    answered: npt.NDArray[np.bool_]

    @cached_property
    def score(self) -> Floats:
        """(n,) the probability, and for a file that failed a score at the wrong end."""
        return np.where(self.answered, self.probability, np.where(self.truth == 1, -1.0, 2.0))

    @cached_property
    def ranking(self) -> Ranking:
        """The scores, sorted."""
        return Ranking(self.truth, self.score)

    @property
    def both_classes(self) -> bool:
        """Whether there are positives and negatives."""
        return 0 < self.truth.sum() < len(self.truth)

    def figures(self) -> dict[str, float]:
        """Every figure; NaN where it is not defined."""
        truth, p, called = self.truth, self.probability, self.called
        nan = float("nan")
        recall = float(recall_score(truth, called, zero_division=np.nan))
        specificity = float(recall_score(truth, called, pos_label=0, zero_division=np.nan))
        intercept, slope, in_the_large = self._recalibration(np.ones((1, len(truth))), (0.0, 1.0, 0.0))
        return {
            "accuracy": float(accuracy_score(truth, called)),
            "accuracy_argmax": float(accuracy_score(truth, self.called_argmax)),
            "loss": float(log_loss(truth, np.stack([1 - p, p], axis=1), labels=[0, 1])),
            "precision": float(precision_score(truth, called, zero_division=np.nan)),
            "recall": recall,
            "f1": float(f1_score(truth, called, zero_division=np.nan)),
            "specificity": specificity,
            "auc": float(roc_auc_score(truth, self.score)) if self.both_classes else nan,
            "average_precision": float(average_precision_score(truth, self.score)) if self.both_classes else nan,
            "brier": float(brier_score_loss(truth, p, labels=[0, 1])),
            "ece": expected_calibration_error(truth[self.answered], p[self.answered]),
            "calibration_slope": float(slope[0]),
            "calibration_intercept": float(intercept[0]),
            "calibration_in_the_large": float(in_the_large[0]),
            **{name: float(value) for name, value in predictive_values(recall, specificity).items()},
        }

    def resampled(self) -> Callable[[Floats], dict[str, Floats]]:
        """The same figures as a function of weights (m, n), each (m,)."""
        truth, p, called = self.truth, self.probability, self.called
        point = self._recalibration(np.ones((1, len(truth))), (0.0, 1.0, 0.0))
        start = (float(point[0][0]), float(point[1][0]), float(point[2][0]))
        defined = np.isfinite(start).all()
        loss = -np.log(np.clip(np.where(truth == 1, p, 1 - p), EPSILON, 1))
        columns = np.column_stack(
            [
                np.ones(len(truth)),
                truth * called,
                (1 - truth) * called,
                truth * (1 - called),
                (1 - truth) * (1 - called),
                truth == self.called_argmax,
                loss,
                (truth - p) ** 2,
                self.answered,
                bin_residuals(truth, p) * self.answered[:, np.newaxis],
            ]
        )

        def figures(weights: Floats) -> dict[str, Floats]:
            sums = weights @ columns
            total, tp, fp, fn, tn, argmax_right, losses, squares, answered = sums[:, :9].T
            auc, average_precision = self.ranking.auc_and_average_precision(weights)
            undefined = np.full(len(weights), np.nan)
            fitted = self._recalibration(weights, start, 8) if defined else (undefined,) * 3
            with np.errstate(divide="ignore", invalid="ignore"):
                recall, specificity = tp / (tp + fn), tn / (tn + fp)
                return {
                    "accuracy": (tp + tn) / total,
                    "accuracy_argmax": argmax_right / total,
                    "loss": losses / total,
                    "precision": tp / (tp + fp),
                    "recall": recall,
                    "f1": 2 * tp / (2 * tp + fp + fn),
                    "specificity": specificity,
                    "auc": auc,
                    "average_precision": average_precision,
                    "brier": squares / total,
                    "ece": np.abs(sums[:, 9 : 9 + ECE_BINS]).sum(axis=1) / answered,
                    "calibration_slope": fitted[1],
                    "calibration_intercept": fitted[0],
                    "calibration_in_the_large": fitted[2],
                    **predictive_values(recall, specificity),
                }

        return figures

    def _recalibration(
        self, weights: Floats, start: tuple[float, float, float], iterations: int = 20
    ) -> tuple[Floats, Floats, Floats]:
        """Intercept, slope, and intercept at slope 1, of the files that were answered."""
        truth, logits = self.truth[self.answered].astype(np.float64), logit(self.probability[self.answered])
        kept = weights if self.answered.all() else weights[:, self.answered]
        intercept, slope = recalibration(truth, logits, kept, start[:2], iterations)
        return intercept, slope, calibration_in_the_large(truth, logits, kept, start[2], iterations)


def predictive_values(recall: npt.ArrayLike, specificity: npt.ArrayLike) -> dict[str, Floats]:
    """PPV and NPV at PREVALENCES_PERCENT by Bayes' rule; NaN where nothing would be called so."""
    sensitivity, specificity = np.asarray(recall, np.float64), np.asarray(specificity, np.float64)
    values = {}
    with np.errstate(divide="ignore", invalid="ignore"):
        for percent in PREVALENCES_PERCENT:
            share = percent / 100
            tp, fn = sensitivity * share, (1 - sensitivity) * share
            tn, fp = specificity * (1 - share), (1 - specificity) * (1 - share)
            values[f"ppv_at_{percent}"] = np.asarray(tp / (tp + fp))
            values[f"npv_at_{percent}"] = np.asarray(tn / (tn + fn))
    return values
