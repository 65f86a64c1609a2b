"""`evaluate` writes its folder: contract, table of images, plots, and one page that stands alone."""

from __future__ import annotations

import csv
import errno
import json
import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from cxr_core.classifier import Classifier
from tests.bundle_builder import copy_bundle
from tests.training.served_answers import FINDINGS, THREE, answers_of, phantom_set
from training.evaluation.cases import SHOWN, case_picture, choose_cases, gallery_png
from training.evaluation.evaluate import evaluate, images_csv, lines_of
from training.evaluation.files import EvaluationError, write_result
from training.evaluation.metrics import measure
from training.evaluation.overlap import TRAINING_FILES
from training.evaluation.plots import all_plots, risk_coverage
from training.evaluation.report import report_html

CONTRACT = (
    "model n accuracy accuracy_argmax loss precision recall f1 specificity auc average_precision brier ece "
    "confusion_matrix withheld ci95"
).split()


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("evaluation")
    dataset = phantom_set(6, damaged=True)
    bundle = copy_bundle(folder / "cnn-9.9.9")
    (bundle / TRAINING_FILES).write_text("".join(f"{e.sha256}\n" for e in dataset.examples[:2]))
    result = evaluate(str(bundle), dataset, dataset.examples, folder / "out", part="holdout", resamples=50)
    return folder / "out", result


def test_json_of_the_contract(written: tuple[Path, dict[str, Any]]) -> None:
    out, result = written
    assert set(CONTRACT) <= set(result)
    assert json.loads((out / "metrics.json").read_text()) == result
    assert result["n"] == sum(map(sum, result["confusion_matrix"])) == 12
    assert result["overlap"] == {"training_files": 2, "names": ["film0.jpeg", "film1.jpeg"]}
    assert result["failed"] == 2
    assert result["keras"] is None
    assert set(result["strata"]) == {"NORMAL", "bacteria", "virus"}
    assert set(result["ece_null"]) == {"mean", "p95"}


def test_folder_holds_whole_files_only(written: tuple[Path, dict[str, Any]]) -> None:
    out, _ = written
    pictures = "confusion_matrix gallery precision_recall reliability risk_coverage roc".split()
    assert {path.name for path in out.iterdir()} == {
        "metrics.json",
        "images.csv",
        "report.html",
        *(f"{name}.png" for name in pictures),
    }
    for name in pictures:
        assert min(cv2.imread(str(out / f"{name}.png")).shape[:2]) > 200


def test_table_of_images(written: tuple[Path, dict[str, Any]]) -> None:
    out, result = written
    with (out / "images.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["file"] for row in rows] == [f"film{i}.jpeg" for i in (*range(6), *range(100, 106))]
    assert sum(int(row["right"]) for row in rows) / 12 == pytest.approx(result["accuracy"])
    failed = [row for row in rows if row["failed"]]
    assert [row["file"] for row in failed] == ["film5.jpeg", "film105.jpeg"]
    assert all(row["p_PNEUMONIA"] == row["verdict"] == row["called"] == "" for row in failed)
    for row in rows:
        if not row["failed"]:
            assert float(row["p_NORMAL"]) + float(row["p_PNEUMONIA"]) == pytest.approx(1, abs=1e-5)
            assert row["in_domain"] == ("false" if row["withheld"] == "out_of_domain" else "true")
    assert {row["stratum"] for row in rows} == {"", "bacteria", "virus"}


def test_page_stands_alone_and_says_what_it_must(written: tuple[Path, dict[str, Any]]) -> None:
    out, result = written
    html = (out / "report.html").read_text()
    without_pictures = re.sub(r"data:image/(png|jpeg);base64,[A-Za-z0-9+/=]+", "", html)
    assert not re.search(r"https?:|//|<script|<link|@import|url\(", without_pictures)
    sources = re.findall(r'src="([^"]{0,30})', html)
    assert len(sources) > 10
    assert all(source.startswith("data:image/") for source in sources)
    assert "Drawn films &lt;of nobody&gt;, part holdout" in html
    for text in (
        "Research use only, not for diagnosis",
        result["model"]["sha256"],
        "children of 1 to 5 years",
        "trained on 2 of these 12 images (film0.jpeg, film1.jpeg)",
        "2 of 12 files could not be read and count as wrong, for example film5.jpeg",
        "model attention, not a lesion outline",
        "In plain words",
        "Withheld: out of domain",
    ):
        assert text in html, text


def test_lines_for_a_person(written: tuple[Path, dict[str, Any]]) -> None:
    lines = list(lines_of(written[1]))
    model = written[1]["model"]
    assert lines[0] == f"{model['name']} {model['version']} on 12 images of {written[1]['patients']} patient groups"
    assert written[1]["patients"] == len({i // 2 for i in (*range(6), *range(100, 106))})
    assert lines[-1] == "Research use, not for diagnosis."
    assert any(line.split()[0] == "Accuracy" and "%" in line for line in lines)


def test_normal_films_alone(tmp_path: Path) -> None:
    dataset = phantom_set(3, only_normal=True)
    result = evaluate("cnn", dataset, dataset.examples, tmp_path, resamples=20)
    assert (result["auc"], result["recall"], result["calibration_slope"]) == (None, None, None)
    assert "No image is labelled PNEUMONIA" in (tmp_path / "report.html").read_text()
    assert "not defined" in "\n".join(lines_of(result))


def test_nothing_readable_still_gives_a_report(tmp_path: Path) -> None:
    dataset = phantom_set(1, damaged=True)
    result = evaluate("cnn", dataset, dataset.examples, tmp_path, resamples=20)
    assert (result["failed"], result["accuracy"], result["ece"]) == (2, 0, None)
    assert "No image was answered." in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize(("names", "multi"), [(THREE, False), (FINDINGS, True)])
def test_page_of_several_labels(names: tuple[str, ...], multi: bool, written: tuple[Path, dict[str, Any]]) -> None:
    answers = answers_of(120, names, multi=multi, failed=(1,), digits=3)
    of_two = {key: value for key, value in written[1].items() if key in ("model", "data", "written", "resamples")}
    result = {
        **of_two,
        "positive": None,
        "task": answers.scheme.task,
        "thresholds": answers.thresholds,
        "threshold_rule": "a rule",
        "indeterminate_band": None,
        "population": "adults",
        "calibrated_prevalence": 0.5,
        "overlap": None,
        "calibrated_on": None,
        "keras": None,
        **measure(answers, resamples=20),
    }
    json.dumps(result, allow_nan=False)
    pictures = [(case, np.zeros((50, 100, 3), np.uint8)) for case in choose_cases(answers)]
    html = report_html(result, all_plots(answers), answers, pictures)
    for name in names:
        assert name.replace("_", " ") in html
    assert "By label" in html
    assert "does not list its training files" in html
    assert len(gallery_png(answers, pictures)) > 10_000


def test_gallery_shows_the_most_certain_errors_first() -> None:
    answers = answers_of(300, positive="PNEUMONIA", digits=3)
    cases = choose_cases(answers)
    by_group: dict[str, list] = {}
    for case in cases:
        by_group.setdefault(case.group, []).append(case)
    assert list(by_group) == ["false negatives", "false positives", "true positives", "true negatives"]
    wrong = (answers.targets == 1) & (answers.called == 0)
    lowest = sorted(answers.probabilities[wrong, 1])[:SHOWN]
    assert [case.probability for case in by_group["false negatives"]] == pytest.approx(lowest)
    assert by_group["false negatives"][0].group_size == wrong.sum()
    false_alarms = [case.probability for case in by_group["false positives"]]
    assert false_alarms == sorted(false_alarms, reverse=True)
    right = [case.probability for case in by_group["true positives"]]
    hits = answers.probabilities[(answers.targets == 1) & (answers.called == 1), 1]
    assert (right[0], right[-1]) == (hits.max(), hits.min())
    assert by_group["false negatives"][0].caption == "PNEUMONIA, called NORMAL"


def test_gallery_picture_is_the_film_and_the_film_under_its_map() -> None:
    dataset = phantom_set(1)
    classifier = Classifier("cnn")
    from training.evaluation.served import serve

    answers, _ = serve(classifier, dataset.scheme, dataset.examples)
    (case, *_) = choose_cases(answers)
    picture = case_picture(answers, case, classifier)
    assert picture is not None
    assert picture.shape == (224, 452, 3)
    film, overlaid = picture[:, :224], picture[:, 228:]
    assert (film.max(axis=2) == film.min(axis=2)).all()
    assert (overlaid.max(axis=2) != overlaid.min(axis=2)).any()


def test_risk_falls_with_coverage_of_a_model_that_knows() -> None:
    answers = answers_of(400, positive="PNEUMONIA", failed=(9,), digits=3)
    coverage, risk = risk_coverage(answers)
    assert risk[-1] == pytest.approx(1 - answers.right.mean())
    assert coverage[-1] == 1
    assert risk[199] < risk[-1]
    assert risk[-1] > risk[-2], "the failed file comes last, as an error"


def test_several_findings_stand_in_one_cell() -> None:
    text = images_csv(answers_of(3, FINDINGS, multi=True, targets=np.array([[1, 0, 1], [0, 0, 0], [0, 1, 0]])))
    assert [row["label"] for row in csv.DictReader(text.splitlines())] == ["Effusion|Pleural_Thickening", "", "Mass"]


def test_folder_that_cannot_be_written_is_one_line_before_any_work(tmp_path: Path) -> None:
    dataset = phantom_set(1)
    (tmp_path / "file").write_text("")
    told: list[int] = []
    with pytest.raises(EvaluationError, match=r"file/out \(Not a directory\); expected a folder to write to"):
        evaluate(
            "cnn", dataset, dataset.examples, tmp_path / "file" / "out", progress=lambda done, _: told.append(done)
        )
    assert told == []


def test_full_disk_leaves_the_old_file_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "metrics.json"
    path.write_text("old")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(EvaluationError, match=r"metrics.json was not written \(No space left on device\)"):
        write_result(path, b"new content")
    assert [p.name for p in tmp_path.iterdir()] == ["metrics.json"]
    assert path.read_text() == "old"
