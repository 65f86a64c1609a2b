"""A run on a look-alike folder becomes a bundle that the core serves."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import keras
import numpy as np
import pytest

from cxr_core.classifier import Classifier
from tests.training.test_dataset_and_split import write_look_alike
from training.export import export
from training.fit import FitSettings, fit
from training.graph import keras_outputs

pytestmark = [pytest.mark.training, pytest.mark.filterwarnings("default")]


def random_inputs(n: int) -> np.ndarray:
    return np.random.default_rng(1).random((n, 150, 150, 3), dtype=np.float32)


@pytest.fixture(scope="module")
def run_and_bundle(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("training")
    write_look_alike(folder / "data")
    fit(folder / "data", folder / "run", FitSettings(epochs=2, batch_size=8))
    export(folder / "run", folder / "data", folder / "cnn-9.9.9", "9.9.9")
    return folder / "run", folder / "cnn-9.9.9"


def test_run_folder_tells_what_was_done(run_and_bundle: tuple[Path, Path]) -> None:
    run, _ = run_and_bundle
    config = json.loads((run / "config.json").read_text())
    assert config["settings"] == {"epochs": 2, "batch_size": 8, "learning_rate": 1e-3, "seed": 1}
    with (run / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2
    assert {"accuracy", "loss", "val_accuracy", "val_loss"} <= set(rows[0])
    with (run / "split.csv").open() as file:
        assert len(list(csv.DictReader(file))) == sum(config["films"].values()) == 82


def test_bundle_is_whole_and_served(run_and_bundle: tuple[Path, Path]) -> None:
    run, folder = run_and_bundle
    classifier = Classifier(str(folder))
    manifest = classifier.bundle.manifest
    assert (manifest.name, manifest.version) == ("cnn", "9.9.9")
    assert manifest.metrics["agreement_with_keras"]["probability"] <= 1e-3
    assert manifest.metrics["holdout"]["n"] == json.loads((run / "config.json").read_text())["films"]["holdout"]
    assert not folder.with_name(folder.name + ".part").exists()
    model = keras.models.load_model(run / "model.keras")
    inputs = random_inputs(3)
    served = classifier.outputs(inputs)
    reference = keras_outputs(model, inputs)
    np.testing.assert_allclose(served.logits, model.predict(inputs, verbose=0), atol=1e-4)
    np.testing.assert_allclose(served.maps, reference.maps, atol=1e-3 * reference.maps.max())
    np.testing.assert_allclose(served.embedding, reference.embedding, atol=1e-3)
