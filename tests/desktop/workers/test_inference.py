"""The real models in their process: answers with maps, two models, cancel, death, unusable bundles, result objects."""

from __future__ import annotations

import io
import os
import signal
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pydicom
import pytest
from pytestqt.qtbot import QtBot

from cxr_core.classifier import Classifier
from cxr_core.digest import encoded_digest
from cxr_core.pipeline import Pipeline
from cxr_core.reading import Source
from cxr_core.results.records import ResultChoice, ResultObject
from cxr_core.samples import SAMPLES, sample_folder
from cxr_core.settings import Settings
from cxr_desktop.state.answers import Answer, words_of
from cxr_desktop.state.records import InstanceRecord
from cxr_desktop.workers.answering import OWN_RESULT
from cxr_desktop.workers.encoding import data_set_digest
from cxr_desktop.workers.inference import Inference
from cxr_desktop.workers.inference_messages import StudyImage
from cxr_desktop.workers.loading import load
from tests.bundle_builder import copy_bundle
from tests.dicom_builder import build

PATIENCE_MS = 60_000
CHILD, ADULT, LATERAL = (str(sample_folder() / SAMPLES[number].file) for number in (0, 2, 3))
RECEIVED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class Heard:
    """Everything that the inference process said, by ticket."""

    def __init__(self, inference: Inference) -> None:
        self.results: dict[int, Any] = {}
        self.failures: dict[int, str] = {}
        self.stages: dict[int, list[str]] = {}
        for told in (inference.answered, inference.described, inference.listed, inference.encoded):
            told.connect(self._result)
        inference.failed.connect(self.failures.__setitem__)
        inference.progress.connect(lambda ticket, words: self.stages.setdefault(ticket, []).append(words))

    def _result(self, ticket: int, result: object) -> None:
        assert ticket not in self.results
        self.results[ticket] = result


@pytest.fixture
def inference(qtbot: QtBot) -> Iterator[Inference]:
    made = Inference(Settings())
    yield made
    made.stop()


@pytest.fixture
def heard(inference: Inference) -> Heard:
    return Heard(inference)


@pytest.fixture
def wait(qtbot: QtBot) -> Callable[[Callable[[], object]], None]:
    return lambda condition: qtbot.waitUntil(lambda: bool(condition()), timeout=PATIENCE_MS)


Wait = Callable[[Callable[[], object]], None]


def test_an_answer_is_that_of_the_pipeline(inference: Inference, heard: Heard, wait: Wait) -> None:
    ticket = inference.ask(CHILD, None)
    assert inference.busy
    wait(lambda: ticket in heard.results)
    answer = heard.results[ticket]
    expected, _ = Pipeline(Classifier())(Source(CHILD, Path(CHILD).read_bytes))
    assert answer.result.to_json() | {"milliseconds": None} == expected.to_json() | {"milliseconds": None}
    assert answer.result.prediction is not None
    assert expected.prediction is not None
    assert np.array_equal(answer.result.prediction.maps, expected.prediction.maps)
    assert answer.manifest.name == "cnn"
    assert heard.stages[ticket] == ["loading the model", "looking at the film"]
    wait(lambda: not inference.busy)


def test_both_models_of_one_open_image(inference: Inference, heard: Heard, wait: Wait) -> None:
    image = load(InstanceRecord(CHILD, "image", sop_instance_uid=str(pydicom.dcmread(CHILD).SOPInstanceUID)))
    first, second = inference.ask(image, "cnn"), inference.ask(image, "mobilenetv2")
    wait(lambda: len(heard.results) == 2)
    grids = [heard.results[ticket].result.prediction.maps.shape for ticket in (first, second)]
    assert grids == [(2, 15, 15), (2, 5, 5)]
    assert [heard.results[ticket].manifest.name for ticket in (first, second)] == ["cnn", "mobilenetv2"]
    again = inference.ask(image, "cnn")
    wait(lambda: again in heard.results)
    assert heard.stages[again] == ["looking at the film"]  # it was kept


def test_a_warm_model_does_not_have_to_be_loaded(inference: Inference, heard: Heard, wait: Wait) -> None:
    inference.warm("mobilenetv2")
    assert not inference.busy
    ticket = inference.ask(CHILD, "mobilenetv2")
    wait(lambda: ticket in heard.results)
    assert heard.stages[ticket] == ["looking at the film"]


def test_nothing_comes_of_what_is_asked_after_the_end(qtbot: QtBot) -> None:
    inference = Inference(Settings())
    heard = Heard(inference)
    first = inference.ask(CHILD, None)
    inference.stop()
    late = inference.ask(CHILD, None)
    inference.warm(None)
    inference.cancel(late)
    qtbot.wait(0)
    assert (heard.results, heard.failures) == ({}, {})
    assert first != late
    assert inference.pid is None


def test_settings_hold_for_what_is_asked_later(inference: Inference, heard: Heard, wait: Wait) -> None:
    withheld = inference.ask(ADULT, None)
    inference.settings = Settings(population="warn", prevalence=0.1)
    warned = inference.ask(ADULT, None)
    wait(lambda: len(heard.results) == 2)
    assert words_of(heard.results[withheld]).kind == "withheld"
    assert words_of(heard.results[warned]).kind == "positive"
    assert words_of(heard.results[warned]).caution is not None
    assert "a share of 10 %" in words_of(heard.results[warned]).verdict


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        (LATERAL, "refused", "Not analysed, refused: lateral view"),
        ("gone.dcm", "failed", "Not analysed, failed: a file that is no longer there"),
    ],
)
def test_what_is_not_answered_says_why(
    inference: Inference, heard: Heard, wait: Wait, name: str, kind: str, words: str
) -> None:
    ticket = inference.ask(name, None)
    wait(lambda: ticket in heard.results)
    said = words_of(heard.results[ticket])
    assert said.kind == kind
    assert said.verdict.startswith(words)


def test_a_process_killed_while_busy_is_told_and_the_next_question_answered(
    inference: Inference, heard: Heard, wait: Wait
) -> None:
    killed = inference.ask(CHILD, None)
    wait(lambda: inference.pid)
    assert inference.pid is not None
    os.kill(inference.pid, signal.SIGKILL)
    wait(lambda: killed in heard.failures)
    assert heard.failures[killed].startswith("the process that worked on this ended (SIGKILL); ask again")
    after = inference.ask(CHILD, None)
    wait(lambda: after in heard.results)
    assert heard.results[after].result.status == "predicted"
    assert killed not in heard.results


def test_cancel_lets_the_others_go_on_and_loads_the_model_again(inference: Inference, heard: Heard, wait: Wait) -> None:
    inference.warm(None)
    first = inference.ask(CHILD, None)
    wait(lambda: first in heard.results)
    pid = inference.pid
    dropped, other = inference.ask(CHILD, None), inference.ask(ADULT, None)
    inference.cancel(dropped)
    wait(lambda: other in heard.results)
    warm = inference.ask(CHILD, None)
    wait(lambda: warm in heard.results)
    assert heard.stages[warm] == ["looking at the film"]
    assert dropped not in heard.results
    assert heard.failures == {}
    if inference.pid == pid:  # it had not begun
        assert dropped not in heard.stages


def test_an_unusable_bundle_is_told_and_the_others_go_on(
    inference: Inference, heard: Heard, wait: Wait, tmp_path: Path
) -> None:
    folder = copy_bundle(tmp_path / "broken")
    (folder / "model.tflite").write_bytes(b"nothing")
    broken, missing, good = inference.ask(CHILD, str(folder)), inference.ask(CHILD, "nix"), inference.ask(CHILD, None)
    wait(lambda: good in heard.results)
    assert heard.failures[broken] == (
        "model.tflite of bundle broken was changed; expected the SHA-256 of its manifest; install the bundle again"
    )
    assert heard.failures[missing].startswith("no model named nix; expected one of: cnn, mobilenetv2")
    assert heard.results[good].result.status == "predicted"


def test_models_are_listed_and_described(inference: Inference, heard: Heard, wait: Wait) -> None:
    names, card, nothing = inference.list_models(), inference.describe("mobilenetv2"), inference.describe("nix")
    wait(lambda: nothing in heard.failures)
    assert heard.results[names] == ("cnn", "mobilenetv2")
    description = heard.results[card]
    assert description.identity.name == description.manifest.name == "mobilenetv2"
    assert description.card.startswith("# mobilenetv2")


def encoded(inference: Inference, heard: Heard, wait: Wait, *names: str) -> list[ResultObject]:
    tickets = [inference.ask(name, None) for name in names]
    wait(lambda: set(tickets) <= set(heard.results))
    images = [
        StudyImage(Path(name).read_bytes(), RECEIVED, heard.results[ticket])
        for name, ticket in zip(names, tickets, strict=True)
    ]
    ticket = inference.encode(images, ResultChoice(sc="always", gsps="always"), "CXR_DESKTOP")
    wait(lambda: ticket in heard.results or ticket in heard.failures)
    assert ticket in heard.results, heard.failures
    objects: list[ResultObject] = heard.results[ticket]
    return objects


def test_result_objects_of_a_study_and_they_are_not_analysed(
    inference: Inference, heard: Heard, wait: Wait, tmp_path: Path
) -> None:
    objects = encoded(inference, heard, wait, CHILD)
    assert [made.kind for made in objects] == ["sr", "sc", "gsps"]
    source = pydicom.dcmread(CHILD)
    report = pydicom.dcmread(io.BytesIO(objects[0].data))
    assert report.StudyInstanceUID == source.StudyInstanceUID
    assert report.ContentDate == "20260102"
    for number, made in enumerate(objects):
        path = tmp_path / f"{number}.dcm"
        path.write_bytes(made.data)
        ticket = inference.ask(str(path), None)
        wait(lambda ticket=ticket: ticket in heard.results)
        answer: Answer = heard.results[ticket]
        assert (answer.result.status, answer.result.reason) == ("refused", OWN_RESULT)
        assert answer.result.sop_instance_uid == made.sop_instance_uid
    again = encoded(inference, heard, wait, CHILD)
    assert [made.data for made in again] == [made.data for made in objects]


def test_images_of_two_studies_make_no_objects(inference: Inference, heard: Heard, wait: Wait) -> None:
    tickets = [inference.ask(name, None) for name in (CHILD, ADULT)]
    wait(lambda: len(heard.results) == 2)
    images = [
        StudyImage(Path(name).read_bytes(), RECEIVED, heard.results[ticket])
        for name, ticket in zip((CHILD, ADULT), tickets, strict=True)
    ]
    ticket = inference.encode(images, ResultChoice(), "CXR_DESKTOP")
    wait(lambda: ticket in heard.failures)
    assert heard.failures[ticket].startswith("images of 2 studies; expected one study")


def test_a_picture_without_a_header_makes_no_objects(
    inference: Inference, heard: Heard, wait: Wait, tmp_path: Path
) -> None:
    picture = tmp_path / "a.png"
    grey = pydicom.dcmread(CHILD).pixel_array
    picture.write_bytes(cv2.imencode(".png", (grey >> 4).astype(np.uint8))[1].tobytes())
    asked = inference.ask(str(picture), None)
    wait(lambda: asked in heard.results)
    assert heard.results[asked].result.status == "predicted"
    image = StudyImage(picture.read_bytes(), RECEIVED, heard.results[asked])
    ticket = inference.encode([image], ResultChoice(), "CXR_DESKTOP")
    wait(lambda: ticket in heard.failures)
    assert heard.failures[ticket].startswith("a picture without a DICOM header")


@pytest.mark.parametrize("preamble", [True, False])
def test_the_digest_is_that_of_what_is_transferred(preamble: bool) -> None:
    content = build()
    data_set = pydicom.dcmread(io.BytesIO(content))
    start = content.index(b"\x08\x00", 132 + 12 + int(data_set.file_meta.FileMetaInformationGroupLength))
    expected = encoded_digest(content[start:])
    assert data_set_digest(content if preamble else content[start:]) == expected
