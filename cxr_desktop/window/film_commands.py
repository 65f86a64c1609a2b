"""The commands of the menus Edit, View and Tools, carried out on the active film."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject

from cxr_desktop.state import display as displays
from cxr_desktop.state import windowing
from cxr_desktop.state.display import DisplayState
from cxr_desktop.state.presets import preset_names, with_number
from cxr_desktop.state.records import LoadedImage
from cxr_desktop.state.settings import ViewerSettings
from cxr_desktop.window.main_window import MainWindow
from cxr_desktop.window.view_area import ViewArea

Change = Callable[[DisplayState, LoadedImage], DisplayState]

_ZOOM_STEP = 1.25
_CHANGES: dict[str, Change] = {
    "fit": lambda state, _: displays.fitted(state),
    "rotate_right": lambda state, _: displays.rotated(state),
    "rotate_left": lambda state, _: displays.rotated(state, -1),
    "flip": lambda state, _: displays.flipped_horizontally(state),
    "invert": lambda state, _: displays.inverted(state),
    "auto_window": windowing.auto_windowed,
    "next_voi": windowing.next_choice,
    "reset": lambda _, loaded: windowing.initial_display(loaded),
    "preset_0": windowing.as_asked,
}


class FilmCommands(QObject):
    """Wires commands to the area of films."""

    def __init__(self, window: MainWindow, area: ViewArea, settings: Callable[[], ViewerSettings]) -> None:
        super().__init__(window)
        self._window, self._area, self._settings = window, area, settings
        actions = window.actions_
        for name, change in _CHANGES.items():
            actions[name].triggered.connect(lambda _=False, change=change: self._change(change))
        for number in range(1, 10):
            actions[f"preset_{number}"].triggered.connect(lambda _=False, number=number: self._preset(number))
        for name, step in (("zoom_in", _ZOOM_STEP), ("zoom_out", 1 / _ZOOM_STEP)):
            actions[name].triggered.connect(lambda _=False, step=step: self._zoom(step))
        actions["one_to_one"].triggered.connect(lambda: area.active.view.zoom_to(1))
        for name in area.current.toolbox.names:
            actions[name].triggered.connect(lambda _=False, name=name: self._choose_tool(name))
        actions["undo"].triggered.connect(lambda: self._undo("undo"))
        actions["redo"].triggered.connect(lambda: self._undo("redo"))
        actions["delete"].triggered.connect(lambda: area.active.toolbox.delete_selected())
        actions["hide_measurements"].triggered.connect(self._hide_measurements)
        area.activeChanged.connect(self._mark_tool)
        self._mark_tool()

    def _change(self, change: Change) -> None:
        view = self._area.active.view
        if view.display is not None and view.loaded is not None:
            view.set_display(change(view.display, view.loaded), final=True)

    def _preset(self, number: int) -> None:
        own = self._settings().presets
        self._change(lambda state, loaded: with_number(state, loaded, number, own))
        names = preset_names(own)
        if number <= len(names):
            self._window.statusBar().showMessage(names[number - 1], 3000)

    def _zoom(self, step: float) -> None:
        view = self._area.active.view
        view.zoom_about(view.shown_centre, step)

    def _choose_tool(self, name: str) -> None:
        for pane in self._area.panes:
            pane.toolbox.choose(name)
        self._window.actions_[name].setChecked(True)
        self._area.active.view.setFocus()

    def _mark_tool(self) -> None:
        """The tool of the active film is the one that is marked."""
        self._window.actions_[self._area.active.toolbox.tool.name].setChecked(True)

    def _hide_measurements(self) -> None:
        """In every pane; once more shows them."""
        shown = not self._area.active.toolbox.layer.shown
        for pane in self._area.panes:
            pane.toolbox.layer.set_shown(shown)

    def _undo(self, what: str) -> None:
        model = self._area.active.model
        if model is not None:
            getattr(model.undo_stack, what)()
