"""Objects as they are encoded: what is sent is the very bytes of the file, without decoding."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from pydicom.dataset import FileMetaDataset
from pydicom.filereader import read_dataset, read_preamble
from pydicom.tag import BaseTag

from cxr_core.errors import CxrError


class NotAnObjectError(CxrError):
    """Bytes or a file that are no DICOM object."""


@dataclass(frozen=True, slots=True, eq=False)
class EncodedObject:
    """An encoded data set with what is needed to send it. Made by `of`, or by hand for a bare data set."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    source: bytes | memoryview | Path
    offset: int
    """Where the data set begins in the source."""

    @classmethod
    def of(cls, source: bytes | memoryview | Path) -> EncodedObject:
        """The object in a DICOM file (PS3.10). Raises NotAnObjectError."""
        try:
            with _opened(source) as file:
                read_preamble(file, force=False)
                meta = FileMetaDataset(read_dataset(file, False, True, stop_when=_is_after_meta))
                offset = file.tell()
                length = file.seek(0, os.SEEK_END) - offset
            uids = (meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID, meta.TransferSyntaxUID)
        except OSError as error:
            raise NotAnObjectError(f"a file cannot be read: {error.strerror}") from error
        except Exception as error:  # whatever pydicom meets in what is no DICOM file, or has no such elements
            raise NotAnObjectError("the bytes are no DICOM file", "file meta information with UIDs (PS3.10)") from error
        if length <= 0 or not all(0 < len(uid) <= 64 for uid in uids):
            raise NotAnObjectError("the DICOM file is not whole", "file meta information with UIDs and a data set")
        return cls(str(uids[0]), str(uids[1]), str(uids[2]), source, offset)

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


def _opened(source: bytes | memoryview | Path) -> BinaryIO:
    return source.open("rb") if isinstance(source, Path) else BytesIO(source)


def _is_after_meta(tag: BaseTag, _vr: str | None, _length: int) -> bool:
    return tag.group != 2
