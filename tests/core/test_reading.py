"""Reading: stored values of every transfer syntax and file kind, header facts, age and spacing."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
from PIL import Image, ImageOps
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.pixels import convert_color_space, pixel_array

from cxr_core.chest_image import Spacing
from cxr_core.errors import ImageReadError
from cxr_core.reading import find_sources, read_image
from cxr_core.reading.calibration import spacing_of
from cxr_core.reading.patient_age import age_years
from cxr_core.settings import ReadLimits
from tests.dicom_builder import EIGHT_BIT, LOSSY, TRANSFER_SYNTAXES, build, gradient

LOSSLESS = [name for name in TRANSFER_SYNTAXES if name not in LOSSY]
#: Those whose coding knows no sign in our builder (or at all), so that signed values travel as their bit pattern.
NATIVE = ["implicit", "explicit", "deflated", "big-endian", "rle"]
#: Largest error of the lossy syntaxes at the builder's quality, in units of the whole range.
LOSS = {"jpeg-baseline": 0.02, "jpeg-extended": 0.02, "jpeg-ls-near": 2.0 / 255, "jpeg2000": 0.02, "htj2k": 0.02}


def _stored(bits: int, signed: bool = False) -> np.ndarray:
    """Every part of the range, on odd sides; both ends are there."""
    return gradient(97, 83, bits, low=-(1 << (bits - 1)) if signed else 0)


@pytest.mark.parametrize("syntax", LOSSLESS)
@pytest.mark.parametrize("bits", [8, 10, 12, 14, 15, 16])
def test_lossless_syntaxes_give_the_stored_values(syntax: str, bits: int) -> None:
    stored = _stored(bits)
    image = read_image(build(stored, syntax=syntax, bits_stored=bits))
    np.testing.assert_array_equal(image.stored, stored)
    assert image.stored.dtype == (np.uint8 if bits == 8 else np.uint16)
    assert image.facts.transfer_syntax_uid == str(TRANSFER_SYNTAXES[syntax])
    assert not image.facts.lossy
    assert image.notes == ()


@pytest.mark.parametrize("syntax", [*NATIVE, "jpeg-lossless", "jpeg-lossless-sv1", "jpeg-ls"])
@pytest.mark.parametrize("bits", [8, 12, 15, 16])
def test_signed_values(syntax: str, bits: int) -> None:
    stored = _stored(bits, signed=True)
    image = read_image(build(stored, syntax=syntax, bits_stored=bits, signed=True))
    np.testing.assert_array_equal(image.stored, stored)
    assert image.stored.dtype == (np.int8 if bits == 8 else np.int16)


@pytest.mark.parametrize("bits", [8, 12, 16])
def test_signed_jpeg_2000(bits: int) -> None:
    stored = _stored(bits, signed=True)
    packed = imagecodecs.jpeg2k_encode(
        stored.astype(np.int8 if bits == 8 else np.int16),
        level=0,
        reversible=True,
        codecformat="j2k",
        bitspersample=bits,
    )
    image = read_image(_with_frame(bytes(packed), "jpeg2000-lossless", stored, bits, signed=True))
    np.testing.assert_array_equal(image.stored, stored)


@pytest.mark.parametrize("syntax", sorted(LOSSY))
@pytest.mark.parametrize("bits", [8, 12])
def test_lossy_syntaxes_come_close_and_say_so(syntax: str, bits: int) -> None:
    if syntax in EIGHT_BIT:
        bits = 8
    elif syntax == "jpeg-extended":
        bits = 12
    stored = _stored(bits)
    image = read_image(build(stored, syntax=syntax, bits_stored=bits))
    worst = np.abs(image.stored.astype(int) - stored).max()
    assert worst <= LOSS[syntax] * (2**bits - 1)
    assert image.facts.lossy


@pytest.mark.parametrize("syntax", ["implicit", "explicit", "deflated", "big-endian", "rle", "jpeg2000-lossless"])
@pytest.mark.parametrize(("bits", "signed"), [(8, False), (12, True), (15, False), (16, True), (16, False)])
def test_as_pydicom_decodes(syntax: str, bits: int, signed: bool) -> None:
    data = build(_stored(bits, signed), syntax=syntax, bits_stored=bits, signed=signed)
    np.testing.assert_array_equal(read_image(data).stored, dcmread(io.BytesIO(data)).pixel_array)


def _with_frame(frame: bytes, syntax: str, stored: np.ndarray, bits: int, **attributes: Any) -> bytes:
    from pydicom.encaps import encapsulate

    return build(stored, syntax=syntax, bits_stored=bits, PixelData=encapsulate([frame]), **attributes)


# Files that ship inside pydicom and pydicom-data: real senders and toolkits.
REAL_FILES = [
    "RG1_UNCR.dcm",
    "RG3_UNCR.dcm",
    "MR2_UNCR.dcm",
    "CT_small.dcm",
    "MR_small.dcm",
    "MR_small_RLE.dcm",
    "MR_small_bigendian.dcm",
    "MR_small_implicit.dcm",
    "MR_small_jp2klossless.dcm",
    "JPEG2000.dcm",
    "RG1_J2KR.dcm",
    "RG3_J2KR.dcm",
    "693_J2KI.dcm",
    "image_dfl.dcm",
    "mlut_18.dcm",
    "vlut_04.dcm",
]


def _real(name: str) -> Path:
    path = get_testdata_file(name, download=False)
    assert isinstance(path, str), f"{name} does not ship with the installed packages"
    return Path(path)


@pytest.mark.parametrize("name", REAL_FILES)
def test_real_files_as_pydicom_decodes_them(name: str) -> None:
    image = read_image(_real(name))
    np.testing.assert_array_equal(image.stored, dcmread(_real(name), force=True).pixel_array)


@pytest.mark.parametrize("name", ["RG1", "RG3", "MR2", "693"])
def test_real_files_have_the_same_pixels_in_jpeg_2000(name: str) -> None:
    np.testing.assert_array_equal(
        read_image(_real(f"{name}_J2KR.dcm")).stored, read_image(_real(f"{name}_UNCR.dcm")).stored
    )


@pytest.mark.parametrize(
    ("name", "twin"), [("MR_small_jpeg_ls_lossless", "MR_small"), ("SC_rgb_jpeg_gdcm", "SC_rgb_rle")]
)
def test_real_jpeg_lossless_and_jpeg_ls_have_the_pixels_of_their_twins(name: str, twin: str) -> None:
    np.testing.assert_array_equal(read_image(_real(f"{name}.dcm")).stored, read_image(_real(f"{twin}.dcm")).stored)


@pytest.mark.parametrize("name", ["RG1", "RG3", "MR2", "693"])
def test_real_lossy_jpeg_2000_comes_close(name: str) -> None:
    lossy, original = read_image(_real(f"{name}_J2KI.dcm")), read_image(_real(f"{name}_UNCI.dcm"))
    reach = np.ptp(original.stored.astype(int))
    assert lossy.stored.shape == original.stored.shape
    assert np.abs(lossy.stored.astype(int) - original.stored).mean() <= 0.02 * reach


def test_a_real_file_with_a_row_too_much_is_an_error() -> None:
    """Rows or Columns may be wrong: nothing in the file tells."""
    with pytest.raises(ImageReadError, match="8320 bytes of pixel data; expected 8192 for 64 x 64"):
        _ = read_image(_real("MR_small_padded.dcm")).stored


@pytest.mark.parametrize("name", ["JPEG-lossy.dcm", "JPGExtended.dcm"])
def test_real_jpeg_extended_of_12_bits(name: str) -> None:
    image, dataset = read_image(_real(name)), dcmread(_real(name))
    assert image.stored.shape == (dataset.Rows, dataset.Columns)
    assert image.stored.max() < 1 << dataset.BitsStored
    assert np.ptp(image.stored.astype(int)) > 255
    assert image.facts.lossy


def test_real_jpeg_lossless() -> None:
    for name in ("JPEG-LL.dcm", "JPGLosslessP14SV1_1s_1f_8b.dcm"):
        image, dataset = read_image(_real(name)), dcmread(_real(name))
        assert image.stored.shape == (dataset.Rows, dataset.Columns)
        assert image.stored.std() > 0


# The wrapping.


@pytest.mark.parametrize("syntax", ["implicit", "explicit", "jpeg2000-lossless", "jpeg-ls", "rle"])
def test_without_preamble(syntax: str) -> None:
    stored = _stored(12)
    np.testing.assert_array_equal(read_image(build(stored, syntax=syntax, preamble=False)).stored, stored)


@pytest.mark.parametrize("syntax", ["implicit", "explicit", "big-endian", "jpeg2000-lossless", "jpeg-ls", "rle"])
def test_without_file_meta(syntax: str) -> None:
    stored = _stored(12)
    image = read_image(build(stored, syntax=syntax, meta=False))
    np.testing.assert_array_equal(image.stored, stored)
    assert image.facts.modality == "CR"


def test_deflated_without_preamble() -> None:
    stored = _stored(12)
    np.testing.assert_array_equal(read_image(build(stored, syntax="deflated", preamble=False)).stored, stored)


def test_path_and_bytes_give_the_same(tmp_path: Path) -> None:
    data = build()
    path = tmp_path / "film"
    path.write_bytes(data)
    for source in (path, str(path)):
        np.testing.assert_array_equal(read_image(source).stored, read_image(data).stored)


# The bits.


@pytest.mark.parametrize("syntax", ["implicit", "explicit", "big-endian", "deflated"])
def test_bits_above_bits_stored_are_cleared(syntax: str) -> None:
    stored = _stored(12)
    overlay = stored | (np.indices(stored.shape).sum(axis=0) % 16 << 12)
    np.testing.assert_array_equal(read_image(build(overlay, syntax=syntax, bits_stored=12)).stored, stored)


def test_bits_above_bits_stored_extend_the_sign() -> None:
    stored = _stored(12, signed=True)
    np.testing.assert_array_equal(read_image(build(stored & 0x0FFF, bits_stored=12, signed=True)).stored, stored)


def test_8_bit_samples_of_6_bits() -> None:
    stored = _stored(6)
    np.testing.assert_array_equal(read_image(build(stored | 0xC0, bits_stored=6)).stored, stored)


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("high_bit", [11, 13, 15])
def test_high_bit_shifts_the_values_down(high_bit: int, signed: bool) -> None:
    stored = _stored(12, signed)
    shift = high_bit - 11
    below = np.indices(stored.shape).sum(axis=0) % (1 << shift) if shift else 0
    raw = (stored << shift) + below
    image = read_image(build(raw, bits_stored=12, signed=signed, HighBit=high_bit))
    np.testing.assert_array_equal(image.stored, stored)


def test_high_bit_shifts_the_cells_of_rle_too() -> None:
    stored = _stored(12)
    image = read_image(build(stored << 4, syntax="rle", bits_stored=12, HighBit=15))
    np.testing.assert_array_equal(image.stored, stored)


def test_streams_of_the_jpeg_family_hold_values_whatever_high_bit_says() -> None:
    stored = _stored(12)
    image = read_image(build(stored, syntax="jpeg-ls", bits_stored=12, HighBit=15))
    np.testing.assert_array_equal(image.stored, stored)


@pytest.mark.parametrize("high_bit", [0, 10, 16, 255])
def test_high_bit_that_cannot_be(high_bit: int) -> None:
    with pytest.raises(ImageReadError, match=f"High Bit {high_bit} of 12 bits stored in 16; expected 11; "):
        read_image(build(bits_stored=12, HighBit=high_bit))


def test_missing_high_bit_is_the_one_below_bits_stored() -> None:
    np.testing.assert_array_equal(read_image(build(_stored(12), HighBit=None)).stored, _stored(12))


def test_a_stream_brighter_than_bits_stored_is_cut_not_wrapped() -> None:
    """Lossy coding overshoots; wrapped values would be black dots in white."""
    stored = gradient(64, 64, 13)
    packed = bytes(imagecodecs.jpegls_encode(stored.astype(np.uint16)))
    image = read_image(_with_frame(packed, "jpeg-ls", stored, 12))
    np.testing.assert_array_equal(image.stored, np.minimum(stored, 4095))


def test_odd_8_bit_images_are_padded_to_even_length() -> None:
    stored = gradient(65, 67, 8)
    for syntax in ("implicit", "explicit", "big-endian"):
        np.testing.assert_array_equal(read_image(build(stored, syntax=syntax, bits_stored=8)).stored, stored)


# Pictures.


def _file(picture: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_png_of_8_bits(mode: str) -> None:
    stored = gradient(70, 90, 8).astype(np.uint8)
    image = read_image(_file(Image.fromarray(stored).convert(mode), "PNG"))
    np.testing.assert_array_equal(image.stored, stored)
    assert (image.facts.container, image.facts.lossy, image.facts.colour_share) == ("png", False, 0)
    assert (image.facts.rows, image.facts.columns) == (70, 90)
    assert image.attributes is not None
    assert image.attributes.bits_stored == 8


def test_png_of_16_bits() -> None:
    stored = gradient(70, 90, 16).astype(np.uint16)
    image = read_image(bytes(imagecodecs.png_encode(stored)))
    np.testing.assert_array_equal(image.stored, stored)
    assert image.attributes is not None
    assert image.attributes.bits_stored == 16


def test_png_of_1_bit_and_of_a_palette() -> None:
    black_and_white = gradient(70, 90, 8) > 127
    expected = np.where(black_and_white, 255, 0)
    picture = Image.fromarray(black_and_white)
    np.testing.assert_array_equal(read_image(_file(picture, "PNG")).stored, expected)
    grey = Image.fromarray(gradient(70, 90, 8).astype(np.uint8))
    palette = grey.quantize(16)
    np.testing.assert_array_equal(read_image(_file(palette, "PNG")).stored, np.asarray(palette.convert("L")))


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_honoured(orientation: int, kind: str) -> None:
    picture = Image.fromarray(gradient(70, 90, 8).astype(np.uint8))
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = _file(picture, kind, exif=exif)
    image = read_image(data)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
    np.testing.assert_array_equal(image.stored, expected)
    assert (image.facts.rows, image.facts.columns) == expected.shape


@pytest.mark.parametrize("exif", [b"Exif\0\0", b"Exif\0\0nothing of the kind", b"Exif\0\0II*\0\xff\xff\xff\xff"])
def test_damaged_exif_leaves_the_picture_as_it_is(exif: bytes) -> None:
    picture = Image.fromarray(gradient(70, 90, 8).astype(np.uint8))
    assert read_image(_file(picture, "JPEG", exif=exif)).stored.shape == (70, 90)


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_jpeg(mode: str) -> None:
    stored = gradient(70, 90, 8)
    data = _file(Image.fromarray(stored.astype(np.uint8)).convert(mode), "JPEG", quality=95)
    image = read_image(data)
    assert np.abs(image.stored.astype(int) - stored).max() <= 5
    assert (image.facts.container, image.facts.lossy, image.facts.colour_share) == ("jpeg", True, 0)


# Colour.


def _colour(rows: int = 64, columns: int = 80) -> np.ndarray:
    """Grey, with its left quarter red."""
    pixels = np.repeat(gradient(rows, columns, 8)[:, :, None], 3, axis=2).astype(np.uint8)
    pixels[:, : columns // 4] = (200, 20, 20)
    return pixels


@pytest.mark.parametrize("syntax", ["explicit", "big-endian", "rle", "jpeg-ls", "jpeg2000-lossless"])
def test_rgb_yields_the_share_of_colour(syntax: str) -> None:
    pixels = _colour()
    image = read_image(build(pixels, syntax=syntax, bits_stored=8, photometric="RGB"))
    assert image.facts.colour_share == 0.25
    np.testing.assert_array_equal(image.stored, np.rint(pixels.mean(axis=2)))


def test_rgb_by_planes() -> None:
    pixels = _colour()
    planes = np.ascontiguousarray(np.moveaxis(pixels, -1, 0)).tobytes()
    image = read_image(build(pixels, bits_stored=8, photometric="RGB", PlanarConfiguration=1, PixelData=planes))
    np.testing.assert_array_equal(image.stored, np.rint(pixels.mean(axis=2)))


def test_rgb_with_equal_channels_is_grey() -> None:
    stored = gradient(64, 80, 8)
    pixels = np.repeat(stored[:, :, None], 3, axis=2)
    pixels[:, :, 1] = np.minimum(stored + 8, 255)  # within the tolerance
    image = read_image(build(pixels, bits_stored=8, photometric="RGB"))
    assert image.facts.colour_share == 0


def test_rgb_of_16_bits() -> None:
    pixels = _colour().astype(np.int32) * 257
    image = read_image(build(pixels, bits_stored=16, photometric="RGB"))
    assert image.facts.colour_share == 0.25
    np.testing.assert_array_equal(image.stored, np.rint(pixels.mean(axis=2)))


@pytest.mark.parametrize("syntax", ["explicit", "rle"])
def test_ybr_full_is_converted(syntax: str) -> None:
    pixels = _colour()
    ybr = convert_color_space(pixels, "RGB", "YBR_FULL")
    image = read_image(build(ybr, syntax=syntax, bits_stored=8, photometric="YBR_FULL"))
    assert image.facts.colour_share == 0.25
    assert np.abs(image.stored - pixels.mean(axis=2)).max() <= 2


@pytest.mark.parametrize("photometric", ["RGB", "YBR_FULL_422"])
def test_colour_jpeg_in_either_colour_space(photometric: str) -> None:
    pixels = _colour()
    inside = "RGB" if photometric == "RGB" else "YCBCR"
    packed = bytes(imagecodecs.jpeg8_encode(pixels, level=98, colorspace="RGB", outcolorspace=inside))
    image = read_image(_with_frame(packed, "jpeg-baseline", pixels, 8, photometric=photometric))
    assert image.facts.colour_share == pytest.approx(0.25, abs=0.02)
    assert np.abs(image.stored - pixels.mean(axis=2)).mean() < 2


def test_palette_colour() -> None:
    stored = gradient(64, 80, 8)
    ramp = (np.arange(256) * 257).astype("<u2")
    red = ramp.copy()
    red[200:] = 0
    tables = {
        f"{name}PaletteColorLookupTable{kind}": value
        for name, table in (("Red", red), ("Green", ramp), ("Blue", ramp))
        for kind, value in (("Descriptor", [256, 0, 16]), ("Data", table.tobytes()))
    }
    image = read_image(build(stored, bits_stored=8, photometric="PALETTE COLOR", **tables))
    assert image.facts.colour_share == pytest.approx((stored >= 200).mean())
    grey = stored < 200
    np.testing.assert_array_equal(image.stored[grey], ramp[stored[grey]])


@pytest.mark.parametrize(
    "name",
    [
        "SC_rgb_small_odd.dcm",
        "SC_rgb_small_odd_big_endian.dcm",
        "SC_rgb_rle.dcm",
        "SC_rgb_rle_16bit.dcm",
        "examples_rgb_color.dcm",
    ],
)
def test_real_rgb_files(name: str) -> None:
    dataset = dcmread(_real(name))
    expected = dataset.pixel_array
    image = read_image(_real(name))
    assert image.facts.colour_share > 0.01
    np.testing.assert_array_equal(image.stored, np.rint(expected[..., :3].mean(axis=-1)))


@pytest.mark.parametrize(
    "name",
    [
        "SC_rgb_jpeg_dcmtk.dcm",
        "SC_rgb_dcmtk_+eb+cr.dcm",
        "SC_rgb_dcmtk_+eb+cy+n1.dcm",
        "SC_rgb_dcmtk_+eb+cy+s4.dcm",
        "SC_rgb_small_odd_jpeg.dcm",
    ],
)
def test_real_colour_jpegs_look_as_pydicom_shows_them(name: str) -> None:
    image = read_image(_real(name))
    assert image.facts.colour_share > 0.01
    expected = pixel_array(_real(name))
    assert np.abs(image.stored - expected.mean(axis=-1)).mean() < 3


@pytest.mark.parametrize("name", ["OT-PAL-8-face.dcm", "examples_palette.dcm"])
def test_real_palette_files(name: str) -> None:
    image = read_image(_real(name))
    assert image.facts.colour_share > 0.01
    assert image.stored.std() > 0


# Facts.


@pytest.mark.parametrize(
    ("attributes", "years"),
    [
        ({"PatientAge": "051Y"}, 51),
        ({"PatientAge": "008M"}, 8 / 12),
        ({"PatientAge": "08M"}, 8 / 12),
        ({"PatientAge": "003W"}, 21 / 365.25),
        ({"PatientAge": "012D"}, 12 / 365.25),
        ({"PatientAge": "51"}, 51),
        ({"PatientAge": " 4Y "}, 4),
        ({"PatientAge": "000Y"}, 0),
        ({"PatientAge": "051y"}, 51),
        ({"PatientAge": "130Y"}, None),
        ({"PatientAge": "-05Y"}, None),
        ({"PatientAge": "old"}, None),
        ({}, None),
        ({"PatientBirthDate": "20220101", "StudyDate": "20260101"}, 4),
        ({"PatientBirthDate": "2022.01.01", "StudyDate": "2026.01.01"}, 4),
        ({"PatientBirthDate": "20220101", "AcquisitionDate": "20230101"}, 1),
        ({"PatientAge": "", "PatientBirthDate": "20220101", "StudyDate": "20230101"}, 1),
        ({"PatientAge": "old", "PatientBirthDate": "20220101", "StudyDate": "20230101"}, 1),
        ({"PatientAge": "005Y", "PatientBirthDate": "19000101", "StudyDate": "20230101"}, 5),
        ({"PatientAge": "999Y", "PatientBirthDate": "20220101", "StudyDate": "20230101"}, 1),
        ({"PatientAge": "999Y", "PatientBirthDate": "18000101", "StudyDate": "20230101"}, None),
        ({"PatientBirthDate": "20300101", "StudyDate": "20260101"}, None),
        ({"PatientBirthDate": "18000101", "StudyDate": "20260101"}, None),
        ({"PatientBirthDate": "20220231", "StudyDate": "20260101"}, None),
        ({"PatientBirthDate": "20220101"}, None),
    ],
    ids=str,
)
def test_age(attributes: dict[str, str], years: float | None) -> None:
    found = age_years(_dataset(attributes))
    assert found is None if years is None else found == pytest.approx(years, abs=0.003)


def _dataset(attributes: dict[str, Any]) -> Dataset:
    dataset = Dataset()
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return dataset


@pytest.mark.parametrize(
    ("attributes", "spacing"),
    [
        ({}, None),
        ({"ImagerPixelSpacing": [0.2, 0.1]}, Spacing(0.2, 0.1, "detector")),
        ({"PixelSpacing": [0.2, 0.1]}, Spacing(0.2, 0.1, "detector")),
        ({"PixelSpacing": [0.2, 0.2], "ImagerPixelSpacing": [0.2, 0.2]}, Spacing(0.2, 0.2, "detector")),
        (
            {"ImagerPixelSpacing": [0.2, 0.1], "EstimatedRadiographicMagnificationFactor": 1.25},
            Spacing(0.16, 0.08, "magnification-corrected"),
        ),
        (
            {"ImagerPixelSpacing": [0.2, 0.1], "EstimatedRadiographicMagnificationFactor": 1},
            Spacing(0.2, 0.1, "detector"),
        ),
        (
            {"PixelSpacing": [0.15, 0.15], "ImagerPixelSpacing": [0.2, 0.2]},
            Spacing(0.15, 0.15, "geometry"),
        ),
        (
            {"PixelSpacing": [0.15, 0.15], "ImagerPixelSpacing": [0.2, 0.2], "PixelSpacingCalibrationType": "FIDUCIAL"},
            Spacing(0.15, 0.15, "fiducial"),
        ),
        (
            {"PixelSpacing": [0.15, 0.15], "PixelSpacingCalibrationType": "GEOMETRY"},
            Spacing(0.15, 0.15, "geometry"),
        ),
        ({"PixelSpacing": [0, 0]}, None),
        ({"PixelSpacing": [-0.2, 0.2]}, None),
        ({"PixelSpacing": ["1e-40", "1e-40"]}, None),
        ({"PixelSpacing": [0.2, 1000]}, None),
        ({"PixelSpacing": [0.2, 0.2, 0.2]}, None),
        ({"PixelSpacing": [0, 0], "ImagerPixelSpacing": [0.2, 0.2]}, Spacing(0.2, 0.2, "detector")),
    ],
    ids=str,
)
def test_spacing_says_what_it_is_a_distance_of(attributes: dict[str, Any], spacing: Spacing | None) -> None:
    found = spacing_of(_dataset(attributes))
    if spacing is None:
        assert found is None
    else:
        assert found is not None
        assert found.kind == spacing.kind
        assert (found.row_mm, found.column_mm) == pytest.approx((spacing.row_mm, spacing.column_mm))


@pytest.mark.parametrize("pixels", [None, np.zeros((8, 8, 3), np.int32)], ids=["grey", "colour"])
def test_a_spacing_that_cannot_be_used_is_noted(pixels: np.ndarray | None) -> None:
    kind = {} if pixels is None else {"bits_stored": 8, "photometric": "RGB"}
    assert read_image(build(pixels, PixelSpacing=[0, 0], **kind)).notes == (
        "pixel spacing that cannot be true ignored",
    )
    assert read_image(build(pixels, PixelSpacing=[0, 0], ImagerPixelSpacing=[0.1, 0.1], **kind)).notes == ()
    assert read_image(build(pixels, **kind)).notes == ()


def test_facts_are_upper_case_and_stripped() -> None:
    facts = read_image(
        build(BodyPartExamined=" chest ", ViewPosition="pa", PresentationIntentType="for presentation")
    ).facts
    assert (facts.body_part, facts.view_position, facts.presentation_intent) == ("CHEST", "PA", "FOR PRESENTATION")
    assert (facts.sop_instance_uid, facts.study_instance_uid) == ("2.25.1001", "2.25.1002")
    assert (facts.rows, facts.columns, facts.frames) == (96, 80, 1)
    assert facts.age_years == 3


def test_lossy_at_any_time_is_lossy() -> None:
    assert read_image(build(LossyImageCompression="01")).facts.lossy
    assert not read_image(build(LossyImageCompression="00")).facts.lossy


def test_an_object_without_pixels_is_read_for_its_facts() -> None:
    image = read_image(build(Modality="SR", PixelData=None))
    assert image.source is None
    assert not image.facts.has_pixels


# A few of the errors; broken files have a module of their own.


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"Rows": 97}, "15360 bytes of pixel data; expected 15520 for 97 x 80; send it again"),
        ({"Rows": 0}, "an image of 0 x 80 pixels; expected at least 1 x 1; send the image again"),
        ({"BitsStored": None}, "no BitsStored; expected a complete image; send the image again from its source"),
        (
            {"BitsAllocated": 32},
            "12 bits stored in 32 allocated; expected up to 8 in 8, or up to 16 in 16; send it again",
        ),
    ],
    ids=str,
)
def test_contradictions_are_one_line(attributes: dict[str, Any], message: str) -> None:
    with pytest.raises(ImageReadError) as caught:
        _ = read_image(build(**attributes)).stored
    assert str(caught.value) == message


def test_a_frame_of_another_size_is_an_error() -> None:
    with pytest.raises(ImageReadError, match=r"compressed pixel data of 96 x 80 x 1; expected 64 x 64 x 1"):
        _ = read_image(build(syntax="jpeg-ls", Rows=64, Columns=64)).stored


def test_the_limit_on_pixels() -> None:
    with pytest.raises(ImageReadError, match=r"a header that claims 96 x 80 pixels; expected at most 7679 pixels"):
        read_image(build(), ReadLimits(max_pixels=7679))
    assert read_image(build(), ReadLimits(max_pixels=7680)).stored.size == 7680


# What a person typed.


def test_folders_and_archives_list_their_images_by_name(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    for name in ("b/2", "a.dcm", "notes.txt", ".hidden"):
        (tmp_path / name).write_bytes(build())
    assert [source.name for source in find_sources(str(tmp_path))] == [
        str(tmp_path / "a.dcm"),
        str(tmp_path / "b" / "2"),
    ]
    archive = tmp_path / "films.zip"
    with zipfile.ZipFile(archive, "w") as out:
        out.writestr("study/2.dcm", build())
        out.writestr("study/1.dcm", build())
        out.writestr("study/readme.txt", "no image")
    sources = {source.name: source.load() for source in find_sources(str(archive))}
    assert list(sources) == [f"{archive}!study/1.dcm", f"{archive}!study/2.dcm"]


def test_a_dicomdir_names_its_images() -> None:
    folder = _real("dicomdirtests/DICOMDIR")
    names = [source.name for source in find_sources(str(folder))]
    assert len(names) == 31
    assert all(Path(name).is_file() for name in names)


def test_original_bytes_are_left_alone() -> None:
    """Decoding on demand works on a copy: the same image gives the same values twice."""
    data = build(syntax="big-endian")
    image = read_image(data)
    first = image.stored.copy()
    assert image.source is not None
    np.testing.assert_array_equal(image.source.full(), first)
    assert dcmread(DicomBytesIO(data)).Rows == image.facts.rows
