"""What a reader thought, whether the answer was in sight, and how long it took."""

from __future__ import annotations

import json

import pytest

from cxr_core.prediction import ModelIdentity
from cxr_desktop.state.opinion import JUDGEMENTS, Opinion, ReadingClock, opinion_words

MODEL = ModelIdentity("cnn", "0.4.0", "a" * 64)


def test_an_opinion_before_the_answer() -> None:
    clock = ReadingClock()
    clock.image_shown(100.0)
    opinion = clock.opinion("agree", "", "1.2.3", None, 107.26)
    assert (opinion.before_ai, opinion.seconds, opinion.model) == (True, 7.3, "")
    assert opinion_words(opinion) == "Agree, before an answer was seen, after 7 s"


def test_an_opinion_after_the_answer() -> None:
    clock = ReadingClock()
    clock.image_shown(100.0)
    clock.answer_shown(103.0)
    opinion = clock.opinion("reject", " a rib ", "1.2.3", MODEL, 110.0)
    assert (opinion.before_ai, opinion.seconds, opinion.comment) == (False, 10.0, "a rib")
    assert (opinion.model, opinion.version, opinion.sha256) == ("cnn", "0.4.0", "a" * 64)
    assert opinion_words(opinion) == "Reject, with the answer of cnn 0.4.0 in sight, after 10 s: a rib"


def test_another_image_begins_again() -> None:
    clock = ReadingClock()
    clock.image_shown(100.0)
    clock.answer_shown(101.0)
    clock.image_shown(200.0)
    assert clock.before_ai
    assert clock.opinion("unsure", "", None, MODEL, 202.0).seconds == 2.0
    clock.nothing_shown()
    assert not clock.running


@pytest.mark.parametrize("judgement", JUDGEMENTS)
def test_as_json_and_back(judgement: str) -> None:
    clock = ReadingClock()
    clock.image_shown(0.0)
    opinion = clock.opinion(judgement, "肋骨", None, MODEL, 1.0)  # type: ignore[arg-type]
    assert Opinion.from_json(json.loads(json.dumps(opinion.to_json()))) == opinion
