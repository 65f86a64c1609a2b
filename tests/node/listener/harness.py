"""A running listener with a sink that keeps everything, and a peer that can say anything, byte by byte."""

from __future__ import annotations

import socket
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pydicom.uid as uid
from pydicom.dataset import Dataset
from pynetdicom import AE
from pynetdicom.dsutils import encode
from pynetdicom.pdu import A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import A_ASSOCIATE, ImplementationClassUIDNotification, MaximumLengthNotification
from pynetdicom.presentation import build_context

from dicom_node.listener.events import ListenerEvent
from dicom_node.listener.server import Listener
from dicom_node.received import Answer, ReceivedObject
from dicom_node.settings import NodeSettings
from tests.dicom_builder import header

#: No wait in a test is longer; what takes so long has failed.
PATIENCE_SECONDS = 20.0
CR = str(uid.ComputedRadiographyImageStorage)
EXPLICIT, IMPLICIT = str(uid.ExplicitVRLittleEndian), str(uid.ImplicitVRLittleEndian)
ASSOCIATE_RQ, ASSOCIATE_AC, ASSOCIATE_RJ, P_DATA_TF, RELEASE_RQ, RELEASE_RP, ABORT = 1, 2, 3, 4, 5, 6, 7
RELEASE = struct.pack(">BxLxxxx", RELEASE_RQ, 4)


class KeepingSink:
    """Keeps what it is given; `behave` may do otherwise."""

    def __init__(self) -> None:
        self.received: list[ReceivedObject] = []
        self.data_sets: list[bytes] = []
        self.space = True
        self.behave: Callable[[ReceivedObject], Any] = lambda received: Answer(0x0000)
        self._kept = threading.Condition()

    def accept(self, received: ReceivedObject) -> Answer:
        answer = self.behave(received)
        with self._kept:
            self.data_sets.append(bytes(received.data_set))
            self.received.append(received)
            self._kept.notify_all()
        return answer

    def wait(self, count: int) -> None:
        """Until so many objects were kept."""
        with self._kept:
            assert self._kept.wait_for(lambda: len(self.received) >= count, PATIENCE_SECONDS)

    def has_space(self) -> bool:
        return self.space


class Events:
    """The events told so far."""

    def __init__(self) -> None:
        self.all: list[ListenerEvent] = []
        self._changed = threading.Condition()

    def __call__(self, event: ListenerEvent) -> None:
        with self._changed:
            self.all.append(event)
            self._changed.notify_all()

    def wait(self, kind: str, count: int = 1) -> list[ListenerEvent]:
        """The events of a kind as soon as there are so many."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.of(kind)) >= count, PATIENCE_SECONDS), self.all
            return self.of(kind)

    def of(self, kind: str) -> list[ListenerEvent]:
        return [event for event in self.all if event.kind == kind]


class Running:
    """A listener on a free port of loopback."""

    def __init__(self, settings: dict[str, Any], **arguments: Any) -> None:
        self.sink = KeepingSink()
        self.events = Events()
        self.listener = Listener(
            NodeSettings.model_validate(settings), arguments.pop("sink", self.sink), tell=self.events, **arguments
        )
        self.port = self.listener.start()

    def peer(self, source: str = "127.0.0.1") -> RawPeer:
        return RawPeer(self.port, source)

    def ae(self, *contexts: str, title: str = "PEER") -> AE:
        """An ordinary requestor."""
        ae = AE(title)
        for abstract in contexts or (CR, "1.2.840.10008.1.1"):
            ae.add_requested_context(abstract, [EXPLICIT])
        ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = PATIENCE_SECONDS
        return ae

    def associate(self, *contexts: str, title: str = "PEER", called: str = "CXR_NODE", **arguments: Any) -> Any:
        return self.ae(*contexts, title=title).associate("127.0.0.1", self.port, ae_title=called, **arguments)

    def echoes(self) -> bool:
        """Whether an ordinary peer gets an answer."""
        association = self.associate()
        if not association.is_established:
            return False
        status = association.send_c_echo()
        association.release()
        return bool(status.get("Status") == 0x0000)


@contextmanager
def running(*, peers: tuple[dict[str, Any], ...] = (), **settings: Any) -> Iterator[Running]:
    """A listener with settings of `[listener]`, stopped at the end."""
    arguments = {name: settings.pop(name) for name in ("sink", "commitment", "report_elsewhere") if name in settings}
    node = Running({"listener": {"port": 0, **settings}, "peers": list(peers)}, **arguments)
    try:
        yield node
    finally:
        node.listener.stop(grace_seconds=0)


class RawPeer:
    """A TCP connection on which every byte is ours."""

    def __init__(self, port: int, source: str = "127.0.0.1") -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE_SECONDS, (source, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> RawPeer:
        return self

    def __exit__(self, *exception: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def flood(self, data: bytes) -> int:
        """Send the same again and again until the listener has ended the connection; how many bytes."""
        sent = 0
        with suppress(ConnectionError):  # not a time-out: then it would neither read nor close
            while sent < 1 << 30:
                self.socket.sendall(data)
                sent += len(data)
        return sent

    def read_pdu(self) -> tuple[int, bytes] | None:
        """Type and body of the next PDU, None when the listener has closed."""
        head = self._read(6)
        if head is None:
            return None
        kind, length = struct.unpack(">BxL", head)
        return kind, self._read(length) or b""

    def expect(self, kind: int) -> bytes:
        """The body of the next PDU, which is of a kind."""
        pdu = self.read_pdu()
        assert pdu is not None, f"closed instead of a PDU of type {kind}"
        assert pdu[0] == kind
        return pdu[1]

    def ends(self) -> list[int]:
        """Types of the PDUs until the listener closes."""
        kinds = []
        while (pdu := self.read_pdu()) is not None:
            kinds.append(pdu[0])
        return kinds

    def associate(self, **arguments: Any) -> None:
        self.send(associate_request(**arguments))
        self.expect(ASSOCIATE_AC)

    def expect_status(self) -> tuple[int, str]:
        """Status and comment of the next response."""
        body = self.expect(P_DATA_TF)
        elements = dict(_elements(body[6:]))
        return struct.unpack("<H", elements[0x0900])[0], elements.get(0x0902, b"").decode().strip()

    def _read(self, count: int) -> bytes | None:
        data = b""
        while len(data) < count:
            try:
                part = self.socket.recv(count - len(data))
            except ConnectionResetError:
                return None
            if not part:
                return None
            data += part
        return data


def _elements(command_set: bytes) -> Iterator[tuple[int, bytes]]:
    while command_set:
        _, element, length = struct.unpack("<HHL", command_set[:8])
        yield element, command_set[8 : 8 + length]
        command_set = command_set[8 + length :]


def associate_request(
    contexts: tuple[tuple[int, str, tuple[str, ...]], ...] = ((1, CR, (EXPLICIT,)),),
    called: str = "CXR_NODE",
    calling: str = "PEER",
) -> bytes:
    """An A-ASSOCIATE-RQ PDU."""
    primitive = A_ASSOCIATE()
    primitive.application_context_name = "1.2.840.10008.3.1.1.1"
    primitive.calling_ae_title, primitive.called_ae_title = calling, called
    proposed = []
    for identifier, abstract, syntaxes in contexts:
        context = build_context(abstract, list(syntaxes))
        context.context_id = identifier
        proposed.append(context)
    primitive.presentation_context_definition_list = proposed
    length = MaximumLengthNotification()
    length.maximum_length_received = 16384
    implementation = ImplementationClassUIDNotification()
    implementation.implementation_class_uid = uid.UID("2.25.1")
    primitive.user_information = [length, implementation]
    return A_ASSOCIATE_RQ(primitive).encode()


def pdv(data: bytes, *, command: bool = False, last: bool = True, context_id: int = 1) -> bytes:
    """A Presentation Data Value item (PS3.8 9.3.5.1)."""
    return struct.pack(">LBB", len(data) + 2, context_id, command | last << 1) + data


def p_data(*items: bytes) -> bytes:
    """A P-DATA-TF PDU."""
    body = b"".join(items)
    return struct.pack(">BxL", P_DATA_TF, len(body)) + body


def command_set(**elements: Any) -> bytes:
    """An encoded command set."""
    dataset = Dataset()
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    encoded = encode(dataset, True, True)
    assert encoded is not None
    return struct.pack("<HHLL", 0, 0, 4, len(encoded)) + encoded


def store_command(
    *, sop_class: bytes = CR.encode(), sop_instance: bytes = b"2.25.1001", has_data: bool = True
) -> bytes:
    """The command set of a C-STORE-RQ, with UIDs byte by byte."""

    def element(number: int, value: bytes) -> bytes:
        return struct.pack("<HHL", 0, number, len(value)) + value

    def even(value: bytes) -> bytes:
        return value + b"\0" * (len(value) % 2)

    body = (
        element(0x0002, even(sop_class))
        + element(0x0100, struct.pack("<H", 0x0001))
        + element(0x0110, struct.pack("<H", 7))
        + element(0x0700, struct.pack("<H", 0))
        + element(0x0800, struct.pack("<H", 0x0001 if has_data else 0x0101))
        + element(0x1000, even(sop_instance))
    )
    return element(0x0000, struct.pack("<L", len(body))) + body


def image(**attributes: Any) -> Dataset:
    """A small CR data set as pynetdicom sends it, with a patient's name to look for."""
    dataset = header(**attributes)
    dataset.PixelData = bytes(range(256)) * 4
    dataset["PixelData"].VR = "OW"
    dataset.file_meta = Dataset()
    dataset.file_meta.TransferSyntaxUID = EXPLICIT
    return dataset


def make_certificates(folder: Path) -> None:
    """Write an authority (ca.pem), a server and a client that it signed, and a stranger (each .pem and .key)."""

    def run(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    def new_key(name: str) -> list[str]:
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
        return [*curve, "-nodes", "-keyout", f"{name}.key", "-subj", f"/CN={name}"]

    for name in ("ca", "stranger"):
        run("req", "-x509", *new_key(name), "-out", f"{name}.pem", "-days", "2")
    for name in ("server", "client"):
        run("req", "-new", *new_key(name), "-out", f"{name}.csr")
        signed_by = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"]
        run("x509", "-req", "-in", f"{name}.csr", *signed_by, "-out", f"{name}.pem", "-days", "2")
