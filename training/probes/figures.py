"""Accuracy, loss and AUC of answers, and what a changed copy does to them, for two, N classes and multi-label alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.metrics import roc_auc_score

from cxr_core.bundle import Manifest
from cxr_core.errors import CxrError
from training.datasets.examples import Example, LabelScheme, targets_of

Probabilities = npt.NDArray[np.float64]
Targets = npt.NDArray[np.int64]

#: Probabilities are kept this far from 0 and 1 in the log loss, as float32 logits saturate.
_LOSS_FLOOR = 1e-7


class ProbeError(CxrError):
    """Examples and a model that do not go together."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one kind of copy over the held-out examples."""

    n: int
    accuracy: float
    """Of the label by the bundle's rule; multi-label: share of right (image, finding) pairs."""

    loss: float
    """Mean log loss of the calibrated probabilities; multi-label: mean over the findings."""

    auc: float | None
    """Of the positive class; N classes: macro, one against the rest; multi-label: macro. None: not defined."""

    withheld: float | None
    """Share that the domain check would withhold; None where there is none."""


@dataclass(frozen=True, slots=True)
class Effect:
    """What a copy does, against the pictures as they are."""

    figures: Figures
    accuracy_fall: float
    loss_rise: float
    auc_fall: float | None
    flip_rate: float
    """Share of answers by the bundle's rule that change; multi-label: of (image, finding) pairs."""

    mean_change: float
    """Mean absolute change of the probability of the label of interest."""

    @property
    def auc_from_chance(self) -> float | None:
        """Distance of the AUC from 0.5, on either side."""
        return None if self.figures.auc is None else abs(self.figures.auc - 0.5)


def targets_for(manifest: Manifest, examples: Sequence[Example], scheme: LabelScheme) -> Targets:
    """Targets in the order of the bundle's outputs: class indices (n,), or 0 and 1 (n, labels) of a multi-label one.

    Raises ProbeError when the data set cannot tell the bundle's findings, or names a class that it does not know.
    """
    names = [label.name for label in manifest.labels]
    lacking = set(names) - set(scheme.names) if manifest.task == "multi_label" else set(scheme.names) - set(names)
    if lacking or manifest.task != scheme.task:
        raise ProbeError(
            f"a data set of {', '.join(scheme.names)} ({scheme.task}) for a model of {', '.join(names)} "
            f"({manifest.task})",
            "the same labels",
            "name the data set or the model that belongs to the other",
        )
    targets = targets_of(examples, scheme)
    if manifest.task == "multi_label":
        return targets[:, [scheme.names.index(name) for name in names]]
    return np.array([names.index(name) for name in scheme.names])[targets]


def called(manifest: Manifest, probabilities: Probabilities) -> Targets:
    """The answers by the bundle's rule, in the shape of the targets."""
    names = [label.name for label in manifest.labels]
    if manifest.task == "multi_label":
        return (probabilities >= [manifest.thresholds[name] for name in names]).astype(np.int64)
    if manifest.positive is not None:
        positive = names.index(manifest.positive)
        over = probabilities[:, positive] >= manifest.thresholds[manifest.positive]
        return np.where(over, positive, 1 - positive)
    return probabilities.argmax(axis=1)


def auc(targets: Targets, probabilities: Probabilities) -> float | None:
    """Macro AUC over the labels that are both there and not, one against the rest; of two classes both are the same.

    None where no label is.
    """
    truth = targets if targets.ndim == 2 else np.eye(probabilities.shape[1], dtype=np.int64)[targets]
    told = np.flatnonzero(truth.min(axis=0) != truth.max(axis=0))
    if len(told) == 0:
        return None
    return float(np.mean([roc_auc_score(truth[:, k], probabilities[:, k]) for k in told]))


def log_loss(targets: Targets, probabilities: Probabilities) -> float:
    """Mean log loss; of a multi-label set over all (image, finding) pairs."""
    p = np.clip(probabilities, _LOSS_FLOOR, 1 - _LOSS_FLOOR)
    if targets.ndim == 2:
        return float(-np.where(targets == 1, np.log(p), np.log(1 - p)).mean())
    return float(-np.log(p[np.arange(len(p)), targets]).mean())


def figures_of(
    targets: Targets, probabilities: Probabilities, answers: Targets, in_domain: npt.NDArray[np.bool_] | None = None
) -> Figures:
    """Figures of probabilities (n, labels) and of the answers made of them."""
    return Figures(
        n=len(targets),
        accuracy=float((answers == targets).mean()),
        loss=log_loss(targets, probabilities),
        auc=auc(targets, probabilities),
        withheld=None if in_domain is None else float((~in_domain).mean()),
    )


def effect_of(
    manifest: Manifest, targets: Targets, before: Probabilities, after: Probabilities, in_domain: npt.NDArray[np.bool_]
) -> Effect:
    """What changed from the probabilities of the pictures to those of their copies, both (n, labels)."""
    first, second = called(manifest, before), called(manifest, after)
    plain = figures_of(targets, before, first)
    figures = figures_of(targets, after, second, in_domain)
    return Effect(
        figures=figures,
        accuracy_fall=plain.accuracy - figures.accuracy,
        loss_rise=figures.loss - plain.loss,
        auc_fall=None if plain.auc is None or figures.auc is None else plain.auc - figures.auc,
        flip_rate=float((first != second).mean()),
        mean_change=float(np.abs(of_interest(manifest, before, after - before)).mean()),
    )


def of_interest(manifest: Manifest, before: Probabilities, values: Probabilities) -> Probabilities:
    """The columns of `values` (n, labels) that a change is told of, shape (n,), or (n, labels) of a multi-label bundle.

    The positive class; of N classes the one called before the change; of a multi-label bundle every finding.
    """
    if manifest.task == "multi_label":
        return values
    return values[np.arange(len(values)), columns_of_interest(manifest, before)]


def columns_of_interest(manifest: Manifest, before: Probabilities) -> Targets:
    """Index of the label of interest of each image of a single-label bundle, shape (n,)."""
    if manifest.positive is not None:
        positive = [label.name for label in manifest.labels].index(manifest.positive)
        return np.full(len(before), positive)
    return before.argmax(axis=1)
