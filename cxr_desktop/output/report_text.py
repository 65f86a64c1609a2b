"""What a report says, as lines without any layout: patient, answers, reader's opinions, measurements, marks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from cxr_desktop.output.picture import PictureOptions, ShownFilm
from cxr_desktop.state.answers import Answer, words_of
from cxr_desktop.state.marks import lossy_words, turned_words
from cxr_desktop.state.opinion import Opinion, opinion_words
from cxr_desktop.state.patient_text import image_line, patient_line, person_name, study_line
from cxr_desktop.state.windowing import window_words

STATEMENT = "Research use only, not for diagnosis. Nothing else was assessed."

Kind = Literal["heading", "strong", "plain", "warning"]


@dataclass(frozen=True, slots=True)
class Line:
    """One paragraph."""

    text: str
    kind: Kind = "plain"


@dataclass(frozen=True, slots=True)
class ReportText:
    """All words of a report."""

    patient: tuple[Line, ...]
    answers: tuple[Line, ...]
    measurements: tuple[Line, ...]
    picture: str
    """How the picture is shown, in a line."""

    made: str
    """When, in a line."""


def report_text(
    film: ShownFilm,
    answers: Sequence[Answer],
    opinions: Sequence[Opinion],
    options: PictureOptions,
    made: datetime,
) -> ReportText:
    """The words of a report on one film.

    Parameters
    ----------
    answers : sequence of Answer
        What models said about it; where there is none, the report says that none was asked.
    opinions : sequence of Opinion
        The reader's, in the order in which they were given.
    options : PictureOptions
        Without patient text no line comes from the header but the film's size, and no measurement or comment of the
        reader is left out.
    made : datetime
        With its time zone.
    """
    record = film.loaded.record
    patient = [Line("Patient and study are left out.")]
    if options.patient_text:
        patient = [
            Line(person_name(record.patient_name) or "No patient name", "strong"),
            Line(patient_line(record)),
            Line(study_line(record)),
            Line(image_line(record)),
        ]
        if record.accession_number or record.institution:
            patient.append(Line("  ".join(filter(None, [record.accession_number, record.institution]))))
    lines = [line for answer in answers for line in _answer(answer, named=len(answers) > 1)]
    if not answers:
        lines = [Line("Model", "heading"), Line(words_of(None).verdict)]
    if opinions:
        lines += [Line("Reader's opinion", "heading"), *(Line(opinion_words(opinion)) for opinion in opinions)]
    rows, columns = film.loaded.stored.shape
    shown = [turned_words(film.display), window_words(film.display), f"{columns} x {rows} pixels"]
    if film.heat_map is not None and options.overlays:
        shown.append("with a map of the model's attention, not a lesion outline")
    return ReportText(
        tuple(patient),
        tuple(lines),
        tuple(_measurements(film.measurement_words)),
        " · ".join(filter(None, [*shown, lossy_words(film.loaded)])),
        f"Made {made:%Y-%m-%d %H:%M} (UTC{made:%z}) by CXR assistant",
    )


def _answer(answer: Answer, *, named: bool) -> list[Line]:
    words = words_of(answer)
    name = f"Model {answer.manifest.name}" if named and answer.manifest is not None else "Model"
    lines = [Line(name, "heading"), Line(words.verdict, "strong")]
    if words.caution:
        lines.append(Line(words.caution, "warning"))
    lines += [Line(f"{topic}: {text}") for topic, text in words.details]
    prediction = answer.result.prediction
    if prediction is not None:
        lines.append(Line(f"Digest (SHA-256): {prediction.model.sha256}"))
    return [*lines, *(Line(warning, "warning") for warning in words.warnings)]


def _measurements(words: Sequence[Sequence[str]]) -> list[Line]:
    if not words:
        return [Line("Measurements", "heading"), Line("None")]
    lines = [Line("Measurements", "heading")]
    for number, parts in enumerate(words, 1):
        lines.append(Line(f"{number}. {parts[0]}"))
        # state.measured.in_words marks a warning.
        lines += [Line(part.removeprefix("⚠ "), "warning" if part.startswith("⚠ ") else "plain") for part in parts[1:]]
    return lines
