"""The override of pynetdicom's receive path: messages are read in place, by one thread, and every wait has an end.

pynetdicom 3.0.4 runs two threads an association that poll every millisecond, reads 4096 bytes at a time, copies every
byte four or five times, believes whatever length a peer claims, and waits for ever for the rest of a PDU. Here the
association's own thread drives pynetdicom's state machine (PS3.8 9.2) and reads each PDV straight to its place in the
message. What pynetdicom is good at stays its own: encoding, negotiation, states, services.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
import time
from dataclasses import dataclass
from io import BytesIO
from typing import Any, cast

from pydicom.dataset import Dataset
from pynetdicom import _config
from pynetdicom.association import Association
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dimse_messages import _MESSAGE_TYPES, DIMSEMessage
from pynetdicom.dimse_primitives import C_CANCEL
from pynetdicom.dsutils import decode
from pynetdicom.dul import DULServiceProvider
from pynetdicom.timer import Timer
from pynetdicom.transport import AssociationSocket

from dicom_node.listener.events import NEVER_SPOKE
from dicom_node.listener.message_memory import MemoryBudget, MessageMemory, MessageTooLargeError
from dicom_node.listener.uids import raw_value

#: Seconds that a thread waits at once before it looks at its clocks and at what it was told meanwhile.
TICK = 0.25
#: An A-ASSOCIATE-RQ with 128 contexts of 20 transfer syntaxes, all in the longest UIDs, has 184 KB.
_MAX_CONTROL_BYTES = 1 << 18
_MAX_COMMAND_BYTES = 1 << 16
#: Of messages other than C-STORE: a storage commitment request of 100,000 instances has 13 MB.
_MAX_OTHER_BYTES = 1 << 24
_MAX_WAITING = 16
_MAX_DRAINED_BYTES = 1 << 20
_P_DATA_TF, _C_STORE_RQ, _NO_DATA_SET = 0x04, 0x0001, 0x0101


def _has_uid_length(value: str) -> tuple[bool, str]:
    return 0 < len(value) <= 64, "must have 1 to 64 characters"


# pynetdicom's own check says the same and builds another UID for it: a fifth of what an association with all storage
# classes costs.
_config.VALIDATORS["UI"] = _has_uid_length


@dataclass(frozen=True, slots=True)
class ReceiveLimits:
    """What a peer may ask of an association."""

    pdu_bytes: int
    message_bytes: int
    acse_seconds: float
    """From the connection to the whole A-ASSOCIATE-RQ, and for the end of the connection after the last PDU."""

    network_seconds: float
    """Without any PDU."""

    bytes_per_second: int
    """A message may take `network_seconds` and its length over this."""


class _InvalidPduError(Exception):
    """Bytes that no conforming peer sends; the text says what, without repeating them."""


@dataclass(frozen=True, eq=False, slots=True)
class StoreRequest:
    """A C-STORE-RQ (PS3.7 9.3.1.1) whose UIDs nobody has looked at yet."""

    message_id: int
    sop_class_uid: bytes
    sop_instance_uid: bytes
    abstract_syntax: str
    transfer_syntax: str
    memory: MessageMemory


class _MonotonicTimer(Timer):
    """The ARTIM timer (PS3.8 9.1.5) on a clock that nobody sets; once stopped it does not expire."""

    def start(self) -> None:
        self._start_time = time.monotonic()

    def stop(self) -> None:
        self._start_time = None

    @property
    def remaining(self) -> float:
        if self.timeout is None or self._start_time is None:
            return 1
        return self.timeout - (time.monotonic() - self._start_time)


class Connection(AssociationSocket):
    """A connection whose reads end after a tick and whose writes end after `send_seconds`."""

    def __init__(self, assoc: Association, connection: socket.socket, send_seconds: float) -> None:
        super().__init__(assoc, client_socket=connection)
        self._connection = connection
        self._send_seconds = send_seconds
        # The kernel waits for all bytes that are asked for: fewer calls, and fewer waits for the interpreter's lock.
        # OpenSSL hands out a record at a time and has its time-out from Python.
        self._is_tls = isinstance(connection, ssl.SSLSocket)
        self._flags = 0 if self._is_tls else socket.MSG_WAITALL
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.settimeout(TICK if self._is_tls else None)
        if not self._is_tls:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _timeval(TICK))
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _timeval(send_seconds))

    def read(self, place: memoryview) -> int:
        """Read what comes within a tick, at most `place`; the count. Raises OSError when the peer has closed."""
        try:
            count = self._connection.recv_into(place, len(place), self._flags)
        except (BlockingIOError, TimeoutError, ssl.SSLWantReadError):
            return 0
        if count == 0:
            raise ConnectionResetError("closed by the peer")
        return count

    def fill(self, place: memoryview, deadline: float) -> None:
        """Read exactly `place`. Raises OSError, after `deadline` on the monotonic clock TimeoutError."""
        done = 0
        while done < len(place):
            done += self.read(place[done:])
            if done < len(place) and time.monotonic() > deadline:
                raise TimeoutError("too slow")

    def send(self, bytestream: bytes) -> None:
        """Send all of it, or report the connection as closed."""
        try:
            if self._is_tls:
                self._connection.settimeout(self._send_seconds)
            self._connection.sendall(bytestream)
            if self._is_tls:
                self._connection.settimeout(TICK)
        except OSError:
            self.event_queue.put("Evt17")


def _timeval(seconds: float) -> bytes:
    return struct.pack("ll", int(seconds), int(seconds % 1 * 1_000_000))


class _Message:
    """A DIMSE message (PS3.7 6.3) of which not everything has come yet."""

    def __init__(self, context_id: int) -> None:
        self.context_id = context_id
        self.started = time.monotonic()
        self.command = bytearray()
        self.command_set: Dataset | None = None
        self.memory: MessageMemory | None = None

    @property
    def length(self) -> int:
        return len(self.command) + (self.memory.length if self.memory else 0)


class Provider(DULServiceProvider):
    """The upper layer of one association (PS3.8 9.2), driven by the association's thread instead of one of its own."""

    def __init__(self, assoc: Association, limits: ReceiveLimits, budget: MemoryBudget) -> None:
        super().__init__(assoc)
        self.artim_timer: Timer = _MonotonicTimer(limits.acse_seconds)
        self.message: _Message | None = None
        self.heard = self._opened = time.monotonic()
        self.stopping = threading.Event()
        self.end = ""
        """Why the association ends; the first reason counts."""

        self._limits = limits
        self._budget = budget
        self._header = memoryview(bytearray(6))
        self._drained = 0

    def start(self) -> None:
        """Start no thread."""

    def is_alive(self) -> bool:
        """Whether the connection is still of use."""
        return not self._kill_thread

    def stop_dul(self) -> bool:
        """Go on until the peer has closed or the ARTIM timer has run out; True at the end."""
        self.step()
        return not self.is_alive()

    def receive_pdu(self, wait: bool = False, timeout: float | None = None) -> Any:
        """The next primitive for the user, or None when the connection or the node ends first."""
        while wait and self.is_alive() and self.to_user_queue.empty() and not self.stopping.is_set():
            self.step()
        return super().receive_pdu(wait=False)

    def send_pdu(self, primitive: Any) -> None:
        """Send a primitive at once."""
        super().send_pdu(primitive)
        self._process_recv_primitive()
        self._act()

    def fail(self, reason: str) -> None:
        """Note why the association ends."""
        self.end = self.end or reason

    def drop_message(self) -> None:
        """Let go of a message whose rest will not come."""
        if self.message is not None and self.message.memory is not None:
            self.message.memory.close()
        self.message = None

    def step(self) -> None:
        """Do what is due; else read the peer's next PDU, or wait a tick for it."""
        state = self.state_machine.current_state
        if self.artim_timer.expired:
            if state == "Sta2":
                self.fail("no association request in time")
            self.event_queue.put("Evt18")
        elif self.event_queue.empty():
            if state == "Sta13":
                self._drain()
            else:
                self._read_pdu()
        self._act()

    def _act(self) -> None:
        while self.is_alive() and not self.event_queue.empty():
            self.state_machine.do_action(self.event_queue.get(block=False))

    def _drain(self) -> None:
        """After our last PDU: let the peer read it and close. What it still sends is of no interest."""
        connection = cast(Connection, self.socket)
        with contextlib.suppress(OSError):
            self._drained += (count := connection.read(memoryview(bytearray(1 << 16))))
            if count and self._drained < _MAX_DRAINED_BYTES:
                return
        connection.close()

    def _read_pdu(self) -> None:
        connection = cast(Connection, self.socket)
        got = 0
        try:
            got = connection.read(self._header)
            if not got:
                return
            connection.fill(self._header[got:], self._deadline(6))
            kind, _, length = struct.unpack(">BBL", self._header)
            if time.monotonic() > self._deadline(length):
                raise TimeoutError("too slow")
            if kind == _P_DATA_TF and self.state_machine.current_state == "Sta6":
                self._read_p_data(connection, length)
            else:
                self._read_control(connection, kind, length)
            self.heard = time.monotonic()
        except (_InvalidPduError, MessageTooLargeError) as error:
            self.fail(str(error))
            self.event_queue.put("Evt19")
        except TimeoutError:
            self.fail("peer too slow")
            self.event_queue.put("Evt17")
        except OSError:
            waits = self.state_machine.current_state == "Sta2"
            self.fail("connection lost" if not waits else "closed without a request" if got else NEVER_SPOKE)
            self.event_queue.put("Evt17")

    def _deadline(self, length: int) -> float:
        if self.state_machine.current_state == "Sta2":
            return self._opened + self._limits.acse_seconds
        started, before = (self.message.started, self.message.length) if self.message else (time.monotonic(), 0)
        return started + self._limits.network_seconds + (before + length) / self._limits.bytes_per_second

    def _read_control(self, connection: Connection, kind: int, length: int) -> None:
        """Any PDU but data: decoded by pynetdicom."""
        if not 0x01 <= kind <= 0x07:
            raise _InvalidPduError("no DICOM")
        if kind == _P_DATA_TF:  # in no state for it: the state machine refuses it unread
            self.event_queue.put("Evt10")
            return
        if length > _MAX_CONTROL_BYTES:
            raise _InvalidPduError(f"a PDU of more than {_MAX_CONTROL_BYTES} bytes before any data")
        pdu = bytearray(self._header) + bytes(length)
        with memoryview(pdu) as whole, whole[6:] as body:
            connection.fill(body, self._deadline(length))
        try:
            decoded, event = self._decode_pdu(pdu)
        except Exception as error:  # pynetdicom raises whatever it stumbles over
            raise _InvalidPduError("a PDU that cannot be decoded") from error
        self._recv_pdu.put(decoded)
        self.event_queue.put(event)

    def _read_p_data(self, connection: Connection, length: int) -> None:
        """A P-DATA-TF PDU (PS3.8 9.3.5): each PDV goes to its place in the message."""
        if length > self._limits.pdu_bytes:
            raise _InvalidPduError(f"a PDU of more than {self._limits.pdu_bytes} bytes")
        if length == 0:
            raise _InvalidPduError("a P-DATA-TF PDU without data")
        deadline = self._deadline(length)
        while length:
            if length < 6:
                raise _InvalidPduError("a PDV that does not fit its PDU")
            connection.fill(self._header, deadline)
            item, context_id, control = struct.unpack(">LBB", self._header)
            length -= 4 + item
            if item < 2 or length < 0:
                raise _InvalidPduError("a PDV that does not fit its PDU")
            self._read_pdv(connection, context_id, control, item - 2, deadline)

    def _read_pdv(self, connection: Connection, context_id: int, control: int, count: int, deadline: float) -> None:
        """One fragment; bit 0 of the message control header: of the command, bit 1: the last (PS3.8 E.2)."""
        if context_id not in self.assoc._accepted_cx:
            raise _InvalidPduError("data for a presentation context that was not accepted")
        message = self.message = self.message or _Message(context_id)
        if message.context_id != context_id:
            raise _InvalidPduError("fragments of two messages mixed")
        if control & 1:
            if message.command_set is not None or len(message.command) + count > _MAX_COMMAND_BYTES:
                raise _InvalidPduError("a command set out of order or too long")
            part = bytearray(count)
            connection.fill(memoryview(part), deadline)
            message.command += part
            if control & 2:
                self._begin_data_set(message)
        else:
            if message.memory is None:
                raise _InvalidPduError("a data set without a command set")
            with message.memory.room(count) as place:
                connection.fill(place, deadline)
            if control & 2:
                self._deliver(message)

    def _begin_data_set(self, message: _Message) -> None:
        try:
            command = message.command_set = decode(BytesIO(message.command), True, True)
            is_store, has_data = command.CommandField == _C_STORE_RQ, command.CommandDataSetType != _NO_DATA_SET
        except Exception as error:  # pydicom raises whatever it stumbles over
            raise _InvalidPduError("a command set that cannot be understood") from error
        limit = self._limits.message_bytes if is_store else _MAX_OTHER_BYTES
        message.memory = MessageMemory(self._budget, limit)
        if not has_data:
            self._deliver(message)

    def _deliver(self, message: _Message) -> None:
        self.message = None
        try:
            cast(Messages, self.assoc.dimse).deliver(message)
        except Exception as error:  # pynetdicom raises whatever it stumbles over
            cast(MessageMemory, message.memory).close()
            raise _InvalidPduError("a command set that cannot be understood") from error


class Messages(DIMSEServiceProvider):
    """Whole messages of one association, in order."""

    def deliver(self, message: _Message) -> None:
        """Take a whole message. Raises whatever is wrong with its command set."""
        if self.msg_queue.qsize() >= _MAX_WAITING:
            raise ValueError("more requests at once than were negotiated")
        command, memory = cast(Dataset, message.command_set), cast(MessageMemory, message.memory)
        if command.CommandField == _C_STORE_RQ:
            context = self.assoc._accepted_cx[message.context_id]
            primitive: Any = StoreRequest(
                message_id=int(command.MessageID),
                sop_class_uid=raw_value(command, 0x00000002),
                sop_instance_uid=raw_value(command, 0x00001000),
                abstract_syntax=str(context.abstract_syntax),
                transfer_syntax=str(context.transfer_syntax[0]),
                memory=memory,
            )
        else:
            whole = DIMSEMessage()
            whole.context_id = message.context_id
            whole.command_set = command
            whole.__class__ = _MESSAGE_TYPES[command.CommandField][1]
            whole.data_set = BytesIO(memory.whole())
            memory.close()
            primitive = whole.message_to_primitive()
            if isinstance(primitive, C_CANCEL):  # we offer nothing that can be cancelled
                return
        self.msg_queue.put((message.context_id, primitive))

    def get_msg(self, block: bool = False) -> Any:
        """The next message and its context's ID, or (None, None). Blocking: the next response; requests wait."""
        deadline = time.monotonic() + (self.dimse_timeout or 0)
        while True:
            for found in self.msg_queue.queue:
                is_response = getattr(found[1], "MessageIDBeingRespondedTo", None) is not None
                if found[1] is not None and (is_response or not block):
                    self.msg_queue.queue.remove(found)
                    return found
            if not block or not self.dul.is_alive() or time.monotonic() > deadline:
                return None, None
            cast(Provider, self.dul).step()

    def close(self) -> None:
        """Let go of requests that nobody will answer."""
        for _, request in self.msg_queue.queue:
            if isinstance(request, StoreRequest):
                request.memory.close()
