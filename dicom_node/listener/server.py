"""The listener: binds the port, gives each connection its thread, and stops in an orderly way."""

from __future__ import annotations

import contextlib
import errno
import socket
import threading
import time
from collections.abc import Callable

from pynetdicom import AE

from dicom_node.listener.admission import Admission, plain_address
from dicom_node.listener.association import ServedAssociation, Services
from dicom_node.listener.bounded import BoundedCalls
from dicom_node.listener.commitment import Commitment
from dicom_node.listener.events import ListenerEvent, Tell
from dicom_node.listener.limits import ConnectionCounts, SenderRates
from dicom_node.listener.message_memory import MemoryBudget
from dicom_node.listener.receive_path import TICK, ReceiveLimits
from dicom_node.listener.storage import Storage
from dicom_node.listener.tls import server_context
from dicom_node.node_error import PassingError
from dicom_node.received import CommitmentReport, CommitmentSink, Sink
from dicom_node.settings import NodeSettings

#: Stores that run at once; more wait within their time. A disk serves a few, and each holds an object in memory.
_STORES_AT_ONCE = 16
#: All messages together may hold so many times what one may.
_MESSAGES_IN_MEMORY = 4
_BACKLOG = 128


class ListenError(PassingError):
    """The address or port cannot be listened on."""


def listening_socket(host: str, port: int) -> socket.socket:
    """A socket that listens on an address. Raises ListenError, whose cause is the system's error."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG, dualstack_ipv6=host == "::")
    except OSError as error:
        raise ListenError(
            f"cannot listen on {host} port {port} ({error.strerror})",
            "an address of this machine and a free port",
            "set listener.bind and listener.port, or stop the other program",
        ) from error


class Listener:
    """The DICOM service.

    Parameters
    ----------
    settings : NodeSettings
        Of the whole node.
    sink : Sink
        Takes the objects.
    commitment : CommitmentSink, optional
        Takes storage commitment; without it none is offered.
    report_elsewhere : callable, optional
        Reports a commitment on a new association; True when the peer has acknowledged it.
    tell : callable, optional
        Takes events for the log.
    """

    def __init__(
        self,
        settings: NodeSettings,
        sink: Sink,
        commitment: CommitmentSink | None = None,
        *,
        report_elsewhere: Callable[[CommitmentReport], bool] | None = None,
        tell: Tell | None = None,
    ) -> None:
        listener = settings.listener
        self._bind = (listener.bind, listener.port)
        self._acse_seconds = listener.acse_timeout_seconds
        self._report_elsewhere = report_elsewhere
        self._tell = tell or (lambda event: None)
        self._counts = ConnectionCounts(listener.max_associations, listener.max_associations_per_address)
        message_bytes = listener.max_object_mb << 20
        calls = BoundedCalls(listener.answer_timeout_seconds, _STORES_AT_ONCE)
        ae = AE(listener.ae_title)
        # Counted here, before a connection costs a thread; pynetdicom would count threads at each request.
        ae.maximum_associations = 1 << 30
        self._services = Services(
            ae=ae,
            limits=ReceiveLimits(
                pdu_bytes=listener.max_pdu_bytes,
                message_bytes=message_bytes,
                acse_seconds=listener.acse_timeout_seconds,
                network_seconds=listener.network_timeout_seconds,
                bytes_per_second=listener.min_bytes_per_second,
            ),
            budget=MemoryBudget(_MESSAGES_IN_MEMORY * message_bytes),
            tls=server_context(listener),
            admission=Admission(settings),
            storage=Storage(sink, SenderRates(listener.max_objects_per_minute), calls),
            commitment=None if commitment is None else Commitment(commitment, calls),
            tell=self._tell,
        )
        self._socket: socket.socket | None = None
        self._thread: threading.Thread | None = None
        self._associations: set[ServedAssociation] = set()
        self._lock = threading.Lock()
        self._stopping = threading.Event()

    @property
    def takes_any_caller(self) -> bool:
        """Whether no list of senders restricts who may send; then it listens on loopback alone."""
        return self._services.admission.is_open

    def start(self) -> int:
        """Listen; the port. Raises ListenError."""
        self._socket = listening_socket(*self._bind)
        self._socket.settimeout(TICK)
        self._thread = threading.Thread(target=self._accept, name="cxr-node-listener", daemon=True)
        self._thread.start()
        return int(self._socket.getsockname()[1])

    def stop(self, grace_seconds: float = 10.0) -> int:
        """Accept no more, let what is being received and stored finish for so long, then abort; how many were."""
        self._stopping.set()
        if self._socket is not None and self._thread is not None:
            with contextlib.suppress(OSError):  # wakes the thread that accepts
                self._socket.shutdown(socket.SHUT_RDWR)
            self._thread.join()
            self._socket.close()
        deadline = time.monotonic() + grace_seconds
        for association in self._live():
            association.stopping.set()
        for association in self._live():
            association.join(max(0.0, deadline - time.monotonic()))
        late = self._live()
        for association in late:
            association.hang_up()
        for association in late:
            association.join(4 * TICK)
        return len(late)

    def report(self, report: CommitmentReport) -> bool:
        """Tell a peer what became of its storage commitment request; True when it has acknowledged that.

        On the association of the request while it is open, else on a new one.
        """
        if any(association.report(report) for association in self._live()):
            return True
        return self._report_elsewhere is not None and self._report_elsewhere(report)

    def _live(self) -> list[ServedAssociation]:
        with self._lock:
            return list(self._associations)

    def _accept(self) -> None:
        assert self._socket is not None
        while not self._stopping.is_set():
            try:
                connection, peer = self._socket.accept()
            except TimeoutError:
                continue
            except OSError as error:
                # Out of descriptors or memory: what is open must end first.
                if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                    time.sleep(TICK)
                continue
            self._take(connection, plain_address(peer[0]))

    def _take(self, connection: socket.socket, address: str) -> None:
        counted = self._counts.enter(address)
        if counted == "closed":
            connection.close()
            self._tell(ListenerEvent("refused", address, reason="too many connections"))
            return
        try:
            association = ServedAssociation(self._services, connection, address, counted == "above", self._forget)
        except OSError:  # the peer has gone already
            connection.close()
            self._counts.leave(address)
            return
        with self._lock:
            self._associations.add(association)
        try:
            association.start()
        except RuntimeError:  # no more threads
            connection.close()
            association.ended("no more threads")

    def _forget(self, association: ServedAssociation) -> None:
        with self._lock:
            self._associations.discard(association)
        self._counts.leave(association.address)
