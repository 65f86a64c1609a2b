"""The attributes of the grayscale chain out of a data set; what is broken there is put right or left out, and noted."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from cxr_core.grayscale import GrayscaleAttributes, LookupTable, Window, WindowFunction

#: Numbers of the grayscale chain beyond it are damage; one that is smaller than its inverse is 0. Between them no
#: product or quotient of two can overflow.
_LARGEST = 1e12


def grayscale_attributes(dataset: Dataset) -> tuple[GrayscaleAttributes, tuple[str, ...]]:
    """The attributes of one monochrome image, and a note for each leniency."""
    notes: list[str] = []
    slope, intercept = (_floats(dataset, keyword, notes)[:1] for keyword in ("RescaleSlope", "RescaleIntercept"))
    slope_value, intercept_value = 1.0, 0.0
    if slope == [0]:
        notes.append("Rescale Slope 0 ignored")
    elif slope and intercept and slope[0] is not None and intercept[0] is not None:
        slope_value, intercept_value = slope[0], intercept[0]
    modality = _luts(dataset, "ModalityLUTSequence", notes)
    attributes = GrayscaleAttributes(
        bits_stored=int(dataset.BitsStored),
        signed=int(dataset.PixelRepresentation) == 1,
        monochrome1=str(dataset.PhotometricInterpretation).strip().upper() == "MONOCHROME1",
        presentation_inverse=str(dataset.get("PresentationLUTShape") or "").strip().upper() == "INVERSE",
        slope=slope_value,
        intercept=intercept_value,
        modality_lut=modality[0] if modality else None,
        voi_luts=_luts(dataset, "VOILUTSequence", notes),
        windows=_windows(dataset, notes),
        padding=_padding(dataset),
    )
    return attributes, tuple(notes)


def _floats(dataset: Dataset, keyword: str, notes: list[str]) -> list[float | None]:
    """The values of an attribute in their places, None for one that is no usable number; [] when there is none."""
    try:
        value = dataset.get(keyword)
    except (TypeError, ValueError, OverflowError):  # pydicom parses all values at once, when they are asked for
        value = [None]
    if value is None or value == "":
        return []
    numbers = [_usable(part) for part in (value if isinstance(value, (MultiValue, list)) else [value])]
    if None in numbers:
        notes.append(f"{keyword} that is no usable number ignored")
    return numbers


def _usable(part: object) -> float | None:
    try:
        number = float(part)  # type: ignore[arg-type]  # anything that a damaged header holds
    except (TypeError, ValueError):
        return None
    if not math.isfinite(number) or abs(number) > _LARGEST:
        return None
    return number if abs(number) >= 1 / _LARGEST else 0.0


def _windows(dataset: Dataset, notes: list[str]) -> tuple[Window, ...]:
    declared = str(dataset.get("VOILUTFunction") or "LINEAR").strip().upper()
    function: WindowFunction = "LINEAR"
    if declared == "LINEAR_EXACT" or declared == "SIGMOID":
        function = declared  # type: ignore[assignment]  # narrowed by the comparison
    elif declared != "LINEAR":
        notes.append("unknown VOI LUT Function taken as LINEAR")
    windows = []
    centers, widths = (_floats(dataset, keyword, notes) for keyword in ("WindowCenter", "WindowWidth"))
    for center, width in zip(centers, widths, strict=False):
        if center is None or width is None:
            continue
        # PS3.3 C.11.2.1.2.1: a LINEAR window is at least 1 wide; C.11.2.1.3: the others are wider than 0.
        if width <= 0:
            notes.append("Window Width of 0 or less ignored")
        elif function == "LINEAR" and width < 1:
            notes.append("LINEAR window narrower than 1 taken as LINEAR_EXACT")
            windows.append(Window(center, width, "LINEAR_EXACT"))
        else:
            windows.append(Window(center, width, function))
    return tuple(windows)


def _padding(dataset: Dataset) -> tuple[int, int] | None:
    """PS3.3 C.7.5.1.1.2. With US read for a signed image (or the reverse) the value is wrapped."""
    values = []
    for keyword in ("PixelPaddingValue", "PixelPaddingRangeLimit"):
        value = dataset.get(keyword)
        if isinstance(value, int):
            values.append(value)
    if not values:
        return None
    bits, signed = int(dataset.BitsStored), int(dataset.PixelRepresentation) == 1
    if signed:
        values = [value - 65536 if value > 32767 else value for value in values]
    low = -(1 << (bits - 1)) if signed else 0
    if max(values) < low or min(values) >= low + (1 << bits):
        return None  # a value that the pixels cannot have
    return min(values), max(values)


def _luts(dataset: Dataset, keyword: str, notes: list[str]) -> tuple[LookupTable, ...]:
    tables = []
    for item in dataset.get(keyword) or ():
        table = _lut(item, keyword, dataset, notes)
        if table is None:
            notes.append(f"{keyword} without usable data ignored")
        else:
            tables.append(table)
    return tuple(tables)


def _lut(item: Dataset, keyword: str, dataset: Dataset, notes: list[str]) -> LookupTable | None:
    """A LUT (PS3.3 C.11.1.1.1, C.11.2.1.1). The data win over a descriptor that contradicts them."""
    data = _lut_data(item, dataset)
    if data is None or len(data) < 2:
        return None
    value = item.get("LUTDescriptor")
    descriptor = [int(part) for part in value] if isinstance(value, (MultiValue, list)) else []
    entries, first, bits = [*descriptor, 0, 0, 0][:3]
    entries %= 65536
    entries = entries or 65536
    if bits == 8 and len(data) * 2 in (entries, entries + 1) and int(data.max()) > 255:
        data = data.astype("<u2").view(np.uint8).astype(np.uint16)[:entries]  # two entries in each word
    if len(descriptor) != 3 or entries != len(data):
        notes.append(f"LUT Descriptor of {entries} entries put right: {len(data)} are there")
    if first > 32767 and int(dataset.PixelRepresentation) == 1:
        first -= 65536  # VR US where the signed image asks for SS
    needed = max(int(data.max()).bit_length(), 1)
    # Some senders declare 16 bits for VOI data of 10 to 12, which would show an almost black picture. A modality LUT
    # has no output range of its own, and 16 is right for any data (PS3.3 C.11.1.1.1).
    if not needed <= bits <= 16 or (bits == 16 and needed <= 12 and keyword == "VOILUTSequence"):
        notes.append(f"LUT Descriptor of {bits} bits put right: the data have {needed}")
        bits = needed
    return LookupTable(first, data, bits)


def _lut_data(item: Dataset, dataset: Dataset) -> npt.NDArray[np.uint16] | None:
    value = item.get("LUTData")
    if isinstance(value, bytes):
        # VR OW: 16-bit words in the byte order of the data set, which read_dataset keeps as they are.
        encoding = getattr(dataset, "original_encoding", (None, True))
        order = ">" if encoding[1] is False else "<"
        return np.frombuffer(value[: len(value) // 2 * 2], dtype=f"{order}u2").astype(np.uint16)
    if isinstance(value, (MultiValue, list, tuple)):
        return (np.asarray([int(part) for part in value], dtype=np.int64) & 0xFFFF).astype(np.uint16)
    return None
