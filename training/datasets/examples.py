"""What every data set is read into: labels, examples and the set. The rest of training knows no folder layout."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from cxr_core.bundle import Label
from cxr_core.errors import CxrError
from cxr_core.population import Population
from cxr_core.reading import Source

#: Official parts of a published data set. None stands for a set that has none.
OfficialSplit = Literal["train", "val", "test"]


class DatasetError(CxrError):
    """A folder that is not the data set it should be."""


@dataclass(frozen=True, slots=True)
class LabelScheme:
    """The classes or findings that a network learns, in the order of its outputs."""

    task: Literal["single_label", "multi_label"]
    labels: tuple[Label, ...]
    positive: str | None
    """The positive one of two classes; None for more classes and for multi-label."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the labels, in the order of the outputs."""
        return tuple(label.name for label in self.labels)


@dataclass(frozen=True, slots=True)
class Example:
    """One image with its labels."""

    source: Source
    """Where its bytes are; `source.name` is relative to the data set and the same on every machine."""

    target: tuple[int, ...]
    """single_label: (class index,); multi_label: 0 or 1 for every label."""

    patient: str
    """Patient group: examples of one never stand on both sides of a split."""

    sha256: str
    """Digest of the file."""

    split: OfficialSplit | None = None
    stratum: str = ""
    """A finer kind than the label where the data set tells it (bacteria, virus), for figures by stratum."""

    stream: str = ""
    """Numbering stream of the file names (IM, NORMAL2-IM, person); "" where numbers say nothing."""

    number: int = 0
    """Position in the stream; neighbours were often acquired at one time."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """A data set as read, exact duplicates dropped."""

    kind: Literal["kaggle", "chestxray8", "class_folders"]
    description: str
    """Name, authors, source, licence: the manifest's training_data."""

    scheme: LabelScheme
    examples: tuple[Example, ...]
    population: Population
    notes: tuple[str, ...] = ()
    """What reading left out or put right, a line each."""

    def summary(self) -> list[str]:
        """What was read, a line each, for a person."""
        parts = sorted({str(example.split) for example in self.examples if example.split})
        lines = [
            f"{self.description}: {len(self.examples)} images of "
            f"{len({example.patient for example in self.examples})} patient groups"
        ]
        for part in parts or [""]:
            chosen = [example for example in self.examples if not part or example.split == part]
            counts = label_counts(chosen, self.scheme)
            listed = ", ".join(f"{name} {counts[name]}" for name in self.scheme.names)
            lines.append(f"  {part or 'all'}: {len(chosen)} images; {listed}")
        return lines + [f"  {note}" for note in self.notes]


def label_counts(examples: Iterable[Example], scheme: LabelScheme) -> Counter[str]:
    """How many examples carry each label."""
    counts: Counter[str] = Counter(dict.fromkeys(scheme.names, 0))
    for example in examples:
        if scheme.task == "multi_label":
            counts.update(name for name, value in zip(scheme.names, example.target, strict=True) if value)
        else:
            counts[scheme.names[example.target[0]]] += 1
    return counts


def targets_of(examples: Sequence[Example], scheme: LabelScheme) -> npt.NDArray[np.int64]:
    """Class indices, shape (n,), of a single-label set; 0 or 1, shape (n, labels), of a multi-label one."""
    if scheme.task == "multi_label":
        return np.array([example.target for example in examples], np.int64).reshape(len(examples), len(scheme.labels))
    return np.array([example.target[0] for example in examples], np.int64)


def fingerprint(examples: Iterable[Example]) -> str:
    """SHA-256 over the sorted digests of the files: the identity of a set of images, whatever their order."""
    return hashlib.sha256("\n".join(sorted(example.sha256 for example in examples)).encode()).hexdigest()
