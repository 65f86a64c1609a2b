"""An association as acceptor: one thread from the connection to its end, written against pynetdicom 3.0.4.

It takes the place of pynetdicom's two reactors; `receive_path` reads for it.
"""

from __future__ import annotations

import contextlib
import socket
import time
from abc import ABC, abstractmethod
from typing import Any, cast

from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom._globals import MODE_ACCEPTOR
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.pdu import A_ABORT_RQ
from pynetdicom.pdu_primitives import A_ASSOCIATE
from pynetdicom.presentation import PresentationContext
from pynetdicom.transport import AddressInformation

from dicom_node.listener.events import NEVER_SPOKE, NeverSpokeError
from dicom_node.listener.message_memory import MemoryBudget
from dicom_node.listener.receive_path import Connection, Messages, Provider, ReceiveLimits, StoreRequest
from dicom_node.listener.uids import uid_text
from dicom_node.received import SUCCESS, Answer


class AcceptingAssociation(Association, ABC):
    """One association as acceptor, from the connection to its end, in one thread.

    A subclass says what is admitted, what is done with an object, and who is told.
    """

    def __init__(self, ae: AE, connection: socket.socket, limits: ReceiveLimits, budget: MemoryBudget) -> None:
        super().__init__(ae, MODE_ACCEPTOR)
        self.dul: Provider = Provider(self, limits, budget)
        self.dimse: Messages = Messages(self)
        self.acse_timeout = limits.acse_seconds
        self.dimse_timeout = self.network_timeout = limits.network_seconds
        self.stopping = self.dul.stopping
        self.connection = connection
        self.requestor.address_info = AddressInformation.from_tuple(connection.getpeername())
        self.acceptor.address_info = AddressInformation.from_tuple(connection.getsockname())
        self.acceptor.ae_title = ae.ae_title
        self.acceptor.maximum_length = limits.pdu_bytes
        self.acceptor.implementation_class_uid = ae.implementation_class_uid
        self.acceptor.implementation_version_name = ae.implementation_version_name
        self._limits = limits

    def secured(self, connection: socket.socket) -> socket.socket:
        """The connection to talk over. Raises OSError, and of its kinds NeverSpokeError where nothing came."""
        return connection

    @abstractmethod
    def admit(self, request: A_ASSOCIATE) -> tuple[int, int, int] | list[PresentationContext]:
        """What is offered, or result, source and reason of the rejection (PS3.8 9.3.4)."""

    @abstractmethod
    def store(self, request: StoreRequest) -> Answer:
        """Do what is to be done with an object. Raises nothing."""

    def idle(self) -> None:
        """Between two messages, at least once a tick."""

    def ended(self, reason: str) -> None:
        """After the end. Raises nothing."""

    def run_reactor(self) -> None:
        """Run in the association's thread."""
        try:
            self._converse()
        except Exception as error:  # noqa: BLE001  # whatever a peer provokes ends its own association only
            self.dul.fail(f"internal error {type(error).__name__}")
            self._abort_unasked()
        finally:
            self.is_established = False
            self.dul.drop_message()
            self.dimse.close()
            self.hang_up()
            self.connection.close()
            self.ended(self.dul.end or ("released" if self.is_released else "aborted by the peer"))

    def hang_up(self) -> None:
        """Close the connection, from any thread: what is being received ends."""
        with contextlib.suppress(OSError):
            # Not the method of SSLSocket, which would pull the TLS state from under the association's thread.
            socket.socket.shutdown(self.connection, socket.SHUT_RDWR)

    def _converse(self) -> None:
        try:
            self.connection = self.secured(self.connection)
            self.dul.socket = Connection(self, self.connection, self._limits.network_seconds)
        except NeverSpokeError:
            self.dul.fail(NEVER_SPOKE)
            return
        except OSError as error:
            self.dul.fail(f"no connection: {type(error).__name__}")
            return
        request = self.dul.receive_pdu(wait=True)
        if not isinstance(request, A_ASSOCIATE):
            return
        self.requestor.primitive = request
        self.requestor.ae_title = request.calling_ae_title
        verdict = self.admit(request)
        if isinstance(verdict, tuple):
            self.acse.send_reject(*verdict)
            self.kill()
            return
        # pynetdicom reads these and writes others: one list serves every association.
        self.acceptor._contexts = verdict
        self.acse.negotiate_association()
        while self.is_established:
            self._turn()

    def _turn(self) -> None:
        """Hear one PDU, or nothing for a tick, and do what follows from it."""
        if self.dul.message is None:
            if self.stopping.is_set():
                self.dul.fail("the node stops")
                self.abort()
                return
            self.idle()
        self.dul.step()
        if self.acse.is_aborted() or not self.dul.is_alive():
            self.is_aborted, self.is_established = True, False
            self.kill()
            return
        context_id, message = self.dimse.get_msg()
        if message is not None:
            self._serve_request(message, context_id)
            self.dul.heard = time.monotonic()
        elif self.acse.is_release_requested():
            self.acse.send_release(is_response=True)
            self.is_released, self.is_established = True, False
            self.kill()
        elif time.monotonic() - self.dul.heard > self._limits.network_seconds:
            self.dul.fail("nothing heard in time")
            self.abort()

    def _serve_request(self, msg: Any, context_id: int) -> None:
        if isinstance(msg, StoreRequest):
            self._answer_store(msg, context_id)
            return
        asked = getattr(msg, "AffectedSOPClassUID", None) or getattr(msg, "RequestedSOPClassUID", None)
        if msg.is_valid_request and asked != self._accepted_cx[context_id].abstract_syntax:
            self.dul.fail("a request for another service than its presentation context's")
            self.abort()
            return
        super()._serve_request(msg, context_id)

    def _answer_store(self, request: StoreRequest, context_id: int) -> None:
        try:
            answer = self.store(request)
        finally:
            request.memory.close()
        response = C_STORE()
        response.MessageIDBeingRespondedTo = request.message_id
        # The UIDs are optional (PS3.7 9.3.1.2); there are senders that look for them.
        response.AffectedSOPClassUID = uid_text(request.sop_class_uid)
        response.AffectedSOPInstanceUID = uid_text(request.sop_instance_uid)
        response.Status = answer.status
        if answer.status != SUCCESS and answer.comment:
            response.ErrorComment = answer.comment  # type: ignore[assignment]  # pynetdicom types it by its default
        self.dimse.send_msg(response, context_id)

    def send_event_report(self, information: Dataset, event_type: int, sop_class: str, sop_instance: str) -> int | None:
        """Send an N-EVENT-REPORT between two messages; the status of the response, None without one."""
        self._is_paused = True  # pynetdicom waits for a reactor that we have not
        status, _ = self.send_n_event_report(information, event_type, sop_class, sop_instance)
        return cast("int | None", status.get("Status"))

    def _abort_unasked(self) -> None:
        """Send an A-ABORT past the state machine, which an error has left nowhere."""
        pdu = A_ABORT_RQ()
        pdu.source, pdu.reason_diagnostic = 0x02, 0x00
        if self.dul.socket is not None:
            self.dul.socket.send(pdu.encode())

    def _bind_defaults(self) -> None:
        """Bind pynetdicom's default answers, without the handlers that log every PDU."""
        for event in evt._INTERVENTION_EVENTS:
            self.bind(event, evt.get_default_handler(event))
