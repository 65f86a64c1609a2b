"""The display shutter: what of an image is to be covered (PS3.3 C.7.6.11)."""

from __future__ import annotations

from dataclasses import dataclass

from pydicom.dataset import Dataset

from cxr_desktop.state.geometry import PixelPoint
from cxr_desktop.state.header import numbers_of, values_of


@dataclass(frozen=True, slots=True)
class Shutter:
    """What stays visible lies inside of every shape that is there."""

    rectangle: tuple[PixelPoint, PixelPoint] | None = None
    """Upper left and lower right corner."""

    circle: tuple[PixelPoint, float] | None = None
    """Centre, and radius in columns (PS3.3 C.7.6.11: pixels along the row)."""

    polygon: tuple[PixelPoint, ...] = ()
    """Its corners in order; closed."""

    grey: float = 0.0
    """How it is painted, a P-value as a share: 0 black, 1 white."""


def shutter_of(data_set: Dataset | None) -> Shutter | None:
    """The shutter of an image; None where it has none, or one that would cover everything or makes no sense.

    Rows and columns count from 1 in the header; the edges of a rectangle belong to what is seen.
    """
    if data_set is None:
        return None
    shapes = {str(word).strip().upper() for word in values_of(data_set, "ShutterShape")}
    rectangle = _rectangle(data_set) if "RECTANGULAR" in shapes else None
    circle = _circle(data_set) if "CIRCULAR" in shapes else None
    polygon = _polygon(data_set) if "POLYGONAL" in shapes else ()
    if rectangle is None and circle is None and not polygon:
        return None
    value = numbers_of(data_set, "ShutterPresentationValue")
    grey = min(max(value[0] / 65535, 0.0), 1.0) if len(value) == 1 else 0.0
    return Shutter(rectangle, circle, polygon, grey)


def _rectangle(data_set: Dataset) -> tuple[PixelPoint, PixelPoint] | None:
    edges = [
        numbers_of(data_set, f"Shutter{edge}")
        for edge in ("LeftVerticalEdge", "UpperHorizontalEdge", "RightVerticalEdge", "LowerHorizontalEdge")
    ]
    if any(len(edge) != 1 for edge in edges):
        return None
    (left,), (top,), (right,), (bottom,) = edges
    return (PixelPoint(left - 1, top - 1), PixelPoint(right, bottom)) if right >= left and bottom >= top else None


def _circle(data_set: Dataset) -> tuple[PixelPoint, float] | None:
    centre = numbers_of(data_set, "CenterOfCircularShutter")
    radius = numbers_of(data_set, "RadiusOfCircularShutter")
    if len(centre) != 2 or len(radius) != 1 or radius[0] <= 0:
        return None
    return PixelPoint(centre[1] - 0.5, centre[0] - 0.5), radius[0]


def _polygon(data_set: Dataset) -> tuple[PixelPoint, ...]:
    numbers = numbers_of(data_set, "VerticesOfThePolygonalShutter")
    if len(numbers) < 6 or len(numbers) % 2:
        return ()
    return tuple(PixelPoint(column - 0.5, row - 0.5) for row, column in zip(numbers[::2], numbers[1::2], strict=True))
