"""One association as the node conducts it: admission, objects, storage commitment, and what is told about it."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from pydicom.uid import UID
from pynetdicom import AE, evt
from pynetdicom.pdu_primitives import A_ASSOCIATE
from pynetdicom.presentation import PresentationContext
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from dicom_node.listener.acceptor import AcceptingAssociation
from dicom_node.listener.admission import NO_SPACE, TOO_MANY, Admission, Admitted, Rejection
from dicom_node.listener.commitment import SOP_CLASS_UID, SOP_INSTANCE_UID, Commitment, event_information
from dicom_node.listener.contexts import offered_contexts
from dicom_node.listener.events import NEVER_SPOKE, ListenerEvent, Tell
from dicom_node.listener.message_memory import MemoryBudget
from dicom_node.listener.receive_path import ReceiveLimits, StoreRequest
from dicom_node.listener.storage import Caller, Storage
from dicom_node.listener.tls import handshake
from dicom_node.received import SUCCESS, Answer, CommitmentReport

_MAX_TRANSACTIONS = 1000
_MAX_NAMES = 5


@dataclass(frozen=True, eq=False, slots=True)
class Services:
    """What all associations of a listener share."""

    ae: AE
    limits: ReceiveLimits
    budget: MemoryBudget
    tls: ssl.SSLContext | None
    admission: Admission
    storage: Storage
    commitment: Commitment | None
    tell: Tell

    def offered(self, admitted: Admitted) -> list[PresentationContext]:
        """The presentation contexts of a caller."""
        return offered_contexts(storage=admitted.may_send, commitment=self.commitment is not None)


class _Report:
    """A storage commitment report on its way to the association's thread and back."""

    def __init__(self, report: CommitmentReport) -> None:
        self.report = report
        self.acknowledged = False
        self.done = threading.Event()


class ServedAssociation(AcceptingAssociation):
    """From the connection to its end."""

    def __init__(
        self,
        services: Services,
        connection: socket.socket,
        address: str,
        above_limit: bool,
        forget: Callable[[ServedAssociation], None],
    ) -> None:
        super().__init__(services.ae, connection, services.limits, services.budget)
        self.name = f"cxr-node-association-{address}"
        self._services = services
        self.address = address
        self._above_limit = above_limit
        self._forget = forget
        self._caller = Caller("", services.ae.ae_title, address, "")
        self._since = time.monotonic()
        self._objects = self._bytes = 0
        self._judged = self._opened = self._is_probe = False
        self._transactions: deque[str] = deque(maxlen=_MAX_TRANSACTIONS)
        self._reports: deque[_Report] = deque()
        self._reports_lock = threading.Lock()
        if services.commitment is not None:
            self.bind(evt.EVT_N_ACTION, self._on_commitment_request)
            self.bind(evt.EVT_N_EVENT_REPORT, self._on_commitment_report)

    def secured(self, connection: socket.socket) -> socket.socket:
        """After the TLS handshake, where the settings ask for TLS."""
        tls = self._services.tls
        return connection if tls is None else handshake(connection, tls, self._limits.acse_seconds)

    def admit(self, request: A_ASSOCIATE) -> tuple[int, int, int] | list[PresentationContext]:
        """Judge an association request."""
        calling, address = request.calling_ae_title.strip(), self._caller.address
        self._caller = Caller(calling, self.ae.ae_title, address, "")
        verdict = self._judge(request.called_ae_title, calling, address)
        self._judged = True
        if isinstance(verdict, Rejection):
            self._tell("refused", verdict.reason)
            return verdict.result, verdict.source, verdict.diagnostic
        self._caller = Caller(calling, self.ae.ae_title, address, verdict.sender)
        offered = self._services.offered(verdict)
        proposed = request.presentation_context_definition_list
        self._opened, self._is_probe = True, all(one.abstract_syntax == Verification for one in proposed)
        self._tell("opened", nothing_in_common(proposed, offered))
        return offered

    def _judge(self, called: str, calling: str, address: str) -> Admitted | Rejection:
        if self._above_limit:
            return TOO_MANY
        verdict = self._services.admission.judge(called, calling, address)
        if isinstance(verdict, Admitted) and not self._services.storage.has_space():
            return NO_SPACE
        return verdict

    def store(self, request: StoreRequest) -> Answer:
        """Hand an object to the sink."""
        answer = self._services.storage.answer(request, self._caller)
        if answer.status == SUCCESS:
            self._objects += 1
        else:
            self._tell("declined", answer.comment, answer.status)
        self._bytes += request.memory.length
        return answer

    def _on_commitment_request(self, event: evt.Event) -> tuple[int, None]:
        assert self._services.commitment is not None
        status, transaction = self._services.commitment.requested(
            event, self._caller.calling_ae_title, self._caller.address
        )
        if status == SUCCESS:
            self._transactions.append(transaction)
        return status, None

    def _on_commitment_report(self, event: evt.Event) -> tuple[int, None]:
        assert self._services.commitment is not None
        return self._services.commitment.reported(event, self._caller.calling_ae_title), None

    def report(self, report: CommitmentReport) -> bool:
        """Tell the peer what it asked for over this association; False when it has ended or does not listen.

        From any thread but the association's own.
        """
        waiting = _Report(report)
        with self._reports_lock:
            if not self.is_established or report.transaction_uid not in self._transactions:
                return False
            self._reports.append(waiting)
        waiting.done.wait()
        return waiting.acknowledged

    def idle(self) -> None:
        """Send the reports that wait."""
        while self._reports and self.is_established:
            waiting = self._reports.popleft()
            event_type, information = event_information(waiting.report)
            try:
                status = self.send_event_report(information, event_type, SOP_CLASS_UID, SOP_INSTANCE_UID)
                waiting.acknowledged = status == SUCCESS
            finally:
                waiting.done.set()

    def ended(self, reason: str) -> None:
        """Tell that it is over, and those who wait for it."""
        with self._reports_lock:
            for waiting in self._reports:
                waiting.done.set()
            self._reports.clear()
        self._is_probe = self._is_probe or reason == NEVER_SPOKE
        if self._opened or not self._judged:
            self._tell("closed" if self._opened else "refused", reason)
        self._forget(self)

    def _tell(self, kind: str, reason: str = "", status: int | None = None) -> None:
        seconds = time.monotonic() - self._since
        self._services.tell(
            ListenerEvent(
                kind,  # type: ignore[arg-type]  # one of its words
                self._caller.address,
                self._caller.calling_ae_title,
                reason,
                status,
                self._objects,
                self._bytes,
                seconds,
                self._is_probe,
            )
        )


def nothing_in_common(proposed: list[PresentationContext], offered: list[PresentationContext]) -> str:
    """Why an association will carry nothing, with names of what was proposed; empty when it will carry something."""
    syntaxes = {context.abstract_syntax: set(context.transfer_syntax) for context in offered}
    if any(syntaxes.get(context.abstract_syntax, set()) & set(context.transfer_syntax) for context in proposed):
        return ""
    # A UID without a name in the standard may be anything; it is not repeated.
    classes = {UID(str(context.abstract_syntax)) for context in proposed}
    names = sorted(sop_class.name for sop_class in classes if sop_class.name != sop_class)
    return f"nothing that is proposed is offered: {', '.join(names[:_MAX_NAMES]) or 'unknown classes'}"
