"""What leaves the program, from the window's side: the dialogs for picture, report, results and anonymised copies."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QDialog

from cxr_core.errors import CxrError
from cxr_desktop.output.results import AnsweredFilm, try_pacs
from cxr_desktop.panels.anonymise_dialog import AnonymiseDialog
from cxr_desktop.panels.export_dialog import ExportDialog, picture_dialog, report_dialog
from cxr_desktop.panels.results_dialog import ResultsDialog
from cxr_desktop.panels.shown_film import shown_film
from cxr_desktop.state.index import Index
from cxr_desktop.state.opinion import Opinion
from cxr_desktop.state.settings import PacsEntry, ViewerSettings
from cxr_desktop.window.main_window import MainWindow
from cxr_desktop.window.opening import Opening
from cxr_desktop.window.pane import Pane
from cxr_desktop.window.settings_dialog import SettingsDialog
from cxr_desktop.window.viewing import Viewing
from cxr_desktop.workers.inference import Inference
from cxr_desktop.workers.task import run


class Outgoing(QObject):
    """Opens the dialogs with what the reader sees."""

    def __init__(
        self,
        window: MainWindow,
        opening: Opening,
        viewing: Viewing,
        inference: Inference,
        index: Index,
        settings: Callable[[], ViewerSettings],
    ) -> None:
        super().__init__(window)
        self._window, self._viewing, self._inference, self._index = window, viewing, inference, index
        self._opening, self._settings = opening, settings
        self.folder = Path.home()
        """Of the last time."""

        for name, slot in (
            ("export_picture", self.export_picture),
            ("export_report", self.export_report),
            ("results", self.results),
            ("anonymise", self.anonymise),
        ):
            window.actions_[name].triggered.connect(slot)

    def export_picture(self) -> ExportDialog | None:
        """The dialog for a PNG or JPEG of the active film; None without one."""
        pane = self._viewing.area.active
        film = shown_film(pane.view, pane.shown_model, self._settings().corner_text)
        if film is None:
            return None
        dialog = picture_dialog(film, self.folder, self._window)
        self._open_export(dialog)
        return dialog

    def export_report(self) -> ExportDialog | None:
        """The dialog for a PDF of the active film; None without one."""
        pane = self._viewing.area.active
        film = shown_film(pane.view, pane.shown_model, self._settings().corner_text)
        if film is None:
            return None
        dialog = report_dialog(film, pane.answers, self._opinions(pane), self.folder, self._window)
        self._open_export(dialog)
        return dialog

    def results(self) -> ResultsDialog:
        """The dialog for SR, SC and GSPS of the films that are seen."""
        films = []
        for pane in self._viewing.area.panes:
            if pane.loaded is not None and not pane.isHidden():
                if not pane.answers:
                    films.append(AnsweredFilm(pane.loaded, None, pane.answered))
                films += [AnsweredFilm(pane.loaded, answer, pane.answered) for answer in pane.answers]
        dialog = ResultsDialog(films, self._inference, self._settings().pacs, self.folder, self._window)
        dialog.told.connect(self._told)
        self._open(dialog)
        return dialog

    def anonymise(self) -> AnonymiseDialog | None:
        """The dialog for anonymised copies of the active film and the other images of its study; None without one."""
        loaded = self._viewing.area.active.loaded
        if loaded is None:
            return None
        study = [
            record
            for record in self._opening.browser.model.browser.records()
            if record.kind == "image" and record.study_key == loaded.record.study_key
        ]
        others = [record for record in study if record.name != loaded.record.name]
        dialog = AnonymiseDialog([loaded.record, *others], [loaded], self.folder, self._window)
        dialog.told.connect(self._told)
        self._open(dialog)
        return dialog

    def try_pacs(self, entry: PacsEntry, dialog: SettingsDialog) -> None:
        """Ask a PACS whether it answers, and tell the dialog of settings."""
        run(try_pacs, entry, on_result=dialog.tell_tried, on_error=dialog.tell_tried)

    def _opinions(self, pane: Pane) -> list[Opinion]:
        assert pane.loaded is not None, "there is a film"
        try:
            return [Opinion.from_json(one) for one in self._index.opinions_of(pane.loaded.key)]
        except (CxrError, KeyError, TypeError) as error:
            words = str(error) if isinstance(error, CxrError) else self.tr("kept by another version")
            self._window.messages.tell(self.tr("Opinions are left out: {why}").format(why=words), "warning")
            return []

    def _open_export(self, dialog: ExportDialog) -> None:
        dialog.saved.connect(self._saved)
        self._open(dialog)

    def _open(self, dialog: QDialog) -> None:
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _saved(self, path: Path) -> None:
        self.folder = path.parent
        self._window.messages.tell(self.tr("Saved: {path}").format(path=path), "done")

    def _told(self, words: str, whole: bool) -> None:
        self._window.messages.tell(words, "done" if whole else "warning")
