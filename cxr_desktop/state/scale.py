"""How large a pixel of an image is, of what that is a size, and distances and angles under it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cxr_desktop.state.geometry import PixelPoint
from cxr_desktop.state.measurement import Calibration

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from cxr_desktop.state.records import LoadedImage

#: How a length is called by the kind of its spacing (PS3.3 10.7.1.3), behind the millimetres.
SPACING_WORDS = {
    "detector": "at the detector",
    "magnification-corrected": "corrected by the estimated magnification",
    "fiducial": "calibrated by a fiducial",
    "geometry": "calibrated by the geometry",
    "manual": "by manual calibration",
}


@dataclass(frozen=True, slots=True)
class Scale:
    """The size of one pixel. True geometry is (x * column, y * row): angles and perpendiculars are measured there."""

    column: float
    """Between columns (horizontal), in `unit`."""

    row: float
    """Between rows (vertical), in `unit`."""

    kind: str | None
    """A key of SPACING_WORDS; None where the image has no calibration, and `unit` is the width of a pixel."""

    @property
    def unit(self) -> str:
        """ "mm", or "px" without calibration."""
        return "px" if self.kind is None else "mm"

    @property
    def words(self) -> str:
        """What stands behind a length; "" without calibration."""
        return "" if self.kind is None else SPACING_WORDS[self.kind]

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader of pixels has to know."""
        if self.kind is None and self.row != self.column:
            return ("Pixels are not square: px are pixel widths",)
        return ()

    def vector(self, start: PixelPoint, end: PixelPoint) -> tuple[float, float]:
        """From start to end in `unit`: (to the right, down)."""
        return (end.x - start.x) * self.column, (end.y - start.y) * self.row

    def distance(self, start: PixelPoint, end: PixelPoint) -> float:
        """In `unit`."""
        return math.hypot(*self.vector(start, end))

    def off_line(self, point: PixelPoint, start: PixelPoint, end: PixelPoint) -> tuple[float, PixelPoint]:
        """Signed perpendicular distance of a point from the line through start and end, in `unit`, and its foot.

        Positive to the right of the way from start to end, as the image is stored. The line has an extent.
        """
        along, down = self.vector(start, end)
        to_x, to_y = self.vector(start, point)
        length = math.hypot(along, down)
        share = (to_x * along + to_y * down) / length**2
        foot = start.moved(share * (end.x - start.x), share * (end.y - start.y))
        return (to_y * along - to_x * down) / length, foot


def scale_of(loaded: LoadedImage, calibration: Calibration | None = None) -> Scale:
    """The scale of an image: the reader's own calibration, else the header's, else pixels.

    Without a spacing the Pixel Aspect Ratio gives the shape of a pixel (PS3.3 C.7.6.3.1.7), 1:1 where it is absent.
    A manual calibration keeps the shape that the header gives.
    """
    spacing = loaded.image.spacing
    if spacing is None:
        scale = Scale(1.0, _aspect(loaded.data_set), None)
    else:
        scale = Scale(spacing.column_mm, spacing.row_mm, spacing.kind)
    if calibration is None:
        return scale
    factor = calibration.length_mm / scale.distance(*calibration.points)
    return Scale(scale.column * factor, scale.row * factor, "manual")


def _aspect(data_set: Dataset | None) -> float:
    """Height over width of a pixel; 1 where the header says nothing that can be used."""
    value = None if data_set is None else data_set.get("PixelAspectRatio")
    try:
        vertical, horizontal = (float(part) for part in value or ())
    except (TypeError, ValueError):
        return 1.0
    if not (vertical > 0 and horizontal > 0 and math.isfinite(vertical / horizontal)):
        return 1.0
    return vertical / horizontal
