"""The records that reading yields: ChestImage, its header facts and its spacing."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Protocol

from cxr_core.grayscale import GrayscaleAttributes, StoredPixels


class PixelSource(Protocol):
    """Where the stored values come from: decoded on demand, in full or reduced."""

    def full(self) -> StoredPixels:
        """All stored values, shape (rows, columns). Raises ImageReadError."""

    def reduced(self, log2_factor: int) -> StoredPixels | None:
        """Stored values at 1 / 2**log2_factor of the size straight from the decoder, or None if it cannot."""


@dataclass(frozen=True, slots=True)
class Spacing:
    """Distance between pixel centres, and what it is a distance of (PS3.3 10.7.1.3)."""

    row_mm: float
    """Between rows (vertical), in millimetres."""

    column_mm: float
    """Between columns (horizontal), in millimetres."""

    kind: Literal["detector", "magnification-corrected", "fiducial", "geometry"]
    """At the detector plane, divided by the estimated magnification, or calibrated by the modality."""


@dataclass(frozen=True, slots=True)
class HeaderFacts:
    """What the header says about the image, as far as intake, population and results need it.

    An attribute that the header lacks is None; text is upper case and stripped.
    """

    container: Literal["dicom", "jpeg", "png"]
    rows: int
    columns: int
    frames: int = 1
    has_pixels: bool = True
    sop_class_uid: str | None = None
    sop_instance_uid: str | None = None
    study_instance_uid: str | None = None
    series_instance_uid: str | None = None
    transfer_syntax_uid: str | None = None
    modality: str | None = None
    body_part: str | None = None
    anatomic_region: tuple[str, str] | None = None
    """(Code Value, Coding Scheme Designator) of the Anatomic Region Sequence."""

    view_position: str | None = None
    view_code: tuple[str, str] | None = None
    """(Code Value, Coding Scheme Designator) of the View Code Sequence."""

    presentation_intent: str | None = None
    age_years: float | None = None
    """Age at the study in years; None when absent or implausible."""

    lossy: bool = False
    """Lossy compression at any time (PS3.3 C.7.6.1.1.5), or a JPEG file."""

    colour_share: float = 0.0
    """Share of pixels, 0 to 1, whose channels differ by more than 8/255; 0 for a one-channel image."""


@dataclass(frozen=True, eq=False)
class ChestImage:
    """One image as read: header facts, the attributes of its grayscale chain, and its stored pixels.

    `stored` decodes on first use and keeps the result. `notes` are the leniencies that reading needed.
    """

    facts: HeaderFacts
    attributes: GrayscaleAttributes | None
    source: PixelSource | None
    spacing: Spacing | None = None
    notes: tuple[str, ...] = ()

    @cached_property
    def stored(self) -> StoredPixels:
        """Stored values, shape (rows, columns). Raises ImageReadError where they cannot be decoded."""
        assert self.source is not None, "intake refuses an object without pixels before anything asks for them"
        return self.source.full()
