"""The header alone: what a list shows of a file, without decoding its pixels or even reading them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import BinaryIO, Literal

from pydicom.dataset import Dataset
from pydicom.uid import UID

from cxr_core.chest_image import HeaderFacts
from cxr_core.errors import ImageReadError
from cxr_core.reading.dicom_file import (
    check_pixel_attributes,
    damage_told,
    header_facts,
    is_without_picture,
    parse_file,
)
from cxr_core.reading.raster_file import JPEG_MAGIC, PNG_MAGIC, raster_facts
from cxr_core.settings import ReadLimits

_UNDEFINED_LENGTH = 0xFFFFFFFF


@dataclass(frozen=True, eq=False, slots=True)
class Header:
    """What the beginning of a file says."""

    facts: HeaderFacts
    data_set: Dataset | None
    """Up to the pixels; None of a JPEG or PNG."""

    problem: ImageReadError | None
    """Why `read_image` or the decoding of its pixels would fail, as far as that can be told without them."""


def read_header(file: BinaryIO, size: int | None, limits: ReadLimits | None = None) -> Header:
    """The header of one DICOM, JPEG or PNG file.

    Parameters
    ----------
    file : seekable binary file
        At its start.
    size : int, optional
        Of the file in bytes, where that is known: then pixel data that are cut off are told.

    Raises
    ------
    ImageReadError
        As `read_image` does, where there is not even a header.
    """
    limits = limits or ReadLimits()
    with damage_told():
        magic = file.read(len(PNG_MAGIC))
        file.seek(0)
        if magic.startswith((JPEG_MAGIC, PNG_MAGIC)):
            return Header(raster_facts(file, limits), None, None)
        data_set, transfer_syntax = parse_file(file, limits, stop_before_pixels=True)
        facts = header_facts(data_set, transfer_syntax)
        pixels = None if facts.has_pixels else _Element.next_of(file, data_set)
        facts = replace(facts, has_pixels=facts.has_pixels or (pixels is not None and pixels.tag == "PixelData"))
        try:
            if not is_without_picture(facts):
                _check(data_set, facts, pixels, size, limits)
        except ImageReadError as error:
            return Header(facts, data_set, error)
        return Header(facts, data_set, None)


def _check(
    data_set: Dataset, facts: HeaderFacts, pixels: _Element | None, size: int | None, limits: ReadLimits
) -> None:
    """Raise what reading the image would raise."""
    if pixels is not None and pixels.tag == "other pixels":
        raise ImageReadError("floating point pixel data", "8- or 16-bit integers", "export the original image")
    check_pixel_attributes(data_set, limits, has_pixels=facts.has_pixels)
    if pixels is None or pixels.length == _UNDEFINED_LENGTH or _is_compressed(facts) or facts.frames > 1:
        return
    there = pixels.length if size is None else min(pixels.length, size - pixels.begin)
    samples = int(data_set.get("SamplesPerPixel") or 1)
    needed = facts.rows * facts.columns * samples * int(data_set.BitsAllocated) // 8
    if there < needed:
        raise ImageReadError(
            f"{there} bytes of pixel data", f"{needed} for {facts.rows} x {facts.columns}", "send it again"
        )


def _is_compressed(facts: HeaderFacts) -> bool:
    syntax = UID(facts.transfer_syntax_uid or "")
    return syntax.is_transfer_syntax and syntax.is_compressed


@dataclass(frozen=True, slots=True)
class _Element:
    """The head of a data element (PS3.5 7.1)."""

    tag: str
    length: int
    begin: int
    """Offset of the value in the file."""

    @classmethod
    def next_of(cls, file: BinaryIO, data_set: Dataset) -> _Element | None:
        """The element of pixels that the file is at; None where it is at its end."""
        order: Literal["big", "little"] = "big" if data_set.original_encoding[1] is False else "little"
        begin = file.tell()
        head = file.read(12)
        group, element = (int.from_bytes(head[at : at + 2], order) for at in (0, 2))
        if group != 0x7FE0:
            return None
        tag = "PixelData" if element == 0x0010 else "other pixels"
        # Told by the element itself: a damaged transfer syntax says nothing.
        start = 8 if head[4:6].isalpha() else 4  # explicit or implicit VR (PS3.5 7.1.2, 7.1.3)
        return cls(tag, int.from_bytes(head[start : start + 4], order), begin + start + 4)
