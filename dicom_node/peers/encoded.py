"""Objects as they are encoded: what is sent and kept is the very bytes of the data set, without decoding."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from pydicom.dataset import FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset, read_preamble
from pydicom.filewriter import write_file_meta_info
from pydicom.tag import BaseTag
from pydicom.uid import UID

from cxr_core.errors import CxrError

IMPLEMENTATION_CLASS_UID = UID("2.25.118372911959420731734215424753049144285")
IMPLEMENTATION_VERSION = "CXR_ASSISTANT"

_META = ("MediaStorageSOPClassUID", "MediaStorageSOPInstanceUID", "TransferSyntaxUID")
_UID = re.compile(r"[0-9.]{1,64}", re.ASCII)
#: No file meta information is longer; a memoryview is copied to be read.
_MAX_HEAD_BYTES = 1 << 20


class NotAnObjectError(CxrError):
    """Bytes or a file that are no DICOM object."""


@dataclass(frozen=True, slots=True, eq=False)
class EncodedObject:
    """An encoded data set with what is needed to send it. Made by `of`, or by hand for a bare data set."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    source: bytes | memoryview | Path
    offset: int = 0
    """Where the data set begins in a DICOM file; 0 when the source is the bare data set."""

    @classmethod
    def of(cls, source: bytes | memoryview | Path) -> EncodedObject:
        """The object in a DICOM file (PS3.10). Raises NotAnObjectError."""
        try:
            with _opened(source) as file:
                read_preamble(file, force=False)
                meta = FileMetaDataset(read_dataset(file, False, True, stop_when=_is_after_meta))
                offset = file.tell()
            sop_class, instance, syntax = uids = [str(meta[keyword].value) for keyword in _META]
            given = cls(sop_class, instance, syntax, source, offset)
            is_whole = given.data_set_bytes() > 0 and all(map(_UID.fullmatch, uids))
        except OSError as error:
            raise NotAnObjectError(f"a file cannot be read: {error.strerror}") from error
        except Exception as error:  # whatever pydicom meets in what is no DICOM file, or has no such elements
            raise NotAnObjectError("the bytes are no DICOM file", "file meta information with UIDs (PS3.10)") from error
        if not is_whole:
            raise NotAnObjectError("the DICOM file is not whole", "file meta information with UIDs and a data set")
        return given

    def head(self) -> bytes:
        """What stands before the data set in a DICOM file; made for a bare data set. Raises OSError."""
        if not self.offset:
            return file_head(self.sop_class_uid, self.sop_instance_uid, self.transfer_syntax_uid)
        with _opened(self.source) as file:
            return file.read(self.offset)

    def data_set_bytes(self) -> int:
        """Length of the data set. Raises OSError."""
        whole = self.source.stat().st_size if isinstance(self.source, Path) else len(self.source)
        return whole - self.offset

    def blocks(self, size: int) -> Iterator[tuple[memoryview, bool]]:
        """The data set in blocks of `size` bytes, and whether each is the last. A block is gone with the next.

        Raises OSError for a file that cannot be read, or was changed since.
        """
        if not isinstance(self.source, Path):
            view = memoryview(self.source)[self.offset :]
            for start in range(0, len(view), size):
                yield view[start : start + size], start + size >= len(view)
            return
        with self.source.open("rb", buffering=0) as file:
            left = os.fstat(file.fileno()).st_size - self.offset
            file.seek(self.offset)
            block = memoryview(bytearray(min(size, max(left, 1))))
            while left > 0:
                filled = 0
                while filled < min(len(block), left):
                    read = file.readinto(block[filled : min(len(block), left)])
                    if not read:
                        raise OSError("the file has become shorter")
                    filled += read
                left -= filled
                yield block[:filled], left == 0


def file_head(sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str) -> bytes:
    """Preamble and file meta information (PS3.10 7.1)."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(sop_class_uid)
    meta.MediaStorageSOPInstanceUID = UID(sop_instance_uid)
    meta.TransferSyntaxUID = UID(transfer_syntax_uid)
    meta.ImplementationClassUID = IMPLEMENTATION_CLASS_UID
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION
    buffer = DicomBytesIO()
    buffer.write(bytes(128) + b"DICM")
    write_file_meta_info(buffer, meta)
    return bytes(buffer.getvalue())


def _opened(source: bytes | memoryview | Path) -> BinaryIO:
    if isinstance(source, Path):
        return source.open("rb")
    return BytesIO(source if isinstance(source, bytes) else source[:_MAX_HEAD_BYTES])


def _is_after_meta(tag: BaseTag, _vr: str | None, _length: int) -> bool:
    return tag.group != 2
