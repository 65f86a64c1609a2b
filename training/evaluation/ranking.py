"""AUC and average precision under many sets of weights: the scores are sorted once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


class Ranking:
    """Scores from the highest down, with their ties.

    Parameters
    ----------
    truth : numpy.ndarray
        (n,) 1 for a positive, else 0.
    score : numpy.ndarray
        (n,) higher means more likely positive.
    """

    def __init__(self, truth: npt.ArrayLike, score: npt.ArrayLike) -> None:
        score = np.asarray(score, np.float64)
        self._order = np.argsort(-score, kind="stable")
        self._truth = np.asarray(truth, np.float64)[self._order]
        #: Last place of each group of equal scores: only there can a threshold stand.
        self._ends = np.flatnonzero(np.append(np.diff(score[self._order]) != 0, True))

    def auc_and_average_precision(self, weights: Floats) -> tuple[Floats, Floats]:
        """Both for weights (m, n), each shape (m,); NaN where one class has no weight.

        The trapezoidal area and the step-wise sum of roc_auc_score and average_precision_score.
        """
        ordered = weights[:, self._order]
        called = np.cumsum(ordered, axis=1)[:, self._ends]
        ordered *= self._truth
        true = np.cumsum(ordered, axis=1)[:, self._ends]
        positives, negatives = true[:, -1], called[:, -1] - true[:, -1]
        steps = np.diff(true, axis=1, prepend=0)
        false_steps = np.diff(called, axis=1, prepend=0) - steps
        with np.errstate(divide="ignore", invalid="ignore"):
            auc = ((true - steps / 2) * false_steps).sum(axis=1) / (positives * negatives)
            precision = np.where(called > 0, true / called, 0)
            average_precision = (steps * precision).sum(axis=1) / positives
        return auc, np.where(negatives > 0, average_precision, np.nan)
