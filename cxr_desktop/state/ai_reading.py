"""What has been asked about the image on screen, and what of it is shown: verdicts first, maps on request."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from cxr_core.prediction import ModelIdentity
from cxr_desktop.state.answers import Answer, AnswerWords, difference, model_words, needs_asking_for_map, words_of


@dataclass(frozen=True, eq=False, slots=True)
class ModelReading:
    """One model that was asked."""

    model: str | None
    """As it was asked for: name or folder of a bundle; None for the default."""

    stage: str = ""
    """What is being done for it; empty when nothing runs."""

    answer: Answer | None = None
    problem: str = ""
    """Why there is no answer, where the reason is not the image's."""

    map_label: str | None = None
    """The label whose map is shown; None for none."""

    map_confirmed: bool = False
    """Whether the reader was told that the answer is negative, so that the next request for its map is one."""

    @property
    def words(self) -> AnswerWords:
        """The answer for people."""
        if self.stage:
            return AnswerWords("not_analysed", f"Not analysed yet: {self.stage}")
        if self.problem:
            return AnswerWords("failed", f"Not analysed, failed: {self.problem}")
        return words_of(self.answer)

    @property
    def title(self) -> str:
        """Name of the model, with its version where it is known."""
        prediction = None if self.answer is None else self.answer.result.prediction
        if prediction is not None:
            return model_words(prediction)
        return self.model or "default model"

    @property
    def identity(self) -> ModelIdentity | None:
        """Of the model that answered."""
        prediction = None if self.answer is None else self.answer.result.prediction
        return None if prediction is None else prediction.model

    @property
    def map_labels(self) -> tuple[str, ...]:
        """The labels that have a map of interest, the highest score first; none without a prediction."""
        prediction = None if self.answer is None else self.answer.result.prediction
        if prediction is None:
            return ()
        findings = sorted(prediction.findings, key=lambda finding: finding.probability, reverse=True)
        return tuple(finding.label for finding in findings)

    @property
    def cam(self) -> npt.NDArray[np.float32] | None:
        """The map that is shown, shape (rows, columns) on its native grid; None where none is."""
        prediction = None if self.answer is None else self.answer.result.prediction
        if prediction is None or self.map_label is None:
            return None
        chosen: npt.NDArray[np.float32] = prediction.maps[prediction.labels.index(self.map_label)]
        return chosen


@dataclass(frozen=True, eq=False, slots=True)
class Reading:
    """Everything that was asked about one image; nothing until somebody asks."""

    has_image: bool = False
    models: tuple[ModelReading, ...] = ()

    def asked(self, models: Sequence[str | None]) -> Reading:
        """These models are asked, in place of what was asked before."""
        return replace(self, models=tuple(ModelReading(model, stage="waiting for the model") for model in models))

    def at_stage(self, number: int, stage: str) -> Reading:
        """What is being done for a model, by its place."""
        return self._changed(number, lambda reading: replace(reading, stage=stage))

    def answered(self, number: int, answer: Answer) -> Reading:
        """A model's answer."""
        return self._changed(number, lambda reading: ModelReading(reading.model, answer=answer))

    def failed(self, number: int, words: str) -> Reading:
        """There is none, for a reason that is not the image's."""
        return self._changed(number, lambda reading: ModelReading(reading.model, problem=words))

    def cancelled(self) -> Reading:
        """What was still running is as if it had not been asked."""
        return replace(self, models=tuple(reading for reading in self.models if not reading.stage))

    def map_toggled(self, number: int) -> Reading:
        """The map of a model shown or hidden; of a negative answer only with the second request.

        One map is shown at a time: two over one another cannot be told apart.
        """
        reading = self.models[number]
        if reading.map_label is not None:
            return self.without_map()
        if not reading.map_labels:
            return self
        if needs_asking_for_map(reading.words) and not reading.map_confirmed:
            return self._changed(number, lambda reading: replace(reading, map_confirmed=True))
        return self.with_map(number, reading.map_labels[0])

    def with_map(self, number: int, label: str) -> Reading:
        """A label's map shown, and no other."""
        return self.without_map()._changed(
            number, lambda reading: replace(reading, map_label=label, map_confirmed=True)
        )

    def without_map(self) -> Reading:
        """No map shown."""
        return replace(self, models=tuple(replace(reading, map_label=None) for reading in self.models))

    @property
    def running(self) -> bool:
        """Whether a model is at work."""
        return any(reading.stage for reading in self.models)

    @property
    def shown_map(self) -> ModelReading | None:
        """The model whose map is shown."""
        return next((reading for reading in self.models if reading.map_label is not None), None)

    @property
    def answers(self) -> tuple[Answer, ...]:
        """All that there are."""
        return tuple(reading.answer for reading in self.models if reading.answer is not None)

    @property
    def difference(self) -> str:
        """Two answers compared in words; empty where there are not two."""
        return difference(self.answers) if len(self.answers) == 2 else ""

    def _changed(self, number: int, change: Callable[[ModelReading], ModelReading]) -> Reading:
        models = list(self.models)
        models[number] = change(models[number])
        return replace(self, models=tuple(models))
