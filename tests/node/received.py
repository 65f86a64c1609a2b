"""Objects as the listener hands them to the store."""

from __future__ import annotations

import io
from typing import Any

import pydicom

from dicom_node.received import ReceivedObject
from tests.dicom_builder import build


def received(content: bytes | None = None, *, sender: str = "PACS", **attributes: Any) -> ReceivedObject:
    """A C-STORE request of a Part 10 file's data set; without one, of a built chest film with these attributes."""
    content = build(**attributes) if content is None else content
    file = pydicom.dcmread(io.BytesIO(content), stop_before_pixels=True)
    start = 132 + 12 + file.file_meta.FileMetaInformationGroupLength
    return ReceivedObject(
        str(file.file_meta.MediaStorageSOPClassUID),
        str(file.file_meta.MediaStorageSOPInstanceUID),
        str(file.file_meta.TransferSyntaxUID),
        sender,
        "CXR_NODE",
        "127.0.0.1",
        memoryview(content)[start:],
    )
