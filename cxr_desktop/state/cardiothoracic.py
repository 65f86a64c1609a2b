"""The cardiothoracic ratio of a drawn midline, two heart borders and a thoracic width, and when to doubt it.

Source: C. S. Danzer, The cardiothoracic ratio: an index of cardiac enlargement, American Journal of the Medical
Sciences 157 (1919), 513-521. That it is reliable on PA films alone: Chon and others, Calculation of the cardiothoracic
ratio from portable anteroposterior chest radiography, Journal of Korean Medical Science 26 (2011), no. 11. No normal
limit is named: it depends on age, view and breathing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cxr_desktop.state.geometry import PixelPoint
from cxr_desktop.state.measurement import CardiothoracicRatio
from cxr_desktop.state.projection import position_of, view_of
from cxr_desktop.state.scale import Scale

if TYPE_CHECKING:
    from cxr_desktop.state.records import LoadedImage

#: A thoracic width that is farther than this from square to the midline is said, in degrees.
MOST_OBLIQUE = 10.0


@dataclass(frozen=True, slots=True)
class CardiothoracicParts:
    """What the ratio is made of, in the unit of the scale."""

    ratio: float
    cardiac: float
    """Sum of the distances of both borders from the midline."""

    thoracic: float
    feet: tuple[PixelPoint, PixelPoint]
    """Where the perpendiculars from the borders meet the midline."""

    one_sided: bool
    """Both borders lie on one side of the midline: their distances are subtracted, the width is still the heart's."""

    oblique: float
    """How far the thoracic width is from square to the midline, 0 to 90 degrees."""


def cardiothoracic_parts(drawn: CardiothoracicRatio, scale: Scale) -> CardiothoracicParts | None:
    """The parts in true geometry; None while the midline or the thoracic width has no extent."""
    high, low, one, other, inner_one, inner_other = drawn.points
    thoracic = scale.distance(inner_one, inner_other)
    if thoracic == 0 or scale.distance(high, low) == 0:
        return None
    one_off, one_foot = scale.off_line(one, high, low)
    other_off, other_foot = scale.off_line(other, high, low)
    across, along = scale.vector(inner_one, inner_other), scale.vector(high, low)
    lean = (across[0] * along[0] + across[1] * along[1]) / (math.hypot(*across) * math.hypot(*along))
    cardiac = abs(one_off - other_off)
    return CardiothoracicParts(
        ratio=cardiac / thoracic,
        cardiac=cardiac,
        thoracic=thoracic,
        feet=(one_foot, other_foot),
        one_sided=one_off * other_off > 0,
        oblique=math.degrees(math.asin(min(abs(lean), 1.0))),
    )


def cardiothoracic_warnings(parts: CardiothoracicParts, loaded: LoadedImage) -> tuple[str, ...]:
    """What makes the ratio doubtful: how the film was taken, and how the lines lie."""
    warnings = []
    view = view_of(loaded.image.facts)
    if view == "AP":
        warnings.append("AP view: the heart is magnified")
    elif view == "other":
        warnings.append("Not a frontal view: the ratio means nothing")
    elif view is None:
        warnings.append("View unknown: AP magnifies the heart")
    position = position_of(loaded.data_set)
    if position is None:
        warnings.append("Position unknown: lying widens the heart")
    elif position != "erect":
        warnings.append(f"Patient {position}: the heart is wider than erect")
    if parts.one_sided:
        warnings.append("Both heart borders on one side of the midline")
    if parts.oblique > MOST_OBLIQUE:
        warnings.append(f"Thoracic width {parts.oblique:.0f}° from square to the midline")
    if parts.ratio > 1:
        warnings.append("Heart wider than the chest: check the points")
    return tuple(warnings)
