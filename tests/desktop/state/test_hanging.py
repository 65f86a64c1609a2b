"""Which prior hangs beside the current image."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cxr_desktop.state.hanging import Prior, prior_of, prior_warning, view_of
from cxr_desktop.state.records import InstanceRecord

CURRENT = InstanceRecord(
    "current",
    "image",
    study_instance_uid="now",
    patient_id="P1",
    patient_name="DOE^JANE",
    study_date="20240301",
    study_time="0900",
    view_position="PA",
)


def earlier(name: str, date: str = "20230101", **changes: str) -> InstanceRecord:
    return replace(CURRENT, name=name, study_instance_uid=f"study-{name}", study_date=date, **changes)


def chosen(*records: InstanceRecord, current: InstanceRecord = CURRENT) -> str | None:
    prior = prior_of(current, [current, *records])
    return prior and prior.record.name


def test_newest_earlier_study() -> None:
    assert chosen(earlier("a", "20220101"), earlier("b", "20230101"), earlier("c", "20210101")) == "b"


def test_same_view_comes_before_newer() -> None:
    lateral = earlier("lateral", "20240101", view_position="LL")
    unknown = earlier("unknown", "20230601", view_position="")
    assert chosen(lateral, unknown, earlier("ap", "20220101", view_position="AP")) == "ap"
    assert chosen(lateral, unknown) == "unknown"
    assert prior_of(CURRENT, [lateral]) == Prior(lateral, False, "The prior is another view.")
    current = replace(CURRENT, view_position="LATERAL")
    assert chosen(lateral, earlier("pa", "20240201"), current=current) == "lateral"


def test_of_one_study_the_very_same_view() -> None:
    ap = earlier("ap", view_position="AP")
    pa = replace(ap, name="pa", view_position="PA")
    assert chosen(ap, pa) == "pa"
    assert chosen(pa, ap) == "pa"


def test_same_day_is_told_by_the_time() -> None:
    assert chosen(earlier("a", "20240301", study_time="0830")) == "a"
    assert chosen(earlier("a", "20240301", study_time="0930")) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "result"},
        {"kind": "failed"},
        {"kind": "other"},
        {"study_instance_uid": "now"},
        {"patient_id": "P2"},
        {"issuer": "ELSEWHERE"},
        {"study_date": ""},
        {"study_date": "20240302"},
    ],
    ids=str,
)
def test_what_never_hangs(changes: dict[str, str]) -> None:
    assert chosen(replace(earlier("a"), **changes)) is None


def test_name_alone_does_not_make_a_prior() -> None:
    current = replace(CURRENT, patient_id="")
    assert chosen(replace(earlier("a"), patient_id=""), current=current) is None


def test_without_a_date_nothing_is_earlier() -> None:
    assert chosen(earlier("a"), current=replace(CURRENT, study_date="")) is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, ""),
        ({"patient_name": "Doe^Jane^Q"}, ""),
        ({"patient_name": "DOE^JANE=ドゥ^ジェーン"}, ""),
        ({"patient_name": ""}, ""),
        ({"patient_name": "ROE^JANE"}, "name"),
        ({"patient_birth_date": "20200101"}, "birth date"),
        ({"patient_name": "ROE^JOHN", "patient_sex": "M"}, "name and sex"),
    ],
    ids=str,
)
def test_contradiction_is_a_warning(changes: dict[str, str], words: str) -> None:
    current = replace(CURRENT, patient_birth_date="20200102", patient_sex="F")
    before = replace(current, name="a", study_instance_uid="before", study_date="20230101")
    prior = prior_of(current, [replace(before, **changes)])
    assert prior is not None
    expected = f"Same patient ID, but another {words}: check that both are of the same person." if words else ""
    assert prior.warning == expected


def test_chosen_by_hand() -> None:
    other = replace(earlier("a"), patient_id="P2")
    assert prior_warning(CURRENT, other).startswith("The image beside it is not known to be of the same patient")
    assert prior_warning(CURRENT, earlier("a")) == ""


@pytest.mark.parametrize(
    ("position", "view"),
    [
        ("PA", "frontal"),
        ("ap", "frontal"),
        ("postero-anterior", "frontal"),
        ("LL", "lateral"),
        ("left lateral", "lateral"),
        ("RAO", "other"),
        ("", "unknown"),
    ],
)
def test_views(position: str, view: str) -> None:
    assert view_of(replace(CURRENT, view_position=position)) == view
