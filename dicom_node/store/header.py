"""What the store needs to know of a data set: lenient about everything else, bounded in bytes that are looked at."""

from __future__ import annotations

import re
import zlib
from datetime import datetime, timedelta
from typing import BinaryIO, cast

from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag, Tag
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian

from cxr_core.errors import CxrError
from cxr_core.results.marks import is_result

#: A header before the pixels is a few kilobytes; this much is looked at, whatever the elements claim.
MAX_HEADER_BYTES = 4 * 1024**2
#: Each element takes one to three reads, and real headers have hundreds; a hostile one must not hold up the others.
MAX_READS = 50_000

_STOP = Tag("SeriesInstanceUID")
_WANTED = [
    Tag(keyword)
    for keyword in (
        "SOPClassUID",
        "SOPInstanceUID",
        "StudyDate",
        "StudyTime",
        "Manufacturer",
        "ManufacturerModelName",
        "ContributingEquipmentSequence",
        "StudyInstanceUID",
        "SeriesInstanceUID",
    )
]
_UID = re.compile(r"[0-9]+(\.[0-9]+)*")


class NotUnderstoodError(CxrError):
    """A data set that cannot be kept as what it claims to be."""


def read_header(data_set: memoryview, transfer_syntax_uid: str) -> Dataset:
    """The elements that the store looks at. Raises NotUnderstoodError for whatever cannot be parsed."""
    syntax = UID(transfer_syntax_uid)
    try:
        if syntax == DeflatedExplicitVRLittleEndian:
            data_set = memoryview(zlib.decompressobj(-zlib.MAX_WBITS).decompress(data_set, MAX_HEADER_BYTES))
        return read_dataset(
            cast(BinaryIO, _Bounded(data_set)),
            syntax.is_implicit_VR,
            syntax.is_little_endian,
            stop_when=_is_behind,
            specific_tags=list(_WANTED),
        )
    except Exception as error:  # pydicom raises many kinds on damage; their texts may quote values
        raise NotUnderstoodError(f"a data set that cannot be parsed ({type(error).__name__})") from error


def _is_behind(tag: BaseTag, _vr: str | None, _length: int) -> bool:
    return bool(tag > _STOP)


def uid(header: Dataset, keyword: str) -> str:
    """A UID of the header. Raises NotUnderstoodError where it is missing or none (PS3.5 9.1)."""
    value = _text(header, keyword)
    if len(value) > 64 or not _UID.fullmatch(value):
        # Not quoted: in a damaged header the patient's name may stand there.
        raise NotUnderstoodError(f"{keyword} missing or no UID")
    return value


def is_ours(header: Dataset) -> bool:
    """Whether the marks of our results are on it; what cannot be decoded is no mark."""
    try:
        return bool(is_result(header))
    except Exception:  # noqa: BLE001  # pydicom decodes on access
        return False


def is_older(header: Dataset, hours: float, now: datetime) -> bool:
    """Whether the study is older than so many hours; a study without date, or with one of no sense, is not.

    A date without a time counts from its end (PS3.3 C.7.2.1); `now` is local time without zone, as DICOM's times are.
    """
    date = re.sub(r"[^0-9]", "", _text(header, "StudyDate"))
    clock = re.sub(r"[^0-9]", "", _text(header, "StudyTime").split(".")[0])[:6]
    try:
        day = datetime.strptime(date, "%Y%m%d")  # the zone is the site's
        if len(clock) >= 4:
            at = day + timedelta(hours=int(clock[:2]), minutes=int(clock[2:4]))
        else:
            at = day + timedelta(days=1)
    except ValueError:
        return False
    return now - at > timedelta(hours=hours)


def _text(header: Dataset, keyword: str) -> str:
    """The value as text, several as they were sent; empty where there is none or it cannot be decoded."""
    try:
        value = header.get(keyword)
    except Exception:  # noqa: BLE001  # pydicom decodes on access
        return ""
    if value is not None and not isinstance(value, str):
        value = "\\".join(map(str, value))
    return str(value or "").strip(" \0")


class _Bounded:
    """Reads of a view that end with an error when they are too many; skipping costs nothing, and nothing is copied."""

    def __init__(self, view: memoryview) -> None:
        self._view = view
        self._at = 0
        self._left = MAX_HEADER_BYTES
        self._reads = MAX_READS

    def read(self, count: int = -1) -> bytes:
        count = len(self._view) - self._at if count < 0 else count
        piece = bytes(self._view[self._at : self._at + min(count, self._left + 1)])
        self._at += len(piece)
        self._left -= len(piece)
        self._reads -= 1
        if self._left < 0 or self._reads < 0:
            raise ValueError("the header is too long")
        return piece

    def seek(self, offset: int, whence: int = 0) -> int:
        start = (0, self._at, len(self._view))[whence]
        self._at = max(0, start + offset)
        return self._at

    def tell(self) -> int:
        return self._at
