"""How the model's attention is drawn: opacity, threshold, colours, line, legend."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QCheckBox, QComboBox, QGridLayout, QGroupBox, QLabel, QSlider, QWidget

from cxr_desktop.panels.page_keys import keep_page_keys
from cxr_desktop.state.settings import HeatMapSettings
from cxr_desktop.views.heat_map import COLOUR_MAPS


class MapControls(QGroupBox):
    """Shows HeatMapSettings.

    Signals
    -------
    changed(settings: HeatMapSettings)
        The reader wants them so.
    """

    changed = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setTitle(self.tr("Map"))
        self.opacity = self._slider(self.tr("Opacity of the map"), 10, 100)
        self.threshold = self._slider(self.tr("Threshold of the map"), 0, 90)
        self.opacity_value, self.threshold_value = QLabel(self), QLabel(self)
        self.colours = QComboBox(self)
        self.colours.setAccessibleName(self.tr("Colours of the map"))
        self.colours.addItems(list(COLOUR_MAPS))
        self.colours.activated.connect(self._tell)
        self.contour = QCheckBox(self.tr("&Line at half of the map's maximum"), self)
        self.contour.setAccessibleName(self.tr("Line at half of the map's maximum, not a lesion outline"))
        self.contour.toggled.connect(self._tell)
        self.legend = QCheckBox(self.tr("L&egend on the picture"), self)
        self.legend.setAccessibleName(self.tr("Legend of the map on the picture"))
        self.legend.toggled.connect(self._tell)
        layout = QGridLayout(self)
        rows = (
            (self.tr("&Opacity"), self.opacity, self.opacity_value),
            (self.tr("&Threshold"), self.threshold, self.threshold_value),
            (self.tr("Colo&urs"), self.colours, None),
        )
        for row, (text, control, value) in enumerate(rows):
            label = QLabel(text, self)
            label.setBuddy(control)
            layout.addWidget(label, row, 0)
            layout.addWidget(control, row, 1, 1, 1 if value else 2)
            if value is not None:
                value.setMinimumWidth(value.fontMetrics().horizontalAdvance("100 %"))
                value.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                layout.addWidget(value, row, 2)
        layout.addWidget(self.contour, 3, 0, 1, 3)
        layout.addWidget(self.legend, 4, 0, 1, 3)
        layout.setColumnStretch(1, 1)
        self.set_settings(HeatMapSettings())

    @property
    def settings(self) -> HeatMapSettings:
        """As the controls stand."""
        return HeatMapSettings(
            opacity=self.opacity.value() / 100,
            threshold=self.threshold.value() / 100,
            colour_map=self.colours.currentText(),
            contour=self.contour.isChecked(),
            legend=self.legend.isChecked(),
        )

    def set_settings(self, settings: HeatMapSettings) -> None:
        """Show settings; nothing is told."""
        blockers = [QSignalBlocker(part) for part in (self.opacity, self.threshold, self.contour, self.legend)]
        self.opacity.setValue(round(100 * settings.opacity))
        self.threshold.setValue(round(100 * settings.threshold))
        self.colours.setCurrentText(settings.colour_map)
        self.contour.setChecked(settings.contour)
        self.legend.setChecked(settings.legend)
        for blocker in blockers:
            blocker.unblock()
        self._show_values()

    def _slider(self, name: str, low: int, high: int) -> QSlider:
        slider = QSlider(Qt.Orientation.Horizontal, self)
        slider.setRange(low, high)
        slider.setPageStep(10)
        keep_page_keys(slider)
        slider.setAccessibleName(name)
        slider.valueChanged.connect(self._tell)
        return slider

    def _tell(self) -> None:
        self._show_values()
        self.changed.emit(self.settings)

    def _show_values(self) -> None:
        self.opacity_value.setText(f"{self.opacity.value()} %")
        self.threshold_value.setText(f"{self.threshold.value()} %")
