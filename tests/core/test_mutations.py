"""Damaged variants of valid files: predicted, refused or failed with one line; never anything else."""

from __future__ import annotations

import faulthandler
import functools
import io
import json
import math
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pydicom
import pydicom.config
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from PIL import Image
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from cxr_core.chest_image import ChestImage
from cxr_core.classifier import Classifier
from cxr_core.errors import ImageReadError
from cxr_core.heatmap import render_overlay
from cxr_core.pipeline import Pipeline
from cxr_core.prediction import ImageResult
from cxr_core.reading import Source, read_image
from tests.dicom_builder import EIGHT_BIT, TRANSFER_SYNTAXES, build, gradient, to_bytes

#: A decoder that takes longer than this for a picture of under half a megapixel hangs.
SECONDS_FOR_ONE = 20

#: (tag, bytes of its value) of the numbers that decide how the pixels are laid out; US, in group 0028.
_NUMBERS = {
    "SamplesPerPixel": 0x0002,
    "PlanarConfiguration": 0x0006,
    "Rows": 0x0010,
    "Columns": 0x0011,
    "BitsAllocated": 0x0100,
    "BitsStored": 0x0101,
    "HighBit": 0x0102,
    "PixelRepresentation": 0x0103,
}


def _lut() -> Dataset:
    table = Dataset()
    table.add_new("LUTDescriptor", "US", [4096, 0, 16])
    table.add_new("LUTData", "US", list(range(0, 65536, 16)))
    return table


@functools.cache
def valid(case: str) -> bytes:
    """A valid file by the name of a transfer syntax or of a kind of content."""
    if case in TRANSFER_SYNTAXES:
        return build(syntax=case, bits_stored=8 if case in EIGHT_BIT else 12, NumberOfFrames=1)
    if case == "jpeg2000-reduced":  # large enough to be decoded at half its size
        return build(gradient(640, 610), syntax="jpeg2000-lossless")
    if case == "bare":
        return build(syntax="implicit", meta=False)
    if case == "signed":
        return build(signed=True, PixelPaddingValue=-2048, RescaleSlope=-1.5, RescaleIntercept=3)
    if case == "window":
        return build(WindowCenter=[2000, 40], WindowWidth=[3000, 80], VOILUTFunction="SIGMOID")
    if case == "lut":
        return build(ModalityLUTSequence=[_lut()], VOILUTSequence=[_lut()], PixelPaddingValue=0)
    if case == "rgb":
        return build(np.repeat(gradient(bits=8)[:, :, None], 3, axis=2), bits_stored=8, photometric="RGB")
    if case == "rgb-rle":
        grey = np.repeat(gradient(bits=8)[:, :, None], 3, axis=2)
        return build(grey, syntax="rle", bits_stored=8, photometric="RGB")
    buffer = io.BytesIO()
    Image.fromarray(gradient(bits=8).astype(np.uint8)).save(buffer, format=case)
    return buffer.getvalue()


CASES = [*TRANSFER_SYNTAXES, *"jpeg2000-reduced bare signed window lut rgb rgb-rle png jpeg".split()]

_places = st.floats(0, 1, exclude_max=True)
_lengths = st.one_of(st.integers(1, 8), st.integers(1, 2000))
_mutations = st.one_of(
    st.tuples(st.just("flip"), _places, st.integers(1, 255)),
    st.tuples(st.just("flip near pixels"), st.integers(-40, 120), st.integers(1, 255)),
    st.tuples(st.just("flip in header"), st.integers(0, 1200), st.integers(1, 255)),
    st.tuples(st.just("truncate"), _places),
    st.tuples(st.just("cut"), _places, _lengths),
    st.tuples(st.just("duplicate"), _places, _lengths),
    st.tuples(st.just("insert"), _places, st.binary(min_size=1, max_size=12)),
    st.tuples(
        st.just("number"),
        st.sampled_from(sorted(_NUMBERS)),
        st.one_of(st.integers(0, 17), st.sampled_from([32, 64, 79, 81, 95, 97, 1023, 32768, 65535])),
    ),
    st.tuples(st.just("frames"), st.sampled_from([b"0", b"-1", b"2", b"x", b"9" * 12, b"1\\2", b"1.5", b"nan"])),
    st.tuples(st.just("length"), st.integers(0, 40), st.sampled_from([0, 1, 3, 8, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF])),
)


def mutate(data: bytes, mutation: tuple[Any, ...]) -> bytes:
    """One mutation of a file's bytes."""
    kind, *parts = mutation
    big = data.find(b"\x00\x28\x00\x10") > 0 > data.find(b"\x28\x00\x10\x00")
    order = "big" if big else "little"
    mutable = bytearray(data)
    if kind.startswith("flip"):
        at = int(parts[0] * len(data)) if kind == "flip" else parts[0]
        if kind == "flip near pixels":
            at += max(data.rfind(b"\x7f\xe0\x00\x10" if big else b"\xe0\x7f\x10\x00"), 0)
        if 0 <= at < len(data):
            mutable[at] ^= parts[1]
    elif kind == "truncate":
        del mutable[int(parts[0] * len(data)) :]
    elif kind == "cut":
        at = int(parts[0] * len(data))
        del mutable[at : at + parts[1]]
    elif kind == "duplicate":
        at = int(parts[0] * len(data))
        mutable[at:at] = data[at : at + parts[1]]
    elif kind == "insert":
        at = int(parts[0] * len(data))
        mutable[at:at] = parts[1]
    elif kind == "number":
        tag = (0x0028).to_bytes(2, order) + _NUMBERS[parts[0]].to_bytes(2, order)
        at = data.find(tag)
        if at >= 0:  # the value is 8 bytes behind the tag, in explicit and implicit VR
            mutable[at + 8 : at + 10] = parts[1].to_bytes(2, order)
    elif kind == "frames":
        at = data.find((0x0028).to_bytes(2, order) + (0x0008).to_bytes(2, order))
        value = parts[0] + b" " * (len(parts[0]) % 2)
        if at >= 0 and data[at + 4 : at + 6] == b"IS":
            mutable[at + 6 : at + 10] = len(value).to_bytes(2, order) + value
    elif kind == "length":
        # The n-th element of group 0028, FFFE or 7FE0: a length of 4 bytes in the place of what is there.
        groups = {(group).to_bytes(2, order) for group in (0x0028, 0xFFFE, 0x7FE0)}
        places = [i for i in range(len(data) - 8) if data[i : i + 2] in groups][parts[0] : parts[0] + 1]
        for at in places:
            offset = 8 if data[at + 4 : at + 6] in (b"OW", b"OB", b"SQ") else 4
            mutable[at + offset : at + offset + 4] = parts[1].to_bytes(4, order)
    return bytes(mutable)


def mutated(case: str, mutations: list[tuple[Any, ...]]) -> bytes:
    """A valid file with several mutations; of a deflated one every other is made before it is packed."""
    data = valid(case)
    if case == "deflated" and len(mutations) % 2:
        begin = 132 + 12 + int.from_bytes(data[140:144], "little")
        body = zlib.decompress(data[begin:], wbits=-zlib.MAX_WBITS)
        body = functools.reduce(mutate, mutations, body)
        packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        return data[:begin] + packer.compress(body) + packer.flush()
    return functools.reduce(mutate, mutations, data)


@functools.cache
def _pipeline() -> Pipeline:
    return Pipeline(Classifier())


def check(data: bytes) -> ImageResult:
    """Run one file through the pipeline and the overlay; whatever it is, the outcome is one of three."""
    result, image = _pipeline()(Source("typed.dcm", lambda: data))
    if result.prediction is not None:
        assert result.status == "predicted"
        assert result.reason is None
        assert isinstance(image, ChestImage)
        probabilities = result.prediction.probabilities
        assert all(math.isfinite(p) and 0 <= p <= 1 for p in probabilities)
        assert sum(probabilities) == pytest.approx(1)
        assert math.isfinite(result.prediction.domain_score)
        try:
            picture = render_overlay(image, result.prediction, _pipeline().classifier.bundle.manifest)
            assert picture.dtype == np.uint8
        except ImageReadError as error:
            _check_line(str(error))
    else:
        assert result.status in ("refused", "failed")
        assert result.reason is not None
        _check_line(result.reason)
    for warning in result.warnings:
        _check_line(warning)
    json.dumps(result.to_json(), allow_nan=False)
    return result


def _check_line(line: str) -> None:
    assert line.strip()
    assert len(line.splitlines()) == 1
    assert line.isprintable()
    assert "SYNTHETIC" not in line, "a patient's name in the output"


@pytest.mark.parametrize("case", CASES)
def test_the_unchanged_file_is_predicted(case: str) -> None:
    assert check(valid(case)).status == "predicted"


@pytest.mark.parametrize("case", CASES)
def test_mutated_files_have_one_of_three_outcomes(case: str) -> None:
    @settings(max_examples=25, derandomize=True, database=None, deadline=None, phases=[Phase.generate, Phase.shrink])
    @given(st.lists(_mutations, min_size=1, max_size=3))
    def one(mutations: list[tuple[Any, ...]]) -> None:
        check(mutated(case, mutations))

    one()


_numbers = st.sampled_from(
    "0 -0 1 -1 0.5 1e-300 -1e-300 1e300 -1e300 1.7e308 1e400 -1e400 nan inf -inf 65536 -32769 x".split()
)
_pairs = st.lists(_numbers, min_size=1, max_size=2).map("\\".join)
_headers = st.fixed_dictionaries(
    {},
    optional={
        "RescaleSlope": _numbers,
        "RescaleIntercept": _numbers,
        "WindowCenter": _pairs,
        "WindowWidth": _pairs,
        "VOILUTFunction": st.sampled_from(["LINEAR", "LINEAR_EXACT", "SIGMOID", "OTHER"]),
        "PixelSpacing": _pairs,
        "ImagerPixelSpacing": _pairs,
        "EstimatedRadiographicMagnificationFactor": _numbers,
        "PatientAge": st.sampled_from(["000Y", "999Y", "-03Y", "3", "003Q", ""]),
        "PatientBirthDate": st.sampled_from(["00000000", "99999999", "20200230", "20200101"]),
        "PixelPaddingValue": st.integers(0, 65535),
        "PixelPaddingRangeLimit": st.integers(0, 65535),
        "PhotometricInterpretation": st.sampled_from(["MONOCHROME1", "MONOCHROME2"]),
        "BitsStored": st.integers(1, 16),
        "HighBit": st.integers(0, 15),
        "PixelRepresentation": st.integers(0, 1),
    },
)


def with_header(header: dict[str, Any]) -> bytes:
    """A film whose header holds these values, as text where pydicom would refuse to write the number."""
    with pydicom.config.disable_value_validation():
        dataset = pydicom.dcmread(io.BytesIO(build()))
        for keyword, value in header.items():
            tag = tag_for_keyword(keyword)
            text = isinstance(value, str)
            dataset[tag] = RawDataElement(
                Tag(tag), dictionary_VR(tag) if text else "US", *_encoded(value), 0, False, True, True
            )
        return to_bytes(dataset)


def _encoded(value: str | int) -> tuple[int, bytes]:
    data = value.encode() if isinstance(value, str) else value.to_bytes(2, "little")
    data += b" " * (len(data) % 2)
    return len(data), data


@settings(max_examples=120, derandomize=True, database=None, deadline=None)
@given(_headers)
def test_extreme_header_values_have_one_of_three_outcomes(header: dict[str, Any]) -> None:
    check(with_header(header))


@pytest.mark.parametrize(
    ("header", "window"),
    [
        ({"WindowCenter": "1e400\\40", "WindowWidth": "3000\\80"}, (40, 80)),
        ({"WindowCenter": "2000\\40", "WindowWidth": "nan\\80"}, (40, 80)),
        ({"WindowCenter": "2000\\40", "WindowWidth": "1e300\\80"}, (40, 80)),
    ],
)
def test_unusable_number_does_not_shift_the_windows(header: dict[str, Any], window: tuple[float, float]) -> None:
    image = read_image(with_header(header))
    assert image.attributes is not None
    (kept,) = image.attributes.windows
    assert (kept.center, kept.width) == window
    assert any("no usable number" in note for note in image.notes)


@pytest.mark.parametrize("value", ["x", "1e400", "nan", "inf", "1.7e308"])
@pytest.mark.parametrize("keyword", ["RescaleSlope", "RescaleIntercept", "WindowCenter", "WindowWidth"])
def test_unusable_number_is_noted(keyword: str, value: str) -> None:
    header = {"RescaleSlope": "1", "RescaleIntercept": "0", "WindowCenter": "2000", "WindowWidth": "3000"}
    result = check(with_header(header | {keyword: value}))
    assert result.status == "predicted"
    assert f"{keyword} that is no usable number ignored" in result.warnings


def search(case: str, examples: int, start: int, record: Path) -> None:
    """Run many mutations of one case; the file that is being tried is at `record` when the process dies."""
    faulthandler.enable()

    @seed(start)
    @settings(max_examples=examples, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(_mutations, min_size=1, max_size=4))
    def one(mutations: list[tuple[Any, ...]]) -> None:
        data = mutated(case, mutations)
        record.write_bytes(data)
        faulthandler.dump_traceback_later(SECONDS_FOR_ONE, exit=True)
        check(data)
        faulthandler.cancel_dump_traceback_later()

    one()


def search_in_a_process(case: str, examples: int, start: int, seconds: int, record: Path) -> None:
    """The search where a decoder may take the process down with it."""
    child = (
        "import warnings; warnings.simplefilter('error');"
        "from pathlib import Path; import sys; from tests.core.test_mutations import search;"
        "search(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))"
    )
    command = [sys.executable, "-X", "faulthandler", "-c", child, case, str(examples), str(start), str(record)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr[-4000:]


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_no_mutation_crashes_or_hangs_a_decoder(case: str, tmp_path: Path) -> None:
    search_in_a_process(case, examples=400, start=7, seconds=600, record=tmp_path / "tried.dcm")


@pytest.mark.soak
@pytest.mark.parametrize("start", [11, 12])
@pytest.mark.parametrize("case", CASES)
def test_no_mutation_of_very_many_crashes_or_hangs_a_decoder(case: str, start: int, tmp_path: Path) -> None:
    search_in_a_process(case, examples=20_000, start=start, seconds=3600, record=tmp_path / "tried.dcm")
