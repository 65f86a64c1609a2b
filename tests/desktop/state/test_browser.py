"""Records as a tree: grouped by patient, newest first, whatever the order in which they arrive."""

from __future__ import annotations

import itertools
import random

import pytest

from cxr_desktop.state.browser import Browser, first_to_see
from cxr_desktop.state.records import InstanceRecord
from cxr_desktop.state.search import query_words, searched_text


def record(name: str, patient: str = "P1", study: str = "S1", date: str = "20240101", **fields: str) -> InstanceRecord:
    values = {"kind": "image", "patient_name": f"NAME^{patient}", "study_time": "", **fields}
    return InstanceRecord(
        name, patient_id=patient, study_instance_uid=study, study_date=date, sop_instance_uid=f"uid-{name}", **values
    )


def filled(*records: InstanceRecord) -> Browser:
    browser = Browser()
    browser.add(records, map(searched_text, records))
    return browser


def tree(browser: Browser) -> list[tuple[str, list[list[str]]]]:
    return [(p.key[1], [[r.name for r in study.records] for study in p.studies]) for p in browser.patients]


RECORDS = [
    record("old", "P1", "S1", "20200101"),
    record("new", "P1", "S2", "20240101", study_time="0900"),
    record("later", "P1", "S3", "20240101", study_time="101500.5"),
    record("other", "P2", "S4", "20230101"),
    record("second", "P2", "S4", "20230101", instance_number="2"),
    record("first", "P2", "S4", "20230101", instance_number="1"),
    record("undated", "P3", "S5", ""),
]
TREE = [
    ("P1", [["later"], ["new"], ["old"]]),
    ("P2", [["other", "first", "second"]]),
    ("P3", [["undated"]]),
]


def test_newest_first() -> None:
    assert tree(filled(*RECORDS)) == TREE


def test_order_of_arrival_does_not_matter_but_among_equals() -> None:
    for order in itertools.islice(itertools.permutations(RECORDS), 0, 5040, 97):
        browser = Browser()
        for one in order:
            browser.add([one], [searched_text(one)])
        assert tree(browser) == TREE


def test_equals_keep_the_order_of_their_arrival() -> None:
    names = [f"P{number}" for number in (3, 1, 2)]
    assert [key for key, _ in tree(filled(*(record(name, name, name) for name in names)))] == names


def test_neighbours_are_the_images_that_are_shown_in_their_order() -> None:
    browser = filled(*RECORDS, record("report", "P1", "S2", "20240101", kind="result"))
    seen = []
    at = browser.neighbour(None, 1)
    while at is not None:
        seen.append(at.name)
        at = browser.neighbour(at, 1)
    assert seen == ["later", "new", "old", "other", "first", "second", "undated"]
    last = browser.neighbour(None, -1)
    assert last is not None
    assert last.name == "undated"
    browser.find(query_words("P2"))
    entered = browser.neighbour(RECORDS[0], 1)  # what is not shown has no place
    assert entered is not None
    assert entered.name == "other"
    assert browser.neighbour(entered, -1) is None
    assert Browser().neighbour(None, 1) is None


def test_of_what_was_opened_together_the_newest_study_is_seen_first() -> None:
    def first(*records: InstanceRecord) -> str:
        found = first_to_see(records)
        assert found is not None
        return found.name

    assert first(*RECORDS) == first(*reversed(RECORDS)) == "later"
    then, now = record("a-prior", study="S1", date="20250110"), record("b-current", study="S2", date="20260110")
    assert first(then, now) == first(now, then) == "b-current"
    lateral = record("a-lateral", study="S2", date="20260110", instance_number="2")
    frontal = record("b-frontal", study="S2", date="20260110", instance_number="1")
    assert first(then, lateral, frontal) == "b-frontal"
    assert first(record("2.png", date=""), record("1.png", date="")) == "1.png"
    assert first_to_see([record("report", kind="result", date="20270101")]) is None


def test_known_name_is_replaced() -> None:
    browser = filled(*RECORDS)
    changed = record("old", "P9", "S9", "20250101")
    browser.add([changed], [searched_text(changed)])
    assert tree(browser) == [("P9", [["old"]]), ("P1", [["later"], ["new"]]), *TREE[1:]]
    assert len(browser) == len(RECORDS)
    assert browser.record("old") == changed


def test_removing_all_in_any_order_leaves_nothing() -> None:
    chance = random.Random(1)
    browser = filled(*RECORDS)
    names = [one.name for one in RECORDS]
    chance.shuffle(names)
    for name in names:
        browser.remove([name])
    browser.remove(["never there"])
    assert browser.patients == []
    assert len(browser) == 0


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("p2", [TREE[1]]),
        ("p1 09", []),
        ("2020", [("P1", [["old"]])]),
        ("name second", [("P2", [["second"]])]),
        ("", TREE),
    ],
)
def test_find(typed: str, found: list[object]) -> None:
    browser = filled(*RECORDS)
    browser.find(query_words(typed))
    assert tree(browser) == found
    browser.find([])
    assert tree(browser) == TREE


def test_what_arrives_while_something_is_looked_for_is_filtered() -> None:
    browser = filled(*RECORDS)
    browser.find(query_words("p2"))
    for one in (record("more", "P2", "S6", "20250101"), record("hidden", "P1", "S7", "20250101")):
        browser.add([one], [searched_text(one)])
    assert tree(browser) == [("P2", [["more"], ["other", "first", "second"]])]


def test_same_id_of_another_issuer_is_another_patient() -> None:
    browser = filled(record("a", issuer="ONE"), record("b", issuer="TWO"))
    assert [patient.key for patient in browser.patients] == [("patient", "P1", "ONE"), ("patient", "P1", "TWO")]


def test_pictures_of_a_folder_and_unreadable_files_are_gathered() -> None:
    browser = filled(
        InstanceRecord("/x/cases/a.png", "image", rows=10, columns=10),
        InstanceRecord("/x/cases/b.png", "image", rows=10, columns=10),
        InstanceRecord("/x/c.zip!inner/c.png", "image", rows=10, columns=10),
        InstanceRecord("/x/bad", "failed", "an empty file"),
        InstanceRecord("/y/bad", "failed", "an empty file"),
    )
    assert [(patient.title, patient.details) for patient in browser.patients] == [
        ("Without patient data: cases", "2 files"),
        ("Without patient data: c.zip", "1 file"),
        ("Could not be read", "2 files"),
    ]


def test_patient_is_written_for_people_and_contradictions_are_told() -> None:
    patient = filled(
        record("a", patient_name="Yamada^Tarou=山田^太郎", patient_sex="M", patient_birth_date="20200102"),
        record("b", patient_name="Suzuki^Jirou", patient_sex="M", patient_birth_date="20200103"),
    ).patients[0]
    assert patient.title == "Yamada, Tarou (山田 太郎)"
    assert patient.details == "ID P1, male, born 2020-01-02"
    assert patient.warning == "Warning: birth date and name differ"
    assert filled(record("a")).patients[0].warning == ""


def test_result_objects_and_failures_come_behind_the_images() -> None:
    browser = filled(
        record("a", kind="failed"), record("b", kind="other"), record("c", kind="result"), record("d", kind="image")
    )
    assert tree(browser) == [("P1", [["d", "c", "b", "a"]])]
