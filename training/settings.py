"""What a run can be told: frozen, written into its config.json, compared on resume."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Distribution = Literal["none", "mirrored", "multiworker"]
SplitKind = Literal["pooled", "official"]


@dataclass(frozen=True, slots=True)
class FitSettings:
    """Settings of one run. All of them decide its result."""

    model: str = "cnn"
    """Name out of networks.ARCHITECTURES."""

    epochs: int = 10
    """Of the network, or of its new head on a frozen base."""

    fine_tuning_epochs: int = 10
    """Of the final layers of a base, afterwards; none for a network without a base."""

    batch_size: int = 32
    """Of all replicas together."""

    seed: int = 1
    base_weights: str = "imagenet"
    """"imagenet", "none" or a file. Only a network with a base looks at it."""

    augmented: bool = True
    dropout: bool = True
    label_smoothing: float = 0.05
    """Share of the target that is spread over all classes: the labels of the data set are one reader's opinion."""

    teacher_share: float = 0.0
    """Share of a teacher's probabilities in the targets, where soft labels are given."""

    split: SplitKind = "pooled"
    leave_out: str | None = None
    """A fold ("fold 0" ...) or block ("lowest numbers", "highest numbers") that is validated on instead."""

    task: str | None = None
    finding: str | None = None
    deterministic: bool = False
    """The same bits again, also after a resume; slower."""
