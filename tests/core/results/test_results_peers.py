"""Result objects before other software: dciodvfy finds no error, DCMTK shows our grayscale, Orthanc one study."""

from __future__ import annotations

import io
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pydicom
import pytest

from cxr_core.grayscale import default_voi, grayscale_table
from cxr_core.results.records import AnalysedImage, PreviousReport, ResultChoice, ResultObject
from tests.core.results.builder import (
    ALWAYS,
    ANSWERS,
    CHARACTER_SETS,
    MANIFEST,
    SOURCES,
    analysed,
    encoded,
    of_kind,
    prediction,
)
from tests.core.results.test_presentation_state import FILMS
from tests.dicom_builder import build, gradient, lut_item
from tests.node.orthanc_server import running_orthanc

pytestmark = pytest.mark.peers

LATERALITIES: dict[str, dict[str, Any]] = {
    "no laterality": {},
    "empty": {"Laterality": ""},
    "left": {"Laterality": "L"},
}
IDENTITIES: list[dict[str, Any]] = [
    {},
    {"AccessionNumber": "", "PatientBirthDate": "", "PatientSex": ""},
    {"AccessionNumber": "A-1", "IssuerOfPatientID": "HOSPITAL", "PatientSex": "F", "TimezoneOffsetFromUTC": "+0900"},
]
#: A constant film has no contrast to compare. DCMTK 3.6.7 takes a SIGMOID window of a presentation state for a linear
#: one (ours stays one where no table can have it), and rounds what a slope of a thousandth gives.
UNKNOWN_TO_DCMTK = ("constant", "SIGMOID window on fractions", "window narrower than 1")


def run(*arguments: str | Path) -> str:
    """Output of a program that has to succeed."""
    done = subprocess.run([*map(str, arguments)], capture_output=True, check=False, timeout=60)
    output = (done.stdout + done.stderr).decode("utf-8", "replace")
    assert done.returncode == 0, f"{arguments[0]}: {output}"
    return output


def errors(path: Path) -> list[str]:
    """What dciodvfy calls an error."""
    done = subprocess.run(["dciodvfy", "-new", path], capture_output=True, text=True, check=False, timeout=60)
    lines = (done.stdout + done.stderr).splitlines()
    assert any(line in ("Comprehensive3DSR", "SCImage", "GrayscaleSoftcopyPresentationState") for line in lines), lines
    return [line for line in lines if line.startswith("Error")]


def assert_valid(objects: list[ResultObject], folder: Path) -> None:
    for made in objects:
        path = folder / f"{made.kind}.dcm"
        path.write_bytes(made.data)
        assert errors(path) == [], made.kind


@pytest.mark.parametrize("texts", CHARACTER_SETS)
@pytest.mark.parametrize("laterality", LATERALITIES)
@pytest.mark.parametrize("source", SOURCES)
def test_no_error_of_any_source(source: str, laterality: str, texts: str, tmp_path: Path) -> None:
    for number, (answer, identity) in enumerate(zip(("positive", "outside", "negative"), IDENTITIES, strict=True)):
        attributes = SOURCES[source] | LATERALITIES[laterality] | CHARACTER_SETS[texts] | identity
        image = analysed(answer, photometric=("MONOCHROME2", "MONOCHROME1")[number % 2], **attributes)
        objects = encoded(image)
        assert [made.kind for made in objects] == ["sr", "sc", "gsps"]
        assert_valid(objects, tmp_path)


MANY_LABELS = MANIFEST.model_copy(
    update={"positive": None, "task": "multi_label", "thresholds": {"NORMAL": 0.5, "PNEUMONIA": 0.5}}
)
TWO_FINDINGS = prediction(
    findings=(prediction().findings[0], replace(prediction().findings[0], label="NORMAL")), verdict=None, label=None
)
OTHERS: dict[str, Any] = {
    **{f"answer {answer}": (lambda answer=answer: encoded(analysed(answer))) for answer in ANSWERS},
    **{f"film {name}": (lambda name=name: encoded(analysed(**FILMS[name]))) for name in FILMS},
    "RLE": lambda: encoded(analysed(), choice=replace(ALWAYS, sc_rle=True)),
    "lossy": lambda: encoded(analysed(syntax="jpeg-baseline", bits_stored=8)),
    "lossy with its history": lambda: encoded(
        analysed(LossyImageCompression="01", LossyImageCompressionRatio=9.5, LossyImageCompressionMethod="ISO_10918_1")
    ),
    "colour": lambda: encoded(
        analysed(stored=np.dstack([gradient(bits=8)] * 3), photometric="RGB", bits_stored=8, **SOURCES["SC"])
    ),
    "pixels that are not square": lambda: encoded(analysed(PixelAspectRatio=[3, 2])),
    "modality LUT with its type": lambda: encoded(
        analysed(ModalityLUTSequence=[lut_item([n * 9 for n in range(4096)], 0, 16)])
    ),
    "orientation": lambda: encoded(analysed(PatientOrientation=["L", "F"])),
    "an age that is none": lambda: encoded(analysed(PatientAge="51")),
    "several images": lambda: encoded(
        analysed(number=1),
        analysed("outside", number=2, SeriesInstanceUID="2.25.4"),
        analysed(None, number=3, reason="lateral view"),
        analysed(None, number=4, status="failed", reason="a truncated file"),
    ),
    "a later report": lambda: encoded(analysed(), previous=PreviousReport("2.25.8", "2.25.9", 1)),
    "nothing analysed": lambda: encoded(analysed(None, reason="lateral"), choice=ResultChoice(sr_for_refused=True)),
    "findings of our own scheme": lambda: encoded(analysed(TWO_FINDINGS, manifest=MANY_LABELS)),
}


@pytest.mark.parametrize("case", OTHERS)
def test_no_error_of_any_other_case(case: str, tmp_path: Path) -> None:
    objects = OTHERS[case]()
    assert objects
    assert_valid(objects, tmp_path)


@pytest.mark.parametrize(
    ("kind", "keyword"), [("sr", "ContentDate"), ("sc", "ConversionType"), ("gsps", "PresentationLUTShape")]
)
def test_an_error_would_be_found(kind: Any, keyword: str, tmp_path: Path) -> None:
    path = tmp_path / "broken.dcm"
    path.write_bytes(of_kind(encoded(analysed()), kind).data)
    data_set = pydicom.dcmread(path)
    del data_set[keyword]
    data_set.save_as(path)
    assert any(keyword in line for line in errors(path))


def shown_by_dcmtk(image: AnalysedImage, film: Path, folder: Path) -> np.ndarray:
    """The film under its presentation state as dcmp2pgm shows it, in [0, 1]."""
    state, picture = folder / "state.dcm", folder / "film.pgm"
    state.write_bytes(of_kind(encoded(image), "gsps").data)
    run("dcmp2pgm", "-p", state, film, picture)
    return np.asarray(cv2.imread(str(picture), cv2.IMREAD_UNCHANGED)) / 255


@pytest.mark.parametrize("photometric", ["MONOCHROME2", "MONOCHROME1"])
@pytest.mark.parametrize("name", [name for name in FILMS if name not in UNKNOWN_TO_DCMTK])
def test_dcmtk_shows_film_and_state_as_we_do(name: str, photometric: str, tmp_path: Path) -> None:
    """To one grey level of 255: DCMTK cuts where we round."""
    data = build(**({"photometric": photometric, "SOPInstanceUID": "2.25.1001"} | FILMS[name]))
    film = tmp_path / "film.dcm"
    film.write_bytes(data)
    image = analysed(data=data)
    assert image.image is not None
    assert image.image.attributes is not None
    stored = image.image.stored
    ours = grayscale_table(image.image.attributes, default_voi(image.image.attributes, stored))(stored)
    theirs = shown_by_dcmtk(image, film, tmp_path)
    assert theirs.std() > 0.05
    np.testing.assert_allclose(theirs, ours, rtol=0, atol=1.1 / 255)


@pytest.mark.parametrize("source", SOURCES)
def test_dcmtk_finds_the_state_consistent(source: str, tmp_path: Path) -> None:
    state = tmp_path / "state.dcm"
    state.write_bytes(of_kind(encoded(analysed(**SOURCES[source])), "gsps").data)
    assert "Test passed" in run("dcmpschk", state)


def test_dcmtk_reads_line_and_text_of_the_state(tmp_path: Path) -> None:
    data = build(SOPInstanceUID="2.25.1001")
    film, state = tmp_path / "film.dcm", tmp_path / "state.dcm"
    film.write_bytes(data)
    state.write_bytes(of_kind(encoded(analysed(data=data)), "gsps").data)
    said = run("dcmp2pgm", "-v", "-p", state, film, tmp_path / "film.pgm")
    assert "type=polyline filled=no units=pixel" in said
    assert "model attention, not a lesion outline" in said
    assert "displayed area TLHC=1\\1 BRHC=80\\96" in said


@pytest.mark.parametrize("answer", ANSWERS)
def test_dcmtk_reads_the_report(answer: str, tmp_path: Path) -> None:
    report = tmp_path / "report.dcm"
    report.write_bytes(of_kind(encoded(analysed(answer)), "sr").data)
    said = run("dsrdump", "+Pl", report)
    assert "Imaging Measurement Report" in said
    assert '<contains CODE:(,,"Finding")=(233604007,SCT,"Pneumonia")>' in said
    assert not any(line[:2] in ("W:", "E:") for line in said.splitlines())


@pytest.mark.parametrize("texts", ["ISO_IR 100", "ISO_IR 192"])  # Debian's DCMTK knows no ISO 2022 IR 87; Orthanc does
def test_dcmtk_reads_the_names(texts: str, tmp_path: Path) -> None:
    for made in encoded(analysed(**CHARACTER_SETS[texts])):
        path = tmp_path / f"{made.kind}.dcm"
        path.write_bytes(made.data)
        said = run("dcmdump", "+U8", "+P", "PatientName", "+P", "StudyDescription", path)
        for keyword in ("PatientName", "StudyDescription"):
            assert f"[{CHARACTER_SETS[texts][keyword]}]" in said


def test_dcmtk_unpacks_the_capture(tmp_path: Path) -> None:
    image = analysed(stored=gradient(301, 257))
    packed, unpacked = tmp_path / "packed.dcm", tmp_path / "unpacked.dcm"
    packed.write_bytes(of_kind(encoded(image, choice=replace(ALWAYS, sc_rle=True)), "sc").data)
    run("dcmdrle", packed, unpacked)
    native = pydicom.dcmread(io.BytesIO(of_kind(encoded(image), "sc").data))
    np.testing.assert_array_equal(pydicom.dcmread(unpacked).pixel_array, native.pixel_array)


@pytest.mark.parametrize("accession", ["A-1", ""])
def test_results_land_in_the_study_of_their_films(accession: str, tmp_path: Path) -> None:
    texts = CHARACTER_SETS["ISO 2022 IR 87"] | {"AccessionNumber": accession, "IssuerOfPatientID": "HOSPITAL"}
    films = [build(SOPInstanceUID=f"2.25.100{n}", InstanceNumber=n, **texts) for n in (1, 2)]
    objects = encoded(*(analysed(data=film) for film in films))
    with running_orthanc(tmp_path) as orthanc:
        for data in (*films, *(made.data for made in objects)):
            orthanc.upload(data)
        (study,) = orthanc.ask("/studies?expand")
        (patient,) = orthanc.ask("/patients?expand")
        modalities = sorted(series["MainDicomTags"]["Modality"] for series in orthanc.ask("/series?expand"))
        kept = {made.sop_instance_uid: orthanc.file(made.sop_instance_uid) for made in objects}
    assert modalities == ["CR", "OT", "PR", "SR"]
    assert study["PatientMainDicomTags"]["PatientName"] == texts["PatientName"]
    assert patient["Studies"] == [study["ID"]]
    assert kept == {made.sop_instance_uid: made.data for made in objects}
