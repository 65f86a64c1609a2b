"""The files of a data set, in a folder or in the zip as it was downloaded, under the same names in both."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

from cxr_core.errors import ImageReadError
from cxr_core.reading import Source
from cxr_core.reading.read import read_bytes
from cxr_core.reading.sources import OTHER_SUFFIXES, member_problem, read_member
from cxr_core.settings import ReadLimits
from training.datasets.examples import DatasetError

#: Of a data set, members and bytes in all are many: ChestX-ray14 has 112,120 images of 45 GB. Only one member is in
#: memory at a time, and for one the core's limits hold.
LIMITS = ReadLimits(max_archive_bytes=2**41, max_archive_members=2_000_000)
IMAGE_SUFFIXES = frozenset({".jpeg", ".jpg", ".png", ".dcm"})
#: What the Finder of macOS adds to a zip: a twin of every file.
_TWINS = "__MACOSX"


@dataclass(frozen=True, slots=True)
class FileTree:
    """Files and folders below one root, in order of their names; hidden ones and macOS's twins are left out."""

    name: str
    """Of the folder or zip that was typed, for messages."""

    sources: Mapping[str, Source]
    """By name, relative to the root, with "/"."""

    folders: tuple[str, ...]
    """Relative names; the root itself, "", is not among them."""

    def below(self, folder: str) -> FileTree:
        """The tree whose root is one of the folders."""
        if not folder:
            return self
        start = folder + "/"
        cut = len(start)
        return FileTree(
            self.name,
            {name[cut:]: Source(name[cut:], source.load) for name, source in self.under(folder).items()},
            tuple(name[cut:] for name in self.folders if name.startswith(start)),
        )

    def under(self, folder: str) -> dict[str, Source]:
        """All files below a folder, at any depth."""
        return {name: source for name, source in self.sources.items() if name.startswith(folder + "/")}

    def subfolders(self, folder: str = "") -> list[str]:
        """Last names of the folders directly in a folder."""
        parent = PurePosixPath(folder)
        return [PurePosixPath(name).name for name in self.folders if PurePosixPath(name).parent == parent]

    def files_in(self, folder: str = "") -> list[str]:
        """Last names of the files directly in a folder."""
        parent = PurePosixPath(folder)
        return [PurePosixPath(name).name for name in self.sources if PurePosixPath(name).parent == parent]

    def read(self, name: str) -> bytes:
        """Content of one file. Raises DatasetError."""
        return load(self.sources[name])


def load(source: Source) -> bytes:
    """Content of one file. Raises DatasetError, which names it."""
    try:
        return source.load()
    except ImageReadError as error:
        raise DatasetError(f"{source.name}: {error.found}", error.expected, error.remedy) from error


def may_be_image(name: str) -> bool:
    """Whether a file may hold an image by its name: DICOM files often have no suffix, or a UID for a name."""
    return PurePosixPath(name).suffix.lower() not in OTHER_SUFFIXES


def open_tree(path: str | os.PathLike[str]) -> FileTree:
    """The tree of a folder or zip. The zip stays open, so that its members can be loaded later, by any thread.

    Raises
    ------
    DatasetError
        Neither of them, or one that cannot be listed whole.
    """
    path = Path(path)
    if path.is_dir():
        return _of_folder(path)
    try:
        archive = zipfile.ZipFile(path)
    except FileNotFoundError as error:
        raise DatasetError(f"no {path}", "a folder or a zip", "check the path") from error
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        expected = "the folder of a data set, or its zip as downloaded"
        raise DatasetError(f"{path}, which is no whole zip", expected, "unpack other archives first") from error
    return _of_zip(path.name, archive)


def _of_folder(root: Path) -> FileTree:
    def unlisted(error: OSError) -> None:
        raise DatasetError(f"folder {error.filename} ({error.strerror})", "one that can be listed", "check it")

    sources: dict[str, Source] = {}
    folders: list[str] = []
    walked: set[str] = set()
    # Links are followed: large sets are often kept elsewhere. A folder is walked once, so that a loop of links ends.
    for parent, subfolders, files in os.walk(root, onerror=unlisted, followlinks=True):
        real = os.path.realpath(parent)
        if real in walked:
            subfolders.clear()
            continue
        walked.add(real)
        relative = Path(parent).relative_to(root)
        if relative.parts:
            folders.append(relative.as_posix())
        subfolders[:] = sorted(name for name in subfolders if not _is_left_out(name))
        for file in files:
            path = Path(parent, file)
            # A pipe would block the reading of everything behind it.
            if not _is_left_out(file) and path.is_file():
                name = (relative / file).as_posix()
                sources[name] = Source(name, partial(read_bytes, path, LIMITS))
    return FileTree(root.resolve().name, dict(sorted(sources.items())), tuple(sorted(folders)))


def _of_zip(name: str, archive: zipfile.ZipFile) -> FileTree:
    sources: dict[str, Source] = {}
    folders: set[str] = set()
    members = archive.infolist()
    if len(members) > LIMITS.max_archive_members:
        raise DatasetError(f"a zip of {len(members)} members", f"at most {LIMITS.max_archive_members}", "check it")
    unpacked = 0
    for info in members:
        problem = member_problem(info, unpacked, LIMITS)
        if problem is not None:
            raise DatasetError(f"{name}!{info.filename}: {problem.found}", problem.expected, problem.remedy)
        unpacked += info.file_size
        pure = PurePosixPath(info.filename.replace("\\", "/"))
        if any(_is_left_out(part) for part in pure.parts):
            continue
        folders.update(str(parent) for parent in pure.parents if parent.parts)
        if info.is_dir():
            folders.add(str(pure))
        else:
            sources[str(pure)] = Source(str(pure), partial(read_member, archive, info))
    return FileTree(name, dict(sorted(sources.items())), tuple(sorted(folders)))


def _is_left_out(name: str) -> bool:
    return name.startswith(".") or name == _TWINS
