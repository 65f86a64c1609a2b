"""Whom we call, how long we wait, and what ends a call from outside: plain records without any library."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cxr_core.errors import SettingsError


@dataclass(frozen=True, slots=True)
class TlsClient:
    """How a TLS connection is checked (PS3.15 B.9: BCP 195). TLS 1.2 at least; the host name is always checked."""

    authority: Path | None = None
    """PEM file of the only authority whose certificates are taken; None for the system's."""

    certificate: Path | None = None
    """PEM file with our client certificate and its chain, for a peer that asks for one."""

    key: Path | None = None
    """PEM file with its private key; None when the key is in the file of the certificate."""

    server_name: str | None = None
    """The name in the peer's certificate where that is not the host that we connect to, such as an address."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A DICOM application that we call. Raises SettingsError for what cannot be one."""

    ae_title: str
    host: str
    port: int
    tls: TlsClient | None = None

    def __post_init__(self) -> None:
        check_ae_title(self.ae_title)
        if not self.host or not 0 < self.port < 65536:
            raise SettingsError(f"peer {self.ae_title} at {self.host!r}, port {self.port}", "a host and a port")


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long a call waits, in seconds."""

    connect_seconds: float = 10
    """For the name, the TCP connection and the TLS handshake together."""

    acse_seconds: float = 15
    """For the answer to an association request, and to a release request."""

    dimse_seconds: float = 60
    """Without any byte, while a request is sent or an answer awaited. A C-MOVE is silent while its peer works."""

    whole_seconds: float | None = 3600
    """For the whole call, however busy it is; None for no limit."""


DEFAULT_TIMEOUTS = Timeouts()


class Cancel:
    """Ends every call that it was given to, at once and from any thread.

    A running query or retrieval is cancelled by C-CANCEL and then aborted, everything else is aborted.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_set = False
        self._wakers: list[Callable[[], None]] = []

    @property
    def is_set(self) -> bool:
        """Whether somebody has cancelled."""
        return self._is_set

    def set(self) -> None:
        """Cancel, for good."""
        with self._lock:
            self._is_set = True
            wakers = list(self._wakers)
        for waker in wakers:
            waker()

    @contextmanager
    def waking(self, waker: Callable[[], None]) -> Iterator[None]:
        """Have `waker` called when somebody cancels, from that thread. Who waits looks at `is_set` before."""
        with self._lock:
            self._wakers.append(waker)
        try:
            yield
        finally:
            with self._lock:
                self._wakers.remove(waker)


def check_ae_title(title: str) -> str:
    """The AE title itself. Raises SettingsError unless it has 1 to 16 printable ASCII characters (PS3.5 6.2)."""
    if (
        not 0 < len(title.strip()) <= len(title) <= 16
        or not title.isascii()
        or not title.isprintable()
        or "\\" in title
    ):
        raise SettingsError(f"AE title {title!r}", "1 to 16 ASCII characters without backslash")
    return title
