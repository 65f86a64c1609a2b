"""Names, dates and ages, written for people."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cxr_desktop.state import patient_text
from cxr_desktop.state.records import InstanceRecord


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("", ""),
        ("DOE", "DOE"),
        ("Doe^Jane^Q^Dr.^MD", "Doe, Dr. Jane Q, MD"),
        ("Yamada^Tarou=山田^太郎=やまだ^たろう", "Yamada, Tarou (山田 太郎, やまだ たろう)"),
        ("=山田^太郎", "山田 太郎"),
        ("Hong^Gildong=洪^吉洞=홍^길동", "Hong, Gildong (洪 吉洞, 홍 길동)"),
        ("Иванов^Иван^Иванович", "Иванов, Иван Иванович"),
        ("^Jane", "Jane"),
        ("^", ""),
        ("a^b^c^d^e^f^g", "a, d b c, e"),
    ],
)
def test_person_name(name: str, shown: str) -> None:
    assert patient_text.person_name(name) == shown


def test_dates_times_and_ages() -> None:
    assert [patient_text.date(value) for value in ("20240315", "2024.03.15", "", "soon")] == [
        "2024-03-15",
        "2024-03-15",
        "",
        "soon",
    ]
    assert [patient_text.time_of_day(value) for value in ("101500.25", "1015", "10:15:00", "")] == ["10:15"] * 3 + [""]
    assert patient_text.date_and_time("20240315", "1015") == "2024-03-15 10:15"
    assert (patient_text.date_and_time("2024", ""), patient_text.date_and_time("", "1015")) == ("2024", "")
    assert [patient_text.age(value) for value in ("003Y", "008M", "51", "")] == ["3 y", "8 months", "51", ""]


def test_lines() -> None:
    film = InstanceRecord(
        "/x/a.zip!b/c.dcm",
        "image",
        patient_id="P1",
        patient_sex="F",
        patient_birth_date="20210102",
        patient_age="003Y",
        study_date="20240315",
        study_time="1015",
        study_description="CHEST",
        modality="CR",
        view_position="PA",
    )
    assert patient_text.patient_line(film) == "ID P1, female, born 2021-01-02"
    assert patient_text.patient_line(replace(film, patient_sex="O")) == "ID P1, sex O, born 2021-01-02"
    lateral = replace(film, view_position="LL")
    assert patient_text.several_line([film, lateral, replace(film, kind="other")]) == "3 files: PA, LL"
    assert patient_text.study_line(film) == "2024-03-15 10:15  CHEST"
    assert patient_text.image_line(film) == "CR, PA, 3 y"
    assert (patient_text.file_name(film), patient_text.folder_name(film)) == ("c.dcm", "a.zip")
    picture = InstanceRecord("/x/cases/a.png", "image", rows=60, columns=40)
    assert patient_text.patient_line(picture) == "no patient ID"
    assert patient_text.study_line(picture) == "a.png"
    assert patient_text.image_line(picture) == "40 x 60 pixels"
    assert patient_text.folder_name(picture) == "cases"
