"""The list of a batch run: what became of each file, in order of arrival or by score, and its CSV."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from cxr_core.errors import OutputError
from cxr_core.files import write_whole
from cxr_core.heatmap import ASSESSED
from cxr_core.prediction import ImageResult
from cxr_desktop.state.answers import Answer, AnswerKind, words_of

BatchState = Literal["waiting", "running", "answered", "withheld", "refused", "failed", "cancelled"]
Order = Literal["arrival", "score"]

#: For people.
STATE_WORDS: dict[BatchState, str] = {
    "waiting": "Waiting, not analysed yet",
    "running": "Being analysed",
    "answered": "Answered",
    "withheld": "Verdict withheld",
    "refused": "Refused",
    "failed": "Failed",
    "cancelled": "Cancelled, not analysed",
}
COLUMNS = (
    "file state verdict words score prevalence findings population in_domain domain_score warnings "
    "model version sha256 sop_instance_uid note"
).split()
#: What a spreadsheet takes for the beginning of a formula (OWASP, CSV Injection).
_FORMULA = re.compile(r"\s*[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]")


@dataclass(frozen=True, slots=True)
class BatchItem:
    """One file of the run. Without maps: a run may have 20,000."""

    name: str
    """As InstanceRecord.name."""

    state: BatchState = "waiting"
    kind: AnswerKind = "not_analysed"
    words: str = ""
    """The verdict line, or why there is none."""

    score: float | None = None
    """Only of a verdict: the score of a withheld one supports nothing."""

    row: tuple[str, ...] = ("",) * (len(COLUMNS) - 4)
    """The cells of COLUMNS but file, state, words and note."""

    @property
    def state_words(self) -> str:
        """The state for people."""
        return STATE_WORDS[self.state]


class BatchList:
    """The files of one run, in order of arrival. Numbers are places in it."""

    def __init__(self) -> None:
        self.items: list[BatchItem] = []
        self._begun = 0

    def add(self, names: Iterable[str]) -> None:
        """Put files at the end."""
        self.items += [BatchItem(name) for name in names]

    def next_waiting(self) -> int | None:
        """The first file that waits."""
        while self._begun < len(self.items) and self.items[self._begun].state != "waiting":
            self._begun += 1
        return self._begun if self._begun < len(self.items) else None

    def start(self, number: int) -> None:
        """A file is being analysed."""
        self._change(number, state="running")

    def answer(self, number: int, answer: Answer) -> None:
        """What came of it."""
        words = words_of(answer)
        state: BatchState = words.kind if words.kind in ("withheld", "refused", "failed") else "answered"
        score = words.score if state == "answered" else None
        row = _row(answer.result, score)
        self._change(number, state=state, kind=words.kind, words=words.verdict, score=score, row=row)

    def fail(self, number: int, words: str) -> None:
        """There is no answer, for a reason that is not the file's."""
        self._change(number, state="failed", kind="failed", words=words)

    def cancel(self) -> None:
        """Nothing that waits or runs will be analysed."""
        for number, item in enumerate(self.items):
            if item.state in ("waiting", "running"):
                self._change(number, state="cancelled")

    def order(self, by: Order) -> list[int]:
        """The places of all files, in the order to be shown.

        By score: findings and indeterminate ones first, the highest score at the top; then all without a verdict, as
        they arrived, because nobody has looked at them; then the negative ones. None is ever left out.
        """
        places = list(range(len(self.items)))
        return places if by == "arrival" else sorted(places, key=self._rank)

    def _rank(self, number: int) -> tuple[int, float]:
        item = self.items[number]
        if item.score is None:
            return 1, 0.0
        return (2 if item.kind == "negative" else 0), -item.score

    def counts(self) -> dict[BatchState, int]:
        """How many files are in each state, in the order of STATE_WORDS; states of none are left out."""
        found = Counter(item.state for item in self.items)
        return {state: found[state] for state in STATE_WORDS if found[state]}

    def csv(self) -> bytes:
        """The list as it arrived: UTF-8 with its mark, a header, a line a file."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\r\n")
        writer.writerow(COLUMNS)
        for item in self.items:
            verdict, *rest = item.row
            writer.writerow([safe_cell(cell) for cell in (item.name, item.state, verdict, item.words, *rest, ASSESSED)])
        return text.getvalue().encode("utf-8-sig", "backslashreplace")

    def _change(self, number: int, **changes: object) -> None:
        self.items[number] = replace(self.items[number], **changes)  # type: ignore[arg-type]  # fields of BatchItem


def write_csv(path: Path, batch: BatchList) -> None:
    """Write the list, whole or not at all. Raises OutputError."""
    try:
        write_whole(path, batch.csv(), private=True)
    except OSError as error:
        raise OutputError(
            f"a file that cannot be written ({error.strerror})",
            "a folder with room that may be written to",
            "choose another",
        ) from error


def safe_cell(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula; numbers stay numbers."""
    try:
        float(cell)
    except ValueError:
        return f"'{cell}" if _FORMULA.match(cell) else cell
    return cell


def _row(result: ImageResult, score: float | None) -> tuple[str, ...]:
    """The cells of COLUMNS but file, state, words and note."""
    prediction = result.prediction
    if prediction is None:
        uid = result.sop_instance_uid or ""
        return ("", "", "", "", "", "", "", "; ".join(result.warnings), "", "", "", uid)
    return (
        prediction.verdict or "",
        "" if score is None else f"{score:.4f}",
        "" if prediction.prevalence is None else f"{prediction.prevalence:g}",
        "; ".join(f"{finding.label} {finding.probability:.4f}" for finding in prediction.findings),
        prediction.population,
        "yes" if prediction.in_domain else "no",
        f"{prediction.domain_score:.4f}",
        "; ".join(result.warnings),
        prediction.model.name,
        prediction.model.version,
        prediction.model.sha256,
        result.sop_instance_uid or "",
    )
