"""Search in any script."""

from __future__ import annotations

import pytest

from cxr_desktop.state.browser import Browser
from cxr_desktop.state.records import InstanceRecord
from cxr_desktop.state.search import query_words, searched_text

RECORD = InstanceRecord(
    "/films/IM-0001.dcm",
    "image",
    patient_name="Müller-Łuczak^Søren=山田^太郎=やまだ^たろう",
    patient_id="AB-0071",
    accession_number="ACC/9",
    study_date="20240305",
    study_description="Thorax p.a. STRASSE",
)
#: As a Japanese keyboard writes it.
WIDE = "".join(chr(ord(letter) + 0xFEE0) for letter in "ab-0071")
CYRILLIC = InstanceRecord("a", "image", patient_name="Ёлкин^Андрей")
GREEK = InstanceRecord("a", "image", patient_name="Παπαδόπουλος^Άρης")
HANGUL = InstanceRecord("a", "image", patient_name="Hong^Gildong=洪^吉洞=홍^길동")


def found(record: InstanceRecord, typed: str) -> bool:
    """Whether the list shows it."""
    browser = Browser()
    browser.add([record], [searched_text(record)])
    browser.find(query_words(typed))
    return bool(browser.patients)


@pytest.mark.parametrize(
    ("record", "typed"),
    [
        (RECORD, ""),
        (RECORD, "muller"),
        (RECORD, "MÜLLER"),
        (RECORD, "Mu\u0308ller"),
        (RECORD, "luczak soren"),
        (RECORD, "Müller^Søren"),
        (RECORD, "soren, muller"),
        (RECORD, "山田"),
        (RECORD, "山田太郎"),
        (RECORD, "太郎 山田"),
        (RECORD, "やまだ"),
        (RECORD, "ヤマダ"),
        (RECORD, "ﾔﾏﾀﾞ"),
        (RECORD, WIDE),
        (RECORD, "0071"),
        (RECORD, "acc/9"),
        (RECORD, "20240305"),
        (RECORD, "2024-03"),
        (RECORD, "2024-03-05"),
        (RECORD, "03/2024"),
        (RECORD, "3/2024"),
        (RECORD, "05.03.2024"),
        (RECORD, "03/05/2024"),
        (RECORD, "straße"),
        (RECORD, "thorax im-0001"),
        (CYRILLIC, "елкин"),
        (CYRILLIC, "ЁЛКИН АНДРЕЙ"),
        (GREEK, "παπαδοπουλοσ"),
        (GREEK, "ΑΡΗΣ"),
        (HANGUL, "홍길동"),
        (HANGUL, "洪吉洞"),
        (HANGUL, "gildong hong"),
    ],
)
def test_found(record: InstanceRecord, typed: str) -> None:
    assert found(record, typed)


@pytest.mark.parametrize("typed", ["miller", "やまた", "2024-04", "04/2024", "muller anna", "films", "%", "かまだ"])
def test_not_found(typed: str) -> None:
    assert not found(RECORD, typed)


def test_month_of_one_digit_is_not_taken_for_the_end_of_one_of_two() -> None:
    november = InstanceRecord("a", "image", study_date="20241115")
    assert not found(november, "1/2024")
    assert found(november, "11/2024")
