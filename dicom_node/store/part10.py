"""A received data set as a Part 10 file: file meta says what it is, in which syntax, and who sent it (PS3.10 7.1)."""

from __future__ import annotations

from dataclasses import dataclass

from pydicom.dataset import FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_file_meta_info
from pydicom.filewriter import write_file_meta_info
from pydicom.uid import UID

#: Of this node in file meta; of the house, made once by `2.25.` and a random number.
IMPLEMENTATION_CLASS_UID = "2.25.245381739263907523465092744163908720374"


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
    meta.SourceApplicationEntityTitle = origin.sender
    meta.ReceivingApplicationEntityTitle = origin.receiver
    buffer = DicomBytesIO()
    buffer.write(b"\0" * 128 + b"DICM")
    write_file_meta_info(buffer, meta, enforce_standard=True)
    return bytes(buffer.getvalue())


def origin_of(path: str) -> Origin:
    """Read it back from a file that `head` began. Raises what pydicom raises for another file."""
    meta = read_file_meta_info(path)
    return Origin(
        str(meta.MediaStorageSOPClassUID),
        str(meta.MediaStorageSOPInstanceUID),
        str(meta.TransferSyntaxUID),
        str(meta.SourceApplicationEntityTitle),
        str(meta.ReceivingApplicationEntityTitle),
    )
