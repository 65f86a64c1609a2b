"""The patient's age at the study, out of attributes that are often dirty (PS3.5 6.2 AS, PS3.3 C.7.2.2)."""

from __future__ import annotations

import re
from datetime import date

from pydicom.dataset import Dataset

_YEARS_PER_UNIT = {"D": 1 / 365.25, "W": 7 / 365.25, "M": 1 / 12, "Y": 1.0}
#: An older patient is taken for a wrong entry.
MAX_AGE_YEARS = 120.0


def age_years(dataset: Dataset) -> float | None:
    """Age in years from Patient's Age, else from birth date and study date; None when both are absent or implausible.

    Patient's Age is taken as 051Y, 08M, 003W, 012D, or a bare number of years.
    """
    text = str(dataset.get("PatientAge") or "").strip().upper()
    match = re.fullmatch(r"(\d{1,3})\s*([DWMY]?)", text)
    stated = _plausible(int(match[1]) * _YEARS_PER_UNIT[match[2] or "Y"]) if match else None
    if stated is not None:
        return stated
    born = _date(dataset.get("PatientBirthDate"))
    studied = _date(dataset.get("StudyDate")) or _date(dataset.get("AcquisitionDate"))
    if born and studied:
        return _plausible((studied - born).days / 365.25)
    return None


def _plausible(years: float) -> float | None:
    return years if 0 <= years <= MAX_AGE_YEARS else None


def _date(value: object) -> date | None:
    match = re.fullmatch(r"(\d{4})\.?(\d{2})\.?(\d{2})", str(value or "").strip())
    if not match:
        return None
    try:
        return date(int(match[1]), int(match[2]), int(match[3]))
    except ValueError:
        return None
