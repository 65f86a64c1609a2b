"""The dialog of settings: a page for each room of the viewer; OK only while everything can be used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QDoubleSpinBox,
    QFormLayout,
    QLabel,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from cxr_core.errors import SettingsError
from cxr_desktop.state.settings import ViewerSettings
from cxr_desktop.views.heat_map import COLOUR_MAPS
from cxr_desktop.window.keys_table import KeysTable
from cxr_desktop.window.settings_tables import PacsTable, PresetTable


class SettingsDialog(QDialog):
    """Shows settings and gives back changed ones.

    Parameters
    ----------
    settings : ViewerSettings
        As they are.
    models : sequence of str
        Names of the bundles on this machine.

    Signals
    -------
    tried : PacsEntry
        The reader wants to know whether a PACS answers; tell by `tell_tried`.
    """

    tried = Signal(object)

    def __init__(self, settings: ViewerSettings, models: Sequence[str], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Settings"))
        self.resize(640, 560)
        self._given = settings
        self._trouble = QLabel(self)
        self._trouble.setWordWrap(True)
        self._buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        self._buttons.accepted.connect(self.accept)
        self._buttons.rejected.connect(self.reject)
        self.presets, self.pacs = PresetTable(settings.presets), PacsTable(settings.pacs)
        self.pacs.tried.connect(self.tried)
        self.keys = KeysTable(settings.shortcuts)
        pages = QTabWidget(self)
        pages.addTab(self._model_page(settings, models), self.tr("Model"))
        pages.addTab(self._display_page(settings), self.tr("Display"))
        pages.addTab(self.presets, self.tr("Window presets"))
        pages.addTab(self.pacs, self.tr("PACS"))
        pages.addTab(self.keys, self.tr("Keys"))
        rows = QVBoxLayout(self)
        rows.addWidget(pages)
        rows.addWidget(self._trouble)
        rows.addWidget(self._buttons)
        for part in (self.presets, self.pacs, self.keys):
            part.changed.connect(self._look)
        self._look()

    def _model_page(self, settings: ViewerSettings, models: Sequence[str]) -> QWidget:
        page = QWidget(self)
        self.analyse_on_open = QCheckBox(self.tr("Analyse every film when it is opened"), page)
        self.analyse_on_open.setChecked(settings.analyse_on_open)
        self.model, self.second_model = QComboBox(page), QComboBox(page)
        self.model.addItem(self.tr("Default"), None)
        for name in models:
            self.model.addItem(name, name)
            self.second_model.addItem(name, name)
        for box, value in ((self.model, settings.model), (self.second_model, settings.second_model)):
            if value is not None and box.findData(value) < 0:
                box.addItem(self.tr("{name} (not found)").format(name=value), value)
            box.setCurrentIndex(box.findData(value))
        self.population = QComboBox(page)
        self.population.addItem(self.tr("Withhold the verdict"), "withhold")
        self.population.addItem(self.tr("Give it with a warning"), "warn")
        self.population.setCurrentIndex(self.population.findData(settings.population))
        self.own_prevalence = QCheckBox(self.tr("Scores for the share of positives at this site, in %:"), page)
        self.own_prevalence.setChecked(settings.prevalence is not None)
        self.prevalence = QDoubleSpinBox(page)
        self.prevalence.setRange(0.1, 99.9)
        self.prevalence.setDecimals(1)
        self.prevalence.setValue(100 * (settings.prevalence or 0.1))
        self.prevalence.setEnabled(self.own_prevalence.isChecked())
        self.prevalence.setAccessibleName(self.own_prevalence.text())
        self.own_prevalence.toggled.connect(self.prevalence.setEnabled)
        self.keep_index = QCheckBox(self.tr("Remember on this machine what was opened, answered and measured"), page)
        self.keep_index.setChecked(settings.keep_index)
        form = QFormLayout(page)
        form.addRow(self.analyse_on_open)
        form.addRow(self.tr("Model:"), self.model)
        form.addRow(self.tr("Second model, beside it:"), self.second_model)
        form.addRow(self.tr("A patient outside the model's population:"), self.population)
        form.addRow(self.own_prevalence, self.prevalence)
        form.addRow(self.keep_index)
        return page

    def _display_page(self, settings: ViewerSettings) -> QWidget:
        page = QWidget(self)
        self.corner_text = QComboBox(page)
        for level, words in enumerate((self.tr("None"), self.tr("Short"), self.tr("Full"))):
            self.corner_text.addItem(words, level)
        self.corner_text.setCurrentIndex(settings.corner_text)
        self.window_drag = QComboBox(page)
        self.window_drag.addItem(self.tr("Right widens, up brightens"), "classic")
        self.window_drag.addItem(self.tr("As IHE Basic Image Review: right widens, down brightens"), "ihe")
        self.window_drag.setCurrentIndex(self.window_drag.findData(settings.window_drag))
        self.linked = QCheckBox(self.tr("Current and prior share zoom, pan and window"), page)
        self.linked.setChecked(settings.linked)
        self.colour_map = QComboBox(page)
        for name in COLOUR_MAPS:
            self.colour_map.addItem(name, name)
        self.colour_map.setCurrentIndex(max(self.colour_map.findData(settings.heat_map.colour_map), 0))
        self.contour = QCheckBox(self.tr("Draw a line at half of the map's maximum"), page)
        self.contour.setChecked(settings.heat_map.contour)
        form = QFormLayout(page)
        form.addRow(self.tr("Corner text:"), self.corner_text)
        form.addRow(self.tr("A drag with the window tool:"), self.window_drag)
        form.addRow(self.linked)
        form.addRow(self.tr("Colours of the attention map:"), self.colour_map)
        form.addRow(self.contour)
        return page

    def settings(self) -> ViewerSettings:
        """As they stand in the dialog. Raises SettingsError."""
        heat_map = replace(
            self._given.heat_map, colour_map=self.colour_map.currentData(), contour=self.contour.isChecked()
        )
        return replace(
            self._given,
            analyse_on_open=self.analyse_on_open.isChecked(),
            model=self.model.currentData(),
            second_model=self.second_model.currentData() or self._given.second_model,
            population=self.population.currentData(),
            prevalence=round(self.prevalence.value() / 100, 4) if self.own_prevalence.isChecked() else None,
            corner_text=self.corner_text.currentData(),
            window_drag=self.window_drag.currentData(),
            linked=self.linked.isChecked(),
            heat_map=heat_map,
            presets=self.presets.entries(),
            pacs=self.pacs.entries(),
            shortcuts=self.keys.shortcuts(),
            keep_index=self.keep_index.isChecked(),
        )

    def tell_tried(self, words: str) -> None:
        """What became of trying a PACS."""
        self.pacs.tell(words)

    def _look(self) -> None:
        """Say what cannot be used; OK stays off meanwhile."""
        told = ""
        try:
            self.settings()
        except SettingsError as error:
            told = str(error)
        conflicts = self.keys.conflicts()
        self._trouble.setText(told)
        self._buttons.button(QDialogButtonBox.StandardButton.Ok).setEnabled(not told and not conflicts)
