"""Anonymised copies are valid objects: dicom3tools finds no error in them that the original has not."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from cxr_desktop.output.anonymise import AnonymiseOptions, PixelText
from cxr_desktop.output.clean_pixels import Mask
from tests.core.results.builder import SOURCES
from tests.desktop.output.test_anonymise import LOOKED, assert_traceless, copy_of
from tests.dicom_builder import build

DX_TYPE_1: dict[str, Any] = {
    "ImageType": ["ORIGINAL", "PRIMARY"],
    "InstanceNumber": "1",
    "PatientOrientation": ["L", "F"],
    "ImageLaterality": "U",
    "BurnedInAnnotation": "NO",
    "LossyImageCompression": "00",
    "SeriesNumber": "1",
    "Manufacturer": "Synthetic",
    "PixelIntensityRelationship": "LOG",
    "PixelIntensityRelationshipSign": 1,
    "RescaleSlope": "1",
    "RescaleIntercept": "0",
    "RescaleType": "US",
    "DetectorType": "DIRECT",
    "ImagerPixelSpacing": [0.1, 0.1],
    "AcquisitionContextSequence": Sequence(),
    "WindowCenter": "2000",
    "WindowWidth": "4000",
    "StudyTime": "101500",
    "AccessionNumber": "A-1",
    "StudyID": "S1",
    "ReferringPhysicianName": "Zqsecret^Doctor",
    "PatientBirthDate": "20200101",
    "PatientSex": "F",
    "ContentDate": "20260101",
    "ContentTime": "101500",
    "AcquisitionDate": "20260101",
    "DetectorID": "77",
    "PositionerType": "NONE",
}


def region() -> Sequence:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = "51185008", "SCT", "Chest"
    return Sequence([item])


def view() -> Sequence:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = "399348003", "SCT", "antero-posterior"
    item.ViewModifierCodeSequence = Sequence()
    return Sequence([item])


@pytest.mark.peers
@pytest.mark.parametrize("kind", SOURCES)
@pytest.mark.parametrize("option", ["plain", "characteristics", "masked", "compressed"])
def test_dciodvfy_finds_no_error(kind: str, option: str, tmp_path: Path) -> None:
    attributes = SOURCES[kind] | DX_TYPE_1 | {"AnatomicRegionSequence": region(), "ViewCodeSequence": view()}
    if kind == "SC":
        attributes = SOURCES[kind] | {k: DX_TYPE_1[k] for k in ("InstanceNumber", "PatientOrientation", "SeriesNumber")}
        attributes |= {"ImageType": ["DERIVED", "SECONDARY"]}
        attributes |= {k: DX_TYPE_1[k] for k in ("StudyTime", "AccessionNumber", "StudyID", "PatientSex")}
        attributes |= {k: DX_TYPE_1[k] for k in ("ReferringPhysicianName", "PatientBirthDate")}
    original = build(syntax="jpeg2000-lossless" if option == "compressed" else "explicit", **attributes)
    text = PixelText(masks=(Mask(0, 0, 9, 9),)) if option == "masked" else LOOKED
    content = copy_of(original, options=AnonymiseOptions(option == "characteristics"), text=text)
    found = {}
    for name, held in (("original", original), ("copy", content)):
        path = tmp_path / f"{name}.dcm"
        path.write_bytes(held)
        done = subprocess.run(["dciodvfy", "-new", path], capture_output=True, text=True, check=False, timeout=60)
        lines = (done.stdout + done.stderr).splitlines()
        assert any(line in ("CRImage", "DXImageForPresentation", "SCImage") for line in lines), lines
        found[name] = [line for line in lines if line.startswith("Error")]
    assert found["original"] == []
    assert found["copy"] == []
    assert_traceless(content)
