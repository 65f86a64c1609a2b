"""TLS to a peer: who is trusted, by which name, and that nobody who is silent holds us up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dicom_node.peers import Cause, EncodedObject, Sent, TlsClient, echo, store
from tests.node.peers.fakes import CERTIFICATES, OURS, PATIENT, Line, on_store, raw_peer, scp, server_context

VERIFICATION = "1.2.840.10008.1.1"
CR = "1.2.840.10008.5.1.4.1.1.1"
TRUSTING = TlsClient(authority=CERTIFICATES / "authority.pem")
KNOWN = replace(TRUSTING, certificate=CERTIFICATES / "client.pem", key=CERTIFICATES / "client.key")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_peer_whose_certificate_we_trust(host: str) -> None:
    with scp([(VERIFICATION, None)], tls=server_context(), client_tls=TRUSTING, host=host) as peer:
        assert echo(peer, calling_ae_title=OURS, timeouts=PATIENT).failure is None


def test_a_large_object_arrives_whole() -> None:
    given = EncodedObject(CR, "2.25.1", "1.2.840.10008.1.2.1", bytes(range(256)) * 20000)
    received: list[bytes] = []

    def keep(event: object) -> int:
        received.append(event.request.DataSet.getvalue())  # type: ignore[attr-defined]
        return 0

    contexts = [(CR, "1.2.840.10008.1.2.1")]
    with scp(contexts, on_store(keep), tls=server_context(), client_tls=TRUSTING) as peer:
        (outcome,) = store(peer, [given], calling_ae_title=OURS, timeouts=PATIENT)
    assert outcome.result is Sent.ACCEPTED
    assert received == [given.source]


@pytest.mark.parametrize(
    ("server", "tls", "cause", "words"),
    [
        ("server", TlsClient(authority=CERTIFICATES / "stranger.pem"), Cause.TLS, "is not trusted"),
        ("server", TlsClient(), Cause.TLS, "is not trusted"),
        ("elsewhere", TRUSTING, Cause.TLS, "IP address mismatch"),
        ("server", replace(TRUSTING, server_name="pacs.invalid"), Cause.TLS, "Hostname mismatch"),
        ("server", TlsClient(authority=Path("missing.pem")), Cause.OURS, "no such file"),
        ("server", TlsClient(authority=CERTIFICATES / "client.key"), Cause.OURS, "no certificate"),
        ("server", replace(KNOWN, key=CERTIFICATES / "server.key"), Cause.OURS, "key values mismatch"),
    ],
)
def test_whom_we_do_not_trust(server: str, tls: TlsClient, cause: Cause, words: str) -> None:
    with scp([(VERIFICATION, None)], tls=server_context(server), client_tls=tls) as peer:
        failure = echo(peer, calling_ae_title=OURS, timeouts=PATIENT).failure
    assert failure is not None
    assert failure.cause is cause
    assert words in failure.words
    assert not failure.passing


def test_the_name_in_the_certificate_may_be_said() -> None:
    tls = replace(TRUSTING, server_name="pacs.invalid")
    with scp([(VERIFICATION, None)], tls=server_context("elsewhere"), client_tls=tls) as peer:
        assert echo(peer, calling_ae_title=OURS, timeouts=PATIENT).failure is None


def test_a_peer_that_asks_for_our_certificate() -> None:
    context = server_context(asks_for_client=True)
    with scp([(VERIFICATION, None)], tls=context, client_tls=KNOWN) as peer:
        assert echo(peer, calling_ae_title=OURS, timeouts=PATIENT).failure is None
    with scp([(VERIFICATION, None)], tls=context, client_tls=TRUSTING) as peer:
        failure = echo(peer, calling_ae_title=OURS, timeouts=PATIENT).failure
    assert failure is not None
    # The alert may be overtaken by the reset of the connection.
    assert failure.cause in {Cause.TLS, Cause.LOST}
    assert "not take our certificate" in failure.words


def test_a_peer_without_tls() -> None:
    # It waits so long for the end of a connection that it has aborted.
    with scp([(VERIFICATION, None)], client_tls=TRUSTING, acse_timeout=2) as peer:
        failure = echo(peer, calling_ae_title=OURS, timeouts=PATIENT).failure
    assert failure is not None
    assert failure.cause is Cause.TLS
    assert failure.words.startswith(f"no TLS with 127.0.0.1 port {peer.port}")


def test_a_peer_that_is_silent_in_the_handshake() -> None:
    with raw_peer(Line.wait, tls=TRUSTING) as peer:
        failure = echo(peer, calling_ae_title=OURS, timeouts=replace(PATIENT, connect_seconds=1)).failure
    assert failure is not None
    assert failure.cause is Cause.SILENT
    assert "did not answer the TLS handshake; does it speak TLS?" in failure.words


def test_without_tls_to_a_peer_that_has_it() -> None:
    with scp([(VERIFICATION, None)], tls=server_context()) as peer:
        failure = echo(peer, calling_ae_title=OURS, timeouts=PATIENT).failure
    assert failure is not None
    assert failure.cause in {Cause.LOST, Cause.NOT_UNDERSTOOD}
