"""Result objects on their way out: what is made of which films, and what became of each object that went out.

Every object has an outcome that the folder or the peer really gave; nothing counts as delivered because it was tried.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from cxr_core.errors import OutputError
from cxr_core.results.records import ResultKind, ResultObject
from cxr_desktop.output.files import write_new
from cxr_desktop.state.answers import Answer
from cxr_desktop.state.header import one_line
from cxr_desktop.state.patient_text import file_name
from cxr_desktop.state.records import LoadedImage
from cxr_desktop.state.settings import PacsEntry
from cxr_desktop.workers.inference_messages import StudyImage
from dicom_node.peers import Cancel, Peer, Sent, StoreOutcome, Timeouts, TlsClient, echo, store

KIND_WORDS: dict[ResultKind, str] = {
    "sr": "Structured report (SR)",
    "sc": "Secondary capture (SC)",
    "gsps": "Presentation state (GSPS)",
}
#: Somebody waits for the answer to a try.
_TRY_TIMEOUTS = Timeouts(connect_seconds=5, acse_seconds=5, dimse_seconds=10, whole_seconds=20)


@dataclass(frozen=True, eq=False, slots=True)
class AnsweredFilm:
    """A film with what one model said about it."""

    loaded: LoadedImage
    answer: Answer | None
    """None where nothing was asked."""

    answered: datetime
    """When, with its time zone: the date of what is made from it. The same gives the same objects again."""


def studies_of(films: Sequence[AnsweredFilm]) -> tuple[list[tuple[StudyImage, ...]], list[str]]:
    """What is to be encoded together, and in a line each what is left out and why.

    A report is on one study and on the answers of one model. A film that was refused or failed stands in every report
    of its study.
    """
    groups: dict[tuple[str, str], dict[str, StudyImage]] = {}
    unanswered: dict[str, dict[str, StudyImage]] = {}
    left_out = []
    for film in films:
        record, answer = film.loaded.record, film.answer
        if answer is None:
            left_out.append(f"{file_name(record)}: not analysed; ask the model first")
            continue
        if film.loaded.data_set is None:
            left_out.append(f"{file_name(record)}: a picture without a DICOM header; export a picture or report")
            continue
        image = StudyImage(film.loaded.content, film.answered, answer)
        prediction = answer.result.prediction
        if prediction is None:
            unanswered.setdefault(record.study_key, {})[record.key] = image
        else:
            groups.setdefault((record.study_key, prediction.model.sha256), {})[record.key] = image
    answered = {study for study, _ in groups}
    made = [tuple({**unanswered.get(study, {}), **images}.values()) for (study, _), images in groups.items()]
    made += [tuple(images.values()) for study, images in unanswered.items() if study not in answered]
    return made, left_out


Status = Literal["waiting", "saved", "there already", "accepted", "warning", "refused", "unknown", "not sent", "failed"]

STATUS_WORDS: dict[Status, str] = {
    "waiting": "Waiting",
    "saved": "Saved",
    "there already": "There already",
    "accepted": "Accepted",
    "warning": "Accepted with a warning",
    "refused": "Refused",
    "unknown": "Outcome unknown",
    "not sent": "Not sent",
    "failed": "Not saved",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one object."""

    status: Status
    words: str
    """For people; of a refusal the status in numbers and in the standard's words, and the peer's comment."""

    @property
    def delivered(self) -> bool:
        """Whether it is known to be where it should be."""
        return self.status in ("saved", "there already", "accepted", "warning")


WAITING = Outcome("waiting", "")
#: Called in the thread that works, with the number of an object and what became of it.
Told = Callable[[int, Outcome], None]

_OF_SENT: dict[Sent, Status] = {
    Sent.ACCEPTED: "accepted",
    Sent.WARNING: "warning",
    Sent.DUPLICATE: "there already",
    Sent.REFUSED: "refused",
    Sent.UNKNOWN: "unknown",
    Sent.NOT_SENT: "not sent",
}


def outcome_of(sent: StoreOutcome) -> Outcome:
    """In words for the reader."""
    words = sent.words
    if sent.result is Sent.DUPLICATE:
        words = f"{words}; whether of the same content it does not say"
    if comment := one_line(sent.comment):
        words = f"{words}; its comment: {comment}"
    return Outcome(_OF_SENT[sent.result], words)


def object_file_name(made: ResultObject) -> str:
    """Kind and UID: nothing of the patient, and never two objects under one name."""
    return f"{made.kind}-{made.sop_instance_uid}.dcm"


def save(objects: Sequence[ResultObject], folder: Path, cancel: Cancel, told: Told) -> None:
    """Write objects to a folder, each whole or not at all, none over a file of other content; for a thread.

    Raises nothing for what the disk does.
    """
    for number, made in enumerate(objects):
        if cancel.is_set:
            told(number, Outcome("failed", "cancelled"))
            continue
        name = object_file_name(made)
        try:
            fresh = write_new(folder / name, made.data)
        except OutputError as error:
            told(number, Outcome("failed", str(error)))
        else:
            told(number, Outcome("saved", name) if fresh else Outcome("there already", f"{name}, with this content"))


def send(objects: Sequence[ResultObject], entry: PacsEntry, cancel: Cancel, told: Told) -> None:
    """Send objects to a PACS by C-STORE, and tell of each what the PACS said; for a thread.

    Raises nothing for what the network or the PACS does.
    """
    store(
        peer_of(entry),
        [made.data for made in objects],
        calling_ae_title=entry.calling_ae_title,
        cancel=cancel,
        on_outcome=lambda number, sent: told(number, outcome_of(sent)),
    )


def peer_of(entry: PacsEntry) -> Peer:
    """A PACS of the settings as the client calls take it."""
    tls = None
    if entry.tls:
        authority, certificate, key = (
            None if name is None else Path(name) for name in (entry.tls_ca, entry.tls_certificate, entry.tls_key)
        )
        tls = TlsClient(authority, certificate, key)
    return Peer(entry.ae_title, entry.host, entry.port, tls)


def try_pacs(entry: PacsEntry) -> str:
    """Whether a PACS answers C-ECHO, in a line of words; for a thread, it may take 20 seconds."""
    tried = echo(peer_of(entry), calling_ae_title=entry.calling_ae_title, timeouts=_TRY_TIMEOUTS)
    return tried.words[:1].upper() + tried.words[1:]


def summary(outcomes: Sequence[Outcome]) -> str:
    """All outcomes in one line: how many of how many arrived, and how many did not."""
    delivered = sum(outcome.delivered for outcome in outcomes)
    words = f"{delivered} of {len(outcomes)} delivered"
    others = [outcome.status for outcome in outcomes if not outcome.delivered]
    kinds: dict[Status, int] = {status: others.count(status) for status in STATUS_WORDS if status in others}
    return ", ".join([words, *(f"{count} {STATUS_WORDS[status].lower()}" for status, count in kinds.items())])
