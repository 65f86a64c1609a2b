"""The quarantine folder: a bad object, and beside it a file that says why it is there."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from cxr_core.errors import CxrError
from cxr_core.files import Piece, sync_folder, write_whole
from dicom_node.store.folder import DataFolder


@dataclass(frozen=True, slots=True)
class Quarantined:
    """One bad object."""

    name: str
    reason: str
    at: float
    """When it was put here, in seconds since the epoch."""

    sender: str
    instance: str | None
    """Key of its row; None of an object that was never taken, and so was refused."""


class Quarantine:
    """Puts objects in, lists them, takes them out."""

    def __init__(self, folder: DataFolder) -> None:
        self._folder = folder.quarantine

    def put(self, entry: Quarantined, *pieces: Piece) -> None:
        """Keep the bytes of an object that is refused. Raises OSError."""
        beside = self.path(entry.name)
        # The reason first: an object without one would be listed by nobody and deleted by nothing.
        self._explain(entry)
        if not beside.exists():
            try:
                write_whole(beside, *pieces, private=True)
            except OSError:
                self.remove(entry.name)
                raise

    def put_file(self, entry: Quarantined, path: Path) -> None:
        """Keep a file of the store, as a second name of it. Raises OSError."""
        beside = self.path(entry.name)
        self._explain(entry)
        if not beside.exists():
            os.link(path, beside)
            sync_folder(self._folder)

    def _explain(self, entry: Quarantined) -> None:
        write_whole(self._reason(entry.name), json.dumps(asdict(entry), indent=1).encode(), private=True)

    def entries(self) -> list[Quarantined]:
        """All of them, oldest first."""
        found = map(_entry, self._folder.glob("*.json"))
        return sorted(found, key=lambda entry: (entry.at, entry.name))

    def find(self, name: str) -> Quarantined:
        """The one whose name begins so. Raises CxrError unless it is exactly one."""
        found = [entry for entry in self.entries() if entry.name.startswith(name)]
        if len(found) != 1:
            raise CxrError(
                f"{len(found)} objects in quarantine whose name begins with {name}",
                "one",
                "see `cxr-node quarantine list`",
            )
        return found[0]

    def path(self, name: str) -> Path:
        """The file of an object."""
        return self._folder / f"{name}.dcm"

    def _reason(self, name: str) -> Path:
        return self._folder / f"{name}.json"

    def remove(self, name: str) -> None:
        """Forget an object. The reason goes last: without its object it says what was here."""
        self.path(name).unlink(missing_ok=True)
        self._reason(name).unlink(missing_ok=True)


def _entry(reason: Path) -> Quarantined:
    """What a file says; one that somebody has damaged must not keep the others from being seen and deleted."""
    try:
        return Quarantined(**json.loads(reason.read_bytes()))
    except (ValueError, TypeError):
        return Quarantined(reason.stem, "the reason beside it cannot be read", reason.stat().st_mtime, "", None)
