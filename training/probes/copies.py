"""One pass over the held-out films: every copy of every picture answered, and what the other probes need kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cxr_core.bundle import Manifest
from cxr_core.classifier import Classifier
from cxr_core.heatmap import relative
from training.datasets.examples import Example
from training.probes.baselines import BaselineFeatures, aspects, border, thumbnail
from training.probes.figures import Probabilities, ProbeError, called
from training.probes.map_checks import grey_of
from training.probes.perturbations import PERTURBATIONS, Change
from training.probes.shortcuts import SHORTCUTS, Swap
from training.probes.stream import answers_of, stream

FloatArray = npt.NDArray[np.float32]
Sizes = dict[str, tuple[int, int]]
#: Told after every batch: images done.
Tick = Callable[[int], None]

#: Every kind of copy, each once: two are a perturbation and a shortcut.
CHANGES: dict[str, Change | Swap] = {
    change.name: change for change in (*PERTURBATIONS, *(shortcut.change for shortcut in SHORTCUTS))
}
#: Films of a class, and films of others, that lend their border: enough that no single one tells the result.
DONORS = 16
PLAIN = "unchanged"


@dataclass(frozen=True, eq=False, slots=True)
class Copies:
    """The answers for n films and for their copies."""

    examples: list[Example]
    """Those that could be read, in the order of all arrays."""

    unreadable: list[tuple[str, str]]
    """Name and reason of the others."""

    probabilities: dict[str, Probabilities]
    """(n, labels) by name of the copy; PLAIN among them, a Swap only where there are films of two classes"""

    in_domain: dict[str, npt.NDArray[np.bool_]]
    """(n,) by name of the copy"""

    features: BaselineFeatures
    mean_maps: dict[str, FloatArray]
    """Mean of the maps (each relative to its maximum) of the films called so, by label, (rows, columns)"""

    map_greys: list[FloatArray]
    """Model inputs (150, 150) before scaling of the first films with a map to show"""

    map_columns: npt.NDArray[np.int64]
    """Output whose map is shown of each of them"""

    shown: list[tuple[str, FloatArray]]
    """Name and picture of a film or two of different labels, for the report"""

    @property
    def changed(self) -> list[str]:
        """Names of the copies that were made, without PLAIN."""
        return [name for name in self.probabilities if name != PLAIN]


@dataclass(frozen=True, eq=False, slots=True)
class Donors:
    """Films that lend what a Swap takes."""

    target: tuple[int, ...]
    alike: FloatArray
    """(k, rows, columns) pictures of films of this target"""

    others: FloatArray
    """(k, rows, columns) of films of any other"""

    def picture_for(self, example: Example, place: int) -> FloatArray:
        """Of a film of another class (of several findings: with other findings), by the film's place among all."""
        side = self.others if example.target == self.target else self.alike
        return np.asarray(side[place % len(side)], np.float32)


def donors_of(examples: Sequence[Example]) -> Donors | None:
    """The first films of the first one's target and the first of any other; None where one of them is missing."""
    if not examples:
        return None
    target = examples[0].target
    sides = []
    for alike in (True, False):
        chosen = [example for example in examples if (example.target == target) is alike][:DONORS]
        sides.append([picture for batch in stream(chosen) for picture in batch.pictures])
    return Donors(target, np.array(sides[0]), np.array(sides[1])) if all(sides) else None


def copies_of(change: Change | Swap, pictures: Iterable[FloatArray], others: Iterable[FloatArray]) -> list[FloatArray]:
    """The changed pictures; `others` has a film of another class for each, of which only a Swap makes use."""
    if isinstance(change, Swap):
        return [change.apply(picture, other) for picture, other in zip(pictures, others, strict=True)]
    return [change.apply(picture) for picture in pictures]


def shown_columns(manifest: Manifest, probabilities: Probabilities) -> npt.NDArray[np.int64]:
    """Output whose map a reader would be shown, shape (n,); -1 for none.

    The positive class of films called positive; of N classes and of several findings the most probable one.
    """
    if manifest.positive is None:
        return np.asarray(probabilities.argmax(axis=1))
    positive = [label.name for label in manifest.labels].index(manifest.positive)
    return np.where(called(manifest, probabilities) == positive, positive, -1)


def answer_copies(
    classifier: Classifier, examples: Sequence[Example], originals: Sizes, map_images: int, tick: Tick
) -> Copies:
    """Answer all copies of all examples. Raises ProbeError when none can be read."""
    manifest = classifier.bundle.manifest
    names = [label.name for label in manifest.labels]
    read: list[Example] = []
    unreadable: list[tuple[str, str]] = []
    donors = donors_of(examples)
    changes = {name: change for name, change in CHANGES.items() if donors or not isinstance(change, Swap)}
    probabilities: dict[str, list[Probabilities]] = {name: [] for name in (PLAIN, *changes)}
    in_domain: dict[str, list[npt.NDArray[np.bool_]]] = {name: [] for name in probabilities}
    features: list[BaselineFeatures] = []
    sums: dict[str, FloatArray] = {}
    numbers: Counter[str] = Counter()
    greys: list[FloatArray] = []
    columns: list[int] = []
    shown: dict[tuple[int, ...], tuple[str, FloatArray]] = {}
    for batch in stream(examples):
        unreadable += batch.unreadable
        tick(len(batch.examples) + len(batch.unreadable))
        if not batch.examples:
            continue
        others = [donors.picture_for(one, len(read) + i) for i, one in enumerate(batch.examples)] if donors else []
        read += batch.examples
        features.append(features_of(batch.pictures, batch.examples, batch.sizes, originals))
        plain = answers_of(classifier, batch.pictures)
        probabilities[PLAIN].append(plain.probabilities)
        in_domain[PLAIN].append(plain.in_domain)
        for name, change in changes.items():
            answers = answers_of(classifier, copies_of(change, batch.pictures, others))
            probabilities[name].append(answers.probabilities)
            in_domain[name].append(answers.in_domain)
        for i, column in enumerate(shown_columns(manifest, plain.probabilities)):
            if len(shown) < 2:
                shown.setdefault(batch.examples[i].target, (batch.examples[i].source.name, batch.pictures[i].copy()))
            if column < 0:
                continue
            cam = relative(plain.maps[i, column])
            sums[names[column]] = sums.get(names[column], np.zeros_like(cam)) + cam
            numbers[names[column]] += 1
            if len(greys) < map_images:
                greys.append(grey_of(batch.pictures[i]))
                columns.append(int(column))
    if not read:
        found = f"no image that can be read ({unreadable[0][0]}: {unreadable[0][1]})" if unreadable else "no image"
        raise ProbeError(found, "at least one to probe the model with", "name another folder or part")
    return Copies(
        examples=read,
        unreadable=unreadable,
        probabilities={name: np.concatenate(parts) for name, parts in probabilities.items()},
        in_domain={name: np.concatenate(parts) for name, parts in in_domain.items()},
        features=joined(features),
        mean_maps={name: np.asarray(total / numbers[name], np.float32) for name, total in sums.items()},
        map_greys=greys,
        map_columns=np.array(columns, np.int64),
        shown=list(shown.values()),
    )


def features_of(
    pictures: FloatArray, examples: Sequence[Example], sizes: Sequence[tuple[int, int]], originals: Sizes
) -> BaselineFeatures:
    """What the baselines see of some pictures."""
    return BaselineFeatures(
        np.stack([thumbnail(picture) for picture in pictures]),
        np.stack([border(picture) for picture in pictures]),
        aspects(examples, sizes, originals),
    )


def joined(parts: Sequence[BaselineFeatures]) -> BaselineFeatures:
    """Features one after the other."""
    return BaselineFeatures(
        np.concatenate([part.thumbnail for part in parts]),
        np.concatenate([part.border for part in parts]),
        np.concatenate([part.aspect for part in parts]),
    )


def training_features(
    examples: Sequence[Example], originals: Sizes, tick: Tick
) -> tuple[BaselineFeatures | None, list[Example]]:
    """What the baselines are fitted on, and the examples that could be read; None when there are none."""
    parts, read = [], []
    for batch in stream(examples):
        tick(len(batch.examples) + len(batch.unreadable))
        if batch.examples:
            parts.append(features_of(batch.pictures, batch.examples, batch.sizes, originals))
            read += batch.examples
    return (joined(parts) if parts else None), read
