"""The table of cross-validation: figures of single networks, worst parts, an ensemble only where it is named so."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import log_loss, roc_auc_score

import training.cross_validate
from tests.training.test_dataset_and_split import write_look_alike
from training.cross_validate import _balanced_loss, cross_validate
from training.datasets import open_dataset
from training.datasets.examples import Dataset, targets_of
from training.fit import Surroundings, _write_outputs, pool_of, split_of
from training.model_card import trials_section
from training.run_folder import RunError, read_json, read_rows
from training.settings import FitSettings

pytestmark = pytest.mark.training

SETTINGS = FitSettings(epochs=1)
FOLDS = [f"fold {number}" for number in range(5)]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_look_alike(folder, patients=60, side=16)
    return folder


@pytest.fixture(scope="module")
def dataset(data: Path) -> Dataset:
    return open_dataset(data)


def logits_of(dataset: Dataset, settings: FitSettings) -> np.ndarray:
    """What a network of this seed is made to say of what it left out: the classes with much noise."""
    films = split_of(pool_of(dataset, settings), settings).calibration
    seed = [settings.seed, *str(settings.leave_out).encode()]
    noise = np.random.default_rng(seed).normal(0, 2, len(films))
    margin = 4.0 * targets_of(films, dataset.scheme) - 2 + noise
    return np.stack([np.zeros(len(films)), margin], axis=1)


@pytest.fixture
def fitted(monkeypatch: pytest.MonkeyPatch) -> list[FitSettings]:
    """Runs that are not made; their settings."""
    told: list[FitSettings] = []

    def fit(dataset: Dataset, data: Path, settings: FitSettings, around: Surroundings, soft: Path | None) -> None:
        told.append(settings)
        around.out.mkdir(parents=True)
        films = split_of(pool_of(dataset, settings), settings).calibration
        _write_outputs(around.out, films, logits_of(dataset, settings), dataset.scheme)

    monkeypatch.setattr(training.cross_validate, "fit", fit)
    return told


def judge(dataset: Dataset, data: Path, out: Path, **more: Any) -> dict[str, Any]:
    told = {"folds": 5, "seeds": 1, "blocks": True} | more
    return cross_validate(dataset, data, SETTINGS, Surroundings(out, say=lambda text: None), None, **told)


@pytest.mark.usefixtures("fitted")
def test_figures_of_several_seeds_are_those_of_single_networks(dataset: Dataset, data: Path, tmp_path: Path) -> None:
    result = judge(dataset, data, tmp_path, seeds=3)
    aucs = []
    for seed in (1, 2, 3):
        settings = replace(SETTINGS, leave_out="fold 0", seed=seed)
        films = split_of(pool_of(dataset, settings), settings).calibration
        aucs.append(roc_auc_score(targets_of(films, dataset.scheme), logits_of(dataset, settings)[:, 1]))
    for figures in (result["parts"]["fold 0"], result["parts"]["fold 0"]["calibrated"]):
        assert figures["auc"] == pytest.approx(np.mean(aucs))
        assert figures["range"]["auc"] == pytest.approx([min(aucs), max(aucs)])
    single, ensemble = result["out_of_fold"], result["out_of_fold"]["ensemble"]
    assert ensemble["auc"] > single["range"]["auc"][1]  # three noises have a smaller mean than any of them
    assert ensemble["n"] == single["n"] == len(read_rows(tmp_path / "soft_labels.csv"))
    strata = result["stratum"]
    right = sum(kind["n"] * kind["accuracy"] for kind in strata.values())
    assert right / single["n"] == pytest.approx(single["calibrated"]["accuracy"])
    assert "mean of 3 seeds" in trials_section(result)


@pytest.mark.usefixtures("fitted")
def test_worst_parts_are_those_of_balanced_loss_and_of_auc(dataset: Dataset, data: Path, tmp_path: Path) -> None:
    result = judge(dataset, data, tmp_path)
    parts = {name: part["calibrated"] for name, part in result["parts"].items()}
    assert set(parts) == {*FOLDS, "lowest numbers", "highest numbers"}
    worst = result["worst"]
    assert worst["loss"] == {"part": worst["loss"]["part"], **result["parts"][worst["loss"]["part"]]}
    assert worst["loss"]["calibrated"]["balanced_loss"] == max(part["balanced_loss"] for part in parts.values())
    assert worst["auc"]["calibrated"]["auc"] == min(part["auc"] for part in parts.values())
    assert "ensemble" not in result["out_of_fold"]
    assert result == read_json(tmp_path / "cross_validation.json")
    assert "mean of" not in trials_section(result)


def test_classes_weigh_alike_in_the_balanced_loss() -> None:
    logits = np.array([[2.0, 0.0], [1.0, 0.0], [0.0, 1.0], [3.0, 0.0]])
    targets = np.array([0, 0, 0, 1])
    p = np.exp(logits[:, 1]) / np.exp(logits).sum(axis=1)
    assert _balanced_loss(logits, targets) == pytest.approx(log_loss(targets, p, sample_weight=[1, 1, 1, 3]))
    findings = np.array([[0, 1], [0, 1], [1, 1], [0, 1]])  # the second is everywhere and says nothing
    p = 1 / (1 + np.exp(-logits[:, 0]))
    expected = log_loss(findings[:, 0], p, sample_weight=[1, 1, 3, 1])
    assert _balanced_loss(logits, findings) == pytest.approx(expected)


def test_the_table_is_there_after_every_part(
    dataset: Dataset, data: Path, tmp_path: Path, fitted: list[FitSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = training.cross_validate.fit

    def stopping(*arguments: Any) -> None:
        if len(fitted) == 2:
            raise KeyboardInterrupt
        whole(*arguments)

    monkeypatch.setattr(training.cross_validate, "fit", stopping)
    with pytest.raises(KeyboardInterrupt):
        judge(dataset, data, tmp_path)
    table = read_json(tmp_path / "cross_validation.json")
    assert list(table["parts"]) == FOLDS[:2]
    assert table["parts_to_come"] == [*FOLDS[2:], "lowest numbers", "highest numbers"]


def test_parts_that_cannot_be_left_out_are_told_before_the_first_fit(
    dataset: Dataset, data: Path, tmp_path: Path, fitted: list[FitSettings]
) -> None:
    unnumbered = replace(dataset, examples=tuple(replace(e, stream="", number=0) for e in dataset.examples))
    with pytest.raises(RunError, match="no blocks of file numbers in this data set; expected numbered file names"):
        judge(unnumbered, data, tmp_path)
    one_patient = tuple(
        replace(e, patient="one") if e.target == (1,) else e for e in dataset.examples if e.split != "test"
    )
    with pytest.raises(RunError, match=r"no image of PNEUMONIA in (fold \d|what is left without fold \d)"):
        judge(replace(dataset, examples=one_patient), data, tmp_path, blocks=False)
    one_sided = tuple(replace(e, stream="") if e.target == (1,) else e for e in dataset.examples)
    with pytest.raises(RunError, match="no image of PNEUMONIA in lowest numbers"):
        judge(replace(dataset, examples=one_sided), data, tmp_path)
    assert fitted == []
    assert list(tmp_path.iterdir()) == []


def test_soft_labels_are_probabilities_of_the_ensemble(
    dataset: Dataset, data: Path, tmp_path: Path, fitted: list[FitSettings]
) -> None:
    judge(dataset, data, tmp_path, blocks=False)
    assert {settings.leave_out for settings in fitted} == set(FOLDS)
    rows = read_rows(tmp_path / "soft_labels.csv")
    assert {row["sha256"] for row in rows} == {e.sha256 for e in split_of(pool_of(dataset, SETTINGS), SETTINGS).train}
    assert all(float(row["NORMAL"]) + float(row["PNEUMONIA"]) == pytest.approx(1, abs=1e-5) for row in rows)
    assert json.loads((tmp_path / "cross_validation.json").read_text())["parts_to_come"] == []
