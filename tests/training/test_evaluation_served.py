"""What is served for examples: every one counts, damaged and refused ones too, and labels are matched by name."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

import numpy as np
import pytest

from cxr_core.classifier import Classifier
from cxr_core.errors import BundleError
from cxr_core.pipeline import Pipeline
from tests.bundle_builder import answering, labels
from tests.dicom_builder import build, gradient
from tests.training.served_answers import FINDINGS, THREE, TWO, example_of, film, phantom_set, scheme_of
from training.evaluation.files import EvaluationError
from training.evaluation.metrics import measure
from training.evaluation.overlap import TRAINING_FILES, overlap
from training.evaluation.served import serve


def test_answers_are_those_of_the_pipeline_and_nothing_is_dropped() -> None:
    dataset = phantom_set(17, damaged=True)
    classifier = Classifier("cnn")
    told: list[tuple[int, int]] = []
    answers, beside = serve(
        classifier, dataset.scheme, dataset.examples, progress=lambda done, n: told.append((done, n))
    )
    assert beside is None
    assert told == [(32, 34), (34, 34)]
    pipeline = Pipeline(classifier)
    for i, example in enumerate(dataset.examples):
        result, _ = pipeline(example.source)
        if i in (16, 33):
            assert result.status == "failed"
            assert answers.failed[i] == f"{example.source.name}: {result.reason}"
            assert answers.called[i] != answers.targets[i]
            assert answers.called_argmax[i] != answers.targets[i]
            assert answers.probabilities[i].tolist() == [0.5, 0.5]
            continue
        prediction = result.prediction
        assert prediction is not None
        assert answers.failed[i] is None
        assert answers.probabilities[i] == pytest.approx(prediction.probabilities, abs=1e-5)
        assert TWO[answers.called[i]] == prediction.label
        assert answers.verdicts[i] == prediction.verdict
        assert answers.withheld[i] == prediction.verdict_withheld
        assert answers.in_domain[i] == prediction.in_domain
        assert answers.domain_scores[i] == pytest.approx(prediction.domain_score, abs=1e-4)


def test_a_picture_that_intake_refuses_is_answered_and_counted_beside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    classifier = answering(tmp_path / "cnn-1.0.0", monkeypatch, [0.0, 3.0])
    examples = [example_of(0, (1,), film(0, side=40)), example_of(1, (1,), film(1))]
    answers, _ = serve(classifier, scheme_of(TWO, positive="PNEUMONIA"), examples)
    assert "40 x 40" in str(answers.refused[0])
    assert answers.refused[1] is None
    assert answers.failed == (None, None)
    assert answers.called.tolist() == [1, 1]


@pytest.mark.parametrize("batch_fails", [False, True])
def test_ages_of_dicom_files_withhold_as_the_pipeline_does(
    batch_fails: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    classifier = answering(tmp_path / "cnn-1.0.0", monkeypatch, [0.0, 3.0])
    ages = ("051Y", "003Y", None)
    films = [build(gradient(240, 300), PatientAge=age) for age in ages]
    examples = [example_of(0, (0,), b"no image"), *(example_of(i, (1,), one) for i, one in enumerate(films, 1))]
    if batch_fails:
        real = Classifier.predict

        def predict(self: Classifier, inputs: np.ndarray, ages_years: list | None = None) -> list:
            if len(inputs) > 1:
                raise BundleError("no finite answer")
            return real(self, inputs, ages_years)

        monkeypatch.setattr(Classifier, "predict", predict)
    answers, _ = serve(classifier, scheme_of(TWO, positive="PNEUMONIA"), examples)
    expected = [Pipeline(classifier)(example.source)[0].prediction for example in examples[1:]]
    assert [answer.verdict_withheld for answer in expected] == ["population", None, None]
    assert answers.withheld == (None, "population", None, None)
    assert answers.verdicts == (None, None, "PNEUMONIA", "PNEUMONIA")
    assert answers.called[1:].tolist() == [1, 1, 1]
    assert measure(answers, resamples=5)["withheld"]["population"] == 1


def test_maps_of_all_films_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = phantom_set(20)
    made: list[weakref.ref] = []
    alive: list[int] = []
    real = Classifier.outputs

    def outputs(self: Classifier, inputs: np.ndarray) -> object:
        found = real(self, inputs)
        made.append(weakref.ref(found.maps))
        return found

    def count(done: int, total: int) -> None:
        gc.collect()
        alive.append(sum(ref() is not None for ref in made))

    monkeypatch.setattr(Classifier, "outputs", outputs)
    serve(Classifier("cnn"), dataset.scheme, dataset.examples, progress=count)
    assert len(made) >= 2
    assert alive[-1] <= 1, "maps of an earlier batch are still there"


def test_labels_are_matched_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    classifier = answering(tmp_path / "cnn-1.0.0", monkeypatch, [0.0, 3.0])
    reversed_order = scheme_of(TWO[::-1], positive="PNEUMONIA")
    answers, _ = serve(classifier, reversed_order, [example_of(0, (0,), film(0)), example_of(1, (1,), film(1))])
    assert answers.targets.tolist() == [1, 0]
    assert answers.right.tolist() == [1, 0]


def test_findings_are_matched_by_name_and_need_not_all_be_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = {
        "task": "multi_label",
        "labels": labels("Mass", "Effusion"),
        "positive": None,
        "indeterminate": None,
        "thresholds": {"Mass": 0.3, "Effusion": 0.9},
    }
    classifier = answering(tmp_path / "cnn-1.0.0", monkeypatch, [0.0, 2.0], **changes)
    answers, _ = serve(classifier, scheme_of(FINDINGS, "multi_label"), [example_of(0, (1, 0, 1), film(0))])
    assert answers.targets.tolist() == [[0, 1]]
    assert answers.called.tolist() == [[1, 0]]  # 0.5 over 0.3, 0.88 under 0.9
    assert answers.called_argmax.tolist() == [[1, 1]]
    assert answers.thresholds == {"Mass": 0.3, "Effusion": 0.9}


@pytest.mark.parametrize(
    "scheme", [scheme_of(THREE), scheme_of(TWO, "multi_label"), scheme_of(("NORMAL", "TUBERCULOSIS"))]
)
def test_data_with_other_labels_are_refused(scheme: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    classifier = answering(tmp_path / "cnn-1.0.0", monkeypatch, [0.0, 3.0])
    with pytest.raises(EvaluationError, match="NORMAL, PNEUMONIA; name data with these labels"):
        serve(classifier, scheme, [example_of(0, (0, 0), film(0))])


def test_no_image_is_one_line() -> None:
    with pytest.raises(EvaluationError, match="no image to evaluate"):
        serve(Classifier("cnn"), scheme_of(TWO, positive="PNEUMONIA"), [])


def test_one_answer_that_is_not_finite_does_not_take_the_batch_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = phantom_set(3)
    classifier = Classifier("cnn")
    whole, _ = serve(classifier, dataset.scheme, dataset.examples)
    bad = np.array(classifier.outputs(np.zeros((1, 150, 150, 3), np.float32)).logits)
    seen: list[int] = []
    real = Classifier.predict

    def predict(self: Classifier, inputs: np.ndarray, ages_years: object = None) -> list:
        seen.append(len(inputs))
        if len(inputs) > 1 or len(seen) == 4:  # the batch, and the third image alone
            raise BundleError(f"no finite answer {bad.shape}")
        return real(self, inputs, ages_years)

    monkeypatch.setattr(Classifier, "predict", predict)
    answers, _ = serve(classifier, dataset.scheme, dataset.examples)
    assert seen == [6, 1, 1, 1, 1, 1, 1]
    assert [reason is not None for reason in answers.failed] == [False, False, True, False, False, False]
    assert str(answers.failed[2]).startswith("film2.jpeg: no finite answer")
    kept = [0, 1, 3, 4, 5]
    np.testing.assert_allclose(answers.probabilities[kept], whole.probabilities[kept], atol=1e-5)


def test_overlap_names_the_files_and_is_none_without_a_list(tmp_path: Path) -> None:
    examples = [example_of(i, (0,)) for i in range(30)]
    assert overlap(tmp_path, examples) is None
    (tmp_path / TRAINING_FILES).write_text("".join(f"{e.sha256}\n" for e in examples[5:]) + "0" * 64 + "\n")
    found = overlap(tmp_path, examples)
    assert found == {"training_files": 25, "names": [f"film{i}.jpeg" for i in range(5, 25)]}
    (tmp_path / TRAINING_FILES).write_text("")
    assert overlap(tmp_path, examples) == {"training_files": 0, "names": []}
    (tmp_path / TRAINING_FILES).write_text("0" * 64 + "\nnonsense\n")
    with pytest.raises(BundleError, match="entry 2 is no digest; expected one SHA-256 a line"):
        overlap(tmp_path, examples)
