"""The model process as the work process sees it: batches, deaths, time-outs, restarts."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dicom_node.settings import settings_of
from dicom_node.work import model_process
from dicom_node.work.messages import Encode, Encoded, Failed, NotNow, StudyImage
from dicom_node.work.model_process import ModelProcess, WorkerDiedError
from tests.node.node_process import ROOT


class Acting:
    """A ModelProcess over the acting model."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.counted: list[list[str]] = []
        self.told: list[str] = []
        self.heard = threading.Event()
        settings = settings_of({"analysis": {"batch_size": 4, "batch_wait_ms": 300}}, "test")
        self.process = ModelProcess(settings, folder, self.counted.append, self._unusable)
        self.threads = ThreadPoolExecutor(16)

    def _unusable(self, words: str) -> None:
        self.told.append(words)
        self.heard.set()

    def analyse(self, text: str, *, alone: bool = False) -> str:
        return self.process.analyse(text, self._file(text), alone=alone)

    def together(self, *texts: str) -> list[str | BaseException]:
        """Answers, or what was raised, of images that are asked for at the same time."""
        waiting = [self.threads.submit(self.analyse, text) for text in texts]
        return [future.exception() or future.result() for future in waiting]

    def encode(self, text: str) -> Encoded | Failed | NotNow:
        return self.process.encode(Encode((StudyImage(text, self._file(text), "", 0.0, ""),), None))

    def _file(self, text: str) -> Path:
        path = self.folder / text
        path.write_text(text)
        return path


@pytest.fixture
def acting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Acting]:
    monkeypatch.setattr(model_process, "MODULE", "tests.node.work.acting_model")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    made = Acting(tmp_path)
    made.process.start()
    yield made
    made.process.stop()
    made.threads.shutdown(wait=False)


def test_images_go_in_batches_up_to_the_size(acting: Acting) -> None:
    assert acting.process.ready.wait(60)
    answers = acting.together("a", "b", "c", "d", "e")
    assert sorted(str(answer)[0] for answer in answers) == ["a", "b", "c", "d", "e"]
    assert sorted(key for keys in acting.counted for key in keys) == ["a", "b", "c", "d", "e"]
    assert max(len(keys) for keys in acting.counted) in (2, 3, 4), "together, and no more than the size"


def test_one_image_does_not_wait_for_a_batch_for_ever(acting: Acting) -> None:
    assert acting.analyse("a") == "a of 1"


@pytest.mark.parametrize("end", ["crash", "exit"])
def test_who_was_in_a_batch_that_ended_the_process_is_told_and_the_next_is_answered(acting: Acting, end: str) -> None:
    assert acting.process.ready.wait(60)
    outcomes = acting.together("a", end)
    together = ["a", end] in map(sorted, acting.counted)
    assert isinstance(outcomes[1], WorkerDiedError)
    assert isinstance(outcomes[0], WorkerDiedError) == together
    assert acting.analyse("a", alone=True) == "a of 1"


def test_an_image_that_goes_alone_is_in_no_batch(acting: Acting) -> None:
    assert acting.process.ready.wait(60)
    waiting = [acting.threads.submit(acting.analyse, text, alone=text == "b") for text in ("a", "b", "c")]
    assert [future.result() for future in waiting][1] == "b of 1"
    assert ["b"] in acting.counted


def test_an_answer_that_does_not_come_counts_as_death(acting: Acting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_process, "SECONDS_FIRST_IMAGE", 0.3)
    with pytest.raises(WorkerDiedError):
        acting.analyse("hang")
    assert acting.analyse("a") == "a of 1"


def test_what_cannot_be_counted_is_not_given_to_the_process(acting: Acting) -> None:
    def broken(_keys: list[str]) -> None:
        raise OSError("no space")

    acting.process._count = broken
    with pytest.raises(OSError, match="no space"):
        acting.analyse("crash")
    acting.process._count = acting.counted.append
    assert acting.analyse("a") == "a of 1"


def test_a_study_is_encoded_between_batches(acting: Acting) -> None:
    assert isinstance(acting.encode("study"), Encoded)
    assert acting.encode("fails") == Failed("fails")
    assert acting.encode("later") == NotNow("later")
    with pytest.raises(WorkerDiedError):
        acting.encode("crash")
    assert isinstance(acting.encode("study"), Encoded)


def test_a_model_that_cannot_be_loaded_is_told_once(acting: Acting) -> None:
    assert acting.process.ready.wait(60)
    (acting.folder / "unusable").write_text("a damaged bundle")
    with pytest.raises(WorkerDiedError):
        acting.analyse("exit")
    assert acting.heard.wait(60)
    assert acting.told == ["a damaged bundle"]


def test_stop_lets_the_process_finish_what_it_has(acting: Acting) -> None:
    assert acting.process.ready.wait(60)
    waiting = acting.threads.submit(acting.analyse, "a")
    while not acting.counted:
        threading.Event().wait(0.01)
    acting.process.stop()
    assert waiting.result(10) == "a of 1"
    assert not acting.process.ready.is_set()
