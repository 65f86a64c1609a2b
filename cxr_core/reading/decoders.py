"""Compressed frames to arrays: imagecodecs decodes, Pillow decodes JPEG 2000 at reduced size.

What is decoded is chosen by the codestream's own markers; RLE (PS3.5 Annex G), which has none, by elimination.
"""

from __future__ import annotations

import io
import struct
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from cxr_core.errors import ImageReadError
from cxr_core.reading.codestream import Codestream, describe

AnyArray = npt.NDArray[Any]


def decode_frame(
    frame: bytes, rows: int, columns: int, samples: int, bits_allocated: int, photometric: str
) -> AnyArray:
    """One frame: shape (rows, columns) or (rows, columns, samples), the integer type that the decoder chose.

    Raises
    ------
    ImageReadError
        The stream is damaged, of another size than the header says, or of a kind that is not supported.
    """
    stream = describe(frame)
    _check_size(stream, rows, columns, samples)
    import imagecodecs

    try:
        if stream is None:
            return _decode_rle(frame, rows, columns, samples, bits_allocated)
        if stream.kind == "jpeg-ls":
            pixels = imagecodecs.jpegls_decode(frame)
        elif stream.kind == "jpeg2000":
            pixels = imagecodecs.jpeg2k_decode(frame)
        elif samples == 3 and photometric == "RGB":
            pixels = imagecodecs.jpeg8_decode(frame, colorspace="RGB", outcolorspace="RGB")
        else:
            pixels = imagecodecs.jpeg8_decode(frame)
    except (ImageReadError, MemoryError):
        raise
    except Exception as error:  # each codec has an error class of its own, and some raise bare RuntimeError
        kind = stream.kind.upper() if stream else "RLE"
        raise ImageReadError(f"damaged {kind} pixel data ({_brief(error)})", "", "send the image again") from error
    return np.asarray(pixels)


def decode_jpeg2000_reduced(frame: bytes, log2_factor: int, rows: int, columns: int) -> AnyArray | None:
    """A one-component JPEG 2000 frame at 1 / 2**log2_factor of its size, or None where the stream does not offer it.

    Shape (ceil(rows / f), ceil(columns / f)).
    """
    stream = describe(frame)
    if stream is None or stream.kind != "jpeg2000" or stream.components != 1 or stream.levels < log2_factor:
        return None
    _check_size(stream, rows, columns, 1)
    size = (-(-rows >> log2_factor), -(-columns >> log2_factor))
    from PIL import Image

    try:
        with Image.open(io.BytesIO(frame), formats=("JPEG2000",)) as picture:
            # Pillow 13 rounds the reduced size to the nearest where OpenJPEG rounds up, and then fails with "broken
            # data stream"; from a size in whole blocks both come to the same.
            picture._size = (size[1] << log2_factor, size[0] << log2_factor)
            picture.reduce = log2_factor  # type: ignore[method-assign, assignment]  # the plugin's own attribute
            pixels = np.asarray(picture)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001  # whatever it is, the full decode gives the pixels or the one clear error
        return None
    if pixels.shape != size:
        return None
    if pixels.dtype.itemsize > 1:
        # Pillow moves samples of 9 to 15 bits to the top of 16 (PIL/Jpeg2KImagePlugin, libImaging/Jpeg2KDecode).
        pixels = pixels.astype(np.uint16) >> (16 - stream.precision)
    return _block_centred(pixels, log2_factor)


def _block_centred(pixels: AnyArray, log2_factor: int) -> AnyArray:
    """A wavelet's low-pass samples moved onto the centres of the blocks that an area reduction averages.

    They sit on the first pixel of each block (ISO/IEC 15444-1 F.3), which would shift the picture by up to half a
    reduced pixel against the same film in any other coding.
    """
    import cv2

    offset = (1 - 0.5**log2_factor) / 2
    taps = np.array([0.0, 1 - offset, offset])
    return np.asarray(cv2.sepFilter2D(pixels, -1, taps, taps, borderType=cv2.BORDER_REPLICATE))


def _decode_rle(frame: bytes, rows: int, columns: int, samples: int, bits_allocated: int) -> AnyArray:
    import imagecodecs

    planes = np.zeros((samples, rows, columns), dtype=f"u{bits_allocated // 8}")
    if len(frame) < 64:
        raise ImageReadError(f"RLE pixel data of {len(frame)} bytes", "a header of 64", "send the image again")
    segments = int.from_bytes(frame[:4], "little")
    if not 1 <= segments <= 15:  # PS3.5 G.5: the header has room for 15
        raise ImageReadError(
            "damaged pixel data of no known compression", "JPEG, JPEG-LS, JPEG 2000 or RLE", "send the image again"
        )
    if segments != samples * bits_allocated // 8:
        raise ImageReadError(
            f"RLE pixel data of {segments} segments", f"{samples * bits_allocated // 8}", "send the image again"
        )
    # The decoder reads wherever an offset points, so one outside the frame would crash the process (PS3.5 G.5).
    bounds = [*struct.unpack(f"<{segments}L", frame[4 : 4 + 4 * segments]), len(frame)]
    if bounds[0] < 64 or any(end < start for start, end in pairwise(bounds)):
        raise ImageReadError(
            "RLE pixel data whose segments lie outside the frame", "ascending offsets in it", "send the image again"
        )
    decoded = imagecodecs.dicomrle_decode(frame, planes.dtype, out=memoryview(planes.reshape(-1).view(np.uint8).data))
    if len(decoded) != planes.nbytes:
        raise ImageReadError(f"RLE pixel data of {len(decoded)} bytes", f"{planes.nbytes}", "send the image again")
    return planes[0] if samples == 1 else np.moveaxis(planes, 0, -1)


def _check_size(stream: Codestream | None, rows: int, columns: int, samples: int) -> None:
    if stream and (stream.rows, stream.columns, stream.components) != (rows, columns, samples):
        raise ImageReadError(
            f"compressed pixel data of {stream.rows} x {stream.columns} x {stream.components}",
            f"{rows} x {columns} x {samples} as the header says",
            "send the image again",
        )


def _brief(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:120]
