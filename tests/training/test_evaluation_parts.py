"""The parts that are judged are those of the run that is judged, and films that fixed a calibration are named so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.bundle_builder import copy_bundle
from tests.training.served_answers import TWO, dataset_of, example_of, phantom_set, scheme_of
from tests.training.test_dataset_and_split import write_look_alike
from training.cli import app
from training.datasets import open_dataset
from training.datasets.examples import Dataset, DatasetError
from training.evaluation.evaluate import evaluate
from training.evaluation.models import Candidate, find_candidate
from training.evaluation.parts import part_of
from training.run_folder import write_split
from training.split import Split, official_split, pooled_split


def judged_run(folder: Path, split: Split) -> Candidate:
    folder.mkdir()
    copy_bundle(folder / "bundle")
    write_split(folder, split)
    return find_candidate(str(folder))


@pytest.fixture
def drawn() -> Dataset:
    splits = ["train"] * 40 + ["val"] * 4 + ["test"] * 6
    examples = [example_of(i, (i % 2,), patient=f"p{i}", split=split) for i, split in enumerate(splits)]
    return dataset_of(scheme_of(TWO, positive="PNEUMONIA"), examples)


def test_parts_of_a_run_are_its_own(tmp_path: Path, drawn: Dataset) -> None:
    official, pooled = official_split(drawn.examples), pooled_split(drawn.examples)
    run = judged_run(tmp_path / "official", official)
    assert part_of(drawn, "holdout", [run]) == official.holdout != pooled.holdout
    assert part_of(drawn, "val", [run]) == official.calibration
    assert part_of(drawn, "train", [run]) == official.train
    assert part_of(drawn, "holdout", [find_candidate("cnn"), run]) == official.holdout
    assert part_of(drawn, "test", [run]) == official.holdout
    assert part_of(drawn, "all", [run]) == list(drawn.examples)
    bundle = find_candidate(str(tmp_path / "official" / "bundle"))
    assert part_of(drawn, "holdout", [bundle]) == part_of(drawn, "holdout") == pooled.holdout


def test_two_runs_are_judged_on_what_both_held_out(tmp_path: Path, drawn: Dataset) -> None:
    films = list(drawn.examples)
    one = judged_run(tmp_path / "one", Split(films[20:], films[10:20], films[:10]))
    two = judged_run(tmp_path / "two", Split(films[:8], films[30:], films[8:30]))
    assert part_of(drawn, "holdout", [one, two]) == films[8:10]
    with pytest.raises(DatasetError, match="part train; expected images that all of the 2 runs have in it"):
        part_of(drawn, "train", [one, two])


def test_other_data_than_the_run_s_are_refused_with_a_way_out(tmp_path: Path, drawn: Dataset) -> None:
    run = judged_run(tmp_path / "run", official_split(drawn.examples))
    fewer = dataset_of(drawn.scheme, drawn.examples[:-1])
    with pytest.raises(DatasetError, match=r"without 1 of 6 images of the run's part holdout .*--split all or test"):
        part_of(fewer, "holdout", [run])
    assert part_of(fewer, "val", [run]) == list(fewer.examples[40:44])


def test_films_that_fixed_the_calibration_are_said(tmp_path: Path) -> None:
    dataset = phantom_set(3)
    films = list(dataset.examples)
    judged_run(tmp_path / "run", Split([], films[:2], films[2:]))
    result = evaluate(str(tmp_path / "run"), dataset, films, tmp_path / "all", part="all", resamples=10)
    assert result["calibrated_on"] == 2
    assert "was fixed on 2 of these 6 images" in (tmp_path / "all" / "report.html").read_text()
    result = evaluate(str(tmp_path / "run"), dataset, films[2:], tmp_path / "rest", part="holdout", resamples=10)
    assert result["calibrated_on"] == 0
    assert "was fixed on" not in (tmp_path / "rest" / "report.html").read_text()
    result = evaluate("cnn", dataset, films, tmp_path / "val", part="val", resamples=10)
    assert result["calibrated_on"] is None
    assert "if this model was made of these data" in (tmp_path / "val" / "report.html").read_text()


def test_commands_take_the_parts_of_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_look_alike(tmp_path / "data", patients=12)
    films = list(open_dataset(tmp_path / "data").examples)
    own = Split(films[:30], films[30:40], films[40:])
    judged_run(tmp_path / "run", own)
    seen: dict[str, Any] = {}

    def kept(name: str) -> Any:
        def measure(*values: Any, **named: Any) -> dict[str, Any]:
            lists = [value for value in values if isinstance(value, list)]
            seen[name] = {"films": {e.sha256 for e in lists[0]}, **named}
            return {"lines": [], "task": "", "keras": None}

        return measure

    for name in ("evaluate", "compare"):
        monkeypatch.setattr(f"training.evaluation.{name}.{name}", kept(name))
    monkeypatch.setattr("training.probes.probe.probe", kept("probe"))
    where = ["--data", str(tmp_path / "data"), "--out", str(tmp_path / "out"), "--json"]
    run = str(tmp_path / "run")
    for command in (["evaluate", "--model", run], ["compare", "cnn", run], ["probe", "--model", run]):
        done = CliRunner().invoke(app, [*command, *where])
        assert done.exit_code == 0, done.output
        assert json.loads(done.stdout) == {"lines": [], "task": "", "keras": None}
        assert seen[command[0]]["films"] == {e.sha256 for e in own.holdout}, command
        assert seen[command[0]]["part"] == "holdout"
    assert {e.sha256 for e in seen["probe"]["train"]} == {e.sha256 for e in own.train}
