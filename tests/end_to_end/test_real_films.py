"""The shipped model on real films (marker data): it is as good as its card says, and original and copy agree."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from cxr_core.classifier import Classifier
from cxr_core.pipeline import Pipeline
from cxr_core.prediction import ImageResult
from cxr_core.reading import find_sources
from cxr_core.settings import Settings
from training.datasets import open_dataset
from training.datasets.examples import fingerprint
from training.evaluation.metrics import measure
from training.evaluation.served import serve
from training.split import pooled_split

pytestmark = [pytest.mark.data, pytest.mark.filterwarnings("default")]


@pytest.fixture(scope="module")
def data() -> Path:
    return Path(os.environ["CXR_TEST_DATA"])


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return Pipeline(Classifier("cnn"))


def results_of(pipeline: Pipeline, path: Path) -> list[ImageResult]:
    return [pipeline(source)[0] for source in find_sources(str(path))]


@pytest.mark.parametrize("model", ["cnn", "mobilenetv2"])
def test_the_card_tells_the_truth_about_held_out_patients(data: Path, model: str) -> None:
    dataset = open_dataset(data / "chest_xray")
    split = pooled_split(dataset.examples)
    classifier = Classifier(model, Settings(threads=2))
    manifest = classifier.bundle.manifest
    assert manifest.training_fingerprint == fingerprint(split.train)
    assert not {example.patient for example in split.train} & {example.patient for example in split.holdout}
    figures = measure(serve(classifier, dataset.scheme, split.holdout)[0], resamples=100)
    claimed = manifest.metrics["holdout"]
    assert figures["auc"] >= 0.97
    assert figures["auc"] == pytest.approx(claimed["auc"], abs=1e-3)
    assert figures["accuracy"] == pytest.approx(claimed["accuracy"], abs=3e-3)
    assert figures["loss"] == pytest.approx(claimed["loss"], abs=3e-3)
    assert figures["withheld"]["out_of_domain"] <= 0.02 * figures["n"]


def test_originals_and_their_copies_agree(data: Path, pipeline: Pipeline) -> None:
    differences, changed = [], 0
    for label in ("NORMAL", "PNEUMONIA"):
        for original in sorted((data / "fullres_sample" / label).iterdir()):
            (a,) = results_of(pipeline, original)
            (b,) = results_of(pipeline, data / "chest_xray" / "train" / label / original.name)
            assert a.prediction is not None
            assert b.prediction is not None
            differences.append(abs(a.prediction.probability - b.prediction.probability))
            changed += a.prediction.label != b.prediction.label
    assert len(differences) == 48
    assert np.median(differences) <= 0.02
    assert changed <= 1


def test_verdicts_on_patients_outside_the_population_are_withheld(data: Path, pipeline: Pipeline) -> None:
    results = results_of(pipeline, data / "dicom")
    assert len(results) == 6
    for result in results:
        assert result.status == "predicted"
        assert result.prediction is not None
        assert result.prediction.population == "outside"
        assert result.prediction.verdict is None
        assert "lossy compressed" in result.warnings
