"""Points and sizes of an image, with their units in the type."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PixelPoint:
    """A place in an image, in pixels from its upper left corner; pixel (row r, column c) covers [c, c+1) x [r, r+1).

    So its centre is (c + 0.5, r + 0.5), whatever the zoom.
    """

    x: float
    """To the right, along a row: in columns."""

    y: float
    """Down, along a column: in rows."""

    def moved(self, dx: float, dy: float) -> PixelPoint:
        """The point `dx` columns to the right and `dy` rows down."""
        return PixelPoint(self.x + dx, self.y + dy)
