"""The grayscale table against pydicom's modality LUT, VOI LUT and windowing functions, for every stored value."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.pixels import apply_modality_lut, apply_voi_lut, apply_windowing

from cxr_core.chest_image import ChestImage
from cxr_core.grayscale import GrayscaleAttributes, ValueRange, Window, default_voi, grayscale_table, modality_values
from cxr_core.reading import read_image
from tests.dicom_builder import build, gradient, lut_item

#: The table is float32; the oracle is float64.
TOLERANCE = 2e-7


def _oracle(dataset: Dataset) -> np.ndarray:
    """pydicom's display value of every stored value, scaled to [0, 1] by the range that its output has."""
    bits = dataset.BitsStored
    low = -(1 << (bits - 1)) if dataset.PixelRepresentation else 0
    modality = apply_modality_lut(np.arange(low, low + (1 << bits), dtype=np.int64), dataset)
    inverted = dataset.PhotometricInterpretation == "MONOCHROME1" or dataset.get("PresentationLUTShape") == "INVERSE"
    if dataset.get("VOILUTSequence"):
        output = apply_voi_lut(np.floor(modality).astype(np.int64), dataset).astype(np.float64)
        output /= 2 ** dataset.VOILUTSequence[0].LUTDescriptor[2] - 1
    else:
        output = apply_windowing(modality, dataset).astype(np.float64)
        with np.errstate(over="ignore"):
            black, white = apply_windowing(np.array([-1e9, 1e9]), dataset)
        output = (output - black) / (white - black)
    return 1 - output if inverted else output


def _read(**options: Any) -> tuple[ChestImage, Dataset]:
    data = build(**options)
    return read_image(data), dcmread(DicomBytesIO(data), force=True)


def _table(image: ChestImage) -> np.ndarray:
    assert image.attributes is not None
    table = grayscale_table(image.attributes, default_voi(image.attributes, image.stored))
    assert table.values.dtype == np.float32
    assert table.first == image.attributes.first
    return table.values


def _assert_as_pydicom(**options: Any) -> ChestImage:
    image, dataset = _read(**options)
    np.testing.assert_allclose(_table(image), _oracle(dataset), rtol=0, atol=TOLERANCE)
    return image


WINDOW = {"WindowCenter": 700, "WindowWidth": 1200}
DEPTHS = [(bits, signed) for bits in range(8, 17) for signed in (False, True)]


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize(("bits", "signed"), DEPTHS)
def test_window_functions_at_every_depth(bits: int, signed: bool, function: str) -> None:
    span = 1 << bits
    center = span // 3 - (span // 2 if signed else 0)
    _assert_as_pydicom(
        bits_stored=bits, signed=signed, WindowCenter=center, WindowWidth=span // 2 + 0.5, VOILUTFunction=function
    )


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize(("slope", "intercept"), [(1, -1024), (-1, 4095), (0.25, 3.5), (-2.5, 100)])
@pytest.mark.parametrize("signed", [False, True])
def test_rescale(slope: float, intercept: float, function: str, signed: bool) -> None:
    center = 500 * slope + intercept
    _assert_as_pydicom(
        signed=signed,
        RescaleSlope=slope,
        RescaleIntercept=intercept,
        WindowCenter=center,
        WindowWidth=900,
        VOILUTFunction=function,
    )


@pytest.mark.parametrize("as_bytes", ["", "<"])
@pytest.mark.parametrize(("signed", "first"), [(False, 0), (False, 300), (True, -500), (True, 40)])
def test_modality_lut(signed: bool, first: int, as_bytes: str) -> None:
    data = np.rint(np.sqrt(np.linspace(0, 1, 1500)) * 65535).astype(int)
    _assert_as_pydicom(
        signed=signed,
        ModalityLUTSequence=[lut_item(list(data), first, 16, as_bytes=as_bytes)],
        WindowCenter=30000,
        WindowWidth=40000,
    )


def test_modality_lut_wins_over_rescale() -> None:
    lut = lut_item(list(range(4095, -1, -1)), 0, 16)
    image = _assert_as_pydicom(ModalityLUTSequence=[lut], **WINDOW)
    assert image.notes == ()
    both, _ = _read(ModalityLUTSequence=[lut], RescaleSlope=7, RescaleIntercept=-90, **WINDOW)
    np.testing.assert_array_equal(_table(both), _table(image))


def test_the_first_of_several_windows_is_used() -> None:
    several = _assert_as_pydicom(WindowCenter=[700, 2000], WindowWidth=[1200, 10])
    single, _ = _read(**WINDOW)
    np.testing.assert_array_equal(_table(several), _table(single))


def test_the_first_of_several_voi_luts_is_used() -> None:
    curve = [min(value * 2, 4095) for value in range(4096)]
    _assert_as_pydicom(VOILUTSequence=[lut_item(curve, 0, 12), lut_item(curve[::-1], 0, 12)])


@pytest.mark.parametrize("as_bytes", ["", "<"])
@pytest.mark.parametrize(("bits", "top"), [(8, 255), (10, 1023), (12, 4095), (14, 16383), (16, 65535)])
@pytest.mark.parametrize(("signed", "first"), [(False, 0), (False, 1000), (True, -700)])
def test_voi_lut(signed: bool, first: int, bits: int, top: int, as_bytes: str) -> None:
    data = np.rint(np.linspace(0, 1, 2000) ** 2 * top).astype(int)
    image, dataset = _read(signed=signed, VOILUTSequence=[lut_item(list(data), first, bits, as_bytes=as_bytes)])
    assert image.notes == ()
    if bits == 8:
        # pydicom indexes an 8-bit LUT with 8 bits, so it gets the same curve in 16.
        dataset.VOILUTSequence = [lut_item(list(data * 257), first, 16)]
    np.testing.assert_allclose(_table(image), _oracle(dataset), rtol=0, atol=TOLERANCE)


def test_voi_lut_wins_over_a_window_and_follows_the_rescale() -> None:
    curve = list(range(0, 4096, 2))
    _assert_as_pydicom(VOILUTSequence=[lut_item(curve, 100, 12)], RescaleSlope=-0.5, RescaleIntercept=2100, **WINDOW)


def test_a_voi_lut_of_65536_entries_says_0() -> None:
    item = lut_item(list(range(65536)), 0, 16, as_bytes="<")
    assert item.LUTDescriptor[0] == 0
    _assert_as_pydicom(bits_stored=16, VOILUTSequence=[item])


CURVE = list(range(0, 4096, 4))
RIGHT = lut_item(CURVE, 200, 12)


@pytest.mark.parametrize(
    ("broken", "note"),
    [
        (lut_item(CURVE, 200, 12, entries=4096), "LUT Descriptor of 4096 entries put right: 1024 are there"),
        (lut_item(CURVE, 200, 12, entries=7), "LUT Descriptor of 7 entries put right: 1024 are there"),
        (lut_item(CURVE, 200, 12, entries=0), "LUT Descriptor of 65536 entries put right: 1024 are there"),
        (lut_item(CURVE, 200, 16), "LUT Descriptor of 16 bits put right: the data have 12"),
        (lut_item(CURVE, 200, 8), "LUT Descriptor of 8 bits put right: the data have 12"),
        (lut_item(CURVE, 200, 0), "LUT Descriptor of 0 bits put right: the data have 12"),
        (lut_item(CURVE, 200, 99), "LUT Descriptor of 99 bits put right: the data have 12"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_broken_voi_lut_descriptor_is_put_right(broken: Dataset, note: str) -> None:
    image, _ = _read(VOILUTSequence=[broken], **WINDOW)
    _, right = _read(VOILUTSequence=[RIGHT])
    assert image.notes == (note,)
    np.testing.assert_allclose(_table(image), _oracle(right), rtol=0, atol=TOLERANCE)


def test_a_voi_lut_without_descriptor_starts_at_0() -> None:
    image, _ = _read(VOILUTSequence=[lut_item(CURVE, descriptor=False)])
    _, right = _read(VOILUTSequence=[lut_item(CURVE, 0, 12)])
    np.testing.assert_allclose(_table(image), _oracle(right), rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("data", [None, [7]], ids=["absent", "one entry"])
def test_a_voi_lut_without_data_leaves_the_window(data: list[int] | None) -> None:
    image, _ = _read(VOILUTSequence=[lut_item(data, 0, 12)], **WINDOW)
    assert image.notes == ("VOILUTSequence without usable data ignored",)
    _, right = _read(**WINDOW)
    np.testing.assert_allclose(_table(image), _oracle(right), rtol=0, atol=TOLERANCE)


def test_two_voi_lut_entries_of_8_bits_in_each_word() -> None:
    entries = np.rint(np.linspace(0, 255, 4096)).astype(np.uint8)
    image, _ = _read(VOILUTSequence=[lut_item(list(entries.view("<u2")), 0, 8, entries=4096)])
    _, right = _read(VOILUTSequence=[lut_item(list(entries * np.uint16(257)), 0, 16)])
    np.testing.assert_allclose(_table(image), _oracle(right), rtol=0, atol=TOLERANCE)


def test_a_signed_first_value_that_was_written_unsigned() -> None:
    item = lut_item(CURVE, 0, 12)
    item.add_new("LUTDescriptor", "US", [len(CURVE), 65536 - 500, 12])
    image, _ = _read(signed=True, VOILUTSequence=[item])
    _, right = _read(signed=True, VOILUTSequence=[lut_item(CURVE, -500, 12)])
    np.testing.assert_allclose(_table(image), _oracle(right), rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("syntax", ["implicit", "big-endian", "deflated"])
@pytest.mark.parametrize("keyword", ["ModalityLUTSequence", "VOILUTSequence"])
def test_lut_data_in_the_byte_order_of_the_file(keyword: str, syntax: str) -> None:
    as_bytes = ">" if syntax == "big-endian" else "<"
    curve = [min(3 * value, 4095) for value in range(4096)]
    window, bits = (WINDOW, 16) if keyword == "ModalityLUTSequence" else ({}, 12)
    image, _ = _read(syntax=syntax, **{keyword: [lut_item(curve, 0, bits, as_bytes=as_bytes)]}, **window)
    _, right = _read(**{keyword: [lut_item(curve, 0, bits)]}, **window)
    np.testing.assert_allclose(_table(image), _oracle(right), rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize(
    ("attributes", "note"),
    [
        ({"WindowCenter": 700, "WindowWidth": 0}, "Window Width of 0 or less ignored"),
        ({"WindowCenter": 700, "WindowWidth": -20}, "Window Width of 0 or less ignored"),
        ({"RescaleSlope": 0, "RescaleIntercept": 5}, "Rescale Slope 0 ignored"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_senseless_windows_and_rescale_are_left_out(attributes: dict[str, Any], note: str) -> None:
    image, _ = _read(**attributes)
    plain, _ = _read()
    assert image.notes == (note,)
    np.testing.assert_array_equal(_table(image), _table(plain))


def test_a_linear_window_narrower_than_1_is_exact() -> None:
    image, _ = _read(WindowCenter=0.5, WindowWidth=0.8, RescaleSlope=1 / 4095, RescaleIntercept=0)
    _, right = _read(
        WindowCenter=0.5, WindowWidth=0.8, RescaleSlope=1 / 4095, RescaleIntercept=0, VOILUTFunction="LINEAR_EXACT"
    )
    assert image.notes == ("LINEAR window narrower than 1 taken as LINEAR_EXACT",)
    np.testing.assert_allclose(_table(image), _oracle(right), rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize(
    "voi", [WINDOW, {"VOILUTSequence": [lut_item(CURVE, 200, 12)]}, {}], ids=["window", "lut", "none"]
)
@pytest.mark.parametrize(
    ("photometric", "shape", "inverted"),
    [
        ("MONOCHROME2", "IDENTITY", False),
        ("MONOCHROME2", "INVERSE", True),
        ("MONOCHROME1", None, True),
        ("MONOCHROME1", "IDENTITY", True),
        ("MONOCHROME1", "INVERSE", True),
    ],
)
def test_inverted_exactly_once(voi: dict[str, Any], photometric: str, shape: str | None, inverted: bool) -> None:
    image, dataset = _read(photometric=photometric, PresentationLUTShape=shape, **voi)
    plain, _ = _read(**voi)
    expected = 1 - _table(plain) if inverted else _table(plain)
    np.testing.assert_allclose(_table(image), expected, rtol=0, atol=TOLERANCE)
    if voi:
        np.testing.assert_allclose(_table(image), _oracle(dataset), rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize(
    ("signed", "padding", "limit", "padded"),
    [
        (False, 0, None, range(1)),
        (False, 4095, None, range(4095, 4096)),
        (False, 0, 40, range(41)),
        (False, 4095, 4000, range(4000, 4096)),
        (True, -2048, None, range(-2048, -2047)),
        (True, -2048, -2000, range(-2048, -1999)),
    ],
)
def test_padding_is_black_and_changes_nothing_else(
    photometric: str, signed: bool, padding: int, limit: int | None, padded: range
) -> None:
    image, dataset = _read(
        signed=signed, photometric=photometric, PixelPaddingValue=padding, PixelPaddingRangeLimit=limit, **WINDOW
    )
    values = _table(image)
    stored = np.arange(len(values)) + (-2048 if signed else 0)
    is_padding = np.isin(stored, padded)
    assert is_padding.sum() == len(padded)
    assert not values[is_padding].any()
    np.testing.assert_allclose(values[~is_padding], _oracle(dataset)[~is_padding], rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("written", [63488, -2048])
def test_padding_of_a_signed_image_written_either_way(written: int) -> None:
    image, _ = _read(signed=True, PixelPaddingValue=None)
    data = Dataset()
    data.BitsStored, data.PixelRepresentation, data.PhotometricInterpretation = 12, 1, "MONOCHROME2"
    data.add_new("PixelPaddingValue", "US" if written > 0 else "SS", written)
    from cxr_core.reading.grayscale_attributes import grayscale_attributes

    assert image.attributes is not None
    assert image.attributes.padding is None
    assert grayscale_attributes(data)[0].padding == (-2048, -2048)


@pytest.mark.parametrize(("bits", "signed"), DEPTHS)
def test_without_a_window_the_full_range_is_shown(bits: int, signed: bool) -> None:
    image, _ = _read(bits_stored=bits, signed=signed)
    np.testing.assert_allclose(_table(image), np.linspace(0, 1, 1 << bits), rtol=0, atol=TOLERANCE)


def test_without_a_window_a_negative_slope_falls() -> None:
    image, _ = _read(RescaleSlope=-1, RescaleIntercept=4095)
    np.testing.assert_allclose(_table(image), np.linspace(1, 0, 4096), rtol=0, atol=TOLERANCE)


def test_the_full_range_ends_under_a_quarter_of_it() -> None:
    attributes = GrayscaleAttributes(bits_stored=12)
    quarter = np.array([[1000, 1000 + 1024]], np.uint16)
    assert default_voi(attributes, quarter) == ValueRange(0, 4095)
    assert default_voi(attributes, quarter - np.array([[0, 1]], np.uint16)) != ValueRange(0, 4095)


@pytest.mark.parametrize("padding", [None, 0, 4095])
@pytest.mark.parametrize(("slope", "intercept"), [(1, 0), (-1, 4095), (2.5, -30)])
@pytest.mark.parametrize("signed", [False, True])
def test_a_narrow_image_is_stretched_between_its_percentiles(
    signed: bool, slope: float, intercept: float, padding: int | None
) -> None:
    stored = gradient(97, 83, bits=9, low=-1500 if signed else 1500)
    mask = np.zeros(stored.shape, bool)
    if padding is not None:
        padding = padding - 2048 if signed else padding
        mask[:, :20] = True
        stored[mask] = padding
    image, dataset = _read(
        stored=stored,
        signed=signed,
        RescaleSlope=slope,
        RescaleIntercept=intercept,
        **({} if padding is None else {"PixelPaddingValue": padding}),
    )
    modality = apply_modality_lut(stored.astype(np.int64), dataset)
    low, high = np.percentile(modality[~mask], (1, 99))
    expected = np.clip((modality - low) / (high - low), 0, 1)
    assert image.attributes is not None
    shown = grayscale_table(image.attributes, default_voi(image.attributes, image.stored))(image.stored)
    np.testing.assert_allclose(shown[~mask], expected[~mask], rtol=0, atol=TOLERANCE)
    assert not shown[mask].any()


def test_a_constant_image_is_mid_grey() -> None:
    image, _ = _read(stored=np.full((70, 70), 300))
    assert image.attributes is not None
    shown = grayscale_table(image.attributes, default_voi(image.attributes, image.stored))(image.stored)
    assert np.all(shown == 0.5)


@pytest.mark.parametrize(
    ("window", "pairs"),
    [
        # PS3.3 C.11.2.1.2.1: center 2048 and width 4096 is y = (x - 2047.5) / 4095 + 0.5 between 0 and 4095.
        (Window(2048, 4096), [(-1, 0), (0, 0), (1, 1 / 4095), (2047.5, 0.5), (4095, 1), (4096, 1)]),
        (Window(2048, 1), [(2047, 0), (2047.5, 0), (2048, 1)]),
        (Window(0, 100), [(-50, 0), (-0.5, 0.5), (0, 0.5 / 99 + 0.5), (49, 1)]),
        (Window(0, 1), [(-0.5, 0), (0, 1)]),
        # PS3.3 C.11.2.1.3.2: center 2048 and width 4096 is y = (x - 2048) / 4096 + 0.5 between 0 and 4096.
        (Window(2048, 4096, "LINEAR_EXACT"), [(0, 0), (1, 1 / 4096), (2048, 0.5), (4095, 4095 / 4096), (4096, 1)]),
        (Window(0, 100, "LINEAR_EXACT"), [(-50, 0), (0, 0.5), (25, 0.75), (50, 1)]),
        # PS3.3 C.11.2.1.3.1: y = 1 / (1 + exp(-4 (x - c) / w)).
        (Window(100, 40, "SIGMOID"), [(100, 0.5), (110, 1 / (1 + np.exp(-1))), (80, 1 / (1 + np.exp(2)))]),
    ],
    ids=str,
)
def test_values_of_the_standard(window: Window, pairs: list[tuple[float, float]]) -> None:
    values, expected = zip(*pairs, strict=True)
    np.testing.assert_allclose(window.display(np.array(values, np.float64)), expected, rtol=0, atol=1e-12)


def test_a_steep_sigmoid_stays_within_its_range() -> None:
    shown = Window(0, 1e-3, "SIGMOID").display(np.array([-65535.0, 0.0, 65535.0]))
    np.testing.assert_allclose(shown, [0, 0.5, 1], rtol=0, atol=1e-12)


def test_the_table_is_looked_up_by_stored_value() -> None:
    attributes = GrayscaleAttributes(bits_stored=12, signed=True, slope=2.0, intercept=5.0)
    stored = np.array([[-2048, -1], [0, 2047]], np.int16)
    np.testing.assert_array_equal(modality_values(attributes)[stored + 2048], stored * 2.0 + 5)
    table = grayscale_table(attributes, ValueRange(-4091, 4099))
    np.testing.assert_allclose(table(stored), (stored * 2.0 + 5 + 4091) / 8190, rtol=0, atol=TOLERANCE)
    unsigned = replace(attributes, signed=False)
    assert grayscale_table(unsigned, ValueRange(5, 8195))(np.array([[4095]], np.uint16))[0, 0] == 1
