"""`read_image`: the one door through which every image comes in."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from cxr_core.chest_image import ChestImage
from cxr_core.errors import ImageReadError
from cxr_core.reading.raster_file import JPEG_MAGIC, PNG_MAGIC, read_raster
from cxr_core.settings import ReadLimits


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
    if data.startswith((JPEG_MAGIC, PNG_MAGIC)):
        return read_raster(data, limits)
    from cxr_core.reading.dicom_file import read_dicom

    return read_dicom(data, limits)


def read_bytes(path: Path, limits: ReadLimits) -> bytes:
    """A file's content. Raises ImageReadError when it is missing, unreadable, over the limit, or no regular file."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # reading a pipe would block, and a device need not end
            kind = "a folder" if stat.S_ISDIR(status.st_mode) else "a pipe or device"
            raise ImageReadError(kind, "a regular file", "copy its content to one")
        if status.st_size > limits.max_file_bytes:
            raise ImageReadError(
                f"a file of {status.st_size} bytes", f"at most {limits.max_file_bytes}", "split or check it"
            )
        with path.open("rb") as file:
            return file.read(status.st_size)  # and no more, should it be growing
    except OSError as error:
        raise ImageReadError(
            f"a path that cannot be read ({error.strerror})", "a readable file", "check the path and its permissions"
        ) from error
