"""Objects going out in a thread: the outcome of each as a signal as soon as it is known, cancel, and another try."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QObject, Qt, Signal

from cxr_core.results.records import ResultObject
from cxr_desktop.output.results import WAITING, Outcome, Told, save, send
from cxr_desktop.state.settings import PacsEntry
from cxr_desktop.workers.task import Task, run
from dicom_node.peers import Cancel

Work = Callable[[Sequence[ResultObject], Told], None]


class Delivery(QObject):
    """Result objects and where they are.

    Signals
    -------
    outcomeChanged(int)
        Of the object of this number.
    ended(str)
        An attempt is over; "" or a line on what went wrong with it as a whole.
    """

    outcomeChanged = Signal(int)
    ended = Signal(str)
    _arrived = Signal(int, object)

    def __init__(self, objects: Sequence[ResultObject], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.objects = tuple(objects)
        self.outcomes = [WAITING] * len(self.objects)
        self._cancel = Cancel()
        self._task: Task | None = None
        self._arrived.connect(self._settle, Qt.ConnectionType.QueuedConnection)

    @property
    def running(self) -> bool:
        """Whether an attempt goes on."""
        return self._task is not None

    @property
    def open(self) -> list[int]:
        """Numbers of what is not known to have arrived."""
        return [number for number, outcome in enumerate(self.outcomes) if not outcome.delivered]

    def save_to(self, folder: Path) -> None:
        """Write what has not arrived to a folder."""
        self._start(lambda objects, told: save(objects, folder, self._cancel, told))

    def send_to(self, entry: PacsEntry) -> None:
        """Send what has not arrived to a PACS."""
        self._start(lambda objects, told: send(objects, entry, self._cancel, told))

    def cancel(self) -> None:
        """Stop at once; what that means for each object is told as its outcome."""
        self._cancel.set()

    def _start(self, work: Work) -> None:
        assert not self.running, "one attempt at a time"
        numbers = self.open
        self._cancel = Cancel()
        for number in numbers:
            self._settle(number, WAITING)

        def attempt() -> None:
            work([self.objects[number] for number in numbers], self._told_as(numbers))

        _running.add(self)
        self._task = run(attempt, on_result=self._returned, on_error=self._failed)

    def _told_as(self, numbers: list[int]) -> Told:
        return lambda number, outcome: self._arrived.emit(numbers[number], outcome)

    def _settle(self, number: int, outcome: Outcome) -> None:
        self.outcomes[number] = outcome
        self.outcomeChanged.emit(number)

    def _returned(self, _nothing: object) -> None:
        self._end("")

    def _failed(self, words: str) -> None:
        self._end(words)

    def _end(self, words: str) -> None:
        self._task = None
        _running.discard(self)
        self.ended.emit(words)


#: Under way: who started one may be gone before its thread comes back, which must not be the last to hold it.
_running: set[Delivery] = set()
