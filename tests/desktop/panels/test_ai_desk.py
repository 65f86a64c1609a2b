"""From the reader's question to answer, map and kept opinion, with the real model in its process."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from cxr_core.reading import read_image
from cxr_core.samples import SAMPLES, sample_folder
from cxr_core.settings import Settings
from cxr_desktop.panels.ai_desk import AiDesk
from cxr_desktop.panels.ai_panel import AiPanel
from cxr_desktop.state.answers import words_of
from cxr_desktop.state.index import Index, IndexFileError
from cxr_desktop.state.kept_answers import answer_of
from cxr_desktop.state.opinion import Opinion
from cxr_desktop.state.records import InstanceRecord, LoadedImage
from cxr_desktop.state.settings import HeatMapSettings
from cxr_desktop.workers.inference import Inference
from cxr_desktop.workers.loading import load

PATIENCE_MS = 60_000


def sample(number: int) -> LoadedImage:
    path = sample_folder() / SAMPLES[number].file
    uid = read_image(path).facts.sop_instance_uid
    assert uid is not None
    return load(InstanceRecord(str(path), "image", sop_instance_uid=uid))


class Bench:
    """A desk with everything around it, and a clock that is set by hand."""

    def __init__(self, qtbot: QtBot, folder: Path) -> None:
        self.qtbot = qtbot
        self.now = 100.0
        self.inference = Inference(Settings())
        self.panel = AiPanel()
        qtbot.addWidget(self.panel)
        self.index = Index(folder / "index.sqlite", pytest.fail)
        self.desk = AiDesk(self.inference, self.panel, self.index, clock=lambda: self.now)
        self.maps: list[Any] = []
        self.answers: list[Any] = []
        self.desk.heatMapChanged.connect(self.maps.append)
        self.desk.answersChanged.connect(self.answers.append)
        self.desk.told.connect(pytest.fail)

    def until(self, condition: Callable[[], object]) -> None:
        self.qtbot.waitUntil(lambda: bool(condition()), timeout=PATIENCE_MS)

    def asked(self, ask: Callable[[], None]) -> None:
        ask()
        assert self.desk.running
        self.until(lambda: not self.desk.running)

    def opinions(self, key: str, number: int) -> list[Opinion]:
        self.until(lambda: len(self.index.opinions_of(key)) == number)
        return [Opinion.from_json(document) for document in self.index.opinions_of(key)]


@pytest.fixture
def bench(qtbot: QtBot, tmp_path: Path) -> Iterator[Bench]:
    made = Bench(qtbot, tmp_path)
    yield made
    made.inference.stop()
    made.index.close()


def test_nothing_is_asked_by_opening_an_image(bench: Bench) -> None:
    bench.desk.show_image(sample(0))
    assert not bench.desk.running
    assert bench.inference.pid is None
    assert bench.answers == []


def test_analyse_on_open_is_a_setting(bench: Bench) -> None:
    bench.desk.show_image(sample(0), ask=True)
    bench.until(lambda: bench.answers)


def test_answer_map_and_line(bench: Bench) -> None:
    image = sample(0)
    bench.desk.show_image(image)
    bench.asked(bench.desk.ask)
    (answer,) = bench.answers[-1]
    assert words_of(answer).kind == "positive"
    assert not [layer for layer in bench.maps if layer is not None]  # not unasked
    bench.desk.toggle_map()
    assert bench.maps[-1].label == "PNEUMONIA"
    assert bench.maps[-1].cam.shape == (15, 15)
    assert not bench.maps[-1].contour
    bench.desk.toggle_contour()
    assert bench.maps[-1].contour
    bench.panel.map_controls.opacity.setValue(80)
    assert bench.maps[-1].opacity == 0.8
    bench.desk.toggle_map()
    assert bench.maps[-1] is None


def test_settings_of_the_map_are_told_to_be_kept(bench: Bench) -> None:
    told: list[HeatMapSettings] = []
    bench.desk.mapSettingsChanged.connect(told.append)
    bench.desk.set_map_settings(HeatMapSettings(colour_map="magma"))
    assert told == []
    bench.desk.toggle_contour()
    assert told == [HeatMapSettings(colour_map="magma", contour=True)]


def test_both_models_each_with_its_map(bench: Bench) -> None:
    bench.desk.show_image(sample(0))
    bench.asked(bench.desk.ask_both)
    assert len(bench.answers[-1]) == 2
    bench.desk.toggle_map()
    assert bench.maps[-1].label == f"PNEUMONIA ({bench.desk.reading.models[0].title})"
    bench.panel.mapToggled.emit(1)
    assert bench.maps[-1].cam.shape == (5, 5)
    assert bench.maps[-1].label.startswith("PNEUMONIA (mobilenetv2")
    bench.desk.toggle_map()
    assert bench.maps[-1] is None


def test_answers_are_kept(bench: Bench) -> None:
    image = sample(0)
    bench.desk.show_image(image)
    bench.asked(bench.desk.ask_both)
    bench.until(lambda: len(bench.index.answers_of(image.record.key)) == 2)
    again = {stored.model: answer_of(stored) for stored in bench.index.answers_of(image.record.key)}
    for answer in bench.answers[-1]:
        kept = again[answer.manifest.name]
        assert kept is not None
        assert words_of(kept) == words_of(answer)


def test_an_opinion_before_and_one_after_the_answer(bench: Bench) -> None:
    image = sample(0)
    bench.desk.show_image(image)
    bench.now += 7
    bench.desk.judge("reject")
    (before,) = bench.opinions(image.key, 1)
    assert (before.judgement, before.before_ai, before.seconds, before.model) == ("reject", True, 7.0, "")
    bench.asked(bench.desk.ask)
    bench.now += 5
    bench.panel.feedback.comment.setText("right lower zone")
    bench.desk.judge("agree")
    after = bench.opinions(image.key, 2)[1]
    assert (after.judgement, after.before_ai, after.seconds) == ("agree", False, 12.0)
    identity = bench.desk.reading.models[0].identity
    assert identity is not None
    assert (after.model, after.version, after.sha256) == (identity.name, identity.version, identity.sha256)
    assert (after.comment, after.sop_instance_uid) == ("right lower zone", image.record.sop_instance_uid)
    bench.until(lambda: bench.panel.feedback.note.text().startswith("Agree, with the answer of cnn"))


def test_an_opinion_on_the_second_model(bench: Bench) -> None:
    image = sample(0)
    bench.desk.show_image(image)
    bench.asked(bench.desk.ask_both)
    bench.panel.feedback.subject.setCurrentIndex(1)
    bench.desk.judge("unsure")
    assert bench.opinions(image.key, 1)[0].model == "mobilenetv2"


def test_another_image_begins_again(bench: Bench) -> None:
    bench.desk.show_image(sample(0))
    bench.asked(bench.desk.ask)
    bench.desk.toggle_map()
    bench.panel.feedback.comment.setText("about the first")
    bench.desk.show_image(sample(1))
    assert bench.maps[-1] is None
    assert bench.answers[-1] == ()
    assert bench.panel.feedback.comment.text() == ""
    bench.desk.show_image(None)
    assert not bench.panel.ask_button.isEnabled()
    bench.desk.ask()
    assert not bench.desk.running


def test_an_answer_that_comes_too_late_is_not_shown(bench: Bench) -> None:
    bench.inference.warm(None)
    bench.desk.show_image(sample(0))
    bench.desk.ask()
    pid = bench.inference.pid
    bench.desk.show_image(sample(3))
    bench.asked(bench.desk.ask)
    (answer,) = bench.answers[-1]
    assert words_of(answer).kind == "refused"
    assert len(bench.answers) == 1
    assert pid is None or bench.inference.pid == pid  # nothing had to be loaded again


def test_cancel_and_ask_again(bench: Bench) -> None:
    bench.desk.show_image(sample(0))
    bench.desk.ask_both()
    bench.desk.cancel()
    assert not bench.desk.running
    assert bench.desk.reading.models == ()
    bench.asked(bench.desk.ask)
    assert len(bench.answers[-1]) == 1


def test_a_killed_process_is_told_and_the_next_question_answered(bench: Bench) -> None:
    bench.desk.show_image(sample(0))
    bench.desk.ask()
    bench.until(lambda: bench.inference.pid)
    assert bench.inference.pid is not None
    os.kill(bench.inference.pid, signal.SIGKILL)
    bench.until(lambda: not bench.desk.running)
    words = bench.desk.reading.models[0].words
    assert words.kind == "failed"
    assert "SIGKILL" in words.verdict
    bench.asked(bench.desk.ask)
    assert bench.desk.reading.models[0].words.kind == "positive"


def test_a_second_question_waits_for_the_first(bench: Bench) -> None:
    bench.desk.show_image(sample(0))
    bench.desk.ask()
    bench.desk.ask_both()
    assert len(bench.desk.reading.models) == 1


def test_a_card_is_asked_for_by_the_name_of_its_model(bench: Bench) -> None:
    told: list[object] = []
    bench.desk.cardRequested.connect(told.append)
    bench.desk.show_image(sample(0))
    bench.asked(bench.desk.ask_both)
    bench.panel.cardRequested.emit(0)
    bench.panel.cardRequested.emit(1)
    assert told == [None, "mobilenetv2"]


def test_without_an_index_an_opinion_says_that_it_is_not_kept(bench: Bench) -> None:
    bench.desk.index = None
    bench.desk.show_image(sample(0))
    bench.desk.judge("agree")
    assert "not kept" in bench.panel.feedback.note.text()


def test_what_cannot_be_kept_is_told(bench: Bench) -> None:
    told: list[str] = []
    bench.desk.told.disconnect(pytest.fail)
    bench.desk.told.connect(told.append)
    bench.index.put_opinion = refuse  # type: ignore[method-assign]
    bench.desk.show_image(sample(0))
    bench.desk.judge("agree")
    bench.until(lambda: told)
    assert told == ["a disk without room; expected some free space; make room"]
    assert bench.panel.feedback.note.text() == f"Not kept: {told[0]}"


def refuse(*_: object) -> None:
    raise IndexFileError("a disk without room", "some free space", "make room")


def test_the_comment_takes_the_cursor(bench: Bench) -> None:
    bench.desk.show_image(sample(0))
    bench.panel.show()
    bench.desk.comment()
    assert bench.panel.focusWidget() is bench.panel.feedback.comment
