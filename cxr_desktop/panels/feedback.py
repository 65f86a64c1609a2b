"""The reader's opinion on an answer: agree, reject or unsure with one key each, and a comment."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QGroupBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from cxr_desktop.state.opinion import JUDGEMENTS, Judgement

_LONGEST_COMMENT = 1000


class FeedbackPanel(QGroupBox):
    """Takes an opinion.

    Signals
    -------
    judged(judgement: str, comment: str, number: int)
        One of state.opinion.JUDGEMENTS; `number` is the place of the model that it is about.
    """

    judged = Signal(str, str, int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setTitle(self.tr("Your opinion"))
        self._given: Judgement | None = None
        self._texts = {"agree": self.tr("Agree"), "reject": self.tr("Reject"), "unsure": self.tr("Unsure")}
        self.subject = QComboBox(self)
        self.subject.setAccessibleName(self.tr("The model that the opinion is about"))
        self.subject.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.subject.hide()
        self.buttons: dict[Judgement, QPushButton] = {}
        row = QHBoxLayout()
        row.setSpacing(4)
        for judgement in JUDGEMENTS:
            button = QPushButton(self._texts[judgement], self)
            button.setAccessibleName(self.tr("Opinion: {0}").format(self._texts[judgement]))
            button.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
            button.clicked.connect(lambda _=False, judgement=judgement: self.judge(judgement))
            self.buttons[judgement] = button
            row.addWidget(button, 1)
        self.comment = QLineEdit(self)
        self.comment.setPlaceholderText(self.tr("Comment, kept with the opinion"))
        self.comment.setAccessibleName(self.tr("Comment on the answer"))
        self.comment.setMaxLength(_LONGEST_COMMENT)
        self.comment.returnPressed.connect(self._comment_entered)
        self.note = QLabel(self)
        self.note.setWordWrap(True)
        self.note.setTextFormat(Qt.TextFormat.PlainText)
        self.note.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 4, 6, 6)
        layout.addWidget(self.subject)
        layout.addLayout(row)
        layout.addWidget(self.comment)
        layout.addWidget(self.note)
        self.show_note("")

    def judge(self, judgement: Judgement) -> None:
        """Give an opinion, with the comment that stands there; for buttons and keys."""
        if self.isEnabled():
            self._given = judgement
            self.judged.emit(judgement, self.comment.text(), max(self.subject.currentIndex(), 0))

    def set_keys(self, keys: dict[str, str]) -> None:
        """Name on the buttons the keys of the commands "agree", "reject" and "unsure"."""
        for judgement, button in self.buttons.items():
            key = keys.get(judgement, "")
            button.setText(f"{self._texts[judgement]} ({key})" if key else self._texts[judgement])

    def set_subjects(self, titles: Sequence[str]) -> None:
        """The models that there are answers of; with two the reader chooses."""
        chosen = self.subject.currentIndex()
        with QSignalBlocker(self.subject):
            self.subject.clear()
            self.subject.addItems([self.tr("on {0}").format(title) for title in titles])
            if 0 <= chosen < len(titles):
                self.subject.setCurrentIndex(chosen)
        self.subject.setVisible(len(titles) > 1)

    def begin(self) -> None:
        """Another image is on screen."""
        self._given = None
        self.comment.clear()
        self.show_note("")

    def show_note(self, words: str) -> None:
        """What was kept, or why it could not be."""
        self.note.setText(words)
        self.note.setVisible(bool(words))

    def _comment_entered(self) -> None:
        if self._given is not None:
            self.judge(self._given)
        else:
            self.show_note(self.tr("Choose agree, reject or unsure: the comment is kept with it."))
            self.buttons["agree"].setFocus()
