"""Other names for patients and objects: the same within one job, and nothing that leads back once it is over."""

from __future__ import annotations

import base64
import hmac
import secrets

from cxr_core.results.uids import hashed_uid


class Pseudonyms:
    """Of one job. They come from a random key that is nowhere kept, so two jobs have nothing in common."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)

    def uid(self, original: str) -> str:
        """A UID of the root 2.25 (PS3.5 B.2), the same for the same."""
        return hashed_uid(self._keyed("uid", original))

    def patient(self, identity: str) -> str:
        """Ten letters and digits for a patient; `identity` is what tells patients apart."""
        return base64.b32encode(self._keyed("patient", identity))[:10].decode("ascii")

    def _keyed(self, kind: str, original: str) -> bytes:
        return hmac.digest(self._key, f"{kind}\0{original}".encode("utf-8", "surrogatepass"), "sha256")
