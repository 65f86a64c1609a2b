"""The words of every kind of answer: none of them looks like negative that is not, and no score stands bare."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cxr_desktop.state.answers import (
    NOTHING_ELSE,
    Answer,
    difference,
    list_words,
    needs_asking_for_map,
    score_words,
    words_of,
)
from tests.desktop import answers_builder as made


def details(answer: Answer) -> dict[str, str]:
    return dict(words_of(answer).details)


@pytest.mark.parametrize(
    ("answer", "kind", "verdict"),
    [
        (None, "not_analysed", "Not analysed yet: no model was asked"),
        (
            made.negative(),
            "negative",
            "No pneumonia pattern found by this model; nothing else was assessed (score 0.04, calibrated for a share "
            "of 50 % with PNEUMONIA)",
        ),
        (
            made.positive(),
            "positive",
            "Pneumonia pattern found by this model; nothing else was assessed (score 0.93, calibrated for a share of "
            "50 % with PNEUMONIA)",
        ),
        (
            made.indeterminate(),
            "indeterminate",
            "Indeterminate: this model does not decide here (score 0.32, calibrated for a share of 50 % with "
            "PNEUMONIA)",
        ),
        (made.out_of_domain(), "withheld", "Verdict withheld, film out of domain: looks rotated by 180 degrees"),
        (
            made.wrong_population(),
            "withheld",
            "Verdict withheld: not validated for this patient, only for children of 1 to 5 years",
        ),
        (
            made.refused(),
            "refused",
            "Not analysed, refused: lateral view (View Position LL); a frontal film, PA or AP, is needed",
        ),
        (
            made.failed(),
            "failed",
            "Not analysed, failed: a truncated DICOM file; expected a whole file; send it again",
        ),
        (
            made.of_findings(0.2, 0.7, 0.9),
            "positive",
            "Found by this model: finding 2 pattern (score 0.70), finding 3 pattern (score 0.90); nothing else was "
            "assessed",
        ),
        (
            made.of_findings(0.2, 0.3),
            "negative",
            "None of this model's 2 findings reaches its threshold; nothing else was assessed",
        ),
        (
            made.of_classes(0.7, 0.2, 0.1),
            "negative",
            "Class 1 pattern; nothing else was assessed (score 0.70, calibrated for classes that are equally frequent)",
        ),
        (
            made.of_classes(0.2, 0.7, 0.1),
            "positive",
            "Class 2 pattern found by this model; nothing else was assessed (score 0.70, calibrated for classes that "
            "are equally frequent)",
        ),
    ],
)
def test_verdict_line(answer: Answer | None, kind: str, verdict: str) -> None:
    words = words_of(answer)
    assert (words.kind, words.verdict) == (kind, verdict)
    assert needs_asking_for_map(words) == (kind == "negative")


def test_a_list_says_what_became_of_a_film_and_never_a_bare_negative() -> None:
    other = made.answer(0.02, name="mobilenetv2")
    assert list_words([]) == ""
    assert list_words([made.positive(), other]) == "cnn: found; mobilenetv2: not found"
    assert list_words([made.refused(), made.refused()]) == "Refused"
    kinds = (made.positive(), made.negative(), made.indeterminate(), made.out_of_domain(), made.failed())
    assert len({list_words([answer]) for answer in kinds}) == len(kinds)


def test_every_verdict_says_that_nothing_else_was_assessed() -> None:
    given = (
        made.positive(),
        made.negative(),
        made.of_findings(0.9, 0.1),
        made.of_findings(0.1, 0.1),
        made.of_classes(0.9, 0.1),
    )
    assert all(NOTHING_ELSE in words_of(answer).verdict for answer in given)


@pytest.mark.parametrize("answer", [None, made.indeterminate(), made.out_of_domain(), made.refused(), made.failed()])
def test_what_is_not_negative_does_not_read_like_it(answer: Answer | None) -> None:
    assert "found" not in words_of(answer).verdict.lower()


@pytest.mark.parametrize(
    ("probability", "words"),
    [(0.0, "below 0.01"), (0.004, "below 0.01"), (0.04, "0.04"), (0.5, "0.50"), (0.994, "0.99"), (1.0, "above 0.99")],
)
def test_no_score_reads_as_certainty(probability: float, words: str) -> None:
    assert score_words(probability) == words


def test_the_score_of_a_withheld_verdict_is_told_with_its_worth() -> None:
    for answer in (made.out_of_domain(), made.wrong_population()):
        assert details(answer)["Score"] == "PNEUMONIA 0.93 (threshold 0.50); it supports no verdict here"
        assert "0.93" not in words_of(answer).verdict
    assert "Score" not in details(made.positive())


@pytest.mark.parametrize(
    ("state", "words", "caution"),
    [
        ("inside", "age inside the model's population: children of 1 to 5 years", None),
        (
            "outside",
            "not validated for this patient: age outside the model's population, children of 1 to 5 years",
            "NOT VALIDATED FOR THIS PATIENT: age outside the model's population",
        ),
        (
            "unknown",
            "age unknown; the model is validated for children of 1 to 5 years only",
            "Patient age unknown: the model may not be validated for this patient",
        ),
    ],
)
def test_the_patient_in_plain_words(state: str, words: str, caution: str | None) -> None:
    answer = made.positive(population=state)
    assert details(answer)["Patient"] == words
    assert words_of(answer).caution == caution


def test_what_the_answer_says_is_not_said_again() -> None:
    assert words_of(made.wrong_population()).caution is None
    both = made.answer(
        verdict=None, verdict_withheld="out_of_domain", in_domain=False, domain_reason="odd", population="outside"
    )
    assert words_of(both).caution is not None


def test_in_domain_is_not_said_to_be_valid() -> None:
    near = "in domain (distance 0.41, limit 1): near the training images, which does not make the model valid here"
    assert details(made.positive())["Film"] == near
    assert details(made.out_of_domain())["Film"] == (
        "out of domain (distance 2.31, limit 1): looks rotated by 180 degrees"
    )


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            made.positive(),
            "scores hold where 50 % of the patients have PNEUMONIA; where fewer do, the same film means less",
        ),
        (
            made.positive(prevalence=0.025),
            "scores hold where 2.5 % of the patients have PNEUMONIA, as set here; the model was validated at 50 %",
        ),
        (made.of_findings(0.7, 0.1), "each score holds where 50 % of the patients have the finding"),
        (made.of_classes(0.7, 0.3), "scores hold where all classes are equally frequent"),
    ],
)
def test_prevalence(answer: Answer, words: str) -> None:
    assert details(answer)["Prevalence"] == words


def test_findings_are_listed_the_highest_first() -> None:
    assert details(made.of_findings(0.2, 0.7))["Findings"] == (
        "FINDING 2 0.70 (threshold 0.50), FINDING 1 0.20 (threshold 0.50)"
    )
    assert details(made.of_classes(0.2, 0.8))["Classes"] == "CLASS 2 0.80, CLASS 1 0.20"


def test_a_warning_is_said_once() -> None:
    assert words_of(made.wrong_population()).warnings == (
        "view unknown (neither View Position nor View Code Sequence says PA or AP)",
    )


SAME_FILMS = "Both were trained on the same films: one does not confirm the other."


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        (made.positive, made.positive, f"Both models give the same answer. Scores 0.93 and 0.93. {SAME_FILMS}"),
        (
            made.positive,
            made.negative,
            "The models differ: cnn 0.4.0 says PNEUMONIA, cnn 0.4.0 says NORMAL. Scores 0.93 and 0.04.",
        ),
        (
            made.indeterminate,
            made.positive,
            "The models differ: cnn 0.4.0 says indeterminate, cnn 0.4.0 says PNEUMONIA. Scores 0.32 and 0.93.",
        ),
        (
            made.out_of_domain,
            made.positive,
            "The models differ: cnn 0.4.0 says nothing (withheld), cnn 0.4.0 says PNEUMONIA. Scores 0.93 and 0.93.",
        ),
        (
            made.wrong_population,
            made.wrong_population,
            f"Both models withhold their verdict. Scores 0.93 and 0.93. {SAME_FILMS}",
        ),
        (made.failed, made.positive, "Only one of the two models gives an answer: cnn 0.4.0."),
        (made.failed, made.refused, "Neither model gives an answer."),
        (
            made.refused,
            made.refused,
            "Both: not analysed, refused: lateral view (View Position LL); a frontal film, PA or AP, is needed.",
        ),
        (
            lambda: made.of_findings(0.7, 0.2),
            lambda: made.of_findings(0.7, 0.8),
            "The models differ: cnn 0.4.0 says FINDING 1, cnn 0.4.0 says FINDING 1, FINDING 2. Scores 0.70 and 0.80.",
        ),
    ],
)
def test_difference(first: Callable[[], Answer], second: Callable[[], Answer], words: str) -> None:
    assert difference((first(), second())) == words
