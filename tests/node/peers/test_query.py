"""C-FIND: what is asked, in which characters, what comes back, and how a query ends before its end."""

from __future__ import annotations

import datetime
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pynetdicom import evt

from cxr_core.errors import SettingsError
from dicom_node.peers import Cancel, Cause, FindResult, Level, Match, Peer, find
from tests.node.peers.fakes import OURS, PATIENT, scp

PATIENT_ROOT, STUDY_ROOT = "1.2.840.10008.5.1.4.1.2.1.1", "1.2.840.10008.5.1.4.1.2.2.1"
CONTEXTS = [(PATIENT_ROOT, None), (STUDY_ROOT, None)]


def _answer(**attributes: Any) -> Dataset:
    data_set = Dataset()
    for keyword, value in attributes.items():
        setattr(data_set, keyword, value)
    return data_set


class Archive:
    """Answers each query with the same data sets, and notes what was asked."""

    def __init__(self, answers: list[Dataset], final: int = 0, pending: int = 0xFF00) -> None:
        self.asked: list[Dataset] = []
        self.sop_classes: list[str] = []
        self.is_cancelled = threading.Event()
        self._answers = answers
        self._final = final
        self._pending = pending

    def __call__(self, event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        self.asked.append(event.identifier)
        self.sop_classes.append(event.request.AffectedSOPClassUID)
        for answer in self._answers:
            if event.is_cancelled:
                self.is_cancelled.set()
                yield 0xFE00, None
                return
            yield self._pending, answer
        if self._final:
            yield self._final, None


def _find(archive: Archive, level: Level = Level.STUDY, **keys: Any) -> FindResult:
    with scp(CONTEXTS, [(evt.EVT_C_FIND, archive)]) as peer:
        return find(peer, level, keys, calling_ae_title=OURS, timeouts=PATIENT)


def test_a_study_comes_back_typed_and_raw() -> None:
    answer = _answer(
        PatientID="SYNTHETIC-T",
        PatientName="SYNTHETIC^TEST",
        PatientBirthDate="20230405",
        PatientSex="F",
        StudyInstanceUID="2.25.2",
        StudyDate="20260102",
        StudyTime="101112.5",
        AccessionNumber="A1",
        StudyDescription="Thorax pa",
        ModalitiesInStudy=["CR", "SR"],
        NumberOfStudyRelatedSeries="2",
        NumberOfStudyRelatedInstances="3",
        InstitutionName="Elsewhere",
    )
    result = _find(Archive([answer]))
    assert result.failure is None
    assert result.is_complete
    (match,) = result.matches
    assert (match.patient_id, match.patient_name, match.patient_sex) == ("SYNTHETIC-T", "SYNTHETIC^TEST", "F")
    assert match.patient_birth_date == datetime.date(2023, 4, 5)
    assert match.study_date == datetime.date(2026, 1, 2)
    assert match.study_time == datetime.time(10, 11, 12, 500000)
    assert match.modalities_in_study == ("CR", "SR")
    assert (match.series_count, match.instance_count, match.accession_number) == (2, 3, "A1")
    assert match.data_set == answer


@pytest.mark.parametrize(
    ("level", "sop_class", "keys"),
    [
        (Level.PATIENT, PATIENT_ROOT, {"PatientID"}),
        (Level.STUDY, STUDY_ROOT, {"StudyInstanceUID", "ModalitiesInStudy", "PatientName"}),
        (Level.SERIES, STUDY_ROOT, {"SeriesInstanceUID", "Modality"}),
        (Level.IMAGE, STUDY_ROOT, {"SOPInstanceUID", "SOPClassUID"}),
    ],
)
def test_each_level_asks_its_model_for_its_attributes(level: Level, sop_class: str, keys: set[str]) -> None:
    archive = Archive([])
    result = _find(archive, level, StudyInstanceUID=["2.25.1", "2.25.2"], StudyDate="20260101-", InstitutionName="")
    assert result.matches == ()
    assert result.is_complete
    assert archive.sop_classes == [sop_class]
    (asked,) = archive.asked
    assert asked.QueryRetrieveLevel == level.value
    assert asked.StudyInstanceUID == ["2.25.1", "2.25.2"]
    assert asked.StudyDate == "20260101-"
    assert keys | {"InstitutionName"} <= set(asked.dir())
    assert "SpecificCharacterSet" not in asked


def test_a_name_that_is_not_ascii_is_asked_for_in_unicode() -> None:
    archive = Archive([])
    _find(archive, PatientName="山田^太郎*")
    (asked,) = archive.asked
    assert asked.SpecificCharacterSet == "ISO_IR 192"
    assert str(asked.PatientName) == "山田^太郎*"


@pytest.mark.parametrize(
    ("character_set", "name"),
    [
        ("ISO_IR 100", "Müller^Jürgen"),
        ("ISO_IR 192", "Müller^Jürgen"),
        ("ISO_IR 126", "Διονυσιος"),
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        ("GB18030", "Wang^XiaoDong=王^小东"),
    ],
)
def test_answers_are_read_in_their_own_characters(character_set: str | list[str], name: str) -> None:
    result = _find(Archive([_answer(SpecificCharacterSet=character_set, PatientName=name)]))
    assert [match.patient_name for match in result.matches] == [name]


def test_dirty_values_are_unknown_and_the_rest_is_there() -> None:
    answer = Dataset.from_json(
        '{"00100030": {"vr": "DA", "Value": ["gestern"]}, "00080030": {"vr": "TM", "Value": ["9999"]},'
        ' "00201206": {"vr": "LO", "Value": ["many"]}, "00080020": {"vr": "DA", "Value": ["2026.01.02"]},'
        ' "00100020": {"vr": "LO", "Value": ["SYNTHETIC-T"]}}'
    )
    match = Match.of(Level.STUDY, answer)
    assert (match.patient_birth_date, match.study_time, match.series_count) == (None, None, None)
    assert match.study_date == datetime.date(2026, 1, 2)
    assert match.patient_id == "SYNTHETIC-T"
    assert "SYNTHETIC" not in repr(match)


def test_optional_keys_that_a_peer_does_not_know_are_no_failure() -> None:
    result = _find(Archive([_answer(PatientID="SYNTHETIC-T")], pending=0xFF01))
    assert len(result.matches) == 1
    assert result.is_complete


@pytest.mark.parametrize(
    ("status", "words", "passing"),
    [
        (0xA700, "the peer answered C-FIND with 0xA700: refused: out of resources", True),
        (0xA900, "0xA900: identifier does not match sop class", False),
        (0xC001, "0xC001: unable to process", False),
        (0x0122, "0x0122: refused: sop class not supported", False),
    ],
)
def test_a_failure_keeps_what_came_before(status: int, words: str, passing: bool) -> None:
    result = _find(Archive([_answer(PatientID="SYNTHETIC-T")], status))
    assert len(result.matches) == 1
    assert not result.is_complete
    assert result.failure is not None
    assert words in result.failure.words
    assert (result.failure.status, result.failure.passing) == (status, passing)


def _many(count: int) -> list[Dataset]:
    return [_answer(PatientID=f"SYNTHETIC-{index}") for index in range(count)]


@pytest.mark.parametrize(("count", "is_complete"), [(2, True), (3, True), (4, False), (500, False)])
def test_a_limit_ends_the_query(count: int, is_complete: bool) -> None:
    with scp(CONTEXTS, [(evt.EVT_C_FIND, Archive(_many(count)))]) as peer:
        result = find(peer, Level.STUDY, {}, calling_ae_title=OURS, limit=3, timeouts=PATIENT)
    assert result.failure is None
    assert result.is_complete is is_complete
    assert [match.patient_id for match in result.matches] == [f"SYNTHETIC-{index}" for index in range(min(count, 3))]


def test_a_cancel_is_a_c_cancel() -> None:
    cancel, goes_on, is_cancelled = Cancel(), threading.Event(), threading.Event()

    def handle(event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        yield 0xFF00, _answer(PatientID="SYNTHETIC-T")
        cancel.set()
        while not event.is_cancelled:
            if goes_on.wait(0.001):
                return
        is_cancelled.set()
        yield 0xFE00, None

    with scp(CONTEXTS, [(evt.EVT_C_FIND, handle)]) as peer:
        result = find(peer, Level.STUDY, {}, calling_ae_title=OURS, timeouts=PATIENT, cancel=cancel)
        # The client has sent its C-CANCEL and heard the end before it returned.
        assert is_cancelled.is_set()
        goes_on.set()
    assert result.failure is not None
    assert result.failure.cause is Cause.CANCELLED
    assert not result.is_complete


def test_a_peer_that_ignores_a_cancel_is_left() -> None:
    cancel, over = Cancel(), threading.Event()

    def handle(_event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        cancel.set()
        over.wait(60)
        yield 0x0000, None

    with scp(CONTEXTS, [(evt.EVT_C_FIND, handle)]) as peer:
        result = find(peer, Level.STUDY, {}, calling_ae_title=OURS, timeouts=PATIENT, cancel=cancel)
        over.set()
    assert result.failure is not None
    assert result.failure.cause is Cause.CANCELLED


def test_a_peer_that_stops_in_the_middle() -> None:
    over = threading.Event()

    def handle(_event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        yield 0xFF00, _answer(PatientID="SYNTHETIC-T")
        over.wait(60)
        yield 0x0000, None

    with scp(CONTEXTS, [(evt.EVT_C_FIND, handle)]) as peer:
        timeouts = replace(PATIENT, dimse_seconds=1)
        result = find(peer, Level.STUDY, {}, calling_ae_title=OURS, timeouts=timeouts)
        over.set()
    assert len(result.matches) == 1
    assert result.failure is not None
    assert result.failure.cause is Cause.SILENT


def test_a_key_that_is_none_is_named() -> None:
    with pytest.raises(SettingsError, match="the query key NoSuchKeyword; expected a DICOM keyword"):
        find(Peer("PACS", "localhost", 104), Level.STUDY, {"NoSuchKeyword": "X"}, calling_ae_title=OURS)
