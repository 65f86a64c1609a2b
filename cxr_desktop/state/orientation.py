"""Which side of the patient is at which edge of the picture (Patient Orientation, PS3.3 C.7.6.1.1.1)."""

from __future__ import annotations

from dataclasses import dataclass

from pydicom.dataset import Dataset

from cxr_desktop.state.header import values_of

_OPPOSITE = {"A": "P", "P": "A", "R": "L", "L": "R", "H": "F", "F": "H"}


@dataclass(frozen=True, slots=True)
class EdgeLetters:
    """What is to be written at each edge: A, P, R, L, H, F or up to three of them; "" where it is not known."""

    left: str = ""
    top: str = ""
    right: str = ""
    bottom: str = ""


def patient_orientation(data_set: Dataset | None) -> tuple[str, str]:
    """Directions of (the rows to the right, the columns down), "" for one that is absent or makes no sense.

    Nothing is concluded from anything else: a film without Patient Orientation gets no letters.
    """
    value = values_of(data_set, "PatientOrientation")
    if len(value) != 2:
        return "", ""
    row, column = (_direction(str(part)) for part in value)
    axes = [{min(letter, _OPPOSITE[letter]) for letter in direction[:1]} for direction in (row, column)]
    if axes[0] & axes[1]:
        return "", ""  # rows and columns cannot run along the same axis of the patient
    return row, column


def _direction(text: str) -> str:
    letters = text.strip().upper()
    axes = {min(letter, _OPPOSITE.get(letter, letter)) for letter in letters}
    valid = 1 <= len(letters) <= 3 and set(letters) <= set(_OPPOSITE) and len(axes) == len(letters)
    return letters if valid else ""


def opposite(direction: str) -> str:
    """The other way."""
    return "".join(_OPPOSITE[letter] for letter in direction)


def edge_letters(orientation: tuple[str, str], *, quarter_turns: int, flipped: bool) -> EdgeLetters:
    """The letters at the edges of a picture that is first flipped left to right, then turned clockwise."""
    row, column = orientation
    edges = [opposite(row), opposite(column), row, column]  # left, top, right, bottom
    if flipped:
        edges[0], edges[2] = edges[2], edges[0]
    turns = quarter_turns % 4
    edges = edges[-turns:] + edges[:-turns] if turns else edges  # what was left is then at the top
    return EdgeLetters(*edges)
