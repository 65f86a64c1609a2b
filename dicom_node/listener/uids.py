"""UIDs as peers send them."""

from __future__ import annotations

import re

#: VR UI (PS3.5 6.2). Leading zeros of a component are forbidden (PS3.5 9.1), yet real equipment writes them.
_UID = re.compile(rb"[0-9]+(?:\.[0-9]+)*")
_MAX_BYTES = 64


def uid_text(value: bytes) -> str | None:
    """A UID without its padding (PS3.5 9.1), or None for what is none."""
    value = value.rstrip(b"\0 ")
    return value.decode("ascii") if len(value) <= _MAX_BYTES and _UID.fullmatch(value) else None
