"""A bundle replaces a bundle and nothing else; a card takes in what it is told, or says what is wrong with it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cxr_core.bundle import find_bundle, load_bundle
from training.bundle_folder import complete_card, place_for, put_in_place
from training.cli import app
from training.pictures import OutputError
from training.run_folder import RunError

pytestmark = pytest.mark.training


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    shutil.copytree(find_bundle("cnn").folder, tmp_path / "bundle")
    return tmp_path / "bundle"


@pytest.fixture
def trials(tmp_path: Path) -> Path:
    figures = {"n": 7, "accuracy": 0.875, "loss": 0.25, "auc": 0.9}
    judged = {"settings": {"model": "cnn", "epochs": 3}, "parts": {"fold 0": figures | {"calibrated": figures}}}
    (tmp_path / "trials.json").write_text(json.dumps(judged))
    return tmp_path / "trials.json"


def test_a_folder_of_other_things_is_no_place_for_a_bundle(tmp_path: Path, bundle: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "thesis.txt").write_text("x")
    (tmp_path / "empty").mkdir()
    for other in ("thesis", "thesis/thesis.txt"):
        with pytest.raises(RunError, match="which is no bundle; expected a new or empty folder, or a bundle"):
            place_for(tmp_path / other)
    for fit in (bundle, tmp_path / "empty", tmp_path / "new"):
        assert place_for(fit) == fit.resolve()


def test_export_refuses_such_a_folder_before_it_reads_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "thesis.txt").write_text("x")
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["export", str(tmp_path), "--out", "."])
    assert done.exit_code == 1
    assert done.stderr.startswith(f"cxr-train: {tmp_path.resolve()}, which is no bundle")
    assert (tmp_path / "thesis.txt").exists()


@pytest.mark.parametrize(
    ("told", "message"),
    [
        (["fit", "--data", ".", "--out", "run", "--version", "1.0"], "version 1.0; expected three numbers"),
        (["export", ".", "--out", "b", "--version", "v1.0.0"], "version v1.0.0; expected three numbers"),
        (["export", ".", "--out", "b", "--name", "My CNN"], "name My CNN; expected lower-case letters"),
    ],
)
def test_names_that_the_manifest_would_refuse_are_refused_first(
    told: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, told)
    assert done.exit_code == 1
    assert done.stderr.startswith(f"cxr-train: {message}")
    assert list(tmp_path.iterdir()) == []


def failing_rename(monkeypatch: pytest.MonkeyPatch, source: Path) -> None:
    rename = Path.rename

    def fails(self: Path, target: Path) -> Path:
        if self == source:
            raise OSError(28, "No space left on device")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fails)


def test_a_replacement_that_fails_leaves_the_old_bundle(
    tmp_path: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "work").mkdir()
    before = load_bundle(bundle).sha256
    with monkeypatch.context() as patch:
        failing_rename(patch, tmp_path / "work")
        with pytest.raises(OSError, match="No space left"):
            put_in_place(tmp_path / "work", bundle)
    assert load_bundle(bundle).sha256 == before
    put_in_place(tmp_path / "work", bundle)
    assert {path.name for path in tmp_path.iterdir()} == {"bundle"}
    assert list(bundle.iterdir()) == []


def test_a_card_that_cannot_be_written_leaves_the_bundle_and_a_later_one_is(
    bundle: Path, trials: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = load_bundle(bundle).sha256
    for left in (".part", ".replaced"):  # of a command that was killed
        bundle.with_name(bundle.name + left).mkdir()
        (bundle.with_name(bundle.name + left) / "bundle.json").write_text("{}")
    with monkeypatch.context() as patch:
        failing_rename(patch, bundle.with_name("bundle.part"))
        with pytest.raises(OutputError, match="No space left on device"):
            complete_card(str(bundle), None, trials)
    assert load_bundle(bundle).sha256 == before
    complete_card(str(bundle), None, trials)
    assert "| fold 0 | 7 |" in load_bundle(bundle).card()
    assert {path.name for path in bundle.parent.iterdir()} == {"bundle", "trials.json"}


def test_a_run_folder_stands_for_its_bundle_and_a_dot_for_the_folder(
    bundle: Path, trials: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    complete_card(str(bundle.parent), None, trials)
    assert "| fold 0 | 7 |" in load_bundle(bundle).card()
    monkeypatch.chdir(bundle)
    assert complete_card(".", None, trials) == bundle.resolve()


@pytest.mark.parametrize(
    ("option", "kind"), [("--probes", "probes.json"), ("--cross-validation", "cross_validation.json")]
)
@pytest.mark.parametrize("content", ['{"n": 3, "model": {"name": "cnn"}, "accuracy": 0.5}', "[1]", "no JSON"])
def test_a_file_of_another_kind_is_named(bundle: Path, tmp_path: Path, option: str, kind: str, content: str) -> None:
    (tmp_path / "metrics.json").write_text(content)
    done = CliRunner().invoke(app, ["card", str(bundle), option, str(tmp_path / "metrics.json")])
    assert done.exit_code == 1
    assert f"metrics.json, which is no {kind}" in done.stderr
