"""The data folder: what lies where, for its owner alone, locked by one node, with files written whole or not at all."""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from platformdirs import user_data_path

from cxr_core.errors import CxrError, OutputError
from cxr_core.files import PART, sync_folder

_LOCK_LOOK_SECONDS = 0.05


class LockedError(CxrError):
    """Another process holds what only one may hold."""


class DataFolder:
    """Paths below one folder. `prepare` makes it; everything in it is readable by its owner alone.

    Parameters
    ----------
    root : Path or None
        The folder; None for the user's.
    """

    def __init__(self, root: Path | None = None) -> None:
        self.root = (root or user_data_path("cxr-node")).absolute()
        self.objects = self.root / "objects"
        """Received objects, Part 10."""

        self.encoded = self.root / "encoded"
        """Result objects as they are sent."""

        self.quarantine = self.root / "quarantine"
        self.cancelled = self.root / "cancelled"
        """What people cancelled, for a database that is made again."""

        self.results = self.root / "results"
        """The folder destination, where nothing else is configured."""

        self.database = self.root / "node.sqlite"

    def prepare(self) -> None:
        """Make the folders. Raises OutputError."""
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.root.chmod(0o700)
            for folder in (self.objects, self.encoded, self.quarantine, self.cancelled, self.results):
                folder.mkdir(mode=0o700, exist_ok=True)
            sync_folder(self.root)
        except OSError as error:
            raise OutputError(
                f"a data folder that cannot be used ({error.strerror})",
                "a folder of your own",
                "name another by --data",
            ) from error

    def sweep(self) -> int:
        """Delete what was being written when the last process ended; how many files."""
        left = [
            part
            for folder in (self.objects, self.encoded, self.quarantine, self.cancelled, self.results)
            for part in folder.rglob(f"*{PART}")
        ]
        for part in left:
            part.unlink(missing_ok=True)
        return len(left)

    def free_bytes(self) -> int:
        """Free space on the disk of the folder."""
        return shutil.disk_usage(self.root).free

    @contextmanager
    def locked(self, name: str, patience_seconds: float = 0) -> Iterator[None]:
        """Hold a lock of the folder until the block, or the process, ends. Raises LockedError if it stays held."""
        deadline = time.monotonic() + patience_seconds
        with (self.root / name).open("a+") as file:
            while not _take(file):
                if time.monotonic() >= deadline:
                    file.seek(0)
                    raise LockedError(
                        f"a data folder in use by process {file.read(20).strip() or 'unknown'}",
                        "one node a folder",
                        "stop that one, or name another folder by --data",
                    )
                time.sleep(_LOCK_LOOK_SECONDS)
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield


def _take(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
