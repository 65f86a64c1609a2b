"""TLS: who has a certificate is let in, and who says nothing holds up nobody."""

from __future__ import annotations

import ssl
from contextlib import suppress

import pytest

from cxr_core.errors import SettingsError
from tests.node.listener.harness import PATIENCE_SECONDS, associate_request, image, make_certificates, running


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificates")
    make_certificates(folder)
    return folder


@pytest.fixture
def tls(certificates):
    return {
        "tls": True,
        "tls_certificate": certificates / "server.pem",
        "tls_key": certificates / "server.key",
        "acse_timeout_seconds": 1,
        "network_timeout_seconds": 1,
    }


def client(certificates, name: str | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=certificates / "ca.pem")
    context.check_hostname = False
    if name:
        context.load_cert_chain(certificates / f"{name}.pem", certificates / f"{name}.key")
    return context


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_an_object_comes_over_tls(certificates, tls, version):
    with running(**tls) as node:
        context = client(certificates)
        context.minimum_version = context.maximum_version = version
        association = node.associate(tls_args=(context, None))
        assert association.send_c_store(image(ImageComments="x" * 100_000)).Status == 0x0000
        association.release()
        assert node.events.wait("closed")[0].reason == "released"
        assert len(node.sink.data_sets[0]) > 100_000


def test_silent_clients_block_nobody_and_are_let_go(certificates, tls):
    with running(**tls) as node:
        silent = [node.peer() for _ in range(3)]
        association = node.associate(tls_args=(client(certificates), None))
        assert association.send_c_echo().Status == 0x0000
        association.release()
        for peer in silent:
            assert peer.ends() == []
            peer.socket.close()
        assert {event.reason for event in node.events.wait("refused", 3)} == {"no connection: TimeoutError"}


def test_a_handshake_blocks_nobody_while_it_lasts(certificates, tls):
    with running(**tls | {"acse_timeout_seconds": 3 * PATIENCE_SECONDS}) as node, node.peer(), node.peer() as half:
        half.send(b"\x16\x03\x01\x02\x00")  # a TLS record whose rest does not come
        with node.peer() as peer:  # it has less patience than the two have time
            peer.socket = client(certificates).wrap_socket(peer.socket)
            peer.associate()
        assert node.events.of("refused") == []


def test_a_peer_that_stalls_behind_tls_is_let_go(certificates, tls):
    with running(**tls) as node:
        peer = node.peer()
        secured = client(certificates).wrap_socket(peer.socket)
        secured.sendall(b"\x01\x00")
        assert secured.recv(1) == b""
        assert node.events.wait("refused")[0].reason == "peer too slow"
        secured.close()


def test_a_peer_without_tls_is_let_go(tls):
    with running(**tls) as node, node.peer() as peer:
        peer.send(b"\x01\x00\x00\x00\x00\x10" + bytes(16))
        peer.ends()
        assert node.events.wait("refused")[0].reason.startswith("no connection: SSL")


def test_old_versions_are_refused(certificates, tls):
    with running(**tls) as node:
        context = client(certificates)
        context.set_ciphers("ALL:@SECLEVEL=0")
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
        with node.peer() as peer, pytest.raises(OSError, match=r"(?i)alert|version|reset"):
            context.wrap_socket(peer.socket)


@pytest.mark.parametrize(("name", "let_in"), [("client", True), ("stranger", False), (None, False)])
def test_client_certificates_are_asked_for_where_their_authority_is_named(certificates, tls, name, let_in):
    with running(**tls, tls_client_ca=certificates / "ca.pem") as node:
        peer = node.peer()
        with client(certificates, name).wrap_socket(peer.socket) as secured, suppress(OSError):
            secured.sendall(associate_request())
            assert secured.recv(1) == (b"\x02" if let_in else b"")
        told = node.events.wait("opened" if let_in else "refused")[0].reason
        assert told == ("" if let_in else "no connection: SSLCertVerificationError") or (name is None and "SSL" in told)


@pytest.mark.parametrize(
    "wrong",
    [{"tls_key": "client.key"}, {"tls_key": "none.key"}, {"tls_certificate": "none.pem"}, {"tls_client_ca": "ca.key"}],
    ids=lambda wrong: next(iter(wrong)) + next(iter(wrong.values())),
)
def test_files_that_do_not_fit_are_told_before_the_start(certificates, tls, wrong):
    settings = tls | {name: certificates / value for name, value in wrong.items()}
    with pytest.raises(SettingsError, match="cannot be used for TLS") as caught, running(**settings):
        pass
    assert "\n" not in str(caught.value)


def test_a_key_that_everybody_can_read_is_refused(certificates, tls, tmp_path):
    key = tmp_path / "server.key"
    key.write_bytes((certificates / "server.key").read_bytes())
    key.chmod(0o644)
    with pytest.raises(SettingsError, match=r"can be read by everybody.*chmod o="), running(**tls | {"tls_key": key}):
        pass
