"""Who is trained on, who calibrates, who is held out: by patient group, by hash, and by blocks of file numbers.

A group's place depends on its name alone, so it stays where it is when files are added, and on every machine.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from training.datasets.examples import Example

#: Shares of the patient groups that are held out, and that calibrate.
HOLDOUT_SHARE, CALIBRATION_SHARE = 0.15, 0.10
FOLDS = 5
#: Blocks of file numbers that can be left out.
BLOCKS = ("lowest numbers", "highest numbers")

Part = Literal["train", "calibration", "holdout"]


@dataclass(frozen=True, slots=True)
class Split:
    """Parts without a common patient group."""

    train: list[Example]
    calibration: list[Example]
    """Temperature, indeterminate band, limits of the domain check; the validation curves of a run."""

    holdout: list[Example]
    """In no fold, no teacher and no choice: looked at to report figures."""

    @property
    def folds(self) -> list[list[Example]]:
        """The training part in FOLDS folds, for choosing between recipes and for teachers."""
        folds: list[list[Example]] = [[] for _ in range(FOLDS)]
        for example in self.train:
            folds[int(_place("fold", example.patient) * FOLDS)].append(example)
        return folds


def _place(purpose: str, patient: str) -> float:
    """A number in [0, 1) that depends on the purpose and the patient group only."""
    digest = hashlib.sha256(f"{purpose}:{patient}".encode()).digest()
    return int.from_bytes(digest[:6], "big") / 256**6


def part_of(patient: str) -> Part:
    """The part of a patient group."""
    place = _place("part", patient)
    if place < HOLDOUT_SHARE:
        return "holdout"
    return "calibration" if place < HOLDOUT_SHARE + CALIBRATION_SHARE else "train"


def pooled_split(examples: Sequence[Example]) -> Split:
    """Official train and val pooled and split anew by patient group; an official test part is left out."""
    parts: dict[Part, list[Example]] = {"train": [], "calibration": [], "holdout": []}
    for example in examples:
        if example.split != "test":
            parts[part_of(example.patient)].append(example)
    return Split(parts["train"], parts["calibration"], parts["holdout"])


def official_split(examples: Sequence[Example]) -> Split:
    """The publisher's parts: train, val for calibration, test for the hold-out, every file of it.

    Other files of patients of test, or of val, are left out of the parts before it. Without a val part, the
    calibration share of the training patients calibrates.
    """
    holdout = [example for example in examples if example.split == "test"]
    tested = {example.patient for example in holdout}
    rest = [example for example in examples if example.split != "test" and example.patient not in tested]
    calibrating = {example.patient for example in rest if example.split == "val"} or {
        example.patient for example in rest if _place("part", example.patient) < CALIBRATION_SHARE
    }
    return Split(
        [example for example in rest if example.patient not in calibrating],
        [example for example in rest if example.patient in calibrating],
        holdout,
    )


def blocks_of(examples: Sequence[Example], share: float = 0.2) -> dict[str, list[Example]]:
    """Contiguous blocks of file numbers to leave out, by name: the lowest and the highest `share` of every stream.

    The official test folder is made of other blocks of numbers than the training folder, so an unseen block tells
    more of it than random patients do. Classes live in different streams, so each block is taken from all streams.
    """
    numbers: dict[str, set[int]] = defaultdict(set)
    for example in examples:
        if example.stream:
            numbers[example.stream].add(example.number)
    bounds = {}
    for stream, found in numbers.items():
        ordered = sorted(found)
        edge = round(share * len(ordered))
        bounds[stream] = (ordered[edge], ordered[-edge - 1])
    numbered = [example for example in examples if example.stream]
    lowest = [example for example in numbered if example.number < bounds[example.stream][0]]
    highest = [example for example in numbered if example.number > bounds[example.stream][1]]
    return {name: block for name, block in zip(BLOCKS, (lowest, highest), strict=True) if block}
