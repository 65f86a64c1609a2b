"""What a query finds: a typed record beside the raw data set, of any level, by C-FIND or QIDO-RS."""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue


class Level(StrEnum):
    """Query/Retrieve Level (0008,0052). PATIENT is asked in the Patient Root model, the others in Study Root."""

    PATIENT = "PATIENT"
    STUDY = "STUDY"
    SERIES = "SERIES"
    IMAGE = "IMAGE"


_PATIENT = ("PatientID", "IssuerOfPatientID", "PatientName", "PatientBirthDate", "PatientSex")

#: What is asked back at each level beside the keys (PS3.4 C.6.1.1, C.6.2.1); a peer leaves out what it does not know.
RETURN_KEYS: dict[Level, tuple[str, ...]] = {
    Level.PATIENT: (*_PATIENT, "NumberOfPatientRelatedStudies"),
    Level.STUDY: (
        *_PATIENT,
        "StudyInstanceUID",
        "StudyID",
        "StudyDate",
        "StudyTime",
        "AccessionNumber",
        "StudyDescription",
        "ModalitiesInStudy",
        "NumberOfStudyRelatedSeries",
        "NumberOfStudyRelatedInstances",
    ),
    Level.SERIES: (
        "StudyInstanceUID",
        "SeriesInstanceUID",
        "Modality",
        "SeriesNumber",
        "SeriesDescription",
        "BodyPartExamined",
        "NumberOfSeriesRelatedInstances",
    ),
    Level.IMAGE: ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID", "InstanceNumber"),
}
_COUNTS = {Level.STUDY: "NumberOfStudyRelatedInstances", Level.SERIES: "NumberOfSeriesRelatedInstances"}


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Match:
    """One answer. What its level has not, or the peer does not say, is empty or None; so is what cannot be parsed.

    It has no text of its own: patient data are not for logs.
    """

    level: Level
    data_set: Dataset
    """As the peer sent it; its text is read by the character set that it names itself."""

    patient_id: str
    issuer_of_patient_id: str
    patient_name: str
    """With its carets and equals signs (PS3.5 6.2.1)."""

    patient_birth_date: datetime.date | None
    patient_sex: str
    study_instance_uid: str
    study_id: str
    study_date: datetime.date | None
    study_time: datetime.time | None
    accession_number: str
    study_description: str
    modalities_in_study: tuple[str, ...]
    series_instance_uid: str
    series_number: int | None
    modality: str
    series_description: str
    body_part_examined: str
    sop_instance_uid: str
    sop_class_uid: str
    instance_number: int | None
    series_count: int | None
    """Of a study."""

    instance_count: int | None
    """Of a study or series."""

    @classmethod
    def of(cls, level: Level, data_set: Dataset) -> Match:
        """Parse what can be parsed."""
        return cls(
            level=level,
            data_set=data_set,
            patient_id=_text(data_set, "PatientID"),
            issuer_of_patient_id=_text(data_set, "IssuerOfPatientID"),
            patient_name=_text(data_set, "PatientName"),
            patient_birth_date=_date(data_set, "PatientBirthDate"),
            patient_sex=_text(data_set, "PatientSex"),
            study_instance_uid=_text(data_set, "StudyInstanceUID"),
            study_id=_text(data_set, "StudyID"),
            study_date=_date(data_set, "StudyDate"),
            study_time=_time(data_set, "StudyTime"),
            accession_number=_text(data_set, "AccessionNumber"),
            study_description=_text(data_set, "StudyDescription"),
            modalities_in_study=tuple(filter(None, _text(data_set, "ModalitiesInStudy").split("\\"))),
            series_instance_uid=_text(data_set, "SeriesInstanceUID"),
            series_number=_number(data_set, "SeriesNumber"),
            modality=_text(data_set, "Modality"),
            series_description=_text(data_set, "SeriesDescription"),
            body_part_examined=_text(data_set, "BodyPartExamined"),
            sop_instance_uid=_text(data_set, "SOPInstanceUID"),
            sop_class_uid=_text(data_set, "SOPClassUID"),
            instance_number=_number(data_set, "InstanceNumber"),
            series_count=_number(data_set, "NumberOfStudyRelatedSeries"),
            instance_count=_number(data_set, _COUNTS[level]) if level in _COUNTS else None,
        )


def _text(data_set: Dataset, keyword: str) -> str:
    """The value, several ones with backslashes between them."""
    try:
        value: Any = data_set.get(keyword)
    except Exception:  # noqa: BLE001  # pydicom parses on access, and peers send everything
        return ""
    if value is None:
        return ""
    return "\\".join(map(str, value)) if isinstance(value, MultiValue | list) else str(value).strip()


def _number(data_set: Dataset, keyword: str) -> int | None:
    text = _text(data_set, keyword)
    return int(text) if re.fullmatch(r"[+-]?\d{1,12}", text, re.ASCII) else None


def _date(data_set: Dataset, keyword: str) -> datetime.date | None:
    """DA, or the 1993.12.31 of ACR-NEMA (PS3.5 6.2)."""
    digits = _text(data_set, keyword).replace(".", "")
    try:
        return datetime.date(int(digits[:4]), int(digits[4:6]), int(digits[6:])) if digits.isdecimal() else None
    except ValueError:
        return None


def _time(data_set: Dataset, keyword: str) -> datetime.time | None:
    """TM: HH, HHMM or HHMMSS with a fraction, or with colons (PS3.5 6.2)."""
    found = re.fullmatch(r"(\d\d):?(\d\d)?:?(\d\d)?(?:\.(\d{1,6}))?", _text(data_set, keyword), re.ASCII)
    if found is None:
        return None
    hour, minute, second, fraction = (group or "0" for group in found.groups())
    try:
        # 60 is a leap second.
        return datetime.time(int(hour), int(minute), min(int(second), 59), int(fraction.ljust(6, "0")))
    except ValueError:
        return None
