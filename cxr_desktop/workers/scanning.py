"""The scanning process as the window sees it: lists of records and thumbnails arrive as signals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QImage

from cxr_desktop.workers.child import ChildProcess
from cxr_desktop.workers.scan_messages import Listed, ListPaths, MakeThumbnails, Thumbnail

_MODULE = "cxr_desktop.workers.scan"
#: Thumbnails that are asked for at once: so few that what becomes visible meanwhile does not wait long.
_AT_ONCE = 4


class Scanner(QObject):
    """Lists paths in a process of its own, one request after the other.

    Signals
    -------
    listed(object)
        A `Listed`, at most ten a second.
    ended(str)
        A request has ended: "" or why it could not be met. Not sent for a cancelled one.
    """

    listed = Signal(object)
    ended = Signal(str)

    def __init__(self, index: Path | None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.index = index
        """The file in which it is kept what was found; None for none."""

        self._child = ChildProcess(_MODULE, self)
        self._tickets: list[int] = []
        self._child.replied.connect(self._on_replied)
        self._child.finished.connect(self._on_finished)
        self._child.failed.connect(self._on_ended)

    @property
    def busy(self) -> bool:
        """Whether something is being listed."""
        return bool(self._tickets)

    def scan(self, paths: Iterable[str]) -> None:
        """List paths, after what is being listed already."""
        self._tickets.append(self._child.ask(ListPaths(tuple(paths), _text(self.index))))

    def cancel(self) -> None:
        """Stop listing; what was listed so far stays."""
        for ticket in reversed(self._tickets):
            self._child.cancel(ticket)
        self._tickets.clear()

    def stop(self) -> None:
        """End the process; to be called before the parent goes."""
        self._tickets.clear()
        self._child.stop()

    def _on_replied(self, ticket: int, reply: Listed) -> None:
        self.listed.emit(reply)

    def _on_finished(self, ticket: int) -> None:
        self._on_ended(ticket, "")

    def _on_ended(self, ticket: int, words: str) -> None:
        self._tickets.remove(ticket)
        self.ended.emit(words)


class Thumbnails(QObject):
    """Makes thumbnails in a process of its own, what was wanted last first.

    Signals
    -------
    ready(str, QImage)
        The picture of one name; a null image where none can be made.
    """

    ready = Signal(object, QImage)  # a name need not be text that Qt can hold (PEP 383)

    def __init__(self, index: Path | None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.index = index
        """The file in which it is kept what was found; None for none."""

        self._child = ChildProcess(_MODULE, self)
        self._wanted: list[str] = []
        self._asked: set[str] = set()
        self._ticket: int | None = None
        self._child.replied.connect(self._on_replied)
        self._child.finished.connect(self._on_ended)
        self._child.failed.connect(self._on_failed)

    def want(self, names: Sequence[str]) -> None:
        """Make these, in this order, in place of what was wanted before and is not begun."""
        self._wanted = [name for name in names if name not in self._asked]
        self._go_on()

    def cancel(self) -> None:
        """Make no more, and keep none of those that are being made."""
        self._wanted.clear()
        self._asked.clear()
        if self._ticket is not None:
            self._child.cancel(self._ticket)

    def stop(self) -> None:
        """End the process; to be called before the parent goes."""
        self._wanted.clear()
        self._child.stop()

    def _go_on(self) -> None:
        if self._asked or not self._wanted:
            return
        names, self._wanted = self._wanted[:_AT_ONCE], self._wanted[_AT_ONCE:]
        self._asked = set(names)
        self._ticket = self._child.ask(MakeThumbnails(tuple(names), _text(self.index)))

    def _on_replied(self, ticket: int, reply: Thumbnail) -> None:
        self._asked.discard(reply.name)
        self.ready.emit(reply.name, QImage.fromData(reply.png) if reply.png else QImage())

    def _on_failed(self, ticket: int, words: str) -> None:
        for name in self._asked:  # one of them ended the process: none is asked for again
            self.ready.emit(name, QImage())
        self._on_ended(ticket)

    def _on_ended(self, ticket: int) -> None:
        self._asked.clear()
        self._go_on()


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
