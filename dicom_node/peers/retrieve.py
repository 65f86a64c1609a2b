"""C-MOVE and C-GET: a peer sends objects to another application, or to us (PS3.4 C.4.2, C.4.3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dicom_node.peers.association import Association, associate
from dicom_node.peers.classes import retrievable
from dicom_node.peers.failure import CallFailed, Cause, Failure
from dicom_node.peers.identifier import GET, MOVE, Keys, identifier, model
from dicom_node.peers.match import Level
from dicom_node.peers.messages import (
    C_GET,
    C_MOVE,
    C_STORE,
    CANNOT_UNDERSTAND,
    MEDIUM,
    OUT_OF_RESOURCES,
    PENDING,
    SHORT_DATA_SET_SYNTAXES,
    SOP_CLASS_NOT_SUPPORTED,
    SUCCESS,
    Message,
    decode,
    encode,
    is_warning,
)
from dicom_node.peers.peer import DEFAULT_TIMEOUTS, Cancel, Peer, Timeouts, check_ae_title
from dicom_node.peers.retrieved import RetrievedObject
from dicom_node.peers.statuses import answered


@dataclass(frozen=True, slots=True)
class SubOperations:
    """How many objects, as the peer counts them (PS3.7 9.1.3.1, 9.1.4.1)."""

    remaining: int = 0
    completed: int = 0
    failed: int = 0
    warning: int = 0


@dataclass(frozen=True, slots=True)
class RetrieveResult:
    """How a C-MOVE or C-GET went."""

    operations: SubOperations
    received: int
    """Objects that C-GET handed over; 0 of C-MOVE."""

    failed_sop_instance_uids: tuple[str, ...]
    """Where the peer names them."""

    failure: Failure | None
    """None: every object that matches has arrived, though none may match."""


def move(
    peer: Peer,
    level: Level,
    keys: Keys,
    destination_ae_title: str,
    *,
    calling_ae_title: str,
    on_progress: Callable[[SubOperations], None] | None = None,
    timeouts: Timeouts = DEFAULT_TIMEOUTS,
    cancel: Cancel | None = None,
) -> RetrieveResult:
    """Have a peer send objects to an application that it knows, such as our listener.

    `keys` are the UIDs, as in {"StudyInstanceUID": uid}. Raises nothing for what the network or the peer does.
    """
    from dicom_node.peers.pdus import Proposal

    check_ae_title(destination_ae_title)
    sop_class = model(MOVE, level)
    run = _Retrieval("C-MOVE", C_MOVE, on_progress, None)
    try:
        proposals = [Proposal(sop_class, SHORT_DATA_SET_SYNTAXES)]
        with associate(peer, calling_ae_title, proposals, timeouts, cancel) as association:
            run.over(association, sop_class, level, keys, MoveDestination=destination_ae_title)
    except CallFailed as error:
        run.failure = error.failure
    return run.result()


def get(
    peer: Peer,
    level: Level,
    keys: Keys,
    to: Callable[[RetrievedObject], None] | Path,
    *,
    calling_ae_title: str,
    extra_sop_classes: Sequence[str] = (),
    on_progress: Callable[[SubOperations], None] | None = None,
    timeouts: Timeouts = DEFAULT_TIMEOUTS,
    cancel: Cancel | None = None,
) -> RetrieveResult:
    """Have a peer send objects to us over the association that asks for them.

    Raises nothing for what the network or the peer does.

    Parameters
    ----------
    to : callable or Path
        Called with each object before the peer is told that we have it; an OSError tells it that we have not. A
        folder gets files named by SOP Instance UID.
    extra_sop_classes : sequence of str, optional
        Classes beside `classes.retrievable`, which has those of radiographs and of results: a peer fails for the
        whole study when it holds an object of a class that was not proposed.
    """
    sop_class = model(GET, level)
    folder = to if isinstance(to, Path) else None
    deliver = to if not isinstance(to, Path) else lambda retrieved: retrieved.write_to(folder)
    run = _Retrieval("C-GET", C_GET, on_progress, deliver)
    try:
        proposals = retrievable(sop_class, extra_sop_classes)
        with associate(peer, calling_ae_title, proposals, timeouts, cancel) as association:
            run.over(association, sop_class, level, keys)
    except CallFailed as error:
        run.failure = error.failure
    return run.result()


class _Retrieval:
    """What both have in common: sub-operations counted, and objects taken where some come."""

    def __init__(
        self,
        service: Literal["C-MOVE", "C-GET"],
        field: int,
        on_progress: Callable[[SubOperations], None] | None,
        deliver: Callable[[RetrievedObject], object] | None,
    ) -> None:
        self._service = service
        self._field = field
        self._on_progress = on_progress
        self._deliver = deliver
        self._operations = SubOperations()
        self._received = 0
        self._failed_uids: tuple[str, ...] = ()
        self._not_kept: OSError | None = None
        self.failure: Failure | None = None

    def result(self) -> RetrieveResult:
        """What has come of it."""
        return RetrieveResult(self._operations, self._received, self._failed_uids, self.failure)

    def over(self, association: Association, sop_class: str, level: Level, keys: Keys, **elements: object) -> None:
        """Ask, and take what comes until the last answer. Raises CallFailed."""
        agreement = association.agreement(sop_class)
        context_id, syntax = agreement.context_id, agreement.transfer_syntax
        data = encode(identifier(level, keys), syntax)
        message_id = association.ask(
            context_id, self._field, data, AffectedSOPClassUID=sop_class, Priority=MEDIUM, **elements
        )
        with association.cancelling(context_id, message_id):
            while True:
                message = association.receive(f"answer to {self._service}")
                if message.field == C_STORE:
                    association.answer(message, self._take(association, message))
                    continue
                association.check_answer(message, message_id, self._field)
                self._count(message)
                if message.status not in PENDING:
                    self._conclude(message, syntax)
                    return

    def _take(self, association: Association, message: Message) -> int:
        """Hand an object over; the status to answer."""
        syntaxes = {a.context_id: a.transfer_syntax for a in association.agreements}
        command = message.command
        if self._deliver is None or message.context_id not in syntaxes:
            return SOP_CLASS_NOT_SUPPORTED
        if not message.data:
            return CANNOT_UNDERSTAND
        retrieved = RetrievedObject(
            str(command.get("AffectedSOPClassUID", "")),
            str(command.get("AffectedSOPInstanceUID", "")),
            syntaxes[message.context_id],
            memoryview(message.data),
        )
        try:
            self._deliver(retrieved)
        except OSError as error:
            self._not_kept = error
            return OUT_OF_RESOURCES
        self._received += 1
        return SUCCESS

    def _count(self, message: Message) -> None:
        names = ("Remaining", "Completed", "Failed", "Warning")
        counts = (message.command.get(f"NumberOf{name}Suboperations") for name in names)
        self._operations = SubOperations(*(count if isinstance(count, int) else 0 for count in counts))
        if self._on_progress is not None:
            self._on_progress(self._operations)

    def _conclude(self, message: Message, syntax: str) -> None:
        """Success, or the failure that the last answer means."""
        status, operations = message.status or SUCCESS, self._operations
        if message.data:
            uids = decode(message.data, syntax).get("FailedSOPInstanceUIDList") or ()
            self._failed_uids = (str(uids),) if isinstance(uids, str) else tuple(map(str, uids))
        if self._not_kept is not None:
            reason = self._not_kept.strerror or type(self._not_kept).__name__
            self.failure = Failure(Cause.OURS, f"an object that came could not be kept: {reason}")
        elif status == SUCCESS and not operations.failed:
            self.failure = None
        elif status == SUCCESS or is_warning(status):
            total = operations.completed + operations.failed + operations.warning
            words = f"the peer could not send {operations.failed} of {total} objects"
            self.failure = Failure(Cause.STATUS, words, status, message.comment)
        else:
            raise answered(self._service, status, message.comment)
