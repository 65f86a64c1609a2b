"""HTTP requests to a DICOMweb service within the limits of a call."""

from __future__ import annotations

import math
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from cxr_core.errors import SettingsError
from dicom_node.peers.failure import CallFailed, Cause, Failure, failed
from dicom_node.peers.peer import Cancel, Timeouts
from dicom_node.peers.waiting import READ, Waiter

if TYPE_CHECKING:
    import requests

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class WebService:
    """A DICOMweb service that we call. Raises SettingsError for what cannot be one."""

    url: str
    """As in https://pacs.example/dicom-web, without /studies."""

    token: str | None = field(default=None, repr=False)
    """Bearer token (RFC 6750); it comes from the environment, never from a settings file."""

    authority: Path | None = None
    """PEM file of the only authority whose certificates are taken; None for the system's."""

    certificate: Path | None = None
    key: Path | None = None
    """Our client certificate and its key as PEM files, where the service asks for one."""

    def __post_init__(self) -> None:
        if not self.url.startswith(("https://", "http://")):
            raise SettingsError(f"the DICOMweb address {self.url!r}", "one that begins with https:// or http://")


def session_of(service: WebService) -> requests.Session:
    """A session that follows these settings alone: no proxy, netrc or authority out of the environment."""
    import requests

    session = requests.Session()
    session.trust_env = False
    session.verify = str(service.authority or ssl.get_default_verify_paths().cafile or True)
    if service.certificate is not None:
        session.cert = str(service.certificate) if service.key is None else (str(service.certificate), str(service.key))
    if service.token is not None:
        session.headers["Authorization"] = f"Bearer {service.token}"
    return session


def call(request: Callable[[], T], timeouts: Timeouts, cancel: Cancel | None) -> T:
    """Run a request in a thread, and leave it behind when the call's time is over or somebody cancels.

    Raises CallFailed, and what the request raises that is neither of `requests` nor of the system. A request that was
    left behind ends by its own time-outs.
    """
    import requests

    done: list[T] = []
    errors: list[BaseException] = []
    waiter = Waiter(timeouts, cancel)

    def run() -> None:
        try:
            done.append(request())
        except BaseException as error:  # noqa: BLE001  # raised again below, in the thread that called
            errors.append(error)
        waiter.wake()

    with waiter.listening():
        threading.Thread(target=run, name="dicomweb", daemon=True).start()
        while not done and not errors:
            waiter.wait(None, READ, math.inf, "")
    if done:
        return done[0]
    if isinstance(errors[0], requests.RequestException):
        raise CallFailed(failure_of(errors[0])) from errors[0]
    if isinstance(errors[0], OSError):
        raise failed(Cause.OURS, "a certificate, key or object of ours cannot be read") from errors[0]
    raise errors[0]


def failure_of(error: requests.RequestException) -> Failure:
    """What an exception of `requests` means."""
    import requests
    from urllib3.exceptions import NameResolutionError, NewConnectionError

    if error.response is not None:
        return http_failure(error.response.status_code)
    roots = _roots(error)
    for root in roots:
        if isinstance(root, ssl.SSLCertVerificationError):
            return failed(Cause.TLS, f"the web service's certificate is not trusted: {root.verify_message}").failure
        if isinstance(root, NameResolutionError):
            return failed(Cause.ADDRESS, "the web service's host has no address; correct its address").failure
    if isinstance(error, requests.exceptions.SSLError):
        return failed(Cause.TLS, "no TLS with the web service").failure
    if isinstance(error, requests.ConnectTimeout) or any(isinstance(root, NewConnectionError) for root in roots):
        return failed(Cause.UNREACHABLE, "the web service cannot be reached").failure
    if isinstance(error, requests.Timeout):
        return failed(Cause.SILENT, "the web service did not answer in time").failure
    if isinstance(error, requests.ConnectionError):
        return failed(Cause.LOST, "the connection to the web service broke").failure
    return failed(Cause.NOT_UNDERSTOOD, f"the web service cannot be used: {type(error).__name__}").failure


def http_failure(status: int) -> Failure:
    """What an HTTP status of no success means (RFC 9110 15, PS3.18 8.5)."""
    if status in (401, 403):
        return Failure(Cause.REFUSED, f"the web service does not let us in (HTTP {status}); check the token", status)
    if 300 <= status < 400:
        return Failure(Cause.REFUSED, f"the web service has moved (HTTP {status}); correct its address", status)
    if status in (404, 405, 501, 505):
        return Failure(Cause.NOT_OFFERED, f"there is no such DICOMweb service at this address (HTTP {status})", status)
    if status in (408, 425, 429) or status >= 500:
        return Failure(Cause.STATUS, f"the web service is in trouble (HTTP {status})", status, passing=True)
    return Failure(Cause.STATUS, f"the web service refused the request (HTTP {status})", status)


def _roots(error: BaseException) -> list[BaseException]:
    """The exceptions that an exception of `requests` wraps, from the outside to the inside."""
    found: list[BaseException] = []
    inner: object = error
    while isinstance(inner, BaseException) and inner not in found:
        found.append(inner)
        inner = getattr(inner, "reason", None) or next((a for a in inner.args if isinstance(a, BaseException)), None)
    return found
