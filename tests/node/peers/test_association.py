"""Associations that do not come about or break: each says why, in words, and none hangs."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace

import pytest

from cxr_core.errors import SettingsError
from dicom_node.peers import Cancel, Cause, Peer, Timeouts, echo
from dicom_node.peers.failure import failed
from dicom_node.peers.waiting import Waiter
from tests.node.orthanc_server import free_ports
from tests.node.peers.fakes import ABORT, HEAD, OURS, PATIENT, THEIRS, Line, command_pdu, raw_peer, response, scp

VERIFICATION = "1.2.840.10008.1.1"


def test_an_echo_is_answered() -> None:
    with scp([(VERIFICATION, None)]) as peer:
        result = echo(peer, calling_ae_title=OURS, timeouts=PATIENT)
    assert result.failure is None
    assert result.words.startswith("the peer answered in ")


@pytest.mark.parametrize(
    ("result", "source", "reason", "words", "passing"),
    [
        (1, 1, 1, "may know neither our AE title CXR_NODE nor our address", False),
        (1, 1, 2, "application context name not supported", False),
        (
            1,
            1,
            3,
            "the peer refused our AE title CXR_NODE: calling AE title not recognised; the peer has to list it",
            False,
        ),
        (1, 1, 7, "the peer refused its AE title PACS: called AE title not recognised", False),
        (1, 2, 1, "without a reason", False),
        (1, 2, 2, "protocol version not supported", False),
        (2, 3, 1, "for now: temporary congestion", True),
        (2, 3, 2, "for now: it has reached its limit of associations", True),
        (1, 3, 9, "(source 3, reason 9)", False),
    ],
)
def test_a_rejection_is_told_in_words(result: int, source: int, reason: int, words: str, passing: bool) -> None:
    def reject(line: Line) -> None:
        line.read_pdu()
        line.send(HEAD.pack(3, 4) + bytes([0, result, source, reason]))
        assert line.connection.recv(1) == b"", "nothing follows a rejection (PS3.8 9.2.3)"

    with raw_peer(reject) as peer:
        failure = echo(peer, calling_ae_title=OURS, timeouts=PATIENT).failure
    assert failure is not None
    assert failure.cause is Cause.REFUSED
    assert words in failure.words
    assert failure.passing is passing


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"require_calling_aet": ["OTHER"]}, "calling AE title not recognised"),
        ({"require_called_aet": True, "ae_title": "OTHER"}, "called AE title not recognised"),
    ],
)
def test_a_server_that_does_not_know_the_titles(settings: dict[str, object], words: str) -> None:
    with scp([(VERIFICATION, None)], **settings) as peer:
        failure = echo(peer, calling_ae_title=OURS, timeouts=PATIENT).failure
    assert failure is not None
    assert failure.cause is Cause.REFUSED
    assert words in failure.words


def test_a_server_without_the_service() -> None:
    with scp([("1.2.840.10008.5.1.4.1.1.1", None)]) as peer:
        failure = echo(peer, calling_ae_title=OURS, timeouts=PATIENT).failure
    assert failure is not None
    assert failure.cause is Cause.NOT_OFFERED
    assert failure.words == "the peer does not accept Verification SOP Class"


def _accept_and(then: Callable[[Line], None]) -> Callable[[Line], None]:
    def script(line: Line) -> None:
        line.accept()
        line.read_message()
        then(line)

    return script


def _instead_of_accepting(data: bytes) -> Callable[[Line], None]:
    def script(line: Line) -> None:
        line.read_pdu()
        line.send(data)
        line.wait()

    return script


@pytest.mark.parametrize(
    ("script", "cause", "words"),
    [
        (_accept_and(lambda line: line.send(ABORT)), Cause.ABORTED, "the peer aborted the association"),
        (
            _accept_and(lambda line: line.send(HEAD.pack(7, 4) + b"\0\0\x02\x06")),
            Cause.ABORTED,
            "invalid PDU parameter value",
        ),
        (_accept_and(lambda line: None), Cause.LOST, "closed the connection"),
        (_accept_and(lambda line: line.send(b"\x04\0\0\0")), Cause.LOST, "closed the connection"),
        (_accept_and(lambda line: line.send(HEAD.pack(5, 4) + bytes(4))), Cause.LOST, "ended the association"),
        (_accept_and(lambda line: line.send(HEAD.pack(4, 1 << 31))), Cause.NOT_UNDERSTOOD, "does not speak DICOM"),
        (_accept_and(lambda line: line.send(command_pdu(b"\0\0"))), Cause.NOT_UNDERSTOOD, "none to our request"),
        (_accept_and(lambda line: line.send(response(0x30, 2))), Cause.NOT_UNDERSTOOD, "none to our request"),
        (_accept_and(lambda line: line.send(HEAD.pack(4, 5) + b"\0\0\0\xff\x01")), Cause.NOT_UNDERSTOOD, "is damaged"),
        (_accept_and(lambda line: line.send(HEAD.pack(2, 4) + bytes(4))), Cause.NOT_UNDERSTOOD, "does not allow"),
        (lambda line: None, Cause.LOST, "the connection"),
        (_instead_of_accepting(ABORT), Cause.ABORTED, "aborted"),
        (_instead_of_accepting(b"HTTP/1.1 400 Bad Request\r\n\r\n"), Cause.NOT_UNDERSTOOD, "does not speak DICOM"),
        (_instead_of_accepting(HEAD.pack(2, 80) + bytes(68) + b"\xff" * 12), Cause.NOT_UNDERSTOOD, "is damaged"),
        (_instead_of_accepting(HEAD.pack(6, 4) + bytes(4)), Cause.NOT_UNDERSTOOD, "does not allow"),
    ],
)
def test_what_a_peer_may_do_instead_of_answering(script: Callable[[Line], None], cause: Cause, words: str) -> None:
    with raw_peer(script) as peer:
        failure = echo(peer, calling_ae_title=OURS, timeouts=PATIENT).failure
    assert failure is not None
    assert (failure.cause, words in failure.words) == (cause, True), failure.words


@pytest.mark.parametrize(
    ("script", "timeouts", "words"),
    [
        (Line.wait, {"acse_seconds": 0.1}, "no answer to our association request for 0.1 s"),
        (_instead_of_accepting(b"\x02\0"), {"acse_seconds": 0.1}, "no answer to our association request for 0.1 s"),
        (_accept_and(Line.wait), {"dimse_seconds": 0.1}, "no answer to C-ECHO for 0.1 s"),
        # Inside a PDU pynetdicom's own requestor waits for ever.
        (
            _accept_and(lambda line: (line.send(HEAD.pack(4, 100) + bytes(3)), line.wait())),
            {"dimse_seconds": 0.1},
            "no answer to C-ECHO for 0.1 s",
        ),
    ],
)
def test_a_silent_peer_is_left_in_time(script: Callable[[Line], None], timeouts: dict[str, float], words: str) -> None:
    with raw_peer(script) as peer:
        failure = echo(peer, calling_ae_title=OURS, timeouts=replace(PATIENT, **timeouts)).failure
    assert failure is not None
    assert failure.cause is Cause.SILENT
    assert failure.words == words
    assert failure.passing


def test_a_peer_that_drips_is_left_when_the_whole_call_is_over() -> None:
    def drip(line: Line) -> None:
        line.read_pdu()
        line.send(HEAD.pack(2, 1 << 16))
        while not line.goes_on.wait(0.01):
            line.send(b"\0")

    with raw_peer(drip) as peer:
        failure = echo(peer, calling_ae_title=OURS, timeouts=replace(PATIENT, whole_seconds=0.2)).failure
    assert failure is not None
    assert failure.cause is Cause.TOO_LONG


def test_nobody_listens() -> None:
    (port,) = free_ports(1)
    failure = echo(Peer(THEIRS, "127.0.0.1", port), calling_ae_title=OURS, timeouts=PATIENT).failure
    assert failure is not None
    assert failure.cause is Cause.UNREACHABLE
    assert "connection refused" in failure.words


def test_a_host_that_does_not_exist() -> None:
    failure = echo(Peer(THEIRS, "pacs.invalid", 104), calling_ae_title=OURS, timeouts=PATIENT).failure
    assert failure is not None
    assert failure.cause is Cause.ADDRESS
    assert "pacs.invalid has no address" in failure.words


def test_a_host_that_answers_no_connection() -> None:
    with _deaf() as address:
        timeouts = replace(PATIENT, connect_seconds=1)
        failure = echo(Peer(THEIRS, *address), calling_ae_title=OURS, timeouts=timeouts).failure
    assert failure is not None
    assert failure.cause is Cause.UNREACHABLE
    assert "did not answer; is it on, and open in the firewall?" in failure.words


@contextmanager
def _deaf() -> Iterator[tuple[str, int]]:
    """An address that drops what knocks, as a firewall does: its backlog is full."""
    with closing(socket.create_server(("127.0.0.1", 0), backlog=0)) as full:
        knocking = [socket.socket() for _ in range(4)]
        for each in knocking:
            each.setblocking(False)
            each.connect_ex(full.getsockname())
        yield full.getsockname()
        for each in knocking:
            each.close()


def test_a_host_is_tried_at_each_of_its_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    with _deaf() as deaf, scp([(VERIFICATION, None)], host="both.invalid") as peer:
        # An address that drops all, one of a family that no system has, and one that answers.
        kinds = [(socket.AF_INET, deaf), (12345, ()), (socket.AF_INET, ("127.0.0.1", peer.port))]
        found = [(family, socket.SOCK_STREAM, 0, "", address) for family, address in kinds]
        monkeypatch.setattr("socket.getaddrinfo", lambda *_args, **_options: found)
        timeouts = replace(PATIENT, connect_seconds=3)
        assert echo(peer, calling_ae_title=OURS, timeouts=timeouts).failure is None


def test_no_address_takes_the_time_of_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    shares: list[float] = []

    def never(_family: int, _address: object, peer: Peer, _waiter: Waiter, until: float) -> socket.socket:
        shares.append(until - time.monotonic())
        raise failed(Cause.UNREACHABLE, f"{peer.host} did not answer")

    found = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", 104))] * 3
    monkeypatch.setattr("socket.getaddrinfo", lambda *_args, **_options: found)
    monkeypatch.setattr("dicom_node.peers.connection._connect_tcp", never)
    timeouts = replace(PATIENT, connect_seconds=6000, whole_seconds=None)
    assert echo(Peer(THEIRS, "three.invalid", 104), calling_ae_title=OURS, timeouts=timeouts).failure is not None
    # They fail at once, so that what is left is nearly all.
    assert [round(share / 100) for share in shares] == [20, 30, 60]


def test_no_descriptors_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left() -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("socket.socketpair", none_left)
    failure = echo(Peer(THEIRS, "127.0.0.1", 104), calling_ae_title=OURS).failure
    assert failure is not None
    assert failure.words == "the system gives us no socket: Too many open files"


def test_a_name_is_not_waited_for_longer_than_for_a_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    monkeypatch.setattr("socket.getaddrinfo", lambda *_args, **_options: over.wait(60) and [])
    timeouts = replace(PATIENT, connect_seconds=0.1)
    failure = echo(Peer(THEIRS, "slow.invalid", 104), calling_ae_title=OURS, timeouts=timeouts).failure
    over.set()
    assert failure is not None
    assert failure.words == "no address of slow.invalid was found in time"


def _cancelled_while(script: Callable[[Line, Cancel], None]) -> Cause | None:
    """The cause of an echo that the peer's script cancels. Every time-out is a minute or more."""
    cancel = Cancel()
    with raw_peer(lambda line: script(line, cancel)) as peer:
        failure = echo(peer, calling_ae_title=OURS, timeouts=PATIENT, cancel=cancel).failure
    return failure.cause if failure else None


def test_a_cancel_ends_the_wait_for_an_association() -> None:
    def script(line: Line, cancel: Cancel) -> None:
        line.read_pdu()
        cancel.set()
        assert line.read_pdu()[0] == 7, "no A-ABORT"
        line.wait()

    assert _cancelled_while(script) is Cause.CANCELLED


def test_a_cancel_ends_the_wait_for_an_answer() -> None:
    def script(line: Line, cancel: Cancel) -> None:
        line.accept()
        line.read_message()
        cancel.set()
        assert line.read_pdu()[0] == 7, "no A-ABORT"
        line.wait()

    assert _cancelled_while(script) is Cause.CANCELLED


def test_a_cancel_before_the_call_lets_nothing_out() -> None:
    cancel = Cancel()
    cancel.set()
    with raw_peer(Line.read_pdu) as peer:
        failure = echo(peer, calling_ae_title=OURS, timeouts=PATIENT, cancel=cancel).failure
    assert failure is not None
    assert failure.cause is Cause.CANCELLED


def test_a_cancel_ends_the_search_for_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    cancel, over = Cancel(), threading.Event()

    def resolve(*_args: object, **_options: object) -> list[object]:
        cancel.set()
        over.wait(60)
        return []

    monkeypatch.setattr("socket.getaddrinfo", resolve)
    failure = echo(Peer(THEIRS, "slow.invalid", 104), calling_ae_title=OURS, timeouts=PATIENT, cancel=cancel).failure
    over.set()
    assert failure is not None
    assert failure.cause is Cause.CANCELLED


def test_one_cancel_ends_several_calls_and_goes_on_to_hold() -> None:
    cancel = Cancel()
    arrived = threading.Barrier(3)

    def script(line: Line) -> None:
        line.read_pdu()
        arrived.wait(60)
        line.wait()

    with raw_peer(script) as one, raw_peer(script) as other:
        results: list[Cause] = []

        def call(peer: Peer) -> None:
            failure = echo(peer, calling_ae_title=OURS, timeouts=PATIENT, cancel=cancel).failure
            assert failure is not None
            results.append(failure.cause)

        threads = [threading.Thread(target=call, args=(peer,)) for peer in (one, other)]
        for thread in threads:
            thread.start()
        arrived.wait(60)
        cancel.set()
        for thread in threads:
            thread.join(60)
    assert results == [Cause.CANCELLED] * 2
    assert cancel.is_set


def test_release_is_requested_at_the_end() -> None:
    released: list[int] = []

    def script(line: Line) -> None:
        line.accept()
        line.read_message()
        line.send(response(0x30))
        released.append(line.read_pdu()[0])
        # At the same time the peer asks for the release, too (PS3.8 7.2.2.7).
        line.send(HEAD.pack(5, 4) + bytes(4))
        released.append(line.read_pdu()[0])
        line.send(HEAD.pack(6, 4) + bytes(4))

    with raw_peer(script) as peer:
        result = echo(peer, calling_ae_title=OURS, timeouts=PATIENT)
    assert result.failure is None
    assert released == [5, 6]


@pytest.mark.parametrize("title", ["", " ", "A" * 17, "BACK\\SLASH", "ÄRZTE", "TAB\t"])
def test_ae_titles_are_checked_before_anything_goes_out(title: str) -> None:
    with pytest.raises(SettingsError, match="1 to 16 ASCII characters"):
        Peer(title, "localhost", 104)
    with pytest.raises(SettingsError, match="1 to 16 ASCII characters"):
        echo(Peer(THEIRS, "localhost", 104), calling_ae_title=title)


@pytest.mark.parametrize(("host", "port"), [("", 104), ("localhost", 0), ("localhost", 65536)])
def test_addresses_are_checked(host: str, port: int) -> None:
    with pytest.raises(SettingsError, match="a host and a port"):
        Peer(THEIRS, host, port)


def test_ipv6_and_names_are_tried_until_one_answers() -> None:
    # localhost is ::1 first on most systems, where nobody listens.
    with scp([(VERIFICATION, None)], host="localhost") as peer:
        assert echo(peer, calling_ae_title=OURS, timeouts=Timeouts()).failure is None
