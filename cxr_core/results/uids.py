"""UIDs of results: hashes of what the object is made from, so that the same input yields the same UID."""

from __future__ import annotations

import hashlib
from typing import Final

#: Goes into every UID. Raise it with every change of what is written.
ENCODER_VERSION: Final = "1"


def hashed_uid(*parts: str | bytes) -> str:
    """A UID of the root 2.25 (PS3.5 B.2) from the SHA-256 of the parts, in a UUID of version 8 (RFC 9562 5.8).

    The parts are told apart by their lengths, so that no two lists of parts make the same input.
    """
    digest = hashlib.sha256()
    for part in parts:
        encoded = part.encode() if isinstance(part, str) else part
        digest.update(len(encoded).to_bytes(8, "big"))
        digest.update(encoded)
    number = int.from_bytes(digest.digest()[:16], "big")
    number = number & ~(0xF << 76) | (8 << 76)
    number = number & ~(0x3 << 62) | (0x2 << 62)
    return f"2.25.{number}"
