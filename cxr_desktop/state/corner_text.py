"""What stands in the corners of a picture: who, when, what. Nothing is made up: an absent attribute is no line."""

from __future__ import annotations

from typing import Literal

from cxr_desktop.state.patient_text import age, date, date_and_time, person_name
from cxr_desktop.state.records import InstanceRecord, LoadedImage

Corner = Literal["top left", "top right", "bottom left", "bottom right"]
CornerLines = dict[Corner, list[str]]


def corner_lines(loaded: LoadedImage, level: int) -> CornerLines:
    """The lines of each corner at a level: 0 nothing, 1 what tells patients, dates and views apart, 2 everything."""
    if level == 0:
        return {}
    record = loaded.record
    lines: CornerLines = {
        "top left": [person_name(record.patient_name), record.patient_id],
        "top right": [date_and_time(record.study_date, record.study_time if level == 2 else "")],
        "bottom left": [_view(record)],
    }
    if level == 2:
        lines["top left"].append(_person(record))
        lines["top right"] += [record.accession_number, record.study_description, record.institution]
        rows, columns = loaded.stored.shape
        attributes = loaded.image.attributes
        bits = "" if attributes is None else f", {attributes.bits_stored} bits"
        series = " ".join(filter(None, [record.modality, record.series_description]))
        number = f"image {record.instance_number}" if record.instance_number else ""
        lines["bottom right"] = [series, number, f"{columns} x {rows}{bits}"]
    return {corner: kept for corner, held in lines.items() if (kept := [line for line in held if line])}


def _person(record: InstanceRecord) -> str:
    born = date(record.patient_birth_date)
    return "  ".join(filter(None, [f"born {born}" if born else "", age(record.patient_age), record.patient_sex]))


def _view(record: InstanceRecord) -> str:
    side = {"L": "left", "R": "right", "B": "both sides"}.get(record.laterality.strip().upper(), "")
    return "  ".join(filter(None, [record.body_part, record.view_position, side]))
