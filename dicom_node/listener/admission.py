"""Who may talk to us: called and calling AE titles and source addresses against the list of peers."""

from __future__ import annotations

import ipaddress
import socket
import threading
import time
from dataclasses import dataclass

from dicom_node.settings import NodeSettings

#: Seconds after which a host name is looked up again.
_FRESH_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why an association is rejected (PS3.8 9.3.4), with a reason for the log."""

    result: int
    source: int
    diagnostic: int
    reason: str


@dataclass(frozen=True, slots=True)
class Admitted:
    """What an admitted caller may do."""

    may_send: bool
    sender: str
    """The name under which its objects are counted."""


CALLED_TITLE_UNKNOWN = Rejection(1, 1, 7, "called AE title is not ours")
CALLING_TITLE_UNKNOWN = Rejection(1, 1, 3, "calling AE title is not in the list of peers")
WRONG_ADDRESS = Rejection(1, 1, 3, "address is not that of the peer with this AE title")
NO_ADDRESS = Rejection(2, 1, 1, "host name of the peer with this AE title cannot be resolved")
NO_SPACE = Rejection(2, 3, 1, "no space left for objects")
TOO_MANY = Rejection(2, 3, 2, "too many associations")


class Admission:
    """Judges association requests.

    Without any peer that may send, every calling AE title is taken; the settings allow that on loopback alone.
    """

    def __init__(self, settings: NodeSettings) -> None:
        self._ae_title = settings.listener.ae_title
        self._peers = {peer.ae_title: peer for peer in settings.peers}
        self.is_open = not any(peer.may_send for peer in settings.peers)
        self._hosts = HostAddresses()

    def judge(self, called: str, calling: str, address: str) -> Admitted | Rejection:
        """Whether a caller is let in. May take as long as a host name is looked up."""
        if called.strip() != self._ae_title:
            return CALLED_TITLE_UNKNOWN
        if self.is_open:
            return Admitted(True, address)
        peer = self._peers.get(calling.strip())
        if peer is None:
            return CALLING_TITLE_UNKNOWN
        addresses = self._hosts.of(peer.host)
        if address in addresses:
            return Admitted(peer.may_send, peer.ae_title)
        return WRONG_ADDRESS if addresses else NO_ADDRESS


class HostAddresses:
    """Addresses of host names, remembered for a minute, and longer while the name service is away."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, frozenset[str]]] = {}
        self._lock = threading.Lock()

    def of(self, host: str) -> frozenset[str]:
        """All addresses of a name or of an address, as `plain_address` writes them; empty when nothing is known."""
        with self._lock:
            until, addresses = self._known.get(host, (0.0, frozenset()))
        if time.monotonic() < until:
            return addresses
        try:
            found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            return addresses
        addresses = frozenset(plain_address(str(entry[4][0])) for entry in found)
        with self._lock:
            self._known[host] = (time.monotonic() + _FRESH_SECONDS, addresses)
        return addresses


def plain_address(text: str) -> str:
    """An IP address in one spelling: IPv4 in IPv6 as IPv4, without the zone of a link-local address."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(address)
