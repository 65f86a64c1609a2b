"""Values of measurements, worked out by hand or by plain NumPy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from cxr_core.errors import CxrError
from cxr_desktop.state.geometry import PixelPoint
from cxr_desktop.state.measured import Quantity, measured
from cxr_desktop.state.measurement import (
    Angle,
    Calibration,
    CardiothoracicRatio,
    CobbAngle,
    Ellipse,
    Length,
    MeasurementError,
    Rectangle,
)
from tests.desktop.films import film


def at(*pairs: tuple[float, float]) -> tuple[PixelPoint, ...]:
    return tuple(PixelPoint(x, y) for x, y in pairs)


def value(quantities: tuple[Quantity, ...], name: str) -> float:
    return next(one.value for one in quantities if one.name == name)


# --- length and calibration

THREE_FOUR = Length(points=at((10, 20), (40, 60)))


@pytest.mark.parametrize(
    ("attributes", "line"),
    [
        ({}, "50.0 px"),
        ({"PixelSpacing": [0, 0]}, "50.0 px"),
        ({"ImagerPixelSpacing": [0.2, 0.2]}, "10.0 mm at the detector"),
        ({"PixelSpacing": [0.2, 0.2]}, "10.0 mm at the detector"),
        (
            {"ImagerPixelSpacing": [0.2, 0.2], "EstimatedRadiographicMagnificationFactor": 1.25},
            "8.0 mm corrected by the estimated magnification",
        ),
        (
            {"ImagerPixelSpacing": [0.2, 0.2], "PixelSpacing": [0.1, 0.1], "PixelSpacingCalibrationType": "FIDUCIAL"},
            "5.0 mm calibrated by a fiducial",
        ),
        (
            {"ImagerPixelSpacing": [0.2, 0.2], "PixelSpacing": [0.1, 0.1], "PixelSpacingCalibrationType": "GEOMETRY"},
            "5.0 mm calibrated by the geometry",
        ),
        # 30 columns of 0.4 mm and 40 rows of 0.2 mm: the hypotenuse of 12 and 8
        ({"ImagerPixelSpacing": [0.2, 0.4]}, f"{math.hypot(12, 8):.1f} mm at the detector"),
    ],
)
def test_a_length_says_what_its_millimetres_are(attributes: dict[str, object], line: str) -> None:
    values = measured(THREE_FOUR, film(**attributes))

    assert values.lines == (line,)
    assert values.warnings == ()


def test_pixels_that_are_not_square_are_said_where_nothing_is_calibrated() -> None:
    values = measured(THREE_FOUR, film(PixelAspectRatio=[2, 1]))

    assert value(values.quantities, "Length") == pytest.approx(math.hypot(30, 80))
    assert values.quantities[0].unit == "px"
    assert values.warnings == ("Pixels are not square: px are pixel widths",)


@pytest.mark.parametrize("aspect", [[0, 1], [1, 0], "", "7", None])
def test_an_aspect_ratio_that_says_nothing_is_square(aspect: object) -> None:
    assert measured(THREE_FOUR, film(PixelAspectRatio=aspect)).lines == ("50.0 px",)


def test_a_manual_calibration_takes_the_place_of_the_spacing_and_is_marked() -> None:
    loaded = film(ImagerPixelSpacing=[0.2, 0.2])
    calibration = Calibration(points=at((0, 0), (100, 0)), length_mm=15)

    assert measured(THREE_FOUR, loaded, calibration).lines == ("7.5 mm by manual calibration",)
    assert measured(calibration, loaded, calibration).lines == ("15.0 mm, set by hand",)


def test_a_manual_calibration_keeps_the_shape_of_the_pixels() -> None:
    # Rows are twice as far apart as columns; 50 rows are 100 pixel widths are 20 mm.
    calibration = Calibration(points=at((5, 0), (5, 50)), length_mm=20)

    values = measured(THREE_FOUR, film(PixelAspectRatio=[2, 1]), calibration)

    assert value(values.quantities, "Length") == pytest.approx(math.hypot(30, 80) * 0.2)
    assert values.warnings == ()


def test_a_picture_without_header_measures_pixels(tmp_path: object) -> None:
    import io

    from PIL import Image

    from cxr_core.reading.read import read_image
    from cxr_desktop.state.records import InstanceRecord, LoadedImage

    buffer = io.BytesIO()
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(buffer, "PNG")
    image = read_image(buffer.getvalue())
    loaded = LoadedImage(InstanceRecord("a.png", "image"), image, image.stored, None, buffer.getvalue())

    assert measured(Length(points=at((0, 0), (3, 4))), loaded).lines == ("5.0 px",)
    assert "View unknown: AP magnifies the heart" in measured(UPRIGHT, loaded).warnings


# --- angles


@pytest.mark.parametrize(
    ("attributes", "degrees"),
    [
        ({}, 45),
        ({"ImagerPixelSpacing": [0.1, 0.1]}, 45),
        ({"ImagerPixelSpacing": [0.2, 0.1]}, math.degrees(math.atan2(2, 1))),
        ({"PixelAspectRatio": [2, 1]}, math.degrees(math.atan2(2, 1))),
        ({"PixelSpacing": [0, 0], "PixelAspectRatio": [1, 2]}, math.degrees(math.atan2(1, 2))),
    ],
)
def test_an_angle_is_measured_in_true_geometry(attributes: dict[str, object], degrees: float) -> None:
    values = measured(Angle(points=at((20, 0), (0, 0), (20, 20))), film(**attributes))

    assert value(values.quantities, "Angle") == pytest.approx(degrees)
    assert values.lines == (f"{degrees:.1f}°",)


def test_an_angle_goes_up_to_180_degrees() -> None:
    assert measured(Angle(points=at((-5, 0), (0, 0), (9, 0))), film()).lines == ("180.0°",)
    assert measured(Angle(points=at((0, 9), (0, 0), (-9, -9))), film()).lines == ("135.0°",)


def test_an_angle_of_two_lines_does_not_hang_on_their_direction() -> None:
    first, second = ((0, 0), (10, 0)), ((30, 30), (40, 20))
    for lines in ((*first, *second), (*first[::-1], *second), (*second, *first[::-1])):
        assert measured(CobbAngle(points=at(*lines)), film()).lines == ("45.0°",)


def test_an_angle_without_an_arm_says_so() -> None:
    values = measured(Angle(points=at((3, 3), (3, 3), (9, 9))), film())

    assert (values.quantities, values.warnings) == ((), ("An arm without extent: no angle",))


# --- regions


def oracle(kind: type, corners: tuple[PixelPoint, ...], stored: np.ndarray) -> np.ndarray:
    """The stored values whose centre lies inside, straight from the definition."""
    (x0, x1), (y0, y1) = sorted(p.x for p in corners), sorted(p.y for p in corners)
    rows, columns = np.indices(stored.shape) + 0.5
    if kind is Rectangle:
        inside = (columns >= x0) & (columns < x1) & (rows >= y0) & (rows < y1)
    elif x0 == x1 or y0 == y1:
        inside = np.zeros(stored.shape, bool)
    else:
        a, b = (x1 - x0) / 2, (y1 - y0) / 2
        inside = ((columns - (x0 + x1) / 2) / a) ** 2 + ((rows - (y0 + y1) / 2) / b) ** 2 <= 1
    return np.asarray(stored[inside])


STORED = np.random.default_rng(4).integers(-900, 900, (24, 31)).astype(np.int32)
SIGNED = film(STORED, bits_stored=12, signed=True, RescaleSlope=0.5, RescaleIntercept=-10)
# Off the grid of pixel centres: on an edge, rounding decides and two ways of reckoning may differ.
corner = st.builds(
    PixelPoint, st.integers(-12, 44).map(lambda x: x + 0.123), st.integers(-12, 36).map(lambda y: y + 0.377)
)


@pytest.mark.parametrize("kind", [Rectangle, Ellipse])
@settings(max_examples=150, deadline=None)
@given(one=corner, other=corner)
def test_region_statistics_agree_with_their_definition(kind: type, one: PixelPoint, other: PixelPoint) -> None:
    expected = oracle(kind, (one, other), STORED) * 0.5 - 10

    values = measured(kind(points=(one, other)), SIGNED)

    if not expected.size:
        assert [q.name for q in values.quantities] == ["Area"]
        assert "No pixel to count inside" in values.warnings
    else:
        for name, number in {
            "Mean": expected.mean(),
            "Standard deviation": expected.std(),
            "Minimum": expected.min(),
            "Maximum": expected.max(),
            "Pixels": expected.size,
        }.items():
            assert value(values.quantities, name) == pytest.approx(number, abs=1e-9)
    outside = min(one.x, other.x) < 0 or min(one.y, other.y) < 0
    outside |= max(one.x, other.x) > 31 or max(one.y, other.y) > 24
    assert any("beyond the image" in warning for warning in values.warnings) == outside


def test_a_region_in_words() -> None:
    stored = np.full((40, 40), 100)
    stored[10:20, 10:15] = 300

    values = measured(Rectangle(points=at((20, 20), (10, 10))), film(stored, ImagerPixelSpacing=[0.5, 0.2]))

    assert values.lines == (
        "Area 10.0 mm² at the detector",
        "Mean 200.0, SD 100.0",
        "Min 100, max 300, 100 pixels",
    )
    assert values.warnings == ()


def test_the_area_of_an_ellipse_is_that_of_its_shape() -> None:
    values = measured(Ellipse(points=at((4, 4), (24, 14))), film(np.zeros((40, 40), int)))

    assert value(values.quantities, "Area") == pytest.approx(math.pi * 10 * 5)
    assert values.quantities[0].unit == "px²"


def test_rectangles_side_by_side_share_no_pixel() -> None:
    loaded = film(np.zeros((20, 20), int))
    counts = [
        value(measured(Rectangle(points=at(left, right)), loaded).quantities, "Pixels")
        for left, right in [((0, 0), (7.5, 20)), ((7.5, 0), (20, 20))]
    ]
    assert sum(counts) == 400


def test_padding_is_left_out_and_said() -> None:
    stored = np.full((20, 20), 500)
    stored[:, :4] = 0

    loaded = film(stored, PixelPaddingValue=0)
    values = measured(Rectangle(points=at((0, 0), (10, 10))), loaded)
    only_padding = measured(Rectangle(points=at((0, 0), (3, 3))), loaded)

    assert value(values.quantities, "Mean") == 500
    assert value(values.quantities, "Pixels") == 60
    assert values.warnings == ("40 padding pixels left out",)
    assert only_padding.warnings == ("9 padding pixels left out", "No pixel to count inside")


def test_a_region_outside_the_image_counts_nothing() -> None:
    values = measured(Ellipse(points=at((-30, -30), (-5, -5))), film())

    assert values.warnings == ("Reaches beyond the image: only pixels inside are counted", "No pixel to count inside")


def test_values_follow_the_modality_lut() -> None:
    from tests.dicom_builder import lut_item

    lut = lut_item([10 * number for number in range(16)], first=0, bits=16)
    loaded = film(np.arange(16).reshape(4, 4), bits_stored=4, ModalityLUTSequence=[lut])

    values = measured(Rectangle(points=at((0, 0), (4, 4))), loaded)

    assert value(values.quantities, "Maximum") == 150
    assert value(values.quantities, "Mean") == 75


# --- cardiothoracic ratio

#: Midline upright at x = 50; borders 20 to one side and 40 to the other; chest 120 wide: 60 / 120.
UPRIGHT = CardiothoracicRatio(points=at((50, 0), (50, 90), (30, 60), (90, 70), (-10, 80), (110, 80)))


def erect(**attributes: object) -> dict[str, object]:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = "C86043", "NCIt", "erect"
    return {"PatientOrientationCodeSequence": [item], **attributes}


def test_the_ratio_of_an_upright_midline() -> None:
    values = measured(UPRIGHT, film(**erect()))

    assert values.lines == ("CTR 0.50", "heart 60.0 px, chest 120.0 px")
    assert values.warnings == ()


def test_the_ratio_says_what_its_widths_are() -> None:
    values = measured(UPRIGHT, film(**erect(ImagerPixelSpacing=[0.2, 0.2])))

    assert values.lines == ("CTR 0.50", "heart 12.0 mm, chest 24.0 mm at the detector")


def rotated(points: tuple[PixelPoint, ...], degrees: float) -> tuple[PixelPoint, ...]:
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return tuple(PixelPoint(c * p.x - s * p.y, s * p.x + c * p.y) for p in points)


@pytest.mark.parametrize("degrees", [-30, -7, 12, 90, 180])
def test_a_tilted_midline_gives_the_same_ratio(degrees: float) -> None:
    values = measured(CardiothoracicRatio(points=rotated(UPRIGHT.points, degrees)), film(**erect()))

    assert value(values.quantities, "Cardiothoracic ratio") == pytest.approx(0.5)
    assert values.warnings == ()


@pytest.mark.parametrize("attributes", [{"ImagerPixelSpacing": [0.4, 0.1]}, {"PixelAspectRatio": [4, 1]}])
def test_perpendiculars_are_true_where_pixels_are_not_square(attributes: dict[str, object]) -> None:
    turned = rotated(UPRIGHT.points, 25)
    in_pixels = tuple(PixelPoint(p.x, p.y / 4) for p in turned)

    values = measured(CardiothoracicRatio(points=in_pixels), film(**erect(**attributes)))

    assert value(values.quantities, "Cardiothoracic ratio") == pytest.approx(0.5)


def test_the_direction_of_the_midline_and_the_order_of_the_borders_do_not_matter() -> None:
    high, low, one, other, left, right = UPRIGHT.points

    values = measured(CardiothoracicRatio(points=(low, high, other, one, right, left)), film(**erect()))

    assert values.lines[0] == "CTR 0.50"


def test_a_heart_on_one_side_of_the_midline_is_not_counted_twice() -> None:
    points = at((50, 0), (50, 90), (60, 60), (90, 70), (-10, 80), (110, 80))

    values = measured(CardiothoracicRatio(points=points), film(**erect()))

    assert values.lines[0] == "CTR 0.25"
    assert values.warnings == ("Both heart borders on one side of the midline",)


def test_an_oblique_thoracic_width_is_said() -> None:
    points = (*UPRIGHT.points[:4], *at((-10, 80), (110, 120)))

    values = measured(CardiothoracicRatio(points=points), film(**erect()))

    assert values.warnings == ("Thoracic width 18° from square to the midline",)


def test_a_ratio_above_one_is_doubted_and_none_is_given_without_extent() -> None:
    wide = CardiothoracicRatio(points=(*UPRIGHT.points[:4], *at((0, 80), (40, 80))))
    flat = CardiothoracicRatio(points=(*UPRIGHT.points[:4], *at((9, 80), (9, 80))))

    assert measured(wide, film(**erect())).warnings == ("Heart wider than the chest: check the points",)
    assert measured(flat, film(**erect())).quantities == ()


def coded(value: str, scheme: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, "synthetic"
    return item


AP, UNKNOWN = "AP view: the heart is magnified", "View unknown: AP magnifies the heart"
OTHER = "Not a frontal view: the ratio means nothing"


@pytest.mark.parametrize(
    ("attributes", "warning"),
    [
        ({"ViewPosition": "PA"}, None),
        ({"ViewPosition": "AP"}, AP),
        ({"ViewPosition": None}, UNKNOWN),
        ({"ViewPosition": "FRONTAL"}, UNKNOWN),
        ({"ViewPosition": "LL"}, OTHER),
        ({"ViewPosition": None, "ViewCodeSequence": [coded("399348003", "SCT")]}, AP),
        ({"ViewPosition": None, "ViewCodeSequence": [coded("R-10206", "SRT")]}, AP),
        ({"ViewPosition": None, "ViewCodeSequence": [coded("272479007", "SCT")]}, None),
        ({"ViewPosition": None, "ViewCodeSequence": [coded("399033003", "SCT")]}, UNKNOWN),
        ({"ViewPosition": "PA", "ViewCodeSequence": [coded("399348003", "SCT")]}, UNKNOWN),
        ({"ViewPosition": "AP", "ViewCodeSequence": [coded("399033003", "SCT")]}, AP),
    ],
)
def test_the_view_makes_the_ratio_doubtful(attributes: dict[str, object], warning: str | None) -> None:
    warnings = measured(UPRIGHT, film(**erect(**attributes))).warnings

    assert warnings == (() if warning is None else (warning,))


def lying(code: str, modifier: str | None = None) -> list[Dataset]:
    item = coded(code, "SCT")
    if modifier:
        item.PatientOrientationModifierCodeSequence = [coded(modifier, "SCT")]
    return [item]


@pytest.mark.parametrize(
    ("attributes", "warning"),
    [
        ({}, "Position unknown: lying widens the heart"),
        ({"PatientOrientationCodeSequence": lying("102538003")}, "Patient recumbent: the heart is wider than erect"),
        (
            {"PatientOrientationCodeSequence": lying("102538003", "40199007")},
            "Patient recumbent: the heart is wider than erect",
        ),
        ({"PatientOrientationCodeSequence": lying("102539006")}, "Patient semi-erect: the heart is wider than erect"),
        ({"PatientOrientationCodeSequence": lying("10904000")}, None),
        ({"PatientOrientationCodeSequence": lying("F-10340")}, "Patient recumbent: the heart is wider than erect"),
        ({"PatientOrientationCodeSequence": lying("424242")}, "Position unknown: lying widens the heart"),
        ({"PatientPosition": "HFS"}, "Patient recumbent: the heart is wider than erect"),
    ],
)
def test_the_position_makes_the_ratio_doubtful(attributes: dict[str, object], warning: str | None) -> None:
    warnings = measured(UPRIGHT, film(**attributes)).warnings

    assert warnings == (() if warning is None else (warning,))


def test_the_codes_of_view_and_position_are_those_of_the_standard() -> None:
    from pydicom.sr.codedict import codes

    from cxr_desktop.state import projection

    assert codes.cid4010.PosteroAnterior.value in projection._PA_CODES
    assert codes.cid4010.AnteroPosterior.value in projection._AP_CODES
    assert codes.cid4010.Frontal.value in projection._FRONTAL_CODES
    assert projection._POSITION_CODES[codes.cid19.Erect.value] == "erect"
    assert projection._POSITION_CODES[codes.cid19.SemiErect.value] == "semi-erect"
    assert projection._POSITION_CODES[codes.cid19.Recumbent.value] == "recumbent"
    for name in ("Supine", "Prone"):
        assert projection._POSITION_CODES[getattr(codes.cid20, name).value] == "recumbent"
    for name in ("Standing", "Sitting"):
        assert projection._POSITION_CODES[getattr(codes.cid20, name).value] == "erect"


# --- measurements that cannot be


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Length(points=at((1, 1))), "1 points of a measurement (Length); expected 2 points; draw it again"),
        (lambda: Length(points=at((1, math.nan), (1, 1))), "a point far outside the image (Length)"),
        (lambda: Length(points=at((1, 1e9), (1, 1))), "a point far outside the image (Length)"),
        (lambda: Calibration(points=at((1, 1), (1, 1)), length_mm=5), "a calibration line without extent"),
        (lambda: Calibration(points=at((1, 1), (1, 1.001)), length_mm=5), "a calibration line without extent"),
        (lambda: Calibration(points=at((1, 1), (1, 2)), length_mm=0), "a known length that is no length"),
        (lambda: Calibration(points=at((1, 1), (1, 2)), length_mm=math.nan), "a known length that is no length"),
    ],
)
def test_a_measurement_is_valid_once_constructed(make: object, message: str) -> None:
    with pytest.raises(MeasurementError) as error:
        make()  # type: ignore[operator]
    assert str(error.value).startswith(message)
    assert isinstance(error.value, CxrError)
