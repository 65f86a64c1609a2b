"""What stands behind the study browser: the scanning processes and the index, tied to the panel."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from PySide6.QtCore import QObject, Signal

from cxr_desktop.panels.study_browser import StudyBrowser
from cxr_desktop.state.hanging import Prior, prior_of
from cxr_desktop.state.index import Index, IndexFileError
from cxr_desktop.state.records import InstanceRecord
from cxr_desktop.workers.scan_messages import Listed
from cxr_desktop.workers.scanning import Scanner, Thumbnails


class StudyListing(QObject):
    """Lists paths into the browser, and keeps what was listed and opened.

    Signals
    -------
    listed(Listed)
        What has just been taken in: the window opens the first image of what was named on its command line.
    ended()
        Everything that was asked for is listed, or was cancelled.
    trouble(str)
        One line about what could not be listed or kept.
    """

    listed = Signal(object)
    ended = Signal()
    trouble = Signal(str)

    def __init__(self, browser: StudyBrowser, index: Index, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.browser = browser
        self._index = index
        path = None if index.in_memory else index.path
        self._scanner = Scanner(path, self)
        self._thumbnails = Thumbnails(path, self)
        self._scanner.listed.connect(self._on_listed)
        self._scanner.ended.connect(self._on_ended)
        self._thumbnails.ready.connect(browser.set_thumbnail)
        browser.thumbnailsWanted.connect(self._thumbnails.want)
        browser.dropped.connect(self.open)
        browser.cancelled.connect(self.cancel)
        browser.removed.connect(self._on_removed)
        self._show_recent()

    @property
    def busy(self) -> bool:
        """Whether something is being listed."""
        return self._scanner.busy

    def open(self, paths: Sequence[str]) -> None:
        """List files, folders, zip archives, DICOMDIRs."""
        self._scanner.scan(paths)
        self.browser.set_busy(True)

    def cancel(self) -> None:
        """Stop listing; what was listed so far stays."""
        if self._scanner.busy:
            self._scanner.cancel()
            self.browser.set_busy(False)
            self.ended.emit()

    def note_opened(self, record: InstanceRecord) -> None:
        """Put an image that was opened at the head of the recent list."""
        self._keep(lambda: self._index.put_opened(record, time.time()))
        self._show_recent()

    def prior_of(self, record: InstanceRecord) -> Prior | None:
        """The prior that hangs beside an image, out of what is listed."""
        return prior_of(record, self.browser.model.browser.records())

    def clear(self) -> None:
        """Forget everything: list, recent list, answers, opinions, measurements, thumbnails."""
        self.cancel()
        self.browser.clear()
        self._keep(self._index.clear)
        self._show_recent()

    def stop(self) -> None:
        """End the processes; to be called before the window goes."""
        self._scanner.stop()
        self._thumbnails.stop()

    def _on_listed(self, listed: Listed) -> None:
        self.browser.add(listed)
        if listed.trouble:
            self.trouble.emit(listed.trouble)
        self.listed.emit(listed)

    def _on_ended(self, words: str) -> None:
        if words:
            self.trouble.emit(words)
        if not self._scanner.busy:
            self.browser.set_busy(False)
            self.ended.emit()

    def _on_removed(self, names: list[str]) -> None:
        self._keep(lambda: self._index.remove(names))
        self._show_recent()

    def _show_recent(self) -> None:
        try:
            self.browser.set_recent(self._index.recent())
        except IndexFileError as error:
            self.trouble.emit(str(error))

    def _keep(self, work: Callable[[], None]) -> None:
        """Change the index; where that fails the list goes on, and it is told."""
        try:
            work()
        except (IndexFileError, OSError) as error:
            self.trouble.emit(
                str(error) if isinstance(error, IndexFileError) else error.strerror or "the index cannot be cleared"
            )
