"""Figures agree with scikit-learn, under weights too; a file that failed never flatters; one class does not crash."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn import metrics as sk
from sklearn.linear_model import LogisticRegression

from tests.training.served_answers import FINDINGS, THREE, TWO, answers_of
from training.evaluation.binary_figures import PREVALENCES_PERCENT, predictive_values
from training.evaluation.bootstrap import PatientBootstrap
from training.evaluation.calibration_figures import (
    calibration_in_the_large,
    expected_calibration_error,
    recalibration,
    simulated_errors,
)
from training.evaluation.metrics import FIGURES, classes_of, measure, point_and_resampled, problems_of

KINDS = {
    "two": {"names": TWO, "positive": "PNEUMONIA"},
    "three": {"names": THREE},
    "multi": {"names": FINDINGS, "multi": True},
}


def some_weights(n: int, rows: int = 5) -> np.ndarray:
    return np.random.default_rng(2).integers(0, 4, (rows, n)).astype(np.float64)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("failed", [(), (0, 5)])
def test_weights_of_one_give_the_plain_figures(kind: str, failed: tuple[int, ...]) -> None:
    point, resampled = point_and_resampled(answers_of(120, **KINDS[kind], failed=failed))
    under_ones = resampled(np.ones((1, 120)))
    assert set(under_ones) == set(point)
    for key, value in point.items():
        assert under_ones[key][0] == pytest.approx(value, rel=1e-6, abs=1e-9, nan_ok=True), key


def test_two_class_figures_under_weights_are_those_of_scikit_learn() -> None:
    answers = answers_of(150, **KINDS["two"])
    problem = problems_of(answers)[""]
    y, p, called = problem.truth, problem.probability, problem.called
    assert len(np.unique(p)) < 12, "there must be ties"
    weights = some_weights(150)
    got = problem.resampled()(weights)
    for i, w in enumerate(weights):
        given = {"sample_weight": w}
        expected = {
            "accuracy": sk.accuracy_score(y, called, **given),
            "accuracy_argmax": sk.accuracy_score(y, problem.called_argmax, **given),
            "loss": sk.log_loss(y, p, **given),
            "precision": sk.precision_score(y, called, **given),
            "recall": sk.recall_score(y, called, **given),
            "specificity": sk.recall_score(y, called, pos_label=0, **given),
            "f1": sk.f1_score(y, called, **given),
            "auc": sk.roc_auc_score(y, p, **given),
            "average_precision": sk.average_precision_score(y, p, **given),
            "brier": sk.brier_score_loss(y, p, **given),
        }
        for name, value in expected.items():
            assert got[name][i] == pytest.approx(value, abs=1e-9), name
        repeated = np.repeat(np.arange(150), w.astype(int))
        assert got["ece"][i] == pytest.approx(expected_calibration_error(y[repeated], p[repeated]))


def test_figures_of_three_classes_under_weights_are_those_of_scikit_learn() -> None:
    problem = classes_of(answers_of(150, THREE))
    y, p, called = problem.truth, problem.probabilities, problem.called
    weights = some_weights(150)
    got = problem.resampled()(weights)
    for i, w in enumerate(weights):
        given = {"sample_weight": w}
        expected = {
            "accuracy": sk.accuracy_score(y, called, **given),
            "loss": sk.log_loss(y, p, **given),
            "precision": sk.precision_score(y, called, average="macro", **given),
            "recall": sk.recall_score(y, called, average="macro", **given),
            "f1": sk.f1_score(y, called, average="macro", **given),
            "auc": sk.roc_auc_score(y, p, multi_class="ovr", **given),
            "brier": sk.brier_score_loss(y, p, **given),
        }
        for name, value in expected.items():
            assert got["", name][i] == pytest.approx(value, abs=1e-9), name


def test_recalibration_is_the_logistic_regression_of_the_logit() -> None:
    rng = np.random.default_rng(4)
    x = rng.normal(0, 2, 300)
    y = (rng.random(300) < 1 / (1 + np.exp(-(0.7 * x - 0.4)))).astype(float)
    weights = some_weights(300, 3)
    intercept, slope = recalibration(y, x, weights)
    for i, w in enumerate(weights):
        fitted = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(x[:, None], y, sample_weight=w)
        assert (intercept[i], slope[i]) == pytest.approx((fitted.intercept_[0], fitted.coef_[0, 0]), abs=1e-4)
    (shift,) = calibration_in_the_large(y, x, weights[:1])
    assert (weights[0] / (1 + np.exp(-(x + shift)))).sum() == pytest.approx((weights[0] * y).sum())


def test_slope_of_separated_or_single_classes_is_not_defined() -> None:
    x = np.array([-2.0, -1, 1, 2])
    for y in (np.array([0.0, 0, 1, 1]), np.ones(4)):
        assert np.isnan(recalibration(y, x, np.ones((1, 4)))[1]).all()


def test_calibration_error_by_hand_and_its_null() -> None:
    p = np.array([0.01, 0.02, 0.5, 0.51, 0.99, 1.0])
    y = np.array([0, 1, 1, 1, 1, 1])
    assert expected_calibration_error(y, p) == pytest.approx((abs(1 - 0.03) + (2 - 1.01) + (2 - 1.99)) / 6)
    stated = np.random.default_rng(5).random(400)
    null = simulated_errors(stated)
    assert null.shape == (2000,)
    right = (np.random.default_rng(6).random(400) < stated).astype(int)
    assert expected_calibration_error(right, stated) < np.quantile(null, 0.999)
    assert expected_calibration_error(right, np.clip(stated + 0.2, 0, 1)) > null.max()
    one = simulated_errors(np.array([0.25]), 4000)
    assert set(np.round(one, 9)) == {0.25, 0.75}
    assert one.mean() == pytest.approx(0.375, abs=0.02)  # 3/4 of the labels are 0


def test_predictive_values_are_bayes_rule() -> None:
    values = predictive_values(0.9, 0.8)
    assert PREVALENCES_PERCENT == (5, 10, 30)
    assert values["ppv_at_10"] == pytest.approx(0.09 / (0.09 + 0.18))
    assert values["npv_at_10"] == pytest.approx(0.72 / (0.72 + 0.01))


@pytest.mark.parametrize("kind", KINDS)
def test_a_failed_file_never_makes_a_figure_better(kind: str) -> None:
    whole = point_and_resampled(answers_of(60, **KINDS[kind]))[0]
    for lost in range(60):
        figures = point_and_resampled(answers_of(60, **KINDS[kind], failed=(lost,)))[0]
        for name in ("accuracy", "accuracy_argmax", "auc", "average_precision"):
            assert figures["", name] <= whole["", name] + 1e-12, (lost, name)


def test_failed_file_counts_at_equal_probabilities() -> None:
    answers = answers_of(1, positive="PNEUMONIA", targets=np.array([1]), failed=(0,))
    result = measure(answers, resamples=2)
    assert (result["accuracy"], result["loss"]) == (0, pytest.approx(np.log(2)))
    assert result["confusion_matrix"] == [[0, 0], [1, 0]]
    assert (result["failed"], result["failed_files"]) == (1, ["film0.jpeg: damaged"])
    assert result["ece"] is None


@pytest.mark.parametrize("only", [0, 1])
@pytest.mark.parametrize("kind", ["two", "three"])
def test_one_class_alone_leaves_figures_undefined(kind: str, only: int) -> None:
    result = measure(answers_of(30, **KINDS[kind], targets=np.full(30, only)), resamples=20)
    json.dumps(result, allow_nan=False)
    assert result["auc"] is None
    assert result["average_precision"] is None
    assert result["ci95"]["auc"] is None
    assert 0 <= result["accuracy"] <= 1
    if kind == "two":
        assert result["recall" if only == 0 else "specificity"] is None
        assert result["calibration_slope"] is None


@pytest.mark.parametrize("names", [TWO, TWO[::-1]])
def test_contract_of_two_classes_whatever_the_order_of_labels(names: tuple[str, str]) -> None:
    answers = answers_of(200, names, positive="PNEUMONIA")
    result = measure(answers, resamples=50)
    assert {*FIGURES, "n", "confusion_matrix", "withheld", "ci95"} <= set(result)
    at = names.index("PNEUMONIA")
    y, called = answers.targets == at, answers.called == at
    assert result["confusion_matrix"] == [
        [int((~y & ~called).sum()), int((~y & called).sum())],
        [int((y & ~called).sum()), int((y & called).sum())],
    ]
    assert result["recall"] == pytest.approx((y & called).sum() / y.sum())
    assert result["auc"] == pytest.approx(sk.roc_auc_score(y, answers.probabilities[:, at]))
    assert result["loss"] == pytest.approx(sk.log_loss(answers.targets, answers.probabilities))
    assert result["accuracy_argmax"] == pytest.approx((answers.probabilities.argmax(1) == answers.targets).mean())
    for name in FIGURES:
        low, high = result["ci95"][name]
        assert low <= result[name] <= high, name


def test_multi_label_figures_are_means_over_findings() -> None:
    answers = answers_of(300, FINDINGS, multi=True)
    result = measure(answers, resamples=20)
    areas = [sk.roc_auc_score(answers.targets[:, k], answers.probabilities[:, k]) for k in range(3)]
    assert [result["per_label"][name]["auc"] for name in FINDINGS] == pytest.approx(areas)
    assert result["auc"] == pytest.approx(np.mean(areas))
    assert result["f1"] == pytest.approx(sk.f1_score(answers.targets, answers.called, average="macro"))
    assert result["confusion_matrix"] == sk.multilabel_confusion_matrix(answers.targets, answers.called).tolist()


def test_withheld_and_indeterminate_count_beside_and_are_not_dropped() -> None:
    answers = answers_of(100, positive="PNEUMONIA", failed=(50,))
    result = measure(answers, resamples=20)
    assert result["n"] == 100
    assert result["withheld"] == {"out_of_domain": 10, "population": 0, "total": 10, "share": 0.1}
    assert (result["indeterminate"], result["failed"], result["verdicts_given"]) == (10, 1, 79)
    given = [i for i in range(100) if i % 10 not in (3, 7) and i != 50]
    right = answers.called == answers.targets
    assert result["accuracy_of_given"] == pytest.approx(right[given].mean())
    assert result["accuracy"] == pytest.approx(right.mean())


def test_strata_rank_against_the_other_class() -> None:
    from dataclasses import replace

    answers = answers_of(200, positive="PNEUMONIA")
    kinds = np.where(answers.targets == 0, "", np.where(np.arange(200) % 3 == 0, "virus", "bacteria"))
    examples = tuple(replace(e, stratum=str(k)) for e, k in zip(answers.examples, kinds, strict=True))
    strata = measure(replace(answers, examples=examples), resamples=20)["strata"]
    assert set(strata) == {"NORMAL", "virus", "bacteria"}
    chosen = (answers.targets == 0) | (kinds == "virus")
    expected = sk.roc_auc_score(answers.targets[chosen], answers.probabilities[chosen, 1])
    assert strata["virus"]["auc"] == pytest.approx(expected)
    right = answers.called == answers.targets
    assert strata["bacteria"]["accuracy"] == pytest.approx(right[kinds == "bacteria"].mean())
    assert sum(stratum["n"] for stratum in strata.values()) == 200


def test_resamples_draw_patients_whole_and_are_repeatable() -> None:
    patients = [f"p{i // 3}" for i in range(30)]
    weights = np.concatenate(list(PatientBootstrap(patients, 500, seed=3).weights()))
    again = np.concatenate(list(PatientBootstrap(patients, 500, seed=3).weights()))
    assert weights.shape == (500, 30)
    assert np.array_equal(weights, again)
    assert (weights.reshape(500, 10, 3).std(axis=2) == 0).all()
    assert (weights.sum(axis=1) == 30).all()
    assert weights.mean(axis=0) == pytest.approx(np.ones(30), abs=0.2)


def test_resamples_come_in_pieces_of_the_same_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    patients = [str(i) for i in range(40)]
    whole = np.concatenate(list(PatientBootstrap(patients, 100).weights()))
    monkeypatch.setattr("training.evaluation.bootstrap._CHUNK_WEIGHTS", 40 * 7)
    pieces = list(PatientBootstrap(patients, 100).weights())
    assert len(pieces) == 15
    assert np.array_equal(np.concatenate(pieces), whole)


def test_interval_grows_when_films_of_a_patient_are_alike() -> None:
    answer = np.random.default_rng(1).integers(0, 2, 100).astype(float)
    alike = np.repeat(answer, 4)

    def width(patients: list[str]) -> float:
        bootstrap = PatientBootstrap(patients)
        figures = bootstrap.intervals(lambda w: {("", "accuracy"): w @ alike / w.sum(axis=1)}, {})
        low, high = figures["", "accuracy"] or (0, 0)
        return high - low

    by_patient, by_film = width([str(i // 4) for i in range(400)]), width([str(i) for i in range(400)])
    assert by_patient == pytest.approx(2 * by_film, rel=0.15)
    assert by_patient == pytest.approx(2 * 1.96 * answer.std() / 10, rel=0.1)


def test_one_patient_gives_no_interval() -> None:
    bootstrap = PatientBootstrap(["a", "a"], 10)
    assert bootstrap.intervals(lambda w: {("", "n"): w.sum(axis=1)}, {}) == {("", "n"): None}
