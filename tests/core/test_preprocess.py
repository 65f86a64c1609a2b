"""The model input: one rule whatever door the film came in by, and each of its steps against a slow version."""

from __future__ import annotations

import io
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from cxr_core.chest_image import ChestImage
from cxr_core.classifier import Classifier
from cxr_core.grayscale import GrayscaleAttributes, default_voi, grayscale_table
from cxr_core.phantom import PhantomSettings, display_values
from cxr_core.pipeline import Pipeline
from cxr_core.preprocess import area_reduced, display_reduced, model_input, reduction, to_input
from cxr_core.reading import find_sources, read_image
from tests.dicom_builder import build, gradient


def _film(rows: int, columns: int, bits: int = 12) -> np.ndarray:
    """A drawn chest as stored values over the whole range, enlarged from one drawing."""
    shown = cv2.resize(_drawn(), (columns, rows), interpolation=cv2.INTER_LINEAR)
    return np.rint(shown * ((1 << bits) - 1)).astype(np.int32)


@cache
def _drawn() -> np.ndarray:
    return display_values(PhantomSettings(rows=600, columns=680))


@pytest.fixture(scope="module")
def film() -> np.ndarray:
    return _film(700, 820)


@pytest.mark.parametrize("options", [{}, {"signed": True}, {"bits_stored": 8}, {"bits_stored": 16}], ids=str)
def test_shape_type_range_and_equal_channels(options: dict[str, Any]) -> None:
    inputs = model_input(read_image(build(**options)), "zero_to_one")
    assert inputs.shape == (150, 150, 3)
    assert inputs.dtype == np.float32
    assert 0 <= inputs.min() < 0.1
    assert 0.9 < inputs.max() <= 1
    assert np.ptp(inputs, axis=2).max() == 0


def test_minus_one_to_one_is_the_same_input_stretched(film: np.ndarray) -> None:
    image = read_image(build(film))
    np.testing.assert_allclose(
        model_input(image, "minus_one_to_one"), 2 * model_input(image, "zero_to_one") - 1, rtol=0, atol=1e-6
    )


def test_the_same_input_by_every_door(film: np.ndarray, tmp_path: Path) -> None:
    """Bytes, path, folder, zip member, and the pipeline that the commands run."""
    data = build(film, syntax="jpeg2000-lossless")
    expected = model_input(read_image(data), "zero_to_one")
    path = tmp_path / "film.dcm"
    path.write_bytes(data)
    np.testing.assert_array_equal(model_input(read_image(path), "zero_to_one"), expected)
    archive = tmp_path / "films.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("study/film.dcm", data)
    classifier = Classifier()
    pipeline = Pipeline(classifier)
    scaling = classifier.bundle.manifest.input_scaling
    probability = classifier.predict(model_input(read_image(data), scaling)[None], [3.0])[0].probability
    for typed in (path, archive):
        # A zip member is read while the archive is open, that is, before the next source is asked for.
        seen = 0
        for source in find_sources(str(typed)):
            seen += 1
            np.testing.assert_array_equal(model_input(read_image(source.load()), "zero_to_one"), expected)
            result, image = pipeline(source)
            assert result.prediction is not None
            assert image is not None
            assert result.prediction.probability == probability
        assert seen == 1


@pytest.mark.parametrize("syntax", ["implicit", "big-endian", "deflated", "rle", "jpeg-lossless", "jpeg-ls"])
def test_the_same_input_in_every_lossless_coding(film: np.ndarray, syntax: str) -> None:
    expected = model_input(read_image(build(film)), "zero_to_one")
    np.testing.assert_array_equal(model_input(read_image(build(film, syntax=syntax)), "zero_to_one"), expected)


def test_a_picture_and_its_8_bit_dicom_give_the_same_input(film: np.ndarray) -> None:
    from PIL import Image

    grey = np.asarray(film >> 4, np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(grey).save(buffer, "PNG")
    np.testing.assert_array_equal(
        model_input(read_image(buffer.getvalue()), "zero_to_one"),
        model_input(read_image(build(grey, bits_stored=8)), "zero_to_one"),
    )


def test_a_film_scores_alike_in_jpeg_2000_and_at_full_size() -> None:
    stored = _film(1200, 1201)
    classifier = Classifier()
    scaling = classifier.bundle.manifest.input_scaling
    plain, packed = (read_image(build(stored, syntax=syntax)) for syntax in ("explicit", "jpeg2000-lossless"))
    full = np.repeat(_full_size(plain)[:, :, None], 3, axis=2)
    full = full * 2 - 1 if scaling == "minus_one_to_one" else full
    inputs = np.stack([model_input(plain, scaling), model_input(packed, scaling), full])
    of_plain, of_packed, of_full = (answer.probability for answer in classifier.predict(inputs))
    assert abs(of_packed - of_plain) < 0.005
    assert abs(of_plain - of_full) < 0.02
    assert abs(of_packed - of_full) < 0.02


@pytest.mark.parametrize(
    ("rows", "columns", "log2_factor"),
    [
        (1, 1, 0),
        (511, 5000, 0),
        (512, 512, 0),
        (1023, 1023, 0),
        (1024, 1024, 1),
        (2047, 3000, 1),
        (2048, 2048, 2),
        (2048, 2500, 2),
        (4096, 4096, 3),
        (8192, 4095, 2),
        (8192, 8192, 4),
    ],
)
def test_the_largest_power_of_two_that_leaves_512(rows: int, columns: int, log2_factor: int) -> None:
    assert reduction(rows, columns) == log2_factor
    assert log2_factor == 0 or min(rows, columns) >> log2_factor >= 512
    assert min(rows, columns) >> (log2_factor + 1) < 512


#: Sides at which rounding up, down and to the nearest differ; 1955 x 1841 is where Pillow's own reduction breaks.
SIDES = [(1955, 1841), (601, 600), (602, 1203), (1200, 1201), (1203, 1999)]


@pytest.mark.parametrize(("rows", "columns"), SIDES)
@pytest.mark.parametrize("syntax", ["jpeg2000-lossless", "jpeg2000"])
def test_the_jpeg_2000_decoder_reduces_as_the_rule_says(rows: int, columns: int, syntax: str) -> None:
    stored = _film(rows, columns)
    image = read_image(build(stored, syntax=syntax))
    assert image.source is not None
    factor = 1 << reduction(rows, columns)
    reduced = image.source.reduced(reduction(rows, columns))
    assert reduced is not None, "the decoder must offer it: a full decode costs eight times as much"
    assert reduced.shape == (-(-rows // factor), -(-columns // factor))
    assert reduced.dtype == np.uint16
    plain = read_image(build(stored))
    difference = np.abs(model_input(image, "zero_to_one") - model_input(plain, "zero_to_one"))
    # Half a reduced pixel of shift between the two would make 0.003 and more.
    assert difference.mean() < 0.002


@pytest.mark.parametrize("bits", [8, 10, 14, 16])
def test_the_jpeg_2000_decoder_keeps_the_scale_at_every_depth(bits: int) -> None:
    stored = gradient(640, 700, bits)
    image = read_image(build(stored, syntax="jpeg2000-lossless", bits_stored=bits))
    assert image.source is not None
    reduced = image.source.reduced(1)
    assert reduced is not None
    assert image.attributes is not None
    expected, _ = area_reduced(image.stored, 1, image.attributes)
    assert np.abs(reduced.astype(int) - expected).max() <= max(2, 0.01 * (1 << bits))


def _block_means(stored: np.ndarray, factor: int, padding: np.ndarray, fill: int) -> np.ndarray:
    """Slow and plain: the mean of each block, the last row and column repeated to whole blocks, padding left out."""
    rows, columns = (-(-side // factor) for side in stored.shape)
    out = np.zeros((rows, columns))
    for row in range(rows):
        for column in range(columns):
            y = np.minimum(np.arange(row * factor, (row + 1) * factor), stored.shape[0] - 1)
            x = np.minimum(np.arange(column * factor, (column + 1) * factor), stored.shape[1] - 1)
            block, keep = stored[np.ix_(y, x)], ~padding[np.ix_(y, x)]
            out[row, column] = block[keep].mean() if keep.any() else fill
    return out


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16])
@pytest.mark.parametrize("log2_factor", [1, 2, 3])
@pytest.mark.parametrize("shape", [(64, 80), (65, 83)])
def test_reduction_is_the_mean_of_blocks(shape: tuple[int, int], log2_factor: int, dtype: type) -> None:
    rng = np.random.default_rng(5)
    info = np.iinfo(dtype)
    stored = rng.integers(info.min, info.max, shape, dtype=dtype, endpoint=True)
    attributes = GrayscaleAttributes(bits_stored=info.bits, signed=info.min < 0)
    expected = _block_means(stored, 1 << log2_factor, np.zeros(shape, bool), 0)
    reduced, padded = area_reduced(stored, log2_factor, attributes)
    assert padded is None
    assert reduced.dtype == dtype
    np.testing.assert_allclose(reduced, expected, rtol=0, atol=0.51)


@pytest.mark.parametrize("shape", [(64, 80), (65, 83)])
@pytest.mark.parametrize(("signed", "padding"), [(False, (0, 0)), (False, (4000, 4095)), (True, (-2048, -2000))])
def test_padding_does_not_smear(shape: tuple[int, int], signed: bool, padding: tuple[int, int]) -> None:
    stored = gradient(*shape, bits=10, low=1000).astype(np.int16 if signed else np.uint16)
    mask = np.zeros(shape, bool)
    mask[:, :21] = mask[50:60, 30:33] = True
    stored[mask] = padding[1]
    attributes = GrayscaleAttributes(bits_stored=12, signed=signed, padding=padding)
    expected = _block_means(stored, 4, mask, padding[0])
    reduced, padded = area_reduced(stored, 2, attributes)
    np.testing.assert_allclose(reduced, expected, rtol=0, atol=0.51)
    assert (reduced == padding[0]).any()
    shares = _block_means(mask.astype(np.float64), 4, np.zeros(shape, bool), 0)
    assert padded is not None
    np.testing.assert_allclose(padded / 255, shares, rtol=0, atol=2 / 255)


def test_scattered_padding_darkens_as_it_does_at_full_size() -> None:
    """Padding is black; half reduced, the picture is as bright as the full-size one."""
    rng = np.random.default_rng(8)
    stored = rng.integers(1500, 2500, (1100, 1200)).astype(np.uint16)
    stored[rng.random(stored.shape) < 0.3] = 0
    image = read_image(build(stored, bits_stored=12, PixelPaddingValue=0, WindowCenter=2000, WindowWidth=2000))
    assert reduction(*stored.shape) == 1
    assert image.attributes is not None
    full = grayscale_table(image.attributes, default_voi(image.attributes, stored))(stored)
    small = cv2.resize(full, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    assert np.abs(display_reduced(image) - small).max() < 0.02


def test_a_padded_jpeg_2000_film_is_decoded_in_full(film: np.ndarray) -> None:
    padded = np.maximum(film, 100)
    padded[:, :200] = 0
    options = {"PixelPaddingValue": 0, "WindowCenter": 2048, "WindowWidth": 3000}
    np.testing.assert_array_equal(
        model_input(read_image(build(padded, syntax="jpeg2000-lossless", **options)), "zero_to_one"),
        model_input(read_image(build(padded, **options)), "zero_to_one"),
    )


@pytest.mark.parametrize("syntax", ["explicit", "jpeg2000-lossless"])
@pytest.mark.parametrize("options", [{}, {"WindowCenter": 2000, "WindowWidth": 2500}], ids=str)
def test_monochrome1_and_its_monochrome2_twin_give_the_same_input(
    film: np.ndarray, options: dict[str, Any], syntax: str
) -> None:
    twin = dict(options)
    if options:
        # The inverted stored values are mirrored at the middle of their range, and a LINEAR window at its own.
        twin["WindowCenter"] = 4095 - options["WindowCenter"] + 1
    white = model_input(read_image(build(film, syntax=syntax, **options)), "zero_to_one")
    black = model_input(read_image(build(4095 - film, syntax=syntax, photometric="MONOCHROME1", **twin)), "zero_to_one")
    np.testing.assert_allclose(white, black, rtol=0, atol=0.002 if syntax == "explicit" else 0.02)
    assert np.abs(white - black).mean() < 0.001


def _full_size(image: ChestImage) -> np.ndarray:
    """The rule without the reduction: the table at full size, then area to 224 and 150."""
    assert image.attributes is not None
    shown = grayscale_table(image.attributes, default_voi(image.attributes, image.stored))(image.stored)
    for side in (224, 150):
        shown = cv2.resize(shown, (side, side), interpolation=cv2.INTER_AREA)
    return shown


@pytest.mark.parametrize("options", [{}, {"WindowCenter": 2000, "WindowWidth": 1500}], ids=str)
def test_reducing_first_changes_little(options: dict[str, Any]) -> None:
    image = read_image(build(_film(1300, 1500), **options))
    difference = np.abs(model_input(image, "zero_to_one")[:, :, 0] - _full_size(image))
    # The burnt-in letters alone differ by more: a window is no linear map of a block that it cuts off in part.
    assert difference.mean() < 0.001
    assert np.quantile(difference, 0.99) < 0.02


def test_a_small_image_is_not_reduced(film: np.ndarray) -> None:
    image = read_image(build(film[:400, :500]))
    assert display_reduced(image).shape == (400, 500)
    np.testing.assert_allclose(model_input(image, "zero_to_one")[:, :, 0], _full_size(image), rtol=0, atol=1e-6)


def test_squashed_not_cropped() -> None:
    """Sides of any ratio fill the square, as in the training data."""
    display = np.zeros((400, 800), np.float32)
    display[:, 400:] = 1
    inputs = to_input(display, "zero_to_one")
    np.testing.assert_allclose(inputs[:, :74], 0, rtol=0, atol=1e-6)
    np.testing.assert_allclose(inputs[:, 76:], 1, rtol=0, atol=1e-6)


def test_small_images_are_enlarged() -> None:
    inputs = model_input(read_image(build(gradient(64, 64))), "zero_to_one")
    assert inputs.shape == (150, 150, 3)
    assert inputs.std() > 0.1
