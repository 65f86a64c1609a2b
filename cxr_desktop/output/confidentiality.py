"""What is done with each attribute of an anonymised copy: PS3.15 Table E.1-1, Basic Application Level Confidentiality.

The table is dicom-anonymizer's (edition 2026c). Where it leaves a choice, it is made for the images that we write (CR,
DX, SC): an attribute of type 3 there is removed, one of type 2 is emptied, so that the copy stays valid.
"""

from __future__ import annotations

import re
from typing import Final, Literal

from dicomanonymizer.dicom_anonymization_databases import dicomfields_2026c as table  # type: ignore[import-untyped]  # no stubs
from pydicom.datadict import dictionary_has_tag, dictionary_is_retired, tag_for_keyword
from pydicom.tag import BaseTag

#: remove; empty; dummy: another value of no meaning; uid: another UID, the same for the same; keep.
Action = Literal["remove", "empty", "dummy", "uid", "keep"]

#: Table E.1-1a by code: D, Z, X, U, and what is chosen of combined codes.
_CHOICES: Final[dict[Action, list[tuple[int, ...]]]] = {
    "dummy": [*table.D_TAGS],
    "empty": [*table.Z_TAGS, *table.Z_D_TAGS, *table.X_Z_TAGS],
    "remove": [*table.X_TAGS, *table.X_D_TAGS, *table.X_Z_D_TAGS],
    "uid": [*table.U_TAGS, *table.X_Z_U_STAR_TAGS],
}
ACTIONS: Final[dict[int, Action]] = {
    tag[0] << 16 | tag[1]: action for action, tags in _CHOICES.items() for tag in tags if len(tag) == 2
}
#: Of repeating groups: (tag, mask, action).
_MASKED: Final[list[tuple[int, int, Action]]] = [
    (tag[0] << 16 | tag[1], tag[2] << 16 | tag[3], action)
    for action, tags in _CHOICES.items()
    for tag in tags
    if len(tag) == 4
]


def _tag(keyword: str) -> int:
    tag = tag_for_keyword(keyword)
    assert tag is not None, keyword
    return tag


_OURS: Final[dict[int, Action]] = {
    # X in Table E.1-1, and not in the library's.
    _tag("ContributingEquipmentSequence"): "remove",
    # Free text of a content item: no picture depends on it.
    _tag("TextValue"): "remove",
    # Optional, and an empty sequence of it is not allowed (PS3.3 C.7.2.1).
    _tag("ReferencedStudySequence"): "remove",
    # Written anew.
    _tag("PatientIdentityRemoved"): "remove",
    _tag("DeidentificationMethod"): "remove",
    _tag("DeidentificationMethodCodeSequence"): "remove",
    _tag("LongitudinalTemporalInformationModified"): "remove",
    _tag("SpecificCharacterSet"): "remove",
}
#: No picture depends on these, so what the table does not know of them goes as well.
_REMOVED_VRS: Final = frozenset({"PN", "DA", "DT", "TM", "AE", "UR", "OB", "OW", "OF", "OD", "OL", "OV", "UN"})
_PICTURE: Final = frozenset(
    _tag(keyword)
    for keyword in (
        "PixelData",
        "LUTData",
        "RedPaletteColorLookupTableData",
        "GreenPaletteColorLookupTableData",
        "BluePaletteColorLookupTableData",
        "SegmentedRedPaletteColorLookupTableData",
        "SegmentedGreenPaletteColorLookupTableData",
        "SegmentedBluePaletteColorLookupTableData",
    )
)
#: PS3.5 6.2, a little wider where equipment is careless and a reader understands it.
_VALID: Final = {
    "CS": re.compile(r"[A-Za-z0-9_ .+/-]{0,16}"),
    "AS": re.compile(r"\d{3}[DWMY]|"),
    "DS": re.compile(r" *[-+]?[0-9.]+([eE][-+]?\d+)? *|"),
    "IS": re.compile(r" *[-+]?\d+ *|"),
}


def action_of(tag: BaseTag, vr: str) -> Action:
    """What is done with an element, at whatever depth it stands.

    Goes beyond the table: private and unknown attributes, retired ones, whole overlay and curve groups, and kinds of
    values that no picture needs are removed.
    """
    group = tag.group
    if group < 0x0008 or group % 2 or 0x5000 <= group < 0x5100 or 0x6000 <= group < 0x6100:
        return "remove"
    if tag in _OURS:
        return _OURS[tag]
    if tag in ACTIONS:
        action = ACTIONS[tag]
        return "remove" if action == "dummy" and vr == "SQ" else action  # none is required in an image
    for value, mask, masked in _MASKED:
        if tag & mask == value & mask:
            return masked
    if tag in _PICTURE:
        return "keep"
    if tag.element == 0 or not dictionary_has_tag(tag) or dictionary_is_retired(tag) or vr in _REMOVED_VRS:
        return "remove"
    return "uid" if vr == "UI" else "keep"


def is_valid(vr: str, value: str) -> bool:
    """Whether a value is what its VR says; where it is not, anything may stand there, a name as well."""
    pattern = _VALID.get(vr)
    if pattern is not None:
        return pattern.fullmatch(value) is not None
    return value.replace("\n", "").replace("\r", "").replace("\t", "").replace("\f", "").isprintable()


#: A value of no meaning by VR, for attributes that may not be empty.
DUMMIES: Final[dict[str, str | bytes | int]] = {
    "AE": "ANONYMIZED",
    "AS": "000Y",
    "CS": "ANONYMIZED",
    "DA": "19000101",
    "DS": "0",
    "DT": "19000101000000",
    "IS": "0",
    "LO": "ANONYMIZED",
    "LT": "ANONYMIZED",
    "OB": b"\0\0",
    "PN": "ANONYMIZED",
    "SH": "ANONYMIZED",
    "ST": "ANONYMIZED",
    "TM": "000000",
    "UC": "ANONYMIZED",
    "UR": "",
    "US": 0,
    "UT": "ANONYMIZED",
}

#: CID 7050 De-identification Method (PS3.16).
BASIC_PROFILE = ("113100", "Basic Application Confidentiality Profile")
CLEAN_PIXEL_DATA = ("113101", "Clean Pixel Data Option")
RETAIN_CHARACTERISTICS = ("113108", "Retain Patient Characteristics Option")
