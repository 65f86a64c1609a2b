"""What a compressed frame says about itself, read from its markers before anything is decoded.

A decoder allocates what the codestream claims, so the claim is compared with the header first.
JPEG, JPEG lossless and JPEG-LS: ISO/IEC 10918-1 B.2.2, 14495-1 C.2.2. JPEG 2000: ISO/IEC 15444-1 A.5.1, A.6.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cxr_core.errors import ImageReadError

_STANDALONE_MARKERS = {0x01, *range(0xD0, 0xD9)}
_JP2_SIGNATURE = b"\x00\x00\x00\x0cjP  "


@dataclass(frozen=True, slots=True)
class Codestream:
    """Kind and claimed size of a compressed frame."""

    kind: Literal["jpeg", "jpeg-ls", "jpeg2000"]
    rows: int
    columns: int
    components: int
    precision: int
    """Bits per sample."""

    levels: int = 0
    """Wavelet decomposition levels (JPEG 2000): how often the decoder can halve the image."""


def describe(frame: bytes) -> Codestream | None:
    """The codestream's own description, or None when it is no JPEG-family stream.

    Raises ImageReadError when it begins like one and breaks off: decoders fill what is missing with grey and say
    nothing. The end is EOI or EOC, FF D9 in all of them, before any padding.
    """
    if frame[:2] in (b"\xff\xd8", b"\xff\x4f") and not frame.rstrip(b"\0\xff").endswith(b"\xd9"):
        raise ImageReadError("a compressed frame that breaks off", "a whole codestream", "send it again")
    try:
        if frame[:2] == b"\xff\xd8":
            return _describe_jpeg(frame)
        if frame[:4] == b"\xff\x4f\xff\x51":
            return _describe_jpeg2000(frame)
        if frame[:8] == _JP2_SIGNATURE:
            start = frame.find(b"\xff\x4f\xff\x51")
            if start > 0:
                return _describe_jpeg2000(frame[start:])
    except IndexError:
        pass
    else:
        return None
    raise ImageReadError("a compressed frame that breaks off", "a whole codestream", "send it again")


def _u16(data: bytes, at: int) -> int:
    return data[at] << 8 | data[at + 1]


def _u32(data: bytes, at: int) -> int:
    return _u16(data, at) << 16 | _u16(data, at + 2)


def _describe_jpeg(frame: bytes) -> Codestream:
    at = 2
    while True:
        if frame[at] != 0xFF:
            raise IndexError
        marker = frame[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
        elif marker in _STANDALONE_MARKERS:
            at += 2
        elif (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)) or marker == 0xF7:
            stream = Codestream(
                kind="jpeg-ls" if marker == 0xF7 else "jpeg",
                rows=_u16(frame, at + 5),
                columns=_u16(frame, at + 7),
                components=frame[at + 9],
                precision=frame[at + 4],
            )
            # Lossless with Huffman codes takes a bit a sample or more; the decoder fills up what is not there.
            if marker == 0xC3 and 8 * len(frame) < stream.rows * stream.columns * stream.components:
                raise IndexError
            return stream
        else:
            at += 2 + _u16(frame, at + 2)


def _describe_jpeg2000(frame: bytes) -> Codestream:
    # SIZ follows SOC: Xsiz, Ysiz, XOsiz, YOsiz are the reference grid, Csiz the components.
    columns = _u32(frame, 8) - _u32(frame, 16)
    rows = _u32(frame, 12) - _u32(frame, 20)
    components, precision = _u16(frame, 40), (frame[42] & 0x7F) + 1
    at = 4 + _u16(frame, 4)
    while True:
        marker, length = _u16(frame, at), _u16(frame, at + 2)
        if marker == 0xFF52:  # COD: Scod, progression, layers, transform, levels
            return Codestream("jpeg2000", rows, columns, components, precision, frame[at + 9])
        if marker == 0xFF90:  # the first tile part: no COD came
            raise IndexError
        at += 2 + length
