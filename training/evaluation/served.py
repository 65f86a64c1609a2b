"""What is served for every example: the bundle's answers through cxr_core, with nothing dropped."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from cxr_core.classifier import Classifier
from cxr_core.errors import BundleError, ImageReadError
from cxr_core.intake import examine
from cxr_core.prediction import INDETERMINATE, Prediction, Withheld
from cxr_core.preprocess import model_input
from cxr_core.reading import read_image
from training.datasets.examples import Example, LabelScheme, targets_of
from training.evaluation.files import EvaluationError

BATCH = 32
_NOTHING = np.empty(0, np.float32)

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Inputs = npt.NDArray[np.float32]
#: Told after every batch: images done, images in all.
Progress = Callable[[int, int], None]

#: How a file that cannot be read counts; printed in every report.
FAILED_RULE = (
    "A file that cannot be read counts as wrong: another label than its own is called, it is ranked at the wrong end "
    "of all scores, and its loss is that of equal probabilities. It has no part in the calibration figures."
)


@dataclass(frozen=True, eq=False, slots=True)
class ServedAnswers:
    """The answers for n examples, in the order of the bundle's labels."""

    scheme: LabelScheme
    """Of the bundle."""

    thresholds: dict[str, float]
    """Of the calibrated probability: of the positive label, or of each finding; empty for N classes."""

    examples: tuple[Example, ...]
    targets: Ints
    """(n,) class indices; multi-label (n, labels) of 0 and 1."""

    probabilities: Floats
    """(n, labels), calibrated; equal where the file failed."""

    called: Ints
    """What `label` or `findings` say; shape and meaning of `targets`."""

    called_argmax: Ints
    """The most probable class; of a finding: whether it is more probable than not. Shape of `targets`."""

    verdicts: tuple[str | None, ...]
    withheld: tuple[Withheld | None, ...]
    in_domain: npt.NDArray[np.bool_]
    domain_scores: Floats
    """(n,); NaN where the file failed."""

    refused: tuple[str | None, ...]
    """Why intake would refuse the image; it is answered and counted all the same."""

    failed: tuple[str | None, ...]
    """Why there is no answer, one line with the file's name."""

    @property
    def answered(self) -> npt.NDArray[np.bool_]:
        """(n,) whether there is an answer."""
        return np.array([reason is None for reason in self.failed], bool)

    @property
    def indeterminate(self) -> npt.NDArray[np.bool_]:
        """(n,) whether the verdict is INDETERMINATE."""
        return np.array([verdict == INDETERMINATE for verdict in self.verdicts], bool)

    @property
    def positive_index(self) -> int | None:
        """Output of the positive one of two classes."""
        return None if self.scheme.positive is None else self.scheme.names.index(self.scheme.positive)

    @property
    def right(self) -> Floats:
        """(n,) 1 where the label is right; multi-label: share of findings that are."""
        return np.asarray((self.called == self.targets).reshape(len(self.targets), -1).mean(axis=1))


def serve(
    classifier: Classifier,
    scheme: LabelScheme,
    examples: Sequence[Example],
    *,
    progress: Progress | None = None,
    beside: Callable[[Inputs], Inputs] | None = None,
) -> tuple[ServedAnswers, Inputs | None]:
    """Run the bundle over examples, in batches, so that memory does not grow with the pictures.

    Parameters
    ----------
    classifier : Classifier
        The bundle.
    scheme : LabelScheme
        Of the data set, in whose order the examples' targets are.
    examples : sequence of Example
        At least one.
    progress : callable, optional
        Told (done, total) after every batch.
    beside : callable, optional
        Another model: inputs (n, 150, 150, 3) to logits (n, labels), run on the same inputs.

    Returns
    -------
    answers : ServedAnswers
    logits : numpy.ndarray or None
        Of `beside`, (n, labels), NaN where a file failed.
    """
    manifest = classifier.bundle.manifest
    own = LabelScheme(manifest.task, manifest.labels, manifest.positive)
    targets = _targets(examples, scheme, own)
    n, classes = len(examples), len(own.names)
    predictions: list[Prediction | None] = []  # without their maps
    refused: list[str | None] = []
    failed: list[str | None] = []
    logits = np.full((n, classes), np.nan, np.float32)
    for start in range(0, n, BATCH):
        read = [_read(classifier, example) for example in examples[start : start + BATCH]]
        good = [i for i, film in enumerate(read) if film.inputs is not None]
        stacked = np.array([film.inputs for film in read if film.inputs is not None], np.float32)
        answers: list[Prediction | None] = [None] * len(read)
        reasons = [film.failed for film in read]
        for i, answer in zip(good, _predict(classifier, stacked, [read[i].age_years for i in good]), strict=True):
            if isinstance(answer, Prediction):
                # All maps of a large set would fill the memory; the gallery makes the few that it shows anew.
                answers[i] = replace(answer, maps=_NOTHING, embedding=_NOTHING)
            else:
                reasons[i] = f"{examples[start + i].source.name}: {answer}"
        if beside is not None and good:
            logits[[start + i for i in good]] = beside(stacked)
        predictions += answers
        failed += reasons
        refused += [film.refusal for film in read]
        if progress is not None:
            progress(start + len(read), n)
    return _answers(own, manifest.thresholds, examples, targets, predictions, refused, failed), (
        logits if beside is not None else None
    )


def _targets(examples: Sequence[Example], scheme: LabelScheme, own: LabelScheme) -> Ints:
    """The targets in the order of the bundle's labels."""
    theirs, names = scheme.names, own.names
    fits = scheme.task == own.task and (
        set(names) <= set(theirs) if own.task == "multi_label" else set(theirs) <= set(names)
    )
    if not fits:
        raise EvaluationError(
            f"data with {scheme.task.replace('_', ' ')} {', '.join(theirs)}",
            f"the model's {own.task.replace('_', ' ')} {', '.join(names)}",
            "name data with these labels, or another model",
        )
    if not examples:
        raise EvaluationError("no image to evaluate", "at least one", "name another folder or part")
    targets = targets_of(examples, scheme)
    if own.task == "multi_label":
        return targets[:, [theirs.index(name) for name in names]]
    return np.array([names.index(name) for name in theirs], np.int64)[targets]


@dataclass(frozen=True, eq=False, slots=True)
class _Read:
    """One file as read."""

    inputs: Inputs | None = None
    """Model input (150, 150, 3); None where it failed."""

    age_years: float | None = None
    """As the file tells it; most pictures do not."""

    refusal: str | None = None
    failed: str | None = None
    """With the file's name."""


def _read(classifier: Classifier, example: Example) -> _Read:
    try:
        image = read_image(example.source.load(), classifier.settings.limits)
        refusal = examine(image.facts, classifier.settings.intake).refusal
        if image.source is None or image.attributes is None:
            raise ImageReadError("object without pixel data")
        inputs = model_input(image, classifier.bundle.manifest.input_scaling)
        return _Read(inputs, image.facts.age_years, refusal)
    except ImageReadError as error:
        return _Read(failed=f"{example.source.name}: {error}")


def _predict(
    classifier: Classifier, inputs: Inputs, ages_years: list[float | None]
) -> Iterator[Prediction | BundleError]:
    """The batch's answers; where one image has none, the others keep theirs."""
    try:
        yield from classifier.predict(inputs, ages_years)
    except BundleError:
        for one, age in zip(inputs, ages_years, strict=True):
            try:
                yield from classifier.predict(one[np.newaxis], [age])
            except BundleError as error:
                yield error


def _answers(
    scheme: LabelScheme,
    thresholds: dict[str, float],
    examples: Sequence[Example],
    targets: Ints,
    predictions: Sequence[Prediction | None],
    refused: Sequence[str | None],
    failed: Sequence[str | None],
) -> ServedAnswers:
    names = scheme.names
    multi = scheme.task == "multi_label"
    probabilities = np.full((len(examples), len(names)), 0.5 if multi else 1 / len(names))
    called = 1 - targets if multi else (targets + 1) % len(names)  # FAILED_RULE, until an answer replaces it
    argmax = called.copy()
    for i, prediction in enumerate(predictions):
        if prediction is None:
            continue
        probabilities[i] = prediction.probabilities
        if multi:
            called[i] = [finding.positive for finding in prediction.findings]
            argmax[i] = probabilities[i] >= 0.5
        else:
            assert prediction.label is not None
            called[i], argmax[i] = names.index(prediction.label), probabilities[i].argmax()
    return ServedAnswers(
        scheme=scheme,
        thresholds=dict(thresholds),
        examples=tuple(examples),
        targets=targets,
        probabilities=probabilities,
        called=called,
        called_argmax=argmax,
        verdicts=tuple(None if p is None else p.verdict for p in predictions),
        withheld=tuple(None if p is None else p.verdict_withheld for p in predictions),
        in_domain=np.array([p is not None and p.in_domain for p in predictions], bool),
        domain_scores=np.array([np.nan if p is None else p.domain_score for p in predictions]),
        refused=tuple(refused),
        failed=tuple(failed),
    )
