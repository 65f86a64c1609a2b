"""The model's side of a reading: asked by the reader, a verdict first, its map with a second request, then opinions."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from cxr_desktop.panels.answer_card import AnswerCard
from cxr_desktop.panels.feedback import FeedbackPanel
from cxr_desktop.panels.map_controls import MapControls
from cxr_desktop.state.ai_reading import Reading
from cxr_desktop.state.settings import HeatMapSettings


class AiPanel(QWidget):
    """Shows a Reading.

    Signals
    -------
    askRequested(), bothRequested(), cancelRequested()
        The model, both models, or nothing more is to be asked.
    mapToggled(number: int), mapLabelChosen(number: int, label: str), cardRequested(number: int)
        Of the model at that place of the reading.
    mapSettingsChanged(settings: HeatMapSettings)
        How a map is to be drawn.
    judged(judgement: str, comment: str, number: int)
        The reader's opinion on the answer of the model at that place.
    """

    askRequested = Signal()
    bothRequested = Signal()
    cancelRequested = Signal()
    mapToggled = Signal(int)
    mapLabelChosen = Signal(int, str)
    cardRequested = Signal(int)
    mapSettingsChanged = Signal(object)
    judged = Signal(str, str, int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(self.tr("Model"))
        self._keys: dict[str, str] = {}
        self._models_shown = 0
        self.ask_button = QPushButton(self)
        self.ask_button.setAccessibleName(self.tr("Ask the model"))
        self.ask_button.clicked.connect(self.askRequested)
        self.both_button = QPushButton(self)
        self.both_button.setAccessibleName(self.tr("Ask both models"))
        self.both_button.clicked.connect(self.bothRequested)
        self.hint = _wrapped(self)
        self.progress = QProgressBar(self)
        self.progress.setRange(0, 0)
        self.progress.setTextVisible(False)
        self.progress.setAccessibleName(self.tr("The model is at work"))
        self.progress.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.cancel_button = QPushButton(self)
        self.cancel_button.setAccessibleName(self.tr("Cancel the question"))
        self.cancel_button.clicked.connect(self.cancelRequested)
        self.difference = _wrapped(self)
        self.difference.setAccessibleName(self.tr("The two answers compared"))
        font = self.difference.font()
        font.setBold(True)
        self.difference.setFont(font)
        self.cards = [AnswerCard(self), AnswerCard(self)]
        for number, card in enumerate(self.cards):
            card.mapToggled.connect(lambda number=number: self.mapToggled.emit(number))
            card.mapLabelChosen.connect(lambda label, number=number: self.mapLabelChosen.emit(number, label))
            card.cardRequested.connect(lambda number=number: self.cardRequested.emit(number))
        self.map_controls = MapControls(self)
        self.map_controls.changed.connect(self.mapSettingsChanged)
        self.feedback = FeedbackPanel(self)
        self.feedback.judged.connect(self.judged)
        asking = QHBoxLayout()
        for button in (self.ask_button, self.both_button):
            button.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
            asking.addWidget(button, 1)
        working = QHBoxLayout()
        working.addWidget(self.progress, 1)
        working.addWidget(self.cancel_button)
        inside = QWidget(self)
        answers = QVBoxLayout(inside)
        answers.setContentsMargins(0, 0, 0, 0)
        for widget in (self.difference, *self.cards, self.map_controls):
            answers.addWidget(widget)
        answers.addStretch()
        self.scroll_area = QScrollArea(self)
        self.scroll_area.setWidget(inside)
        self.scroll_area.setWidgetResizable(True)
        self.scroll_area.setFrameShape(QFrame.Shape.NoFrame)
        self.scroll_area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.scroll_area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addLayout(asking)
        layout.addWidget(self.hint)
        layout.addLayout(working)
        layout.addWidget(self.scroll_area, 1)
        layout.addWidget(self.feedback)  # always in sight: keys give opinions too
        self.set_keys({})
        self.show_reading(Reading())

    def set_keys(self, keys: dict[str, str]) -> None:
        """Name on the buttons the keys of the commands "ask", "ask_both", "show_map", "cancel" and of the opinions."""
        self._keys = keys
        texts = (
            (self.ask_button, self.tr("Ask the model"), "ask"),
            (self.both_button, self.tr("Both"), "ask_both"),
            (self.cancel_button, self.tr("Cancel"), "cancel"),
        )
        for button, text, name in texts:
            button.setText(f"{text} ({keys[name]})" if keys.get(name) else text)
        self.feedback.set_keys(keys)

    def set_map_settings(self, settings: HeatMapSettings) -> None:
        """Show how maps are drawn; nothing is told."""
        self.map_controls.set_settings(settings)

    def show_reading(self, reading: Reading) -> None:
        """Show what was asked and what came of it."""
        if len(reading.models) != self._models_shown:
            self._models_shown = len(reading.models)
            for card in self.cards:  # of two answers the verdicts come first
                card.details_button.setChecked(self._models_shown < 2)
        self.hint.setText(self._hint(reading))
        self.hint.setVisible(bool(self.hint.text()))
        for button in (self.ask_button, self.both_button):
            button.setEnabled(reading.has_image and not reading.running)
        self.progress.setVisible(reading.running)
        self.cancel_button.setVisible(reading.running)
        self.difference.setText(reading.difference)
        self.difference.setVisible(bool(reading.difference))
        shown = reading.shown_map
        for number, card in enumerate(self.cards):
            card.setVisible(number < len(reading.models))
            if number < len(reading.models):
                # The command toggles the map that is shown, else the first model's.
                has_key = reading.models[number] is shown or (shown is None and number == 0)
                card.show_reading(reading.models[number], self._keys.get("show_map", "") if has_key else "")
        self.map_controls.setVisible(shown is not None)
        self.feedback.setEnabled(reading.has_image)
        self.feedback.set_subjects([model.title for model in reading.models])

    def _hint(self, reading: Reading) -> str:
        if not reading.has_image:
            return self.tr("No image is open.")
        if not reading.models:
            return self.tr("Nothing was asked yet. Look at the film first; the model answers when you ask it.")
        return ""


def _wrapped(parent: QWidget) -> QLabel:
    label = QLabel(parent)
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
    return label
