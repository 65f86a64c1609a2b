"""Examples to pictures to the served model's answers, 32 at a time: a probe never holds a data set in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from cxr_core.classifier import Classifier
from cxr_core.errors import ImageReadError
from cxr_core.preprocess import TRAINING_SIDE, InputScaling, display_reduced, to_input
from cxr_core.reading import read_image
from training.datasets.examples import Example

FloatArray = npt.NDArray[np.float32]
#: Pictures in one call of the model.
BATCH = 32


@dataclass(frozen=True, eq=False, slots=True)
class Batch:
    """Some examples as read."""

    examples: list[Example]
    pictures: FloatArray
    """(n, 224, 224) display values in [0, 1]; to_input of one is bit-equal to the model's input of its film."""

    sizes: list[tuple[int, int]]
    """(rows, columns) of each file."""

    unreadable: list[tuple[str, str]]
    """Name and reason of the files among these that could not be read."""


@dataclass(frozen=True, eq=False, slots=True)
class Answers:
    """What is served for n pictures."""

    probabilities: npt.NDArray[np.float64]
    """(n, labels), calibrated"""

    in_domain: npt.NDArray[np.bool_]
    """(n,)"""

    maps: FloatArray
    """(n, labels, rows, columns), >= 0"""


def sampled(examples: Sequence[Example], limit: int | None) -> list[Example]:
    """At most `limit` examples, the same ones every time: digests of files are as good as random numbers."""
    return sorted(examples, key=lambda example: example.sha256)[:limit]


def stream(examples: Sequence[Example]) -> Iterator[Batch]:
    """The examples in their order, BATCH at a time."""
    for start in range(0, len(examples), BATCH):
        read: list[Example] = []
        pictures, sizes, unreadable = [], [], []
        for example in examples[start : start + BATCH]:
            try:
                image = read_image(example.source.load())
                if image.attributes is None or image.source is None:
                    raise ImageReadError("an object without pixels", "an image", "leave it out")
                display = display_reduced(image)
            except ImageReadError as error:
                unreadable.append((example.source.name, error.found))
                continue
            read.append(example)
            pictures.append(cv2.resize(display, (TRAINING_SIDE, TRAINING_SIDE), interpolation=cv2.INTER_AREA))
            sizes.append((image.facts.rows, image.facts.columns))
        shape = (-1, TRAINING_SIDE, TRAINING_SIDE)
        yield Batch(read, np.array(pictures, np.float32).reshape(shape), sizes, unreadable)


def inputs_of(pictures: Iterable[FloatArray], scaling: InputScaling) -> FloatArray:
    """Model inputs of pictures, shape (n, 150, 150, 3)."""
    return np.stack([to_input(picture, scaling) for picture in pictures])


def answers_of(classifier: Classifier, pictures: Iterable[FloatArray]) -> Answers:
    """What the bundle answers for at most BATCH pictures, the gate reported and never applied."""
    inputs = inputs_of(pictures, classifier.bundle.manifest.input_scaling)
    outputs = classifier.outputs(inputs)
    in_domain = np.array([classifier.domain(model_input).in_domain for model_input in inputs])
    return Answers(classifier.probabilities(outputs.logits), in_domain, outputs.maps)
