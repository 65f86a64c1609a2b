"""How the film was taken, as the header says it: the view (PA, AP) and the patient's position (erect, supine)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from cxr_core.chest_image import HeaderFacts

View = Literal["PA", "AP", "other"]
Position = Literal["erect", "semi-erect", "recumbent"]

#: CID 4010 DX View (PS3.16) as SNOMED CT, and the retired codes of the same views.
_PA_CODES = frozenset({"272479007", "R-40888", "R-10214"})
_AP_CODES = frozenset({"399348003", "R-10206"})
#: These say frontal, not from which side.
_FRONTAL_CODES = frozenset({"399033003", "R-10202"})

#: CID 19 Patient Orientation and CID 20 its modifiers (PS3.16): code to position, retired codes as well.
_POSITION_CODES: dict[str, Position] = {
    "C86043": "erect",
    "10904000": "erect",  # standing
    "33586001": "erect",  # sitting
    "102539006": "semi-erect",
    "102538003": "recumbent",
    "40199007": "recumbent",  # supine
    "1240000": "recumbent",  # prone
    "F-10320": "erect",
    "F-103A0": "erect",
    "F-10460": "semi-erect",
    "F-10450": "recumbent",
    "F-10340": "recumbent",
    "F-10310": "recumbent",
}


def view_of(facts: HeaderFacts) -> View | None:
    """The view that View Position and View Code Sequence agree on; None where they do not say PA or AP."""
    position = re.sub(r"[^A-Z]", "", facts.view_position or "")
    said = {_view_of_position(position), _view_of_code(facts.view_code)} - {None}
    return said.pop() if len(said) == 1 else None


def _view_of_position(position: str) -> View | None:
    if position in ("PA", "AP"):
        return "PA" if position == "PA" else "AP"
    return None if position in ("", "FRONTAL") else "other"


def _view_of_code(code: tuple[str, str] | None) -> View | None:
    if code is None or code[0] in _FRONTAL_CODES:
        return None
    if code[0] in _PA_CODES:
        return "PA"
    return "AP" if code[0] in _AP_CODES else "other"


def position_of(data_set: Dataset | None) -> Position | None:
    """How the patient stood or lay (PS3.3 C.8.11.5: Patient Orientation Code Sequence, Patient Position).

    The least upright of what is said: a modifier is nearer to the truth than its code, and supine must not be missed.
    """
    if data_set is None:
        return None
    said = {_POSITION_CODES.get(code) for code in _position_codes(data_set)}
    # PS3.3 C.7.3.1.1.2: head, feet, left ... first, then how the patient lies. A patient on a table lies.
    if re.fullmatch(r"[HFLRAP]F(S|P|DL|DR)", str(data_set.get("PatientPosition") or "").strip().upper()):
        said.add("recumbent")
    order: tuple[Position, ...] = ("recumbent", "semi-erect", "erect")
    return next((position for position in order if position in said), None)


def _position_codes(data_set: Dataset) -> list[str]:
    codes = []
    for item in _items(data_set, "PatientOrientationCodeSequence"):
        codes.append(str(item.get("CodeValue") or "").strip())
        codes += [str(part.get("CodeValue") or "").strip() for part in _items(item, _MODIFIERS)]
    return codes


_MODIFIERS = "PatientOrientationModifierCodeSequence"


def _items(data_set: Dataset, keyword: str) -> list[Dataset]:
    """The items of a sequence; a damaged header may hold something else in its place."""
    value = data_set.get(keyword)
    return (
        list(value) if value is not None and not isinstance(value, (str, bytes)) and hasattr(value, "__iter__") else []
    )
