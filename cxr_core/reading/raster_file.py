"""JPEG and PNG files as ChestImage: MONOCHROME2, no header, the full range of 8 or 16 bits."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

import numpy as np
import numpy.typing as npt

from cxr_core.chest_image import ChestImage, HeaderFacts
from cxr_core.errors import ImageReadError
from cxr_core.grayscale import GrayscaleAttributes, StoredPixels
from cxr_core.reading.colour import to_grey
from cxr_core.settings import ReadLimits

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

JPEG_MAGIC = b"\xff\xd8\xff"
PNG_MAGIC = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True, eq=False, slots=True)
class DecodedPixels:
    """Pixels that reading had to decode already."""

    pixels: StoredPixels

    def full(self) -> StoredPixels:
        """All pixels, shape (rows, columns)."""
        return self.pixels

    def reduced(self, log2_factor: int) -> None:
        """Nothing to reduce in a decoder."""
        return


def read_raster(data: bytes, limits: ReadLimits) -> ChestImage:
    """A JPEG or PNG. Raises ImageReadError when it is damaged or too large."""
    with _opened(io.BytesIO(data), limits) as (picture, facts):
        rows, columns = facts.rows, facts.columns
        grey, colour_share = to_grey(lambda first, behind: _rows_of(picture, first, behind), rows, columns)
        grey = _upright(grey, _orientation(picture))
    return ChestImage(
        facts=replace(facts, rows=grey.shape[0], columns=grey.shape[1], colour_share=colour_share),
        attributes=GrayscaleAttributes(bits_stored=8 * grey.dtype.itemsize),
        source=DecodedPixels(grey),
    )


def raster_facts(file: BinaryIO, limits: ReadLimits) -> HeaderFacts:
    """What the head of a JPEG or PNG says, without its pixels. Raises ImageReadError where it is damaged or too large.

    The colour share is not known before the pixels are; rows and columns are those of the picture as it is shown.
    """
    with _opened(file, limits) as (picture, facts):
        if _orientation(picture) >= 5:
            return replace(facts, rows=facts.columns, columns=facts.rows)
        return facts


@contextmanager
def _opened(file: BinaryIO, limits: ReadLimits) -> Iterator[tuple[Picture, HeaderFacts]]:
    """The picture, not yet decoded, and its facts as it is stored; what it raises on damage becomes ImageReadError."""
    from PIL import Image

    container: Literal["jpeg", "png"] = "jpeg" if file.read(3) == JPEG_MAGIC else "png"
    file.seek(0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of large pictures; the limit below decides
            with Image.open(file, formats=(container.upper(),)) as picture:
                columns, rows = picture.size
                if rows * columns > limits.max_pixels:
                    raise ImageReadError(
                        f"a picture of {rows} x {columns}", f"at most {limits.max_pixels} pixels", "reduce it"
                    )
                frames = getattr(picture, "n_frames", 1)
                yield picture, HeaderFacts(container, rows, columns, frames, lossy=container == "jpeg")
    except Image.DecompressionBombError as error:  # Pillow's own limit, before ours can be looked at
        raise ImageReadError(
            "a picture of far more pixels than a film has", f"at most {limits.max_pixels} pixels", "reduce it"
        ) from error
    except (ImageReadError, MemoryError):
        raise
    except Exception as error:  # Pillow raises OSError, SyntaxError, ValueError, struct.error ... on damage
        raise ImageReadError(
            f"a damaged {container.upper()} file", "a whole picture", "export or copy it again"
        ) from error


def _rows_of(picture: Picture, first: int, behind: int) -> npt.NDArray[np.integer[Any]]:
    """Some rows as 8- or 16-bit values, shape (n, columns) or (n, columns, 3)."""
    part = picture.crop((0, first, picture.width, behind))
    plain = part.mode in ("L", "RGB", "I;16", "I", "1")
    pixels = np.asarray(part if plain else part.convert("RGB"))
    if pixels.dtype == np.bool_:
        return pixels.astype(np.uint8) * 255
    return pixels if pixels.dtype.itemsize == 1 else np.clip(pixels, 0, 65535).astype(np.uint16)


def _orientation(picture: Picture) -> int:
    """Exif's Orientation (tag 0x0112, CIPA DC-008 4.6.4): 1 to 8, and 1 where there is none that can be read."""
    try:
        value = picture.getexif().get(0x0112, 1)
    except Exception:  # noqa: BLE001  # damaged Exif data raise many kinds; the picture itself was whole
        return 1
    return value if value in range(1, 9) else 1


def _upright(grey: StoredPixels, orientation: int) -> StoredPixels:
    """The picture as Exif's Orientation says that it is to be shown: 5 to 8 swap rows and columns."""
    if orientation >= 5:
        grey = grey.T
    if orientation in (3, 4, 7, 8):
        grey = grey[::-1]
    if orientation in (2, 3, 6, 7):
        grey = grey[:, ::-1]
    return np.ascontiguousarray(grey)
