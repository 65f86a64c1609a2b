"""Writes the folders and zips of data sets, small and synthetic, in the exact layouts."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from pathlib import Path

JPEG = b"\xff\xd8\xff\xe0"
PNG = b"\x89PNG\r\n\x1a\n"


def put(folder: Path, *names: str, content: bytes | None = None) -> None:
    """Files that begin as JPEG or PNG do, each with content of its own unless one is given."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        magic = PNG if name.lower().endswith("png") else JPEG
        path.write_bytes(magic + name.encode() if content is None else content)


def zip_of(folder: Path, path: Path, inside: Iterable[str] = ("",)) -> Path:
    """A zip of a folder's files, once below each of the folder names `inside`, without entries for folders."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for start in inside:
            for file in sorted(folder.rglob("*")):
                if file.is_file():
                    archive.write(file, f"{start}{file.relative_to(folder).as_posix()}")
    return path
