"""The measurements that a reader draws: points in an image, and what they stand for. Values are state/measured.py's."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import ClassVar, Self
from uuid import uuid4

from cxr_core.errors import CxrError
from cxr_desktop.state.geometry import PixelPoint

#: Farther than this from the image's corner no point is meant, in pixels: what a damaged record says.
FARTHEST_PIXEL = 1e6
#: A calibration line shorter than this is none.
_SHORTEST_PIXELS = 0.01


class MeasurementError(CxrError):
    """A measurement that cannot be, or a stored one that cannot be read."""


def _now() -> datetime:
    return datetime.now(UTC)


def _new_id() -> str:
    return uuid4().hex


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What all have in common. Valid once constructed; raises MeasurementError."""

    points: tuple[PixelPoint, ...]
    """In the order in which the reader sets them; each is a handle."""

    comment: str = ""
    id: str = field(default_factory=_new_id)
    """Stays the same while the measurement is edited."""

    created: datetime = field(default_factory=_now)
    """With its time zone."""

    title: ClassVar[str]
    """What a person calls it."""

    prompts: ClassVar[tuple[str, ...]]
    """What each point is, in words for the reader who sets it: one a point."""

    def __post_init__(self) -> None:
        """Check what a damaged record or a wrong caller may give."""
        if len(self.points) != len(self.prompts):
            found = f"{len(self.points)} points of a measurement ({self.title})"
            raise MeasurementError(found, f"{len(self.prompts)} points", "draw it again")
        if not all(abs(part) <= FARTHEST_PIXEL for point in self.points for part in (point.x, point.y)):
            raise MeasurementError(f"a point far outside the image ({self.title})", "points near it", "draw it again")
        if self.created.tzinfo is None:
            raise MeasurementError("a time without its time zone", "a time such as 2026-01-01T12:00:00+00:00")

    def with_point(self, index: int, point: PixelPoint) -> Self:
        """The same measurement with one point elsewhere."""
        return replace(self, points=(*self.points[:index], point, *self.points[index + 1 :]))

    def moved(self, dx: float, dy: float) -> Self:
        """The same measurement `dx` columns to the right and `dy` rows down."""
        return replace(self, points=tuple(point.moved(dx, dy) for point in self.points))


class Length(Measurement):
    """The distance between two points."""

    __slots__ = ()
    title = "Length"
    prompts = ("one end", "the other end")


class Angle(Measurement):
    """The angle at the second of three points, 0 to 180 degrees."""

    __slots__ = ()
    title = "Angle"
    prompts = ("the end of one arm", "the vertex", "the end of the other arm")


class CobbAngle(Measurement):
    """The angle between two lines wherever they meet, 0 to 90 degrees (Cobb's, of two end plates)."""

    __slots__ = ()
    title = "Angle of two lines"
    prompts = ("one end of the first line", "its other end", "one end of the second line", "its other end")


class Rectangle(Measurement):
    """A region of interest with sides along the image's rows and columns, by two opposite corners."""

    __slots__ = ()
    title = "Rectangle"
    prompts = ("one corner", "the opposite corner")


class Ellipse(Measurement):
    """A region of interest: the ellipse within the rectangle of two opposite corners."""

    __slots__ = ()
    title = "Ellipse"
    prompts = ("one corner of its frame", "the opposite corner")


class CardiothoracicRatio(Measurement):
    """Greatest cardiac width over greatest inner thoracic width.

    The cardiac width is the sum of the greatest distances of the right and the left heart border from the midline of
    the spine, which may be tilted: two points give it. Source: C. S. Danzer, The cardiothoracic ratio: an index of
    cardiac enlargement, American Journal of the Medical Sciences 157 (1919), 513-521.
    """

    __slots__ = ()
    title = "Cardiothoracic ratio"
    prompts = (
        "midline, high on the spine",
        "midline, low on the spine",
        "one heart border, farthest from the midline",
        "other heart border, farthest from the midline",
        "chest wall inside, at the widest place",
        "chest wall inside, other side",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration(Measurement):
    """A line whose true length the reader knows. At most one an image; it gives the image its millimetres."""

    length_mm: float

    title = "Calibration"
    prompts = ("one end of the known length", "its other end")

    def __post_init__(self) -> None:
        """Check the length as well."""
        # slots=True makes another class of this one, which the short form of super() does not know.
        Measurement.__post_init__(self)
        if not (math.isfinite(self.length_mm) and 0 < self.length_mm <= FARTHEST_PIXEL):
            raise MeasurementError("a known length that is no length", "millimetres above 0", "type it again")
        start, end = self.points
        if math.hypot(end.x - start.x, end.y - start.y) < _SHORTEST_PIXELS:
            raise MeasurementError("a calibration line without extent", "two places", "draw it again")


def calibration_among(measurements: tuple[Measurement, ...]) -> Calibration | None:
    """The reader's own calibration of the image, if there is one."""
    return next((one for one in measurements if isinstance(one, Calibration)), None)
