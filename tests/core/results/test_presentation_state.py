"""The GSPS: its grayscale is the chain of cxr_core, its line lies where the map is hot, in the pixels of the film."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
from pydicom.dataset import Dataset

from cxr_core.grayscale import default_voi, grayscale_table
from cxr_core.results.records import AnalysedImage, ResultChoice
from tests.core.results.builder import ANSWERS, HOT, MANIFEST, analysed, blob, encoded, of_kind, one, parsed, prediction
from tests.core.test_peers import CURVE, MODALITY, RENDERINGS
from tests.dicom_builder import gradient, lut_item

SIGNED = gradient(bits=12, low=-2048)
#: The films that DCMTK is asked to render without a presentation state, and more.
FILMS: dict[str, dict[str, Any]] = {
    **{name: {"stored": gradient(bits=12)} | attributes for name, (_, attributes) in RENDERINGS.items()},
    "percentiles": {"stored": gradient(bits=9, low=1000)},
    "percentiles, falling": {"stored": gradient(bits=9, low=1000), "RescaleSlope": -2, "RescaleIntercept": 100},
    "LINEAR_EXACT window": {"WindowCenter": 1800, "WindowWidth": 1500.5, "VOILUTFunction": "LINEAR_EXACT"},
    "window of 1": {"WindowCenter": 2000, "WindowWidth": 1},
    "window narrower than 1": {"RescaleSlope": 0.001, "RescaleIntercept": 0, "WindowCenter": 2, "WindowWidth": 0.7},
    "SIGMOID window on fractions": {
        "RescaleSlope": 0.25,
        "RescaleIntercept": 0,
        "WindowCenter": 500,
        "WindowWidth": 300,
        "VOILUTFunction": "SIGMOID",
    },
    "SIGMOID window below 0": {
        "RescaleSlope": 1,
        "RescaleIntercept": -1024,
        "WindowCenter": 300,
        "WindowWidth": 900,
        "VOILUTFunction": "SIGMOID",
    },
    "VOI LUT below 0": {
        "RescaleSlope": 1,
        "RescaleIntercept": -1024,
        "VOILUTSequence": [lut_item([n // 2 for n in range(2000)], -500, 10)],
    },
    "signed, no window": {"stored": SIGNED, "signed": True},
    "signed, percentiles": {"stored": SIGNED // 8, "signed": True},
    "signed, window": {"stored": SIGNED, "signed": True, "WindowCenter": -200, "WindowWidth": 1500},
    "signed, SIGMOID window": {
        "stored": SIGNED,
        "signed": True,
        "WindowCenter": -200,
        "WindowWidth": 1500,
        "VOILUTFunction": "SIGMOID",
    },
    "signed, VOI LUT": {"stored": SIGNED, "signed": True, "VOILUTSequence": [lut_item(CURVE, -1500, 12)]},
    "signed, modality LUT": {
        "stored": SIGNED,
        "signed": True,
        "ModalityLUTSequence": [lut_item(MODALITY, -2048, 16)],
        "WindowCenter": 40000,
        "WindowWidth": 30000,
    },
    "constant": {"stored": np.full((96, 80), 700)},
}


def film(name: str, photometric: str = "MONOCHROME2", answer: str = "positive") -> AnalysedImage:
    return analysed(answer, **({"photometric": photometric} | FILMS[name]))


def lut(item: Dataset, values: np.ndarray) -> np.ndarray:
    """PS3.3 C.11.1.1.1, of a data set that was read back."""
    entries, first, _ = (int(value) for value in item.LUTDescriptor)
    data = np.frombuffer(item.LUTData, "<u2") if isinstance(item.LUTData, bytes) else np.array(item.LUTData)
    assert len(data) == (entries % 65536 or 65536)
    return data[np.clip(np.floor(values) - first, 0, len(data) - 1).astype(int)].astype(float)


def rendered(state: Dataset, stored: np.ndarray) -> np.ndarray:
    """P-values in [0, 1] as PS3.4 N.2.1 has them, step by step from the presentation state alone."""
    values = stored.astype(float)
    if "ModalityLUTSequence" in state:
        values = lut(state.ModalityLUTSequence[0], values)
    else:
        values = values * float(state.RescaleSlope) + float(state.RescaleIntercept)
    (voi,) = state.SoftcopyVOILUTSequence
    if "VOILUTSequence" in voi:
        bits = int(voi.VOILUTSequence[0].LUTDescriptor[2])
        values = lut(voi.VOILUTSequence[0], values) / (2**bits - 1)
    else:
        center, width = float(voi.WindowCenter), float(voi.WindowWidth)
        if voi.get("VOILUTFunction") == "SIGMOID":
            values = 1 / (1 + np.exp(-4 * (values - center) / width))
        else:
            assert "VOILUTFunction" not in voi
            low, high = center - 0.5 - (width - 1) / 2, center - 0.5 + (width - 1) / 2
            ramp = (values - (center - 0.5)) / (width - 1) + 0.5 if width > 1 else np.zeros_like(values)
            values = np.where(values <= low, 0.0, np.where(values > high, 1.0, ramp))
    return 1 - values if state.PresentationLUTShape == "INVERSE" else values


@pytest.mark.parametrize("photometric", ["MONOCHROME2", "MONOCHROME1"])
@pytest.mark.parametrize("name", FILMS)
def test_grayscale_is_the_chain_of_the_core(name: str, photometric: str) -> None:
    image = film(name, photometric)
    assert image.image is not None
    attributes, stored = image.image.attributes, image.image.stored
    assert attributes is not None
    expected = grayscale_table(attributes, default_voi(attributes, stored))(stored)
    state = one("gsps", image)
    np.testing.assert_allclose(rendered(state, stored), expected, rtol=0, atol=1e-4)
    assert state.PresentationLUTShape == (
        "INVERSE" if photometric == "MONOCHROME1" or "INVERSE" in name else "IDENTITY"
    )
    assert name == "constant" or expected.std() > 0.05


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("bits", [8, 12, 16])
def test_grayscale_of_every_depth(bits: int, signed: bool) -> None:
    low = -(1 << (bits - 1)) if signed else 0
    image = analysed(stored=gradient(bits=bits, low=low), bits_stored=bits, signed=signed)
    assert image.image is not None
    stored = image.image.stored.astype(float)
    np.testing.assert_allclose(rendered(one("gsps", image), stored), (stored - low) / (2**bits - 1), rtol=0, atol=1e-6)


@pytest.mark.parametrize("first", [-32768, -1, 0, 40000])
@pytest.mark.parametrize("entries", [3, 40000, 65536])
def test_lut_descriptor_of_every_size(first: int, entries: int) -> None:
    data = [min(n, 65535) for n in range(entries)]
    intercept = {"RescaleSlope": 1, "RescaleIntercept": min(first, 0)}
    image = analysed(VOILUTSequence=[lut_item(data, first, 16, as_bytes="<")], **intercept)
    state = one("gsps", image)
    item = state.SoftcopyVOILUTSequence[0].VOILUTSequence[0]
    assert ("SS" if first < 0 else "US") == item["LUTDescriptor"].VR
    assert int(item.LUTDescriptor[0]) % 65536 == entries % 65536
    assert int(item.LUTDescriptor[1]) == first


def test_modality_lut_has_its_type() -> None:
    table = lut_item([n * 16 for n in range(4096)], 0, 16)
    assert one("gsps", analysed(ModalityLUTSequence=[table])).ModalityLUTSequence[0].ModalityLUTType == "US"
    table.ModalityLUTType = "OD"
    assert one("gsps", analysed(ModalityLUTSequence=[table])).ModalityLUTSequence[0].ModalityLUTType == "OD"


def lines(state: Dataset) -> list[np.ndarray]:
    (annotation,) = state.GraphicAnnotationSequence
    found = []
    for graphic in annotation.get("GraphicObjectSequence", []):
        assert (graphic.GraphicType, graphic.GraphicAnnotationUnits, graphic.GraphicFilled) == (
            "POLYLINE",
            "PIXEL",
            "N",
        )
        points = np.array(graphic.GraphicData, np.float32).reshape(-1, int(graphic.GraphicDimensions))
        assert len(points) == graphic.NumberOfGraphicPoints
        found.append(points)
    return found


@pytest.mark.parametrize("at", [HOT, (0.2, 0.8), (0.0, 0.0), (1.0, 1.0)])
@pytest.mark.parametrize(("rows", "columns"), [(96, 80), (80, 240)])
def test_line_lies_around_the_hot_place(rows: int, columns: int, at: tuple[float, float]) -> None:
    answer = prediction(cam=blob(at=at))
    (line,) = lines(one("gsps", analysed(answer, stored=gradient(rows, columns))))
    np.testing.assert_array_equal(line[0], line[-1])
    assert line.min() >= 0
    assert (line <= (columns, rows)).all()
    inside = (np.clip(at[1], 0.05, 0.95) * columns, np.clip(at[0], 0.05, 0.95) * rows)
    assert cv2.pointPolygonTest(line, inside, False) > 0
    # Half of exp(-r^2 / 8) is at r = sqrt(8 ln 2) = 2.35 cells of 15.
    if at in (HOT, (0.2, 0.8)):
        expected = np.pi * (2.35 / 15) ** 2 * rows * columns
        assert cv2.contourArea(line) == pytest.approx(expected, rel=0.1)


def test_two_hot_places_have_two_lines_and_one_label() -> None:
    cam = np.maximum(blob(at=(0.2, 0.2)), blob(at=(0.8, 0.8)))
    state = one("gsps", analysed(prediction(cam=cam)))
    first, _ = lines(state)
    _, label = state.GraphicAnnotationSequence[0].TextObjectSequence
    assert list(label.AnchorPoint) == pytest.approx(first[first[:, 1].argmin()].tolist())


def test_a_map_without_anything_has_no_line() -> None:
    state = one("gsps", analysed(prediction(cam=np.zeros((15, 15), np.float32))))
    assert lines(state) == []
    assert "Line:" not in state.GraphicAnnotationSequence[0].TextObjectSequence[0].UnformattedTextValue


@pytest.mark.parametrize("answer", ANSWERS)
def test_only_a_positive_verdict_has_a_line(answer: str) -> None:
    state = one("gsps", analysed(answer))
    positive = answer in ("positive", "outside, warned", "age unknown")
    assert bool(lines(state)) == positive
    text, *labels = state.GraphicAnnotationSequence[0].TextObjectSequence
    said = text.UnformattedTextValue.split("\r\n")
    assert said[-1] == "Research use only, not for diagnosis. Nothing else was assessed."
    assert [label.UnformattedTextValue for label in labels] == ["model attention, not a lesion outline"] * positive
    assert ("Line: half of the map's maximum: model attention, not a lesion outline" in said) == positive
    assert any(line.startswith("P(PNEUMONIA)") for line in said)
    assert ("NOT VALIDATED" in text.UnformattedTextValue) == answer.startswith("outside")


def test_annotations_refer_to_their_image_and_layer() -> None:
    state = one("gsps", analysed())
    (series,) = state.ReferencedSeriesSequence
    (referenced,) = series.ReferencedImageSequence
    (annotation,) = state.GraphicAnnotationSequence
    (of_annotation,) = annotation.ReferencedImageSequence
    assert referenced.ReferencedSOPInstanceUID == of_annotation.ReferencedSOPInstanceUID == "2.25.1001"
    assert series.SeriesInstanceUID == "2.25.1003"
    assert annotation.GraphicLayer == state.GraphicLayerSequence[0].GraphicLayer


@pytest.mark.parametrize(
    ("attributes", "ratio"),
    [({}, [1, 1]), ({"PixelAspectRatio": [2, 1]}, [2, 1]), ({"PixelSpacing": [0.1, 0.2]}, [1, 2])],
)
def test_displayed_area_is_the_whole_film(attributes: dict[str, Any], ratio: list[int]) -> None:
    (area,) = one("gsps", analysed(**attributes)).DisplayedAreaSelectionSequence
    assert list(area.DisplayedAreaTopLeftHandCorner) == [1, 1]
    assert list(area.DisplayedAreaBottomRightHandCorner) == [80, 96]
    assert area.PresentationSizeMode == "SCALE TO FIT"
    assert list(area.PresentationPixelAspectRatio) == ratio
    assert "PresentationPixelSpacing" not in area


def test_a_colour_source_has_none() -> None:
    grey = gradient(bits=8)
    image = analysed(stored=np.dstack([grey] * 3), photometric="RGB", bits_stored=8)
    assert [made.kind for made in encoded(image)] == ["sr", "sc"]


@pytest.mark.parametrize("which", ["positive", "always", "never"])
@pytest.mark.parametrize("answer", ANSWERS)
def test_which_images_have_one(answer: str, which: Any) -> None:
    made = encoded(analysed(answer), choice=ResultChoice(sc="never", gsps=which))
    positive = answer in ("positive", "outside, warned", "age unknown")
    assert [one.kind for one in made] == ["sr"] + ["gsps"] * (which == "always" or (which == "positive" and positive))


def test_positive_of_other_models() -> None:
    several = MANIFEST.model_copy(update={"positive": None})
    for verdict, expected in {"PNEUMONIA": True, "NORMAL": False}.items():
        image = analysed(prediction(verdict=verdict), manifest=several)
        assert bool(lines(parsed(of_kind(encoded(image), "gsps")))) == expected
    multi = several.model_copy(update={"task": "multi_label"})
    for positive in (True, False):
        finding = replace(prediction().findings[0], positive=positive)
        image = analysed(prediction(verdict=None, label=None, findings=(finding,)), manifest=multi)
        assert bool(lines(parsed(of_kind(encoded(image), "gsps")))) == positive
