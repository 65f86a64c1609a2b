"""What a person reads of an answer: the verdict in words with its score, and what it rests on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from cxr_core.bundle import Manifest
from cxr_core.heatmap import caveat
from cxr_core.prediction import INDETERMINATE, Finding, ImageResult, Prediction
from cxr_core.results.encode import is_positive

#: No two of them look alike, and none of them but "negative" like a negative answer.
AnswerKind = Literal["positive", "negative", "indeterminate", "withheld", "refused", "failed", "not_analysed"]

#: One to three words for a list; a bare "negative" would read as more than a model can say.
KIND_WORDS: dict[AnswerKind, str] = {
    "positive": "Found",
    "negative": "Not found",
    "indeterminate": "Indeterminate",
    "withheld": "Verdict withheld",
    "refused": "Refused",
    "failed": "Failed",
    "not_analysed": "Not analysed yet",
}
NOTHING_ELSE = "nothing else was assessed"
#: More cannot be said of a calibrated score: 1.00 would read as certainty.
_LOWEST, _HIGHEST = 0.005, 0.995


@dataclass(frozen=True, eq=False, slots=True)
class Answer:
    """What one model said about one image."""

    result: ImageResult
    manifest: Manifest | None
    """Of the bundle that answered; None where there is no prediction."""


@dataclass(frozen=True, slots=True)
class AnswerWords:
    """An answer for a reader."""

    kind: AnswerKind
    answer: str
    """In words, without its score."""

    basis: str = ""
    """The score that a verdict stands on, and what it is calibrated for; empty where none does."""

    caution: str | None = None
    """What has to stand beside it."""

    details: tuple[tuple[str, str], ...] = ()
    """(topic, words): score, patient, film, prevalence, findings, model."""

    warnings: tuple[str, ...] = ()
    """What reading and intake had doubts about."""

    score: float | None = None
    """The positive class's calibrated probability, else the highest of a finding; None without a prediction."""

    @property
    def verdict(self) -> str:
        """The one line: answer and score."""
        return f"{self.answer} ({self.basis})" if self.basis else self.answer


NOT_ANALYSED = AnswerWords("not_analysed", "Not analysed yet: no model was asked")


def words_of(answer: Answer | None) -> AnswerWords:
    """The words of an answer; those of none where nothing was asked."""
    if answer is None:
        return NOT_ANALYSED
    result, prediction, manifest = answer.result, answer.result.prediction, answer.manifest
    if prediction is None or manifest is None:
        if result.status == "refused":
            return AnswerWords("refused", f"Not analysed, refused: {result.reason}", warnings=result.warnings)
        return AnswerWords("failed", f"Not analysed, failed: {result.reason}", warnings=result.warnings)
    kind, said = _verdict(prediction, manifest)
    given = kind in ("positive", "negative", "indeterminate") and manifest.task != "multi_label"
    return AnswerWords(
        kind=kind,
        answer=said,
        basis=_basis(prediction, manifest) if given else "",
        caution=None if prediction.verdict_withheld == "population" else caveat(prediction),  # the answer says it
        details=tuple(_details(prediction, manifest, kind)),
        # Those of population and domain have a line of their own.
        warnings=tuple(warning for warning in result.warnings if warning not in prediction.warnings),
        score=max(prediction.findings, key=lambda finding: finding.probability).probability,
    )


def score_words(probability: float) -> str:
    """A calibrated probability to two digits, and never as certainty."""
    if probability < _LOWEST:
        return "below 0.01"
    return "above 0.99" if probability > _HIGHEST else f"{probability:.2f}"


def share_words(share: float) -> str:
    """A share, 0 to 1, in per cent."""
    return f"{100 * share:g} %"


def model_words(prediction: Prediction) -> str:
    """Name and version of the model."""
    return f"{prediction.model.name} {prediction.model.version}"


def list_words(answers: Sequence[Answer]) -> str:
    """What became of one film, for its row in a list: model and state; "" where nothing was asked."""
    parts = []
    for answer in answers:
        state = KIND_WORDS[words_of(answer).kind]
        parts.append(state if answer.manifest is None else f"{answer.manifest.name}: {state.lower()}")
    return "; ".join(dict.fromkeys(parts))


def needs_asking_for_map(words: AnswerWords) -> bool:
    """Whether a map is shown only where it is asked for although the answer is negative."""
    return words.kind == "negative"


def difference(answers: Sequence[Answer]) -> str:
    """Two answers beside each other: whether they say the same, and what that is worth."""
    first, second = answers
    one, other = words_of(first), words_of(second)
    names = [_name(answer, number) for number, answer in enumerate(answers, start=1)]
    a, b = first.result.prediction, second.result.prediction
    if a is None or b is None:
        if one.verdict == other.verdict:
            return f"Both: {one.verdict[0].lower()}{one.verdict[1:]}."
        if a is b:
            return "Neither model gives an answer."
        return f"Only one of the two models gives an answer: {names[0] if a is not None else names[1]}."
    scores = ""
    if one.score is not None and other.score is not None:
        scores = f" Scores {score_words(one.score)} and {score_words(other.score)}."
    if one.kind == other.kind and a.verdict == b.verdict and _positives(a) == _positives(b):
        said = "Both models withhold their verdict." if one.kind == "withheld" else "Both models give the same answer."
        return f"{said}{scores}{_worth(answers)}"
    return f"The models differ: {names[0]} says {_short(one, a)}, {names[1]} says {_short(other, b)}.{scores}"


def _worth(answers: Sequence[Answer]) -> str:
    trained = {answer.manifest.training_fingerprint for answer in answers if answer.manifest is not None}
    return " Both were trained on the same films: one does not confirm the other." if len(trained) == 1 else ""


def _name(answer: Answer, number: int) -> str:
    return f"model {number}" if answer.manifest is None else f"{answer.manifest.name} {answer.manifest.version}"


def _short(words: AnswerWords, prediction: Prediction) -> str:
    if words.kind in ("positive", "negative") and prediction.verdict is not None:
        return prediction.verdict
    if words.kind == "positive":
        return ", ".join(_positives(prediction))
    return {"negative": "no finding", "indeterminate": "indeterminate", "withheld": "nothing (withheld)"}[words.kind]


def _positives(prediction: Prediction) -> list[str]:
    return [finding.label for finding in prediction.findings if finding.positive]


def _verdict(prediction: Prediction, manifest: Manifest) -> tuple[AnswerKind, str]:
    if prediction.verdict_withheld == "out_of_domain":
        return "withheld", f"Verdict withheld, film out of domain: {prediction.domain_reason}"
    if prediction.verdict_withheld == "population":
        return "withheld", (
            f"Verdict withheld: not validated for this patient, only for {manifest.population.description}"
        )
    if manifest.task == "multi_label":
        return _of_findings(prediction, manifest)
    if prediction.verdict == INDETERMINATE:
        return "indeterminate", "Indeterminate: this model does not decide here"
    meaning = next(label.meaning for label in manifest.labels if label.name == prediction.verdict)
    said = f"{meaning[:1].upper()}{meaning[1:]}"
    if not is_positive(prediction, manifest):
        return "negative", said if NOTHING_ELSE in said else f"{said}; {NOTHING_ELSE}"
    return "positive", f"{said} found by this model; {NOTHING_ELSE}"


def _of_findings(prediction: Prediction, manifest: Manifest) -> tuple[AnswerKind, str]:
    meanings = {label.name: label.meaning for label in manifest.labels}
    found = [
        f"{meanings[finding.label]} (score {score_words(finding.probability)})"
        for finding in prediction.findings
        if finding.positive
    ]
    if found:
        return "positive", f"Found by this model: {', '.join(found)}; {NOTHING_ELSE}"
    return "negative", f"None of this model's {len(prediction.findings)} findings reaches its threshold; {NOTHING_ELSE}"


def _basis(prediction: Prediction, manifest: Manifest) -> str:
    if prediction.prevalence is not None:
        for_share = f"calibrated for a share of {share_words(prediction.prevalence)} with {manifest.positive}"
    else:
        for_share = "calibrated for classes that are equally frequent"
    return f"score {score_words(prediction.probability)}, {for_share}"


def _details(prediction: Prediction, manifest: Manifest, kind: AnswerKind) -> list[tuple[str, str]]:
    lines = []
    if kind == "withheld":
        lines.append(("Score", f"{_scores(prediction.findings)}; it supports no verdict here"))
    elif manifest.positive is None:
        lines.append(("Findings" if manifest.task == "multi_label" else "Classes", _scores(prediction.findings)))
    patients = manifest.population.description
    lines.append(
        (
            "Patient",
            {
                "inside": f"age inside the model's population: {patients}",
                "outside": f"not validated for this patient: age outside the model's population, {patients}",
                "unknown": f"age unknown; the model is validated for {patients} only",
            }[prediction.population],
        )
    )
    distance = f"distance {prediction.domain_score:.2f}, limit 1"
    if prediction.in_domain:
        film = f"in domain ({distance}): near the training images, which does not make the model valid here"
    else:
        film = f"out of domain ({distance}): {prediction.domain_reason}"
    lines.append(("Film", film))
    lines.append(("Prevalence", _prevalence(prediction, manifest)))
    lines.append(("Model", f"{model_words(prediction)}, bundle {prediction.model.sha256[:12]}"))
    return lines


def _scores(findings: Sequence[Finding]) -> str:
    parts = []
    for finding in sorted(findings, key=lambda finding: finding.probability, reverse=True):
        threshold = "" if finding.threshold is None else f" (threshold {finding.threshold:.2f})"
        parts.append(f"{finding.label} {score_words(finding.probability)}{threshold}")
    return ", ".join(parts)


def _prevalence(prediction: Prediction, manifest: Manifest) -> str:
    own = share_words(manifest.prevalence)
    if prediction.prevalence is None:
        if manifest.task == "multi_label":
            return f"each score holds where {own} of the patients have the finding"
        return "scores hold where all classes are equally frequent"
    held = f"scores hold where {share_words(prediction.prevalence)} of the patients have {manifest.positive}"
    if prediction.prevalence == manifest.prevalence:
        return f"{held}; where fewer do, the same film means less"
    return f"{held}, as set here; the model was validated at {own}"
