"""A TCP or TLS connection to a peer: opened, sent to and received from within the limits of a call."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import Any

from dicom_node.peers.failure import CallFailed, Cause, failed
from dicom_node.peers.peer import Peer, TlsClient
from dicom_node.peers.waiting import READ, WRITE, Waiter


class Connection:
    """A connected byte stream. Sockets never block; every wait is the Waiter's."""

    def __init__(self, connected: socket.socket, waiter: Waiter) -> None:
        self._socket = connected
        self._waiter = waiter
        # One copy less for 10 MB; TLS and Windows have no gathering write.
        self._gathers = hasattr(connected, "sendmsg") and not isinstance(connected, ssl.SSLSocket)

    def send(self, pieces: Sequence[bytes | memoryview], seconds: float) -> None:
        """Send all pieces; the peer may stop taking bytes for so many seconds. At most 1024 pieces (IOV_MAX)."""
        views = deque(memoryview(piece) for piece in (pieces if self._gathers else [b"".join(pieces)]))
        silence = f"the peer took no data for {seconds:g} s"
        while views:
            try:
                sent = self._socket.sendmsg(views) if self._gathers else self._socket.send(views[0])
            except (BlockingIOError, ssl.SSLWantWriteError):
                self._waiter.wait(self._socket, WRITE, time.monotonic() + seconds, silence)
                continue
            except ssl.SSLWantReadError:
                self._waiter.wait(self._socket, READ, time.monotonic() + seconds, silence)
                continue
            except OSError as error:
                raise _lost(error) from error
            while sent:
                if sent >= len(views[0]):
                    sent -= len(views.popleft())
                else:
                    views[0] = views[0][sent:]
                    sent = 0

    def receive(self, view: memoryview, until: float, silence: str) -> int:
        """Receive at least one byte into `view`, by `until` of time.monotonic; the number of bytes."""
        while True:
            try:
                received = self._socket.recv_into(view)
            except (BlockingIOError, ssl.SSLWantReadError):
                self._waiter.wait(self._socket, READ, until, silence)
            except ssl.SSLWantWriteError:
                self._waiter.wait(self._socket, WRITE, until, silence)
            except OSError as error:
                raise _lost(error) from error
            else:
                if not received:
                    raise failed(Cause.LOST, "the peer closed the connection")
                return received

    def say_goodbye(self, data: bytes) -> None:
        """Send what the system takes at once and end the sending direction; failing is all right."""
        with contextlib.suppress(OSError):
            self._socket.send(data)
            self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


def connect(peer: Peer, waiter: Waiter) -> Connection:
    """Connect by TCP, and by TLS where the peer has it. Raises CallFailed."""
    until = time.monotonic() + waiter.timeouts.connect_seconds
    addresses = _addresses(peer, waiter, until)
    failure = failed(Cause.ADDRESS, f"{peer.host} has no address; correct the host of the peer")
    for left in range(len(addresses), 0, -1):
        # A share for each address: a host whose IPv6 leads nowhere may answer by IPv4.
        share = time.monotonic() + (until - time.monotonic()) / left
        try:
            connected = _connect_tcp(*addresses[-left], peer, waiter, share)
        except CallFailed as error:
            if error.failure.cause is not Cause.UNREACHABLE:
                raise
            failure = error
            continue
        if peer.tls is not None:
            connected = _start_tls(connected, peer, peer.tls, waiter, until)
        return Connection(connected, waiter)
    raise failure


def _addresses(peer: Peer, waiter: Waiter, until: float) -> list[tuple[int, Any]]:
    """(family, address) of the host. Asked for in a thread, since the system's resolver knows no time-out."""
    answers: list[list[tuple[int, Any]]] = []

    def resolve() -> None:
        try:
            found = socket.getaddrinfo(peer.host, peer.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):  # a label of more than 63 characters is a UnicodeError
            found = []
        answers.append([(family, address) for family, _, _, _, address in found])
        waiter.wake()

    threading.Thread(target=resolve, name="resolve", daemon=True).start()
    while not answers:
        waiter.wait(None, READ, until, f"no address of {peer.host} was found in time")
    return answers[0]


def _connect_tcp(family: int, address: Any, peer: Peer, waiter: Waiter, until: float) -> socket.socket:
    """A connected socket that never blocks. Raises CallFailed (UNREACHABLE)."""
    where = f"{peer.host} port {peer.port}"
    try:
        connected = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:  # a family that this system has not
        raise failed(Cause.UNREACHABLE, f"{where} cannot be reached: {_reason(error)}") from error
    try:
        connected.setblocking(False)
        # An answer follows each request: nothing is gained by waiting for more to send (RFC 896).
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        code = connected.connect_ex(address)
        if code in (errno.EINPROGRESS, errno.EWOULDBLOCK):
            while not waiter.wait(
                connected, WRITE, until, f"{where} did not answer; is it on, and open in the firewall?"
            ):
                pass
            code = connected.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise failed(Cause.UNREACHABLE, f"{where} cannot be reached: {os.strerror(code).lower()}")
    except CallFailed as error:
        connected.close()
        if error.failure.cause is Cause.SILENT:
            raise failed(Cause.UNREACHABLE, error.failure.words) from None
        raise
    return connected


def _start_tls(plain: socket.socket, peer: Peer, tls: TlsClient, waiter: Waiter, until: float) -> ssl.SSLSocket:
    where = f"{peer.host} port {peer.port}"
    try:
        context = ssl.create_default_context(cafile=tls.authority)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if tls.certificate is not None:
            # Without a password OpenSSL would ask for one on the terminal.
            context.load_cert_chain(tls.certificate, tls.key, password="")
        secured = context.wrap_socket(
            plain, server_hostname=tls.server_name or peer.host, do_handshake_on_connect=False
        )
    except (OSError, ValueError) as error:
        plain.close()
        raise failed(Cause.OURS, f"the TLS settings for {where} cannot be used: {_reason(error)}") from error
    silence = f"{where} did not answer the TLS handshake; does it speak TLS?"
    try:
        while True:
            try:
                secured.do_handshake()
                return secured
            except ssl.SSLWantReadError:
                waiter.wait(secured, READ, until, silence)
            except ssl.SSLWantWriteError:
                waiter.wait(secured, WRITE, until, silence)
    except ssl.SSLCertVerificationError as error:
        secured.close()
        raise failed(Cause.TLS, f"the certificate of {where} is not trusted: {error.verify_message}") from error
    except OSError as error:
        secured.close()
        raise failed(Cause.TLS, f"no TLS with {where}: {_reason(error)}") from error
    except CallFailed:
        secured.close()
        raise


def _lost(error: OSError) -> CallFailed:
    """A connection that broke. TLS 1.3 judges our certificate after the handshake, by an alert (RFC 8446 4.4.2)."""
    if isinstance(error, ssl.SSLError) and "ALERT" in (error.reason or ""):
        return failed(Cause.TLS, f"the peer does not take our certificate, or asks for one: {_reason(error)}")
    return failed(Cause.LOST, f"the connection broke: {_reason(error)}")


def _reason(error: Exception) -> str:
    """An operating system's or OpenSSL's reason without file names."""
    reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or type(error).__name__
    return str(reason).lower().replace("_", " ")
