"""The models in the window: the panel for the current film, the prior's score under the prior, cards, warm-up."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, Signal

from cxr_core.settings import Settings
from cxr_desktop.panels.ai_desk import AiDesk
from cxr_desktop.panels.ai_panel import AiPanel
from cxr_desktop.panels.model_card import ModelCardPanel
from cxr_desktop.state.answers import Answer, list_words
from cxr_desktop.state.index import Index
from cxr_desktop.state.kept_answers import kept
from cxr_desktop.state.settings import HeatMapSettings, ViewerSettings
from cxr_desktop.views.heat_map import HeatMapLayer
from cxr_desktop.window.main_window import MainWindow
from cxr_desktop.window.opening import Opening
from cxr_desktop.window.pane import Pane
from cxr_desktop.window.viewing import Viewing
from cxr_desktop.workers.inference import Inference
from cxr_desktop.workers.inference_messages import ModelDescription
from cxr_desktop.workers.task import run

#: Commands whose keys stand on the panel's buttons.
_KEYS = ("ask", "ask_both", "show_map", "cancel", "agree", "reject", "unsure", "comment")


class Answering(QObject):
    """Wires the inference process, its panel and the films.

    Signals
    -------
    modelsListed(tuple of str)
        The models on this machine, the default one first.
    """

    modelsListed = Signal(object)

    def __init__(
        self,
        window: MainWindow,
        opening: Opening,
        viewing: Viewing,
        index: Index,
        settings: Callable[[], ViewerSettings],
        change: Callable[..., None],
    ) -> None:
        super().__init__(window)
        self._window, self._opening, self._viewing, self._index = window, opening, viewing, index
        self._settings, self._change = settings, change
        self.inference = Inference(_core_settings(settings()), self)
        self.panel = AiPanel(window)
        self.desk = AiDesk(self.inference, self.panel, index)
        self.card = ModelCardPanel(window)
        self._prior_ticket: int | None = None
        self._card_ticket: int | None = None
        window.docks["ai"].setWidget(self.panel)
        window.docks["model_card"].setWidget(self.card)
        window.closing.connect(self.inference.stop)
        viewing.shown.connect(self._film_shown)
        opening.forgotten.connect(lambda: self.desk.show_image(None))
        desk = self.desk
        desk.heatMapChanged.connect(self._draw_map)
        desk.answersChanged.connect(self._answered)
        desk.mapSettingsChanged.connect(self._map_settings_changed)
        desk.cardRequested.connect(self._show_card)
        desk.told.connect(lambda words: window.messages.tell(words, "warning"))
        self.inference.answered.connect(self._prior_answered)
        self.inference.failed.connect(self._failed)
        self.inference.described.connect(self._described)
        self.inference.listed.connect(lambda _, names: self.modelsListed.emit(names))
        for name, slot in (
            ("ask", self.ask),
            ("ask_both", self.ask_both),
            ("show_map", desk.toggle_map),
            ("contour", desk.toggle_contour),
            ("agree", lambda: desk.judge("agree")),
            ("reject", lambda: desk.judge("reject")),
            ("unsure", lambda: desk.judge("unsure")),
            ("comment", self._comment),
        ):
            window.actions_[name].triggered.connect(lambda _=False, slot=slot: slot())
        window.actions_["analyse_on_open"].triggered.connect(lambda on: change(analyse_on_open=on))
        self.apply_settings()
        self.inference.list_models()

    def apply_settings(self) -> None:
        """Ask and draw as the settings say."""
        settings = self._settings()
        self.inference.settings = _core_settings(settings)
        self.desk.models = (settings.model, settings.second_model)
        self.desk.index = self._index if settings.keep_index else None
        self.desk.set_map_settings(settings.heat_map)
        self._window.actions_["contour"].setChecked(settings.heat_map.contour)
        self._window.actions_["analyse_on_open"].setChecked(settings.analyse_on_open)
        self.panel.set_keys({name: self._window.actions_[name].shortcut().toString() for name in _KEYS})

    def ask(self) -> None:
        """Ask the model about the current film, and about the prior beside it."""
        self._window.docks["ai"].show()
        self.desk.ask()
        self._ask_prior()

    def ask_both(self) -> None:
        """Ask both models about the current film."""
        self._window.docks["ai"].show()
        self.desk.ask_both()

    def cancel(self) -> bool:
        """Stop what is being asked; whether something was."""
        running = self.desk.running or self._prior_ticket is not None
        self.desk.cancel()
        if self._prior_ticket is not None:
            self.inference.cancel(self._prior_ticket)
            self._prior_ticket = None
            self._viewing.area.prior.set_answers([])
        return running

    def _comment(self) -> None:
        self._window.docks["ai"].show()
        self._window.docks["ai"].raise_()
        self.desk.comment()

    def _film_shown(self, pane: Pane) -> None:
        area = self._viewing.area
        if pane is area.current:
            self.desk.show_image(pane.loaded, ask=pane.loaded is not None and self._settings().analyse_on_open)
            if pane.loaded is not None:
                self.inference.warm(self._settings().model)
        else:
            self._prior_ticket = None
            if self.desk.reading.answers:
                self._ask_prior()

    def _ask_prior(self) -> None:
        prior = self._viewing.area.prior
        if prior.loaded is not None and not prior.isHidden() and not prior.answers:
            self._prior_ticket = self.inference.ask(prior.loaded, self._settings().model)
            prior.set_waiting()

    def _prior_answered(self, ticket: int, answer: Answer) -> None:
        if ticket != self._prior_ticket:
            return
        self._prior_ticket = None
        pane = self._viewing.area.prior
        if pane.loaded is None:
            return
        self._take(pane, (answer,))
        self.keep(pane.loaded.record.key, answer)

    def keep(self, key: str, answer: Answer) -> None:
        """Remember an answer under InstanceRecord.key, where the settings let anything be remembered."""
        row = kept(key, answer)
        if row is not None and self.desk.index is not None:
            run(self.desk.index.put_answer, row, on_error=self.desk.told.emit)

    def _answered(self, answers: tuple[Answer, ...]) -> None:
        self._take(self._viewing.area.current, answers)

    def _take(self, pane: Pane, answers: tuple[Answer, ...]) -> None:
        pane.set_answers(list(answers))
        if pane.loaded is not None and answers:
            self._opening.browser.set_answer_state(pane.loaded.record.name, list_words(answers))
        self._viewing.tell_available()

    def _draw_map(self, layer: HeatMapLayer | None) -> None:
        self._viewing.area.current.view.set_heat_map(layer)

    def _map_settings_changed(self, settings: HeatMapSettings) -> None:
        self._change(heat_map=settings)

    def _show_card(self, model: str | None) -> None:
        self._card_ticket = self.inference.describe(model)
        self._window.docks["model_card"].show()
        self._window.docks["model_card"].raise_()

    def _described(self, ticket: int, description: ModelDescription) -> None:
        if ticket == self._card_ticket:
            self.card.show_description(description)

    def _failed(self, ticket: int, words: str) -> None:
        if ticket in (self._prior_ticket, self._card_ticket):
            self._window.messages.tell(words)
            if ticket == self._prior_ticket:
                self._prior_ticket = None
                self._viewing.area.prior.set_answers([])


def _core_settings(settings: ViewerSettings) -> Settings:
    return Settings(population=settings.population, prevalence=settings.prevalence)
