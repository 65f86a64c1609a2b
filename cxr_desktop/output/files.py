"""Files that the reader asked for: written whole or not at all, and what went wrong in a line that says what to do."""

from __future__ import annotations

import errno
from pathlib import Path

from cxr_core.errors import OutputError
from cxr_core.files import Piece, write_whole

_WORDS = {
    errno.ENOSPC: ("a full disk", "free space on it, or choose another folder"),
    errno.EDQUOT: ("a used-up share of the disk", "free space, or choose another folder"),
    errno.EACCES: ("a folder that may not be written to", "choose another folder"),
    errno.EPERM: ("a folder that may not be written to", "choose another folder"),
    errno.EROFS: ("a read-only disk", "choose another folder"),
    errno.ENOENT: ("a folder that is not there", "make it, or choose another one"),
    errno.ENOTDIR: ("a file where a folder was expected", "choose a folder"),
    errno.EISDIR: ("a folder of the file's name", "choose another name"),
    errno.ENAMETOOLONG: ("a file name that is too long", "choose a shorter one"),
}


def write_output(path: Path, *pieces: Piece) -> None:
    """Write a file whole or not at all; one that was there is replaced. Raises OutputError."""
    try:
        write_whole(path, *pieces)
    except OSError as error:
        raise output_error(error) from error


def write_new(path: Path, *pieces: Piece) -> bool:
    """Write a file that is not there yet; False where the very same content is there already.

    Raises OutputError, also where the name is taken by other content.
    """
    try:
        if path.exists():
            if path.is_file() and path.read_bytes() == b"".join(pieces):
                return False
            raise OutputError("a file of this name with other content", "a new name", "choose an empty folder")
    except OSError as error:
        raise output_error(error) from error
    write_output(path, *pieces)
    return True


def output_error(error: OSError) -> OutputError:
    """What went wrong when something was written; without the path, which may name a patient."""
    found, remedy = _WORDS.get(
        error.errno or 0, (f"a file that cannot be written ({error.strerror or type(error).__name__})", "try another")
    )
    return OutputError(f"Not written: {found}", remedy=remedy)


def free_name(folder: Path, stem: str, suffix: str) -> Path:
    """The first of stem.suffix, stem-2.suffix ... that is not there."""
    path, number = folder / f"{stem}{suffix}", 1
    while path.exists():
        number += 1
        path = folder / f"{stem}-{number}{suffix}"
    return path
