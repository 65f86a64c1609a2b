"""Examples to 8-bit pictures through the core's own chain, kept in one memory-mapped file.

Every film is decoded once for a whole run. The file is read page by page, so a set larger than the memory streams.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from cxr_core.errors import CxrError, ImageReadError
from cxr_core.preprocess import TRAINING_SIDE, display_reduced
from cxr_core.reading import read_image
from training.datasets.examples import DatasetError, Example, fingerprint

Picture = npt.NDArray[np.uint8]
Progress = Callable[[Iterable[Example], int], Iterable[Example]]

#: Changes when the core's way from file to picture does, so that no kept file outlives it.
CHAIN_VERSION = 1
_DECODERS = 2
_NAMED = 5


class OutputError(CxrError):
    """A folder or disk that cannot be written to."""


def picture_of(example: Example) -> Picture:
    """The film as the core shows it, squashed to 224 x 224: uint8, axes (row, column).

    Raises ImageReadError when it cannot be read.
    """
    image = read_image(example.source.load())
    if image.attributes is None or image.source is None:
        raise ImageReadError("an object without pixels", "an image", "leave it out")
    display = display_reduced(image)
    side = (TRAINING_SIDE, TRAINING_SIDE)
    return np.rint(cv2.resize(display, side, interpolation=cv2.INTER_AREA) * 255).astype(np.uint8)


class PictureStore:
    """The pictures of a data set, shape (n, 224, 224), uint8, in the order of the examples that it was opened with."""

    def __init__(self, path: Path, examples: Sequence[Example]) -> None:
        self.path = path
        self._pictures = np.load(path, mmap_mode="r")
        order = {digest: row for row, digest in enumerate(sorted({example.sha256 for example in examples}))}
        self._row = {example.source.name: order[example.sha256] for example in examples}

    def __getitem__(self, example: Example) -> Picture:
        """One picture, a view of the file."""
        picture: Picture = self._pictures[self._row[example.source.name]]
        return picture


def open_store(
    folder: Path, examples: Sequence[Example], *, skip_unreadable: bool, progress: Progress
) -> tuple[PictureStore, list[Example]]:
    """The store of these examples in `folder`, made when it is not there, and the examples that could be read.

    Raises
    ------
    DatasetError
        Files that cannot be decoded, all of them counted and the first ones named, unless they are to be skipped.
    OutputError
        No space or no right to write.
    """
    path = folder / f"{fingerprint(examples)[:16]}-{CHAIN_VERSION}.npy"
    broken_list = path.with_suffix(".unreadable")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not path.exists() or not broken_list.exists():
            broken = _write(path, examples, progress)
            broken_list.write_text("".join(f"{name}\t{reason}\n" for name, reason in broken), encoding="utf-8")
        else:
            lines = broken_list.read_text(encoding="utf-8").splitlines()
            broken = [(line.partition("\t")[0], line.partition("\t")[2]) for line in lines]
    except OSError as error:
        raise output_error(folder, error) from error
    if broken and not skip_unreadable:
        named = ", ".join(f"{name} ({reason})" for name, reason in broken[:_NAMED])
        more = f" and {len(broken) - _NAMED} more" if len(broken) > _NAMED else ""
        path.unlink()
        broken_list.unlink()
        raise DatasetError(
            f"{len(broken)} of {len(examples)} images that cannot be read: {named}{more}",
            "readable images",
            "mend or remove them, or leave them out with --skip-unreadable",
        )
    unreadable = {name for name, _ in broken}
    return PictureStore(path, examples), [e for e in examples if e.source.name not in unreadable]


def output_error(folder: Path, error: OSError) -> OutputError:
    """One line for a folder that cannot be written to."""
    remedy = "free space there" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "name another"
    return OutputError(f"{folder} ({error.strerror or type(error).__name__})", "a folder to write to", remedy)


def _write(path: Path, examples: Sequence[Example], progress: Progress) -> list[tuple[str, str]]:
    """Decode everything into a new file, which appears when it is whole; names and reasons of what is unreadable."""
    by_digest = {example.sha256: example for example in examples}
    ordered = [by_digest[digest] for digest in sorted(by_digest)]
    part = path.with_name(path.name + ".part")
    broken: list[tuple[str, str]] = []

    def decode(example: Example) -> Picture | str:
        try:
            return picture_of(example)
        except ImageReadError as error:
            return str(error).partition(";")[0]

    try:
        # A hole in the file is no space kept: writing through a memory map would end in SIGBUS on a full disk.
        with part.open("wb") as file, ThreadPoolExecutor(_DECODERS) as pool:
            header = {"descr": "|u1", "fortran_order": False, "shape": (len(ordered), TRAINING_SIDE, TRAINING_SIDE)}
            np.lib.format.write_array_header_1_0(file, header)
            pictures = _ahead(pool, decode, ordered)
            for example, picture in zip(progress(ordered, len(ordered)), pictures, strict=True):
                if isinstance(picture, str):
                    broken.append((example.source.name, picture))
                    picture = np.zeros((TRAINING_SIDE, TRAINING_SIDE), np.uint8)
                file.write(picture.tobytes())
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return broken


def _ahead(
    pool: ThreadPoolExecutor, decode: Callable[[Example], Picture | str], examples: Sequence[Example]
) -> Iterator[Picture | str]:
    """Results in order, a bounded number of them under way: a large set must not gather in memory."""
    window = 8 * _DECODERS
    pending = [pool.submit(decode, example) for example in examples[:window]]
    for position in range(len(examples)):
        result = pending.pop(0).result()
        if position + window < len(examples):
            pending.append(pool.submit(decode, examples[position + window]))
        yield result
