"""UIDs and bytes: the same input is the same object, and anything else is another."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from itertools import permutations
from typing import Any
from uuid import UUID

import numpy as np
import pytest

from cxr_core.results import uids
from cxr_core.results.records import AnalysedImage, PreviousReport, ResultChoice, ResultError
from cxr_core.results.uids import hashed_uid
from tests.core.results.builder import ALWAYS, RECEIVED, analysed, blob, encoded, of_kind, parsed, prediction

KINDS = ("sr", "sc", "gsps")


def test_hashed_uid_is_a_uuid_of_version_8() -> None:
    """Pinned: another value would make every result that is already in an archive a new one."""
    uid = hashed_uid("sr", b"\x00\xff")
    assert uid == "2.25.323659126355537804547501623615531449842"
    uuid = UUID(int=int(uid.removeprefix("2.25.")))
    assert (uuid.version, uuid.variant) == (8, "specified in RFC 4122")


@pytest.mark.parametrize("parts", [("ab", "c"), ("a", "bc"), ("abc",), ("abc", ""), ("", "abc")])
def test_parts_do_not_run_together(parts: tuple[str, ...]) -> None:
    others = [("ab", "c"), ("a", "bc"), ("abc",), ("abc", ""), ("", "abc")]
    others.remove(parts)
    assert hashed_uid(*parts) not in {hashed_uid(*other) for other in others}


def test_uids_are_valid() -> None:
    for made in encoded(analysed()):
        for uid in (made.sop_instance_uid, made.series_instance_uid):
            assert re.fullmatch(r"2\.25\.[1-9]\d{0,38}", uid)


@pytest.mark.parametrize("choice", [ALWAYS, replace(ALWAYS, sc_rle=True)], ids=["native", "RLE"])
def test_same_input_same_bytes(choice: ResultChoice) -> None:
    first, again = (encoded(analysed(), choice=choice) for _ in range(2))
    assert [made.kind for made in first] == list(KINDS)
    for one, other in zip(first, again, strict=True):
        assert (one.sop_instance_uid, one.data) == (other.sop_instance_uid, other.data)


def test_the_record_says_what_the_bytes_say() -> None:
    for made in encoded(analysed()):
        data_set = parsed(made)
        assert data_set.file_meta.MediaStorageSOPInstanceUID == data_set.SOPInstanceUID == made.sop_instance_uid
        assert data_set.file_meta.MediaStorageSOPClassUID == data_set.SOPClassUID == made.sop_class_uid
        assert data_set.file_meta.TransferSyntaxUID == made.transfer_syntax_uid
        assert data_set.SeriesInstanceUID == made.series_instance_uid
        assert data_set.StudyInstanceUID == made.study_instance_uid
        assert data_set.InstanceNumber == made.instance_number
        assert made.source_uids == ("2.25.1001",)


def test_elements_are_in_order() -> None:
    for made in encoded(analysed(TimezoneOffsetFromUTC="+0100", IssuerOfPatientID="HOSPITAL")):
        tags = list(parsed(made).keys())
        assert tags == sorted(tags)


def changed(image: AnalysedImage, **changes: Any) -> AnalysedImage:
    """An image with another answer."""
    assert image.result.prediction is not None
    return replace(image, result=replace(image.result, prediction=replace(image.result.prediction, **changes)))


CHANGES: dict[str, Any] = {
    "digest": lambda image: replace(image, digest="0" * 64),
    "receipt": lambda image: replace(image, received=RECEIVED + timedelta(seconds=1)),
    "bundle": lambda image: changed(image, model=replace(image.result.prediction.model, sha256="0" * 64)),
    "version": lambda image: changed(image, model=replace(image.result.prediction.model, version="9.9.9")),
    "verdict": lambda image: changed(image, verdict="INDETERMINATE"),
    "withheld": lambda image: changed(image, verdict=None, verdict_withheld="population"),
    "probability": lambda image: changed(
        image, findings=(replace(image.result.prediction.findings[0], probability=0.88),)
    ),
    "other image": lambda _: analysed(SOPInstanceUID="2.25.77"),
    "other patient": lambda _: analysed(PatientID="SYNTHETIC-OTHER"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_another_input_is_another_object(change: str) -> None:
    before, after = encoded(analysed()), encoded(CHANGES[change](analysed()))
    assert [made.kind for made in before] == [made.kind for made in after]
    for one, other in zip(before, after, strict=True):
        assert one.sop_instance_uid != other.sop_instance_uid, one.kind


def test_another_map_is_another_picture() -> None:
    before, after = encoded(analysed()), encoded(analysed(prediction(cam=blob(at=(0.2, 0.6)))))
    for kind in ("sc", "gsps"):
        assert of_kind(before, kind).sop_instance_uid != of_kind(after, kind).sop_instance_uid


def test_another_producer_makes_objects_of_its_own() -> None:
    before, after = encoded(analysed()), encoded(analysed(), producer="OTHER_NODE")
    for one, other in zip(before, after, strict=True):
        assert one.sop_instance_uid != other.sop_instance_uid
        assert one.series_instance_uid != other.series_instance_uid


def test_another_encoder_makes_objects_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    before = encoded(analysed())
    monkeypatch.setattr("cxr_core.results.common.ENCODER_VERSION", uids.ENCODER_VERSION + "x")
    for one, other in zip(before, encoded(analysed()), strict=True):
        assert one.sop_instance_uid != other.sop_instance_uid


def test_another_compression_is_another_object() -> None:
    native, packed = (of_kind(encoded(analysed(), choice=replace(ALWAYS, sc_rle=rle)), "sc") for rle in (False, True))
    assert native.sop_instance_uid != packed.sop_instance_uid
    np.testing.assert_array_equal(parsed(native).pixel_array, parsed(packed).pixel_array)


def test_a_setting_that_changes_nothing_else_keeps_the_rest() -> None:
    """A GSPS is the same whether or not a capture is made."""
    alone = encoded(analysed(), choice=ResultChoice(sc="never"))
    assert of_kind(alone, "gsps").data == of_kind(encoded(analysed()), "gsps").data


def test_the_order_of_arrival_changes_nothing() -> None:
    images = [analysed(number=n) for n in (1, 2)] + [analysed(None, number=3, reason="lateral view")]
    expected = [made.data for made in encoded(*images)]
    for order in permutations(images):
        assert [made.data for made in encoded(*order)] == expected


def test_a_late_image_leaves_earlier_pictures_alone() -> None:
    early = encoded(analysed(number=2))
    report = of_kind(early, "sr")
    previous = PreviousReport(report.sop_instance_uid, report.series_instance_uid, report.instance_number)
    late = analysed(number=1, received=RECEIVED + timedelta(hours=2))
    both = encoded(analysed(number=2), late, previous=previous)
    for made in early:
        if made.kind != "sr":
            assert made.data in [other.data for other in both]
    new = of_kind(both, "sr")
    assert new.sop_instance_uid != report.sop_instance_uid
    assert new.series_instance_uid == report.series_instance_uid
    assert new.instance_number == report.instance_number + 1


def test_objects_of_a_kind_share_their_series() -> None:
    series: dict[str, set[str]] = {}
    attributes: dict[str, set[str]] = {}
    for number in (1, 2):
        later = RECEIVED + timedelta(hours=number)
        for made in encoded(analysed("negative", number=number, received=later, ViewPosition=["PA", "AP"][number - 1])):
            data_set = parsed(made)
            series.setdefault(made.kind, set()).add(made.series_instance_uid)
            of_series = ("Modality", "SeriesNumber", "SeriesDescription", "BodyPartExamined", "Manufacturer")
            attributes.setdefault(made.kind, set()).add(str([data_set.get(keyword) for keyword in of_series]))
    assert {len(found) for found in (*series.values(), *attributes.values())} == {1}
    assert len(set.union(*series.values())) == len(KINDS)


@pytest.mark.parametrize("producer", ["", "x" * 65, "a\\b", "café", "a\nb"])
def test_producer_that_cannot_be_written(producer: str) -> None:
    with pytest.raises(ResultError, match=r"a producer that cannot be written; expected 1 to 64 characters of ASCII"):
        encoded(analysed(), producer=producer)
