"""The menu of a view: every window and VOI LUT that the image offers, and what of it is drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QActionGroup
from PySide6.QtWidgets import QMenu

from cxr_desktop.state import display as displays
from cxr_desktop.state.display import DisplayState
from cxr_desktop.state.records import LoadedImage
from cxr_desktop.state.windowing import PRESETS, Preset, VoiChoice, is_chosen, voi_choices, with_preset, with_voi
from cxr_desktop.views.film import Film
from cxr_desktop.views.window_dialog import WindowDialog

if TYPE_CHECKING:
    from cxr_desktop.views.image_view import ImageView


class ImageMenu(QMenu):
    """Made anew for what the view shows when it is asked for."""

    def __init__(self, view: ImageView, film: Film, display: DisplayState) -> None:
        super().__init__(view)
        self._view = view
        loaded = film.loaded
        self._add_choices(loaded, display)
        self.addAction(self.tr("Window and level..."), self._open_dialog)
        presets = self.addMenu(self.tr("Presets"))
        for preset in PRESETS:
            presets.addAction(self.tr(preset.name), self._changing(partial(_preset, preset, loaded)))
        self.addSeparator()
        self.addAction(self.tr("Flip top to bottom"), self._changing(displays.flipped_vertically))
        if film.overlay is not None:
            self._add_switch(
                self.tr("Overlay planes"), display.overlays, lambda now: replace(now, overlays=not now.overlays)
            )
        if film.shutter is not None:
            self._add_switch(self.tr("Shutter"), display.shutter, lambda now: replace(now, shutter=not now.shutter))
        smooth = self.addAction(self.tr("Interpolate magnified pixels"))
        smooth.setCheckable(True)
        smooth.setChecked(view.smooth)
        smooth.toggled.connect(view.set_smooth)

    def _open_dialog(self) -> None:
        dialog = WindowDialog(self._view)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

    def _add_choices(self, loaded: LoadedImage, display: DisplayState) -> None:
        group = QActionGroup(self)
        for choice in voi_choices(loaded):
            action = self.addAction(choice.name, self._changing(partial(_choice, choice)))
            action.setCheckable(True)
            action.setChecked(is_chosen(display, choice))
            group.addAction(action)

    def _add_switch(self, text: str, on: bool, change: Callable[[DisplayState], DisplayState]) -> None:
        action = self.addAction(text, self._changing(change))
        action.setCheckable(True)
        action.setChecked(on)

    def _changing(self, change: Callable[[DisplayState], DisplayState]) -> Callable[[], None]:
        """A slot that shows the image otherwise."""

        def changed() -> None:
            if self._view.display is not None:
                self._view.set_display(change(self._view.display), final=True)

        return changed


def _choice(choice: VoiChoice, display: DisplayState) -> DisplayState:
    return with_voi(display, choice.voi)


def _preset(preset: Preset, loaded: LoadedImage, display: DisplayState) -> DisplayState:
    return with_preset(display, preset, loaded)
