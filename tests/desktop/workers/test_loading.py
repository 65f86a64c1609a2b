"""An image from its record to decoded pixels."""

from __future__ import annotations

import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from cxr_core.errors import ImageReadError
from cxr_core.reading import Source
from cxr_desktop.state.records import InstanceRecord
from cxr_desktop.workers.listing import record_of
from cxr_desktop.workers.loading import load, load_data_set
from tests.dicom_builder import build, gradient, header, to_bytes


def recorded(path: Path, content: bytes) -> InstanceRecord:
    path.write_bytes(content)
    return record_of(Source(str(path), path.read_bytes))


def test_pixels_header_and_content_of_one_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pydicom

    content = build(PatientID="ONE")
    record = recorded(tmp_path / "a.dcm", content)
    parsed = []
    dcmread = pydicom.dcmread
    monkeypatch.setattr(pydicom, "dcmread", lambda *a, **k: parsed.append(1) or dcmread(*a, **k))
    loaded = load(record)
    assert parsed == [1]
    assert loaded.record == record
    assert loaded.content == content
    assert np.array_equal(loaded.stored, gradient())
    assert loaded.stored is loaded.image.stored
    assert loaded.data_set is not None
    assert loaded.data_set.PatientID == "ONE"


def test_picture_has_no_data_set(tmp_path: Path) -> None:
    pixels = np.arange(60 * 40, dtype=np.uint16).reshape(60, 40)
    loaded = load(recorded(tmp_path / "a.png", cv2.imencode(".png", pixels)[1].tobytes()))
    assert loaded.data_set is None
    assert np.array_equal(loaded.stored, pixels)


def test_member_of_an_archive(tmp_path: Path) -> None:
    path = tmp_path / "films.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/1.dcm", build())
    record = record_of(Source(f"{path}!a/1.dcm", build))
    assert np.array_equal(load(record).stored, gradient())


def test_file_removed_while_open_changes_nothing_for_what_is_open(tmp_path: Path) -> None:
    record = recorded(tmp_path / "a.dcm", build())
    loaded = load(record)
    Path(record.name).unlink()
    assert loaded.image.stored[0, 0] == gradient()[0, 0]
    assert loaded.content == build()
    with pytest.raises(
        ImageReadError, match=r"^a file that is no longer there; expected the file that was listed; put"
    ):
        load(record)


def test_what_is_shown_is_told_by_what_was_read(tmp_path: Path) -> None:
    record = recorded(tmp_path / "a.dcm", build(ViewPosition="PA"))
    (tmp_path / "a.dcm").write_bytes(build(ViewPosition="AP"))
    assert load(record).record.view_position == "AP"


def test_films_of_one_uid_are_told_apart_by_their_pixels(tmp_path: Path) -> None:
    stored = gradient()
    first = load(recorded(tmp_path / "a.dcm", build(stored)))
    copy = load(recorded(tmp_path / "b.dcm", build(stored, syntax="jpeg-ls", StudyDescription="COPY")))
    stored[0, 0] += 1
    other = load(recorded(tmp_path / "c.dcm", build(stored)))
    turned = load(recorded(tmp_path / "d.dcm", build(gradient().reshape(80, 96))))
    assert first.key == copy.key
    assert len({first.key, other.key, turned.key}) == 3


@pytest.mark.parametrize(
    "other",
    [{"SOPInstanceUID": "2.25.9"}, {"PatientID": "OTHER"}, {"PatientName": "OTHER^ONE"}, {"StudyDate": "20200101"}],
    ids=str,
)
def test_another_object_under_the_same_name_is_not_shown(tmp_path: Path, other: dict[str, str]) -> None:
    record = recorded(tmp_path / "a.dcm", build())
    (tmp_path / "a.dcm").write_bytes(build(**other))
    with pytest.raises(
        ImageReadError, match=r"^another object than was listed under this name; .*; list the files again$"
    ):
        load(record)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (build(NumberOfFrames=3), "an object of 3 frames; expected a single image; open it elsewhere"),
        (to_bytes(header(Modality="SR")), "an object without a picture; expected an image; look at its tags instead"),
        (build()[:-1000], "14360 bytes of pixel data; expected 15360 for 96 x 80; send it again"),
        (b"", "an empty file; expected a DICOM, JPEG or PNG image; check what was exported"),
    ],
    ids=["frames", "report", "cut off", "empty"],
)
def test_what_cannot_be_shown_is_one_line(tmp_path: Path, content: bytes, words: str) -> None:
    with pytest.raises(ImageReadError) as caught:
        load(recorded(tmp_path / "a.dcm", content))
    assert str(caught.value) == words


def test_too_little_memory_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = recorded(tmp_path / "a.dcm", build())

    def exhausted(*_: object) -> bytes:
        raise MemoryError

    monkeypatch.setattr("cxr_desktop.workers.loading.read_named", exhausted)
    with pytest.raises(ImageReadError, match="an image that needs more memory than there is"):
        load(record)


def test_tags_of_what_is_no_image(tmp_path: Path) -> None:
    (tmp_path / "a.dcm").write_bytes(to_bytes(header(Modality="SR")))
    assert load_data_set(str(tmp_path / "a.dcm")).Modality == "SR"
    (tmp_path / "a.dcm").write_bytes(b"no image" * 100)
    with pytest.raises(ImageReadError, match="a file of another kind"):
        load_data_set(str(tmp_path / "a.dcm"))
