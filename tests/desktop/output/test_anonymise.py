"""Anonymised copies: nothing that identifies survives anywhere in the bytes, and the picture is the same."""

from __future__ import annotations

import hashlib
import io
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import UID, UID_dictionary

from cxr_core.preprocess import display_reduced
from cxr_core.reading import read_image
from cxr_desktop.output.anonymise import AnonymiseOptions, NotAnonymisedError, PixelText, anonymised
from cxr_desktop.output.clean_pixels import Mask
from cxr_desktop.output.confidentiality import ACTIONS, action_of
from cxr_desktop.output.pseudonyms import Pseudonyms
from tests.core.results.builder import CHARACTER_SETS, SOURCES
from tests.desktop.output.results_builder import result_objects
from tests.dicom_builder import TRANSFER_SYNTAXES, build, gradient, header, lut_item, to_bytes

PLAIN = AnonymiseOptions()
LOOKED = PixelText(looked=True)


def copy_of(
    content: bytes,
    pseudonyms: Pseudonyms | None = None,
    options: AnonymiseOptions = PLAIN,
    text: PixelText | None = None,
) -> bytes:
    return anonymised(content, pseudonyms or Pseudonyms(), options, text).content


def read(content: bytes) -> pydicom.FileDataset:
    return pydicom.dcmread(io.BytesIO(content))


#: A value by VR that is found again wherever it stands.
SECRETS: dict[str, Any] = {
    "AE": "ZQSECRETAE",
    "AS": "077Y",
    "CS": "ZQSECRETCS",
    "DA": "19770707",
    "DS": "77.070707",
    "DT": "19770707070707",
    "IS": "1977070777",
    "LO": "Zqsecret lo",
    "LT": "Zqsecret lt",
    "OB": b"Zqsecret ob!",
    "PN": "Zqsecret^Person",
    "SH": "Zqsecret sh",
    "ST": "Zqsecret st",
    "TM": "070707.0707",
    "UC": "Zqsecret uc",
    "UI": "2.25.7707070707",
    "UR": "https://zqsecret.invalid/",
    "US": 7707,
    "UT": "Zqsecret ut",
}
#: None of them stands in random UIDs by chance.
TRACES = [
    b"zqsecret",
    b"077y",
    b"19770707",
    b"77.0707",
    b"1977070777",
    b"070707.0707",
    b"2.25.7707070707",
]


def assert_traceless(copy: bytes) -> None:
    lowered = copy.lower()
    assert [trace for trace in TRACES if trace in lowered or trace in copy] == []


def secret_element(data_set: Dataset, tag: int) -> None:
    vr = pydicom.datadict.dictionary_VR(tag)
    if vr == "SQ":
        item = Dataset()
        item.PatientName = SECRETS["PN"]
        item.CodeMeaning = SECRETS["LO"]
        data_set.add_new(tag, vr, Sequence([item]))
    elif vr in SECRETS:
        data_set.add_new(tag, vr, SECRETS[vr])


def table_tags() -> list[int]:
    return [
        tag
        for tag in sorted(ACTIONS)
        if tag >> 16 >= 0x0008
        and pydicom.datadict.dictionary_has_tag(tag)
        and tag not in (0x00080018, 0x0020000D, 0x0020000E, 0xFFFAFFFA)
    ]


ESSENTIAL = """
    PatientName PatientID PatientBirthDate PatientBirthTime PatientSex PatientAge PatientAddress PatientComments
    PatientTelephoneNumbers OtherPatientIDs OtherPatientNames PatientBirthName PatientMotherBirthName EthnicGroup
    MedicalRecordLocator MilitaryRank Occupation InsurancePlanIdentification IssuerOfPatientID AdmissionID
    AccessionNumber StudyID StudyDate StudyTime StudyDescription SeriesDate SeriesTime SeriesDescription AcquisitionDate
    AcquisitionTime AcquisitionDateTime ContentDate ContentTime InstanceCreationDate ReferringPhysicianName
    PerformingPhysicianName NameOfPhysiciansReadingStudy OperatorsName PhysiciansOfRecord RequestingPhysician
    InstitutionName InstitutionAddress InstitutionalDepartmentName StationName DeviceSerialNumber DetectorID PlateID
    CassetteID GantryID ProtocolName ImageComments RequestAttributesSequence PerformedProcedureStepID
    PerformedProcedureStepDescription StudyInstanceUID SeriesInstanceUID SOPInstanceUID FrameOfReferenceUID
    ReferencedImageSequence SourceImageSequence ReferencedStudySequence DerivationDescription IconImageSequence
    OriginalAttributesSequence DigitalSignaturesSequence ContributingEquipmentSequence SecondaryCaptureDeviceID
    TimezoneOffsetFromUTC ResponsiblePerson VerifyingObserverSequence PersonName TextValue ContentSequence
""".split()


def test_the_library_s_table_knows_what_identifies() -> None:
    for keyword in ESSENTIAL:
        tag = pydicom.tag.Tag(keyword)
        assert action_of(tag, pydicom.datadict.dictionary_VR(tag)) != "keep", keyword
    for keyword in ("Rows", "PixelData", "WindowCenter", "BodyPartExamined", "ViewPosition", "Modality", "LUTData"):
        tag = pydicom.tag.Tag(keyword)
        assert action_of(tag, pydicom.datadict.dictionary_VR(tag)) == "keep", keyword


def full_of_secrets() -> Dataset:
    data = Dataset()
    for tag in table_tags():
        secret_element(data, tag)
    return data


def with_pixels(data: Dataset, syntax: str = "explicit") -> bytes:
    whole = read(build(syntax=syntax))
    for element in data:
        whole[element.tag] = element
    return to_bytes(Dataset(whole), syntax)


@pytest.mark.parametrize("syntax", ["implicit", "explicit", "deflated", "big-endian", "jpeg2000-lossless", "rle"])
def test_no_attribute_of_the_table_survives_at_any_depth(syntax: str) -> None:
    data = full_of_secrets()
    nested = Dataset()
    nested.ViewModifierCodeSequence = Sequence([full_of_secrets()])
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "1", "99", "Kept"
    code.update(full_of_secrets())
    nested.update(code)
    data.ViewCodeSequence = Sequence([nested])
    original = with_pixels(data, syntax)
    assert len(table_tags()) > 500
    if syntax != "deflated":  # the deflated one does not show them
        assert b"zqsecret" in original.lower()
    copy = copy_of(original)
    assert_traceless(copy)
    kept = read(copy).ViewCodeSequence[0]
    assert kept.CodeMeaning == "Kept"
    assert_same_picture(original, copy)


def assert_same_picture(original: bytes, copy: bytes) -> None:
    one, other = read_image(original), read_image(copy)
    np.testing.assert_array_equal(one.stored, other.stored)
    np.testing.assert_array_equal(display_reduced(one), display_reduced(other))  # what model input is made of


def test_private_unknown_and_damaged_elements_go() -> None:
    data = read(build())
    block = data.private_block(0x0011, "ZQSECRET CREATOR", create=True)
    block.add_new(0x01, "LO", "Zqsecret private")
    inner = Dataset()
    inner.PatientName = "Zqsecret^Inner"
    block.add_new(0x02, "SQ", Sequence([inner]))
    data.add_new(0x00091001, "UN", b"Zqsecret un!")
    data.add_new(0x00089999, "LO", "Zqsecret unknown")
    data.add_new(0x00080001, "UL", 7707)
    data.add_new(0x50000010, "LO", "Zqsecret curve")
    for element, vr, value in (
        (0x0010, "US", 8),
        (0x0011, "US", 8),
        (0x0022, "LO", "Zqsecret ov"),
        (0x0040, "CS", "G"),
        (0x0050, "SS", [1, 1]),
        (0x0100, "US", 1),
        (0x0102, "US", 0),
        (0x3000, "OW", b"zqsecret"),
        (0x1500, "LO", "Zqsecret ov"),
    ):
        data.add_new((0x6002, element), vr, value)
    data.add_new(0xFFFCFFFC, "OB", b"Zqsecret padding")
    with pydicom.config.disable_value_validation():
        data.add_new(0x00185101, "CS", "ZQSECRET^VIEW~")
        data.add_new(0x00181411, "DS", "77.77001")
    content = to_bytes(Dataset(data)).replace(b"77.77001", b"Zqsecret")  # a name where a number should stand
    done = anonymised(content, Pseudonyms(), PLAIN)
    assert_traceless(done.content)
    assert "1 overlay plane removed" in done.notes
    copy = read(done.content)
    assert not any(tag.is_private or tag.group in (0x5000, 0x6002, 0xFFFC) for tag in copy.keys())  # noqa: SIM118
    assert copy.ViewPosition == ""


def test_a_sequence_written_as_un_is_walked_through() -> None:
    item = Dataset()
    item.PatientName = "Zqsecret^Person"
    item.CodeMeaning = "Kept meaning"
    buffer = pydicom.filebase.DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, True
    pydicom.filewriter.write_dataset(buffer, item)
    inner = buffer.getvalue()
    body = b"\xfe\xff\x00\xe0" + len(inner).to_bytes(4, "little") + inner
    plain = build(BodyPartExamined=None)
    element = b"\x54\x00\x20\x02UN\0\0" + len(body).to_bytes(4, "little") + body  # (0054,0220) View Code Sequence
    at = plain.index(b"\xe0\x7f\x10\x00")
    copy = copy_of(plain[:at] + element + plain[at:])
    assert_traceless(copy)


def test_names_in_texts_that_stay_go_with_the_text() -> None:
    view = Dataset()
    view.CodeValue, view.CodingSchemeDesignator, view.CodeMeaning = "1", "99TEST", "view of zqsecret"
    original = build(
        PatientName="Zqsecret^Person",
        PatientID="ZQ-77",
        AccessionNumber="A4711",
        ManufacturerModelName="Set up for zqsecret",
        ViewName="zq-77",
        SoftwareVersions="ZQSECRET_4",
        DetectorDescription="imgA4711b",
        Manufacturer="Persona Imaging",
        ViewCodeSequence=Sequence([view]),
    )
    copy = read(copy_of(original))
    for keyword in ("ManufacturerModelName", "ViewName", "SoftwareVersions", "DetectorDescription"):
        assert copy[keyword].value in ("", None), keyword
    assert copy.ViewCodeSequence[0].CodeMeaning == ""
    assert copy.ViewCodeSequence[0].CodeValue == "1"
    assert copy.Manufacturer == "Persona Imaging"  # the name is another word


SCRIPTS = CHARACTER_SETS | {
    "ISO_IR 144": {
        "SpecificCharacterSet": "ISO_IR 144",
        "PatientName": "Иванова^Анна",
        "StudyDescription": "Грудь",
    }
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_names_in_any_script_go(name: str) -> None:
    attributes = SCRIPTS[name]
    original = build(**attributes, DetectorDescription=attributes.get("StudyDescription", "Thorax"))
    copy = copy_of(original)
    person = str(attributes.get("PatientName", "SYNTHETIC^TEST"))
    for group in person.split("="):
        for part in group.split("^"):
            for encoding in ("utf-8", "latin-1", "iso2022_jp", "cp1251", "iso8859-5"):
                assert part.encode(encoding, "replace").replace(b"?", b"\xff\xff") not in copy
    kept = read(copy)
    assert kept.SpecificCharacterSet == "ISO_IR 192"
    assert kept.DetectorDescription == attributes.get("StudyDescription", "Thorax")


def test_preamble_file_meta_and_what_follows_the_data_set_go() -> None:
    plain = build()
    data = read(plain)
    data.file_meta.SourceApplicationEntityTitle = "ZQSECRETAE"
    data.file_meta.PrivateInformationCreatorUID = "2.25.7707070707"
    data.file_meta.PrivateInformation = b"zqsecret"
    data.file_meta.ImplementationVersionName = "ZQSECRETVN"
    data.preamble = b"Zqsecret".ljust(128, b"\0")
    buffer = io.BytesIO()
    data.save_as(buffer)
    content = buffer.getvalue() + b"\xfc\xff\xfc\xffOB\0\0\x10\0\0\0Zqsecret trailer" + b"zqsecret"
    copy = copy_of(content)
    assert_traceless(copy)
    assert copy[:128] == b"\0" * 128
    meta = read(copy).file_meta
    assert "2.25.1001" not in str(meta)
    assert meta.MediaStorageSOPInstanceUID == read(copy).SOPInstanceUID
    assert_same_picture(content, copy)


def test_text_in_unused_bits_and_behind_the_pixels_goes() -> None:
    stored = gradient(rows=64, columns=64)
    data = read(build(stored))
    hidden = stored.astype("<u2")
    hidden[10:20] |= 0x8000  # an old overlay plane (PS3.5 8.1.1)
    data.PixelData = hidden.tobytes() + b"zqsecret"
    done = anonymised(to_bytes(Dataset(data)), Pseudonyms(), PLAIN)
    assert_traceless(done.content)
    assert read(done.content).PixelData == stored.astype("<u2").tobytes()
    assert any("hidden" in note for note in done.notes)


def test_a_name_in_the_comment_of_a_codestream_goes() -> None:
    original = build(syntax="jpeg-lossless-sv1", PatientComments="Zqsecret was here")
    at = original.index(b"\xff\xd8\xff") + 2
    comment = b"\xff\xfe\x00\x14Zqsecret was here\0"
    size_at = at - 2 - 4
    size = int.from_bytes(original[size_at : size_at + 4], "little")
    longer = original[:size_at] + (size + len(comment)).to_bytes(4, "little") + original[size_at + 4 : at]
    content = longer + comment + original[at:]
    copy = copy_of(content)
    assert_traceless(copy)
    assert read(copy).file_meta.TransferSyntaxUID == pydicom.uid.ExplicitVRLittleEndian
    assert_same_picture(content, copy)


@pytest.mark.parametrize("syntax", TRANSFER_SYNTAXES)
def test_pixels_are_byte_identical_and_the_picture_and_the_model_see_the_same(syntax: str) -> None:
    original = build(
        syntax=syntax, bits_stored=8 if syntax == "jpeg-baseline" else 12, WindowCenter=100, WindowWidth=90
    )
    before = hashlib.sha256(original).digest()
    done = anonymised(original, Pseudonyms(), PLAIN)
    copy = done.content
    assert hashlib.sha256(original).digest() == before
    assert not any("hidden" in note for note in done.notes)
    assert_same_picture(original, copy)
    if syntax not in ("big-endian", "deflated"):
        assert read(copy).PixelData == read(original).PixelData
    written = read(copy).file_meta.TransferSyntaxUID
    declared = TRANSFER_SYNTAXES[syntax]
    assert written == (declared if declared.is_compressed and syntax != "deflated" else TRANSFER_SYNTAXES["explicit"])


FILMS: dict[str, dict[str, Any]] = {
    "signed": {"signed": True},
    "MONOCHROME1": {"photometric": "MONOCHROME1"},
    "8 bits of odd length": {"stored": gradient(33, 31, bits=8), "bits_stored": 8},
    "VOI LUT": {"VOILUTSequence": [lut_item([n * 3 for n in range(256)], 0, 16)]},
    "modality LUT": {"ModalityLUTSequence": [lut_item([n * 9 for n in range(4096)], 0, 16)]},
    "padding": {"PixelPaddingValue": 0},
    "no window": {},
}


@pytest.mark.parametrize("film", FILMS)
@pytest.mark.parametrize("syntax", ["implicit", "explicit", "big-endian"])
def test_tables_and_values_of_every_kind_survive(film: str, syntax: str) -> None:
    original = build(syntax=syntax, **FILMS[film])
    assert_same_picture(original, copy_of(original))


@pytest.mark.parametrize(("syntax", "order"), [("implicit", "<"), ("explicit", "<"), ("big-endian", ">")])
@pytest.mark.parametrize("keyword", ["VOILUTSequence", "ModalityLUTSequence"])
def test_tables_in_words_keep_their_values_in_another_byte_order(syntax: str, order: str, keyword: str) -> None:
    item = lut_item([n * 9 for n in range(4096)], 0, 16, as_bytes=order)
    original = build(syntax=syntax, **{keyword: [item]})
    assert_same_picture(original, copy_of(original))


def test_colour_and_files_without_preamble() -> None:
    colour = np.dstack([gradient(bits=8), gradient(bits=8) // 2, gradient(bits=8) // 3])
    for original in (
        build(colour, bits_stored=8, photometric="RGB"),
        build(preamble=False),
        build(meta=False),
        build(syntax="implicit", meta=False),
    ):
        assert_same_picture(original, copy_of(original))


def test_what_is_written_says_how_it_was_done() -> None:
    copy = read(copy_of(build(PatientSex="F", PatientBirthDate="20200101")))
    assert copy.PatientIdentityRemoved == "YES"
    assert copy.LongitudinalTemporalInformationModified == "REMOVED"
    assert "PS3.15" in copy.DeidentificationMethod
    assert [(code.CodeValue, code.CodingSchemeDesignator) for code in copy.DeidentificationMethodCodeSequence] == [
        ("113100", "DCM")
    ]
    assert (copy.PatientSex, copy.PatientBirthDate, copy.StudyDate) == ("", "", "")
    assert "PatientAge" not in copy
    assert str(copy.PatientName).startswith("ANON^")
    assert copy.PatientID == "ANON-" + str(copy.PatientName).partition("^")[2]


@pytest.mark.parametrize(
    ("attributes", "age"),
    [
        ({"PatientAge": "003Y"}, "003Y"),
        ({"PatientAge": "007M"}, "007M"),
        ({"PatientAge": "097Y"}, "090Y"),
        ({"PatientAge": "51"}, "051Y"),
        ({"PatientAge": None, "PatientBirthDate": "20250301"}, "010M"),
        ({"PatientAge": None, "PatientBirthDate": "19600301"}, "065Y"),
        ({"PatientAge": "Zqsecret"}, None),
    ],
)
def test_age_and_sex_stay_where_the_reader_wants_them(attributes: dict[str, Any], age: str | None) -> None:
    with pydicom.config.disable_value_validation():
        original = build(PatientSex="F", **attributes)
    content = copy_of(original, options=AnonymiseOptions(retain_characteristics=True))
    copy = read(content)
    assert copy.PatientSex == "F"
    assert copy.get("PatientAge") == age
    assert copy.PatientBirthDate == ""
    assert [code.CodeValue for code in copy.DeidentificationMethodCodeSequence] == ["113100", "113108"]
    assert_traceless(content)


def test_one_job_gives_the_same_to_the_same() -> None:
    job = Pseudonyms()
    first = build(
        SOPInstanceUID="2.25.77070701",
        StudyInstanceUID="2.25.77070703",
        FrameOfReferenceUID="1.2.840.10008.1.4.1.1",
    )
    reference = Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = read(first).SOPClassUID, "2.25.77070701"
    second = build(
        SOPInstanceUID="2.25.77070702", StudyInstanceUID="2.25.77070703", SourceImageSequence=Sequence([reference])
    )
    other = build(PatientID="OTHER")
    one, two, three = (read(copy_of(content, job)) for content in (first, second, other))
    assert one.StudyInstanceUID == two.StudyInstanceUID != "2.25.77070703"
    assert two.SourceImageSequence[0].ReferencedSOPInstanceUID == one.SOPInstanceUID != two.SOPInstanceUID
    assert two.SourceImageSequence[0].ReferencedSOPClassUID == one.SOPClassUID in UID_dictionary
    assert one.FrameOfReferenceUID == "1.2.840.10008.1.4.1.1"  # of the standard, and nobody's
    assert one.PatientID == two.PatientID != three.PatientID
    again = read(copy_of(first))
    assert again.SOPInstanceUID != one.SOPInstanceUID
    assert again.PatientID != one.PatientID
    for uid in (one.SOPInstanceUID, one.StudyInstanceUID):
        assert UID(uid).is_valid
        assert uid.startswith("2.25.")


@pytest.mark.parametrize("syntax", ["explicit", "jpeg2000-lossless", "jpeg-baseline", "big-endian"])
@pytest.mark.parametrize("photometric", ["MONOCHROME2", "MONOCHROME1"])
def test_masked_pixels_are_gone_and_all_others_stay(syntax: str, photometric: str) -> None:
    original = build(
        gradient(60, 50, bits=8), syntax=syntax, bits_stored=8, photometric=photometric, BurnedInAnnotation="YES"
    )
    mask = Mask(5, 10, 30, 25)
    content = copy_of(original, text=PixelText(masks=(mask,)))
    copy, before, after = read(content), read_image(original), read_image(content)
    within = np.zeros(before.stored.shape, bool)
    within[10:25, 5:30] = True
    np.testing.assert_array_equal(before.stored[~within], after.stored[~within])
    dark = before.stored.max() if photometric == "MONOCHROME1" else before.stored.min()
    assert (after.stored[within] == dark).all()
    assert copy.BurnedInAnnotation == "NO"
    assert copy.file_meta.TransferSyntaxUID == pydicom.uid.ExplicitVRLittleEndian
    assert [code.CodeValue for code in copy.DeidentificationMethodCodeSequence] == ["113100", "113101"]


def test_a_masked_colour_picture_is_written_in_grey_and_it_is_said() -> None:
    colour = np.dstack([gradient(bits=8), gradient(bits=8) // 2, gradient(bits=8) // 3])
    original = build(colour, bits_stored=8, photometric="RGB", WindowCenter=10, WindowWidth=5, **SOURCES["SC"])
    done = anonymised(original, Pseudonyms(), PLAIN, PixelText(masks=(Mask(0, 0, 10, 10),)))
    assert any("grey" in note for note in done.notes)
    one, other = read_image(original), read_image(done.content)
    np.testing.assert_array_equal(one.stored[10:], other.stored[10:])
    assert other.facts.colour_share == 0


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ({"BurnedInAnnotation": "YES"}, "text is burnt"),
        (SOURCES["SC"], "Secondary Capture"),
        ({"Modality": "OT"}, "modality OT"),
    ],
)
def test_pictures_that_may_show_text_are_refused_until_somebody_has_looked(
    attributes: dict[str, Any], words: str
) -> None:
    original = build(**attributes)
    with pytest.raises(NotAnonymisedError, match=words):
        copy_of(original)
    assert_same_picture(original, copy_of(original, text=LOOKED))


def test_an_unknown_burnt_in_annotation_is_a_warning() -> None:
    assert any("look at it" in note for note in anonymised(build(), Pseudonyms(), PLAIN).notes)
    assert anonymised(build(BurnedInAnnotation="NO"), Pseudonyms(), PLAIN).notes == ()


def test_what_is_no_film_is_refused_with_its_reason() -> None:
    own = {made.kind: made.data for made in result_objects()}
    for content, words in (
        (own["sc"], "result of this program"),
        (own["sr"], "result of this program"),
        (b"\x89PNG\r\n\x1a\n", "PNG"),
        (b"", "empty file"),
        (build()[:900], "bytes of pixel data"),
        (build(NumberOfFrames="2"), "no single image"),
        (to_bytes(header(Modality="SR")), "no single image"),
        (build(SOPInstanceUID=None), "no single image"),
        (build(SOPClassUID="1.2.3.4.5"), "private SOP class"),
    ):
        with pytest.raises(NotAnonymisedError, match=words):
            copy_of(content)
