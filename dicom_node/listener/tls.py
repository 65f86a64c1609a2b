"""TLS of the listener: version 1.2 or later, with client certificates where the settings name their authority."""

from __future__ import annotations

import socket
import ssl
import stat
from pathlib import Path

from cxr_core.errors import SettingsError
from dicom_node.listener.events import NeverSpokeError
from dicom_node.settings import ListenerSettings


def server_context(settings: ListenerSettings) -> ssl.SSLContext | None:
    """The TLS context that the settings ask for, or None. Raises SettingsError (PS3.15 B.9, BCP 195)."""
    if not settings.tls or settings.tls_certificate is None or settings.tls_key is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _check_secret(settings.tls_key)
    try:
        # A key with a pass phrase would ask for it on the terminal; a service has none.
        context.load_cert_chain(settings.tls_certificate, settings.tls_key, password=lambda: "")
    except (OSError, ValueError) as error:
        raise _unusable(f"{settings.tls_certificate} with {settings.tls_key}", error) from error
    if settings.tls_client_ca is not None:
        try:
            context.load_verify_locations(settings.tls_client_ca)
        except (OSError, ValueError) as error:
            raise _unusable(str(settings.tls_client_ca), error) from error
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def handshake(connection: socket.socket, context: ssl.SSLContext, seconds: float) -> ssl.SSLSocket:
    """Secure an accepted connection within a time, in the calling thread. Raises OSError, or NeverSpokeError."""
    connection.settimeout(seconds)
    try:
        spoke = connection.recv(1, socket.MSG_PEEK)
    except ConnectionResetError:
        spoke = b""
    if not spoke:
        raise NeverSpokeError
    secured = context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
    try:
        secured.do_handshake()
    except BaseException:
        secured.close()
        raise
    return secured


def _check_secret(key: Path) -> None:
    try:
        mode = key.stat().st_mode
    except OSError as error:
        raise _unusable(str(key), error) from error
    if mode & stat.S_IRWXO:
        raise SettingsError(f"{key} can be read by everybody", "a private key for the node alone", f"chmod o= {key}")


def _unusable(what: str, error: Exception) -> SettingsError:
    return SettingsError(
        f"listener: {what} cannot be used for TLS ({error})",
        "PEM files: a certificate with its chain, its key without pass phrase, the authorities of clients",
        "correct tls_certificate, tls_key, tls_client_ca",
    )
