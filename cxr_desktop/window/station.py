"""What fills the window after its first paint: index, controllers, panels, and the wires between them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from PySide6.QtCore import QObject, QThreadPool, Signal

from cxr_desktop.panels.welcome import Welcome
from cxr_desktop.state.index import Index
from cxr_desktop.state.places import Places
from cxr_desktop.state.settings import ViewerSettings, write_settings
from cxr_desktop.views.test_pattern import tg18_pattern
from cxr_desktop.window.actions import COMMANDS, translated
from cxr_desktop.window.answering import Answering
from cxr_desktop.window.batching import Batching
from cxr_desktop.window.helping import Helping
from cxr_desktop.window.main_window import MainWindow
from cxr_desktop.window.opening import Opening
from cxr_desktop.window.outgoing import Outgoing
from cxr_desktop.window.pane import Pane
from cxr_desktop.window.tags import Tags
from cxr_desktop.window.viewing import Viewing

#: What a newcomer needs first.
_FIRST_KEYS = ("open_files", "tool_window", "fit", "ask", "show_map", "tool_length", "tool_ctr", "prior", "keys")


class Station(QObject):
    """The reading station in its window.

    Parameters
    ----------
    window : MainWindow
        Painted already; what is made here belongs to it.
    settings : ViewerSettings
    places : Places
        Where settings and index are kept.
    """

    _told = Signal(str)

    def __init__(self, window: MainWindow, settings: ViewerSettings, places: Places) -> None:
        super().__init__(window)
        self.window, self.settings, self._places = window, settings, places
        self._told.connect(lambda words: window.messages.tell(words, "warning"))
        self.index = Index(places.index_file, self._told.emit)  # which may tell from any thread
        self.opening = Opening(window, self.index, lambda: self.settings.keep_index)
        self.viewing = Viewing(window, self.opening, self.index, lambda: self.settings)
        self.answering = Answering(
            window, self.opening, self.viewing, self.index, lambda: self.settings, self.change_settings
        )
        self.batching = Batching(window, self.opening, self.answering, lambda: self.settings)
        self.tags = Tags(window, self.opening, self.viewing)
        self.helping = Helping(window, places, lambda: self.settings, self.change_settings)
        self.outgoing = Outgoing(
            window, self.opening, self.viewing, self.answering.inference, self.index, lambda: self.settings
        )
        self.viewing.shown.connect(self._film_shown)
        self.answering.panel.judged.connect(self._to_film)  # after one opinion the next film, not a button, is wanted
        self.helping.tried.connect(self.outgoing.try_pacs)
        self.helping.patternWanted.connect(lambda: self.viewing.show_made(tg18_pattern()))
        self.answering.modelsListed.connect(self._models_listed)
        self.welcome = self._welcome()
        actions = window.actions_
        actions["corner_text"].triggered.connect(self._next_corner_text)
        actions["linked"].triggered.connect(lambda on: self.change_settings(linked=on))
        actions["full_screen"].triggered.connect(self._full_screen)
        actions["quit"].triggered.connect(window.close)
        actions["cancel"].triggered.connect(self.cancel)
        window.closing.connect(self.stop)

    def _welcome(self) -> Welcome:
        """The page before anything is open."""
        page = Welcome(self._first_keys(), self.window)
        page.samplesWanted.connect(self.opening.open_samples)
        page.filesWanted.connect(self.opening.ask_files)
        page.folderWanted.connect(self.opening.ask_folder)
        self.window.middle.addWidget(page)
        self.window.middle.setCurrentWidget(page)
        page.setFocus()
        return page

    def _first_keys(self) -> list[tuple[str, str]]:
        return [
            (self.window.actions_[name].shortcut().toString(), translated(command.text))
            for name in _FIRST_KEYS
            for command in COMMANDS
            if command.name == name
        ]

    def _film_shown(self, pane: Pane) -> None:
        """Where nothing is open any more, the first page says what can be done."""
        if pane is self.viewing.area.current and pane.loaded is None:
            self.window.middle.setCurrentWidget(self.welcome)
            # Of a list that is being read the next row is wanted, not a button of the first page.
            (self.opening.browser.tree if self.opening.browser.model.browser.patients else self.welcome).setFocus()

    def _to_film(self, *_: object) -> None:
        if self.viewing.area.current.loaded is not None:
            self.viewing.area.active.view.setFocus()

    def _models_listed(self, names: tuple[str, ...]) -> None:
        self.helping.models = list(names)
        self.answering.card.set_models(names)

    def begin(self, paths: list[str]) -> None:
        """Open what was named at the start."""
        self.opening.open(paths)

    def change_settings(self, **changes: Any) -> None:
        """Set something, at once and for the next start."""
        self.settings = replace(self.settings, **changes)
        try:
            write_settings(self._places.settings_file, self.settings)
        except OSError as error:
            path = self._places.settings_file
            self.window.messages.tell(f"Settings are not kept: {path} ({error.strerror})", "warning")
        self.window.actions_.set_shortcuts(self.settings.shortcuts)
        self.welcome.set_keys(self._first_keys())
        self.opening.apply_settings()
        self.viewing.apply_settings()
        self.answering.apply_settings()

    def cancel(self) -> None:
        """Escape: stop what runs; where nothing does, close the newest message, and the film has the keyboard again."""
        if not any([self.answering.cancel(), self.viewing.cancel(), self.opening.cancel()]):
            self.window.messages.close_newest()
            self._to_film()

    def stop(self) -> None:
        """Wait for the threads, and close the index."""
        QThreadPool.globalInstance().waitForDone()
        self.index.close()

    def _next_corner_text(self) -> None:
        self.change_settings(corner_text=(self.settings.corner_text - 1) % 3)

    def _full_screen(self, on: bool) -> None:
        if on:
            self.window.showFullScreen()
        else:
            self.window.showNormal()
