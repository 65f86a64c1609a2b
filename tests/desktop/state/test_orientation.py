"""Orientation letters: Patient Orientation, turns and flips."""

from __future__ import annotations

import pytest

from cxr_desktop.state.orientation import EdgeLetters, edge_letters, patient_orientation
from tests.dicom_builder import header


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (["L", "F"], ("L", "F")),
        (["A", "FR"], ("A", "FR")),
        (["", "F"], ("", "F")),
        (["l ", "f"], ("L", "F")),
        (None, ("", "")),
        (["L"], ("", "")),
        (["L", "R"], ("", "")),
        (["L", "L"], ("", "")),
        (["LR", "F"], ("", "F")),
        (["X", "F"], ("", "F")),
        (["LFPA", "F"], ("", "F")),
        (["L", "F", "A"], ("", "")),
    ],
)
def test_nothing_is_made_up(written: list[str] | None, read: tuple[str, str]) -> None:
    assert patient_orientation(header(PatientOrientation=written)) == read


def test_a_picture_without_header_has_no_letters() -> None:
    assert edge_letters(patient_orientation(None), quarter_turns=1, flipped=True) == EdgeLetters()


@pytest.mark.parametrize(
    ("turns", "flipped", "letters"),
    [
        (0, False, "RHLF"),
        (0, True, "LHRF"),
        (1, False, "FRHL"),
        (2, False, "LFRH"),
        (3, False, "HLFR"),
        (1, True, "FLHR"),
        (2, True, "RFLH"),
        (3, True, "HRFL"),
    ],
)
def test_letters_follow_turns_and_flips(turns: int, flipped: bool, letters: str) -> None:
    found = edge_letters(("L", "F"), quarter_turns=turns, flipped=flipped)
    assert "".join((found.left, found.top, found.right, found.bottom)) == letters


def test_every_letter_is_turned_to_its_opposite() -> None:
    assert edge_letters(("A", "FR"), quarter_turns=0, flipped=False) == EdgeLetters("P", "HL", "A", "FR")
