"""What is shown of answers: nothing unasked, one map at a time, and none of a negative answer at the first request."""

from __future__ import annotations

import numpy as np
import pytest

from cxr_desktop.state.ai_reading import Reading
from cxr_desktop.state.answers import Answer
from tests.desktop import answers_builder as made


def read(*answers: Answer) -> Reading:
    reading = Reading(has_image=True).asked([f"model {number}" for number in range(len(answers))])
    for number, answer in enumerate(answers):
        reading = reading.answered(number, answer)
    return reading


def test_nothing_is_there_until_it_is_asked_for() -> None:
    reading = Reading(has_image=True)
    assert not reading.running
    assert (reading.answers, reading.shown_map, reading.difference) == ((), None, "")


def test_from_question_to_answer() -> None:
    reading = Reading(has_image=True).asked([None])
    assert reading.running
    assert reading.models[0].title == "default model"
    assert reading.models[0].words.kind == "not_analysed"
    reading = reading.at_stage(0, "loading the model")
    assert reading.models[0].words.verdict == "Not analysed yet: loading the model"
    reading = reading.answered(0, made.positive())
    assert not reading.running
    assert reading.models[0].title == "cnn 0.4.0"
    assert reading.models[0].words.kind == "positive"
    assert reading.models[0].map_label is None


def test_a_failure_is_no_answer() -> None:
    reading = Reading(has_image=True).asked(["nix"]).failed(0, "no model named nix")
    assert reading.models[0].words.kind == "failed"
    assert reading.models[0].words.verdict == "Not analysed, failed: no model named nix"
    assert (reading.models[0].title, reading.models[0].identity, reading.answers) == ("nix", None, ())


def test_cancel_drops_what_runs_and_keeps_what_is_there() -> None:
    reading = Reading(has_image=True).asked(["a", "b"]).answered(0, made.positive()).cancelled()
    assert [model.model for model in reading.models] == ["a"]
    assert not reading.running


@pytest.mark.parametrize(
    "answer", [made.positive(), made.indeterminate(), made.out_of_domain(), made.wrong_population()]
)
def test_a_map_is_shown_on_request_and_hidden_again(answer: Answer) -> None:
    reading = read(answer).map_toggled(0)
    assert reading.shown_map is reading.models[0]
    assert reading.models[0].map_label == "PNEUMONIA"
    cam = reading.models[0].cam
    assert cam is not None
    assert np.array_equal(cam, made.cam())
    assert reading.map_toggled(0).shown_map is None


@pytest.mark.parametrize("answer", [made.negative(), made.of_findings(0.1, 0.2)])
def test_the_map_of_a_negative_answer_takes_a_second_request(answer: Answer) -> None:
    once = read(answer).map_toggled(0)
    assert once.shown_map is None
    assert once.models[0].map_confirmed
    twice = once.map_toggled(0)
    assert twice.shown_map is twice.models[0]
    assert twice.map_toggled(0).map_toggled(0).shown_map is not None  # told once


@pytest.mark.parametrize("answer", [made.refused(), made.failed()])
def test_without_a_prediction_there_is_no_map(answer: Answer) -> None:
    assert read(answer).map_toggled(0).shown_map is None
    assert read(answer).models[0].map_labels == ()


def test_one_map_at_a_time() -> None:
    reading = read(made.positive(), made.positive(name="mobilenetv2")).map_toggled(0).map_toggled(1)
    assert [model.map_label for model in reading.models] == [None, "PNEUMONIA"]


def test_maps_of_findings_the_highest_first() -> None:
    reading = read(made.of_findings(0.2, 0.9, 0.7))
    assert reading.models[0].map_labels == ("FINDING 2", "FINDING 3", "FINDING 1")
    assert reading.map_toggled(0).models[0].map_label == "FINDING 2"
    assert reading.with_map(0, "FINDING 1").models[0].map_label == "FINDING 1"


def test_two_answers_are_compared() -> None:
    reading = read(made.positive(), made.negative(name="mobilenetv2"))
    assert reading.difference.startswith("The models differ: cnn 0.4.0 says PNEUMONIA, mobilenetv2 0.4.0 says NORMAL.")
    assert read(made.positive()).difference == ""
