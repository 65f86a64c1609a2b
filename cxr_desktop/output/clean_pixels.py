"""Pixel data of an anonymised copy: as they are, or written anew where something is to be hidden or hides there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset

from cxr_core.chest_image import ChestImage
from cxr_core.grayscale import StoredPixels
from cxr_desktop.state.geometry import PixelPoint

#: A text this long that stood in the header and stands in compressed pixel data is no chance.
_SHORTEST_HIDDEN = 5
#: What describes colour, or the grey values of something else.
_OF_COLOUR = (
    "ModalityLUTSequence",
    "RescaleIntercept",
    "RescaleSlope",
    "RescaleType",
    "VOILUTSequence",
    "WindowCenter",
    "WindowWidth",
    "WindowCenterWidthExplanation",
    "VOILUTFunction",
    "PresentationLUTShape",
    "PixelPaddingValue",
    "PixelPaddingRangeLimit",
    "SmallestImagePixelValue",
    "LargestImagePixelValue",
    "PlanarConfiguration",
    "RedPaletteColorLookupTableDescriptor",
    "GreenPaletteColorLookupTableDescriptor",
    "BluePaletteColorLookupTableDescriptor",
    "RedPaletteColorLookupTableData",
    "GreenPaletteColorLookupTableData",
    "BluePaletteColorLookupTableData",
    "SegmentedRedPaletteColorLookupTableData",
    "SegmentedGreenPaletteColorLookupTableData",
    "SegmentedBluePaletteColorLookupTableData",
    "PaletteColorLookupTableUID",
)


@dataclass(frozen=True, slots=True)
class Mask:
    """A rectangle of pixels that is painted over: rows [top, bottom), columns [left, right)."""

    left: int
    top: int
    right: int
    bottom: int

    @classmethod
    def between(cls, one: PixelPoint, other: PixelPoint, rows: int, columns: int) -> Mask | None:
        """Every pixel that is touched between two corners; None where that is none of the image."""
        left, right = sorted((one.x, other.x))
        top, bottom = sorted((one.y, other.y))
        mask = cls(
            max(int(np.floor(left)), 0),
            max(int(np.floor(top)), 0),
            min(int(np.ceil(right)), columns),
            min(int(np.ceil(bottom)), rows),
        )
        return mask if mask.left < mask.right and mask.top < mask.bottom else None


def masked(stored: StoredPixels, masks: tuple[Mask, ...], *, dark_is_high: bool) -> StoredPixels:
    """Stored values with the masks painted in the darkest value that the image has; a copy."""
    painted = stored.copy()
    dark = stored.max() if dark_is_high else stored.min()
    for mask in masks:
        painted[mask.top : mask.bottom, mask.left : mask.right] = dark
    return painted


def write_pixels(copy: Dataset, stored: StoredPixels, image: ChestImage) -> None:
    """Put stored values, shape (rows, columns), uncompressed into a data set; what was colour becomes grey."""
    bits = 8 * stored.dtype.itemsize
    if copy.get("SamplesPerPixel", 1) != 1 or not str(copy.PhotometricInterpretation).upper().startswith("MONOCHROME"):
        copy.SamplesPerPixel, copy.PhotometricInterpretation = 1, "MONOCHROME2"
        copy.BitsStored = bits
        for keyword in _OF_COLOUR:
            if keyword in copy:
                del copy[keyword]
    assert image.attributes is not None, "an image that has pixels"
    copy.BitsAllocated = bits
    copy.BitsStored = min(int(copy.BitsStored), bits)
    copy.HighBit = copy.BitsStored - 1
    copy.PixelRepresentation = int(stored.dtype.kind == "i")
    content = native_bytes(stored)
    copy.PixelData = content
    copy["PixelData"].VR = "OW"
    copy["PixelData"].is_undefined_length = False
    image_type = [str(value) for value in copy.get("ImageType", None) or ()]
    if image_type:
        copy.ImageType = ["DERIVED", *image_type[1:]]


def native_bytes(stored: StoredPixels) -> bytes:
    """Stored values as uncompressed little endian pixel data, of even length (PS3.5 8)."""
    content = stored.astype(stored.dtype.newbyteorder("<"), copy=False).tobytes()
    return content + b"\0" * (len(content) % 2)


def hides_something(data_set: Dataset, image: ChestImage, *, compressed: bool, removed_text: set[str]) -> bool:
    """Whether the pixel data hold more than pixels.

    Uncompressed: bits beside the values, in which old equipment keeps overlays (PS3.5 8.1.1), or bytes behind the last
    pixel. Compressed: a text that was taken out of the header.
    """
    content = bytes(data_set.PixelData)
    if compressed:
        lowered = content.lower()
        encodings = {text.lower().encode(name, "ignore") for text in removed_text for name in ("latin-1", "utf-8")}
        return any(len(text) >= _SHORTEST_HIDDEN and text in lowered for text in encodings)
    if image.facts.colour_share or data_set.get("SamplesPerPixel", 1) != 1 or image.stored.ndim != 2:
        length = image.facts.rows * image.facts.columns * int(data_set.SamplesPerPixel)
        length *= int(data_set.BitsAllocated) // 8
        return len(content) > length + 1 or any(content[length:])
    return content != native_bytes(image.stored)
