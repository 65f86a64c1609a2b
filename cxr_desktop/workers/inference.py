"""The models behind Qt signals: they answer, describe themselves and encode in a process of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from cxr_core.settings import Settings
from cxr_desktop.workers.child import ChildProcess
from cxr_desktop.workers.inference_messages import Ask, Describe, Encode, ListModels, Stage, StudyImage, Warm

if TYPE_CHECKING:
    from cxr_core.results.records import PreviousReport, ResultChoice
    from cxr_desktop.state.records import LoadedImage

MODULE = "cxr_desktop.workers.inference_child"


class Inference(QObject):
    """One inference process; nothing runs until something is asked.

    Every request has a ticket. It gets one `answered`, `described`, `listed` or `encoded`, by what was asked, or one
    `failed`; a cancelled one gets nothing. They are answered in the order in which they were asked.

    Signals
    -------
    progress(ticket: int, words: str)
        What is being done.
    answered(ticket: int, answer: cxr_desktop.state.answers.Answer)
        Predicted, refused or failed, by the image.
    described(ticket: int, description: ModelDescription)
    listed(ticket: int, names: tuple of str)
        Of the models that there are, the default one first.
    encoded(ticket: int, objects: list of cxr_core.results.records.ResultObject)
    failed(ticket: int, words: str)
        The model cannot be used, or the process ended meanwhile; the words say what to do.

    Parameters
    ----------
    settings : cxr_core.settings.Settings
        Population and prevalence hold for everything that is asked later.
    """

    progress = Signal(int, str)
    answered = Signal(int, object)
    described = Signal(int, object)
    listed = Signal(int, object)
    encoded = Signal(int, object)
    failed = Signal(int, str)

    def __init__(self, settings: Settings, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.settings = settings
        self._child = ChildProcess(MODULE, self)
        self._requests: dict[int, object] = {}
        self._warmed: list[str | None] = []
        self._child.replied.connect(self._replied)
        self._child.finished.connect(self._finished)
        self._child.failed.connect(self._failed)

    @property
    def pid(self) -> int | None:
        """Process id of the child; None while there is none."""
        return self._child.pid

    @property
    def busy(self) -> bool:
        """Whether something that was asked has not been answered."""
        return any(not isinstance(request, Warm) for request in self._requests.values())

    def warm(self, model: str | None) -> None:
        """Start the process and load a model, so that the first question does not wait for it."""
        if model not in self._warmed:
            self._warmed.append(model)
        self._put(Warm(model, self.settings))

    def ask(self, image: LoadedImage | str, model: str | None) -> int:
        """Ask a model for its answer to an image; the ticket.

        Parameters
        ----------
        image : LoadedImage or str
            An image that is open, or the name of a file as InstanceRecord.name has it.
        model : str or None
            Name or folder of a bundle; None for the default.
        """
        if isinstance(image, str):
            return self._put(Ask(image, None, model, self.settings))
        return self._put(Ask(image.record.name, image.content, model, self.settings))

    def describe(self, model: str | None) -> int:
        """Ask for a model's manifest and card."""
        return self._put(Describe(model))

    def list_models(self) -> int:
        """Ask which models there are."""
        return self._put(ListModels())

    def encode(
        self,
        images: Sequence[StudyImage],
        choice: ResultChoice,
        producer: str,
        previous: PreviousReport | None = None,
    ) -> int:
        """Have the result objects of one study made; every image of it, refused and failed ones too.

        `producer` is 1 to 64 characters of ASCII, and `previous` the SR that the new one supersedes.
        """
        return self._put(Encode(tuple(images), choice, producer, previous))

    def cancel(self, ticket: int) -> None:
        """Drop a request. Where it is being worked on, the process is ended, and a new one goes on with the others."""
        if self._requests.pop(ticket, None) is None:
            return
        # What was to be done beside it goes, too: a process that hangs in it would never come to the next question.
        beside = {one: request for one, request in self._requests.items() if isinstance(request, Warm | ListModels)}
        pid = self.pid
        for dropped in (*beside, ticket):
            self._requests.pop(dropped, None)
            self._child.cancel(dropped)
        again = [request for request in beside.values() if isinstance(request, ListModels)]
        ended = pid is not None and self.pid is None
        models = self._warmed if ended else [one.model for one in beside.values() if isinstance(one, Warm)]
        for request in (*again, *(Warm(model, self.settings) for model in models)):
            self._put(request)

    def forget(self, ticket: int) -> None:
        """Hear no more of a request; what is being worked on is finished, so that the model stays loaded."""
        if self._requests.pop(ticket, None) is not None:
            self._child.forget(ticket)

    def stop(self) -> None:
        """End the process; nothing more is heard of what was asked."""
        self._requests.clear()
        self._child.stop()

    def _put(self, request: object) -> int:
        ticket = self._child.ask(request)
        self._requests[ticket] = request
        return ticket

    def _replied(self, ticket: int, reply: object) -> None:
        if isinstance(reply, Stage):
            self.progress.emit(ticket, reply.words)
            return
        request = self._requests[ticket]
        if isinstance(request, Ask):
            self.answered.emit(ticket, reply)
        elif isinstance(request, Describe):
            self.described.emit(ticket, reply)
        elif isinstance(request, ListModels):
            self.listed.emit(ticket, reply)
        elif isinstance(request, Encode):
            self.encoded.emit(ticket, reply)

    def _finished(self, ticket: int) -> None:
        self._requests.pop(ticket, None)

    def _failed(self, ticket: int, words: str) -> None:
        request = self._requests.pop(ticket)
        if not isinstance(request, Warm):  # whoever asks will hear it
            self.failed.emit(ticket, words)
