"""A batch run over a real folder: every file is told, one death costs one file, cancel is at once."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QTimer
from pytestqt.qtbot import QtBot

from cxr_core.samples import sample_folder
from cxr_core.settings import Settings
from cxr_desktop.workers.batch_run import BatchRun
from cxr_desktop.workers.inference import Inference

PATIENCE_MS = 60_000


@pytest.fixture
def batch(qtbot: QtBot) -> Iterator[BatchRun]:
    inference = Inference(Settings())
    yield BatchRun(inference, inference)
    inference.stop()


@pytest.fixture
def folder(tmp_path: Path) -> str:
    """The samples, and a file that is none."""
    shutil.copytree(sample_folder(), tmp_path / "films")
    (tmp_path / "films" / "zzz.dcm").write_bytes(b"no film at all, nor anything else")
    return str(tmp_path / "films")


def states(batch: BatchRun) -> list[str]:
    return [item.state for item in batch.items.items]


def test_every_file_is_told(qtbot: QtBot, batch: BatchRun, folder: str) -> None:
    done: list[tuple[int, int]] = []
    answered: list[str] = []
    batch.progress.connect(lambda number, total: done.append((number, total)))
    batch.answered.connect(lambda name, answer: answered.append(f"{Path(name).name} {answer.result.status}"))
    with qtbot.waitSignal(batch.finished, timeout=PATIENCE_MS):
        batch.start(folder, None)
        assert batch.running
    assert not batch.running
    assert states(batch) == ["answered", "answered", "withheld", "refused", "withheld", "failed"]
    assert done == [(number, 6) for number in range(7)]
    assert answered[3:] == [
        "synthetic-4-lateral.dcm refused",
        "synthetic-5-upside-down.dcm predicted",
        "zzz.dcm failed",
    ]


def test_a_process_that_dies_costs_one_file(qtbot: QtBot, batch: BatchRun, monkeypatch: pytest.MonkeyPatch, folder: str) -> None:  # fmt: skip  # noqa: E501  # a signature
    inference = batch.parent()
    assert isinstance(inference, Inference)
    asked, died = inference.ask, "the process that worked on this ended (SIGKILL)"

    def ask(name: str, model: str | None) -> int:
        if name != batch.items.items[1].name:
            return asked(name, model)
        QTimer.singleShot(0, lambda: inference.failed.emit(-1, died))  # as test_inference.py sees it told
        return -1

    monkeypatch.setattr(inference, "ask", ask)
    with qtbot.waitSignal(batch.finished, timeout=PATIENCE_MS):
        batch.start(folder, None)
    assert states(batch) == ["answered", "failed", "withheld", "refused", "withheld", "failed"]
    assert batch.items.items[1].words == died


def test_cancel_leaves_the_rest_not_analysed(qtbot: QtBot, batch: BatchRun, folder: str) -> None:
    batch.answered.connect(lambda *_: batch.cancel())
    with qtbot.waitSignal(batch.finished, timeout=PATIENCE_MS):
        batch.start(folder, None)
    assert states(batch) == ["answered", *["cancelled"] * 5]
    assert not batch.running


def test_cancel_while_a_file_is_looked_at(qtbot: QtBot, batch: BatchRun, folder: str) -> None:
    batch.changed.connect(lambda number: batch.cancel() if number == 2 else None)
    with qtbot.waitSignal(batch.finished, timeout=PATIENCE_MS):
        batch.start(folder, None)
    assert states(batch) == ["answered", "answered", *["cancelled"] * 4]


def test_another_run_takes_the_place_of_the_first(qtbot: QtBot, batch: BatchRun, folder: str) -> None:
    batch.start(folder, None)
    with qtbot.waitSignal(batch.listed, timeout=PATIENCE_MS):
        batch.start(str(Path(folder) / "synthetic-1-child.dcm"), "mobilenetv2")
    with qtbot.waitSignal(batch.finished, timeout=PATIENCE_MS):
        pass
    assert states(batch) == ["answered"]


def test_a_model_that_cannot_be_used_is_told_once(qtbot: QtBot, batch: BatchRun, folder: str) -> None:
    with qtbot.waitSignal(batch.failed, timeout=PATIENCE_MS) as told:
        batch.start(folder, "nix")
    assert told.args[0].startswith("no model named nix")
    assert states(batch) == []
    assert not batch.running


def test_an_empty_folder_is_told_too(qtbot: QtBot, batch: BatchRun, tmp_path: Path) -> None:
    with qtbot.waitSignal(batch.finished, timeout=PATIENCE_MS):
        batch.start(str(tmp_path), None)
    (item,) = batch.items.items
    assert (item.state, item.name) == ("failed", str(tmp_path))
