"""Between the model, its panel, the index and the view: asks when the reader asks, and keeps what both said."""

from __future__ import annotations

import time
from collections.abc import Callable

from PySide6.QtCore import QObject, Signal

from cxr_desktop.panels.ai_panel import AiPanel
from cxr_desktop.state.ai_reading import Reading
from cxr_desktop.state.answers import Answer
from cxr_desktop.state.index import Index
from cxr_desktop.state.kept_answers import kept
from cxr_desktop.state.opinion import Judgement, Opinion, ReadingClock, opinion_words
from cxr_desktop.state.records import LoadedImage
from cxr_desktop.state.settings import HeatMapSettings
from cxr_desktop.views.heat_map import HeatMapLayer
from cxr_desktop.workers.inference import Inference
from cxr_desktop.workers.task import run


class AiDesk(QObject):
    """One image at a time. Its methods are the commands of the menu "AI".

    Signals
    -------
    heatMapChanged(layer: HeatMapLayer or None)
        What the view has to draw over the image.
    answersChanged(answers: tuple of Answer)
        All that there are of the image on screen.
    mapSettingsChanged(settings: HeatMapSettings)
        The reader wants maps drawn so: to be kept.
    cardRequested(model: str or None)
        The card of a model, by the name it was asked under.
    told(words: str)
        Something that could not be kept.

    Parameters
    ----------
    inference : Inference
        Asked.
    panel : AiPanel
        Shows, and takes what the reader wants.
    index : Index or None
        Keeps answers and opinions; None where nothing is to be kept.
    clock : callable
        Seconds of a monotonic clock.
    """

    heatMapChanged = Signal(object)
    answersChanged = Signal(object)
    mapSettingsChanged = Signal(object)
    cardRequested = Signal(object)
    told = Signal(str)

    def __init__(
        self,
        inference: Inference,
        panel: AiPanel,
        index: Index | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(panel)
        self.models: tuple[str | None, str | None] = (None, "mobilenetv2")
        """The model that is asked, and the one beside it."""

        self.index = index
        self._inference, self._panel, self._clock = inference, panel, clock
        self._image: LoadedImage | None = None
        self._reading = Reading()
        self._reading_clock = ReadingClock()
        self._tickets: dict[int, int] = {}
        self._map_settings = HeatMapSettings()
        inference.progress.connect(self._on_progress)
        inference.answered.connect(self._on_answered)
        inference.failed.connect(self._on_failed)
        panel.askRequested.connect(self.ask)
        panel.bothRequested.connect(self.ask_both)
        panel.cancelRequested.connect(self.cancel)
        panel.mapToggled.connect(self._toggle_map_of)
        panel.mapLabelChosen.connect(lambda number, label: self._show(self._reading.with_map(number, label)))
        panel.cardRequested.connect(lambda number: self.cardRequested.emit(self._reading.models[number].model))
        panel.mapSettingsChanged.connect(self._change_map_settings)
        panel.judged.connect(self._judged)

    @property
    def reading(self) -> Reading:
        """What was asked about the image on screen."""
        return self._reading

    @property
    def running(self) -> bool:
        """Whether a model is at work for the image on screen."""
        return self._reading.running

    def set_map_settings(self, settings: HeatMapSettings) -> None:
        """Draw maps so."""
        self._map_settings = settings
        self._panel.set_map_settings(settings)
        self._tell_map()

    def show_image(self, image: LoadedImage | None, *, ask: bool = False) -> None:
        """Another image, or none, is on screen; `ask` is the setting "analyse on open"."""
        self._forget()
        self._image = image
        if image is None:
            self._reading_clock.nothing_shown()
        else:
            self._reading_clock.image_shown(self._clock())
        self._panel.feedback.begin()
        self._show(Reading(has_image=image is not None))
        if ask:
            self.ask()

    def ask(self) -> None:
        """Ask the model about the image on screen."""
        self._ask(self.models[0])

    def ask_both(self) -> None:
        """Ask both models."""
        self._ask(*self.models)

    def cancel(self) -> None:
        """Ask no more; the process is ended where it is at work."""
        tickets, self._tickets = self._tickets, {}
        for ticket in reversed(tickets):  # what waits first, so that it is not begun
            self._inference.cancel(ticket)
        if self._reading.running:
            self._show(self._reading.cancelled())

    def toggle_map(self) -> None:
        """Show or hide a map: the one that is shown, else that of the first model with one."""
        models = self._reading.models
        shown = self._reading.shown_map
        with_map = [
            number for number, reading in enumerate(models) if reading is shown or (not shown and reading.map_labels)
        ]
        if with_map:
            self._toggle_map_of(with_map[0])

    def toggle_contour(self) -> None:
        """Draw or leave out the line at half of the map's maximum."""
        self._panel.map_controls.contour.toggle()

    def judge(self, judgement: Judgement) -> None:
        """Keep the reader's opinion, with the comment that stands in the panel."""
        self._panel.feedback.judge(judgement)

    def comment(self) -> None:
        """Put the cursor into the comment."""
        self._panel.feedback.comment.setFocus()

    def _ask(self, *models: str | None) -> None:
        if self._image is None or self._reading.running:
            return
        self._show(self._reading.asked(models))
        for number, model in enumerate(models):
            self._tickets[self._inference.ask(self._image, model)] = number

    def _forget(self) -> None:
        tickets, self._tickets = self._tickets, {}
        for ticket in tickets:
            self._inference.forget(ticket)

    def _on_progress(self, ticket: int, words: str) -> None:
        if ticket in self._tickets:
            self._show(self._reading.at_stage(self._tickets[ticket], words))

    def _on_answered(self, ticket: int, answer: Answer) -> None:
        if ticket in self._tickets:
            self._reading_clock.answer_shown(self._clock())
            self._show(self._reading.answered(self._tickets.pop(ticket), answer))
            self.answersChanged.emit(self._reading.answers)
            assert self._image is not None
            row = kept(self._image.record.key, answer)
            if self.index is not None and row is not None:
                run(self.index.put_answer, row, on_error=self.told.emit)

    def _on_failed(self, ticket: int, words: str) -> None:
        if ticket in self._tickets:
            self._show(self._reading.failed(self._tickets.pop(ticket), words))

    def _toggle_map_of(self, number: int) -> None:
        self._show(self._reading.map_toggled(number))

    def _change_map_settings(self, settings: HeatMapSettings) -> None:
        self._map_settings = settings
        self._tell_map()
        self.mapSettingsChanged.emit(settings)

    def _judged(self, judgement: Judgement, comment: str, number: int) -> None:
        if self._image is None:
            return
        models = self._reading.models
        identity = models[number].identity if number < len(models) else None
        uid = self._image.image.facts.sop_instance_uid
        opinion = self._reading_clock.opinion(judgement, comment, uid, identity, self._clock())
        self._keep(self._image, opinion)

    def _keep(self, image: LoadedImage, opinion: Opinion) -> None:
        words = opinion_words(opinion)
        if self.index is None:
            self._panel.feedback.show_note(self.tr("{0} (not kept: the settings say so)").format(words))
            return

        def done(_: object) -> None:
            if self._image is image:
                self._panel.feedback.show_note(words)

        def failed(why: str) -> None:
            if self._image is image:
                self._panel.feedback.show_note(self.tr("Not kept: {0}").format(why))
            self.told.emit(why)

        run(self.index.put_opinion, image.key, opinion.to_json(), on_result=done, on_error=failed)

    def _show(self, reading: Reading) -> None:
        """The panel and the view as the reading says."""
        before, self._reading = self._reading, reading
        self._panel.show_reading(reading)
        if reading.shown_map is not before.shown_map:
            self._tell_map()
        if before.answers and not reading.answers:
            self.answersChanged.emit(())

    def _tell_map(self) -> None:
        shown = self._reading.shown_map
        if shown is None or shown.cam is None or shown.map_label is None:
            self.heatMapChanged.emit(None)
            return
        settings = self._map_settings
        self.heatMapChanged.emit(
            HeatMapLayer(
                shown.cam,
                shown.map_label if len(self._reading.models) < 2 else f"{shown.map_label} ({shown.title})",
                settings.opacity,
                settings.threshold,
                settings.colour_map,
                settings.contour,
                settings.legend,
            )
        )
