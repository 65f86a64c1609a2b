"""Records as patients, studies and images, newest first: the tree that the study browser shows.

Records arrive while it is shown, so it grows by insertion; ties keep the order in which they arrived.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter

from cxr_desktop.state.identity import differences
from cxr_desktop.state.patient_text import file_name, folder_name, patient_line, person_name
from cxr_desktop.state.records import InstanceRecord

Order = tuple[int, int, int]
"""Of studies and patients: date and time of the (newest) study, negative, then the number of its arrival."""

_KINDS = ("image", "result", "other", "failed")


@dataclass(eq=False, slots=True)
class Study:
    """A study and its records: images first, by instance number."""

    key: str
    order: Order
    records: list[InstanceRecord] = field(default_factory=list)


@dataclass(eq=False, slots=True)
class Patient:
    """A patient and their studies, newest first; also the pictures of one folder, which name no patient."""

    key: tuple[str, ...]
    order: Order
    studies: list[Study] = field(default_factory=list)

    @property
    def title(self) -> str:
        """The name, written for people."""
        first = self.first
        if self.key[0] == "failed":
            return "Could not be read"
        if self.key[0] == "folder":
            return f"Without patient data: {folder_name(first)}"
        return person_name(first.patient_name) or "No name"

    @property
    def details(self) -> str:
        """ID, sex, birth date; of what names no patient the number of files."""
        if self.key[0] == "patient":
            return patient_line(self.first)
        count = sum(len(study.records) for study in self.studies)
        return f"{count} file{'' if count == 1 else 's'}"

    @property
    def warning(self) -> str:
        """What records under this ID contradict each other in; else ""."""
        if self.key[0] != "patient":
            return ""
        first = self.first
        different = {
            words for study in self.studies for record in study.records for words in differences(first, record)
        }
        return f"Warning: {' and '.join(sorted(different))} differ" if different else ""

    @property
    def first(self) -> InstanceRecord:
        """The first record of the newest study."""
        return self.studies[0].records[0]


class Browser:
    """All that was listed, as a tree.

    Attributes
    ----------
    patients : list of Patient
        Newest first; those of `find` where something is looked for.
    failed : int
        How many of all records could not be read.
    """

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget all records, and what is looked for."""
        self._all: list[Patient] = []
        self._patients: dict[tuple[str, ...], Patient] = {}
        self._studies: dict[tuple[tuple[str, ...], str], Study] = {}
        self._records: dict[str, InstanceRecord] = {}
        self._searched: dict[str, str] = {}
        self._groups: dict[str, tuple[str, ...]] = {}
        self._words: list[str] = []
        self._arrived = 0
        self.failed = 0
        self.patients = self._all

    def __len__(self) -> int:
        return len(self._records)

    def records(self) -> list[InstanceRecord]:
        """All records, in the order in which they arrived."""
        return list(self._records.values())

    def record(self, name: str) -> InstanceRecord | None:
        """The record of this name."""
        return self._records.get(name)

    def add(self, records: Iterable[InstanceRecord], searched: Iterable[str]) -> None:
        """Take records in, with what a search looks at of each (`searched_text`); a known name is replaced."""
        for record, text in zip(records, searched, strict=True):
            if record.name in self._records:
                self._take_out(self._records[record.name])
            self._records[record.name] = record
            self._searched[record.name] = text
            self._put(record)
        self._look()

    def remove(self, names: Iterable[str]) -> None:
        """Take records out; the files stay."""
        for name in names:
            record = self._records.pop(name, None)
            if record is not None:
                del self._searched[name]
                self._take_out(record)
        self._look()

    def find(self, words: Sequence[str]) -> None:
        """Show only records that contain every word (`query_words`); all where there is none."""
        self._words = list(words)
        self._look()

    def neighbour(self, record: InstanceRecord | None, step: int) -> InstanceRecord | None:
        """The image that comes `step` (1 or -1) after a record in the list, as it is shown; None at its end.

        Where the record is not shown, the list is entered from its nearer end.
        """
        shown = (study for patient in self.patients for study in patient.studies)
        images = [one for study in shown for one in study.records if one.kind == "image"]
        if not images:
            return None
        at = next((number for number, one in enumerate(images) if record is not None and one.name == record.name), None)
        if at is None:
            return images[0] if step > 0 else images[-1]
        return images[at + step] if 0 <= at + step < len(images) else None

    def _put(self, record: InstanceRecord) -> None:
        self._arrived += 1
        self.failed += record.kind == "failed"
        key = self._groups[record.name] = group_of(record)
        patient = self._patients.get(key)
        if patient is None:
            patient = self._patients[key] = Patient(key, _order(record, self._arrived))
        else:
            self._all.pop(bisect_left(self._all, patient.order, key=_ORDER))
        study = self._studies.get((key, record.study_key))
        if study is None:
            study = self._studies[key, record.study_key] = Study(record.study_key, _order(record, self._arrived))
            insort(patient.studies, study, key=_ORDER)
        insort(study.records, record, key=_record_order)
        patient.order = patient.studies[0].order
        insort(self._all, patient, key=_ORDER)

    def _take_out(self, record: InstanceRecord) -> None:
        self.failed -= record.kind == "failed"
        key = self._groups.pop(record.name)
        patient, study = self._patients[key], self._studies[key, record.study_key]
        self._all.pop(bisect_left(self._all, patient.order, key=_ORDER))
        study.records.remove(record)
        if not study.records:
            patient.studies.remove(study)
            del self._studies[key, record.study_key]
        if patient.studies:
            patient.order = patient.studies[0].order
            insort(self._all, patient, key=_ORDER)
        else:
            del self._patients[key]

    def _look(self) -> None:
        """Of 20,000 records within some ten milliseconds: each word looks at what the last one left."""
        if not self._words:
            self.patients = self._all
            return
        found = list(self._searched.items())
        for word in self._words:
            found = [(name, text) for name, text in found if word in text]
        if len(found) == len(self._searched):
            self.patients = self._all
            return
        names = {name for name, _ in found}
        keys = {self._groups[name] for name in names}
        self.patients = [_only(patient, names) for patient in self._all if patient.key in keys]


def _only(patient: Patient, names: set[str]) -> Patient:
    """A patient with those of their records that have these names."""
    if all(record.name in names for study in patient.studies for record in study.records):
        return patient
    found = Patient(patient.key, patient.order)
    for study in patient.studies:
        records = [record for record in study.records if record.name in names]
        if records:
            found.studies.append(Study(study.key, study.order, records))
    return found


_ORDER = attrgetter("order")


def group_of(record: InstanceRecord) -> tuple[str, ...]:
    """What a record is shown under: its patient; failed ones and pictures that name none are gathered."""
    if record.patient_id or record.patient_name:
        return "patient", *record.patient_key
    return ("failed",) if record.kind == "failed" else ("folder", record.name.removesuffix(file_name(record)))


def first_to_see(records: Iterable[InstanceRecord]) -> InstanceRecord | None:
    """Of what was opened together the image to begin with: of the newest study, as the list has it; None without one.

    A folder of a patient's films must not begin with the prior because its name comes first.
    """
    images = [record for record in records if record.kind == "image"]
    return min(images, key=lambda record: (_order(record, 0), _record_order(record)), default=None)


def _order(record: InstanceRecord, arrived: int) -> Order:
    date, time = record.study_date.replace(".", ""), record.study_time.replace(":", "")
    return -_number(date), -_number(time[:6].ljust(6, "0")), arrived


def _record_order(record: InstanceRecord) -> tuple[int, int, str]:
    return _KINDS.index(record.kind), _number(record.instance_number), record.name


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else 0
