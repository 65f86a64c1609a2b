"""The header alone: it tells what reading the whole file would tell."""

from __future__ import annotations

import io
import random

import cv2
import numpy as np
import pytest

from cxr_core.errors import ImageReadError
from cxr_core.reading import read_image
from cxr_core.reading.header import read_header
from tests.dicom_builder import TRANSFER_SYNTAXES, build, gradient, header, to_bytes


class Counting(io.BytesIO):
    """A file that counts what is read of it."""

    count = 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self.count += len(data)
        return data


def problem_of_reading(data: bytes) -> str | None:
    try:
        image = read_image(data)
        if image.source is not None:
            assert image.stored.size
    except ImageReadError as error:
        return str(error)
    return None


@pytest.mark.parametrize("syntax", TRANSFER_SYNTAXES)
def test_facts_are_those_of_reading(syntax: str) -> None:
    data = build(syntax=syntax, bits_stored=8 if syntax == "jpeg-baseline" else 12)
    found = read_header(io.BytesIO(data), len(data))
    assert found.facts == read_image(data).facts
    assert found.problem is None
    assert found.data_set is not None
    assert found.data_set.PatientName == "SYNTHETIC^TEST"


def test_pixels_are_not_read() -> None:
    data = build(gradient(1000, 1000))
    file = Counting(data)
    assert read_header(file, len(data)).facts.has_pixels
    assert file.count < 10_000


@pytest.mark.parametrize("syntax", ["explicit", "implicit", "big-endian"])
@pytest.mark.parametrize("cut", [10, 5000])
def test_cut_off_pixels_are_told(syntax: str, cut: int) -> None:
    data = build(syntax=syntax)[:-cut]
    problem = read_header(io.BytesIO(data), len(data)).problem
    assert str(problem) == problem_of_reading(data)


@pytest.mark.parametrize(
    "attributes",
    [
        {"Rows": None},
        {"Rows": 0},
        {"Rows": 60000, "Columns": 60000},
        {"BitsAllocated": 32},
        {"HighBit": 3},
        {"PixelRepresentation": 7},
        {"PixelData": None},
        {"PixelData": None, "FloatPixelData": bytes(96 * 80 * 4)},
        {"Rows": 97},
        {},
        {"NumberOfFrames": 3},
    ],
    ids=str,
)
def test_problem_is_that_of_reading(attributes: dict[str, object]) -> None:
    data = build(**attributes)
    problem = read_header(io.BytesIO(data), len(data)).problem
    assert (problem and str(problem)) == problem_of_reading(data)


def test_compressed_pixels_of_a_defined_length_are_no_problem() -> None:
    data = build(syntax="jpeg-ls")
    element = b"\xe0\x7f\x10\x00OB\x00\x00"
    begin = data.index(element) + len(element)
    end = data.index(b"\xfe\xff\xdd\xe0", begin)
    defined = data[:begin] + (end - begin - 4).to_bytes(4, "little") + data[begin + 4 : end]
    assert problem_of_reading(defined) is None
    assert read_header(io.BytesIO(defined), len(defined)).problem is None


def test_damaged_transfer_syntax_is_no_problem_where_reading_finds_none() -> None:
    data = build(syntax="implicit").replace(b"1.2.840.10008.1.2\0", b"1.2\xaa840.10008.1.2\0")
    assert problem_of_reading(data) is None
    assert read_header(io.BytesIO(data), len(data)).problem is None


@pytest.mark.parametrize("data", [b"", b"no image at all" * 100, build()[:140]], ids=["empty", "other", "cut"])
def test_no_header_at_all_is_raised_as_reading_does(data: bytes) -> None:
    with pytest.raises(ImageReadError) as caught:
        read_header(io.BytesIO(data), len(data))
    assert str(caught.value) == problem_of_reading(data)


def test_object_without_pixels_is_no_problem() -> None:
    data = to_bytes(header(Modality="SR"))
    found = read_header(io.BytesIO(data), len(data))
    assert (found.problem, found.facts.has_pixels, found.facts.modality) == (None, False, "SR")


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_pictures(suffix: str) -> None:
    data = cv2.imencode(suffix, np.full((60, 40), 90, np.uint8))[1].tobytes()
    found = read_header(io.BytesIO(data), len(data))
    assert found.facts == read_image(data).facts
    assert found.data_set is None


@pytest.mark.parametrize("syntax", ["explicit", "implicit", "big-endian", "jpeg-ls", "deflated"])
def test_no_header_condemns_what_can_be_read(syntax: str) -> None:
    whole = build(gradient(24, 20), syntax=syntax)
    chance = random.Random(syntax)
    for _ in range(200):
        data = bytearray(whole)
        for _ in range(chance.choice((1, 1, 3))):
            data[chance.randrange(len(data))] = chance.randrange(256)
        try:
            problem = read_header(io.BytesIO(data), len(data)).problem
        except ImageReadError as error:
            problem = error
        if problem is not None:
            assert problem_of_reading(bytes(data)) is not None, problem
