"""A data set without what identifies: built anew from what may stay, at every depth; the original is only read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag
from pydicom.uid import UID

from cxr_core.reading.patient_age import age_years
from cxr_desktop.output.confidentiality import (
    BASIC_PROFILE,
    CLEAN_PIXEL_DATA,
    DUMMIES,
    RETAIN_CHARACTERISTICS,
    action_of,
    is_valid,
)
from cxr_desktop.output.pseudonyms import Pseudonyms
from cxr_desktop.state.header import DAMAGE

METHOD = "PS3.15 2026c Basic Profile; CXR assistant"
#: Values that name somebody wherever they stand.
_IDENTIFIERS = (
    "PatientID",
    "OtherPatientIDs",
    "IssuerOfPatientID",
    "AccessionNumber",
    "InstitutionName",
    "StationName",
    "DeviceSerialNumber",
)
_SHORTEST = 3
#: Letters of an identifier with digits that is no part of another number by chance.
_NUMBER = 5
#: The oldest age that is told: there are few older people (45 CFR 164.514 (b)(2)(i)(C)).
_OLDEST_YEARS = 90
_TEXT = frozenset({"CS", "LO", "SH", "ST", "LT", "UC", "UT"})


@dataclass(slots=True)
class Deidentified:
    """What has become of a data set."""

    data_set: Dataset
    removed_text: set[str] = field(default_factory=set)
    """Values of text that are not to be found anywhere in the copy."""

    overlays: int = 0
    """Overlay planes that were removed."""


def deidentified(
    original: Dataset, pseudonyms: Pseudonyms, *, retain_characteristics: bool = False, cleaned_pixels: bool = False
) -> Deidentified:
    """A copy of a data set by the Basic Application Level Confidentiality Profile (PS3.15 E.2).

    Pixel data are taken over as they are, by reference. A value that cannot be read is left out; one that is not what
    its VR says, and a text in which a name or an identifier stands, are emptied.

    Parameters
    ----------
    original : Dataset
        As it was parsed; it is not changed.
    retain_characteristics : bool
        Keep age and sex (PS3.15 E.3.7). An age above 90 years becomes 90.
    cleaned_pixels : bool
        Text was taken out of the pixels: it is said so (PS3.15 E.3.1).
    """
    walk = _Walk(pseudonyms, _names_in(original))
    copy = walk.copied(original)
    result = Deidentified(copy, walk.removed_text, len(_overlay_groups(original)))
    who = pseudonyms.patient(identity_of(original))
    copy.PatientName, copy.PatientID = f"ANON^{who}", f"ANON-{who}"
    # Type 2 (PS3.3 C.7.1.1, C.7.2.1): there, and empty.
    for keyword in ("PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "AccessionNumber", "StudyID"):
        setattr(copy, keyword, "")
    copy.ReferringPhysicianName = ""
    codes = [BASIC_PROFILE]
    if retain_characteristics:
        codes.append(RETAIN_CHARACTERISTICS)
        _keep_characteristics(original, copy)
    if cleaned_pixels:
        codes.append(CLEAN_PIXEL_DATA)
        copy.BurnedInAnnotation = "NO"
    copy.PatientIdentityRemoved = "YES"
    copy.DeidentificationMethod = METHOD
    copy.DeidentificationMethodCodeSequence = Sequence(_code(*code) for code in codes)
    copy.LongitudinalTemporalInformationModified = "REMOVED"
    copy.SpecificCharacterSet = "ISO_IR 192"
    return result


def identity_of(data_set: Dataset) -> str:
    """What tells patients apart: Patient ID with its issuer, else the name; without either the study."""
    parts = [_text(data_set, keyword) for keyword in ("PatientID", "IssuerOfPatientID", "PatientName")]
    if parts[0]:
        return f"id\0{parts[0]}\0{parts[1]}"
    return f"name\0{parts[2]}" if parts[2] else f"study\0{_text(data_set, 'StudyInstanceUID')}"


def _text(data_set: Dataset, keyword: str) -> str:
    try:
        return str(data_set.get(keyword) or "").strip(" \0")
    except DAMAGE:
        return ""  # damaged: as if it were not there


def _keep_characteristics(original: Dataset, copy: Dataset) -> None:
    sex = _text(original, "PatientSex").upper()
    copy.PatientSex = sex if sex in ("M", "F", "O") else ""
    years, stated = age_years(original), _text(original, "PatientAge").upper()
    if years is None:
        return
    if years > _OLDEST_YEARS:
        stated = f"{_OLDEST_YEARS:03d}Y"
    elif re.fullmatch(r"\d{3}[DWMY]", stated) is None:
        # From a date of birth that is not in the copy; of a small child in months.
        stated = f"{int(years * 12):03d}M" if years < 2 else f"{int(years):03d}Y"
    copy.PatientAge = stated


def _code(value: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "DCM", meaning
    return item


def _overlay_groups(data_set: Dataset) -> set[int]:
    return {tag.group for tag in data_set.keys() if 0x6000 <= tag.group < 0x6020 and not tag.is_private}  # noqa: SIM118


def _elements(data_set: Dataset) -> Iterator[DataElement]:
    """Those that can be read; what cannot is not there for anybody."""
    for tag in list(data_set.keys()):
        try:
            element = data_set[tag]
        except Exception:  # noqa: BLE001, S112  # pydicom converts on access and raises many kinds of errors
            continue
        yield element


def _names_in(data_set: Dataset) -> set[str]:
    """Words that name somebody, anywhere in a data set: parts of names, and identifiers; case folded."""
    words: set[str] = set()
    for element in _elements(data_set):
        if element.VR == "SQ":
            for item in element.value:
                words |= _names_in(item)
        elif element.VR == "PN":
            words |= {part for value in _values(element) for part in re.split(r"[\^= ,.]+", value.casefold())}
        elif element.keyword in _IDENTIFIERS:
            words |= {value.casefold().strip() for value in _values(element)}
    return {word for word in words if len(word) >= _SHORTEST or (len(word) > 1 and not word.isascii())}


def _pattern_of(names: set[str]) -> re.Pattern[str]:
    """Finds words by themselves, for a name may be a part of an innocent word; numbers wherever they stand."""
    parts = []
    for name in sorted(names):
        within = len(name) >= _NUMBER and any(letter.isdigit() for letter in name)
        parts.append(re.escape(name) if within else rf"(?<![^\W_]){re.escape(name)}(?![^\W_])")
    return re.compile("|".join(parts))


def _values(element: DataElement) -> list[str]:
    if element.is_empty:
        return []
    return [str(value) for value in element.value] if element.VM > 1 else [str(element.value)]


class _Walk:
    """Through one data set and what is nested in it."""

    def __init__(self, pseudonyms: Pseudonyms, names: set[str]) -> None:
        self._pseudonyms = pseudonyms
        self._names = _pattern_of(names) if names else None
        self.removed_text = set(names)

    def copied(self, original: Dataset) -> Dataset:
        """A new data set with what stays."""
        copy = Dataset()
        for element in _elements(original):
            made = self._made(element)
            if made is not None:
                copy.add(made)
            if made is None or (element.VR != "SQ" and made.value != element.value):
                self._note(element)
        return copy

    def _made(self, element: DataElement) -> DataElement | None:
        tag, vr = element.tag, element.VR
        match action_of(tag, vr):
            case "remove":
                return None
            case "empty":
                return DataElement(tag, vr, Sequence() if vr == "SQ" else None)
            case "dummy":
                if vr == "UI":
                    return self._with_uids(element)
                return DataElement(tag, vr, DUMMIES[vr]) if vr in DUMMIES else None
            case "uid" if vr == "UI":
                return self._with_uids(element)
        return self._sequence(element) if vr == "SQ" else self._kept(element)

    def _sequence(self, element: DataElement) -> DataElement | None:
        items = [item for original in element.value if (item := self.copied(original))]
        return DataElement(element.tag, "SQ", Sequence(items)) if items else None

    def _with_uids(self, element: DataElement) -> DataElement:
        uids = [
            value if UID(value).name != value else self._pseudonyms.uid(value)  # those of the standard have a name
            for value in (value.strip(" \0") for value in _values(element))
        ]
        return DataElement(element.tag, "UI", uids)

    def _kept(self, element: DataElement) -> DataElement | None:
        tag, vr = element.tag, element.VR
        values = _values(element) if vr in _TEXT or vr in ("AS", "DS", "IS") else []
        named = vr in _TEXT and self._names is not None and any(map(self._names.search, map(str.casefold, values)))
        if named or not all(is_valid(vr, value) for value in values):
            return DataElement(tag, vr, None)  # it may be one that has to be there
        made = DataElement(tag, vr, element.value)
        made.is_undefined_length = element.is_undefined_length
        return made

    def _note(self, element: DataElement) -> None:
        """Remember a text that was taken out, of nested ones as well."""
        if element.VR == "SQ":
            for item in element.value:
                for inner in _elements(item):
                    self._note(inner)
        elif isinstance(element.value, bytes) and BaseTag(element.tag).is_private:
            self.removed_text.add(element.value.decode("latin-1").strip(" \0"))
        elif element.VR not in ("DS", "IS") and not isinstance(element.value, bytes):
            self.removed_text.update(value.strip() for value in _values(element))
