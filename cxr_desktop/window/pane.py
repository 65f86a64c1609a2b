"""One film on the screen: its view, tools and measurements, what it is, and what models said about it."""

from __future__ import annotations

from datetime import UTC, datetime

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QLabel, QSizePolicy, QVBoxLayout, QWidget

from cxr_desktop.state.answers import Answer, words_of
from cxr_desktop.state.display import DisplayState
from cxr_desktop.state.linked import Shown
from cxr_desktop.state.patient_text import date
from cxr_desktop.state.records import LoadedImage
from cxr_desktop.tools.measurements import MeasurementModel
from cxr_desktop.tools.toolbox import Toolbox
from cxr_desktop.views.image_view import ImageView


class Pane(QWidget):
    """A view with what belongs to it.

    Signals
    -------
    activated
        The reader works in this pane now.
    moved(DisplayState, DisplayState)
        The reader changed how the film is shown: before, after.
    measured
        The measurements of the film changed.
    roomChanged
        The models' words under the film may need other room.
    """

    activated = Signal()
    moved = Signal(object, object)
    measured = Signal()
    roomChanged = Signal()

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.name = name
        self.view = ImageView(self)
        self.view.setAccessibleName(name)
        self.view.installEventFilter(self)
        self.toolbox = Toolbox(self.view)
        self.answers: list[Answer] = []
        """What models said about this film."""

        self.answered = datetime.now(UTC)
        """When they said it."""

        self.waiting = False
        """Whether the line under the film says that one is being asked."""

        self._model: MeasurementModel | None = None
        self._before: DisplayState | None = None
        self._follows = False
        self._title = QLabel(name, self)
        self._verdict = QLabel(self)
        for label in (self._title, self._verdict):
            label.setTextFormat(Qt.TextFormat.PlainText)
            label.setWordWrap(True)
            label.setContentsMargins(6, 2, 6, 2)
            label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._verdict.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._title.hide()
        self._verdict.hide()
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(0)
        rows.addWidget(self._title)
        rows.addWidget(self.view, 1)
        rows.addWidget(self._verdict)
        self.view.displayChanged.connect(self._changed)

    @property
    def loaded(self) -> LoadedImage | None:
        """The film."""
        return self.view.loaded

    @property
    def model(self) -> MeasurementModel | None:
        """Its measurements."""
        return self._model

    @property
    def shown_model(self) -> MeasurementModel | None:
        """Its measurements, unless they are hidden."""
        return self._model if self.toolbox.layer.shown else None

    def show_film(self, loaded: LoadedImage | None, model: MeasurementModel | None, title: str = "") -> None:
        """Show a film with its measurements; None of nothing."""
        if self._model is not None:
            self._model.changed.disconnect(self.measured)
        self.set_answers([])
        self._before = None  # another film is no change of this one
        self.view.show_image(loaded)
        self._model = model
        if model is not None:
            model.changed.connect(self.measured)
        self.toolbox.set_model(model)
        self.set_title(title)

    def set_title(self, title: str) -> None:
        """Write what the film is over it, where two hang beside each other; "" where it hangs alone.

        The models' words stand under it then: their room is kept, so that no film moves when an answer comes.
        """
        self._title.setText(title)
        self._title.setVisible(bool(title))
        self._verdict.setVisible(bool(title))
        self.roomChanged.emit()

    def wanted_room(self) -> int:
        """Logical pixels that the models' words need under the film; three lines at least."""
        least = 3 * self._verdict.fontMetrics().lineSpacing() + 4
        return max(least, self._verdict.heightForWidth(self.width()))

    def keep_room(self, height: int) -> None:
        """Keep so much room under the film."""
        self._verdict.setFixedHeight(height)

    def set_answers(self, answers: list[Answer]) -> None:
        """What models said just now; it stands under the film, with their names where there are two."""
        self.answers, self.answered, self.waiting = answers, datetime.now(UTC), False
        lines = []
        for answer in answers:
            words = words_of(answer)
            model = f"{answer.manifest.name}: " if answer.manifest is not None and len(answers) > 1 else ""
            lines.append(model + " ".join(filter(None, [words.verdict, words.caution and f"({words.caution})"])))
        self._verdict.setText("\n".join(lines))
        self.roomChanged.emit()

    def set_waiting(self) -> None:
        """A model was asked about the film, and has not answered yet."""
        self.waiting = True
        self._verdict.setText(self.tr("The model is being asked..."))

    def verdict(self) -> str:
        """What stands under the film."""
        return self._verdict.text()

    def shown(self) -> Shown | None:
        """How it is shown, for the other pane; None without a film."""
        view, loaded = self.view, self.view.loaded
        if loaded is None or view.display is None:
            return None
        rows, columns = loaded.stored.shape
        return Shown(view.display, rows, columns, view.shown_zoom, view.fitted_zoom, view.shown_centre)

    def follow(self, display: DisplayState) -> None:
        """Show the film as the other pane wants it, without telling that back."""
        self._follows = True
        try:
            self.view.set_display(display)
        finally:
            self._follows = False

    def _changed(self, display: DisplayState | None) -> None:
        before, self._before = self._before, display
        if before is not None and display is not None and not self._follows and before is not display:
            self.moved.emit(before, display)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Words wrap otherwise then."""
        super().resizeEvent(event)
        self.roomChanged.emit()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Hear that the reader turns to this film."""
        if event.type() == QEvent.Type.FocusIn:
            self.activated.emit()
        return super().eventFilter(watched, event)


def film_title(role: str, loaded: LoadedImage) -> str:
    """What stands over a film where two hang beside each other: its role, date and view."""
    record = loaded.record
    when = date(record.study_date) or "no date"
    return " · ".join(filter(None, [role, when, record.view_position, record.study_description]))
