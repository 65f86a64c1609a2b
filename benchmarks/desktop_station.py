"""The whole reading station in its window, for measurements in a process of their own."""

from __future__ import annotations

import sys
from collections.abc import Callable

from PySide6.QtCore import QEvent, QEventLoop, QObject, QTimer
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication

from cxr_core.reading import find_sources
from cxr_desktop.start import open_window
from cxr_desktop.state.places import Places
from cxr_desktop.state.records import InstanceRecord
from cxr_desktop.views.image_view import ImageView
from cxr_desktop.window.station import Station
from cxr_desktop.window.theme import apply_theme
from cxr_desktop.workers.listing import record_of

#: Whatever is waited for is a defect when it takes longer.
_PATIENCE_MS = 60_000


def record_at(path: str) -> InstanceRecord:
    """The record of one file."""
    return record_of(next(iter(find_sources(path))))


class Bench(QObject):
    """The application with its window, filled and idle."""

    def __init__(self) -> None:
        super().__init__()
        self.application = QApplication([])
        apply_theme(self.application)
        self.window = open_window(Places.of_user(), [])
        sys.excepthook = sys.__excepthook__  # not a message in the window
        self.window.show()
        self.until(lambda: self.window.findChild(Station) is not None, "the window is filled")
        station = self.window.findChild(Station)
        assert station is not None
        self.station = station
        self._wanted: Callable[[], bool] | None = None
        self._loop = QEventLoop()

    @property
    def view(self) -> ImageView:
        """That of the current film."""
        return self.station.viewing.area.current.view

    def shows(self, record: InstanceRecord) -> bool:
        """Whether a record's film is in the view."""
        return self.view.loaded is not None and self.view.loaded.record.name == record.name

    def ask(self) -> None:
        """Ask the model about the film, and wait for its answer."""
        self.station.answering.ask()
        self.until(lambda: not self.station.answering.desk.running, "the model answers")
        if not self.station.answering.desk.reading.answers:
            raise RuntimeError("the model gave no answer")

    def until(self, true: Callable[[], bool], what: str) -> None:
        """Let the window live until something is so."""
        loop, look, patience = QEventLoop(), QTimer(), QTimer()
        look.timeout.connect(lambda: loop.quit() if true() else None)
        patience.timeout.connect(lambda: loop.exit(1))
        look.start(5)
        patience.start(_PATIENCE_MS)
        if loop.exec():
            raise RuntimeError(f"it never came about that {what}")

    def pause(self, milliseconds: int) -> None:
        """Let the window live for a while. QTest.qWait would hold Python's lock, and threads would starve."""
        loop = QEventLoop()
        QTimer.singleShot(milliseconds, loop.quit)
        loop.exec()

    def until_painted(self, wanted: Callable[[], bool]) -> None:
        """Let the window live until the view's first painting for which something is so is on the screen."""
        self._wanted = wanted
        self.view.viewport().installEventFilter(self)
        QTimer.singleShot(_PATIENCE_MS, self._loop, lambda: self._loop.exit(1))
        ended = self._loop.exec()
        self.view.viewport().removeEventFilter(self)
        QGuiApplication.sync()
        if ended:
            raise RuntimeError("what was waited for was never painted")

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802  # Qt's name
        """Leave the loop after the painting that is waited for."""
        if event.type() == QEvent.Type.Paint and self._wanted is not None and self._wanted():
            self._wanted = None
            self._loop.quit()
        return False

    def close(self) -> None:
        """End its processes and threads."""
        self.window.close()
