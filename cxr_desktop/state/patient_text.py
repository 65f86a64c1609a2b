"""What DICOM says of patients and studies, written for people."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePath

from cxr_desktop.state.records import InstanceRecord


def person_name(name: str) -> str:
    """A person name (PS3.5 6.2.1): "Family, Given Middle (Suffix)"; ideographic and phonetic groups in brackets."""
    groups = [_group(group) for group in name.split("=")]
    shown = [group for group in groups if group]
    if not shown:
        return ""
    return shown[0] + (f" ({', '.join(shown[1:])})" if shown[1:] else "")


def _group(group: str) -> str:
    family, given, middle, prefix, suffix = [*(part.strip() for part in group.split("^")), "", "", "", "", ""][:5]
    given = " ".join(part for part in (prefix, given, middle) if part)
    if not group.isascii() and _written_together(group):
        text = " ".join(part for part in (family, given) if part)
    else:
        text = ", ".join(part for part in (family, given) if part)
    return ", ".join(part for part in (text, suffix) if part)


def _written_together(group: str) -> bool:
    """Whether it is of a script that sets no comma between names: Chinese, Japanese, Korean."""
    return any("\u3040" <= c <= "\u9fff" or "\uac00" <= c <= "\ud7af" for c in group)


def date(value: str) -> str:
    """A DICOM date as 2024-03-15; what is no date as it stands."""
    found = re.fullmatch(r"(\d{4})\.?(\d{2})\.?(\d{2})", value)
    return "-".join(found.groups()) if found else value


def time_of_day(value: str) -> str:
    """A DICOM time as 10:15; "" where it is none."""
    found = re.match(r"(\d{2}):?(\d{2})", value)
    return f"{found[1]}:{found[2]}" if found else ""


def date_and_time(day: str, time: str) -> str:
    """A DICOM date and time as 2024-03-15 10:15; no time without a date."""
    return " ".join(part for part in (date(day), time_of_day(time)) if part) if day else ""


def age(value: str) -> str:
    """A DICOM age (PS3.5 6.2, AS) as 3 y, 8 months, ...; what is none as it stands."""
    found = re.fullmatch(r"(\d{3})([DWMY])", value)
    units = {"D": "days", "W": "weeks", "M": "months", "Y": "y"}
    return f"{int(found[1])} {units[found[2]]}" if found else value


def patient_line(record: InstanceRecord) -> str:
    """ID, sex and date of birth in one line."""
    parts = [
        f"ID {record.patient_id}" if record.patient_id else "no patient ID",
        {"M": "male", "F": "female", "": ""}.get(record.patient_sex, f"sex {record.patient_sex}"),
        f"born {date(record.patient_birth_date)}" if record.patient_birth_date else "",
    ]
    return ", ".join(part for part in parts if part)


def study_line(record: InstanceRecord) -> str:
    """Date, time and description of the study in one line; the file's name where there is none of them."""
    when = date_and_time(record.study_date, record.study_time)
    return "  ".join(part for part in (when, record.study_description) if part) or file_name(record)


def image_line(record: InstanceRecord) -> str:
    """What tells one image of a study from the next: modality, view and side, description, age."""
    parts = [record.modality, record.view_position, record.laterality, record.series_description]
    if record.patient_age:
        parts.append(age(record.patient_age))
    return ", ".join(part for part in parts if part) or f"{record.columns} x {record.rows} pixels"


def several_line(records: Sequence[InstanceRecord]) -> str:
    """What a study of several files holds: their number, and the views of its images."""
    views = [record.view_position for record in records if record.kind == "image" and record.view_position]
    return f"{len(records)} files" + (f": {', '.join(views)}" if views else "")


def file_name(record: InstanceRecord) -> str:
    """The last part of where it is; an archive member's own."""
    return PurePath(record.name.rpartition("!")[2]).name


def folder_name(record: InstanceRecord) -> str:
    """The folder or archive that it is in."""
    outer, sign, _ = record.name.rpartition("!")
    return PurePath(outer).name if sign else PurePath(record.name).parent.name
