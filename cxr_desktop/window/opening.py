"""From what is typed, dropped or chosen to a list in the study browser: scanning, thumbnails, the recent list."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtWidgets import QFileDialog, QMessageBox

from cxr_core.errors import CxrError
from cxr_desktop.panels.study_browser import StudyBrowser
from cxr_desktop.state.browser import first_to_see
from cxr_desktop.state.index import Index
from cxr_desktop.state.records import InstanceRecord
from cxr_desktop.window.main_window import MainWindow
from cxr_desktop.workers.scan_messages import Listed
from cxr_desktop.workers.scanning import Scanner, Thumbnails

#: So long the newest film may still come before the one that is known is seen: a small folder is listed by then.
_PATIENCE_MS = 400


@dataclass(eq=False, slots=True)
class _Request:
    """What was opened at once, until it is listed."""

    wanted: str | None
    """The name of the image that is to be seen; None for the newest."""

    images: list[InstanceRecord] = field(default_factory=list)
    """Those that came so far, of which one is to be seen."""

    found: bool = False
    """Whether it is."""


class Opening(QObject):
    """Fills the study browser.

    Signals
    -------
    chosen(InstanceRecord), chosenAsPrior(InstanceRecord), tagsWanted(InstanceRecord)
        As the browser tells.
    arrived(InstanceRecord)
        The newest image of what was opened just now, or the one that was wanted of it: to be seen at once.
    forgotten
        Everything that was opened is forgotten.
    """

    chosen = Signal(object)
    chosenAsPrior = Signal(object)
    tagsWanted = Signal(object)
    arrived = Signal(object)
    forgotten = Signal()

    def __init__(self, window: MainWindow, index: Index, keep: Callable[[], bool]) -> None:
        super().__init__(window)
        self._window, self._index, self._keep = window, index, keep
        self.browser = StudyBrowser(window)
        self._scanner, self._thumbnails = Scanner(None, self), Thumbnails(None, self)
        self._requests: deque[_Request] = deque()
        self._folder = str(Path.home())
        window.docks["studies"].setWidget(self.browser)
        window.dropped.connect(self.open)
        window.closing.connect(self.stop)
        self.browser.dropped.connect(self.open)
        self.browser.cancelled.connect(self.cancel)
        self.browser.removed.connect(self._removed)
        self.browser.thumbnailsWanted.connect(self._thumbnails.want)
        for signal in ("chosen", "chosenAsPrior", "tagsWanted"):
            getattr(self.browser, signal).connect(getattr(self, signal))
        self._thumbnails.ready.connect(self.browser.set_thumbnail)
        self._scanner.listed.connect(self._listed)
        self._scanner.ended.connect(self._ended)
        for name, slot in (
            ("open_files", self.ask_files),
            ("open_folder", self.ask_folder),
            ("open_sample", self.open_samples),
            ("forget", self.ask_forget),
        ):
            window.actions_[name].triggered.connect(slot)
        self.apply_settings()
        self._show_recent()

    def apply_settings(self) -> None:
        """Let the processes keep what they find where the settings allow it."""
        self._scanner.index = self._thumbnails.index = (
            self._index.path if self._keep() and not self._index.in_memory else None
        )

    def open(self, paths: list[str], wanted: str | None = None) -> None:
        """List what is behind some paths, and tell of the first image of it, or of the one with the name `wanted`."""
        if paths:
            self._requests.append(_Request(wanted))
            self._window.docks["studies"].show()
            self._scanner.scan(paths)
            self.browser.set_busy(True)

    def ask_files(self) -> None:
        """Let the reader choose files; a zip archive and a DICOMDIR are files, too."""
        paths, _ = QFileDialog.getOpenFileNames(self._window, self.tr("Open files"), self._folder)
        if paths:
            self._folder = str(Path(paths[0]).parent)
            self.open(paths)

    def ask_folder(self) -> None:
        """Let the reader choose a folder."""
        path = QFileDialog.getExistingDirectory(self._window, self.tr("Open folder"), self._folder)
        if path:
            self._folder = path
            self.open([path])

    def open_samples(self) -> None:
        """The drawn chests that come with the program."""
        from cxr_core.samples import NOTE, sample_folder

        self.open([str(sample_folder())])
        self._window.messages.tell(NOTE, "warning")

    def cancel(self) -> bool:
        """Stop listing; whether something was being listed."""
        if not self._scanner.busy:
            return False
        self._scanner.cancel()
        for request in self._requests:
            request.found = True  # who cancels wants to see nothing more of it
        self._requests.clear()
        self.browser.set_busy(False)
        return True

    def note_opened(self, record: InstanceRecord) -> None:
        """Remember that an image was opened, and make its row the current one."""
        self.browser.select(record)
        if self._keep():
            try:
                self._index.put_opened(record, time.time())
            except CxrError as error:
                self._window.messages.tell(str(error), "warning")
            self._show_recent()

    def of_patient(self, record: InstanceRecord) -> list[InstanceRecord]:
        """All that is listed, and what the index knows of the same patient from earlier days."""
        listed = self.browser.model.browser.records()
        names = {one.name for one in listed}
        return listed + [one for one in self._known(record) if one.name not in names]

    def ask_forget(self) -> None:
        """Forget everything that was opened, answered and measured, when the reader means it."""
        question = self.tr("Forget what was opened, answered, judged and measured on this machine? Files stay.")
        answer = QMessageBox.question(self._window, self.tr("Forget"), question)
        if answer == QMessageBox.StandardButton.Yes:
            self.forget()

    def forget(self) -> None:
        """Forget it; what is being listed or drawn meanwhile would be kept anew."""
        self.cancel()
        self._thumbnails.cancel()
        try:
            self._index.clear()
        except OSError as error:
            self._window.messages.tell(self.tr("Not forgotten: {why}").format(why=error.strerror or error))
            return
        self.browser.clear()
        self.forgotten.emit()

    def stop(self) -> None:
        """End the processes."""
        self._scanner.stop()
        self._thumbnails.stop()

    def _known(self, record: InstanceRecord) -> list[InstanceRecord]:
        try:
            return self._index.of_patient(record)
        except CxrError as error:
            self._window.messages.tell(str(error), "warning")
            return []

    def _show_recent(self) -> None:
        try:
            self.browser.set_recent(self._index.recent())
        except CxrError as error:
            self._window.messages.tell(str(error), "warning")

    def _listed(self, listed: Listed) -> None:
        self.browser.add(listed)
        if listed.trouble:
            self._window.messages.tell(listed.trouble, "warning")
        request = self._requests[0]  # they are listed one after the other
        images = [record for record in listed.records if record.kind == "image"]
        wanted = [record for record in images if request.wanted in (None, record.name)]
        if wanted and not request.found:
            if not request.images:
                QTimer.singleShot(0 if request.wanted else _PATIENCE_MS, self, lambda: self._show(request))
            request.images += wanted

    def _show(self, request: _Request) -> None:
        """Tell of the image that is to be seen, once."""
        newest = first_to_see(request.images)
        if newest is not None and not request.found:
            request.found = True
            self.arrived.emit(newest)

    def _ended(self, words: str) -> None:
        self.browser.set_busy(self._scanner.busy)
        request = self._requests.popleft()
        self._show(request)
        if words:
            self._window.messages.tell(words)
        elif not request.found:
            self._window.messages.tell(
                self.tr("No image was found in what was opened; the list of studies says why."), "warning"
            )

    def _removed(self, names: list[str]) -> None:
        try:
            self._index.remove(names)
        except CxrError as error:
            self._window.messages.tell(str(error), "warning")
