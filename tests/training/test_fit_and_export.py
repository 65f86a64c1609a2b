"""A run on a look-alike folder becomes a bundle that the core serves, is resumed where it stopped, and is judged."""

from __future__ import annotations

import csv
import json
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from typer.testing import CliRunner

from cxr_core.bundle import find_bundle
from cxr_core.classifier import Classifier
from tests.training.test_dataset_and_split import write_look_alike
from training import run_folder
from training.calibrate import calibrate_binary
from training.cli import app
from training.cross_validate import cross_validate
from training.datasets import DatasetError, open_dataset
from training.export import export
from training.fit import VARIED_COPIES, Surroundings, fit, varied
from training.graph import ExportError, keras_outputs
from training.input_batches import greys_of
from training.networks import BaseWeightsError, mobilenet_v2
from training.pictures import OutputError, open_store
from training.run_folder import RunError
from training.settings import FitSettings
from training.split import pooled_split

pytestmark = [pytest.mark.training, pytest.mark.filterwarnings("default")]

QUICK = FitSettings(epochs=2, fine_tuning_epochs=1, batch_size=16, base_weights="none")


def surroundings(out: Path, **more: Any) -> Surroundings:
    return Surroundings(out, say=lambda text: None, **more)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_look_alike(folder, patients=60)
    return folder


def run(data: Path, out: Path, settings: FitSettings = QUICK, **more: Any) -> Path:
    fit(open_dataset(data), data, settings, surroundings(out, **more), None)
    return out


@pytest.fixture(scope="module")
def run_and_bundle(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("runs")
    run(data, folder / "run")
    bundle = export(folder / "run", open_dataset(data), folder / "cnn-9.9.9", "9.9.9", None, lambda items, n: items)
    return folder / "run", bundle


def test_run_folder_tells_what_was_done(run_and_bundle: tuple[Path, Path]) -> None:
    out, _ = run_and_bundle
    config = run_folder.read_json(out / "config.json")
    assert config["settings"]["epochs"] == 2
    assert config["versions"]["keras"] == keras.__version__
    with (out / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert {"accuracy", "loss", "val_accuracy", "val_loss"} <= set(rows[0])
    fitted = run_folder.read_json(out / "calibration.json")
    assert sum(fitted["films"].values()) == len(run_folder.read_rows(out / "split.csv")) == 242
    assert (out / "curves.png").read_bytes().startswith(b"\x89PNG")
    left = {path.name for path in out.iterdir()}
    assert not left & {"checkpoint.npz", "pictures"}
    assert not [name for name in left if ".part" in name]


def test_bundle_is_whole_and_served(run_and_bundle: tuple[Path, Path]) -> None:
    out, folder = run_and_bundle
    classifier = Classifier(str(folder))
    manifest = classifier.bundle.manifest
    assert (manifest.name, manifest.version, manifest.prevalence) == ("cnn", "9.9.9", 0.5)
    assert manifest.metrics["agreement_with_keras"]["films"] == 200
    assert manifest.metrics["agreement_with_keras"]["probability"] <= 1e-3
    films = run_folder.read_json(out / "calibration.json")["films"]
    assert manifest.metrics["holdout"]["n"] == films["holdout"]
    errors = manifest.metrics["calibration_error"]
    assert {part: error["after"] for part, error in errors.items()} == {
        part: manifest.metrics[part]["ece"] for part in ("calibration", "holdout")
    }
    assert f"{errors['holdout']['before']:.3f} before" in classifier.bundle.card()
    assert len((folder / "training_files.txt").read_text().split()) == films["train"]
    assert f"{films['holdout']} films" in classifier.bundle.card()
    assert not folder.with_name(folder.name + ".part").exists()
    inputs = np.random.default_rng(1).random((3, 150, 150, 3), dtype=np.float32)
    reference = keras_outputs(keras.models.load_model(out / "model.keras"), inputs)
    np.testing.assert_allclose(classifier.outputs(inputs).logits, reference.logits, atol=1e-4)


def test_calibration_is_in_the_logits(data: Path, run_and_bundle: tuple[Path, Path], tmp_path: Path) -> None:
    """The intercept is in the last bias: fitted again, there is nothing left of it."""
    out, _ = run_and_bundle
    films = open_dataset(data).examples
    store, _ = open_store(tmp_path, films, skip_unreadable=False, progress=lambda items, n: items)
    calibrating = pooled_split(films).calibration
    network = keras.models.load_model(out / "model.keras")

    def logits(greys: Iterable[np.ndarray]) -> np.ndarray:
        return np.concatenate([network(np.repeat(part[..., np.newaxis], 3, axis=-1)).numpy() for part in greys])

    clean = logits(greys_of(store, calibrating))
    rows = run_folder.read_rows(out / "validation_outputs.csv")
    np.testing.assert_allclose(clean, [[float(row["NORMAL"]), float(row["PNEUMONIA"])] for row in rows], atol=1e-3)
    copies = np.stack([logits(varied(store, calibrating, copy)) for copy in range(VARIED_COPIES)])
    labels = np.array([example.target[0] for example in calibrating])
    fitted = run_folder.read_json(out / "calibration.json")
    assert fitted["intercept"] != 0
    again = calibrate_binary(clean.astype(np.float64), copies.astype(np.float64), labels, "PNEUMONIA")
    assert again.intercept == pytest.approx(0, abs=0.01)
    assert again.temperature == pytest.approx(fitted["temperature"], rel=0.01)


def test_mobilenetv2_is_fitted_in_two_phases_and_exported(data: Path, tmp_path: Path) -> None:
    out = run(data, tmp_path / "run", replace(QUICK, model="mobilenetv2", epochs=1))
    with (out / "history.csv").open() as file:
        assert [row["phase"] for row in csv.DictReader(file)] == ["head", "fine-tuning"]
    bundle = export(out, open_dataset(data), tmp_path / "bundle", "0.0.1", None, lambda items, n: items)
    manifest = Classifier(str(bundle)).bundle.manifest
    assert (manifest.name, manifest.input_scaling, manifest.map_grid) == ("mobilenetv2", "minus_one_to_one", (5, 5))


class StopError(Exception):
    """Stands for whatever ends a run."""


def stopping_at(epoch: int, batch: int) -> Any:
    """A progress hook that ends the run in the middle of an epoch, as a kill would."""
    seen = {"epoch": -1}

    def hook(items: Iterable[Any], total: int) -> Iterable[Any]:
        if isinstance(items, list):  # decoding
            yield from items
            return
        seen["epoch"] += 1
        for number, item in enumerate(items):
            if (seen["epoch"], number) == (epoch, batch):
                raise StopError
            yield item

    return hook


def weights_of(out: Path) -> list[np.ndarray]:
    return [variable.numpy() for variable in keras.models.load_model(out / "model.keras").weights]


def test_resumed_run_is_nearer_to_the_whole_one_than_seeds_are_to_each_other(data: Path, tmp_path: Path) -> None:
    settings = replace(QUICK, epochs=3)
    seeds = [weights_of(run(data, tmp_path / f"{seed}", replace(settings, seed=seed))) for seed in (1, 2, 3)]
    with pytest.raises(StopError):
        run(data, tmp_path / "parts", settings, progress=stopping_at(epoch=1, batch=2))
    resumed = weights_of(run(data, tmp_path / "parts", settings))

    def distance(first: list[np.ndarray], second: list[np.ndarray]) -> float:
        return float(np.sqrt(sum(np.sum((a - b) ** 2) for a, b in zip(first, second, strict=True))))

    spread = min(distance(a, b) for a, b in combinations(seeds, 2))
    assert distance(resumed, seeds[0]) < 0.1 * spread


def test_resumed_run_is_bit_equal_with_deterministic(data: Path, tmp_path: Path) -> None:
    settings = replace(QUICK, epochs=3, deterministic=True)
    whole = run(data, tmp_path / "whole", settings)
    with pytest.raises(StopError):
        run(data, tmp_path / "parts", settings, progress=stopping_at(epoch=2, batch=1))
    assert len(run_folder.read_rows(tmp_path / "parts" / "history.csv")) == 2
    assert run_folder.read_checkpoint(tmp_path / "parts") is not None
    parts = run(data, tmp_path / "parts", settings)
    for a, b in zip(weights_of(whole), weights_of(parts), strict=True):
        np.testing.assert_array_equal(a, b)


def test_folder_of_another_run_is_not_written_over(run_and_bundle: tuple[Path, Path], data: Path) -> None:
    out, _ = run_and_bundle
    before = (out / "model.keras").read_bytes()
    with pytest.raises(RunError, match="holds a run with other settings"):
        run(data, out, replace(QUICK, seed=7))
    assert (out / "model.keras").read_bytes() == before


def test_folder_with_other_files_is_refused(data: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("x")
    with pytest.raises(RunError, match="holds other files"):
        run(data, tmp_path)


def test_corrupt_picture_is_named_before_training_and_can_be_left_out(tmp_path: Path) -> None:
    write_look_alike(tmp_path / "data", patients=60)
    (tmp_path / "data/train/NORMAL/IM-0004-0001.jpeg").write_bytes(b"\xff\xd8\xff\xe0 no picture")
    with pytest.raises(DatasetError, match=r"1 of \d+ images that cannot be read: train/NORMAL/IM-0004-0001\.jpeg"):
        run(tmp_path / "data", tmp_path / "run")
    run(tmp_path / "data", tmp_path / "run", skip_unreadable=True)
    assert "train/NORMAL/IM-0004-0001.jpeg" not in (tmp_path / "run/split.csv").read_text()


def test_full_disk_leaves_the_last_checkpoint(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = run_folder.write_file
    written = {"checkpoints": 0}

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    def filling(path: Path, content: bytes) -> None:
        if path.name == run_folder.CHECKPOINT:
            written["checkpoints"] += 1
            if written["checkpoints"] == 2:
                with monkeypatch.context() as patch:
                    patch.setattr("os.fsync", full)
                    write(path, content)
        write(path, content)

    monkeypatch.setattr(run_folder, "write_file", filling)
    settings = replace(QUICK, epochs=3)
    with pytest.raises(OutputError, match=r"No space left on device.*free space there"):
        run(data, tmp_path / "run", settings)
    checkpoint = run_folder.read_checkpoint(tmp_path / "run")
    assert checkpoint is not None
    assert checkpoint.epoch == 1
    monkeypatch.setattr(run_folder, "write_file", write)
    run(data, tmp_path / "run", settings)
    assert len(run_folder.read_rows(tmp_path / "run" / "history.csv")) == 3


def test_ctrl_c_keeps_whole_epochs_and_says_how_to_go_on(data: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "training.cli", "fit", "--data", str(data), "--out", str(tmp_path / "run")]
    with subprocess.Popen([*command, "--epochs", "500"], stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 240
        while not (tmp_path / "run" / "checkpoint.npz").exists():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        said = process.stderr.read()
    assert process.returncode == 130
    assert "stopped; the same command goes on after the last whole epoch" in said
    assert "Traceback" not in said
    assert run_folder.read_checkpoint(tmp_path / "run") is not None


def test_offline_base_weights_say_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*arguments: Any, **more: Any) -> None:
        raise Exception("URL fetch failure")

    monkeypatch.setattr(keras.applications, "MobileNetV2", offline)
    with pytest.raises(BaseWeightsError, match=r"cannot be downloaded here.*--base-weights FILE"):
        mobilenet_v2(2, "imagenet")


def test_base_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    other = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    other.save_weights(tmp_path / "other.weights.h5")
    with pytest.raises(BaseWeightsError, match="do not fit MobileNetV2"):
        mobilenet_v2(2, str(tmp_path / "other.weights.h5"))


def test_base_weights_from_a_file_are_loaded(tmp_path: Path) -> None:
    base = keras.applications.MobileNetV2(include_top=False, weights=None, input_shape=(150, 150, 3))
    base.save_weights(tmp_path / "base.weights.h5")
    network, note = mobilenet_v2(2, str(tmp_path / "base.weights.h5"))
    np.testing.assert_array_equal(network.layers[0].get_weights()[0], base.get_weights()[0])
    assert re.search(r"base\.weights\.h5, SHA-256 [0-9a-f]{64}", note)


def test_export_refuses_a_graph_that_answers_otherwise(
    run_and_bundle: tuple[Path, Path], data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import training.export

    def other(model: keras.Sequential, path: Path) -> None:
        from training.graph import to_litert

        changed = keras.models.clone_model(model)
        to_litert(changed, path)

    monkeypatch.setattr(training.export, "to_litert", other)
    with pytest.raises(ExportError, match="off in probability"):
        export(run_and_bundle[0], open_dataset(data), tmp_path / "bundle", "1.0.0", None, lambda items, n: items)
    assert list(tmp_path.iterdir()) == []


def test_commands_judge_the_run(run_and_bundle: tuple[Path, Path], data: Path, tmp_path: Path) -> None:
    _, bundle = run_and_bundle
    runner = CliRunner()
    done = runner.invoke(
        app,
        [
            "evaluate",
            "--data",
            str(data),
            "--model",
            str(bundle),
            "--out",
            str(tmp_path / "e"),
            "--json",
            "--resamples",
            "100",
        ],
    )
    assert done.exit_code == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["overlap"]["training_files"] == 0
    assert sum(map(sum, result["confusion_matrix"])) == result["n"]
    assert (tmp_path / "e" / "report.html").exists()
    done = runner.invoke(
        app, ["evaluate", "--data", str(data), "--model", str(bundle), "--split", "test", "--out", str(tmp_path / "t")]
    )
    assert done.exit_code == 1
    assert "without images of the part test" in done.stderr
    done = runner.invoke(
        app, ["compare", str(bundle), "cnn", "--data", str(data), "--out", str(tmp_path / "c"), "--resamples", "100"]
    )
    assert done.exit_code == 0, done.stderr
    assert "93.95" in done.stdout or "94.0" in done.stdout


def test_card_takes_in_what_probes_and_cross_validation_found(
    run_and_bundle: tuple[Path, Path], data: Path, tmp_path: Path
) -> None:
    bundle = tmp_path / "cnn-9.9.9"
    shutil.copytree(run_and_bundle[1], bundle)
    before = Classifier(str(bundle))
    runner = CliRunner()
    done = runner.invoke(app, ["probe", "--data", str(data), "--model", str(bundle), "--out", str(tmp_path / "p")])
    assert done.exit_code == 0, done.stderr
    figures = {"n": 7, "calibrated": {"accuracy": 0.875, "loss": 0.25, "auc": float("nan")}}
    judged = {
        "settings": {"model": "cnn", "epochs": 3},
        "parts": {"lowest numbers": figures},
        "stratum": {"virus": {"n": 3, "accuracy": 2 / 3, "loss": 0.5}},
    }
    run_folder.write_file(tmp_path / "cv.json", json.dumps(judged).encode())
    told = ["card", str(bundle), "--probes", str(tmp_path / "p/probes.json")]
    done = runner.invoke(app, [*told, "--cross-validation", str(tmp_path / "cv.json")])
    assert done.exit_code == 0, done.stderr
    after = Classifier(str(bundle))
    card = after.bundle.card()
    assert "| lowest numbers | 7 | 87.5 % | 0.250 | not defined |" in card
    assert "virus 66.7 % of 3" in card
    lines = json.loads((tmp_path / "p/probes.json").read_text())["lines"]
    assert all(line["words"] in card for line in lines)
    assert after.bundle.sha256 != before.bundle.sha256
    assert {path.name for path in tmp_path.iterdir()} == {"cnn-9.9.9", "p", "cv.json"}
    done = runner.invoke(app, ["card", str(resources_copy(tmp_path)), *told[2:]])
    assert done.exit_code == 1
    assert "probes.json of another model (cnn 9.9.9); expected probes of the graph of cnn-shipped" in done.stderr
    done = runner.invoke(app, ["card", str(bundle), "--cross-validation", str(tmp_path / "cv.json")])
    assert done.exit_code == 0
    assert after.bundle.card() == card  # the section is in its old place's stead, not there twice


def resources_copy(folder: Path) -> Path:
    shutil.copytree(find_bundle("cnn").folder, folder / "cnn-shipped")
    return folder / "cnn-shipped"


def test_cross_validation_covers_every_training_film_and_teaches(data: Path, tmp_path: Path) -> None:
    dataset = open_dataset(data)
    settings = replace(QUICK, epochs=1)
    result = cross_validate(dataset, data, settings, surroundings(tmp_path / "cv"), None, folds=5, seeds=1, blocks=True)
    train = pooled_split(dataset.examples).train
    assert set(result["parts"]) == {*(f"fold {n}" for n in range(5)), "lowest numbers", "highest numbers"}
    assert result["out_of_fold"]["n"] == len(train)
    assert result == run_folder.read_json(tmp_path / "cv" / "cross_validation.json")
    strata = result["stratum"]
    assert strata["NORMAL"]["n"] + strata["bacteria"]["n"] + strata["virus"]["n"] == len(train)
    right = sum(kind["n"] * kind["accuracy"] for kind in result["stream"].values())
    assert right / len(train) == pytest.approx(result["out_of_fold"]["calibrated"]["accuracy"])
    rows = run_folder.read_rows(tmp_path / "cv" / "soft_labels.csv")
    assert {row["sha256"] for row in rows} == {example.sha256 for example in train}
    assert all(float(row["NORMAL"]) + float(row["PNEUMONIA"]) == pytest.approx(1, abs=1e-5) for row in rows)
    taught = replace(settings, teacher_share=0.5)
    soft = tmp_path / "cv" / "soft_labels.csv"
    fit(dataset, data, taught, surroundings(tmp_path / "student"), soft)
    assert run_folder.read_json(tmp_path / "student" / "config.json")["soft_labels"] is not None
