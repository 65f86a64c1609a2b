"""The card of a model: what it answers, for whom, how well, as its bundle says."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSignalBlocker, Qt, QUrl, Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QSizePolicy, QTextBrowser, QVBoxLayout, QWidget

from cxr_desktop.workers.inference_messages import ModelDescription


class _Card(QTextBrowser):
    """Markdown out of a bundle: nothing that it names is loaded or opened."""

    def loadResource(self, kind: int, name: QUrl | str) -> object:
        """Nothing."""
        return None


class ModelCardPanel(QWidget):
    """Shows a ModelDescription.

    Signals
    -------
    modelChosen(name: str)
        Its card is to be shown.
    """

    modelChosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.choice = QComboBox(self)
        self.choice.setAccessibleName(self.tr("Model whose card is shown"))
        self.choice.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.choice.textActivated.connect(self.modelChosen)
        label = QLabel(self.tr("Mo&del"), self)
        label.setBuddy(self.choice)
        self.facts = QLabel(self)
        self.facts.setWordWrap(True)
        self.facts.setTextFormat(Qt.TextFormat.PlainText)
        self.facts.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.facts.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        self.card = _Card(self)
        self.card.setAccessibleName(self.tr("Model card"))
        self.card.setOpenLinks(False)
        row = QHBoxLayout()
        row.addWidget(label)
        row.addWidget(self.choice, 1)
        layout = QVBoxLayout(self)
        layout.addLayout(row)
        layout.addWidget(self.facts)
        layout.addWidget(self.card, 1)
        self.show_problem(self.tr("No model was chosen yet."))

    def set_models(self, names: Sequence[str]) -> None:
        """The models that there are."""
        chosen = self.choice.currentText()
        with QSignalBlocker(self.choice):
            self.choice.clear()
            self.choice.addItems(list(names))
            self.choice.setCurrentText(chosen)

    def show_description(self, description: ModelDescription) -> None:
        """Show a model's card."""
        identity = description.identity
        if self.choice.findText(identity.name) < 0:
            self.choice.addItem(identity.name)
        self.choice.setCurrentText(identity.name)
        self.facts.setText(
            self.tr("{0} {1}, bundle {2}, validated for {3}").format(
                identity.name, identity.version, identity.sha256[:12], description.manifest.population.description
            )
        )
        self.facts.show()
        self.card.setMarkdown(description.card)

    def show_problem(self, words: str) -> None:
        """Say why there is no card."""
        self.facts.hide()
        self.card.setPlainText(words)
