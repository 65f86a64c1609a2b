"""Every kind of bundle gets a card with its own words, figures, loss and the same limits."""

from __future__ import annotations

from dataclasses import asdict
from functools import lru_cache
from typing import Any

import pytest

from tests.training.served_answers import answers_of
from training.datasets.chestxray8 import FINDINGS
from training.datasets.kaggle import SCHEME
from training.evaluation.metrics import measure
from training.model_card import model_card, trials_section
from training.settings import FitSettings

FOURTEEN = tuple(label.name for label in FINDINGS)
THREE = ("COVID-19", "NORMAL", "TUBERCULOSIS")
OTHERS = ("clear", "opacity")
NAMES = {"kaggle": SCHEME.names, "two": OTHERS, "three": THREE, "findings": FOURTEEN}


@lru_cache
def measured(kind: str) -> dict[str, Any]:
    names = NAMES[kind]
    positive = names[1] if len(names) == 2 else None
    return measure(answers_of(200, names, multi=kind == "findings", positive=positive), resamples=100)


def card_of(kind: str, fitted: dict[str, Any] | None = None, metrics: bool = True, **settings: Any) -> str:
    names = NAMES[kind]
    positive = names[1] if len(names) == 2 else None
    several = kind == "findings"
    thresholds = {positive: 0.5} if positive else {name: 0.25 + k / 100 for k, name in enumerate(names) if several}
    holdout = {"holdout": measured(kind)} if metrics else {}
    meanings = {label.name: label.meaning for label in SCHEME.labels} if kind == "kaggle" else {}
    manifest = {
        "name": "cnn",
        "version": "1.0.0",
        "description": "A network",
        "task": "multi_label" if several else "single_label",
        "labels": [{"name": name, "meaning": meanings.get(name, f"signs of {name}")} for name in names],
        "positive": positive,
        "map_grid": (15, 15),
        "temperature": 1.25,
        "thresholds": thresholds,
        "threshold_rule": "a rule",
        "indeterminate": (0.4, 0.6) if positive else None,
        "population": {"description": "adults of one city"},
        "prevalence": 0.5 if several else 1 / len(names),
        "training_data": "Mendeley Data rscbjbr9sj" if kind == "kaggle" else "Films of our department",
        "training_fingerprint": "ab" * 32,
        "metrics": {"agreement_with_keras": {"films": 200, "probability": 1e-6, "maps_relative": 1e-5}, **holdout},
    }
    found = {
        "base": "none",
        "films": {"train": 800, "calibration": 100, "holdout": 400},
        "patients": {"train": 400, "calibration": 50, "holdout": 200},
        "training_shares": dict.fromkeys(names, 0.25),
    }
    config = {"settings": asdict(FitSettings(**settings)), "versions": {"keras": "3.15.1"}}
    return model_card(manifest, config, found | (fitted or {}))


@pytest.mark.parametrize("kind", NAMES)
def test_every_card_states_limits_population_and_null(kind: str) -> None:
    card = card_of(kind)
    for words in (
        "not a medical device, not for diagnosis",
        "It must not be used to diagnose, to triage",
        "or as a measure of severity",
        "The verdict is withheld outside the population and out of domain.",
        "Adults of one city, frontal films.",
        "| calibration error that a perfect model would show here |",
        "| verdict withheld as out of domain | 20 | |",
        "Grad-CAM on a grid of 15 x 15",
        "never flipped",
        "covered or\ntaken from other films",
        "Temperature 1.250" if kind in ("three", "findings") else "temperature 1.250",
    ):
        assert words in card, words
    assert ("pneumonia" in card.lower()) == (kind in ("kaggle", "findings"))
    assert "nan" not in card.lower().split()


@pytest.mark.parametrize(
    ("kind", "words"),
    [("kaggle", "pneumonia"), ("two", "opacity"), ("three", "any class"), ("findings", "any finding")],
)
def test_what_is_not_ruled_out_comes_from_the_labels(kind: str, words: str) -> None:
    assert f"rule {words} out, on other ages" in card_of(kind)


def test_two_classes_of_other_names_are_told_by_their_names() -> None:
    card = card_of("two")
    assert "one of three\nanswers: opacity, clear, indeterminate. clear means: signs of clear." in card
    assert "| accuracy at the threshold |" in card
    assert "Guangzhou" not in card


@pytest.mark.parametrize("kind", ["three", "findings"])
def test_each_class_and_finding_has_its_figures(kind: str) -> None:
    several = kind == "findings"
    names = NAMES[kind]
    card = card_of(kind)
    figures = measured(kind)
    header = "finding" if several else "class"
    columns = (
        f"| {header} | films | recall (sensitivity) | specificity | precision | F1 | AUC | 95 % interval of the AUC |"
    )
    assert columns in card
    for k, name in enumerate(names):
        own = figures["per_label"][name]
        low, high = own["ci95"]["auc"]
        row = next(line for line in card.splitlines() if line.startswith(f"| {name} | {own['n']} |"))
        assert f"| {100 * own['recall']:.1f} % | {100 * own['specificity']:.1f} % |" in row
        assert f"| {own['auc']:.3f} | {low:.3f} to {high:.3f} |" in row
        assert f"- {name}{f', from {0.25 + k / 100:.3f} on' if several else ''}: signs of {name}" in card
    mean = "mean over the findings" if several else "mean over the classes"
    assert f"| AUC, {mean} | {figures['auc']:.3f} |" in card
    assert f"| recall (sensitivity), {mean} | {100 * figures['recall']:.1f} % |" in card
    assert "A mean is over those in which the figure is defined." in card
    assert f"hold where {'a finding is there as often as not' if several else 'all classes are as frequent'}" in card
    assert "| indeterminate |" not in card


def test_three_classes_have_no_threshold_and_show_what_is_taken_for_what() -> None:
    card = card_of("three")
    assert "threshold" not in card
    assert "| accuracy of the likeliest class |" in card
    matrix = measured("three")["confusion_matrix"]
    assert "| label, and what was answered | COVID-19 | NORMAL | TUBERCULOSIS |" in card
    assert f"| NORMAL | {' | '.join(map(str, matrix[1]))} |" in card


def test_findings_have_accuracy_at_their_thresholds_as_a_mean() -> None:
    card = card_of("findings")
    assert "| accuracy at the thresholds, mean over the findings |" in card
    assert "each at a prevalence of 0.5" in card
    assert "accuracy of the likelier answer" not in card


@pytest.mark.parametrize("kind", NAMES)
def test_loss_and_weights_are_those_of_the_task(kind: str) -> None:
    card = card_of(kind)
    several = kind == "findings"
    assert ("sparse categorical cross-entropy with 0.05 of label smoothing, classes weighing alike" in card) != several
    assert (
        "sigmoid cross-entropy of every finding with 0.05 of label smoothing, films with a finding" in card
    ) == several
    assert ("4 % of the films shown without a chest, with a label drawn by lot" in card) != several
    assert ("the probe that erases the chest's centre is one\nthat was trained on" in card) != several
    assert "label smoothing" not in card_of(kind, label_smoothing=0.0)


def test_teacher_is_told() -> None:
    assert "30 % of the target from models that had not seen the film" in card_of("two", teacher_share=0.3)


def test_films_that_were_not_augmented_are_not_said_to_be() -> None:
    card = card_of("kaggle", augmented=False)
    assert "films not augmented" in card
    assert "flipped" not in card
    assert "squashed" not in card


@pytest.mark.parametrize(
    ("split", "words"), [("pooled", "follows from a hash of its name"), ("official", "The parts are the publisher's")]
)
def test_parts_are_told_as_they_were_made(split: Any, words: str) -> None:
    card = card_of("kaggle", split=split)
    assert words in card
    assert ("follows from a hash of its name" in card) == (split == "pooled")


def test_one_epoch_is_one() -> None:
    assert "\n1 epoch, Adam" in card_of("two", epochs=1)
    assert "\n1 epoch of the head, 2 of fine-tuning, Adam" in card_of(
        "two", model="mobilenetv2", epochs=1, fine_tuning_epochs=2
    )
    found = {"settings": {"epochs": 1, "model": "cnn"}, "parts": {}}
    assert "fitted anew (1 epoch)" in trials_section(found)


def test_notes_of_the_calibration_are_in_the_card() -> None:
    note = "Hernia: no film with it in the calibration part, so its probabilities are not calibrated"
    assert f"- {note}\n" in card_of("findings", fitted={"notes": [note]})


def test_run_without_hold_out_says_so() -> None:
    assert "The data set has no hold-out; none are given." in card_of("three", metrics=False)
