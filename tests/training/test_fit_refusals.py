"""What a run refuses is refused before any film is decoded, and a start that failed does not block its folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import pytest

import training.fit
from tests.training.test_dataset_and_split import write_look_alike
from training import run_folder
from training.datasets import DatasetError, open_dataset
from training.datasets.examples import Dataset
from training.fit import Surroundings, fit
from training.networks import BaseWeightsError, mobilenet_v2
from training.pictures import OutputError
from training.run_folder import Checkpoint, RunError
from training.settings import FitSettings
from training.soft_labels import read_soft_labels, write_soft_labels

pytestmark = [pytest.mark.training, pytest.mark.filterwarnings("default")]

SETTINGS = FitSettings(epochs=1, batch_size=16, base_weights="none")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_look_alike(folder, patients=60, side=16)
    return folder


@pytest.fixture(scope="module")
def dataset(data: Path) -> Dataset:
    return open_dataset(data)


class TrainingBeganError(Exception):
    """Stands for everything that comes after the refusals."""


@pytest.fixture
def no_training(monkeypatch: pytest.MonkeyPatch) -> None:
    def began(*arguments: Any) -> None:
        raise TrainingBeganError

    monkeypatch.setattr(training.fit, "_train", began)


@pytest.fixture
def no_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    def decoded(*arguments: Any, **more: Any) -> None:
        raise AssertionError("films were decoded first")

    monkeypatch.setattr(training.fit, "open_store", decoded)


def start(dataset: Dataset, data: Path, out: Path, settings: FitSettings = SETTINGS, soft: Path | None = None) -> None:
    fit(dataset, data, settings, Surroundings(out, say=lambda text: None), soft)


@pytest.mark.usefixtures("no_decoding")
def test_base_weights_that_are_not_there_are_told_first_and_not_as_a_misfit(
    dataset: Dataset, data: Path, tmp_path: Path
) -> None:
    missing = str(tmp_path / "missing.weights.h5")
    with pytest.raises(BaseWeightsError, match=r"no file .*missing.weights.h5; expected imagenet, none, or a file"):
        start(dataset, data, tmp_path / "run", replace(SETTINGS, model="mobilenetv2", base_weights=missing))
    with pytest.raises(BaseWeightsError, match="no file"):
        mobilenet_v2(2, missing)


@pytest.mark.usefixtures("no_decoding")
@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("epoch,loss\n1,0.5\n", r"soft\.csv without sha256, NORMAL, PNEUMONIA; expected columns sha256, NORMAL"),
        ("", "without sha256, NORMAL, PNEUMONIA"),
        ("sha256,NORMAL,PNEUMONIA\nabc,1.5,0\n", "with a label of abc... that is none; expected probabilities"),
        ("sha256,NORMAL,PNEUMONIA\nabc,,0\n", "with a label of abc... that is none"),
        ("sha256,NORMAL,PNEUMONIA\nabc,0.5,0.5\n", "without any training file"),
    ],
)
def test_soft_labels_are_looked_at_first(
    dataset: Dataset, data: Path, tmp_path: Path, content: str, message: str
) -> None:
    soft = tmp_path / "soft.csv"
    soft.write_text(content)
    with pytest.raises(RunError, match=message):
        start(dataset, data, tmp_path / "run", replace(SETTINGS, teacher_share=0.5), soft)


def test_soft_labels_come_back_as_written(tmp_path: Path) -> None:
    write_soft_labels(tmp_path / "soft.csv", ("a", "b"), {"x": [0.25, 0.75], "y": [1, 0]})
    assert read_soft_labels(tmp_path / "soft.csv", ("b", "a")) == {"x": [0.75, 0.25], "y": [0, 1]}


@pytest.mark.usefixtures("no_training")
def test_a_failed_start_does_not_bind_the_next_one(tmp_path: Path) -> None:
    data, out = tmp_path / "data", tmp_path / "run"
    write_look_alike(data, patients=60, side=16)
    film = data / "train/NORMAL/IM-0004-0001.jpeg"
    whole = film.read_bytes()
    film.write_bytes(b"\xff\xd8\xff\xe0 no picture")
    with pytest.raises(DatasetError, match="cannot be read"):
        start(open_dataset(data), data, out)
    film.write_bytes(whole + b"\0")
    for seed in (1, 2):
        with pytest.raises(TrainingBeganError):
            start(open_dataset(data), data, out, replace(SETTINGS, seed=seed))
        assert run_folder.read_json(out / "config.json")["settings"]["seed"] == seed
    run_folder.write_checkpoint(out, Checkpoint(0, 1, [], []))
    with pytest.raises(RunError, match="holds a run with other settings"):
        start(open_dataset(data), data, out)
    (out / "checkpoint.npz").rename(out / "thesis.npz")
    with pytest.raises(RunError, match="holds a run with other settings"):
        start(open_dataset(data), data, out)
    assert run_folder.read_json(out / "config.json")["settings"]["seed"] == 2


def test_a_full_disk_at_the_last_step_is_one_line_and_leaves_no_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])

    def full(self: keras.Sequential, path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(keras.Sequential, "save", full)
        with pytest.raises(OutputError, match=r"No space left on device.*free space there"):
            training.fit._save(network, tmp_path)
    assert list(tmp_path.iterdir()) == []
    training.fit._save(network, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["model.keras"]
