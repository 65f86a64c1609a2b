"""Explicit VR Little Endian as Implicit VR Little Endian, the one transfer syntax that every peer takes (PS3.5 10.1).

The same data elements with the very bytes of their values: only how tag, VR and length stand before them differs, and
sequences get a defined length. pydicom would decode every text and encode it again, so that what it does not understand
would be another text.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from struct import Struct
from struct import error as StructError  # noqa: N812  # a class, whatever its name

from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from dicom_node.peers.encoded import EncodedObject

IMPLICIT = str(ImplicitVRLittleEndian)

#: Tag and VR (PS3.5 7.1.2); VRs with a length of 32 bits after two reserved bytes, the others have 16 bits.
_TAG_AND_VR, _SHORT, _LONG = Struct("<HH2s"), Struct("<H"), Struct("<2xI")
_LONG_VRS = frozenset((b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"))
#: Tag and length: in Implicit VR (PS3.5 7.1.3), and of items and delimiters in every transfer syntax (PS3.5 7.5).
_TAG_AND_LENGTH = Struct("<HHI")
_ITEM, _ITEM_ENDS, _SEQUENCE_ENDS = (0xFFFE, 0xE000), (0xFFFE, 0xE00D), (0xFFFE, 0xE0DD)
_UNDEFINED = 0xFFFFFFFF


class NotTranscodedError(Exception):
    """A data set that cannot be transcoded; the text names what is in it, without its values."""


def can_be_implicit(given: EncodedObject) -> bool:
    """Whether an object is in the transfer syntax that is transcoded here."""
    return given.transfer_syntax_uid == ExplicitVRLittleEndian


def implicit(given: EncodedObject) -> EncodedObject:
    """An object in Explicit VR Little Endian in Implicit VR. Raises NotTranscodedError, or OSError of its file."""
    whole = given.source.read_bytes() if isinstance(given.source, Path) else given.source
    view = memoryview(whole)[given.offset :]
    try:
        data_set, _ = _elements(view, 0, len(view))
    except StructError as error:
        raise NotTranscodedError("an element that is cut off") from error
    except RecursionError as error:
        raise NotTranscodedError("sequences too deep in each other") from error
    return replace(given, transfer_syntax_uid=IMPLICIT, source=bytes(data_set), offset=0)


def _elements(view: memoryview, at: int, end: int | None) -> tuple[bytearray, int]:
    """Data elements from `at` to `end`, or to the delimiter of their item where that is None; where they end."""
    out = bytearray()
    while end is None or at < end:
        group, element, vr = _TAG_AND_VR.unpack_from(view, at)
        if (group, element) == _ITEM_ENDS and end is None:
            return out, at + _TAG_AND_LENGTH.size
        at += _TAG_AND_VR.size
        form = _LONG if vr in _LONG_VRS else _SHORT
        (length,) = form.unpack_from(view, at)
        at += form.size
        value: bytearray | memoryview
        if vr == b"SQ":
            value, at = _items(view, at, None if length == _UNDEFINED else at + length)
        else:
            # A sequence in UN is in Implicit VR already (PS3.5 6.2.2), and pixels of undefined length are compressed.
            if length == _UNDEFINED:
                raise NotTranscodedError("a value of undefined length")
            value, at = view[at : at + length], at + length
        out += _TAG_AND_LENGTH.pack(group, element, len(value)) + value
    _check_end(view, at, end)
    return out, at


def _items(view: memoryview, at: int, end: int | None) -> tuple[bytearray, int]:
    """Items of a sequence from `at` to `end`, or to its delimiter where that is None; where they end."""
    out = bytearray()
    while end is None or at < end:
        group, element, length = _TAG_AND_LENGTH.unpack_from(view, at)
        at += _TAG_AND_LENGTH.size
        if (group, element) == _SEQUENCE_ENDS and end is None:
            return out, at
        if (group, element) != _ITEM:
            raise NotTranscodedError("a sequence of something else than items")
        value, at = _elements(view, at, None if length == _UNDEFINED else at + length)
        out += _TAG_AND_LENGTH.pack(*_ITEM, len(value)) + value
    _check_end(view, at, end)
    return out, at


def _check_end(view: memoryview, at: int, end: int) -> None:
    if at != end or end > len(view):
        raise NotTranscodedError("an element longer than what holds it")
