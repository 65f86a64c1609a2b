"""The full-size films of the data folder: as files, and their grey values wrapped as 14-bit DICOM."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.material import BITS, StoredArray
from benchmarks.report import NotRunError
from cxr_core.reading import read_image


def full_size_files(data: Path) -> list[Path]:
    """The unresized originals, in order of their names."""
    files = sorted(data.glob("fullres_sample/*/*.jpeg"))
    if not files:
        raise NotRunError("the data folder holds no fullres_sample/LABEL/*.jpeg")
    return files


def grey_of(path: Path) -> npt.NDArray[np.uint8]:
    """A JPEG's grey values, shape (rows, columns)."""
    return np.asarray(read_image(path).stored, np.uint8)


def as_14_bit(grey: npt.NDArray[np.uint8]) -> StoredArray:
    """8-bit values spread over the full range of 14 bits."""
    return np.rint(grey * (((1 << BITS) - 1) / 255)).astype(np.uint16)
