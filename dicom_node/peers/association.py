"""One association as its requestor (PS3.8 9.2): the only place that sends and receives PDUs.

pynetdicom encodes and decodes the PDUs; its Association is not used as a requestor: docs/decisions/0013.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from pydicom.dataset import Dataset
from pydicom.uid import UID

from dicom_node.peers.connection import Connection, connect
from dicom_node.peers.failure import CallFailed, Cause, abortion, failed, rejection
from dicom_node.peers.messages import (
    C_CANCEL,
    C_STORE,
    OUT_OF_RESOURCES,
    PENDING,
    RESPONSE,
    Message,
    command_set,
    has_data_set,
    read_command_set,
)
from dicom_node.peers.peer import Cancel, Peer, Timeouts, check_ae_title
from dicom_node.peers.waiting import Waiter

if TYPE_CHECKING:
    from dicom_node.peers.pdus import Agreement, Fragment, Proposal

#: Nothing that we ask for is larger; what claims to be is no DICOM, or an attack on our memory.
MAX_MESSAGE_BYTES = 1 << 30
_MAX_RECEIVED_PDU_BYTES = 1 << 20
#: A gathering write takes 1024 pieces, a head and a view for each PDU (IOV_MAX).
_MAX_PDUS_AT_ONCE = 512
_BLOCK_BYTES = 1 << 20
CANCEL_GRACE_SECONDS = 0.5
"""After a C-CANCEL for the peer to stop; somebody waits in front of a screen."""


@contextmanager
def associate(
    peer: Peer, calling_ae_title: str, proposals: Sequence[Proposal], timeouts: Timeouts, cancel: Cancel | None
) -> Iterator[Association]:
    """Connect and associate; release at the end, or abort when something is raised.

    Raises CallFailed, and SettingsError for an AE title that is none. At most 128 proposals.
    """
    check_ae_title(calling_ae_title)
    waiter = Waiter(timeouts, cancel)
    with waiter.listening():
        connection = connect(peer, waiter)
        association = Association(connection, waiter)
        try:
            association.request(peer, calling_ae_title, proposals)
            yield association
            association.release()
        except BaseException:
            association.abort()
            raise
        finally:
            connection.close()


class Association:
    """An association over a connection that is open."""

    def __init__(self, connection: Connection, waiter: Waiter) -> None:
        from dicom_node.peers import pdus  # pynetdicom takes 0.4 s: with the first call

        self._pdus = pdus
        self._connection = connection
        self.waiter = waiter
        self.agreements: list[Agreement] = []
        self.block_bytes = 0
        """Data sets are sent in blocks of so many bytes."""

        self._fragment_bytes = 0
        self._message_id = 0
        self._is_inside_pdu = False
        self._is_over = False
        # The PDU and the message under way are kept here, so that a wait that was ended loses nothing.
        self._head = bytearray(pdus.HEAD.size)
        self._body: bytearray | None = None
        self._filled = 0
        self._fragments: Iterator[Fragment] = iter(())
        self._command, self._data = bytearray(), bytearray()
        self._parsed: tuple[int, Dataset] | None = None

    def request(self, peer: Peer, calling_ae_title: str, proposals: Sequence[Proposal]) -> None:
        """Negotiate (PS3.8 7.1)."""
        seconds = self.waiter.timeouts.acse_seconds
        try:
            self._send([self._pdus.associate_request(calling_ae_title, peer.ae_title, proposals)])
            kind, body = self._receive_pdu(seconds, f"no answer to our association request for {seconds:g} s")
        except CallFailed as error:
            if error.failure.cause is Cause.LOST and peer.tls is not None:
                # TLS 1.3 judges our certificate after the handshake, and a reset may overtake its alert.
                raise failed(Cause.LOST, f"{error.failure.words}; the peer may not take our certificate") from error
            raise
        if kind == self._pdus.ASSOCIATE_RJ and len(body) >= 4:
            self._is_over = True
            raise CallFailed(rejection(body[1], body[2], body[3], calling_ae_title, peer.ae_title))
        if kind != self._pdus.ASSOCIATE_AC:
            raise self._unexpected(kind, body)
        try:
            self.agreements, longest = self._pdus.associate_answer(bytes(self._head) + bytes(body), proposals)
        except Exception as error:  # whatever pynetdicom meets in damaged items
            raise failed(Cause.NOT_UNDERSTOOD, "the peer's answer to our association request is damaged") from error
        self._fragment_bytes = self._pdus.fragment_bytes(longest)
        at_once = max(1, min(_MAX_PDUS_AT_ONCE, _BLOCK_BYTES // self._fragment_bytes))
        self.block_bytes = at_once * self._fragment_bytes

    def agreement(self, abstract_syntax: str, transfer_syntax: str | None = None) -> Agreement:
        """The context of a SOP class. Raises CallFailed (NOT_OFFERED)."""
        for agreement in self.agreements:
            if agreement.abstract_syntax == abstract_syntax and transfer_syntax in (None, agreement.transfer_syntax):
                return agreement
        coding = f" in {UID(transfer_syntax).name}" if transfer_syntax is not None else ""
        raise failed(Cause.NOT_OFFERED, f"the peer does not accept {UID(abstract_syntax).name}{coding}")

    def ask(
        self, context_id: int, field: int, data: bytes | Iterable[tuple[memoryview, bool]] | None, **elements: object
    ) -> int:
        """Send a request; the Message ID. When it returns, all of it went out.

        Parameters
        ----------
        data : bytes, iterable of (memoryview, bool) or None
            The encoded data set, or pieces of it: `block_bytes` long but for the last, and whether each is the last.
        """
        self._message_id = self._message_id % 0xFFFF + 1
        self._send_command(context_id, field, data is not None, MessageID=self._message_id, **elements)
        blocks = [(memoryview(data), True)] if isinstance(data, bytes) else data or ()
        for block, ends in blocks:
            self._send(self._pdus.data_pieces(context_id, block, self._fragment_bytes, command=False, ends=ends))
        return self._message_id

    def answer(self, request: Message, status: int) -> None:
        """Answer a request of the peer's on this association."""
        command = request.command
        uids = {
            keyword: command[keyword].value
            for keyword in ("AffectedSOPClassUID", "AffectedSOPInstanceUID", "EventTypeID")
            if keyword in command
        }
        replied = command.get("MessageID", 0)
        field = request.field | RESPONSE
        self._send_command(request.context_id, field, False, MessageIDBeingRespondedTo=replied, Status=status, **uids)

    @contextmanager
    def cancelling(self, context_id: int, message_id: int) -> Iterator[None]:
        """When somebody cancels meanwhile, have the peer know before the association is aborted."""
        try:
            yield
        except CallFailed as error:
            if error.failure.cause is Cause.CANCELLED:
                self.wind_down(context_id, message_id)
            raise

    def wind_down(self, context_id: int, message_id: int) -> None:
        """C-CANCEL (PS3.7 9.3.2.3); a peer that goes on all the same is aborted."""
        self.waiter.grant(CANCEL_GRACE_SECONDS)
        with suppress(CallFailed):
            self._send_command(context_id, C_CANCEL, False, MessageIDBeingRespondedTo=message_id)
            while True:
                message = self.receive("end of what was cancelled")
                if message.field == C_STORE:
                    self.answer(message, OUT_OF_RESOURCES)
                elif message.status not in PENDING:
                    return
        self.abort()

    def receive_answer(self, message_id: int, field: int, waiting_for: str) -> Message:
        """The answer to the only request under way."""
        message = self.receive(waiting_for)
        self.check_answer(message, message_id, field)
        return message

    @staticmethod
    def check_answer(message: Message, message_id: int, field: int) -> None:
        """Raise CallFailed (NOT_UNDERSTOOD) unless a message answers that request with a status."""
        replied = message.command.get("MessageIDBeingRespondedTo")
        if message.field != field | RESPONSE or replied != message_id or message.status is None:
            raise failed(Cause.NOT_UNDERSTOOD, "the peer's answer is none to our request")

    def receive(self, waiting_for: str, seconds: float | None = None) -> Message:
        """The next message; `seconds` may pass without any byte, those of DIMSE unless said.

        `waiting_for` says what we wait for, as in "answer to C-ECHO".
        """
        seconds = self.waiter.timeouts.dimse_seconds if seconds is None else seconds
        while True:
            try:
                for fragment in self._fragments:
                    message = self._take(fragment)
                    if message is not None:
                        return message
            except CallFailed:
                raise
            except Exception as error:  # whatever pydicom meets in a damaged command set
                raise failed(Cause.NOT_UNDERSTOOD, f"what came instead of {waiting_for} is damaged") from error
            kind, body = self._receive_pdu(seconds, f"no {waiting_for} for {seconds:g} s")
            if kind != self._pdus.P_DATA:
                raise self._unexpected(kind, body)
            self._fragments = self._pdus.fragments(body)

    def release(self) -> None:
        """Release (PS3.8 7.2). How the peer takes it changes no result."""
        if self._is_over:
            return
        seconds = self.waiter.timeouts.acse_seconds
        with suppress(CallFailed):
            self._send([self._pdus.RELEASE_REQUEST])
            kind = self._pdus.P_DATA
            while kind in (self._pdus.P_DATA, self._pdus.RELEASE_RQ):
                kind, _ = self._receive_pdu(seconds, f"no answer to our release for {seconds:g} s")
                if kind == self._pdus.RELEASE_RQ:  # both at once: the requestor answers first (PS3.8 7.2.2.7)
                    self._send([self._pdus.RELEASE_RESPONSE])

    def abort(self) -> None:
        """A-ABORT, where the peer can still understand it."""
        if not self._is_over and not self._is_inside_pdu:
            self._connection.say_goodbye(self._pdus.ABORT_BY_USER)
        self._is_over = True

    def _send_command(self, context_id: int, field: int, has_data: bool, **elements: object) -> None:
        command = memoryview(command_set(field, has_data_set=has_data, **elements))
        self._send(self._pdus.data_pieces(context_id, command, self._fragment_bytes, command=True, ends=True))

    def _send(self, pieces: Sequence[bytes | memoryview]) -> None:
        if self._is_over or self._is_inside_pdu:
            raise failed(Cause.LOST, "the association is over")
        self._is_inside_pdu = True
        try:
            self._connection.send(pieces, self.waiter.timeouts.dimse_seconds)
        except CallFailed as error:
            if error.failure.cause is Cause.LOST:
                # A peer that gives up while we send says why before it closes.
                with suppress(CallFailed):
                    kind, body = self._receive_pdu(0, "")
                    if kind == self._pdus.ABORT:
                        error = self._unexpected(kind, body)
            raise error
        self._is_inside_pdu = False

    def _receive_pdu(self, seconds: float, silence: str) -> tuple[int, memoryview]:
        """Type and body; `seconds` may pass without any byte."""
        head, size = memoryview(self._head), self._pdus.HEAD.size
        while self._filled < size:
            self._filled += self._connection.receive(head[self._filled :], time.monotonic() + seconds, silence)
        kind, length = self._pdus.HEAD.unpack(self._head)
        if self._body is None:
            if not self._pdus.ASSOCIATE_AC <= kind <= self._pdus.ABORT or length > _MAX_RECEIVED_PDU_BYTES:
                raise failed(Cause.NOT_UNDERSTOOD, "what answers there does not speak DICOM; correct host and port")
            self._body = bytearray(length)
        body = memoryview(self._body)
        while self._filled < size + length:
            self._filled += self._connection.receive(body[self._filled - size :], time.monotonic() + seconds, silence)
        self._body, self._filled = None, 0
        return kind, body

    def _take(self, fragment: Fragment) -> Message | None:
        """Add a fragment to the message under way; the message when it is complete."""
        if len(self._command) + len(self._data) + len(fragment.data) > MAX_MESSAGE_BYTES:
            raise failed(Cause.NOT_UNDERSTOOD, f"the peer sends a message of more than {MAX_MESSAGE_BYTES >> 20} MiB")
        if fragment.is_command:
            self._command += fragment.data
            if not fragment.is_last:
                return None
            self._parsed = fragment.context_id, read_command_set(bytes(self._command))
            if has_data_set(self._parsed[1]):
                return None
        else:
            self._data += fragment.data
            if not fragment.is_last or self._parsed is None:
                return None
        message = Message(*self._parsed, self._data)
        self._command, self._data, self._parsed = bytearray(), bytearray(), None
        return message

    def _unexpected(self, kind: int, body: memoryview) -> CallFailed:
        """What a PDU means that is none of those waited for."""
        if kind == self._pdus.ABORT:
            self._is_over = True
            return CallFailed(abortion(body[2], body[3]) if len(body) >= 4 else abortion(0, 0))
        if kind == self._pdus.RELEASE_RQ:
            self._connection.say_goodbye(self._pdus.RELEASE_RESPONSE)
            self._is_over = True
            return failed(Cause.LOST, "the peer ended the association")
        return failed(Cause.NOT_UNDERSTOOD, "the peer sent what the standard does not allow at this place")
