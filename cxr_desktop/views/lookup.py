"""The grayscale table in bytes, laid out for cv2.LUT over 8- and 16-bit stored values, signed or not."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt

from cxr_core.grayscale import GrayscaleAttributes, StoredPixels, grayscale_table
from cxr_desktop.state.display import DisplayState

Bytes = npt.NDArray[np.uint8]


def byte_table(attributes: GrayscaleAttributes, display: DisplayState) -> Bytes:
    """Display value 0 to 255 of every stored value, in the order of its bits as an unsigned number: shape (65536,)."""
    inverted = attributes.inverted != display.inverted
    asked = replace(attributes, monochrome1=inverted, presentation_inverse=False)
    table = grayscale_table(asked, display.effective_voi)
    levels = cv2.convertScaleAbs(table.values, alpha=255).ravel()
    whole = np.empty(65536, np.uint8)
    if table.first:
        whole[: -table.first] = levels[-table.first :]
        whole[table.first :] = levels[: -table.first]
        # Values that Bits Stored does not allow are not there.
        whole[-table.first : table.first] = 0
    else:
        whole[: len(levels)] = levels
        whole[len(levels) :] = levels[-1]
    return whole


def looked_up(stored: StoredPixels, table: Bytes) -> Bytes:
    """Display values 0 to 255, shape of `stored`."""
    if stored.dtype.itemsize == 1:
        low, high = table[:256], table[-256:]
        table = np.concatenate([low[:128], high[128:]]) if stored.dtype.kind == "i" else low
        return np.asarray(cv2.LUT(stored.view(np.uint8), table), np.uint8)
    return np.asarray(cv2.LUT(stored.view(np.uint16), table), np.uint8)
