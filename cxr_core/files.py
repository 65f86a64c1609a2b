"""Files written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

#: Ends the name of a file that is still being written.
PART = ".part"

#: So much of a large file is on its way to the disk while the next is written.
_AHEAD_BYTES = 2 * 1024**2

Piece = bytes | bytearray | memoryview


def write_whole(path: Path, *pieces: Piece, private: bool = False, modified: float | None = None) -> None:
    """Write beside the place, then rename, and only return when it would survive a power failure.

    A full disk or a kill leaves what was there before.

    Parameters
    ----------
    path : Path
        The file; one that is there is replaced.
    pieces : bytes-like
        The content, one after the other; nothing is copied.
    private : bool
        Readable by its owner alone.
    modified : float, optional
        The time that the file shall bear, in seconds since the epoch.

    Raises
    ------
    OSError
    """
    part = path.with_name(path.name + PART)
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600 if private else 0o666)
        try:
            written = 0
            for piece in pieces:
                rest = memoryview(piece)
                while rest:
                    count = os.write(descriptor, rest[:_AHEAD_BYTES])
                    rest = rest[count:]
                    if count == _AHEAD_BYTES:
                        _begin_to_sync(descriptor, written, count)
                    written += count
            if modified is not None:
                os.utime(descriptor, (modified, modified))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        part.replace(path)
        sync_folder(path.parent)
    finally:
        part.unlink(missing_ok=True)


def _begin_to_sync(descriptor: int, offset: int, count: int) -> None:
    """Have Linux write a part to the disk while the next is copied, so that fsync has less to wait for.

    What is being written stays in memory for the next reader. Elsewhere there may be no such call.
    """
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(descriptor, offset, count, os.POSIX_FADV_DONTNEED)


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk: fsync of a file alone does not promise its name."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
