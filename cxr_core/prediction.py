"""Step 6: the records that a reader, a node or a script gets, and their JSON form (its keys: README.md)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from cxr_core.population import PopulationState

INDETERMINATE = "INDETERMINATE"
Withheld = Literal["out_of_domain", "population"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One label's part of the answer."""

    label: str
    probability: float
    """Calibrated, 0 to 1."""

    threshold: float | None
    """At or above it the label is positive; None where the largest probability decides."""

    positive: bool


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """Which model gave the answer."""

    name: str
    version: str
    sha256: str
    """Digest of the bundle's manifest, which holds the digests of its other files."""


@dataclass(frozen=True, eq=False, slots=True)
class Prediction:
    """The answer for one image. Nothing in it is a diagnosis."""

    model: ModelIdentity
    labels: tuple[str, ...]
    probabilities: tuple[float, ...]
    """Calibrated, in the order of `labels`; sum to 1 for a single-label bundle."""

    prevalence: float | None
    """The share of positives that the probabilities hold for; None of a bundle that is not two-class."""

    label: str | None
    """By the bundle's rule; None for a multi-label bundle."""

    probability: float
    """Of the positive class, else of the label, else the largest."""

    findings: tuple[Finding, ...]
    verdict: str | None
    """A label, "INDETERMINATE", or None when withheld or multi-label."""

    verdict_withheld: Withheld | None
    in_domain: bool
    domain_score: float
    domain_reason: str | None
    population: PopulationState
    warnings: tuple[str, ...]
    maps: npt.NDArray[np.float32] = field(repr=False)
    """Grad-CAM of every class, shape (classes, rows, columns) on the native grid, >= 0, relative within this image."""

    embedding: npt.NDArray[np.float32] = field(repr=False)
    """(n,) activations before the last layer."""

    @property
    def shown_label(self) -> str:
        """The label whose map is of interest: the first finding's highest."""
        return max(self.findings, key=lambda finding: finding.probability).label

    @property
    def shown_map(self) -> npt.NDArray[np.float32]:
        """The map of `shown_label`, shape (rows, columns)."""
        shown: npt.NDArray[np.float32] = self.maps[self.labels.index(self.shown_label)]
        return shown


@dataclass(frozen=True, slots=True)
class Milliseconds:
    """Wall time of the steps of one image."""

    read: float | None = None
    preprocess: float | None = None
    infer: float | None = None


Status = Literal["predicted", "refused", "failed"]


@dataclass(frozen=True, eq=False, slots=True)
class ImageResult:
    """What became of one image: predicted, refused by intake, or failed."""

    path: str
    status: Status
    reason: str | None
    sop_instance_uid: str | None
    warnings: tuple[str, ...]
    prediction: Prediction | None
    milliseconds: Milliseconds

    def to_json(self, heatmap: str | None = None) -> dict[str, Any]:
        """The JSON object of this image; every key is always there, and what is unknown is None."""
        p = self.prediction
        return {
            "path": self.path,
            "sop_instance_uid": self.sop_instance_uid,
            "status": self.status,
            "reason": self.reason,
            "warnings": list(self.warnings),
            "label": p and p.label,
            "probability": p and p.probability,
            "probabilities": p and dict(zip(p.labels, p.probabilities, strict=True)),
            "prevalence": p and p.prevalence,
            "findings": [
                {"label": f.label, "probability": f.probability, "threshold": f.threshold, "positive": f.positive}
                for f in (p.findings if p else ())
            ],
            "verdict": p and p.verdict,
            "verdict_withheld": p and p.verdict_withheld,
            "in_domain": p and p.in_domain,
            "domain_score": p and p.domain_score,
            "population": p and p.population,
            "model": p and {"name": p.model.name, "version": p.model.version, "sha256": p.model.sha256},
            "heatmap": heatmap,
            "milliseconds": {
                "read": self.milliseconds.read,
                "preprocess": self.milliseconds.preprocess,
                "infer": self.milliseconds.infer,
            },
        }
