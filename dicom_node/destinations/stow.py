"""A DICOMweb service as destination: STOW-RS, asked by QIDO-RS, and by WADO-RS where it says that it has an object."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from dicom_node.destinations.asking import ask, duplicate
from dicom_node.destinations.dicom import outcome_of
from dicom_node.destinations.outcome import Outcome, Outgoing
from dicom_node.peers import Cancel, Failure, FindResult, Level, Sent, WebService, find_web, get_web, store_web


class StowDestination:
    """Sends to one service.

    Parameters
    ----------
    service : WebService
        What we call.
    may_ask : bool
        Whether it is asked after an attempt of unknown outcome.
    """

    def __init__(self, service: WebService, *, may_ask: bool) -> None:
        self._service = service
        self._may_ask = may_ask
        self._cancel = Cancel()

    def ask(self, objects: Sequence[Outgoing]) -> dict[str, Outcome]:
        """Ask by QIDO-RS which objects are there."""
        return ask(objects, self._find if self._may_ask else None)

    def _find(self, keys: Mapping[str, str | Sequence[str]]) -> FindResult:
        return find_web(self._service, Level.IMAGE, keys, cancel=self._cancel)

    def send(self, objects: Sequence[Outgoing], settle: Callable[[str, Outcome], None]) -> None:
        """Send all in one request; what the service says it has already is looked at afterwards."""
        duplicates = []
        outcomes = store_web(self._service, [sent.path for sent in objects], cancel=self._cancel)
        for sent, outcome in zip(objects, outcomes, strict=True):
            if outcome.result is Sent.DUPLICATE:
                duplicates.append(sent)
            else:
                settle(sent.sop_instance_uid, outcome_of(outcome))
        for sent in duplicates:
            settle(sent.sop_instance_uid, self._duplicate(sent))

    def _duplicate(self, sent: Outgoing) -> Outcome:
        """Look at what the service has."""
        uids = sent.study_instance_uid, sent.series_instance_uid, sent.sop_instance_uid
        got = get_web(self._service, *uids, cancel=self._cancel)
        return duplicate(sent, [] if got.data_set is None else [got.data_set], got.failure)

    def look(self) -> Failure | None:
        """Why the service does not answer a small query; None when it does."""
        return find_web(self._service, Level.STUDY, {}, limit=1, cancel=self._cancel).failure

    def stop(self) -> None:
        """Leave the request that is open."""
        self._cancel.set()
