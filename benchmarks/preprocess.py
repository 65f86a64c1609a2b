"""From decoded pixels to the model's input: CPU of a 2048 x 2500 film, and the distance to the long way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from benchmarks.material import BITS, StoredArray, drawn_film
from benchmarks.measure import absolute
from benchmarks.report import Figure, at_most
from benchmarks.setting import DATA_VARIABLE, Setting
from benchmarks.wrapped_films import as_14_bit, full_size_files, grey_of
from cxr_core.chest_image import ChestImage
from cxr_core.classifier import Classifier
from cxr_core.grayscale import default_voi, modality_values
from cxr_core.preprocess import INPUT_SIDE, TRAINING_SIDE, model_input
from cxr_core.reading import read_image
from tests.dicom_builder import build

#: The ways in which a film asks to be shown: attributes of the file by a name to print.
VARIANTS: dict[str, dict[str, Any]] = {
    "no window": {},
    "MONOCHROME1": {"photometric": "MONOCHROME1"},
    "a window that clips": {"WindowCenter": 8000, "WindowWidth": 6000},
    "SIGMOID window": {"WindowCenter": 8000, "WindowWidth": 7000, "VOILUTFunction": "SIGMOID"},
    "padding": {"PixelPaddingValue": 0},
}


def run(setting: Setting) -> Iterator[Figure]:
    """CPU in each way of showing, then the distance to the oracle."""
    cv2.setNumThreads(1)
    classifier = Classifier()
    scaling = classifier.bundle.manifest.input_scaling
    stored = drawn_film()
    for name, attributes in VARIANTS.items():
        image = _decoded(stored, attributes)
        taken = absolute(lambda image=image: model_input(image, scaling))  # type: ignore[misc]
        yield Figure(
            f"CPU from decoded pixels to the input, {name}", taken.milliseconds, "ms", at_most(8), taken.detail
        )
    yield oracle_figure("drawn films", drawn_films(), classifier)
    if setting.data is not None:
        films = [as_14_bit(grey_of(path)) for path in full_size_files(setting.data)]
        yield oracle_figure("full-size films wrapped as 14 bit", films, classifier)
    else:
        print(f"  not run: full-size films against the oracle, {DATA_VARIABLE} is not set", flush=True)


def drawn_films(rows: int = 2500, columns: int = 2048) -> list[StoredArray]:
    """Drawn chests of several patients and sizes."""
    sizes = ((rows, columns), (columns, rows), (rows // 2 + 1, columns // 2 + 3), (rows - 37, columns + 51))
    return [
        drawn_film(*size, seed=seed, opacity=opacity)
        for seed, (size, opacity) in enumerate(zip(sizes, (0.0, 0.3, 0.6, 1.0), strict=True))
    ]


def oracle_figure(what: str, films: Sequence[StoredArray], classifier: Classifier) -> Figure:
    """The largest distance of the probability to the oracle over films and ways of showing them."""
    worst, at = 0.0, ""
    distances = []
    for index, film in enumerate(films):
        for name, attributes in VARIANTS.items():
            image = _decoded(film, attributes)
            inputs = np.stack([model_input(image, classifier.bundle.manifest.input_scaling), oracle(image, classifier)])
            positive = classifier.probabilities(classifier.outputs(inputs).logits)[:, 1]
            distances.append(abs(float(positive[0] - positive[1])))
            if distances[-1] >= worst:
                worst, at = distances[-1], f"film {index + 1}, {name}"
    detail = f"{len(distances)} pairs, median {np.median(distances):.4f}, worst at {at}"
    return Figure(f"probability against the full-size table, {what}", worst, "", at_most(0.02), detail)


def oracle(image: ChestImage, classifier: Classifier) -> npt.NDArray[np.float32]:
    """The table on every pixel in float64 at full size, then area to 224 and 150: shape (150, 150, 3)."""
    attributes = image.attributes
    assert attributes is not None
    stored = image.stored
    table = default_voi(attributes, stored).display(modality_values(attributes))
    if attributes.inverted:
        table = 1 - table
    display = table[stored.astype(np.int64) - attributes.first]
    if attributes.padding is not None:
        display[(stored >= attributes.padding[0]) & (stored <= attributes.padding[1])] = 0
    for side in (TRAINING_SIDE, INPUT_SIDE):
        display = np.asarray(cv2.resize(display, (side, side), interpolation=cv2.INTER_AREA), np.float64)
    if classifier.bundle.manifest.input_scaling == "minus_one_to_one":
        display = display * 2 - 1
    return np.repeat(display[:, :, np.newaxis], 3, axis=2).astype(np.float32)


def _decoded(stored: StoredArray, attributes: dict[str, Any]) -> ChestImage:
    image = read_image(build(stored, bits_stored=BITS, **attributes))
    assert image.stored.shape == stored.shape  # decodes, and keeps the result
    return image
