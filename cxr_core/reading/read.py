"""`read_image`: the one door through which every image comes in."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from cxr_core.chest_image import ChestImage
from cxr_core.errors import ImageReadError
from cxr_core.reading.raster_file import JPEG_MAGIC, PNG_MAGIC, read_raster
from cxr_core.settings import ReadLimits

if TYPE_CHECKING:
    from pydicom.dataset import Dataset


def read_image(source: str | os.PathLike[str] | bytes, limits: ReadLimits | None = None) -> ChestImage:
    """Read one DICOM, JPEG or PNG image, leniently.

    Parameters
    ----------
    source : path or bytes
        A file, or its content.
    limits : ReadLimits, optional
        Bounds on size; the defaults suit radiographs.

    Returns
    -------
    ChestImage
        Its pixels are decoded when they are first asked for.

    Raises
    ------
    ImageReadError
        One line: what was found, what was expected, what to do. Never another exception for any content.
    """
    limits = limits or ReadLimits()
    data = source if isinstance(source, bytes) else read_bytes(Path(source), limits)
    return read_with_data_set(data, limits)[0]


def read_with_data_set(data: bytes, limits: ReadLimits) -> tuple[ChestImage, Dataset | None]:
    """As `read_image`, with the data set that the image was made of, pixels included; None of a JPEG or PNG."""
    if data.startswith((JPEG_MAGIC, PNG_MAGIC)):
        return read_raster(data, limits), None
    from cxr_core.reading.dicom_file import read_dicom

    return read_dicom(data, limits)


def read_bytes(path: Path, limits: ReadLimits) -> bytes:
    """A file's content. Raises ImageReadError when it is missing, unreadable, over the limit, or no regular file."""
    with open_file(path, limits) as file:
        try:
            size = os.fstat(file.fileno()).st_size
            return file.read(min(size, limits.max_file_bytes))  # and no more, should it be growing
        except OSError as error:
            raise _unreadable(error) from error


def open_file(path: Path, limits: ReadLimits) -> BinaryIO:
    """A file, open to be read. Raises ImageReadError as `read_bytes` does."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # reading a pipe would block, and a device need not end
            kind = "a folder" if stat.S_ISDIR(status.st_mode) else "a pipe or device"
            raise ImageReadError(kind, "a regular file", "copy its content to one")
        if status.st_size > limits.max_file_bytes:
            raise ImageReadError(
                f"a file of {status.st_size} bytes", f"at most {limits.max_file_bytes}", "split or check it"
            )
        return path.open("rb")
    except OSError as error:
        raise _unreadable(error) from error


def _unreadable(error: OSError) -> ImageReadError:
    found = f"a path that cannot be read ({error.strerror})"
    return ImageReadError(found, "a readable file", "check the path and its permissions")
