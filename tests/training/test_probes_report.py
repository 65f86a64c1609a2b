"""All probes of a served bundle in one call: the JSON, the tables and the page hold what was measured."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest

from cxr_core.classifier import Classifier
from cxr_core.phantom import PhantomSettings, display_values
from cxr_core.preprocess import display_reduced, to_input
from cxr_core.reading import read_image
from tests.bundle_builder import SHIPPED, answering, copy_bundle, labels
from tests.dicom_builder import build
from tests.training.probe_models import dataset, example
from training.datasets.examples import Example, LabelScheme
from training.evaluation.files import EvaluationError
from training.probes.copies import CHANGES
from training.probes.figures import ProbeError
from training.probes.probe import ProbeLimits, probe

FEW = ProbeLimits(images=None, baseline_images=None, map_images=2)


def chest(label: int, seed: int) -> Example:
    """A drawn chest, with an opacity where it is of class 1."""
    drawn = display_values(PhantomSettings(rows=240, columns=300, opacity=0.9 * label, seed=seed))
    return example(np.rint(drawn * 255).astype(np.uint8), label, name=f"chest{label}_{seed}.png", patient=f"p{seed}")


@pytest.fixture(scope="module")
def examples() -> list[Example]:
    return [chest(label, seed) for seed in range(3) for label in (0, 1)]


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory, examples: list[Example]) -> Path:
    folder = tmp_path_factory.mktemp("probes")
    external = folder / "elsewhere"
    external.mkdir()
    shown = np.rint(display_values(PhantomSettings(rows=512, columns=512, opacity=0.9)) * 4095).astype(np.uint16)
    (external / "adult.dcm").write_bytes(build(shown, PatientAge="051Y"))
    (external / "labels.csv").write_text(
        'file,rsna_class,opacity_boxes_x_y_width_height_px\nadult.dcm,Lung Opacity,"[[10, 10, 200, 400]]"\n'
    )
    seen: list[tuple[int, int]] = []
    result = probe(
        str(SHIPPED),
        dataset(examples),
        [*examples, example(b"no image", 0, name="broken.png")],
        folder / "out",
        train=[chest(label, seed) for seed in range(10, 14) for label in (0, 1)],
        external=external,
        limits=FEW,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert json.loads((folder / "out/probes.json").read_text()) == result
    assert seen[-1] == (15, 15)
    return folder / "out"


@pytest.fixture(scope="module")
def result(out: Path) -> dict:
    return json.loads((out / "probes.json").read_text())


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_json_holds_every_probe(result: dict) -> None:
    assert result["model"]["name"] == "cnn"
    assert result["n"] == 6
    assert result["patients"] == 3
    assert result["unreadable"][0]["file"] == "broken.png"
    assert {row["name"] for row in (*result["perturbations"], *result["shortcuts"])} == set(CHANGES)
    for row in (*result["perturbations"], *result["shortcuts"]):
        assert row["accuracy"] == pytest.approx(result["unchanged"]["accuracy"] - row["accuracy_fall"])
        assert row["loss"] == pytest.approx(result["unchanged"]["loss"] + row["loss_rise"])
        assert row["auc"] == pytest.approx(result["unchanged"]["auc"] - row["auc_fall"])
    baselines = {row["name"]: row for row in result["baselines"]}
    assert set(baselines) == {"commonest", "aspect", "thumbnail", "border"}
    assert baselines["aspect"]["n"] == 6  # the files are not square
    assert baselines["thumbnail"]["fitted_on"] == 8
    assert result["external"]["n"] == 1
    assert result["external"]["films"][0]["verdict"] is None
    assert result["external"]["boxes"]["n"] == 1
    assert result["maps"]["randomised_weights"] is None


def test_lines_are_all_judged_in_words(result: dict) -> None:
    assert len(result["lines"]) == 12
    states = {True: "PASS: ", False: "FAIL: ", None: "NOT MEASURED: "}
    for line in result["lines"]:
        assert line["words"].startswith(states[line["passed"]])
    assert result["lines"][-1]["passed"] is None


def test_image_table_has_the_served_probability_and_every_change(out: Path, examples: list[Example]) -> None:
    rows = rows_of(out / "probes_images.csv")
    assert len(rows) == 6 * len(CHANGES)
    classifier = Classifier(str(SHIPPED))
    for one in examples:
        display = display_reduced(read_image(one.source.load()))
        p = classifier.predict(to_input(display, "zero_to_one")[np.newaxis])[0].probability
        own = [row for row in rows if row["file"] == one.source.name]
        assert {row["copy"] for row in own} == set(CHANGES)
        for row in own:
            assert float(row["probability_before"]) == pytest.approx(p, abs=1e-5)
            change = float(row["probability_after"]) - float(row["probability_before"])
            assert float(row["change"]) == pytest.approx(change, abs=2e-6)
            assert row["given"] == ("NORMAL", "PNEUMONIA")[one.target[0]]
            threshold = classifier.bundle.manifest.thresholds["PNEUMONIA"]
            sides = [float(row[f"probability_{when}"]) >= threshold for when in ("before", "after")]
            assert int(row["flipped"]) == (sides[0] != sides[1])


def test_tables_of_copies_and_of_films_agree_with_the_json(out: Path, result: dict) -> None:
    copies = {row["copy"]: row for row in rows_of(out / "probes_copies.csv")}
    assert list(copies) == ["unchanged", *CHANGES]
    for row in result["shortcuts"]:
        assert float(copies[row["name"]]["flip_rate"]) == row["flip_rate"]
    (film,) = rows_of(out / "probes_external.csv")
    assert film["file"] == "adult.dcm"
    assert film["population"] == "outside"
    assert film["verdict_withheld"] in ("population", "out_of_domain")
    assert float(film["box_mass_area"]) == pytest.approx(200 * 400 / 512**2, abs=1e-3)


def test_page_is_whole_in_itself(out: Path) -> None:
    page = (out / "probes.html").read_text()
    assert not re.search(r"(?:src|href)=[\"'](?!data:)", page)
    assert page.count("<img ") >= len(CHANGES) + 3
    for words in ("Research use only", "not in the figures: broken.png", "no accuracy", "8 x 8 thumbnail", "PASS: "):
        assert words in page
    for words in ("training has been turned against most of them", "was trained for", "its class drawn by lot, in 4 %"):
        assert words in page
    for change in CHANGES.values():
        assert change.words.replace("'", "&#x27;") in page
    assert not list(out.glob("*.part"))


def test_one_label_alone_measures_no_auc_and_says_so(tmp_path: Path, examples: list[Example]) -> None:
    result = probe(str(SHIPPED), dataset(examples), examples[::2], tmp_path / "out", limits=FEW)
    assert result["unchanged"]["auc"] is None
    assert result["baselines"] == []
    assert result["external"] is None
    erased = next(row for row in result["shortcuts"] if row["name"] == "centre_erased")
    assert erased["lines"][0]["passed"] is None
    swapped = next(row for row in result["shortcuts"] if row["name"] == "border_swapped")
    assert (swapped["n"], swapped["flip_rate"], swapped["lines"][0]["passed"]) == (0, None, None)
    assert {row["copy"] for row in rows_of(tmp_path / "out/probes_images.csv")} == set(CHANGES) - {"border_swapped"}
    page = (tmp_path / "out/probes.html").read_text()
    assert "A label is missing among these films" in page
    assert "no training examples were given" in page
    assert not (tmp_path / "out/probes_external.csv").exists()


def test_no_film_called_positive_leaves_the_maps_unmeasured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, examples: list[Example]
) -> None:
    answering(tmp_path / "cnn-1.0.0", monkeypatch, [5, -5])
    result = probe(str(tmp_path / "cnn-1.0.0"), dataset(examples), examples, tmp_path / "out", limits=FEW)
    assert [line["passed"] for line in result["lines"][-3:]] == [None, None, None]
    assert result["unchanged"]["accuracy"] == 0.5
    assert "no film was called positive" in (tmp_path / "out/probes.html").read_text()


def test_findings_are_probed_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, examples: list[Example]
) -> None:
    folder = tmp_path / "cnn-1.0.0"
    names = ("Effusion", "Mass", "Nodule")
    answering(
        folder,
        monkeypatch,
        [1, -1, 3],
        task="multi_label",
        labels=labels(*names),
        positive=None,
        thresholds=dict.fromkeys(names, 0.5),
        indeterminate=None,
    )
    scheme = LabelScheme("multi_label", Classifier(str(folder)).bundle.manifest.labels, None)
    found = [Example(one.source, (k % 2, 1 - k % 2, 1), one.patient, one.sha256) for k, one in enumerate(examples)]
    result = probe(str(folder), dataset(found, scheme), found, tmp_path / "out", train=found, limits=FEW)
    assert result["unchanged"]["accuracy"] == pytest.approx(2 / 3)  # Effusion and Nodule are always called
    assert result["unchanged"]["auc"] == 0.5
    rows = rows_of(tmp_path / "out/probes_images.csv")
    assert len(rows) == 6 * len(CHANGES) * 3
    assert {row["label"] for row in rows} == set(names)
    assert {row["given"] for row in rows if row["label"] == "Nodule"} == {"1"}
    assert result["maps"]["n"] == 2


def test_sample_is_named_as_one_and_overlap_with_training_is_said(tmp_path: Path, examples: list[Example]) -> None:
    folder = copy_bundle(tmp_path / "cnn-1.0.0")
    (folder / "training_files.txt").write_text("".join(f"{one.sha256}\n" for one in examples))
    limits = ProbeLimits(images=4, map_images=0)
    result = probe(str(folder), dataset(examples), examples, tmp_path / "out", limits=limits)
    assert (result["n"], result["available"]) == (4, 6)
    assert result["overlap"]["training_files"] == 4
    page = (tmp_path / "out/probes.html").read_text()
    assert "a sample out of 6" in page
    assert "4 of these films are among the model&#x27;s training files" in page


def test_what_cannot_be_probed_is_one_clear_line(tmp_path: Path, examples: list[Example]) -> None:
    broken = [example(b"no image", 0, name="broken.png")]
    with pytest.raises(ProbeError, match=r"no image that can be read \(broken\.png"):
        probe(str(SHIPPED), dataset(broken), broken, tmp_path / "out", limits=FEW)
    with pytest.raises(ProbeError, match="no image; expected at least one"):
        probe(str(SHIPPED), dataset(examples), [], tmp_path / "out", limits=FEW)
    (tmp_path / "file").write_text("")
    with pytest.raises(EvaluationError, match="a folder to write to"):
        probe(str(SHIPPED), dataset(examples), examples, tmp_path / "file", limits=FEW)
    assert not (tmp_path / "out/probes.json").exists()
