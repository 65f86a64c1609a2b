"""The tags of the active film, or of an object that was chosen in the list, while their dock is seen."""

from __future__ import annotations

from pydicom.dataset import Dataset
from PySide6.QtCore import QObject

from cxr_desktop.panels.tag_browser import TagBrowser
from cxr_desktop.state.records import InstanceRecord
from cxr_desktop.window.main_window import MainWindow
from cxr_desktop.window.opening import Opening
from cxr_desktop.window.viewing import Viewing
from cxr_desktop.workers.loading import load_data_set
from cxr_desktop.workers.task import run


class Tags(QObject):
    """Shows elements in the dock "tags"."""

    def __init__(self, window: MainWindow, opening: Opening, viewing: Viewing) -> None:
        super().__init__(window)
        self._window, self._viewing = window, viewing
        self.browser = TagBrowser(window)
        window.docks["tags"].setWidget(self.browser)
        window.docks["tags"].visibilityChanged.connect(lambda _: self._follow())
        viewing.changed.connect(self._follow)
        opening.tagsWanted.connect(self.show_record)
        self._shown: object = None

    def show_record(self, record: InstanceRecord) -> None:
        """Show the elements of a file that need not be an image."""
        self._window.docks["tags"].show()
        self._window.docks["tags"].raise_()

        def arrived(data_set: Dataset) -> None:
            self._shown = record
            self.browser.show_data_set(data_set, record.name)

        run(
            load_data_set,
            record.name,
            on_result=arrived,
            on_error=lambda words: self._window.messages.tell(f"{record.name}: {words}"),
        )

    def _follow(self) -> None:
        """Show the elements of the active film: only while somebody sees them, and once for each film."""
        loaded = self._viewing.area.active.loaded
        if loaded is self._shown or not self._window.docks["tags"].isVisible():
            return
        self._shown = loaded
        self.browser.show_data_set(None if loaded is None else loaded.data_set, loaded.record.name if loaded else "")
