"""Peers that behave as a test says: pynetdicom's servers, and a raw one that is driven PDU by PDU."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from socketserver import TCPServer
from typing import Any
from unittest.mock import patch

from pynetdicom import AE, evt
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import A_ASSOCIATE
from pynetdicom.transport import AssociationSocket, ThreadedAssociationServer

from dicom_node.peers import Peer, Timeouts, TlsClient

CERTIFICATES = Path(__file__).parent / "certificates"
OURS, THEIRS = "CXR_NODE", "PACS"
#: No test waits for these: what has to end does so by something else.
PATIENT = Timeouts(connect_seconds=60, acse_seconds=60, dimse_seconds=60, whole_seconds=120)
HEAD = struct.Struct(">BxI")
ABORT = b"\x07\0\0\0\0\x04\0\0\0\0"


def command_pdu(command: bytes) -> bytes:
    """P-DATA-TF with a whole command set on the first context."""
    return HEAD.pack(4, len(command) + 6) + struct.pack(">IBB", len(command) + 2, 1, 3) + command


def response(field: int, message_id: int = 1, status: int = 0) -> bytes:
    """A response without data set: Command Field, Message ID Being Responded To, Command Data Set Type, Status."""
    elements = {0x0100: 0x8000 | field, 0x0120: message_id, 0x0800: 0x0101, 0x0900: status}
    return command_pdu(b"".join(struct.pack("<HHIH", 0, tag, 2, value) for tag, value in elements.items()))


@contextmanager
def scp(
    contexts: Sequence[tuple[str, str | Sequence[str] | None]],
    handlers: Sequence[tuple[Any, ...]] = (),
    *,
    tls: ssl.SSLContext | None = None,
    client_tls: TlsClient | None = None,
    host: str = "127.0.0.1",
    **settings: Any,
) -> Iterator[Peer]:
    """A pynetdicom server with (SOP class, transfer syntaxes); `settings` are attributes of its AE."""
    entity = AE(ae_title=THEIRS)
    for sop_class, syntaxes in contexts:
        options = {} if syntaxes is None else {"transfer_syntax": syntaxes}
        entity.add_supported_context(sop_class, scu_role=True, scp_role=True, **options)
    for name, value in settings.items():
        setattr(entity, name, value)
    with (
        patch.object(AssociationSocket, "_shutdown_socket", _close),
        patch.object(ThreadedAssociationServer, "serve_forever", _serve_forever),
    ):
        server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=list(handlers), ssl_context=tls)
        try:
            yield Peer(THEIRS, host, server.socket.getsockname()[1], client_tls)
        finally:
            server.shutdown()
            # One that outlives the patches leaves its socket open, which fails whatever test is running by then.
            for association in entity.active_associations:
                association.join(PATIENT.whole_seconds)


def _serve_forever(self: ThreadedAssociationServer) -> None:
    """pynetdicom's own looks twice a second whether it shall stop."""
    TCPServer.serve_forever(self, poll_interval=0.01)


def _close(self: AssociationSocket) -> None:
    """pynetdicom's own leaves the socket open when the other side was quicker."""
    if self.socket is not None:
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


class Line:
    """The raw peer's end of a connection."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.goes_on = threading.Event()
        """Set at the end of the test, so that a peer that waits can go."""

    def read(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            more = self.connection.recv(count - len(data))
            if not more:
                raise ConnectionError("closed")
            data += more
        return data

    def read_pdu(self) -> tuple[int, bytes]:
        kind, length = HEAD.unpack(self.read(6))
        return kind, self.read(length)

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)

    def accept(self, *, longest: int = 16384, refused: Sequence[str] = ()) -> None:
        """Answer an association request: every context in its first transfer syntax but those refused."""
        kind, body = self.read_pdu()
        assert kind == 1
        request = A_ASSOCIATE_RQ()
        request.decode(HEAD.pack(kind, len(body)) + body)
        asked = request.to_primitive()
        answer = A_ASSOCIATE()
        answer.application_context_name = asked.application_context_name
        answer.calling_ae_title, answer.called_ae_title = asked.calling_ae_title, asked.called_ae_title
        answer.result, answer.result_source = 0, 1
        results = asked.presentation_context_definition_list
        for context in results:
            context.result = 3 if context.abstract_syntax in refused else 0
            context.transfer_syntax = context.transfer_syntax[:1]
        answer.presentation_context_definition_results_list = results
        answer.user_information = asked.user_information[:2]
        answer.user_information[0].maximum_length_received = longest
        self.send(A_ASSOCIATE_AC(answer).encode())

    def read_message(self) -> bytes:
        """The PDUs of a whole request, command and data set."""
        data = b""
        commands = 0
        while True:
            kind, body = self.read_pdu()
            assert kind == 4, kind
            data += body
            while body:
                length, _, control = struct.unpack_from(">IBB", body)
                commands += control == 3
                has_no_data_set = control == 3 and body[6 : 4 + length].endswith(b"\x02\0\0\0\x01\x01")
                if control == 2 or has_no_data_set:
                    return data
                body = body[4 + length :]

    def wait(self) -> None:
        """Stay connected and say nothing, until the test is over."""
        assert self.goes_on.wait(120)


@contextmanager
def raw_peer(script: Callable[[Line], None], *, tls: TlsClient | None = None) -> Iterator[Peer]:
    """A peer that follows a script on its first connection, and then closes it."""
    listening = socket.create_server(("127.0.0.1", 0))
    errors: list[BaseException] = []
    lines: list[Line] = []

    def serve() -> None:
        try:
            connection, _ = listening.accept()
        except OSError:
            return
        with connection:
            lines.append(Line(connection))
            try:
                script(lines[0])
            except ConnectionError:
                pass  # the caller has gone, as it may
            except BaseException as error:  # noqa: BLE001  # fails the test, in its own thread
                errors.append(error)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield Peer(THEIRS, "127.0.0.1", listening.getsockname()[1], tls)
    finally:
        for line in lines:
            line.goes_on.set()
        with suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)  # wakes an accept that nobody has come to
        listening.close()
        thread.join(60)
    assert not errors, errors


def server_context(name: str = "server", *, asks_for_client: bool = False) -> ssl.SSLContext:
    """TLS of a peer whose certificate comes from the tests' authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATES / f"{name}.pem", CERTIFICATES / f"{name}.key")
    if asks_for_client:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(CERTIFICATES / "authority.pem")
    return context


def on_store(status: int | Callable[[evt.Event], int]) -> list[tuple[Any, ...]]:
    """Handlers of a server that answers C-STORE so."""
    return [(evt.EVT_C_STORE, status if callable(status) else lambda _event: status)]
