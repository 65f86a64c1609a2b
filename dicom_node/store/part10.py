"""A received data set as a Part 10 file: file meta says what it is, in which syntax, and who sent it (PS3.10 7.1)."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset, read_preamble
from pydicom.filewriter import write_file_meta_info
from pydicom.tag import BaseTag
from pydicom.uid import UID

#: Of this node in file meta; of the house, made once by `2.25.` and a random number.
IMPLEMENTATION_CLASS_UID = "2.25.245381739263907523465092744163908720374"
_IMPLEMENTATION_VERSION_NAME = "CXR_NODE"
_MAX_HEAD_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Origin:
    """What an object is and who sent it, as the request said it."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    sender: str
    """Calling AE title."""

    receiver: str
    """Called AE title."""


def head(origin: Origin) -> bytes:
    """Preamble and file meta information; the data set follows as it was sent."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(origin.sop_class_uid)
    meta.MediaStorageSOPInstanceUID = UID(origin.sop_instance_uid)
    meta.TransferSyntaxUID = UID(origin.transfer_syntax_uid)
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = _IMPLEMENTATION_VERSION_NAME
    meta.SourceApplicationEntityTitle = origin.sender
    meta.ReceivingApplicationEntityTitle = origin.receiver
    buffer = DicomBytesIO()
    buffer.write(b"\0" * 128 + b"DICM")
    write_file_meta_info(buffer, meta, enforce_standard=True)
    return bytes(buffer.getvalue())


def read(path: Path) -> tuple[Origin, memoryview]:
    """Origin and data set of a file that `head` began. Raises OSError, and what pydicom raises for another file."""
    content = memoryview(path.read_bytes())
    file = io.BytesIO(content[:_MAX_HEAD_BYTES])
    read_preamble(file, force=False)
    meta = read_dataset(file, False, True, stop_when=_is_behind)
    origin = Origin(
        str(meta.MediaStorageSOPClassUID),
        str(meta.MediaStorageSOPInstanceUID),
        str(meta.TransferSyntaxUID),
        str(meta.SourceApplicationEntityTitle),
        str(meta.ReceivingApplicationEntityTitle),
    )
    return origin, content[file.tell() :]


def _is_behind(tag: BaseTag, _vr: str | None, _length: int) -> bool:
    return bool(tag.group != 2)
