"""One model's answer: its verdict, what stands beside it, what it rests on, and the request for its map."""

from __future__ import annotations

from html import escape
from itertools import pairwise

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from cxr_core.heatmap import MAP_LABEL
from cxr_desktop.state.ai_reading import ModelReading
from cxr_desktop.state.answers import KIND_WORDS


class AnswerCard(QFrame):
    """Shows a ModelReading.

    Signals
    -------
    mapToggled()
        Its map is to be shown or hidden.
    mapLabelChosen(label: str)
        The map of another label is to be shown.
    cardRequested()
        The model's card is to be shown.
    """

    mapToggled = Signal()
    mapLabelChosen = Signal(str)
    cardRequested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self.title = _label(self, bold=True)
        self.kind = _label(self, bold=True)
        self.verdict = _label(self, bold=True, larger=True)
        self.basis = _label(self)
        self.caution = _label(self, bold=True)
        self.details_button = QToolButton(self)
        self.details_button.setText(self.tr("What it rests on"))
        self.details_button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.details_button.setAutoRaise(True)
        self.details_button.setCheckable(True)
        self.details_button.setChecked(True)
        self.details_button.toggled.connect(self._show_details)
        self.details = _label(self, rich=True)
        self.warnings = _label(self)
        self.map_note = _label(self)
        self.map_button = QPushButton(self)
        self.map_button.clicked.connect(self.mapToggled)
        self.map_choice = QComboBox(self)
        self.map_choice.setAccessibleName(self.tr("Map of"))
        self.map_choice.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.map_choice.textActivated.connect(self.mapLabelChosen)
        self.card_button = QPushButton(self.tr("Model card"), self)
        self.card_button.clicked.connect(self.cardRequested)
        buttons = QHBoxLayout()
        buttons.addWidget(self.map_button)
        buttons.addWidget(self.card_button)
        buttons.addStretch()
        layout = QVBoxLayout(self)
        for label in (self.title, self.kind, self.verdict, self.basis, self.caution):
            layout.addWidget(label)
        layout.addLayout(buttons)
        layout.addWidget(self.map_choice)
        for widget in (self.map_note, self.details_button, self.details, self.warnings):
            layout.addWidget(widget)
        controls = (self.map_button, self.card_button, self.map_choice, self.details_button)
        for before, after in pairwise(controls):
            QWidget.setTabOrder(before, after)

    def show_reading(self, reading: ModelReading, map_key: str) -> None:
        """Show what there is of a model; `map_key` is the key of the command for its map, or empty."""
        words = reading.words
        self.title.setText(reading.title)
        self.setAccessibleName(self.tr("Answer of {0}").format(reading.title))
        self.kind.setText(self.tr(KIND_WORDS[words.kind]).upper())
        self.setAccessibleDescription(words.verdict)
        self.verdict.setText(words.answer)
        self.basis.setText(f"{words.basis[:1].upper()}{words.basis[1:]}." if words.basis else "")
        self.caution.setText(self.tr("Caution: {0}").format(words.caution) if words.caution else "")
        lines = (
            f"<p style='margin: 0 0 4px 0'><b>{escape(topic)}:</b> {escape(said)}.</p>" for topic, said in words.details
        )
        self.details.setText("".join(lines))
        self.warnings.setText("\n".join(self.tr("Warning: {0}").format(warning) for warning in words.warnings))
        self._show_map(reading, f" ({map_key})" if map_key else "")
        for label in (self.basis, self.caution, self.map_note):
            label.setVisible(bool(label.text()))
        self.details_button.setVisible(bool(words.details or words.warnings))
        self._show_details()
        self.card_button.setVisible(reading.identity is not None)

    def _show_details(self) -> None:
        shown = self.details_button.isChecked()
        self.details_button.setArrowType(Qt.ArrowType.DownArrow if shown else Qt.ArrowType.RightArrow)
        for label in (self.details, self.warnings):
            label.setVisible(shown and bool(label.text()))

    def _show_map(self, reading: ModelReading, key: str) -> None:
        negative = reading.words.kind == "negative"
        if reading.map_label is not None:
            text = self.tr("Hide map{0}")
        elif negative and reading.map_confirmed:
            text = self.tr("Show it anyway{0}")
        else:
            text = self.tr("Show map{0}")
        self.map_button.setText(text.format(key))
        self.map_button.setVisible(bool(reading.map_labels))
        with QSignalBlocker(self.map_choice):
            self.map_choice.clear()
            self.map_choice.addItems(list(reading.map_labels))
            if reading.map_label is not None:
                self.map_choice.setCurrentText(reading.map_label)
        self.map_choice.setVisible(reading.map_label is not None and len(reading.map_labels) > 1)
        note = ""
        if reading.map_label is not None:
            note = self.tr("Map of {0}: {1}, relative within this image.").format(reading.map_label, self.tr(MAP_LABEL))
        elif negative and reading.map_confirmed:
            note = self.tr("The answer is negative: its map marks nothing that was found.")
        self.map_note.setText(note)


def _label(parent: QWidget, *, bold: bool = False, larger: bool = False, rich: bool = False) -> QLabel:
    """A label that wraps; its text may come from a file, so that it is shown as it is."""
    label = QLabel(parent)
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.RichText if rich else Qt.TextFormat.PlainText)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    # A word without a break, as a path, must not make the panel wider.
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
    font = label.font()
    font.setBold(bold)
    if larger:
        font.setPointSizeF(1.15 * font.pointSizeF())
    label.setFont(font)
    return label
