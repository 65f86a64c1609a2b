"""One study is of one patient: a report on two would stand in the record of one of them."""

from __future__ import annotations

import pytest

from cxr_core.results.records import ResultError
from tests.core.results.builder import analysed, encoded, of_kind, parsed


@pytest.mark.parametrize("answer", ["positive", None])
def test_images_of_two_patients_have_no_report(answer: str | None) -> None:
    images = [analysed(number=1, PatientID="ZQONE"), analysed(answer, number=2, reason="lateral", PatientID="ZQTWO")]
    with pytest.raises(ResultError, match="images of 2 Patient IDs in one study") as caught:
        encoded(*images)
    assert "ZQ" not in str(caught.value)


@pytest.mark.parametrize("other", ["ONE", "ONE ", "", None])
def test_an_id_that_is_missing_or_padded_is_no_other_patient(other: str | None) -> None:
    objects = encoded(analysed(number=1, PatientID="ONE"), analysed(number=2, PatientID=other))
    assert parsed(of_kind(objects, "sr")).PatientID == "ONE"
