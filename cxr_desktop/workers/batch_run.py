"""A batch run: the files behind a path are listed in the background, then asked for one after the other."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from cxr_desktop.state.answers import Answer
from cxr_desktop.state.batch import BatchList
from cxr_desktop.workers.inference import Inference
from cxr_desktop.workers.task import Task, run


class BatchRun(QObject):
    """One run at a time. A question of the reader waits for one file of it at most.

    Signals
    -------
    listed()
        `items` is filled; the first is about to be asked for.
    changed(number: int)
        A file, by its place in `items`, is in another state.
    answered(name: str, answer: cxr_desktop.state.answers.Answer)
        Of one file, with its maps: they are kept nowhere else.
    progress(done: int, total: int)
    finished()
        Every file has its answer, or the run was cancelled.
    failed(words: str)
        The path cannot be listed, or the model not be used; nothing was analysed.

    Parameters
    ----------
    inference : Inference
        Asked with one file at a time.
    """

    listed = Signal()
    changed = Signal(int)
    answered = Signal(object, object)
    progress = Signal(int, int)
    finished = Signal()
    failed = Signal(str)

    def __init__(self, inference: Inference, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.items = BatchList()
        self._inference = inference
        self._model: str | None = None
        self._path = ""
        self._running = False
        self._listing: Task | None = None
        self._description: int | None = None
        self._asked: tuple[int, int] | None = None
        inference.described.connect(self._described)
        inference.answered.connect(self._answered)
        inference.failed.connect(self._failed)

    @property
    def running(self) -> bool:
        """Whether a run is under way."""
        return self._running

    def start(self, path: str, model: str | None) -> None:
        """Analyse the files behind a path (a file, a folder, a zip archive or a DICOMDIR) in place of the last run."""
        self.cancel()
        self.items = BatchList()
        self._path, self._model, self._running = path, model, True
        # A model that cannot be used is told once, and not for each file.
        self._description = self._inference.describe(model)

    def cancel(self) -> None:
        """Analyse nothing more; what was answered stays."""
        if not self._running:
            return
        self._running = False
        if self._listing is not None:
            self._listing.cancel()
        if self._description is not None:
            self._inference.cancel(self._description)
        if self._asked is not None:
            self._inference.cancel(self._asked[0])
        self._listing = self._description = self._asked = None
        self.items.cancel()
        self.finished.emit()

    def _described(self, ticket: int, _: object) -> None:
        if ticket == self._description:
            self._description = None
            self._listing = run(_names, self._path, on_result=self._on_listed, on_error=self._give_up)

    def _on_listed(self, names: list[str]) -> None:
        self._listing = None
        self.items.add(names)
        self.listed.emit()
        self._next()

    def _give_up(self, words: str) -> None:
        self._running = False
        self._listing = self._description = None
        self.failed.emit(words)

    def _next(self) -> None:
        number = self.items.next_waiting()
        total = len(self.items.items)
        self.progress.emit(total if number is None else number, total)
        if number is None:
            self._running = False
            self.finished.emit()
            return
        self.items.start(number)
        self._asked = self._inference.ask(self.items.items[number].name, self._model), number
        self.changed.emit(number)

    def _answered(self, ticket: int, answer: Answer) -> None:
        if self._asked is not None and self._asked[0] == ticket:
            number = self._asked[1]
            self._asked = None
            self.items.answer(number, answer)
            self.changed.emit(number)
            self.answered.emit(self.items.items[number].name, answer)
            if self._running:  # whoever heard of it may have cancelled
                self._next()

    def _failed(self, ticket: int, words: str) -> None:
        if ticket == self._description:
            self._give_up(words)
        elif self._asked is not None and self._asked[0] == ticket:
            number = self._asked[1]
            self._asked = None
            self.items.fail(number, words)
            self.changed.emit(number)
            if self._running:
                self._next()


def _names(path: str, task: Task) -> list[str]:
    """The names of the files behind a path, in a thread."""
    from cxr_core.reading import find_sources

    names = []
    for source in find_sources(path):
        names.append(source.name)
        task.report(len(names))
    return names
