"""JPEG and PNG files as ChestImage: MONOCHROME2, no header, the full range of 8 or 16 bits."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass

import numpy as np

from cxr_core.chest_image import ChestImage, HeaderFacts
from cxr_core.errors import ImageReadError
from cxr_core.grayscale import GrayscaleAttributes, StoredPixels
from cxr_core.reading.colour import to_grey
from cxr_core.settings import ReadLimits

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
    from PIL import Image

    container: str = "jpeg" if data.startswith(JPEG_MAGIC) else "png"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of large pictures; the limit below decides
            with Image.open(io.BytesIO(data), formats=(container.upper(),)) as picture:
                columns, rows = picture.size
                if rows * columns > limits.max_pixels:
                    raise ImageReadError(
                        f"a picture of {rows} x {columns}", f"at most {limits.max_pixels} pixels", "reduce it"
                    )
                frames = getattr(picture, "n_frames", 1)
                plain = picture.mode in ("L", "RGB", "I;16", "I", "1")
                pixels = np.asarray(picture if plain else picture.convert("RGB"))
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
    if pixels.dtype == np.bool_:
        pixels = pixels.astype(np.uint8) * 255
    elif pixels.dtype.itemsize > 1:
        pixels = np.clip(pixels, 0, 65535).astype(np.uint16)
    grey, colour_share = to_grey(pixels)
    return ChestImage(
        facts=HeaderFacts(
            container="jpeg" if container == "jpeg" else "png",
            rows=rows,
            columns=columns,
            frames=frames,
            lossy=container == "jpeg",
            colour_share=colour_share,
        ),
        attributes=GrayscaleAttributes(bits_stored=8 * grey.dtype.itemsize),
        source=DecodedPixels(grey),
    )
