"""What one pixel holds: its stored value, and its modality value with the unit that the header gives."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from pydicom.dataset import Dataset

from cxr_core.grayscale import modality_values
from cxr_desktop.state.geometry import PixelPoint
from cxr_desktop.state.header import items_of, text_of
from cxr_desktop.state.records import LoadedImage
from cxr_desktop.state.windowing import attributes_of


@dataclass(frozen=True, slots=True)
class PixelValues:
    """One pixel."""

    row: int
    """From 0."""

    column: int
    stored: int
    rescaled: float | None
    """After the modality LUT or rescale (PS3.3 C.11.1); None where the image has neither."""

    unit: str
    """Rescale Type or Modality LUT Type; "" where it is not specified."""

    padding: bool
    """Whether the value means that there is no picture (PS3.3 C.7.5.1.1.2)."""

    def __str__(self) -> str:
        text = f"x {self.column} y {self.row}: {self.stored}"
        if self.rescaled is not None:
            text += f" = {self.rescaled:g} {self.unit}".rstrip()
        return text + (" (padding)" if self.padding else "")


def pixel_values(loaded: LoadedImage, point: PixelPoint) -> PixelValues | None:
    """The pixel that covers a point; None beside the image."""
    row, column = math.floor(point.y), math.floor(point.x)
    rows, columns = loaded.stored.shape
    if not (0 <= row < rows and 0 <= column < columns):
        return None
    attributes = attributes_of(loaded)
    stored = int(loaded.stored[row, column])
    rescaled = None
    if attributes.modality_lut is not None or (attributes.slope, attributes.intercept) != (1, 0):
        rescaled = float(modality_values(attributes)[stored - attributes.first])
    padding = attributes.padding is not None and attributes.padding[0] <= stored <= attributes.padding[1]
    return PixelValues(row, column, stored, rescaled, modality_unit(loaded.data_set), padding)


def modality_unit(data_set: Dataset | None) -> str:
    """Modality LUT Type or Rescale Type in a word; "" for US, which means unspecified (PS3.3 C.11.1.1.2)."""
    items = items_of(data_set, "ModalityLUTSequence")
    text = text_of(items[0], "ModalityLUTType") if items else text_of(data_set, "RescaleType")
    return text if text.upper() != "US" and re.fullmatch(r"[A-Za-z0-9 ._^\[\]()/+-]{1,16}", text) else ""
