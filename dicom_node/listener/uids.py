"""UIDs as peers send them."""

from __future__ import annotations

import re

from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset

#: VR UI (PS3.5 6.2). Leading zeros of a component are forbidden (PS3.5 9.1), yet real equipment writes them, its
#: archive keeps them, and a film that is refused for them gets no answer at all; so they are taken as they are.
_UID = re.compile(rb"[0-9]+(?:\.[0-9]+)*")
_MAX_BYTES = 64


def uid_text(value: bytes) -> str | None:
    """A UID without its padding (PS3.5 9.1), or None for what is none."""
    value = value.rstrip(b"\0 ")
    return value.decode("ascii") if len(value) <= _MAX_BYTES and _UID.fullmatch(value) else None


def raw_value(dataset: Dataset, tag: int | str) -> bytes:
    """A value as it was sent, without pydicom's warnings, which quote it; empty when it is missing."""
    element = dataset.get_item(tag) if tag in dataset else None
    return bytes(element.value or b"") if isinstance(element, RawDataElement) else b""
