"""What is carried over from the sources: patient and study, byte for byte, in every character set and syntax."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from cxr_core.results.records import AnalysedImage, ResultChoice, ResultError
from cxr_core.results.source import source_image
from tests.core.results.builder import ALWAYS, CHARACTER_SETS, RECEIVED, analysed, encoded, of_kind, one, parsed
from tests.dicom_builder import TRANSFER_SYNTAXES, build

KINDS = ("sr", "sc", "gsps")
IDENTITY: dict[str, Any] = {
    "PatientID": "SYNTHETIC-T",
    "IssuerOfPatientID": "HOSPITAL_A",
    "PatientBirthDate": "20220304",
    "PatientSex": "F",
    "AccessionNumber": "A-17",
    "ReferringPhysicianName": "SYNTHETIC^DOCTOR",
    "StudyDate": "20260101",
    "StudyTime": "101112.123",
    "StudyID": "S7",
}


def item(**values: Any) -> Dataset:
    made = Dataset()
    for keyword, value in values.items():
        setattr(made, keyword, value)
    return made


def value_bytes(data: bytes, keyword: str) -> bytes:
    """The value of an element of a file in explicit VR little endian, as its bytes stand there."""
    data_set = pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True)
    element = data_set.get_item(keyword)
    if keyword == "SpecificCharacterSet":  # which pydicom reads at once
        return "\\".join([element.value] if element.VM == 1 else element.value).encode()
    assert element.is_raw, keyword
    return bytes(element.value or b"")


@pytest.mark.parametrize("syntax", ["explicit", "implicit", "big-endian", "deflated", "jpeg-ls"])
@pytest.mark.parametrize("character_set", CHARACTER_SETS)
def test_text_is_carried_byte_for_byte(character_set: str, syntax: str) -> None:
    texts = CHARACTER_SETS[character_set]
    attributes = {"PatientName": "SYNTHETIC^TEST"} | IDENTITY | texts
    plain = build(**attributes)
    image = analysed(data=build(syntax=syntax, **attributes))
    for made in encoded(image):
        for keyword in attributes:
            assert value_bytes(made.data, keyword) == value_bytes(plain, keyword), f"{made.kind} {keyword}"


@pytest.mark.parametrize("character_set", CHARACTER_SETS)
def test_text_that_was_looked_at_is_the_same(character_set: str) -> None:
    attributes = {"PatientName": "SYNTHETIC^TEST"} | IDENTITY | CHARACTER_SETS[character_set]
    plain = build(**attributes)
    image = analysed(data=plain)
    for element in image.data_set:
        assert element is not None  # iterating decodes
    for made in encoded(image):
        for keyword in attributes:
            assert value_bytes(made.data, keyword) == value_bytes(plain, keyword), f"{made.kind} {keyword}"


def test_our_own_text_is_of_the_default_repertoire() -> None:
    """So that it means the same in every character set of a source."""
    image = analysed(warnings=("§ ~ \\ 肺",), SpecificCharacterSet="ISO_IR 13", PatientName="SYNTHETIC")
    refused = analysed(None, number=2, reason="Größe", SpecificCharacterSet="ISO_IR 13")
    texts = [element.value for element in one("sr", image, refused).iterall() if element.VR in ("LO", "SH", "ST", "UT")]
    assert "Warning: ? - / ?" in texts
    assert "Image NOT ANALYSED (refused): Gr??e" in texts
    assert all(str(text).isascii() for text in texts)


@pytest.mark.parametrize("kind", KINDS)
def test_nested_items_are_carried(kind: Any) -> None:
    issuer = item(LocalNamespaceEntityID="LAB", UniversalEntityID="1.2.3", UniversalEntityIDType="ISO")
    code = item(CodeValue="RTHORAX", CodingSchemeDesignator="99LOCAL", CodeMeaning="胸部")
    other = item(PatientID="OTHER-1", IssuerOfPatientID="HOSPITAL_B", TypeOfPatientID="TEXT")
    attributes = {
        "SpecificCharacterSet": "ISO_IR 192",
        "IssuerOfAccessionNumberSequence": [issuer],
        "ProcedureCodeSequence": [code],
        "OtherPatientIDsSequence": [other],
    }
    for syntax in ("explicit", "implicit", "big-endian"):
        data_set = one(kind, analysed(data=build(syntax=syntax, **attributes)))
        assert data_set.IssuerOfAccessionNumberSequence[0] == issuer
        assert data_set.ProcedureCodeSequence[0] == code
        assert data_set.OtherPatientIDsSequence[0] == other


def test_private_elements_of_items_stay_behind() -> None:
    code = item(CodeValue="X", CodingSchemeDesignator="99LOCAL", CodeMeaning="x")
    code.private_block(0x0009, "SYNTHETIC", create=True).add_new(1, "LO", "secret")
    carried = one("sr", analysed(ProcedureCodeSequence=[code])).ProcedureCodeSequence[0]
    assert [element.keyword for element in carried] == ["CodeValue", "CodingSchemeDesignator", "CodeMeaning"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_missing_is_there_and_empty(kind: Any) -> None:
    """Type 2: an accession number above all, without which an archive may not find the study."""
    missing = (
        "AccessionNumber",
        "PatientName",
        "PatientID",
        "PatientBirthDate",
        "PatientSex",
        "StudyDate",
        "StudyTime",
    )
    for value in (None, ""):
        data_set = one(kind, analysed(**dict.fromkeys(missing, value)))
        for keyword in (*missing, "ReferringPhysicianName"):
            assert keyword in data_set
            assert not data_set[keyword].value


def test_values_that_senders_should_not_write_are_kept() -> None:
    """A Patient's Sex of X is no defined term; changing it would make two patients of one."""
    assert one("sr", analysed(PatientSex="X")).PatientSex == "X"


@pytest.mark.parametrize(("age", "kept"), [("003Y", True), ("08M", False), ("51", False), ("008M", True), ("", False)])
def test_an_age_that_is_none_is_dropped(age: str, kept: bool) -> None:
    assert ("PatientAge" in one("sr", analysed(PatientAge=age))) == kept


def test_nothing_of_the_image_is_carried() -> None:
    data_set = one(
        "sr", analysed(Laterality="L", WindowCenter=100, WindowWidth=50, InstitutionName="SYNTHETIC HOSPITAL")
    )
    for keyword in ("Laterality", "WindowCenter", "Rows", "InstitutionName", "ViewPosition"):
        assert keyword not in data_set


@pytest.mark.parametrize(
    ("offset", "expected"),
    [
        ("+0900", ("20260102", "120405", "+0900")),
        ("-0330", ("20260101", "233405", "-0330")),
        (None, ("20260102", "030405", None)),
        ("+9900", ("20260102", "030405", None)),
    ],
)
def test_dates_are_of_the_receipt_on_the_sources_clock(
    offset: str | None, expected: tuple[str, str, str | None]
) -> None:
    objects = encoded(analysed(TimezoneOffsetFromUTC=offset))
    dates = {
        "sr": ("ContentDate", "ContentTime"),
        "sc": ("ContentDate", "ContentTime"),
        "gsps": ("PresentationCreationDate", "PresentationCreationTime"),
    }
    for kind, (date, time) in dates.items():
        data_set = parsed(of_kind(objects, kind))  # type: ignore[arg-type]
        assert (data_set[date].value, data_set[time].value, data_set.get("TimezoneOffsetFromUTC")) == expected
        assert (data_set.InstanceCreationDate, data_set.InstanceCreationTime) == expected[:2]


def test_the_report_is_of_the_latest_receipt() -> None:
    late = RECEIVED.astimezone(timezone(timedelta(hours=2))) + timedelta(minutes=5)
    report = one("sr", analysed(number=1), analysed(number=2, received=late))
    assert (report.ContentDate, report.ContentTime) == ("20260102", "030905")


def test_a_receipt_needs_its_time_zone() -> None:
    with pytest.raises(ResultError, match="a receipt without time zone"):
        encoded(analysed(received=datetime(2026, 1, 2)))


@pytest.mark.parametrize("keyword", ["SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID"])
@pytest.mark.parametrize("value", ["", "SYNTHETIC^NAME"])
def test_a_source_that_cannot_be_referenced(keyword: str, value: str) -> None:
    image = analysed()
    image.data_set[keyword].value = value
    with pytest.raises(ResultError, match=rf"^a source without {keyword}; expected") as raised:
        encoded(image)
    assert "SYNTHETIC" not in str(raised.value)


def test_images_of_two_studies() -> None:
    with pytest.raises(ResultError, match=r"^images of 2 studies; expected one study"):
        encoded(analysed(number=1), analysed(number=2, StudyInstanceUID="2.25.9"))


def test_a_damaged_sequence_is_one_error() -> None:
    image = analysed()
    tag = Tag("ProcedureCodeSequence")
    name = image.data_set.get_item("PatientName")
    # An item without its length: pydicom finds out only when the sequence is looked at.
    image.data_set[tag] = name._replace(tag=tag, VR="SQ", value=b"\xfe\xff\x00\xe0", length=4)
    with pytest.raises(ResultError, match=r"^a damaged header \(\w+\); expected a whole data set"):
        encoded(image)


@pytest.mark.parametrize(
    ("attributes", "ratio"),
    [
        ({}, (1, 1)),
        ({"PixelAspectRatio": [3, 2]}, (3, 2)),
        ({"PixelAspectRatio": [0, 2]}, (1, 1)),
        ({"PixelAspectRatio": "1"}, (1, 1)),
        ({"ImagerPixelSpacing": [0.2, 0.1]}, (2, 1)),
        ({"ImagerPixelSpacing": [0.143, 0.143]}, (1, 1)),
        ({"ImagerPixelSpacing": [0.2, 0.1], "EstimatedRadiographicMagnificationFactor": 1.3}, (2, 1)),
        ({"PixelSpacing": [0.15, 0.1], "PixelAspectRatio": [9, 1]}, (3, 2)),
    ],
)
def test_pixel_aspect_ratio(attributes: dict[str, Any], ratio: tuple[int, int]) -> None:
    assert source_image(analysed(**attributes)).pixel_aspect_ratio == ratio


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({}, "US"),
        ({"RescaleSlope": 1, "RescaleIntercept": 0, "RescaleType": "OD"}, "OD"),
        ({"RescaleType": "§" * 9}, "US"),
        ({"ModalityLUTSequence": [item(ModalityLUTType="OD")]}, "OD"),
        ({"ModalityLUTSequence": [item()], "RescaleType": "HU"}, "US"),
    ],
)
def test_rescale_type(attributes: dict[str, Any], expected: str) -> None:
    assert source_image(analysed(**attributes)).rescale_type == expected


@pytest.mark.parametrize(
    ("written", "number"),
    [("", 1), ("0", 1), ("12", 12), ("-3", -3), ("SYNTHETIC", 1), ("99999999999", 1), ("1\\2", 1)],
)
def test_instance_number(written: str, number: int) -> None:
    image = analysed()
    tag = Tag("InstanceNumber")
    raw = written.encode()
    image.data_set[tag] = RawDataElement(tag, "IS", len(raw), raw, 0, False, True)
    assert one("sc", image).InstanceNumber == number


def test_every_transfer_syntax_is_a_source() -> None:
    for syntax in TRANSFER_SYNTAXES:
        bits = 8 if syntax == "jpeg-baseline" else 12
        kinds = [made.kind for made in encoded(analysed(data=build(syntax=syntax, bits_stored=bits)), choice=ALWAYS)]
        assert kinds == ["sr", "sc", "gsps"], syntax


def test_prediction_without_its_image_is_told() -> None:
    image: AnalysedImage = replace(analysed(), image=None)
    with pytest.raises(ResultError, match="a prediction without its image or manifest"):
        encoded(image)


def test_damaged_headers_are_results_or_one_error() -> None:
    issuer = item(LocalNamespaceEntityID="LAB")
    whole = build(**(IDENTITY | CHARACTER_SETS["ISO_IR 192"]), IssuerOfAccessionNumberSequence=[issuer])
    image = analysed(data=whole)
    rng = np.random.default_rng(5)
    outcomes = {"objects": 0, "error": 0}
    for _ in range(80):
        damaged = bytearray(whole)
        for at in rng.integers(132, whole.index(b"\xe0\x7f\x10\x00"), 2):
            damaged[at] = rng.integers(256)
        try:
            data_set = pydicom.dcmread(io.BytesIO(damaged), stop_before_pixels=True, force=True)
        except Exception:  # noqa: BLE001 - pydicom raises many kinds; a node sets such a file aside
            continue
        try:
            objects = encoded(replace(image, data_set=data_set), choice=ResultChoice(sc="never", gsps="always"))
        except ResultError:
            outcomes["error"] += 1
        else:
            outcomes["objects"] += 1
            assert {parsed(made).Modality for made in objects} <= {"SR", "PR"}
            assert objects[0].kind == "sr"
    assert min(outcomes.values()) > 10
