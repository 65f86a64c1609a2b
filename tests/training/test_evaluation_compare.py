"""Two models beside each other: the tests of their difference, the table, and the curves of their training."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from cxr_core.errors import BundleError
from tests.bundle_builder import copy_bundle, labels
from tests.training.served_answers import FINDINGS, answers_of, dataset_of, phantom_set, scheme_of
from training.evaluation.compare import DIFFERENCES, compare, differences, lines_of, mcnemar
from training.evaluation.curves import draw_curves
from training.evaluation.files import EvaluationError
from training.evaluation.models import find_candidate

HEAD = "epoch,phase,accuracy,loss,val_accuracy,val_loss\n"


def write_history(path: Path, epochs: int = 4) -> None:
    path.write_text(HEAD + "".join(f"{i},head,{0.8 + i / 50},{0.5 - i / 20},,\n" for i in range(1, epochs + 1)))


def run_folder(folder: Path, **changes: object) -> Path:
    folder.mkdir()
    copy_bundle(folder / "bundle", **changes)
    write_history(folder / "history.csv")
    return folder


def test_mcnemar_by_hand() -> None:
    first = answers_of(20, positive="PNEUMONIA", targets=np.zeros(20, int))
    called = {"first": np.array([0] * 12 + [1] * 8), "second": np.array([0] * 4 + [1] * 8 + [0] * 1 + [1] * 7)}
    one, two = replace(first, called=called["first"]), replace(first, called=called["second"])
    # 8 right in the first alone, 1 in the second alone: p = 2 (C(9,0) + C(9,1)) / 2^9
    assert mcnemar(one, two) == {
        "both_right": 4,
        "only_first_right": 8,
        "only_second_right": 1,
        "both_wrong": 7,
        "p": pytest.approx(20 / 512),
    }
    assert mcnemar(one, one)["p"] == 1


def test_mcnemar_of_findings_matches_them_by_name() -> None:
    answers = answers_of(40, FINDINGS, multi=True)
    order = [2, 0, 1]
    turned = replace(
        answers,
        scheme=replace(answers.scheme, labels=tuple(answers.scheme.labels[k] for k in order)),
        targets=answers.targets[:, order],
        called=answers.called[:, order],
    )
    result = mcnemar(answers, turned)
    assert set(result) == set(FINDINGS)
    assert all(test["only_first_right"] == test["only_second_right"] == 0 for test in result.values())


def test_differences_are_paired() -> None:
    good = answers_of(300, positive="PNEUMONIA", skill=2.5, digits=4)
    other = replace(good, probabilities=np.clip(good.probabilities + np.array([-1e-3, 1e-3]), 0, 1))
    assert set(differences(good, other, resamples=20)) == set(DIFFERENCES)
    assert differences(good, good, resamples=20)["auc"] == {"difference": 0, "ci95": [0, 0]}
    assert differences(good, other, resamples=20)["accuracy"] == {"difference": 0, "ci95": [0, 0]}
    worse = answers_of(300, positive="PNEUMONIA", targets=good.targets, skill=0.3, digits=4)
    auc = differences(good, worse, resamples=300)["auc"]
    assert 0 < auc["ci95"][0] < auc["difference"] < auc["ci95"][1]
    back = differences(worse, good, resamples=300)["auc"]
    assert back["ci95"] == pytest.approx([-auc["ci95"][1], -auc["ci95"][0]])


def test_comparison_is_written_and_told(tmp_path: Path) -> None:
    first = run_folder(tmp_path / "first")
    second = copy_bundle(
        tmp_path / "other", name="mobilenetv2", thresholds={"PNEUMONIA": 0.9}, indeterminate=[0.9, 0.9]
    )
    (second / "history.csv").unlink()
    dataset = phantom_set(5)
    told: list[tuple[int, int]] = []
    result = compare(
        str(first),
        str(second),
        dataset,
        dataset.examples,
        tmp_path / "out",
        resamples=20,
        progress=lambda done, n: told.append((done, n)),
    )
    assert told == [(10, 20), (20, 20)]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "compare.json",
        "compare.html",
        "roc.png",
        "curves.png",
    }
    assert json.loads((tmp_path / "out" / "compare.json").read_text()) == result
    assert [row["model"]["name"] for row in result["models"]] == ["cnn", "mobilenetv2"]
    assert [row["loss"] for row in result["reference"]] == [0.163, 0.203]
    assert [row["accuracy"] for row in result["reference"]] == [0.9395, 0.9166]
    assert result["differences"]["auc"]["difference"] == 0
    tests = result["mcnemar"]
    assert sum(value for key, value in tests.items() if key != "p") == 10
    html = (tmp_path / "out" / "compare.html").read_text()
    assert not re.search(r"https?:|<script|<link|url\(", html)
    assert "Sequential CNN (reference)" in html
    assert "93.95 %" in html
    assert "The two losses are not one quantity" in html
    assert "classes weighing alike" in html
    assert re.search(r"No history.csv of mobilenetv2 [\d.]+ is there", html)
    text = "\n".join(lines_of(result))
    assert re.search(r"MobileNetV2 transfer learning \(reference\) +91\.66 % +0\.2030", text)
    assert f"p = {tests['p']:.3g}" in text


def test_reference_figures_are_of_pneumonia_alone(tmp_path: Path) -> None:
    changes = {
        "labels": labels("NORMAL", "TUBERCULOSIS"),
        "positive": "TUBERCULOSIS",
        "thresholds": {"TUBERCULOSIS": 0.5},
        "indeterminate": [0.4, 0.6],
    }
    model = copy_bundle(tmp_path / "other", **changes)
    films = phantom_set(2).examples
    dataset = dataset_of(scheme_of(("NORMAL", "TUBERCULOSIS"), positive="TUBERCULOSIS"), films)
    result = compare(str(model), str(model), dataset, films, tmp_path / "out", resamples=5)
    assert result["reference"] == []
    assert "reference" not in "\n".join(lines_of(result))
    assert "reference" not in (tmp_path / "out" / "compare.html").read_text().split("</style>")[-1]


def test_one_model_twice_and_no_curves_of_an_earlier_comparison(tmp_path: Path) -> None:
    dataset = phantom_set(2)
    (tmp_path / "curves.png").write_bytes(b"old")
    result = compare("cnn", "cnn", dataset, dataset.examples, tmp_path, resamples=5)
    assert [row["title"][-8:] for row in result["models"]] == [" (first)", "(second)"]
    assert result["mcnemar"]["p"] == 1
    assert (tmp_path / "curves.png").exists() == (find_candidate("cnn").history is not None)


def test_models_of_other_labels_are_not_compared(tmp_path: Path) -> None:
    other = copy_bundle(
        tmp_path / "other",
        labels=labels("NORMAL", "TUBERCULOSIS"),
        positive="TUBERCULOSIS",
        thresholds={"TUBERCULOSIS": 0.5},
    )
    dataset = phantom_set(1)
    with pytest.raises(EvaluationError, match="TUBERCULOSIS; expected two models with the same labels"):
        compare("cnn", str(other), dataset, dataset.examples, tmp_path / "out")


def test_a_run_folder_a_bundle_folder_and_a_name_are_found(tmp_path: Path) -> None:
    run = run_folder(tmp_path / "run")
    found = find_candidate(str(run))
    assert found.bundle.folder == run / "bundle"
    assert found.history == run / "history.csv"
    assert found.keras_model is None
    (run / "model.keras").write_bytes(b"")
    assert find_candidate(str(run)).keras_model == run / "model.keras"
    assert find_candidate(str(run / "bundle")).bundle == found.bundle
    assert find_candidate("cnn").bundle.manifest.name == "cnn"
    with pytest.raises(BundleError, match="no model named nonsense"):
        find_candidate("nonsense")


@pytest.mark.parametrize("left", ["config.json", "split.csv", "checkpoint.npz", "model.keras"])
def test_an_unfinished_run_is_called_so_and_told_how_to_finish(tmp_path: Path, left: str) -> None:
    (tmp_path / left).write_bytes(b"")
    with pytest.raises(EvaluationError, match=r"unfinished: no bundle/bundle.json.*`cxr-train fit` command again"):
        find_candidate(str(tmp_path))
    (tmp_path / "model.keras").write_bytes(b"")
    (tmp_path / "calibration.json").write_bytes(b"{}")
    with pytest.raises(EvaluationError, match=r"trained to the end: `cxr-train export .* --out .*bundle`"):
        find_candidate(str(tmp_path))


def test_curves_are_drawn_with_and_without_phases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [["epoch", "phase", "accuracy", "loss", "val_accuracy", "val_loss"]]
    rows += [[i, "head", 0.8, 0.5, 0.7, 0.6] for i in (1, 2)] + [[1, "fine_tune", 0.9, 0.3, 0.8, 0.4]]
    pictures = []
    for name, chosen in (("phases", range(6)), ("plain", (0, 2, 3, 4, 5))):
        with (tmp_path / f"{name}.csv").open("w") as file:
            csv.writer(file).writerows([[row[k] for k in chosen] for row in rows])
        draw_curves(tmp_path / f"{name}.csv", tmp_path / f"{name}.png")
        pictures.append(cv2.imread(str(tmp_path / f"{name}.png")))
    assert pictures[0].shape == pictures[1].shape
    assert (pictures[0] != pictures[1]).any(), "the phase is marked"
    monkeypatch.setattr("training.evaluation.curves.CAPTION", "")
    draw_curves(tmp_path / "plain.csv", tmp_path / "bare.png")
    dark = [int((picture[-60:] < 160).sum()) for picture in (pictures[1], cv2.imread(str(tmp_path / "bare.png")))]
    assert dark[0] > 2 * dark[1], "the caption stands below"


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("epoch,accuracy,loss\n1,0.5,0.5\n", "without val_accuracy, val_loss; expected columns epoch, accuracy"),
        (HEAD, "without an epoch"),
        (HEAD + "1,head,high,0.5,0.5,0.5\n", "a value that is no number"),
        (HEAD + "1,head,0.5\n", "without loss, val_accuracy, val_loss"),
        (None, "that cannot be read"),
    ],
)
def test_damaged_history_is_one_line(tmp_path: Path, content: str | None, found: str) -> None:
    if content is not None:
        (tmp_path / "history.csv").write_text(content)
    with pytest.raises(EvaluationError, match=found) as caught:
        draw_curves(tmp_path / "history.csv", tmp_path / "curves.png")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "curves.png").exists()
