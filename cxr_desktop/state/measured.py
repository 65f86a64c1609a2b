"""The values of a measurement, in numbers and in words. They never depend on how the image is displayed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from cxr_desktop.state.cardiothoracic import cardiothoracic_parts, cardiothoracic_warnings
from cxr_desktop.state.measurement import (
    Angle,
    Calibration,
    CardiothoracicRatio,
    CobbAngle,
    Ellipse,
    Length,
    Measurement,
    Rectangle,
)
from cxr_desktop.state.roi import area_pixels, roi_of
from cxr_desktop.state.scale import Scale, scale_of

if TYPE_CHECKING:
    from cxr_desktop.state.records import LoadedImage

Unit = Literal["mm", "mm²", "px", "px²", "°", "pixels", ""]
"""px is the width of a pixel; "" is a ratio or a modality value."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """One number of a measurement."""

    name: str
    value: float
    unit: Unit = ""
    decimals: int = 1

    @property
    def text(self) -> str:
        """The number as a reader sees it."""
        space = "" if self.unit in ("", "°") else " "
        return f"{self.value:.{self.decimals}f}{space}{self.unit}"


@dataclass(frozen=True, slots=True)
class Values:
    """What a measurement measures; no quantity where nothing can be measured, and then a warning says why."""

    title: str
    quantities: tuple[Quantity, ...]
    lines: tuple[str, ...]
    """For a label in the image: the values in a few short lines; every length says what it is a length of."""

    warnings: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """All values in one line."""
        return f"{self.title}: {', '.join(self.lines)}" if self.lines else self.title


def in_words(values: Values, comment: str = "") -> list[str]:
    """A measurement for a list or a report: what it measures in a line, then the comment, then every warning."""
    return [values.summary, *([comment] if comment else []), *(f"⚠ {warning}" for warning in values.warnings)]


def measured(measurement: Measurement, loaded: LoadedImage, calibration: Calibration | None = None) -> Values:
    """The values of a measurement of an image.

    Parameters
    ----------
    measurement : Measurement
        Points in pixels.
    loaded : LoadedImage
        Its spacing, pixels and header facts are used, never its display.
    calibration : Calibration, optional
        The reader's own; it takes the place of the header's spacing.
    """
    scale = scale_of(loaded, calibration)
    match measurement:
        case Calibration():
            return _calibration(measurement)
        case Length():
            return _length(measurement, scale)
        case Angle() | CobbAngle():
            return _angle(measurement, scale)
        case Rectangle() | Ellipse():
            return _region(measurement, loaded, scale)
        case CardiothoracicRatio():
            return _cardiothoracic(measurement, loaded, scale)
    raise TypeError(f"no values for {type(measurement).__name__}")


def _of(text: str, scale: Scale) -> str:
    """A length or area, and what it is one of."""
    return f"{text} {scale.words}".strip()


def _calibration(line: Calibration) -> Values:
    quantity = Quantity("Known length", line.length_mm, "mm")
    return Values(line.title, (quantity,), (f"{quantity.text}, set by hand",))


def _length(line: Length, scale: Scale) -> Values:
    quantity = Quantity("Length", scale.distance(*line.points), _unit(scale))
    return Values(line.title, (quantity,), (_of(quantity.text, scale),), scale.warnings)


def _unit(scale: Scale) -> Literal["mm", "px"]:
    return "px" if scale.kind is None else "mm"


def _angle(drawn: Angle | CobbAngle, scale: Scale) -> Values:
    if isinstance(drawn, Angle):
        end, vertex, other_end = drawn.points
        arms = scale.vector(vertex, end), scale.vector(vertex, other_end)
    else:
        start, end, other_start, other_end = drawn.points
        arms = scale.vector(start, end), scale.vector(other_start, other_end)
    if any(math.hypot(*arm) == 0 for arm in arms):
        return Values(drawn.title, (), (), ("An arm without extent: no angle",))
    (x, y), (other_x, other_y) = arms
    degrees = math.degrees(abs(math.atan2(x * other_y - y * other_x, x * other_x + y * other_y)))
    if isinstance(drawn, CobbAngle):
        degrees = min(degrees, 180 - degrees)
    quantity = Quantity("Angle", degrees, "°")
    return Values(drawn.title, (quantity,), (quantity.text,))


def _region(region: Rectangle | Ellipse, loaded: LoadedImage, scale: Scale) -> Values:
    roi = roi_of(region, loaded)
    warnings = list(scale.warnings)
    if roi.cut:
        warnings.append("Reaches beyond the image: only pixels inside are counted")
    if roi.padding:
        warnings.append(f"{roi.padding} padding pixels left out")
    area_unit: Literal["mm²", "px²"] = "px²" if scale.kind is None else "mm²"
    area = Quantity("Area", area_pixels(region) * scale.column * scale.row, area_unit)
    quantities = [area]
    lines = [f"Area {_of(area.text, scale)}"]
    statistics = roi.statistics
    if statistics is None:
        warnings.append("No pixel to count inside")
    else:
        mean = Quantity("Mean", statistics.mean)
        deviation = Quantity("Standard deviation", statistics.standard_deviation)
        minimum = Quantity("Minimum", statistics.minimum, decimals=_decimals(statistics.minimum))
        maximum = Quantity("Maximum", statistics.maximum, decimals=_decimals(statistics.maximum))
        pixels = Quantity("Pixels", statistics.pixels, "pixels", decimals=0)
        quantities += [mean, deviation, minimum, maximum, pixels]
        lines += [
            f"Mean {mean.text}, SD {deviation.text}",
            f"Min {minimum.text}, max {maximum.text}, {pixels.text}",
        ]
    return Values(region.title, tuple(quantities), tuple(lines), tuple(warnings))


def _decimals(value: float) -> int:
    """A pixel's value is whole unless the rescale slope is not."""
    return 0 if value == round(value) else 2


def _cardiothoracic(drawn: CardiothoracicRatio, loaded: LoadedImage, scale: Scale) -> Values:
    parts = cardiothoracic_parts(drawn, scale)
    if parts is None:
        return Values(drawn.title, (), (), ("A line without extent: no ratio",))
    ratio = Quantity("Cardiothoracic ratio", parts.ratio, decimals=2)
    cardiac = Quantity("Cardiac width", parts.cardiac, _unit(scale))
    thoracic = Quantity("Thoracic width", parts.thoracic, _unit(scale))
    widths = _of(f"heart {cardiac.text}, chest {thoracic.text}", scale)
    warnings = scale.warnings + cardiothoracic_warnings(parts, loaded)
    return Values(drawn.title, (ratio, cardiac, thoracic), (f"CTR {ratio.text}", widths), warnings)
