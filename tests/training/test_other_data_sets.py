"""The commands fit and evaluate on every kind of data set beside Kaggle's: its bundle answers in its own labels."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from cxr_core.bundle import find_bundle
from tests.dicom_builder import build
from tests.training.test_datasets_chestxray8 import HEADER
from training.cli import app
from training.datasets.chestxray8 import FINDINGS
from training.run_folder import read_json

pytestmark = [pytest.mark.training, pytest.mark.slow, pytest.mark.filterwarnings("default")]

PATIENTS, SIDE = 60, 64
TB_CODE = {"value": "56717001", "scheme": "SCT", "meaning": "Tuberculosis"}
CLASSES = ("COVID-19", "NORMAL", "TUBERCULOSIS")
#: A finding that no film has: what the network says of it cannot be calibrated.
NEVER = "Hernia"


def picture(rng: np.random.Generator, kind: int) -> np.ndarray:
    """Noise with a part brighter than the rest, another one for each kind; uint8, (side, side)."""
    drawn = rng.integers(40, 90, (SIDE, SIDE)).astype(np.uint8)
    if kind:
        drawn[(SIDE // 3) * (kind - 1) : (SIDE // 3) * kind] += np.uint8(90)
    return drawn


def three_classes(folder: Path) -> None:
    rng = np.random.default_rng(1)
    for kind, name in enumerate(CLASSES):
        (folder / name).mkdir(parents=True)
        for patient in range(PATIENTS):
            cv2.imwrite(str(folder / name / f"P{patient:03d}-{kind}.png"), picture(rng, kind))
    said = {
        "classes": {"TUBERCULOSIS": {"meaning": "signs of tuberculosis", "code": TB_CODE}},
        "patient": "^(P\\d+)",
        "population": {"description": "adults", "min_age_years": 18, "below_age_years": 121},
        "description": "Drawn films of three classes",
    }
    (folder / "labels.json").write_text(json.dumps(said))


def chestxray8(folder: Path) -> None:
    rng = np.random.default_rng(2)
    lines = [HEADER]
    lists: dict[str, list[str]] = {"train_val": [], "test": []}
    common = [label.name for label in FINDINGS if label.name != NEVER]
    for patient in range(1, 2 * PATIENTS + 1):
        image, part = f"{patient:08d}_000.png", "test" if patient % 10 == 0 else "train_val"
        chosen = [name for name in common if rng.random() < 0.3]
        path = folder / f"images_{1 + patient % 2:03d}" / "images" / image
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), picture(rng, 1 + common.index(chosen[0]) % 3 if chosen else 0))
        found = "|".join(chosen) or "No Finding"
        lines.append(f"{image},{found},0,{patient},{30 + patient % 40},M,PA,2682,2749,0.143,0.143,")
        lists[part].append(image)
    (folder / "Data_Entry_2017.csv").write_text("\n".join(lines) + "\n")
    for part, images in lists.items():
        (folder / f"{part}_list.txt").write_text("\n".join(images))


def dicom_classes(folder: Path) -> None:
    rng = np.random.default_rng(3)
    for kind, name in enumerate(("clear", "opacity")):
        (folder / name).mkdir(parents=True)
        for patient in range(PATIENTS):
            stored = picture(rng, 2 * kind).astype(np.int32) * 16
            content = build(stored, PatientID=f"T{patient}", PatientAge=f"{20 + patient:03d}Y")
            (folder / name / f"{patient}.dcm").write_bytes(content)


@dataclass(frozen=True)
class Case:
    """A data set and what its bundle must say."""

    make: Callable[[Path], None]
    options: tuple[str, ...]
    labels: tuple[str, ...]
    positive: str | None
    population: str
    words: tuple[str, ...]
    """Of the card."""


CASES = {
    "three classes": Case(
        three_classes,
        (),
        CLASSES,
        None,
        "adults",
        ("mean over the classes", "- TUBERCULOSIS: signs of tuberculosis", "rule any class out"),
    ),
    "all findings": Case(
        chestxray8,
        ("--task", "all_findings"),
        tuple(label.name for label in FINDINGS),
        None,
        "patients of 30 to 69 years",
        (
            "sigmoid cross-entropy of every finding",
            "| Effusion |",
            f"- {NEVER}: no film with it in the calibration part",
        ),
    ),
    "DICOM": Case(
        dicom_classes,
        (),
        ("clear", "opacity"),
        "opacity",
        "patients of 20 to 79 years",
        ("calibrated probability of opacity", "rule opacity out", "accuracy at the threshold"),
    ),
}


def command(*words: object) -> Any:
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    return done


@pytest.mark.parametrize("name", CASES)
def test_fit_and_evaluate(name: str, tmp_path: Path) -> None:
    case, data, run = CASES[name], tmp_path / "data", tmp_path / "run"
    case.make(data)
    command("fit", "--data", data, "--out", run, "--epochs", 1, *case.options)
    bundle = find_bundle(str(run / "bundle"))
    manifest, card = bundle.manifest, bundle.card()
    assert tuple(label.name for label in manifest.labels) == case.labels
    assert manifest.positive == case.positive
    assert manifest.population.description == case.population
    assert "1 epoch, Adam" in card
    for words in (*case.words, "It must not be used to diagnose", "The verdict is withheld outside the population"):
        assert words in card, words
    films = read_json(run / "calibration.json")["films"]
    done = command(
        "evaluate",
        "--data",
        data,
        "--model",
        run,
        "--out",
        tmp_path / "report",
        "--resamples",
        100,
        "--json",
        *case.options,
    )
    figures = json.loads(done.stdout)
    assert figures["n"] == films["holdout"] > 5
    assert set(figures["labels"]) == set(case.labels)
    assert (figures["failed"], figures["refused"]) == (0, 0)
    assert figures["accuracy"] == manifest.metrics["holdout"]["accuracy"]
    assert (tmp_path / "report" / "report.html").stat().st_size > 10_000
    if name == "three classes":
        assert manifest.prevalence == pytest.approx(1 / 3)
        assert manifest.labels[2].code is not None
        assert manifest.labels[2].code.model_dump() == TB_CODE
    if name == "all findings":
        assert manifest.prevalence == 0.5
        assert manifest.thresholds == dict.fromkeys(case.labels, 0.5)
        shifts = read_json(run / "calibration.json")["intercepts"]
        assert [finding for finding, shift in shifts.items() if shift == 0] == [NEVER]
    if name == "DICOM":
        assert read_json(run / "calibration.json")["patients"]["train"] < PATIENTS, (
            "both films of a patient are one group"
        )
