"""A run on a look-alike folder becomes a bundle that the core serves; graphs that differ from Keras are refused."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import keras
import numpy as np
import pytest

from cxr_core.classifier import Classifier, LiteRtGraph
from tests.training.test_dataset_and_split import write_look_alike
from training.export import ExportError, compare, export, keras_outputs, tail_of, to_litert
from training.fit import FitSettings, fit
from training.networks import sequential_cnn

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


def test_graph_of_other_weights_is_refused(tmp_path: Path) -> None:
    keras.utils.set_random_seed(1)
    to_litert(sequential_cnn(), tmp_path / "model.tflite")
    keras.utils.set_random_seed(2)
    with pytest.raises(ExportError, match="off in probability"):
        compare(LiteRtGraph(tmp_path / "model.tflite", 1), sequential_cnn(), random_inputs(4))


def test_graph_that_answers_nan_is_refused(tmp_path: Path) -> None:
    model = sequential_cnn()
    model.layers[-1].bias.assign([np.nan, np.nan])
    to_litert(model, tmp_path / "model.tflite")
    with pytest.raises(ExportError, match="nan off in probability"):
        compare(LiteRtGraph(tmp_path / "model.tflite", 1), model, random_inputs(2))


def test_map_of_odd_and_even_feature_maps_is_the_gradient(tmp_path: Path) -> None:
    """VALID pooling drops the last row of an odd map; the closed form must still be the gradient's."""
    for kernel in (2, 3):  # feature maps of 74 and 73 before the last pooling
        keras.utils.set_random_seed(kernel)
        layers = keras.layers
        model = keras.Sequential(
            [
                keras.Input((150, 150, 3)),
                layers.MaxPooling2D(),
                layers.Conv2D(4, kernel, activation="relu"),
                layers.MaxPooling2D(),
                layers.Flatten(),
                layers.Dense(8, activation="relu"),
                layers.Dense(3),
            ]
        )
        to_litert(model, tmp_path / "model.tflite")
        assert compare(LiteRtGraph(tmp_path / "model.tflite", 1), model, random_inputs(4))["maps_relative"] < 1e-3


@pytest.mark.parametrize(
    ("tail", "found"),
    [
        ([keras.layers.GlobalAveragePooling2D, lambda: keras.layers.Dense(2)], "ends in"),
        (
            [
                keras.layers.MaxPooling2D,
                keras.layers.Flatten,
                lambda: keras.layers.Dense(8, activation="tanh"),
                lambda: keras.layers.Dense(2),
            ],
            "activations relu, tanh, linear",
        ),
    ],
)
def test_tail_without_proved_map_is_refused(tail: list, found: str) -> None:
    model = keras.Sequential(
        [keras.Input((150, 150, 3)), keras.layers.Conv2D(4, 3, activation="relu"), *(make() for make in tail)]
    )
    with pytest.raises(ExportError, match=found):
        tail_of(model)
