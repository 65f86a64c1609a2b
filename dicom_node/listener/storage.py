"""C-STORE as provider: from a request that nobody has looked at to the sink, and from its answer to a status."""

from __future__ import annotations

from dataclasses import dataclass

from dicom_node.listener.bounded import BoundedCalls
from dicom_node.listener.contexts import STORAGE_CLASSES
from dicom_node.listener.limits import SenderRates
from dicom_node.listener.receive_path import StoreRequest
from dicom_node.listener.uids import uid_text
from dicom_node.received import CANNOT_UNDERSTAND, OUT_OF_RESOURCES, Answer, ReceivedObject, Sink

_MAX_COMMENT_CHARACTERS = 64


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sends, as admitted."""

    calling_ae_title: str
    called_ae_title: str
    address: str
    sender: str
    """Under this name its objects are counted."""


class Storage:
    """Answers C-STORE requests; never raises."""

    def __init__(self, sink: Sink, rates: SenderRates, calls: BoundedCalls) -> None:
        self._sink = sink
        self._rates = rates
        self._calls = calls

    def has_space(self) -> bool:
        """Whether the sink has room, and says so in time."""
        try:
            return bool(self._calls.run(self._sink.has_space))
        except BaseException:  # noqa: BLE001  # a sink that cannot say has none
            return False

    def answer(self, request: StoreRequest, caller: Caller) -> Answer:
        """Hand the object on, or say why not."""
        if not self._rates.allows(caller.sender):
            return Answer(OUT_OF_RESOURCES, "too many objects a minute; try again")
        sop_class, sop_instance = uid_text(request.sop_class_uid), uid_text(request.sop_instance_uid)
        if sop_class is None or sop_class not in STORAGE_CLASSES or sop_class != request.abstract_syntax:
            return Answer(CANNOT_UNDERSTAND, "SOP class is not that of the presentation context")
        if sop_instance is None:
            return Answer(CANNOT_UNDERSTAND, "Affected SOP Instance UID is not a UID")
        if not request.memory.length:
            return Answer(CANNOT_UNDERSTAND, "request without data set")
        received = ReceivedObject(
            sop_class_uid=sop_class,
            sop_instance_uid=sop_instance,
            transfer_syntax_uid=request.transfer_syntax,
            calling_ae_title=caller.calling_ae_title,
            called_ae_title=caller.called_ae_title,
            address=caller.address,
            data_set=request.memory.whole(),
        )
        try:
            answer = self._calls.run(lambda: self._sink.accept(received))
            return Answer(int(answer.status), _plain(answer.comment))
        except TimeoutError:
            return Answer(OUT_OF_RESOURCES, "not stored in time; try again")
        except BaseException:  # noqa: BLE001  # SystemExit of a sink too: the sender gets an answer whatever happens
            return Answer(OUT_OF_RESOURCES, "not stored, the node failed; try again")


def _plain(comment: str) -> str:
    """VR LO of the default repertoire: 64 characters, no control characters, no backslash (PS3.5 6.2)."""
    return "".join(c if " " <= c <= "~" and c != "\\" else "?" for c in comment)[:_MAX_COMMENT_CHARACTERS]
