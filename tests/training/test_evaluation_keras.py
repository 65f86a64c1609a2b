"""The Keras model of a run folder stands beside what is served, under the bundle's temperature and threshold."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from cxr_core.classifier import Classifier
from cxr_core.preprocess import model_input
from cxr_core.reading import read_image
from tests.bundle_builder import copy_bundle
from tests.training.served_answers import phantom_set
from training.evaluation.evaluate import evaluate
from training.evaluation.files import EvaluationError

pytestmark = [pytest.mark.training, pytest.mark.filterwarnings("default")]


def test_keras_model_is_measured_on_the_same_inputs(tmp_path: Path) -> None:
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [keras.Input((150, 150, 3)), keras.layers.AveragePooling2D(30), keras.layers.Flatten(), keras.layers.Dense(2)]
    )
    (tmp_path / "run").mkdir()
    model.save(tmp_path / "run" / "model.keras")
    bundle = copy_bundle(tmp_path / "run" / "bundle")
    dataset = phantom_set(4, damaged=True)
    result = evaluate(str(tmp_path / "run"), dataset, dataset.examples, tmp_path / "out", resamples=10)

    readable = [e for i, e in enumerate(dataset.examples) if i not in (3, 7)]
    inputs = np.stack([model_input(read_image(e.source.load()), "zero_to_one") for e in readable])
    classifier = Classifier(str(bundle))
    logits = model.predict(inputs, verbose=0)
    p, labels = classifier.probabilities(logits)[:, 1], np.array([e.target[0] for e in readable])
    served = np.array([prediction.probability for prediction in classifier.predict(inputs)])
    threshold = classifier.bundle.manifest.thresholds["PNEUMONIA"]
    losses = [*-np.log(np.where(labels == 1, p, 1 - p)), np.log(2), np.log(2)]
    assert result["keras"]["loss"] == pytest.approx(np.mean(losses), rel=1e-4)
    assert result["keras"]["accuracy"] == pytest.approx(((p >= threshold) == labels).sum() / 8)
    assert result["keras"]["accuracy_argmax"] == pytest.approx(((p >= 0.5) == labels).sum() / 8)
    assert result["keras"]["largest_probability_difference"] == pytest.approx(np.abs(p - served).max(), abs=1e-4)
    raw = 1 / (1 + np.exp(logits[:, 0] - logits[:, 1]))
    plain = [*-np.log(np.where(labels == 1, raw, 1 - raw)), np.log(2), np.log(2)]
    assert result["keras"]["loss_uncalibrated"] == pytest.approx(np.mean(plain), rel=1e-4)
    assert "The Keras model that the bundle was made from" in (tmp_path / "out" / "report.html").read_text()


def test_damaged_keras_model_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    copy_bundle(tmp_path / "run" / "bundle")
    (tmp_path / "run" / "model.keras").write_bytes(b"no model")
    dataset = phantom_set(1)
    with pytest.raises(EvaluationError, match=r"model.keras that Keras cannot load"):
        evaluate(str(tmp_path / "run"), dataset, dataset.examples, tmp_path / "out")
