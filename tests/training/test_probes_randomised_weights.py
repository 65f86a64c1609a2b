"""Shuffled weights change a map that depends on them, and leave one that does not."""

from __future__ import annotations

import shutil
from pathlib import Path

import keras
import numpy as np
import pytest

from tests.bundle_builder import SHIPPED
from tests.training.probe_models import CENTRE, dataset, films
from training.probes.figures import ProbeError
from training.probes.probe import ProbeLimits, probe
from training.probes.randomised_weights import DRAWS, MAX_KEPT, judged, randomised_weights, weighted_layers

pytestmark = [pytest.mark.training, pytest.mark.filterwarnings("default")]
INPUTS = np.random.default_rng(1).random((6, 150, 150, 3), dtype=np.float32)
FIRST = np.zeros(6, np.int64)


def network(*, channels: int, pooled: bool = False) -> keras.Sequential:
    """A feature map of blobs, then the mean of each channel, then Dense."""
    keras.utils.set_random_seed(3)
    base = keras.Sequential(
        [
            keras.Input((150, 150, 3)),
            keras.layers.AveragePooling2D(10),
            keras.layers.Conv2D(channels, 3, activation="relu", name="features"),
        ]
    )
    inside = [keras.Input((150, 150, 3)), base] if pooled else base.layers
    model = keras.Sequential([*inside, keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(2)])
    model(np.zeros((1, 150, 150, 3), np.float32))
    return model


def saved(model: keras.Model, folder: Path) -> Path:
    model.save(folder / "model.keras")
    return folder / "model.keras"


def test_layers_inside_a_model_are_found_in_order() -> None:
    names = [layer.name for layer in weighted_layers(network(channels=4, pooled=True))]
    assert names[0] == "features"
    assert names[1].startswith("dense")
    assert len(names) == 2


def test_a_map_that_depends_on_its_weights_changes(tmp_path: Path) -> None:
    stages = randomised_weights(saved(network(channels=16), tmp_path), INPUTS, FIRST)
    assert [(stage.words, stage.layers) for stage in stages] == [("output layer", 1), ("last two layers", 2)]
    assert all(stage.correlation.n == 6 for stage in stages)
    assert abs(stages[-1].correlation.median) < MAX_KEPT
    assert judged(stages)


def test_a_map_that_does_not_depend_on_them_is_found_out(tmp_path: Path) -> None:
    """With one channel and one weight in the output for both classes, nothing is there to be shuffled."""
    model = network(channels=1)
    kernel = np.full((3, 3, 3, 1), 0.1, np.float32)
    model.get_layer("features").set_weights([kernel, np.zeros(1, np.float32)])
    model.layers[-1].set_weights([np.ones((1, 2), np.float32), np.zeros(2, np.float32)])
    stages = randomised_weights(saved(model, tmp_path), INPUTS, FIRST)
    assert [stage.correlation.median for stage in stages] == pytest.approx([1, 1])
    assert [stage.blank for stage in stages] == [0, 0]
    assert not judged(stages)


def test_blank_maps_are_counted_and_correlate_with_nothing(tmp_path: Path) -> None:
    """Both signs in the output: about half of the shuffles turn the one channel's map off."""
    model = network(channels=1)
    model.get_layer("features").set_weights([np.full((3, 3, 3, 1), 0.1, np.float32), np.zeros(1, np.float32)])
    model.layers[-1].set_weights([np.array([[1, -1]], np.float32), np.zeros(2, np.float32)])
    stage = randomised_weights(saved(model, tmp_path), INPUTS, FIRST)[0]
    blank = sum(np.random.default_rng(draw).permutation([1, -1])[0] == -1 for draw in range(DRAWS))
    assert stage.blank == pytest.approx(blank / DRAWS)
    assert stage.correlation.median == pytest.approx(1 if blank < DRAWS else 0)


@pytest.mark.parametrize("content", [b"no model", b""])
def test_a_file_that_is_no_model_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.keras").write_bytes(content)
    with pytest.raises(ProbeError, match="that Keras cannot load"):
        randomised_weights(tmp_path / "model.keras", INPUTS, FIRST)


def test_a_tail_without_a_proved_map_is_refused(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((150, 150, 3)), keras.layers.Flatten(), keras.layers.Dense(2)])
    with pytest.raises(ProbeError, match="a network that ends in"):
        randomised_weights(saved(model, tmp_path), INPUTS, FIRST)


def test_a_run_folder_brings_its_keras_model(tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(SHIPPED, run / "bundle")
    saved(network(channels=8), run)
    examples = films(CENTRE, 6)
    result = probe(str(run), dataset(examples), examples, tmp_path / "out", limits=ProbeLimits(None, None, 2))
    stages = result["maps"]["randomised_weights"]["stages"]
    assert [stage["layers"] for stage in stages] == [1, 2]
    assert result["lines"][-1]["passed"] is not None
    assert "Blank maps" in (tmp_path / "out/probes.html").read_text()
