"""What is written over a picture, and what is read off it: probe, marks, corners, shutter, overlay planes, damage."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from cxr_core.grayscale import Window
from cxr_desktop.state.corner_text import corner_lines
from cxr_desktop.state.display import DisplayState
from cxr_desktop.state.geometry import PixelPoint
from cxr_desktop.state.marks import lossy_words, scaling_words, turned_words
from cxr_desktop.state.orientation import patient_orientation
from cxr_desktop.state.overlays import overlays_of
from cxr_desktop.state.probe import modality_unit, pixel_values
from cxr_desktop.state.records import InstanceRecord
from cxr_desktop.state.shutter import Shutter, shutter_of
from cxr_desktop.state.windowing import voi_choices
from tests.desktop.films import film
from tests.dicom_builder import gradient, header, lut_item

# ---- probe


def test_the_probe_gives_stored_and_rescaled_value_with_its_unit() -> None:
    stored = gradient(40, 50)
    loaded = film(stored, RescaleSlope=2, RescaleIntercept=-1024, RescaleType="HU")
    values = pixel_values(loaded, PixelPoint(7.9, 12.0))
    assert values is not None
    assert (values.row, values.column, values.stored) == (12, 7, stored[12, 7])
    assert values.rescaled == stored[12, 7] * 2 - 1024
    assert str(values) == f"x 7 y 12: {stored[12, 7]} = {stored[12, 7] * 2 - 1024} HU"


@pytest.mark.parametrize("point", [PixelPoint(-0.1, 3), PixelPoint(3, -0.1), PixelPoint(50, 3), PixelPoint(3, 40)])
def test_beside_the_image_there_is_no_value(point: PixelPoint) -> None:
    assert pixel_values(film(gradient(40, 50)), point) is None


def test_the_probe_knows_padding_and_an_image_without_rescale() -> None:
    stored = np.full((4, 4), 9)
    stored[0] = -5
    values = pixel_values(film(stored, signed=True, PixelPaddingValue=-5), PixelPoint(0, 0))
    assert values is not None
    assert (values.stored, values.rescaled, values.padding, str(values)) == (-5, None, True, "x 0 y 0: -5 (padding)")


def test_a_modality_lut_has_its_own_type() -> None:
    item = lut_item([n // 2 for n in range(4096)], 0, 16)
    item.ModalityLUTType = "OD"
    loaded = film(ModalityLUTSequence=[item], RescaleType="HU")
    values = pixel_values(loaded, PixelPoint(1, 1))
    assert values is not None
    assert (values.rescaled, values.unit) == (values.stored // 2, "OD")
    assert modality_unit(header(RescaleType="US")) == ""
    assert modality_unit(None) == ""


# ---- marks


@pytest.mark.parametrize(
    ("turns", "flipped", "words"),
    [(0, False, ""), (0, True, "FLIPPED"), (1, False, "ROTATED 90°"), (3, True, "FLIPPED, ROTATED 270°")],
)
def test_a_picture_that_is_not_as_stored_says_so(turns: int, flipped: bool, words: str) -> None:
    assert turned_words(DisplayState(Window(1, 2), quarter_turns=turns, flipped=flipped)) == words


@pytest.mark.parametrize(
    ("scales", "exact", "smooth", "words"),
    [
        ((1.0, 1.0), True, True, ""),
        ((0.4167, 0.4167), True, True, "scaled 0.42, every pixel averaged"),
        ((0.4167, 0.4167), False, True, "scaled 0.42, preview"),
        ((2.0, 2.0), True, True, "magnified 2, interpolated"),
        ((2.0, 2.0), True, False, "magnified 2, pixels repeated"),
        ((1.0, 0.5), True, True, "scaled 1.00, every pixel averaged"),
    ],
)
def test_a_picture_says_how_it_was_scaled(scales: tuple[float, float], exact: bool, smooth: bool, words: str) -> None:
    assert scaling_words(scales, exact=exact, smooth=smooth) == words


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ({}, ""),
        ({"LossyImageCompression": "01"}, "lossy compression"),
        ({"LossyImageCompression": "01", "LossyImageCompressionRatio": 10}, "lossy 10:1"),
        ({"LossyImageCompression": "01", "LossyImageCompressionRatio": [2, 12.5]}, "lossy 12.5:1"),
        ({"LossyImageCompression": "01", "LossyImageCompressionRatio": 0}, "lossy compression"),
    ],
)
def test_loss_is_told(attributes: dict[str, Any], words: str) -> None:
    assert lossy_words(film(**attributes)) == words


# ---- corners

RECORD = InstanceRecord(
    "synthetic.dcm",
    "image",
    patient_id="SYNTHETIC-1",
    patient_name="SYNTHETIC^ANNA^B=合成^安娜",
    patient_age="003Y",
    patient_sex="F",
    study_date="20260102",
    study_time="130501",
    study_description="Chest",
    modality="DX",
    body_part="CHEST",
    view_position="PA",
    laterality="L",
)


def test_corners_have_three_levels() -> None:
    loaded = replace(film(gradient(40, 50)), record=RECORD)
    assert corner_lines(loaded, 0) == {}
    assert corner_lines(loaded, 1) == {
        "top left": ["SYNTHETIC, ANNA B (合成 安娜)", "SYNTHETIC-1"],
        "top right": ["2026-01-02"],
        "bottom left": ["CHEST  PA  left"],
    }
    full = corner_lines(loaded, 2)
    assert full["top left"][2] == "3 y  F"
    assert full["top right"] == ["2026-01-02 13:05", "Chest"]
    assert full["bottom right"] == ["DX", "50 x 40, 12 bits"]


def test_what_is_absent_is_no_line() -> None:
    loaded = replace(film(gradient(40, 50)), record=InstanceRecord("x.png", "image"))
    assert corner_lines(loaded, 1) == {}
    assert corner_lines(loaded, 2) == {"bottom right": ["50 x 40, 12 bits"]}


# ---- shutter


def test_a_shutter_counts_from_1_and_holds_its_edges() -> None:
    found = shutter_of(
        header(
            ShutterShape=["RECTANGULAR", "CIRCULAR"],
            ShutterLeftVerticalEdge=3,
            ShutterRightVerticalEdge=10,
            ShutterUpperHorizontalEdge=1,
            ShutterLowerHorizontalEdge=7,
            CenterOfCircularShutter=[4, 6],
            RadiusOfCircularShutter=3,
            ShutterPresentationValue=0,
        )
    )
    assert found == Shutter((PixelPoint(2, 0), PixelPoint(10, 7)), (PixelPoint(5.5, 3.5), 3.0), (), 0.0)


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"ShutterShape": "RECTANGULAR", "ShutterLeftVerticalEdge": 3},
        {"ShutterShape": "CIRCULAR", "CenterOfCircularShutter": [4, 6], "RadiusOfCircularShutter": 0},
        {"ShutterShape": "POLYGONAL", "VerticesOfThePolygonalShutter": [1, 1, 5, 5]},
        {"ShutterShape": "POLYGONAL", "VerticesOfThePolygonalShutter": [1, 1, 5, 5, 7, 7, 9]},
        {"ShutterShape": "BITMAP"},
    ],
)
def test_a_shutter_that_makes_no_sense_covers_nothing(attributes: dict[str, Any]) -> None:
    assert shutter_of(header(**attributes)) is None


# ---- overlay planes


def plane(data_set: Dataset, group: int = 0x6000, **elements: Any) -> Dataset:
    numbers = {
        "rows": (0x0010, "US"),
        "columns": (0x0011, "US"),
        "origin": (0x0050, "SS"),
        "allocated": (0x0100, "US"),
        "position": (0x0102, "US"),
        "data": (0x3000, "OW"),
    }
    for name, value in elements.items():
        element, vr = numbers[name]
        data_set.add_new((group, element), vr, value)
    return data_set


def test_planes_lie_over_each_other_and_may_reach_beyond_the_image() -> None:
    loaded = film(gradient(16, 16))
    assert loaded.data_set is not None
    plane(loaded.data_set, rows=4, columns=4, origin=[-1, 15], data=b"\xff\xff")
    plane(loaded.data_set, 0x6002, rows=1, columns=8, origin=[16, 1], data=b"\x05\x00")
    found = overlays_of(loaded.data_set, 16, 16)
    expected = np.zeros((16, 16), np.uint8)
    expected[0:2, 14:16] = 255
    expected[15, [0, 2]] = 255
    assert found.mask is not None
    assert (found.mask == expected).all()
    assert found.notes == ()


@pytest.mark.parametrize("syntax", ["explicit", "big-endian"])
def test_a_plane_in_unused_bits_of_the_pixels_is_found(syntax: str) -> None:
    stored = gradient(16, 16) & 0x0FFF
    drawn = np.zeros((16, 16), bool)
    drawn[3, 5:9] = True
    loaded = film(stored | np.where(drawn, 1 << 13, 0), syntax=syntax)
    assert (loaded.stored == stored).all()
    assert loaded.data_set is not None
    plane(loaded.data_set, rows=16, columns=16, allocated=16, position=13)
    found = overlays_of(loaded.data_set, 16, 16)
    assert found.mask is not None
    assert ((found.mask > 0) == drawn).all()


@pytest.mark.parametrize(
    ("elements", "note"),
    [
        ({"rows": 16, "columns": 16, "data": b"\xff\xff"}, "2 bytes for 16 x 16 pixels"),
        ({"rows": 0, "columns": 16, "data": b"\xff\xff"}, "0 x 16 pixels"),
        ({"rows": 16, "columns": 16, "position": 3}, "bit 3 belongs to the pixel values"),
        ({"rows": 16, "columns": 8, "position": 13}, "no data"),
        ({"data": b"\xff\xff"}, "description is damaged"),
    ],
)
def test_a_damaged_plane_is_left_out_with_a_note(elements: dict[str, Any], note: str) -> None:
    loaded = film(gradient(16, 16))
    assert loaded.data_set is not None
    found = overlays_of(plane(loaded.data_set, **elements), 16, 16)
    assert found.mask is None
    assert len(found.notes) == 1
    assert found.notes[0].startswith("overlay 6000 not shown: ")
    assert note in found.notes[0]


def test_a_plane_in_bits_of_compressed_pixels_is_lost_and_told() -> None:
    loaded = film(gradient(16, 16), syntax="jpeg-lossless")
    assert loaded.data_set is not None
    found = overlays_of(plane(loaded.data_set, rows=16, columns=16, position=13), 16, 16)
    assert "compression does not keep" in found.notes[0]


# ---- damage


def test_no_damage_of_the_header_costs_the_picture() -> None:
    keywords = [
        "PatientOrientation",
        "VOILUTSequence",
        "WindowCenterWidthExplanation",
        "ModalityLUTSequence",
        "RescaleType",
        "LossyImageCompressionRatio",
        "ShutterShape",
        "ShutterLeftVerticalEdge",
        "CenterOfCircularShutter",
        "RadiusOfCircularShutter",
        "VerticesOfThePolygonalShutter",
        "ShutterPresentationValue",
    ]
    loaded = film(gradient(16, 16))
    data_set = loaded.data_set
    assert data_set is not None
    tags = [Tag(keyword) for keyword in keywords]
    for value in (b"\xff\x00", b"RECTANGULAR\\\xff ", b"1\\2\\X ", b"x" * 998):
        for tag in [*tags, Tag(0x6000, 0x0010), Tag(0x6000, 0x0050)]:
            # As the reader leaves it: pydicom converts when it is asked.
            data_set[tag] = RawDataElement(tag, None, len(value), value, 0, True, True)
        data_set.add_new((0x6000, 0x3000), "OW", b"\1\2")
        assert patient_orientation(data_set) == ("", "")
        assert shutter_of(data_set) is None
        assert overlays_of(data_set, 16, 16).mask is None
        assert len(voi_choices(loaded)) == 2
        assert isinstance(pixel_values(loaded, PixelPoint(1, 1)).__str__(), str)
        assert lossy_words(loaded) == ""
