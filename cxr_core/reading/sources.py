"""From what a person typed to the images in it: files, folders, zip archives and DICOMDIR.

Nothing is unpacked to disk: a zip member is read into memory, one at a time, under the limits.
"""

from __future__ import annotations

import io
import os
import stat
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

from cxr_core.errors import ImageReadError
from cxr_core.reading.read import open_file, read_bytes
from cxr_core.settings import ReadLimits

#: Suffixes of files that a folder or zip holds beside images; they are passed over there, never when typed.
OTHER_SUFFIXES = frozenset(
    ".txt .csv .tsv .json .xml .htm .html .md .pdf .doc .docx .xls .xlsx .exe .dll .inf .ini .log .css .js "
    ".ico .db .toml .yaml .yml .py .zip .gz .tar .7z .sha256 .md5".split()
)
_ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")


@dataclass(frozen=True, slots=True)
class Source:
    """One image to be read, under the name that the person can find it by."""

    name: str
    """The path as typed, with what was found below it; a zip member is archive.zip!member."""

    load: Callable[[], bytes]
    """Its content. Raises ImageReadError."""

    open: Callable[[], BinaryIO] | None = None
    """Its content as a seekable file, for who reads only the beginning; None where `load` raises.
    Raises ImageReadError; reading the file of a damaged archive member raises zipfile's and zlib's own errors."""


def find_sources(typed: str, limits: ReadLimits | None = None) -> Iterator[Source]:
    """The images behind one typed path, in order of their names.

    Parameters
    ----------
    typed : str
        A file, a folder (searched through), a zip archive, or a DICOMDIR.

    Yields
    ------
    Source
        What cannot be listed is a Source too, whose `load` raises: nothing is lost silently.
    """
    limits = limits or ReadLimits()
    path = Path(typed)
    if stat.S_ISDIR(_mode(path)) and typed:
        yield from _in_folder(typed, path, limits)
    elif _is_zip(path):
        yield from _in_zip(typed, path, limits)
    elif path.name.upper() == "DICOMDIR":
        yield from _in_dicomdir(typed, path, limits)
    else:
        yield _of_file(typed, path, limits)


def read_named(name: str, limits: ReadLimits | None = None) -> bytes:
    """The content of the source that `find_sources` gave this name. Raises ImageReadError."""
    limits = limits or ReadLimits()
    for place in (place for place, sign in enumerate(name) if sign == "!"):
        path = Path(name[:place])
        if _is_zip(path):
            return _member_named(path, name[place + 1 :], limits)
    path = Path(name)
    if not _mode(path):
        raise ImageReadError("a file that is no longer there", "the file that was listed", "put it back or list again")
    return read_bytes(path, limits)


def _member_named(path: Path, member: str, limits: ReadLimits) -> bytes:
    try:
        with zipfile.ZipFile(path) as archive:
            info = archive.getinfo(member)
            problem = member_problem(info, 0, limits)
            if problem is not None:
                raise problem
            return read_member(archive, info)
    except KeyError as error:
        raise ImageReadError("an archive without this member", "the one that was listed", "list it again") from error
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise ImageReadError("a damaged zip archive", "a whole one", "copy it again") from error


def _of_file(name: str, path: Path, limits: ReadLimits) -> Source:
    return Source(name, lambda: read_bytes(path, limits), lambda: open_file(path, limits))


def _failing(name: str, error: ImageReadError) -> Source:
    def load() -> bytes:
        raise error

    return Source(name, load)


def _mode(path: Path) -> int:
    """What kind of file it is; 0 where it cannot be looked at: Path's own questions raise then."""
    try:
        return path.stat().st_mode
    except (OSError, ValueError):
        return 0


def _is_zip(path: Path) -> bool:
    if not stat.S_ISREG(_mode(path)):
        return False
    try:
        with path.open("rb") as file:
            return file.read(4) in _ZIP_MAGIC
    except OSError:
        return False


def _is_other(name: str) -> bool:
    """Whether a file that was found, not typed, is passed over: no image by its name."""
    pure = PurePosixPath(name)
    return pure.name.startswith(".") or pure.name.upper() == "DICOMDIR" or pure.suffix.lower() in OTHER_SUFFIXES


def _in_folder(typed: str, folder: Path, limits: ReadLimits) -> Iterator[Source]:
    found = False
    unlisted: list[OSError] = []
    seen: set[tuple[int, int]] = set()
    for parent, folders, files in os.walk(folder, onerror=unlisted.append, followlinks=True):
        if not _is_new(parent, seen):  # links may lead in a circle, or to a folder that is listed already
            folders.clear()
            continue
        folders.sort()
        for file in sorted(files):
            path = Path(parent, file)
            name = os.path.join(typed, os.path.relpath(path, folder))
            mode = _mode(path)
            if mode and not stat.S_ISREG(mode):
                continue  # a pipe or device would block; of what cannot be looked at, reading tells why
            if path.suffix.lower() == ".zip" and not file.startswith("."):
                for source in _in_zip(name, path, limits, typed=False):
                    found = True
                    yield source
            elif not _is_other(file):
                found = True
                yield _of_file(name, path, limits)
    for error in unlisted:
        found = True
        name = os.path.join(typed, os.path.relpath(error.filename, folder))
        problem = ImageReadError(f"a folder that cannot be listed ({error.strerror})", "a readable one", "check it")
        yield _failing(name, problem)
    if not found:
        yield _failing(typed, ImageReadError("a folder without images", "DICOM, JPEG or PNG files", "check the path"))


def _is_new(folder: str, seen: set[tuple[int, int]]) -> bool:
    status = Path(folder).stat()  # os.walk has just listed it
    identity = (status.st_dev, status.st_ino)
    new = identity not in seen
    seen.add(identity)
    return new


def _in_zip(name: str, path: Path, limits: ReadLimits, *, typed: bool = True) -> Iterator[Source]:
    """The members of an archive; one that was found in a folder, not typed, may hold no images."""
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        yield _failing(name, ImageReadError("a damaged zip archive", "a whole one", "copy it again"))
        return
    with archive:
        members = [info for info in archive.infolist() if not info.is_dir()]
        if len(members) > limits.max_archive_members:
            many = f"a zip of {len(members)} members"
            yield _failing(name, ImageReadError(many, f"at most {limits.max_archive_members}", "split it"))
            return
        unpacked, found = 0, False
        for info in sorted(members, key=lambda info: info.filename):
            member = f"{name}!{info.filename}"
            problem = member_problem(info, unpacked, limits)
            if problem is not None:
                found = True
                yield _failing(member, problem)
                continue
            if PurePosixPath(info.filename).suffix.lower() == ".zip":
                found = True
                yield _failing(member, ImageReadError("a zip within a zip", "images", "unpack the outer one"))
                continue
            if _is_other(info.filename):
                continue
            found = True
            unpacked += info.file_size
            yield Source(member, partial(read_member, archive, info), partial(_open_member, archive, info))
        if typed and not found:
            yield _failing(name, ImageReadError("a zip without images", "DICOM, JPEG or PNG files", "check it"))


def member_problem(info: zipfile.ZipInfo, unpacked: int, limits: ReadLimits) -> ImageReadError | None:
    """Why a member is not read, after `unpacked` bytes of others; None when it may be."""
    parts = info.filename.replace("\\", "/").split("/")
    if ".." in parts or info.filename.startswith(("/", "\\")) or parts[0].endswith(":"):
        return ImageReadError("a member path that climbs out of the archive", "a path inside it", "check its origin")
    ratio = info.file_size / max(info.compress_size, 1)
    if (
        info.file_size > limits.max_file_bytes
        or unpacked + info.file_size > limits.max_archive_bytes
        or (ratio > limits.max_archive_ratio and info.file_size > 1024**2)
    ):
        return ImageReadError(
            f"a member that unpacks from {info.compress_size} to {info.file_size} bytes",
            f"at most {limits.max_archive_ratio} times, {limits.max_file_bytes} bytes a member "
            f"and {limits.max_archive_bytes} in all",
            "check its origin",
        )
    if info.flag_bits & 0x1:
        return ImageReadError("an encrypted member", "an archive without password", "unpack it first")
    return None


def read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """The bytes of a member that has no problem. Raises ImageReadError where it is damaged."""
    try:
        with archive.open(info) as member:
            data = member.read(info.file_size + 1)
    except MemoryError:
        raise
    except Exception as error:  # zlib.error, BadZipFile, EOFError, NotImplementedError, lzma's and bz2's own
        raise ImageReadError("a damaged archive member", "a whole one", "copy the archive again") from error
    if len(data) != info.file_size:
        raise ImageReadError("an archive member of another size than listed", "a whole one", "copy it again")
    return data


def _open_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> BinaryIO:
    """A member that has no problem, unpacked as far as it is read."""
    try:
        return cast("BinaryIO", archive.open(info))
    except Exception as error:  # BadZipFile, EOFError, NotImplementedError, of a damaged head
        raise ImageReadError("a damaged archive member", "a whole one", "copy the archive again") from error


def _in_dicomdir(typed: str, path: Path, limits: ReadLimits) -> Iterator[Source]:
    """The IMAGE records of a DICOMDIR (PS3.3 F.3, PS3.10 8.6), relative to its folder."""
    from pydicom import dcmread

    folder = os.path.dirname(typed)
    try:
        records = dcmread(io.BytesIO(read_bytes(path, limits))).DirectoryRecordSequence
        parts = [
            [
                str(part)
                for part in (
                    [record.ReferencedFileID] if isinstance(record.ReferencedFileID, str) else record.ReferencedFileID
                )
            ]
            for record in records
            if record.get("DirectoryRecordType") == "IMAGE" and record.get("ReferencedFileID")
        ]
    except ImageReadError as error:
        yield _failing(typed, error)
        return
    except Exception:  # noqa: BLE001  # any damage: pydicom parses on access and raises many kinds
        yield _failing(typed, ImageReadError("a damaged DICOMDIR", "a DICOM directory", "open the folder instead"))
        return
    if not parts:
        yield _failing(typed, ImageReadError("a DICOMDIR without images", "image records", "open the folder instead"))
    for file_id in parts:
        name = os.path.join(folder, *file_id)
        if any(part in ("", ".", "..") or "/" in part or "\\" in part or ":" in part for part in file_id):
            yield _failing(
                f"{typed}!{'/'.join(file_id)}",
                ImageReadError(
                    "a DICOMDIR record that climbs out of its folder", "a path inside it", "check its origin"
                ),
            )
            continue
        path = _existing(Path(name))
        yield _of_file(os.path.join(os.path.dirname(name), path.name), path, limits)


def _existing(path: Path) -> Path:
    """The file under its own case: media written in upper case are often copied in lower case."""
    if _mode(path):
        return path
    try:
        for other in path.parent.iterdir():
            if other.name.upper() == path.name.upper():
                return other
    except OSError:
        pass  # reading the path tells why
    return path
