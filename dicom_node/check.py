"""`cxr-node check`: does what the settings name work?"""

from __future__ import annotations

import errno
import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from cxr_core.errors import CxrError
from dicom_node.destinations.choose import Destinations, called
from dicom_node.report import is_running, some
from dicom_node.settings import NodeSettings
from dicom_node.store.folder import DataFolder


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was tried."""

    what: str
    works: bool
    words: str
    is_warning: bool = False
    """It works, and should be otherwise."""


def examine(settings: NodeSettings) -> Iterator[Finding]:
    """Try one thing after the other. Nothing is changed but the data folder, which is made."""
    listed = f"{some(len(settings.peers), 'peer')}, {some(len(settings.destinations), 'destination')}"
    yield Finding("settings", True, listed)
    yield _folder(settings)
    yield from _intake(settings)
    yield _model(settings)
    yield _port(settings)
    yield from _tls(settings)
    yield from _peers(settings)
    yield from _services(settings)
    yield from _tokens(settings)


def _folder(settings: NodeSettings) -> Finding:
    folder = DataFolder(settings.data)
    try:
        folder.prepare()
    except CxrError as error:
        return Finding("data folder", False, str(error))
    free_mb = folder.free_bytes() // 1024**2
    enough = free_mb > settings.retention.reserve_mb
    needed = "" if enough else f", less than the reserve of {settings.retention.reserve_mb} MB: nothing would be taken"
    return Finding("data folder", enough, f"{free_mb} MB free{needed}")


def _intake(settings: NodeSettings) -> Iterator[Finding]:
    from dicom_node.work.analysis import core_settings

    if settings.analysis.relaxed_intake:
        try:
            core_settings(settings.analysis)
        except CxrError as error:
            yield Finding("relaxed intake", False, str(error))
        else:
            yield Finding("relaxed intake", True, ", ".join(settings.analysis.relaxed_intake))


def _model(settings: NodeSettings) -> Finding:
    from cxr_core.classifier import Classifier
    from dicom_node.work.analysis import core_settings

    analysis = settings.analysis.model_copy(update={"relaxed_intake": ()})  # looked at by itself
    try:
        # Loaded and verified as the node does it: a model may be whole, and not take a setting.
        identity = Classifier(analysis.model, core_settings(analysis)).identity
    except CxrError as error:
        return Finding("model", False, str(error))
    return Finding("model", True, f"{identity.name} {identity.version}")


def _port(settings: NodeSettings) -> Finding:
    from dicom_node.listener.server import ListenError, listening_socket

    host, port = settings.listener.bind, settings.listener.port
    try:
        listening_socket(host, port).close()
    except ListenError as error:
        cause = error.__cause__
        if isinstance(cause, OSError) and cause.errno == errno.EADDRINUSE and is_running(DataFolder(settings.data)):
            return Finding("port", True, f"{host} port {port} is in use, and a node runs on this data folder")
        if isinstance(cause, PermissionError):  # the unit may give the service what a command has not
            return Finding("port", True, f"{error}; not tried: only the service may", is_warning=True)
        return Finding("port", False, str(error))
    return Finding("port", True, f"{host} port {port} is free")


def _tls(settings: NodeSettings) -> Iterator[Finding]:
    if settings.listener.tls:
        from dicom_node.listener.tls import server_context

        try:
            server_context(settings.listener)
        except CxrError as error:
            yield Finding("TLS of the listener", False, str(error))
        else:
            yield Finding("TLS of the listener", True, "certificate and key fit")


def _peers(settings: NodeSettings) -> Iterator[Finding]:
    from dicom_node.peers import echo

    for peer in settings.peers:
        if peer.port is None:
            continue
        try:
            result = echo(called(peer), calling_ae_title=settings.listener.ae_title)
        except CxrError as error:
            yield Finding(f"peer {peer.ae_title}", False, str(error))
        else:
            yield Finding(f"peer {peer.ae_title}", result.failure is None, result.words)


def _tokens(settings: NodeSettings) -> Iterator[Finding]:
    """Bearer tokens that anybody on the way can read (RFC 6750 5.3)."""
    for chosen in settings.destinations:
        address = urlsplit(chosen.url or "")
        if chosen.token_variable is not None and address.scheme == "http" and not _is_here(address.hostname or ""):
            words = "the token goes over the network as plain text; use https://"
            yield Finding(f"destination {chosen.name}", True, words, is_warning=True)


def _is_here(host: str) -> bool:
    """Whether what goes there stays on this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _services(settings: NodeSettings) -> Iterator[Finding]:
    from dicom_node.destinations.stow import StowDestination

    destinations = Destinations(settings, DataFolder(settings.data))
    for name, chosen in destinations.configured.items():
        if chosen.kind == "stow":
            service = destinations.open(name, "")
            if isinstance(service, StowDestination):
                failure = service.look()
                yield Finding(f"destination {name}", failure is None, str(failure or "the service answers"))
            else:
                yield Finding(f"destination {name}", False, str(service))
