"""A study's objects from its files and answers: of one model, of every film, written once."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import Any

import pydicom
import pytest

from cxr_core.classifier import Classifier
from cxr_core.result_json import from_json, to_json
from cxr_core.results.records import ResultChoice, ResultError
from cxr_core.samples import sample_folder
from dicom_node.work.analysis import Analyst
from dicom_node.work.encoding import encode
from dicom_node.work.messages import Encode, Encoded, StudyImage
from tests.dicom_builder import build

CHOICE = ResultChoice(sc="always", gsps="always")
FILM = min(sample_folder().glob("*.dcm")).read_bytes()


@pytest.fixture(scope="module")
def analyst() -> Analyst:
    return Analyst(Classifier())


class Study:
    """Films in a folder, their answers, and what is made of them."""

    def __init__(self, root: Path, analyst: Analyst) -> None:
        self.films, self.made = root / "films", root / "made"
        self.films.mkdir()
        self.made.mkdir()
        self.analyst = analyst
        self.images: list[StudyImage] = []

    def add(self, content: bytes, **changed: Any) -> StudyImage:
        path = self.films / f"{len(self.images)}.dcm"
        path.write_bytes(content)
        (answer,) = self.analyst.answer([path])
        record = json.loads(to_json(answer))
        record["prediction"] = record["prediction"] and record["prediction"] | changed
        image = StudyImage(path.stem, path, f"digest {path.stem}", 1_767_000_000.0, json.dumps(record))
        self.images.append(image)
        return image

    def encode(self) -> Encoded:
        return encode(Encode(tuple(self.images), None), self.analyst, CHOICE, "CXR_NODE", self.made)

    def report(self, encoded: Encoded) -> bytes:
        (made,) = [made for made in encoded.results if made.kind == "sr"]
        return (self.made / made.file).read_bytes()


@pytest.fixture
def study(tmp_path: Path, analyst: Analyst) -> Study:
    return Study(tmp_path, analyst)


def another(uid: str, **attributes: Any) -> bytes:
    """The first sample as another film of the same study."""
    film = pydicom.dcmread(io.BytesIO(FILM))
    film.SOPInstanceUID = film.file_meta.MediaStorageSOPInstanceUID = uid
    for keyword, value in attributes.items():
        setattr(film, keyword, value)
    buffer = io.BytesIO()
    film.save_as(buffer)
    return buffer.getvalue()


def test_one_report_is_of_one_model(study: Study) -> None:
    study.add(FILM)
    earlier = {"name": "earlier", "version": "0.0.1", "sha256": "0" * 64}
    old = study.add(another("2.25.8"), model=earlier, probability=0.123)
    encoded = study.encode()
    assert list(encoded.answers) == [old.key]
    again = from_json(encoded.answers[old.key]).prediction
    assert again is not None
    assert (again.model, again.probability != 0.123) == (study.analyst.classifier.identity, True)
    report = study.report(encoded)
    assert report.count(study.analyst.classifier.bundle.sha256.encode()) == 2
    assert earlier["sha256"].encode() not in report
    assert b"earlier" not in report


def test_a_film_that_is_gone_is_told_and_not_left_out(study: Study) -> None:
    study.add(FILM)
    study.add(another("2.25.8")).path.unlink()
    with pytest.raises(ResultError, match="a film of the study that is gone"):
        study.encode()
    assert list(study.made.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"no DICOM at all", build(SeriesInstanceUID="", ViewPosition="LL")])
def test_a_film_without_answer_whose_header_is_damaged_spoils_no_other(study: Study, content: bytes) -> None:
    study.add(FILM)
    study.add(content)
    encoded = study.encode()
    assert [made.kind for made in encoded.results] == ["sr", "sc", "gsps"]
    assert study.report(encoded).count(b"Certainty of Finding") == 1


def test_what_was_written_before_stays_and_is_said_so(study: Study) -> None:
    study.add(FILM)
    first = study.encode()
    assert {made.made_before for made in first.results} == {False}
    for path in study.made.iterdir():
        os.utime(path, (1, 1))
    second = study.encode()
    assert {made.made_before for made in second.results} == {True}
    assert [(made.file, made.digest) for made in second.results] == [(made.file, made.digest) for made in first.results]
    assert {path.stat().st_mtime for path in study.made.iterdir()} == {1}
