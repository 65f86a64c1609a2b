"""The menu Help and the settings: keys, about, log folder, test pattern, the dialog of settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

from PySide6.QtCore import QObject, QUrl, Signal
from PySide6.QtGui import QDesktopServices

from cxr_desktop.state.places import Places
from cxr_desktop.state.settings import PacsEntry, ViewerSettings
from cxr_desktop.window.help_page import Page, about_html, help_html
from cxr_desktop.window.main_window import MainWindow
from cxr_desktop.window.settings_dialog import SettingsDialog


class Helping(QObject):
    """Shows pages and dialogs about the program itself.

    Signals
    -------
    patternWanted
        The test pattern is to be shown.
    tried(PacsEntry, SettingsDialog)
        The reader wants to know whether a PACS answers.
    """

    patternWanted = Signal()
    tried = Signal(object, object)

    def __init__(
        self,
        window: MainWindow,
        places: Places,
        settings: Callable[[], ViewerSettings],
        change: Callable[..., None],
    ) -> None:
        super().__init__(window)
        self._window, self._places, self._settings, self._change = window, places, settings, change
        self.models: list[str] = []
        """Names of the models on this machine, as soon as they are known."""

        for name, slot in (
            ("keys", self.show_keys),
            ("about", self.show_about),
            ("log_folder", self.open_log_folder),
            ("test_pattern", self.patternWanted.emit),
            ("settings", self.show_settings),
        ):
            window.actions_[name].triggered.connect(slot)

    def show_keys(self) -> Page:
        """The page of keys and mouse."""
        page = Page(self.tr("Keys and mouse"), help_html(self._window.actions_), self._window)
        page.show()
        return page

    def show_about(self) -> Page:
        """What this is, and what it is not."""
        page = Page(self.tr("About"), about_html(self.models), self._window)
        page.show()
        return page

    def open_log_folder(self) -> None:
        """Show the folder of the log in the file manager; where there is none, say where it is."""
        folder = self._places.log_file.parent
        if not QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder))):
            self._window.messages.tell(self.tr("The log is in {folder}").format(folder=folder), "done")

    def show_settings(self) -> SettingsDialog:
        """The dialog of settings; what is accepted there holds at once."""
        dialog = SettingsDialog(self._settings(), self.models, self._window)
        dialog.setModal(True)
        dialog.tried.connect(lambda entry: self._try(entry, dialog))
        dialog.accepted.connect(lambda: self._take(dialog.settings()))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()
        return dialog

    def _try(self, entry: PacsEntry, dialog: SettingsDialog) -> None:
        self.tried.emit(entry, dialog)

    def _take(self, settings: ViewerSettings) -> None:
        changes: dict[str, Any] = {part.name: getattr(settings, part.name) for part in fields(settings)}
        self._change(**changes)
