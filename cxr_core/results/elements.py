"""Elements to bytes in explicit VR little endian, raw ones as they are: pydicom's writer of data sets decodes them."""

from __future__ import annotations

from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_data_element
from pydicom.tag import ItemTag

CharacterSet = str | list[str] | None


def encoded_elements(data_set: Dataset, character_set: CharacterSet) -> bytes:
    """The elements in the order of their tags (PS3.5 7.1)."""
    buffer = _buffer()
    for tag in sorted(data_set.keys()):
        write_data_element(buffer, data_set.get_item(tag), character_set)
    return buffer.getvalue()


def encoded_items(items: list[Dataset], character_set: CharacterSet) -> bytes:
    """The value of a sequence, items of explicit length (PS3.5 7.5)."""
    buffer = _buffer()
    for item in items:
        content = encoded_elements(item, character_set)
        buffer.write_tag(ItemTag)
        buffer.write_UL(len(content))
        buffer.write(content)
    return buffer.getvalue()


def _buffer() -> DicomBytesIO:
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, False
    return buffer
