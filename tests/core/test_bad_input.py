"""Bad input: one line that names the path as typed and what is wrong, the rest goes on, memory stays bounded."""

from __future__ import annotations

import io
import json
import os
import struct
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import imagecodecs
import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, get_frame
from pydicom.uid import ExplicitVRLittleEndian, MediaStorageDirectoryStorage

from cxr_core.classifier import Classifier
from cxr_core.errors import ImageReadError
from cxr_core.pipeline import Pipeline
from cxr_core.predict_command import describe
from cxr_core.prediction import ImageResult
from cxr_core.reading import Source, find_sources, read_image
from cxr_core.reading.read import read_bytes
from cxr_core.settings import ReadLimits
from tests.dicom_builder import TRANSFER_SYNTAXES, build, gradient, header, to_bytes

ROOT = Path(__file__).parents[2]
CXR = [sys.executable, "-m", "cxr_core.cli"]

#: Mebibytes of peak memory above that of a run on one good film: the largest image that the limits allow, 100 million
#: pixels of 16 bits, twice. Without limits the bombs would take 700 (deflated) to 6900 (60000 x 60000).
MEMORY_BOUND_MIB = 400
SECONDS = 60


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return Pipeline(Classifier())


def read(data: bytes, limits: ReadLimits | None = None) -> None:
    image = read_image(data, limits)
    if image.source is not None:
        image.stored  # noqa: B018  # decoding happens when it is asked for


def message(data: bytes, limits: ReadLimits | None = None) -> str:
    with pytest.raises(ImageReadError) as error:
        read(data, limits)
    return checked(str(error.value))


def checked(line: str) -> str:
    assert line.strip()
    assert line.isprintable(), "more than one line, or control characters"
    assert "SYNTHETIC" not in line, "a patient's name"
    assert len(line) < 300
    return line


def results(pipeline: Pipeline, *typed: str, limits: ReadLimits | None = None) -> dict[str, ImageResult]:
    found = {}
    for path in typed:
        for source in find_sources(path, limits):
            result, _ = pipeline(source)
            assert source.name not in found, "one line an image"
            found[source.name] = result
            if result.status == "failed":
                assert result.reason is not None
                checked(result.reason)
                line = describe(result, pipeline.classifier.bundle.manifest)
                assert line.isprintable()
                assert line.startswith(f"{source.name}: failed: ")
                assert source.name.startswith(path.removesuffix("DICOMDIR"))
    return found


# --- files ---


def test_the_whole_file_reads() -> None:
    read(build())


@pytest.mark.parametrize("syntax", TRANSFER_SYNTAXES)
def test_truncated_file(syntax: str) -> None:
    data = build(syntax=syntax, bits_stored=8 if syntax == "jpeg-baseline" else 12)
    lengths = {*range(1, 600, 7), *np.linspace(600, len(data) - 1, 40).astype(int).tolist()}
    accepted = []
    for length in sorted(n for n in lengths if n < len(data)):
        try:
            read(data[:length])
            accepted.append(length)
        except ImageReadError as error:
            checked(str(error))
    # Behind the frame there is nothing but padding and the sequence delimiter.
    tail = 10 if TRANSFER_SYNTAXES[syntax].is_encapsulated else 0
    assert all(length >= len(data) - tail for length in accepted), "a truncated picture was taken for whole"


@pytest.mark.parametrize("syntax", [name for name, uid in TRANSFER_SYNTAXES.items() if uid.is_encapsulated])
def test_frame_that_was_truncated_before_it_was_wrapped(syntax: str) -> None:
    bits = 8 if syntax == "jpeg-baseline" else 12
    whole = build(syntax=syntax, bits_stored=bits)
    frame = get_frame(dcmread(io.BytesIO(whole)).PixelData, 0, number_of_frames=1).rstrip(b"\0")
    for share in (0.3, 0.6, 0.9, 0.99):
        cut = frame[: int(share * len(frame))]
        message(build(syntax=syntax, bits_stored=bits, PixelData=encapsulate([cut])))


@pytest.mark.parametrize("bits", [8, 12, 16])
def test_pixel_data_of_wrong_length(bits: int) -> None:
    stored = gradient(bits=bits)
    size = stored.size * (1 if bits == 8 else 2)
    for length in (2, size // 2, size - 2, size + 160, 2 * size, 100 * size):
        text = message(build(stored, bits_stored=bits, PixelData=b"\1" * length))
        assert f"{length} bytes of pixel data; expected {size} for 96 x 80" in text


def test_padding_of_less_than_a_row_is_taken() -> None:
    read(build(PixelData=gradient().astype("<u2").tobytes() + b"\0\0"))


REQUIRED = ("Rows", "Columns", "BitsAllocated", "BitsStored", "PixelRepresentation", "PhotometricInterpretation")


@pytest.mark.parametrize("keyword", [*REQUIRED, "PixelData"])
def test_missing_attribute_is_named(keyword: str) -> None:
    assert message(build(**{keyword: None})).startswith(f"no {keyword}; expected a complete image")


@pytest.mark.parametrize("keyword", ["Rows", "Columns"])
@pytest.mark.parametrize("syntax", ["explicit", "jpeg-ls"])
def test_zero_rows_or_columns(keyword: str, syntax: str) -> None:
    text = message(build(syntax=syntax, **{keyword: 0}))
    assert "0" in text
    assert "pixels; expected at least 1 x 1" in text


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ({"BitsAllocated": 32}, "12 bits stored in 32 allocated"),
        ({"BitsAllocated": 1}, "12 bits stored in 1 allocated"),
        ({"BitsAllocated": 8}, "12 bits stored in 8 allocated"),
        ({"BitsStored": 0}, "0 bits stored in 16 allocated"),
        ({"BitsStored": 17}, "17 bits stored in 16 allocated"),
        ({"PixelRepresentation": 2}, "Pixel Representation 2"),
        ({"SamplesPerPixel": 3}, "3 samples of MONOCHROME2"),
        ({"SamplesPerPixel": 2}, "2 samples of MONOCHROME2"),
        ({"PhotometricInterpretation": "RGB"}, "1 samples of RGB"),
        ({"PhotometricInterpretation": "SYNTHETIC"}, "Photometric Interpretation of no defined term"),
    ],
)
def test_pixel_attributes_that_contradict(attributes: dict[str, object], words: str) -> None:
    assert words in message(build(**attributes))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "an empty file"),
        (b"This is a text.\n" * 100, "a file of another kind; expected a DICOM, JPEG or PNG image"),
        (b"\0" * 4096, "a file of another kind; expected a DICOM, JPEG or PNG image"),
        (b"\0" * 128 + b"DICM", "a truncated DICOM file"),
        (b"\0" * 128 + b"DICM" + b"\xff" * 4096, ""),
        (b"\x08\x00\x05\x00CS\x0a\x00ISO_IR 100", "no Rows"),
        (b"%PDF-1.7\n" * 50, "a file of another kind; expected a DICOM, JPEG or PNG image"),
        (b"\xff\xd8\xff", "damaged JPEG"),
        (b"\x89PNG\r\n\x1a\n", "damaged PNG"),
        (b"GIF89a" + b"\0" * 100, "a file of another kind; expected a DICOM, JPEG or PNG image"),
    ],
    ids=["empty", "text", "zeros", "prefix", "ff", "short", "pdf", "jpeg", "png", "gif"],
)
def test_content_that_is_no_image(data: bytes, words: str) -> None:
    assert words in message(data)


@pytest.mark.parametrize("syntax", ["jpeg-ls", "jpeg-lossless", "jpeg2000-lossless", "htj2k-lossless", "rle"])
def test_stream_of_noise(syntax: str) -> None:
    noise = np.random.default_rng(1).bytes(3000)
    text = message(build(syntax=syntax, PixelData=encapsulate([noise])))
    assert text.startswith("damaged pixel data of no known compression")


@pytest.mark.parametrize("syntax", ["jpeg-ls", "jpeg-lossless", "jpeg2000-lossless", "htj2k-lossless"])
@pytest.mark.parametrize("size", [(96, 81), (95, 80), (80, 96)])
def test_stream_of_another_size_than_the_header(syntax: str, size: tuple[int, int]) -> None:
    other = build(gradient(*size), syntax=syntax, Rows=96, Columns=80)
    assert f"compressed pixel data of {size[0]} x {size[1]} x 1; expected 96 x 80 x 1" in message(other)


@pytest.mark.parametrize(
    "offsets", [(64, 0xFFFFFFF0), (64, 0x10000000), (5000, 64), (0, 64), (0xFFFFFF00, 0xFFFFFFF0), (64, 0)]
)
def test_rle_segments_outside_of_the_frame(offsets: tuple[int, int]) -> None:
    """The decoder would read other memory of the process, or crash it."""
    whole = build(gradient(96, 80), syntax="rle", Columns=32768, Rows=96)
    frame = get_frame(dcmread(io.BytesIO(whole)).PixelData, 0, number_of_frames=1)
    broken = frame[:4] + struct.pack("<II", *offsets) + frame[12:]
    text = message(build(syntax="rle", Columns=32768, Rows=96, PixelData=encapsulate([broken])))
    assert text.startswith("RLE pixel data whose segments lie outside the frame")


@pytest.mark.parametrize("length", [2, 4, 8, 62, 64])
def test_rle_frame_that_ends_in_its_header(length: int) -> None:
    whole = build(syntax="rle")
    frame = get_frame(dcmread(io.BytesIO(whole)).PixelData, 0, number_of_frames=1)
    message(build(syntax="rle", PixelData=encapsulate([frame[:length]])))


def test_sequences_nested_deep() -> None:
    depth = 3000
    start = b"\x40\x00\x75\x02SQ\0\0\xff\xff\xff\xff" + b"\xfe\xff\x00\xe0\xff\xff\xff\xff"
    end = b"\xfe\xff\x0d\xe0\0\0\0\0" + b"\xfe\xff\xdd\xe0\0\0\0\0"
    for nested in (start * depth + end * depth, start * depth):
        head = to_bytes(header())
        pixels = to_bytes(header(SOPClassUID=None), meta=False)
        checked_or_read(head + nested + pixels)


def checked_or_read(data: bytes) -> None:
    try:
        read(data)
    except ImageReadError as error:
        checked(str(error))


# --- bombs, in this process with small limits ---


def test_header_over_the_limit() -> None:
    text = message(build(Rows=60000, Columns=60000))
    assert text.startswith("a header that claims 60000 x 60000 pixels; expected at most 100000000 pixels")


def test_large_file(tmp_path: Path) -> None:
    path = tmp_path / "large.dcm"
    with path.open("wb") as file:
        file.truncate(4 * 1024**3)  # sparse
    with pytest.raises(ImageReadError, match="a file of 4294967296 bytes; expected at most"):
        read_image(path)


def deflate_bomb(size: int) -> bytes:
    plain = build(syntax="deflated")
    begin = 132 + 12 + int.from_bytes(plain[140:144], "little")
    packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    body = zlib.decompress(plain[begin:], wbits=-zlib.MAX_WBITS)
    first = packer.compress(body) + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(b"\0" * 1024**2) + packer.flush(zlib.Z_FULL_FLUSH)  # a flushed block may be repeated
    return plain[:begin] + first + block * (size // 1024**2) + packer.flush()


def test_deflated_bomb() -> None:
    text = message(deflate_bomb(3 * 1024**2), ReadLimits(max_file_bytes=1024**2))
    assert "a deflated file that unpacks to far more than it should" in text


def raster_bomb(kind: str, side: int) -> bytes:
    if kind == "png":
        line = b"\0" + b"\0" * (side // 8)
        packed = zlib.compress(line * min(side, 12000))
        chunks = [(b"IHDR", struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)), (b"IDAT", packed), (b"IEND", b"")]
        body = b"".join(
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
            for name, data in chunks
        )
        return b"\x89PNG\r\n\x1a\n" + body
    small = io.BytesIO()
    Image.new("L", (64, 64)).save(small, "JPEG")
    data = bytearray(small.getvalue())
    at = data.find(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", side, side)
    return bytes(data)


@pytest.mark.parametrize("side", [11000, 16000, 60000])
@pytest.mark.parametrize("kind", ["png", "jpeg"])
def test_picture_bomb(kind: str, side: int) -> None:
    text = message(raster_bomb(kind, side))
    assert text.startswith("a picture of ")
    assert "expected at most 100000000 pixels" in text


def stream_bomb(syntax: str) -> bytes:
    """A header of 96 x 80 over a codestream that claims 60000 x 60000."""
    if syntax == "jpeg2000":
        stream = bytearray(imagecodecs.jpeg2k_encode(gradient().astype("u2"), codecformat="j2k"))
        stream[8:16] = struct.pack(">II", 60000, 60000)
        stream[24:32] = struct.pack(">II", 60000, 60000)
    else:
        encode = imagecodecs.jpegls_encode if syntax == "jpeg-ls" else imagecodecs.jpeg8_encode
        options = {} if syntax == "jpeg-ls" else {"lossless": True, "predictor": 1, "bitspersample": 12}
        stream = bytearray(encode(gradient().astype("u2"), **options))
        at = max(stream.find(b"\xff\xf7"), stream.find(b"\xff\xc3"))
        stream[at + 5 : at + 9] = struct.pack(">HH", 60000, 60000)
    name = {"jpeg2000": "jpeg2000-lossless", "jpeg-ls": "jpeg-ls", "jpeg": "jpeg-lossless-sv1"}[syntax]
    return build(syntax=name, PixelData=encapsulate([bytes(stream)]))


def with_jumbo_header(syntax: str) -> bytes:
    """Header and codestream agree on 9999 x 10000, which the limit allows; the stream holds 96 x 80."""
    data = bytearray(build(syntax=syntax))
    for marker, offset, layout in ((b"\xff\xf7", 5, ">HH"), (b"\xff\xc3", 5, ">HH")):
        at = data.rfind(marker + b"\x00\x0b")
        if at > 0:
            data[at + offset : at + offset + 4] = struct.pack(layout, 9999, 10000)
    for element, value in ((0x10, 9999), (0x11, 10000)):
        at = data.find(b"\x28\x00" + bytes([element, 0]))
        data[at + 8 : at + 10] = value.to_bytes(2, "little")
    return bytes(data)


# --- archives and directories ---


def zipped(path: Path, members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> str:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo(name)
            info.filename = name  # as it is: ZipInfo would cut or turn what climbs
            info.compress_type = compression
            archive.writestr(info, data)
    return str(path)


CLIMBING = ["../up.dcm", "a/../../up.dcm", "/etc/film.dcm", "C:/film.dcm", "C:\\film.dcm", "..\\up.dcm", "a\\..\\..\\b"]


@pytest.mark.parametrize("name", CLIMBING)
def test_member_that_climbs_out(name: str, tmp_path: Path, pipeline: Pipeline) -> None:
    path = zipped(tmp_path / "films.zip", {name: build(), "good.dcm": build()})
    found = results(pipeline, path)
    assert found.pop(f"{path}!good.dcm").status == "predicted"
    ((member, result),) = found.items()
    assert member.startswith(f"{path}!")
    assert result.status == "failed"
    assert result.reason is not None
    assert "climbs out of the archive" in result.reason
    assert sorted(p.name for p in tmp_path.iterdir()) == ["films.zip"]


@pytest.mark.parametrize("name", ["line\nbreak.dcm", "\x1b[2Jclear.dcm", "tab\t.dcm", "rtl\u202egpj.dcm"])
def test_member_name_cannot_break_the_line(name: str, tmp_path: Path) -> None:
    path = zipped(tmp_path / "films.zip", {name: b"text", "good.dcm": build()})
    done = cxr("predict", path)
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    (line,) = [line for line in lines if ": failed: " in line]
    assert line.startswith(f"{path}!")
    assert all(line.isprintable() for line in lines)


def test_member_of_too_high_ratio(tmp_path: Path, pipeline: Pipeline) -> None:
    path = zipped(tmp_path / "films.zip", {"bomb.dcm": b"\0" * 3 * 1024**2, "good.dcm": build()})
    found = results(pipeline, path)
    assert found[f"{path}!good.dcm"].status == "predicted"
    reason = found[f"{path}!bomb.dcm"].reason or ""
    assert "a member that unpacks from" in reason
    assert "to 3145728 bytes; expected at most 200 times" in reason


def test_archive_of_too_much_in_all(tmp_path: Path, pipeline: Pipeline) -> None:
    film = build()
    path = zipped(tmp_path / "films.zip", {f"{i}.dcm": film for i in range(5)})
    found = results(pipeline, path, limits=ReadLimits(max_archive_bytes=3 * len(film)))
    assert [result.status for result in found.values()] == ["predicted"] * 3 + ["failed"] * 2


def test_archive_of_too_many_members(tmp_path: Path, pipeline: Pipeline) -> None:
    path = zipped(tmp_path / "films.zip", {f"{i}.dcm": b"" for i in range(5)})
    ((name, result),) = results(pipeline, path, limits=ReadLimits(max_archive_members=4)).items()
    assert name == path
    assert "a zip of 5 members; expected at most 4" in (result.reason or "")


def test_member_that_lies_about_its_size(tmp_path: Path, pipeline: Pipeline) -> None:
    path = Path(zipped(tmp_path / "films.zip", {"liar.dcm": b"\0" * 5 * 1024**2, "good.dcm": build()}))
    data = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = data.find(signature)
        data[at + offset : at + offset + 4] = (1000).to_bytes(4, "little")
    path.write_bytes(data)
    found = results(pipeline, str(path))
    assert found[f"{path}!good.dcm"].status == "predicted"
    assert found[f"{path}!liar.dcm"].status == "failed"


def test_overlapping_members(tmp_path: Path, pipeline: Pipeline) -> None:
    path = Path(zipped(tmp_path / "films.zip", {"a.dcm": build(), "b.dcm": build()}))
    data = bytearray(path.read_bytes())
    second = data.rfind(b"PK\x01\x02")
    data[second + 42 : second + 46] = bytes(4)  # the second entry points at the first member
    path.write_bytes(data)
    assert results(pipeline, str(path))[f"{path}!b.dcm"].status == "failed"


def test_encrypted_member(tmp_path: Path, pipeline: Pipeline) -> None:
    path = Path(zipped(tmp_path / "films.zip", {"locked.dcm": build(), "open.dcm": build()}))
    data = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.find(signature) + offset] |= 1
    path.write_bytes(data)
    found = results(pipeline, str(path))
    assert "an encrypted member" in (found[f"{path}!locked.dcm"].reason or "")
    assert found[f"{path}!open.dcm"].status == "predicted"


@pytest.mark.parametrize("damage", ["cut", "directory", "member", "method"])
def test_damaged_zip(damage: str, tmp_path: Path, pipeline: Pipeline) -> None:
    path = Path(zipped(tmp_path / "films.zip", {"a.dcm": build(), "b.dcm": build()}))
    data = bytearray(path.read_bytes())
    if damage == "cut":
        del data[len(data) // 2 :]
    elif damage == "directory":
        data[data.find(b"PK\x01\x02")] ^= 0xFF
    elif damage == "member":
        data[200] ^= 0xFF
    else:
        for signature, offset in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
            data[data.find(signature) + offset] = 99
    path.write_bytes(data)
    failed = [name for name, result in results(pipeline, str(path)).items() if result.status == "failed"]
    assert failed == ([str(path)] if damage in ("cut", "directory") else [f"{path}!a.dcm"])


def test_zip_without_images(tmp_path: Path, pipeline: Pipeline) -> None:
    path = zipped(tmp_path / "films.zip", {"readme.txt": b"text"})
    assert "a zip without images" in (results(pipeline, path)[path].reason or "")


def test_empty_zip(tmp_path: Path, pipeline: Pipeline) -> None:
    path = zipped(tmp_path / "films.zip", {})
    assert results(pipeline, path)[path].status == "failed"


@pytest.mark.parametrize("content", [{}, {"notes.txt": b"text"}, {".hidden": b"x"}])
def test_folder_without_images(content: dict[str, bytes], tmp_path: Path, pipeline: Pipeline) -> None:
    for name, data in content.items():
        (tmp_path / name).write_bytes(data)
    path = str(tmp_path)
    assert "a folder without images" in (results(pipeline, path)[path].reason or "")


def test_pipe_in_a_folder_is_passed_over(tmp_path: Path, pipeline: Pipeline) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "film.dcm").write_bytes(build())
    assert [r.status for r in results(pipeline, str(tmp_path)).values()] == ["predicted"]


@pytest.mark.parametrize("inside", [False, True])
def test_zip_in_a_folder_is_read_and_one_within_it_is_told(inside: bool, tmp_path: Path, pipeline: Pipeline) -> None:
    inner = Path(zipped(tmp_path / "inner.zip", {"film.dcm": build()}))
    if inside:
        outer = zipped(tmp_path / "outer.zip", {"inner.zip": inner.read_bytes(), "film.dcm": build()})
        inner.unlink()
        found = results(pipeline, str(tmp_path))
        assert found[f"{outer}!film.dcm"].status == "predicted"
        assert "a zip within a zip" in (found[f"{outer}!inner.zip"].reason or "")
        assert results(pipeline, outer).keys() == found.keys()
    else:
        zipped(tmp_path / "papers.zip", {"readme.txt": b"text"})
        assert {name: r.status for name, r in results(pipeline, str(tmp_path)).items()} == {
            f"{inner}!film.dcm": "predicted"
        }


def test_damaged_zip_in_a_folder_is_told(tmp_path: Path, pipeline: Pipeline) -> None:
    (tmp_path / "films.zip").write_bytes(b"PK\x03\x04 and no more")
    found = results(pipeline, str(tmp_path))
    assert "a damaged zip archive" in (found[str(tmp_path / "films.zip")].reason or "")


def test_linked_folder_is_searched_once(tmp_path: Path, pipeline: Pipeline) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "film.dcm").write_bytes(build())
    (tmp_path / "typed").mkdir()
    for name in ("a", "b"):
        (tmp_path / "typed" / name).symlink_to(tmp_path / "store")
    found = results(pipeline, str(tmp_path / "typed"))
    assert {name: r.status for name, r in found.items()} == {str(tmp_path / "typed" / "a" / "film.dcm"): "predicted"}


def test_broken_link_in_a_folder_is_told(tmp_path: Path, pipeline: Pipeline) -> None:
    (tmp_path / "film.dcm").symlink_to(tmp_path / "nowhere.dcm")
    assert "cannot be read" in (results(pipeline, str(tmp_path))[str(tmp_path / "film.dcm")].reason or "")


@pytest.mark.parametrize("name", ["pipe", "DICOMDIR", "film.zip"])
def test_pipe_and_device_are_not_read(name: str, tmp_path: Path, pipeline: Pipeline) -> None:
    os.mkfifo(tmp_path / name)
    for path in (str(tmp_path / name), "/dev/zero"):
        assert "a pipe or device; expected a regular file" in (results(pipeline, path)[path].reason or "")


def test_file_that_grows_is_read_no_further_than_its_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "film.dcm"
    path.write_bytes(b"x" * 100)
    status = path.stat()
    path.write_bytes(b"x" * 1000)
    monkeypatch.setattr(Path, "stat", lambda self: status)
    assert len(read_bytes(path, ReadLimits(max_file_bytes=100))) == 100


def test_path_that_cannot_be_looked_at(tmp_path: Path, pipeline: Pipeline) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "good.dcm").write_bytes(build())
    long, loop = str(tmp_path / ("n" * 300)), str(tmp_path / "loop")
    found = results(pipeline, long, loop, str(tmp_path / "good.dcm"))
    assert [r.status for r in found.values()] == ["failed", "failed", "predicted"]
    assert "File name too long" in (found[long].reason or "")


def test_file_below_a_closed_folder(tmp_path: Path, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    """The superuser opens every folder, so the refusal is put in its place."""
    original = Path.stat

    def stat(self: Path, **options: bool) -> os.stat_result:
        if "closed" in self.parts:
            raise PermissionError(13, "Permission denied", str(self))
        return original(self, **options)

    (tmp_path / "closed").mkdir()
    film = tmp_path / "closed" / "film.dcm"
    film.write_bytes(build())
    monkeypatch.setattr(Path, "stat", stat)
    assert "Permission denied" in (results(pipeline, str(film))[str(film)].reason or "")


class _TooLarge:
    def __init__(self, error: type[Exception], code: int | None = None) -> None:
        self.error, self.code = error, code

    def __call__(self, *args: object, **options: object) -> None:
        error = self.error("no memory")
        if self.code is not None:
            error.code = self.code  # type: ignore[attr-defined]
        raise error


@pytest.mark.parametrize("step", ["read_image", "model_input", "predict", "load"])
@pytest.mark.parametrize("raised", [_TooLarge(MemoryError), _TooLarge(cv2.error, cv2.Error.StsNoMem)])
def test_too_little_memory_fails_the_image(
    step: str, raised: _TooLarge, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = raised if step == "load" else build
    if step == "predict":
        monkeypatch.setattr(pipeline.classifier, "predict", raised)
    elif step != "load":
        monkeypatch.setattr(f"cxr_core.pipeline.{step}", raised)
    result, _ = pipeline(Source("film.dcm", load))  # type: ignore[arg-type]
    assert (result.status, result.prediction) == ("failed", None)
    assert "more memory than there is" in checked(result.reason or "")
    assert result.sop_instance_uid == (None if step in ("read_image", "load") else "2.25.1001")


def test_other_errors_of_opencv_are_not_hidden(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cxr_core.pipeline.model_input", _TooLarge(cv2.error, cv2.Error.StsBadArg))
    with pytest.raises(cv2.error):
        pipeline(Source("film.dcm", build))


@pytest.mark.parametrize("attributes", [{"Rows": 0}, {"BitsStored": None}, {"PixelData": b"\0\0"}])
def test_failed_image_keeps_its_uid(attributes: dict[str, object], pipeline: Pipeline) -> None:
    result, _ = pipeline(Source("film.dcm", lambda: build(**attributes)))
    assert (result.status, result.sop_instance_uid) == ("failed", "2.25.1001")


def test_uid_that_is_none_is_not_passed_on(pipeline: Pipeline) -> None:
    data = build().replace(b"2.25.1001", b"SYNTHETIC")
    assert pipeline(Source("film.dcm", lambda: data))[0].sop_instance_uid is None


def test_links_in_a_circle(tmp_path: Path, pipeline: Pipeline) -> None:
    (tmp_path / "film.dcm").write_bytes(build())
    (tmp_path / "again").symlink_to(tmp_path)
    (tmp_path / "self.dcm").symlink_to(tmp_path / "self.dcm")
    found = results(pipeline, str(tmp_path))
    assert found[str(tmp_path / "film.dcm")].status == "predicted"
    assert len(found) <= 2


def dicomdir(folder: Path, *file_ids: list[str] | str) -> str:
    records = []
    for file_id in file_ids:
        record = Dataset()
        record.DirectoryRecordType = "IMAGE"
        record.ReferencedFileID = file_id
        records.append(record)
    directory = Dataset()
    directory.FileSetID = "TEST"
    directory.DirectoryRecordSequence = records
    directory.file_meta = FileMetaDataset()
    directory.file_meta.MediaStorageSOPClassUID = MediaStorageDirectoryStorage
    directory.file_meta.MediaStorageSOPInstanceUID = "2.25.7"
    directory.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    path = folder / "DICOMDIR"
    directory.save_as(path, enforce_file_format=True)
    return str(path)


@pytest.mark.parametrize("file_id", [["..", "SECRET"], ["IMAGES", "..", "..", "SECRET"], "../SECRET", ["A\\..\\B"]])
def test_dicomdir_that_climbs_out(file_id: list[str], tmp_path: Path, pipeline: Pipeline) -> None:
    folder = tmp_path / "disc"
    folder.mkdir()
    (tmp_path / "SECRET").write_bytes(build())
    (folder / "GOOD").write_bytes(build())
    found = results(pipeline, dicomdir(folder, file_id, "GOOD"))
    assert found[str(folder / "GOOD")].status == "predicted"
    (reason,) = [result.reason or "" for result in found.values() if result.status == "failed"]
    assert "climbs out of its folder" in reason


def test_dicomdir_of_a_missing_file(tmp_path: Path, pipeline: Pipeline) -> None:
    (tmp_path / "GOOD").write_bytes(build())
    found = results(pipeline, dicomdir(tmp_path, "MISSING", "GOOD"))
    assert found[str(tmp_path / "GOOD")].status == "predicted"
    assert "cannot be read" in (found[str(tmp_path / "MISSING")].reason or "")


@pytest.mark.parametrize("content", [b"", b"text", b"\0" * 128 + b"DICM" + b"\x04\x00" * 50])
def test_damaged_dicomdir(content: bytes, tmp_path: Path, pipeline: Pipeline) -> None:
    path = tmp_path / "DICOMDIR"
    path.write_bytes(content)
    ((name, result),) = results(pipeline, str(path)).items()
    assert name == str(path)
    assert "a damaged DICOMDIR" in (result.reason or "")


def test_truncated_dicomdir(tmp_path: Path, pipeline: Pipeline) -> None:
    path = Path(dicomdir(tmp_path, "ONE", "TWO"))
    data = path.read_bytes()
    for length in range(0, len(data), 5):
        path.write_bytes(data[:length])
        assert all(result.status == "failed" for result in results(pipeline, str(path)).values())


def test_dicomdir_without_images(tmp_path: Path, pipeline: Pipeline) -> None:
    path = dicomdir(tmp_path)
    assert results(pipeline, path)[path].status == "failed"


# --- through the command, with memory measured ---


def cxr(*words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [*CXR, *words], capture_output=True, text=True, timeout=SECONDS, cwd=cwd or ROOT, env=environment
    )


#: ru_maxrss would begin at what the parent has; the high-water mark of the address space is the child's own (KiB).
MEASURE = """
import sys
sys.argv = ["cxr", *sys.argv[1:]]
from cxr_core.cli import app
try:
    app()
finally:
    with open("/proc/self/status") as status:
        print(next(int(line.split()[1]) // 1024 for line in status if line.startswith("VmHWM")), file=sys.stderr)
"""


def peak_mib(*words: str) -> tuple[subprocess.CompletedProcess[str], int]:
    """A run of the command, and its peak memory in mebibytes."""
    command = [sys.executable, "-c", MEASURE, *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, cwd=ROOT)
    return done, int(done.stderr.splitlines()[-1])


def _zip_bomb(folder: Path) -> Path:
    path = folder / "bomb.zip"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive,
        archive.open("bomb.dcm", "w", force_zip64=True) as member,
    ):
        block = b"\0" * 1024**2
        for _ in range(300):
            member.write(block)
    return path


def _file(name: str, make: Callable[[], bytes]) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        path = folder / name
        path.write_bytes(make())
        return path

    return write


BOMBS: dict[str, Callable[[Path], Path]] = {
    "header": _file("header.dcm", lambda: build(Rows=60000, Columns=60000)),
    "jpeg2000": _file("jpeg2000.dcm", lambda: stream_bomb("jpeg2000")),
    "jpeg-ls": _file("jpegls.dcm", lambda: stream_bomb("jpeg-ls")),
    "jpeg": _file("jpeg.dcm", lambda: stream_bomb("jpeg")),
    "jpeg-ls-agreed": _file("agreed-ls.dcm", lambda: with_jumbo_header("jpeg-ls")),
    "jpeg-agreed": _file("agreed.dcm", lambda: with_jumbo_header("jpeg-lossless-sv1")),
    "rle": _file("rle.dcm", lambda: with_jumbo_header("rle")),
    "deflated": _file("deflated.dcm", lambda: deflate_bomb(700 * 1024**2)),
    "png": _file("bomb.png", lambda: raster_bomb("png", 60000)),
    "jpeg-file": _file("bomb.jpg", lambda: raster_bomb("jpeg", 60000)),
    "zip": _zip_bomb,
}


@pytest.fixture(scope="module")
def good_film(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """A film and the peak memory of a run on it."""
    path = tmp_path_factory.mktemp("good") / "good.dcm"
    path.write_bytes(build())
    done, peak = peak_mib("predict", str(path))
    assert done.returncode == 0, done.stderr
    return path, peak


@pytest.mark.parametrize("kind", BOMBS)
def test_memory_is_bounded(kind: str, tmp_path: Path, good_film: tuple[Path, int]) -> None:
    bomb = BOMBS[kind](tmp_path)
    good, usual = good_film
    done, peak = peak_mib("predict", str(bomb), str(good), "--json")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["status"] for line in lines] == ["failed", "predicted"]
    assert lines[0]["path"].startswith(str(bomb))
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert peak - usual < MEMORY_BOUND_MIB


def _just_under(kind: str) -> bytes:
    """A picture of just under 100 million pixels that costs its maker next to nothing."""
    side = 9999
    if kind == "png":
        buffer = io.BytesIO()
        Image.new("RGB", (side, side), (90, 90, 90)).save(buffer, "PNG", compress_level=1)
        return buffer.getvalue()
    if kind == "mixed-padding":
        stored = np.full((side, side), 900, np.uint16)
        stored[::2, ::2] = 0
        return build(stored, bits_stored=16, PixelPaddingValue=0)
    if kind == "narrow":
        return build(np.full((65000, 1500), 900, np.uint16), bits_stored=16)
    stored = np.full((side, side, 3), 90, np.uint8)
    return build(stored, bits_stored=8, photometric="YBR_FULL" if kind == "ybr" else "RGB")


#: Mebibytes above a run on one good film: the file and its pixels, 300 each for three channels, and the grey of them.
LARGEST_MIB = 750


@pytest.mark.parametrize(
    "kind", ["png", "rgb", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("ybr", "mixed-padding", "narrow"))]
)
def test_memory_is_bounded_just_under_the_limit(kind: str, tmp_path: Path, good_film: tuple[Path, int]) -> None:
    large = tmp_path / ("large.png" if kind == "png" else "large.dcm")
    large.write_bytes(_just_under(kind))
    good, usual = good_film
    done, peak = peak_mib("predict", str(large), str(good), "--json")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines[0]["status"] == ("refused" if kind == "ybr" else "predicted")
    assert lines[1]["status"] == "predicted"
    assert peak - usual < LARGEST_MIB


def test_one_line_each_and_the_rest_goes_on(tmp_path: Path) -> None:
    whole = build()
    bad = {
        "a-text.dcm": b"text\n" * 50,
        "b-empty.dcm": b"",
        "c-cut.dcm": whole[:-2000],
        "d-rows.dcm": build(Rows=None),
        "e-zero.dcm": build(Rows=0),
        "f-claims.dcm": build(Rows=60000, Columns=60000),
        "g-stream.dcm": stream_bomb("jpeg2000"),
        "h.jpg": raster_bomb("jpeg", 60000),
    }
    for name, data in {**bad, "z-good.dcm": whole}.items():
        (tmp_path / name).write_bytes(data)
    typed = [f"./{name}" for name in (*bad, "z-good.dcm")]
    done = cxr("predict", *typed, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.replace("INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\n", "") == ""
    lines = done.stdout.splitlines()
    for name in bad:
        (line,) = [line for line in lines if line.startswith(f"./{name}: ")]
        assert line.startswith(f"./{name}: failed: ")
        checked(line)
    assert any(line.startswith("./z-good.dcm: ") and "failed" not in line for line in lines)
    assert lines[-2] == f"1 predicted, {len(bad)} failed"
    assert "SYNTHETIC" not in done.stdout + done.stderr


@pytest.mark.parametrize("offset", [0, 63, 1_000_000, 0xFFFFFFFF])
def test_rle_offset_outside_the_frame_is_refused_before_the_decoder_follows_it(offset: int) -> None:
    """The native decoder reads wherever the header points, and took the process down with it."""
    data = build(syntax="rle")
    header = data.index((2).to_bytes(4, "little") + (64).to_bytes(4, "little"))
    broken = data[: header + 8] + offset.to_bytes(4, "little") + data[header + 12 :]
    with pytest.raises(ImageReadError, match="RLE pixel data whose segments lie outside the frame"):
        _ = read_image(broken).stored
