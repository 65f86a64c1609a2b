"""For tests of the probes: films drawn with a sign where one wants it, and models that look in one place alone."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np

from cxr_core.bundle import Label, Manifest, load_bundle
from cxr_core.classifier import Outputs
from cxr_core.domain import DomainResult
from cxr_core.population import Population
from cxr_core.reading import Source
from tests.bundle_builder import SHIPPED
from training.datasets.examples import Dataset, Example, LabelScheme

TWO_CLASSES = LabelScheme(
    "single_label", (Label(name="NORMAL", meaning="n"), Label(name="PNEUMONIA", meaning="p")), "PNEUMONIA"
)
#: (rows, columns) as shares of the side: a mark in the corner and in the border, and a part of the lungs.
CORNER = (slice(0.02, 0.07), slice(0.04, 0.12))
CENTRE = (slice(0.3, 0.6), slice(0.3, 0.6))

Region = tuple[slice, slice]


def pixels(region: Region, side: int) -> Region:
    """A region of shares as one of pixels."""
    rows, columns = (slice(round(s.start * side), round(s.stop * side)) for s in region)
    return rows, columns


def film(sign: bool, region: Region, seed: int, side: int = 224) -> np.ndarray:
    """Noise around grey, uint8; lighter in a region where it has the sign."""
    picture = np.random.default_rng(seed).normal(110, 12, (side, side))
    picture[0, 0], picture[0, 1] = 0, 255  # uses the whole range, so that it is shown as it is
    if sign:
        picture[pixels(region, side)] += 70
    return np.clip(picture, 0, 255).astype(np.uint8)


def example(picture: np.ndarray | bytes, *target: int, name: str = "", patient: str = "") -> Example:
    """An example of a picture, or of the bytes of a file."""
    content = picture if isinstance(picture, bytes) else cv2.imencode(".png", picture)[1].tobytes()
    digest = hashlib.sha256(content).hexdigest()
    name = name or f"{digest[:8]}.png"
    return Example(Source(name, partial(bytes, content)), target, patient or name, digest)


def films(region: Region, count: int = 24) -> list[Example]:
    """Half with the sign, which are of class 1."""
    return [
        example(film(k % 2 == 1, region, k), k % 2, name=f"film{k}.png", patient=f"p{k // 2}") for k in range(count)
    ]


def dataset(examples: list[Example], scheme: LabelScheme = TWO_CLASSES) -> Dataset:
    """A data set of examples."""
    population = Population(description="drawn patients", min_age_years=0, below_age_years=1)
    return Dataset("class_folders", "drawn films", scheme, tuple(examples), population)


def manifest(**changes: object) -> Manifest:
    """The shipped bundle's, threshold and temperature plain."""
    plain = {"temperature": 1.0, "thresholds": {"PNEUMONIA": 0.5}, "indeterminate": None}
    return load_bundle(SHIPPED).manifest.model_copy(update=plain | changes)


@dataclass
class _Bundle:
    manifest: Manifest


class RegionModel:
    """P(PNEUMONIA) rises with the mean of one region of the model's input; its map is that region, or another."""

    def __init__(self, region: Region, shown: Region | None = None, gain: float = 60) -> None:
        self.bundle = _Bundle(manifest())
        self._region, self._shown, self._gain = region, shown or region, gain

    def outputs(self, inputs: np.ndarray) -> Outputs:
        values = inputs[:, *pixels(self._region, 150), 0].mean(axis=(1, 2))
        logits = np.stack([np.zeros_like(values), (values - 0.55) * self._gain], axis=1).astype(np.float32)
        maps = np.zeros((len(inputs), 2, 15, 15), np.float32)
        maps[:, :, *pixels(self._shown, 15)] = 1
        return Outputs(logits, maps, logits)

    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        shares = np.exp(logits.astype(np.float64))
        return shares / shares.sum(axis=1, keepdims=True)

    def domain(self, model_input: np.ndarray) -> DomainResult:
        return DomainResult(True, 0.0, None)
