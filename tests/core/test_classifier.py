"""The classifier: what a bundle's outputs become, batches, threads, and the rules that withhold a verdict."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cxr_core.classifier import Classifier
from cxr_core.errors import BundleError, SettingsError
from cxr_core.phantom import PhantomSettings, display_values
from cxr_core.pipeline import Pipeline
from cxr_core.prediction import INDETERMINATE, Prediction
from cxr_core.preprocess import to_input
from cxr_core.reading import Source
from cxr_core.settings import Settings
from tests.bundle_builder import answering, copy_bundle, labels
from tests.dicom_builder import build

CHILD, ADULT = 3.0, 51.0


@functools.cache
def one_input(seed: int) -> np.ndarray:
    film = display_values(PhantomSettings(rows=300, columns=320, seed=seed, opacity=seed % 2))
    return to_input(film, "zero_to_one")


def inputs(*seeds: int) -> np.ndarray:
    return np.stack([one_input(seed) for seed in seeds])


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier()


def logit(probability: float) -> float:
    return float(np.log(probability / (1 - probability)))


def two_class(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    probability: float,
    settings: Settings | None = None,
    age: float | None = CHILD,
    **options: Any,
) -> Prediction:
    """The answer of a NORMAL/PNEUMONIA bundle with threshold 0.6 and the band [0.3, 0.6)."""
    options = {"thresholds": {"PNEUMONIA": 0.6}, "indeterminate": [0.3, 0.6]} | options
    fake = answering(folder, monkeypatch, [0.0, logit(probability)], settings, **options)
    return fake.predict(inputs(1), [age])[0]


def test_batch_equals_single_runs(classifier: Classifier) -> None:
    batch = inputs(1, 2, 3, 4, 5)
    together = classifier.predict(batch, [CHILD] * 5)
    for i, answer in enumerate(together):
        alone = classifier.predict(batch[i : i + 1], [CHILD])[0]
        assert answer.probabilities == pytest.approx(alone.probabilities, abs=1e-5)
        np.testing.assert_allclose(answer.maps, alone.maps, rtol=1e-3, atol=1e-5)
        np.testing.assert_allclose(answer.embedding, alone.embedding, rtol=1e-3, atol=1e-4)
        assert answer.domain_score == pytest.approx(alone.domain_score, abs=1e-4)
        assert answer.verdict == alone.verdict


def test_runs_of_other_sizes_leave_nothing_behind(classifier: Classifier) -> None:
    film = inputs(1)
    before = classifier.predict(film)[0]
    kept = before.maps.copy(), before.embedding.copy()
    classifier.predict(inputs(2, 3, 4))
    after = classifier.predict(film)[0]
    assert after.probabilities == before.probabilities
    np.testing.assert_array_equal(kept[0], before.maps, "an earlier answer was written over")
    np.testing.assert_array_equal(kept[1], before.embedding, "an earlier answer was written over")


def test_empty_batch_gives_no_answers(classifier: Classifier) -> None:
    assert classifier.predict(np.zeros((0, 150, 150, 3), np.float32)) == []


@pytest.mark.parametrize("shape", [(150, 150, 3), (1, 224, 224, 3), (1, 150, 150, 1), (1, 3, 150, 150)])
def test_wrong_shape_is_told(classifier: Classifier, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"expected \(n, 150, 150, 3\)"):
        classifier.predict(np.zeros(shape, np.float32))


def test_as_many_ages_as_images(classifier: Classifier) -> None:
    with pytest.raises(ValueError, match="argument"):
        classifier.predict(inputs(1, 2), [CHILD])


def test_shapes_and_types_of_an_answer(classifier: Classifier) -> None:
    answer = classifier.predict(inputs(1), [CHILD])[0]
    assert answer.labels == ("NORMAL", "PNEUMONIA")
    assert answer.maps.shape == (2, *classifier.bundle.manifest.map_grid)
    assert answer.maps.dtype == np.float32
    assert answer.maps.min() >= 0
    assert answer.embedding.ndim == 1
    assert sum(answer.probabilities) == pytest.approx(1)
    assert answer.probability == answer.probabilities[1]


def test_scaling_of_the_bundle_reaches_the_domain_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zero = answering(tmp_path / "zero", monkeypatch, [0, 0])
    minus = answering(tmp_path / "minus", monkeypatch, [0, 0], input_scaling="minus_one_to_one")
    film = inputs(1)
    expected = zero.domain(film[0]).score
    assert minus.domain(film[0] * 2 - 1).score == pytest.approx(expected, rel=1e-3)


def test_temperature_divides_the_logits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = answering(tmp_path / "b", monkeypatch, [0.0, 2.0])
    sharp = fake.probabilities(np.array([[0.0, 2.0]], np.float32))[0, 1]
    assert sharp == pytest.approx(1 / (1 + np.exp(-2)))
    monkeypatch.undo()
    soft = Classifier(str(copy_bundle(tmp_path / "soft", temperature=2.0)))
    assert soft.probabilities(np.array([[0.0, 2.0]], np.float32))[0, 1] == pytest.approx(1 / (1 + np.exp(-1)))


@pytest.mark.parametrize(
    ("probability", "label", "verdict"),
    [
        (0.1, "NORMAL", "NORMAL"),
        (0.299, "NORMAL", "NORMAL"),
        (0.301, "NORMAL", INDETERMINATE),
        (0.599, "NORMAL", INDETERMINATE),
        (0.601, "PNEUMONIA", "PNEUMONIA"),
        (0.9, "PNEUMONIA", "PNEUMONIA"),
    ],
)
def test_two_classes(
    probability: float, label: str, verdict: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = two_class(tmp_path / "b", monkeypatch, probability)
    assert answer.probability == pytest.approx(probability, abs=1e-6)
    assert (answer.label, answer.verdict, answer.verdict_withheld) == (label, verdict, None)
    (finding,) = answer.findings
    assert (finding.label, finding.threshold, finding.positive) == ("PNEUMONIA", 0.6, label == "PNEUMONIA")
    assert finding.probability == answer.probability


@pytest.mark.parametrize("site", [0.02, 0.5, 0.7, 0.98])
@pytest.mark.parametrize("own", [0.3, 0.7])
@pytest.mark.parametrize("probability", [0.0001, 0.2, 0.299, 0.301, 0.599, 0.601, 0.97, 0.9999])
def test_prevalence_of_the_site_moves_scores_and_no_decision(
    probability: float, own: float, site: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = two_class(tmp_path / "own", monkeypatch, probability, prevalence=own)
    after = two_class(tmp_path / "site", monkeypatch, probability, Settings(prevalence=site), prevalence=own)

    def logit(share: float | None) -> float:
        assert share is not None
        return float(np.log(share / (1 - share)))

    shift = logit(site) - logit(own)
    assert logit(after.probability) == pytest.approx(logit(before.probability) + shift)
    assert logit(after.findings[0].threshold) == pytest.approx(logit(before.findings[0].threshold) + shift)
    assert after.findings[0].probability == after.probability == after.probabilities[1]
    assert sum(after.probabilities) == pytest.approx(1)
    assert (after.label, after.verdict, after.findings[0].positive) == (
        before.label,
        before.verdict,
        before.findings[0].positive,
    )
    assert (before.prevalence, after.prevalence) == (own, site)


def test_prevalence_at_the_edges(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sure = answering(tmp_path / "b", monkeypatch, [0.0, 500.0], Settings(prevalence=1e-9))
    assert sure.predict(inputs(1), [CHILD])[0].probability == pytest.approx(1)
    for share in (0, 1, -0.1, 30, float("nan")):
        with pytest.raises(SettingsError, match="expected a share between 0 and 1"):
            Settings(prevalence=share)


@pytest.mark.parametrize("task", ["single_label", "multi_label"])
def test_prevalence_is_of_two_class_bundles(task: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = {
        "labels": labels("A", "B", "C"),
        "positive": None,
        "indeterminate": None,
        "task": task,
        "thresholds": {"A": 0.5, "B": 0.5, "C": 0.5},
    }
    plain = answering(tmp_path / "b", monkeypatch, [0.0, 1.0, 2.0], **options)
    assert plain.predict(inputs(1), [CHILD])[0].prevalence is None
    with pytest.raises(SettingsError, match=r"a prevalence for model cnn .*; expected a two-class model"):
        answering(tmp_path / "c", monkeypatch, [0.0, 1.0, 2.0], Settings(prevalence=0.1), **options)


def test_edges_of_the_band_and_the_threshold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Equal logits give exactly 0.5: the lower edge belongs to the band, the upper edge and the threshold do not.
    def answer(name: str, band: list[float], threshold: float) -> Prediction:
        options = {"indeterminate": band, "thresholds": {"PNEUMONIA": threshold}}
        return two_class(tmp_path / name, monkeypatch, 0.5, **options)

    assert answer("low", [0.5, 0.7], 0.7).verdict == INDETERMINATE
    assert answer("high", [0.2, 0.5], 0.5).verdict == "PNEUMONIA"
    below = answer("above", [0.2, 0.4], np.nextafter(0.5, 1))
    assert (below.label, below.verdict) == ("NORMAL", "NORMAL")


def test_no_band(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert two_class(tmp_path / "b", monkeypatch, 0.59, indeterminate=None).verdict == "NORMAL"


def test_several_classes_take_the_largest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options: dict[str, Any] = {
        "labels": labels("NORMAL", "PNEUMONIA", "TUBERCULOSIS"),
        "positive": None,
        "thresholds": {},
        "indeterminate": None,
    }
    answer = answering(tmp_path / "b", monkeypatch, [0.1, 0.2, 0.7], **options).predict(inputs(1), [CHILD])[0]
    assert (answer.label, answer.verdict) == ("TUBERCULOSIS", "TUBERCULOSIS")
    assert answer.probability == max(answer.probabilities)
    assert sum(answer.probabilities) == pytest.approx(1)
    assert [(f.label, f.threshold, f.positive) for f in answer.findings] == [
        ("NORMAL", None, False),
        ("PNEUMONIA", None, False),
        ("TUBERCULOSIS", None, True),
    ]
    assert answer.shown_label == "TUBERCULOSIS"


def test_several_findings_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options: dict[str, Any] = {
        "task": "multi_label",
        "labels": labels("EFFUSION", "NODULE", "MASS"),
        "positive": None,
        "thresholds": {"EFFUSION": 0.5, "NODULE": 0.2, "MASS": 0.9},
        "indeterminate": None,
    }
    given = [logit(0.7), logit(0.3), logit(0.8)]
    answer = answering(tmp_path / "b", monkeypatch, given, **options).predict(inputs(1), [CHILD])[0]
    assert (answer.label, answer.verdict, answer.verdict_withheld) == (None, None, None)
    assert answer.probabilities == pytest.approx((0.7, 0.3, 0.8), abs=1e-6)
    assert [f.positive for f in answer.findings] == [True, True, False]
    assert [f.threshold for f in answer.findings] == [0.5, 0.2, 0.9]
    assert answer.probability == pytest.approx(0.8, abs=1e-6)


@pytest.mark.parametrize(
    ("age", "state"),
    [(0.999, "outside"), (1.0, "inside"), (5.999, "inside"), (6.0, "outside"), (51.0, "outside"), (None, "unknown")],
)
def test_population(age: float | None, state: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = two_class(tmp_path / "b", monkeypatch, 0.9, age=age)
    assert answer.population == state
    assert answer.label == "PNEUMONIA"
    assert answer.verdict == (None if state == "outside" else "PNEUMONIA")
    assert answer.verdict_withheld == ("population" if state == "outside" else None)
    assert any("not validated for this patient" in w for w in answer.warnings) == (state == "outside")


def test_population_set_to_warn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = two_class(tmp_path / "b", monkeypatch, 0.9, Settings(population="warn"), age=ADULT)
    assert (answer.verdict, answer.verdict_withheld, answer.population) == ("PNEUMONIA", None, "outside")
    assert any("not validated for this patient" in warning for warning in answer.warnings)


@pytest.mark.parametrize("population", ["withhold", "warn"])
@pytest.mark.parametrize("age", [CHILD, ADULT, None])
def test_domain_wins_over_population(
    age: float | None, population: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(population=population)
    answer = two_class(tmp_path / "b", monkeypatch, 0.9, settings, age=age, in_domain=False)
    assert (answer.verdict, answer.verdict_withheld) == (None, "out_of_domain")
    assert not answer.in_domain
    assert answer.domain_score > 1
    assert answer.domain_reason
    assert answer.label == "PNEUMONIA", "the score stays available"
    assert any("out of domain" in warning for warning in answer.warnings)
    assert any("not validated" in warning for warning in answer.warnings) == (age == ADULT)


def test_withheld_wins_over_indeterminate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = two_class(tmp_path / "b", monkeypatch, 0.5, age=ADULT)
    assert (answer.verdict, answer.verdict_withheld) == (None, "population")


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), float("-inf")])
def test_graph_without_finite_answer_fails_the_image(
    wrong: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = answering(tmp_path / "b", monkeypatch, [0.0, 0.0])
    monkeypatch.setattr(fake, "_graph", _giving(fake, wrong))
    with pytest.raises(BundleError, match="no finite"):
        fake.predict(inputs(1))
    result, _ = Pipeline(fake)(Source("typed.dcm", build))
    assert result.status == "failed"
    assert result.reason is not None
    assert "no finite" in result.reason
    json.dumps(result.to_json(), allow_nan=False)


def _giving(fake: Classifier, value: float) -> Any:
    graph = fake._graph

    def run(batch: np.ndarray) -> Any:
        outputs = graph(batch)
        outputs.logits[0, 1] = value
        return outputs

    return run


def test_inputs_that_are_not_finite_are_told(classifier: Classifier) -> None:
    film = inputs(1)
    film[0, 75, 75] = np.nan
    with pytest.raises(ValueError, match="finite"):
        classifier.predict(film)


@pytest.mark.parametrize("logits", [[-1e4, 1e4], [1e4, -1e4], [3e38, -3e38]])
def test_extreme_logits_stay_probabilities(
    logits: list[float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for task in ("single_label", "multi_label"):
        options: dict[str, Any] = {"task": task}
        if task == "multi_label":
            options |= {"positive": None, "thresholds": {"NORMAL": 0.5, "PNEUMONIA": 0.5}, "indeterminate": None}
        answer = answering(tmp_path / task, monkeypatch, logits, **options).predict(inputs(1), [CHILD])[0]
        assert answer.probabilities == pytest.approx([float(value > 0) for value in logits])


CHILD_PROCESS = """
import os, sys
import numpy, cv2  # their own pools start with the import, not with us
from cxr_core.classifier import Classifier
from cxr_core.pipeline import Pipeline
from cxr_core.reading import find_sources
from cxr_core.settings import Settings
before = len(os.listdir("/proc/self/task"))
pipeline = Pipeline(Classifier(settings=Settings(threads=int(sys.argv[1]))))
for source in list(find_sources(sys.argv[2])) * 2:
    assert pipeline(source)[0].status != "failed"
pipeline.classifier.predict(numpy.zeros((8, 150, 150, 3), numpy.float32))
print(len(os.listdir("/proc/self/task")) - before)
"""


@pytest.mark.parametrize(("threads", "most"), [(1, 0), (2, 1)])
def test_threads_are_those_that_were_asked_for(threads: int, most: int) -> None:
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", CHILD_PROCESS, str(threads), str(root / "resources" / "samples")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=root)
    assert int(done.stdout) <= most
