"""The batch run in the window: a folder is chosen, its list shown, a file opened out of it, the CSV written."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QFileDialog

from cxr_desktop.panels.batch import BatchPanel
from cxr_desktop.state.answers import Answer, list_words
from cxr_desktop.state.batch import write_csv
from cxr_desktop.state.settings import ViewerSettings
from cxr_desktop.window.answering import Answering
from cxr_desktop.window.main_window import MainWindow
from cxr_desktop.window.opening import Opening
from cxr_desktop.workers.batch_run import BatchRun
from cxr_desktop.workers.task import run


class Batching(QObject):
    """Wires a BatchRun and its panel."""

    def __init__(
        self, window: MainWindow, opening: Opening, answering: Answering, settings: Callable[[], ViewerSettings]
    ) -> None:
        super().__init__(window)
        self._window, self._opening, self._answering, self._settings = window, opening, answering, settings
        self.run = BatchRun(answering.inference, self)
        self.panel = BatchPanel(self.run, window)
        self._folder = str(Path.home())
        window.docks["batch"].setWidget(self.panel)
        window.actions_["batch"].triggered.connect(self.ask_folder)
        self.panel.runRequested.connect(self.ask_folder)
        self.panel.exportRequested.connect(self.ask_export)
        self.panel.openRequested.connect(self._open)
        self.run.answered.connect(self._answered)
        window.closing.connect(self.run.cancel)

    def ask_folder(self) -> None:
        """Let the reader choose a folder, and analyse what is in it."""
        self._window.docks["batch"].show()
        self._window.docks["batch"].raise_()
        if self.run.running:
            return
        path = QFileDialog.getExistingDirectory(self._window, self.tr("Analyse a folder"), self._folder)
        if path:
            self._folder = path
            self.start(path)

    def start(self, path: str) -> None:
        """Analyse what is behind a path."""
        self.run.start(path, self._settings().model)
        self.panel.begin(path)

    def ask_export(self) -> None:
        """Let the reader choose where the list is written."""
        path, _ = QFileDialog.getSaveFileName(
            self._window, self.tr("Export the list"), str(Path(self._folder) / "batch.csv"), self.tr("CSV (*.csv)")
        )
        if path:
            self.export(Path(path))

    def export(self, path: Path) -> None:
        """Write the list."""
        run(
            write_csv,
            path,
            self.run.items,
            on_result=lambda _: self._window.messages.tell(self.tr("Saved: {path}").format(path=path), "done"),
            on_error=self._window.messages.tell,
        )

    def _answered(self, name: str, answer: Answer) -> None:
        """A film of the run that is listed says so there, and its answer is remembered as any other."""
        path = os.path.abspath(name)  # noqa: PTH100  # the text as listed, not a resolved path
        self._answering.keep(answer.result.sop_instance_uid or f"file:{path}", answer)
        self._opening.browser.set_answer_state(path, list_words([answer]))

    def _open(self, name: str) -> None:
        """Show a file of the list: through the browser, so that it has a record."""
        path = os.path.abspath(name)  # noqa: PTH100  # the text as listed, not a resolved path
        record = self._opening.browser.model.browser.record(path)
        if record is not None:
            self._opening.chosen.emit(record)
        else:
            self._opening.open([path.partition("!")[0]], wanted=path)
