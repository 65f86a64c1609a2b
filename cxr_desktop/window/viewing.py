"""The films on the screen: loaded in a thread, hung beside each other, with what was measured on them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QObject, Signal

from cxr_core.errors import CxrError
from cxr_desktop.panels.measurements import MeasurementsPanel
from cxr_desktop.state.hanging import prior_of, prior_warning
from cxr_desktop.state.index import Index
from cxr_desktop.state.measurement_records import merged
from cxr_desktop.state.patient_text import file_name
from cxr_desktop.state.records import InstanceRecord, LoadedImage
from cxr_desktop.state.settings import ViewerSettings
from cxr_desktop.tools.measurements import MeasurementModel
from cxr_desktop.window.film_commands import FilmCommands
from cxr_desktop.window.main_window import MainWindow
from cxr_desktop.window.opening import Opening
from cxr_desktop.window.pane import Pane, film_title
from cxr_desktop.window.view_area import ViewArea
from cxr_desktop.workers.loading import load
from cxr_desktop.workers.task import Task, run


class Viewing(QObject):
    """Shows films, and carries the commands of the menu Compare out.

    Signals
    -------
    shown(Pane)
        A film was put into a pane, or taken out of it.
    changed
        What commands are about may have changed: another pane, another film, measurements.
    """

    shown = Signal(object)
    changed = Signal()

    def __init__(
        self, window: MainWindow, opening: Opening, index: Index, settings: Callable[[], ViewerSettings]
    ) -> None:
        super().__init__(window)
        self._window, self._opening, self._index, self._settings = window, opening, index, settings
        self.area = ViewArea(window)
        self.measurements = MeasurementsPanel(window)
        self._loads: dict[Pane, Task] = {}
        self._older: list[InstanceRecord] = []
        self._wanted: InstanceRecord | None = None
        window.middle.addWidget(self.area)
        window.docks["measurements"].setWidget(self.measurements)
        opening.chosen.connect(self.open)
        opening.chosenAsPrior.connect(self.open_prior)
        opening.arrived.connect(self.open)
        opening.forgotten.connect(self.close_all)
        window.closing.connect(self.stop)
        for pane in self.area.panes:
            pane.toolbox.hintChanged.connect(self._hint)
            pane.measured.connect(partial(self._measured, pane))
        self.area.activeChanged.connect(self.tell_available)
        FilmCommands(window, self.area, settings)
        actions = window.actions_
        actions["close_study"].triggered.connect(self.close)
        actions["prior"].triggered.connect(self.hang_prior)
        actions["other_prior"].triggered.connect(self._other_prior)
        actions["next_image"].triggered.connect(lambda: self._step(1))
        actions["previous_image"].triggered.connect(lambda: self._step(-1))
        self.apply_settings()
        self.tell_available()

    def apply_settings(self) -> None:
        """Show films as the settings say."""
        settings = self._settings()
        self.area.linked = settings.linked
        self._window.actions_["linked"].setChecked(settings.linked)
        for pane in self.area.panes:
            pane.view.set_corner_text_level(settings.corner_text)
            pane.view.set_window_direction(settings.window_drag)

    def open(self, record: InstanceRecord) -> None:
        """Show an image as the current film; with its prior, where priors are wanted."""
        if record.kind != "image":
            self._window.messages.tell(_why_not_shown(record), "warning")
            if record.kind in ("result", "other"):
                self._opening.tagsWanted.emit(record)
            return
        self._wanted = record
        self._load(record, self.area.current, self._show_current)

    def open_prior(self, record: InstanceRecord) -> None:
        """Hang a chosen image beside the current film."""
        current = self.area.current.loaded
        if record.kind != "image":
            self._window.messages.tell(_why_not_shown(record), "warning")
        elif current is None:
            self.open(record)
        else:
            warning = prior_warning(current.record, record)
            self._load(record, self.area.prior, partial(self._show_prior, warning))

    def show_made(self, loaded: LoadedImage) -> None:
        """Show an image that comes from no file: the test pattern."""
        self._give_up()
        self._hide_prior()
        self._put(self.area.current, loaded, [], "")
        self.area.current.view.zoom_to(1)  # line pairs mean something pixel on pixel only

    def close(self) -> None:
        """Take the film of the active pane away; the prior goes with the current one."""
        pane = self.area.active
        if pane is self.area.current:
            self.close_all()
        else:
            self._hide_prior()

    def close_all(self) -> None:
        """Take all films away."""
        self._give_up()
        self._hide_prior()
        self.area.current.show_film(None, None)
        self.shown.emit(self.area.current)
        self.tell_available()

    def stop(self) -> None:
        """Let go of all films, before the window and its parts go."""
        self._give_up()
        for pane in self.area.panes:
            pane.show_film(None, None)
        self.measurements.set_model(None)

    def _give_up(self) -> None:
        """Nobody waits for what is being read."""
        for pane in self.area.panes:
            self._forget_load(pane)
        self._wanted = None

    def _forget_load(self, pane: Pane) -> None:
        """Nobody waits for what is being read for a pane."""
        task = self._loads.pop(pane, None)
        if task is not None:
            task.cancel()
            self._window.statusBar().clearMessage()

    @property
    def loading(self) -> bool:
        """Whether an image is being read."""
        return bool(self._loads)

    def cancel(self) -> bool:
        """Give up what is being read; whether there was something."""
        busy = self.loading
        self._give_up()
        return busy

    def tell_available(self, *_: object) -> None:
        """Switch the commands on or off by what the active pane shows."""
        pane = self.area.active
        present: set[str] = set()
        if pane.loaded is not None:
            present.add("image")
        if not self.area.prior.isHidden():
            present.add("prior")
        if pane.answers:
            present.add("answer")
        self._window.actions_.set_available(present)  # type: ignore[arg-type]  # words of Needs
        stack = pane.model.undo_stack if pane.model is not None else None
        self._window.actions_["undo"].setEnabled(stack is not None and stack.canUndo())
        self._window.actions_["redo"].setEnabled(stack is not None and stack.canRedo())
        self.measurements.set_model(pane.model)
        self.changed.emit()

    def _load(self, record: InstanceRecord, pane: Pane, show: Callable[[LoadedImage], None]) -> None:
        self._forget_load(pane)
        self._window.statusBar().showMessage(self.tr("Reading..."))

        def arrived(loaded: LoadedImage) -> None:
            self._loads.pop(pane, None)
            self._window.statusBar().clearMessage()
            show(loaded)

        def failed(words: str) -> None:
            self._loads.pop(pane, None)
            self._window.statusBar().clearMessage()
            self._window.messages.tell(f"{record.name}: {words}")

        self._loads[pane] = run(load, record, on_result=arrived, on_error=failed)

    def _show_current(self, loaded: LoadedImage) -> None:
        self._hide_prior()
        self._put(self.area.current, loaded, self._measured_before(loaded), "")
        self._opening.note_opened(loaded.record)
        if self._window.actions_["prior"].isChecked():
            self.hang_prior(True)

    def _show_prior(self, warning: str, loaded: LoadedImage) -> None:
        current = self.area.current.loaded
        if current is None:
            return
        self.area.show_prior(True)
        title = film_title(self.tr("Prior"), loaded)
        self._put(self.area.prior, loaded, self._measured_before(loaded), title)
        self.area.current.set_title(film_title(self.tr("Current"), current))
        self._window.actions_["prior"].setChecked(True)
        if warning:
            self._window.messages.tell(warning, "warning")

    def hang_prior(self, wanted: bool) -> None:
        """Hang the newest earlier film of the patient beside the current one, or take it away."""
        self._forget_load(self.area.prior)
        current = self.area.current.loaded
        self._older = []
        if not wanted or current is None:
            self._hide_prior()
            return
        self._hang_next(current, self._opening.of_patient(current.record))

    def _hang_next(self, current: LoadedImage, records: list[InstanceRecord]) -> None:
        prior = prior_of(current.record, records)
        if prior is None:
            self._window.messages.tell(
                self.tr("No earlier film of this patient is listed. Open the folder that holds it."), "warning"
            )
            return
        self._older = [record for record in records if record.study_key != prior.record.study_key]
        self._load(prior.record, self.area.prior, partial(self._show_prior, prior.warning))

    def _other_prior(self) -> None:
        current = self.area.current.loaded
        if current is not None:
            self._hang_next(current, self._older)

    def _hide_prior(self) -> None:
        self._forget_load(self.area.prior)  # it was to hang beside the film that is leaving
        if not self.area.prior.isHidden():
            self.area.show_prior(False)
            self.area.current.set_title("")
            self.shown.emit(self.area.prior)
            self.tell_available()

    def _put(self, pane: Pane, loaded: LoadedImage, records: list[dict[str, object]], title: str) -> None:
        try:
            model = MeasurementModel(loaded, records)
        except CxrError as error:
            self._window.messages.tell(self.tr("Measurements of this film are lost: {why}").format(why=error))
            model = MeasurementModel(loaded)
        model.undo_stack.indexChanged.connect(self.tell_available)
        self._window.middle.setCurrentWidget(self.area)
        pane.view.setFocus()  # so that a comment that is being written is kept with the film that it is on
        pane.show_film(loaded, model, title)
        self.shown.emit(pane)  # first of all: whatever is kept of the film before goes
        self.area.activate(pane)
        if loaded.image.notes:
            self._window.messages.tell(f"{file_name(loaded.record)}: {'; '.join(loaded.image.notes)}", "warning")
        self.tell_available()

    def _measured_before(self, loaded: LoadedImage) -> list[dict[str, object]]:
        try:
            return list(self._index.measurements_of(loaded.key))
        except CxrError as error:
            self._window.messages.tell(str(error), "warning")
            return []

    def _measured(self, pane: Pane) -> None:
        """Keep what was measured, at once: so it is there again after whatever happens."""
        loaded, model = pane.loaded, pane.model
        if loaded is None or model is None or not self._settings().keep_index:
            return
        try:
            self._index.put_measurements(loaded.key, lambda stored: merged(stored, model.records(), model.known))
        except CxrError as error:
            self._window.messages.tell(self.tr("Measurements are not kept: {why}").format(why=error))

    def _hint(self, words: str) -> None:
        self._window.statusBar().showMessage(words)

    def _step(self, step: int) -> None:
        current = self.area.current.loaded
        # From what was asked for last: while it is read, and past one that cannot be read.
        place = self._wanted or (current.record if current is not None else None)
        record = self._opening.browser.model.browser.neighbour(place, step)
        if record is None:
            self._window.statusBar().showMessage(self.tr("There is no further image in the list."), 3000)
        else:
            self.open(record)


def _why_not_shown(record: InstanceRecord) -> str:
    return f"{record.name}: {record.reason or 'no image to show'}"
