"""The digest of what was received: one value a content, whatever holds it."""

from __future__ import annotations

from cxr_core.digest import encoded_digest

#: Of the published test vectors: the input of length 3 (bytes 0, 1, 2).
PUBLISHED = "e1be4d7a8ab5560aa4199eea339849ba8e293d55ca0a81006726d184519e647f"


def test_it_is_blake3() -> None:
    assert encoded_digest(bytes([0, 1, 2])) == PUBLISHED


def test_it_is_the_same_in_whatever_the_bytes_lie() -> None:
    content = bytes(range(256)) * 100
    held = {encoded_digest(content), encoded_digest(bytearray(content)), encoded_digest(memoryview(b"x" + content)[1:])}
    assert len(held) == 1
    assert held != {encoded_digest(content[:-1])}
