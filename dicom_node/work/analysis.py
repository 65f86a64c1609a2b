"""A micro-batch of stored images through the core: each read and prepared, all answered by the model at once."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from cxr_core.classifier import Classifier
from cxr_core.errors import CxrError
from cxr_core.intake import examine
from cxr_core.pipeline import enough_memory
from cxr_core.prediction import ImageResult, Milliseconds, Prediction
from cxr_core.preprocess import model_input
from cxr_core.reading import read_image
from cxr_core.settings import IntakeSettings, Settings
from dicom_node import logs
from dicom_node.settings import AnalysisSettings

log = logs.get(__name__)

FloatArray = npt.NDArray[np.float32]


def core_settings(analysis: AnalysisSettings) -> Settings:
    """The core's settings as the node's say. Raises SettingsError for an intake rule that there is not."""
    return Settings(
        intake=IntakeSettings(frozenset(analysis.relaxed_intake)),
        population=analysis.population,
        prevalence=analysis.prevalence,
    )


@dataclass(slots=True)
class _Prepared:
    """One image on its way: its result so far, or the model's input."""

    name: str
    age_years: float | None = None
    inputs: FloatArray | None = None
    warnings: tuple[str, ...] = ()
    refusal: str | None = None
    failure: str | None = None
    sop_instance_uid: str | None = None
    read_ms: float | None = None
    prepare_ms: float | None = None
    infer_ms: float | None = None

    def result(self, prediction: Prediction | None) -> ImageResult:
        """What became of it."""
        times = Milliseconds(self.read_ms, self.prepare_ms, self.infer_ms)
        if self.failure is not None:
            return ImageResult(self.name, "failed", self.failure, self.sop_instance_uid, self.warnings, None, times)
        if prediction is None:
            return ImageResult(self.name, "refused", self.refusal, self.sop_instance_uid, self.warnings, None, times)
        warnings = (*self.warnings, *prediction.warnings)
        return ImageResult(self.name, "predicted", None, self.sop_instance_uid, warnings, prediction, times)


class Analyst:
    """Answers batches. Not thread-safe.

    Parameters
    ----------
    classifier : Classifier
        The model, with the core's settings.
    """

    def __init__(self, classifier: Classifier) -> None:
        self.classifier = classifier
        cv2.setNumThreads(1)  # as the core's own pipeline does

    def answer(self, paths: Sequence[Path]) -> list[ImageResult]:
        """The result of each image, in order; named by the file's name. Raises nothing for any content."""
        batch = [self._prepared(path) for path in paths]
        ready = [prepared for prepared in batch if prepared.inputs is not None]
        predictions = self._predicted(ready)
        return [prepared.result(predictions.get(id(prepared))) for prepared in batch]

    def _prepared(self, path: Path) -> _Prepared:
        prepared = _Prepared(path.name)
        settings = self.classifier.settings
        try:
            with enough_memory():
                started = time.perf_counter()
                image = read_image(path, settings.limits)
                prepared.age_years = image.facts.age_years
                prepared.sop_instance_uid = image.facts.sop_instance_uid
                prepared.read_ms = 1000 * (time.perf_counter() - started)
                intake = examine(image.facts, settings.intake)
                prepared.warnings = (*image.notes, *intake.warnings)
                prepared.refusal = intake.refusal
                if intake.refusal is None:
                    started = time.perf_counter()
                    prepared.inputs = model_input(image, self.classifier.bundle.manifest.input_scaling)
                    prepared.prepare_ms = 1000 * (time.perf_counter() - started)
        except CxrError as error:
            prepared.failure = str(error)
            prepared.sop_instance_uid = prepared.sop_instance_uid or getattr(error, "sop_instance_uid", None)
        except Exception as error:  # noqa: BLE001  # a defect of ours fails one image, not its batch
            prepared.failure = _unexpected(error)
        return prepared

    def _predicted(self, ready: list[_Prepared]) -> dict[int, Prediction]:
        """Predictions by identity of what was prepared. An image that the model fails on fails alone."""
        if not ready:
            return {}
        started = time.perf_counter()
        inputs = np.stack([prepared.inputs for prepared in ready if prepared.inputs is not None])
        ages = [prepared.age_years for prepared in ready]
        try:
            with enough_memory():
                predictions = self.classifier.predict(inputs, ages)
        except Exception as error:  # noqa: BLE001  # likewise
            if len(ready) == 1:
                ready[0].failure = str(error) if isinstance(error, CxrError) else _unexpected(error)
                return {}
            parts = [self._predicted([prepared]) for prepared in ready]
            return {key: prediction for part in parts for key, prediction in part.items()}
        share_ms = 1000 * (time.perf_counter() - started) / len(ready)
        for prepared in ready:
            prepared.infer_ms = share_ms
        return {id(prepared): prediction for prepared, prediction in zip(ready, predictions, strict=True)}


def _unexpected(error: Exception) -> str:
    """A defect in words, without the error's own text, which may quote a header."""
    told = logs.trouble(error)
    log.error("image not analysed", **told)
    return f"an error that was not expected ({told['error']} at {told['at']}); report it"
