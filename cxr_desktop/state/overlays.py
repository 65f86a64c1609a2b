"""The overlay planes of an image as one mask (PS3.3 C.9.2), and those that could not be shown."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from cxr_desktop.state.header import DAMAGE

Mask = npt.NDArray[np.uint8]

#: Even groups 6000 to 601E (PS3.5 7.6).
_GROUPS = range(0x6000, 0x6020, 2)


@dataclass(frozen=True, eq=False, slots=True)
class Overlays:
    """All overlay planes of an image."""

    mask: Mask | None
    """255 where a plane draws, else 0, shape of the image; None where nothing is drawn."""

    notes: tuple[str, ...] = ()
    """What is in the file and not shown, a line each."""


def overlays_of(data_set: Dataset | None, rows: int, columns: int) -> Overlays:
    """The planes laid over each other. A damaged one is left out, with a note: it must not cost the image."""
    if data_set is None:
        return Overlays(None)
    mask: Mask | None = None
    notes = []
    for group in _GROUPS:
        if (group, 0x0010) not in data_set and (group, 0x3000) not in data_set:
            continue
        try:
            plane, first_row, first_column = _plane(data_set, group)
        except (_NotShownError, *DAMAGE) as error:
            reason = error.args[0] if isinstance(error, _NotShownError) else "its description is damaged"
            notes.append(f"overlay {group:04X} not shown: {reason}")
            continue
        if mask is None:
            mask = np.zeros((rows, columns), np.uint8)
        # An overlay may begin outside the image (PS3.3 C.9.2.1.1) and be larger than it.
        top, left = max(first_row, 0), max(first_column, 0)
        bottom, right = min(first_row + plane.shape[0], rows), min(first_column + plane.shape[1], columns)
        if bottom > top and right > left:
            part = plane[top - first_row : bottom - first_row, left - first_column : right - first_column]
            mask[top:bottom, left:right] |= part
    return Overlays(mask if mask is not None and mask.any() else None, tuple(notes))


class _NotShownError(Exception):
    """Why a plane is left out."""


def _plane(data_set: Dataset, group: int) -> tuple[Mask, int, int]:
    """One plane, 255 where it draws, and the (row, column) of its first pixel, from 0."""
    rows, columns = (int(_value(data_set, group, element)) for element in (0x0010, 0x0011))  # type: ignore[call-overload]
    origin = _value(data_set, group, 0x0050)
    first_row, first_column = (int(part) - 1 for part in origin) if isinstance(origin, MultiValue) else (0, 0)
    if rows < 1 or columns < 1:
        raise _NotShownError(f"it has {rows} x {columns} pixels")
    if (group, 0x3000) in data_set:
        plane = _separate(data_set, group, rows, columns)
    else:
        plane = _embedded(data_set, int(_value(data_set, group, 0x0102) or 0), rows, columns)  # type: ignore[call-overload]
    return plane, first_row, first_column


def _value(data_set: Dataset, group: int, element: int) -> object:
    found = data_set.get((group, element))
    return None if found is None else found.value


def _separate(data_set: Dataset, group: int, rows: int, columns: int) -> Mask:
    """Overlay Data: a bit a pixel, the first one lowest (PS3.5 8.1.2)."""
    element = data_set[(group, 0x3000)]
    packed = np.frombuffer(bytes(element.value), np.uint8)
    if element.VR == "OW" and data_set.original_encoding[1] is False and len(packed) % 2 == 0:
        packed = packed.view(np.uint16).byteswap().view(np.uint8)
    if len(packed) * 8 < rows * columns:
        raise _NotShownError(f"{len(packed)} bytes for {rows} x {columns} pixels")
    bits = np.unpackbits(packed, count=rows * columns, bitorder="little")
    return np.asarray(bits.reshape(rows, columns) * np.uint8(255))


def _embedded(data_set: Dataset, position: int, rows: int, columns: int) -> Mask:
    """An unused bit of the pixel cells (retired; PS3.3-2004 C.9.2.1.2). Compressed pixels have lost it."""
    syntax = data_set.file_meta.get("TransferSyntaxUID") if hasattr(data_set, "file_meta") else None
    if syntax is not None and syntax.is_transfer_syntax and syntax.is_encapsulated:
        raise _NotShownError("it was in bits of the pixels that compression does not keep")
    allocated = int(data_set.BitsAllocated)
    if (rows, columns) != (int(data_set.Rows), int(data_set.Columns)) or not 0 < position < allocated:
        raise _NotShownError("it has no data")
    if int(data_set.get("HighBit", 0)) - int(data_set.BitsStored) < position <= int(data_set.get("HighBit", 0)):
        raise _NotShownError(f"its bit {position} belongs to the pixel values")
    order = ">" if data_set.original_encoding[1] is False else "<"
    cells = np.frombuffer(bytes(data_set.PixelData), f"{order}u{allocated // 8}", count=rows * columns)
    bit = cells.dtype.type(1 << position)
    return np.where(cells.reshape(rows, columns) & bit, np.uint8(255), np.uint8(0))
