"""Anonymised copies of many images into a folder: every image is accounted for, and no original is touched."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from cxr_core.errors import ImageReadError, OutputError
from cxr_core.reading.sources import read_named
from cxr_desktop.output.anonymise import AnonymiseOptions, NotAnonymisedError, PixelText, anonymised
from cxr_desktop.output.files import free_name, write_output
from cxr_desktop.output.pseudonyms import Pseudonyms
from cxr_desktop.workers.task import Task, run


@dataclass(frozen=True, slots=True)
class JobImage:
    """One image of a job."""

    name: str
    """As InstanceRecord.name."""

    content: bytes | None = field(default=None, repr=False)
    """Of the file; None to have it read under its name."""

    text: PixelText = field(default_factory=PixelText)


@dataclass(frozen=True, slots=True)
class JobRow:
    """What became of one image."""

    name: str
    written: Path | None
    """The copy; None of an image that was refused."""

    words: str = ""
    """Why it was refused, or what is to be known of the copy."""


@dataclass(frozen=True, slots=True)
class JobReport:
    """A row for each image of the job, in their order."""

    rows: tuple[JobRow, ...]

    @property
    def written(self) -> int:
        """How many copies there are."""
        return sum(row.written is not None for row in self.rows)

    @property
    def words(self) -> str:
        """The counts in one line."""
        refused = len(self.rows) - self.written
        return f"{len(self.rows)} in = {self.written} written + {refused} refused"


def anonymise_all(
    images: Sequence[JobImage],
    folder: Path,
    options: AnonymiseOptions,
    cancel: threading.Event,
    on_done: Callable[[int], None] = lambda done: None,
) -> JobReport:
    """Write an anonymised copy of each image, numbered by its place in the job, whole or not at all; for a thread.

    Files that are there stay there: a copy gets another name. At the end each copy is looked for on the disk, and only
    what is there whole counts as written.

    Parameters
    ----------
    folder : Path
        Has to be there.
    cancel : threading.Event
        Set from another thread: images that have no copy yet get none, and the report says so.
    on_done : callable
        Told how many images are done.
    """
    pseudonyms = Pseudonyms()
    rows: list[JobRow] = []
    sizes: dict[Path, int] = {}
    for number, image in enumerate(images, 1):
        if cancel.is_set():
            rows.append(JobRow(image.name, None, "cancelled before it was copied"))
            continue
        try:
            content = read_named(image.name) if image.content is None else image.content
            copy = anonymised(content, pseudonyms, options, image.text)
            path = free_name(folder, f"image-{number:04d}", ".dcm")
            write_output(path, copy.content)
        except (ImageReadError, NotAnonymisedError, OutputError) as error:
            rows.append(JobRow(image.name, None, str(error)))
        except MemoryError:
            rows.append(JobRow(image.name, None, "too little memory for this image; close others and do it again"))
        else:
            sizes[path] = len(copy.content)
            rows.append(JobRow(image.name, path, "; ".join(copy.notes)))
        on_done(number)
    return JobReport(tuple(_checked(row, sizes) for row in rows))


def _checked(row: JobRow, sizes: dict[Path, int]) -> JobRow:
    try:
        if row.written is None or row.written.stat().st_size == sizes[row.written]:
            return row
    except OSError:
        pass  # told below
    return replace(row, written=None, words="written, but not there any more as it was written; do it again")


class AnonymiseJob(QObject):
    """One job in a thread.

    Signals
    -------
    progressed(int, int)
        So many images of so many are done.
    ended(JobReport)
        After cancel as well.
    failed(str)
        A mistake in the program, in words.
    """

    progressed = Signal(int, int)
    ended = Signal(object)
    failed = Signal(str)

    def __init__(
        self, images: Sequence[JobImage], folder: Path, options: AnonymiseOptions, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._images, self._folder, self._options = tuple(images), folder, options
        self._cancel = threading.Event()

    def start(self) -> None:
        """Begin; once."""
        _running.add(self)
        run(self._work, on_result=self._returned, on_error=self._failed, on_progress=self.progressed.emit)

    def cancel(self) -> None:
        """Finish the image that is being copied, and no other."""
        self._cancel.set()

    def _returned(self, report: JobReport) -> None:
        _running.discard(self)
        self.ended.emit(report)

    def _failed(self, words: str) -> None:
        _running.discard(self)
        self.failed.emit(words)

    def _work(self, task: Task) -> JobReport:
        total = len(self._images)
        return anonymise_all(
            self._images, self._folder, self._options, self._cancel, lambda done: task.report(done, total)
        )


#: Under way: who started one may be gone before its thread comes back, which must not be the last to hold it.
_running: set[AnonymiseJob] = set()
