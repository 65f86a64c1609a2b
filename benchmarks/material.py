"""Files to measure on: drawn chests of the size of a real film, in any transfer syntax."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cxr_core.phantom import PhantomSettings, display_values
from tests.dicom_builder import build

StoredArray = npt.NDArray[np.uint16]

#: The film of the marks: 2048 columns, 2500 rows, 14 bits stored.
ROWS, COLUMNS, BITS = 2500, 2048, 14


def drawn_film(
    rows: int = ROWS, columns: int = COLUMNS, bits: int = BITS, seed: int = 7, opacity: float = 0.5
) -> StoredArray:
    """Stored values of a drawn chest over the full range of `bits`, shape (rows, columns)."""
    shown = display_values(PhantomSettings(rows, columns, opacity=opacity, seed=seed))
    return np.rint(shown * ((1 << bits) - 1)).astype(np.uint16)


def write_film(path: Path, stored: StoredArray, syntax: str = "explicit", bits: int = BITS, **attributes: Any) -> Path:
    """Write stored values as a frontal chest CR of a child; returns the path."""
    path.write_bytes(build(stored, syntax=syntax, bits_stored=bits, **attributes))
    return path
