"""Answers as JSON and back, and batches that give what one image after the other gives."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cxr_core.classifier import Classifier
from cxr_core.pipeline import Pipeline
from cxr_core.prediction import ImageResult
from cxr_core.reading import Source
from cxr_core.result_json import from_json, to_json
from cxr_core.samples import sample_folder
from dicom_node.settings import AnalysisSettings
from dicom_node.work import analysis
from dicom_node.work.analysis import Analyst, core_settings
from tests.dicom_builder import build

SAMPLES = sorted(sample_folder().glob("*.dcm"))


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier()


def without_times(result: ImageResult) -> dict[str, Any]:
    """Everything that does not depend on the machine's mood."""
    return {key: value for key, value in json.loads(to_json(result)).items() if key != "milliseconds"}


def test_a_batch_answers_as_one_image_after_the_other(classifier: Classifier, tmp_path: Path) -> None:
    broken = tmp_path / "broken.dcm"
    broken.write_bytes(build(Rows=None))
    paths = [*SAMPLES, broken]
    pipeline = Pipeline(classifier)
    for path, answer in zip(paths, Analyst(classifier).answer(paths), strict=True):
        alone, _ = pipeline(Source(path.name, lambda path=path: path.read_bytes()))
        together, single = without_times(answer), without_times(alone)
        for found in (together, single):
            if found["prediction"] is not None:
                for name in ("maps", "embedding", "probabilities", "probability", "findings", "domain_score"):
                    found["prediction"].pop(name)
        assert together == single
        if alone.prediction is not None:
            assert answer.prediction is not None
            np.testing.assert_allclose(answer.prediction.maps, alone.prediction.maps, atol=1e-3)
            assert answer.prediction.probability == pytest.approx(alone.prediction.probability, abs=1e-4)


def test_an_answer_comes_back_bit_by_bit(classifier: Classifier) -> None:
    for answer in Analyst(classifier).answer(SAMPLES):
        text = to_json(answer)
        back = from_json(text)
        assert to_json(back) == text
        assert back.to_json() == answer.to_json()
        if answer.prediction is not None:
            assert back.prediction is not None
            assert np.array_equal(back.prediction.maps, answer.prediction.maps)
            assert back.prediction.maps.dtype == np.float32
            assert back.prediction.shown_label == answer.prediction.shown_label


def test_a_defect_fails_one_image_and_not_its_batch(classifier: Classifier, monkeypatch: pytest.MonkeyPatch) -> None:
    real = analysis.examine

    def broken(facts: Any, settings: Any) -> Any:
        if facts.view_position == "AP":
            raise KeyError("SYNTHETIC^NAME")
        return real(facts, settings)

    monkeypatch.setattr(analysis, "examine", broken)
    answers = Analyst(classifier).answer(SAMPLES)
    failed = [answer for answer in answers if answer.status == "failed"]
    assert [answer.path for answer in failed] == ["synthetic-2-child-opacity.dcm"]
    assert failed[0].reason is not None
    assert failed[0].reason.startswith("an error that was not expected (KeyError at ")
    assert "SYNTHETIC" not in failed[0].reason


def test_an_image_that_the_model_fails_on_fails_alone(classifier: Classifier, monkeypatch: pytest.MonkeyPatch) -> None:
    real = classifier.predict

    def predict(inputs: Any, ages: Any) -> Any:
        if 3.0 in ages:
            raise ValueError("not finite")
        return real(inputs, ages)

    monkeypatch.setattr(classifier, "predict", predict)
    statuses = [answer.status for answer in Analyst(classifier).answer(SAMPLES)]
    assert statuses == ["failed", "predicted", "predicted", "refused", "predicted"]


def test_settings_of_the_node_are_the_core_s() -> None:
    told = AnalysisSettings(population="warn", prevalence=0.2, relaxed_intake=("view",))
    settings = core_settings(told)
    assert (settings.population, settings.prevalence, settings.intake.relaxed) == ("warn", 0.2, frozenset({"view"}))
