"""Load balancers and monitors, which only look whether we are there: told as that, and no line of the log."""

from __future__ import annotations

import socket
import struct
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from dicom_node import logs, serve
from dicom_node.listener.events import ListenerEvent
from dicom_node.serve import _log_event
from tests.node.listener.harness import CR, make_certificates, running
from tests.node.node_process import until

VERIFICATION = "1.2.840.10008.1.1"


def reset(connection: socket.socket) -> None:
    """Close by RST, as health checks do that save the time of a closing handshake."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


@pytest.mark.parametrize("leave", [socket.socket.close, reset])
@pytest.mark.parametrize("tls", [False, True])
def test_a_connection_without_a_byte_is_a_probe(tmp_path: Path, leave, tls) -> None:
    secure = {}
    if tls:
        make_certificates(tmp_path)
        secure = {"tls": True, "tls_certificate": tmp_path / "server.pem", "tls_key": tmp_path / "server.key"}
    with running(**secure) as node:
        connection = node.peer().socket
        until(node.listener._live)  # one that was reset before it was accepted leaves no trace at all
        leave(connection)
        (event,) = node.events.wait("refused")
        assert (event.reason, event.is_probe) == ("closed without a byte", True)


def test_who_leaves_in_the_middle_of_a_request_is_none() -> None:
    with running() as node:
        peer = node.peer()
        peer.send(b"\x01\x00\x00")
        peer.socket.close()
        (event,) = node.events.wait("refused")
        assert (event.reason, event.is_probe) == ("closed without a request", False)


def test_who_says_nothing_and_stays_is_none() -> None:
    with running(acse_timeout_seconds=0.2) as node, node.peer():
        (event,) = node.events.wait("refused")
        assert (event.reason, event.is_probe) == ("no association request in time", False)


@pytest.mark.parametrize(("contexts", "is_probe"), [((VERIFICATION,), True), ((VERIFICATION, CR), False)])
def test_an_association_for_c_echo_alone_is_a_probe(contexts, is_probe) -> None:
    with running() as node:
        association = node.associate(*contexts)
        association.send_c_echo()
        association.release()
        (closed,) = node.events.wait("closed")
        assert [event.is_probe for event in (*node.events.of("opened"), closed)] == [is_probe, is_probe]


def test_a_c_echo_that_is_refused_is_told() -> None:
    """Somebody has made a mistake in a list of peers."""
    with running() as node:
        assert node.associate(VERIFICATION, called="OTHER").is_rejected
        assert not node.events.wait("refused")[0].is_probe


@pytest.mark.parametrize(("is_probe", "level"), [(True, "debug"), (False, "info")])
def test_probes_are_logged_at_debug(monkeypatch, is_probe, level) -> None:
    monkeypatch.setattr(serve, "log", logs.get("fresh"))  # one that was used before is bound to what was set up then
    with capture_logs() as lines:
        _log_event(ListenerEvent("closed", "127.0.0.1", is_probe=is_probe))
    assert [line["log_level"] for line in lines] == [level]
