"""A DICOM application as destination: C-STORE, asked by C-FIND, and by C-GET where it says that it has an object."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence

import pydicom
from pydicom.dataset import Dataset

from dicom_node.destinations.asking import ask, duplicate, was_reached
from dicom_node.destinations.outcome import Fate, Outcome, Outgoing
from dicom_node.peers import (
    Cancel,
    FindResult,
    Level,
    Peer,
    RetrievedObject,
    Sent,
    StoreOutcome,
    find,
    get,
    store,
)


class DicomDestination:
    """Sends to one peer.

    Parameters
    ----------
    peer : Peer
        Whom we call.
    calling_ae_title : str
        Our own AE title.
    may_ask : bool
        Whether it is asked after an attempt of unknown outcome.
    """

    def __init__(self, peer: Peer, calling_ae_title: str, *, may_ask: bool) -> None:
        self._peer = peer
        self._calling = calling_ae_title
        self._may_ask = may_ask
        self._cancel = Cancel()

    def ask(self, objects: Sequence[Outgoing]) -> dict[str, Outcome]:
        """Ask by C-FIND which objects are there."""
        return ask(objects, self._find if self._may_ask else None)

    def _find(self, keys: Mapping[str, str | Sequence[str]]) -> FindResult:
        return find(self._peer, Level.IMAGE, keys, calling_ae_title=self._calling, cancel=self._cancel)

    def send(self, objects: Sequence[Outgoing], settle: Callable[[str, Outcome], None]) -> None:
        """Send over one association; what the peer says it has already is looked at afterwards."""
        duplicates = []

        def told(index: int, outcome: StoreOutcome) -> None:
            if outcome.result is Sent.DUPLICATE:
                duplicates.append(objects[index])
            else:
                settle(objects[index].sop_instance_uid, outcome_of(outcome))

        store(
            self._peer,
            [sent.path for sent in objects],
            calling_ae_title=self._calling,
            cancel=self._cancel,
            on_outcome=told,
        )
        for sent in duplicates:
            settle(sent.sop_instance_uid, self._duplicate(sent))

    def _duplicate(self, sent: Outgoing) -> Outcome:
        """Look at what the peer has, by C-GET."""
        there: list[Dataset] = []

        def look(retrieved: RetrievedObject) -> None:
            there.append(_data_set(retrieved))

        keys = {
            "StudyInstanceUID": sent.study_instance_uid,
            "SeriesInstanceUID": sent.series_instance_uid,
            "SOPInstanceUID": sent.sop_instance_uid,
        }
        got = get(self._peer, Level.IMAGE, keys, look, calling_ae_title=self._calling, cancel=self._cancel)
        return duplicate(sent, there, got.failure)

    def stop(self) -> None:
        """Abort the association that is open."""
        self._cancel.set()


def _data_set(retrieved: RetrievedObject) -> Dataset:
    """What came back; empty where it cannot be parsed."""
    try:
        return pydicom.dcmread(io.BytesIO(retrieved.file_head() + retrieved.data_set))
    except Exception:  # noqa: BLE001  # pydicom raises many kinds on damage
        return Dataset()


def outcome_of(outcome: StoreOutcome) -> Outcome:
    """The fate behind what a call tells."""
    reached = outcome.failure is None or was_reached(outcome.failure)
    if outcome.is_delivered:
        return Outcome(Fate.DELIVERED, outcome.words)
    if outcome.result is Sent.UNKNOWN:
        return Outcome(Fate.UNKNOWN, outcome.words, reached)
    return Outcome(Fate.NOT_THERE, outcome.words, reached)
