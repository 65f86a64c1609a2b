"""C-STORE as provider: from a request that nobody has looked at to the sink, and from its answer to a status."""

from __future__ import annotations

import re
from dataclasses import dataclass

from dicom_node.listener.bounded import BoundedCalls
from dicom_node.listener.contexts import STORAGE_CLASSES
from dicom_node.listener.limits import SenderRates
from dicom_node.listener.receive_path import StoreRequest
from dicom_node.received import CANNOT_UNDERSTAND, OUT_OF_RESOURCES, Answer, ReceivedObject, Sink

#: VR UI (PS3.5 6.2). Leading zeros of a component are forbidden (PS3.5 9.1), yet real equipment writes them.
_UID = re.compile(rb"[0-9]+(?:\.[0-9]+)*", re.ASCII)
_MAX_UID_BYTES = 64
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


def uid_text(value: bytes) -> str | None:
    """A UID without its padding (PS3.5 9.1), or None for what is none."""
    value = value.rstrip(b"\0 ")
    return value.decode("ascii") if len(value) <= _MAX_UID_BYTES and _UID.fullmatch(value) else None


def _plain(comment: str) -> str:
    """VR LO of the default repertoire: 64 characters, no control characters, no backslash (PS3.5 6.2)."""
    return "".join(c if " " <= c <= "~" and c != "\\" else "?" for c in comment)[:_MAX_COMMENT_CHARACTERS]
