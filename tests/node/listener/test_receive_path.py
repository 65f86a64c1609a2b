"""Messages arrive whole however they are cut, and hostile peers cost a bounded time and memory."""

from __future__ import annotations

import importlib
import os
import socket
import struct
import threading
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dicom_node.listener
from dicom_node.listener.message_memory import MemoryBudget, MessageMemory, MessageTooLargeError
from dicom_node.listener.pinned import PynetdicomVersionError
from tests.node.listener.harness import (
    ABORT,
    ASSOCIATE_RJ,
    CR,
    EXPLICIT,
    P_DATA_TF,
    RELEASE,
    RELEASE_RP,
    Running,
    associate_request,
    command_set,
    p_data,
    pdv,
    running,
    store_command,
)

#: Short waits for a listener that is to lose its patience.
IMPATIENT = {"acse_timeout_seconds": 0.4, "network_timeout_seconds": 0.4}


def test_another_pynetdicom_is_refused_with_what_to_do_before_anything_of_it_is_used(monkeypatch):
    monkeypatch.setattr("dicom_node.listener.pinned.version", lambda name: "3.0.5")
    with pytest.raises(PynetdicomVersionError) as caught:
        importlib.reload(dicom_node.listener)
    assert str(caught.value) == (
        "pynetdicom 3.0.5 is installed; expected 3.0.4, whose receive path the listener replaces; "
        "install pynetdicom==3.0.4"
    )


@pytest.fixture(scope="module")
def node():
    with running(max_objects_per_minute=100_000) as node:
        yield node


@given(
    data=st.binary(min_size=1, max_size=4000),
    cuts=st.lists(st.integers(0, 4400), max_size=12),
    pdus=st.sampled_from([1, 2, 5]),
    bursts=st.lists(st.integers(1, 5000), max_size=6),
)
@settings(max_examples=40, deadline=None)
def test_a_message_arrives_whole_however_it_is_cut(node: Running, data, cuts, pdus, bursts):
    """Into fragments, several fragments a PDU, and into TCP segments at any place."""
    with node.peer() as peer:
        peer.associate()
        before = len(node.sink.data_sets)
        parts = [(part, True) for part in _cut(store_command(), cuts)] + [(part, False) for part in _cut(data, cuts)]
        last = {True: len(_cut(store_command(), cuts)) - 1, False: len(parts) - 1}
        items = [
            pdv(part, command=is_command, last=n == last[is_command]) for n, (part, is_command) in enumerate(parts)
        ]
        stream = b"".join(p_data(*items[n : n + pdus]) for n in range(0, len(items), pdus))
        for burst in _cut(stream, bursts):
            peer.send(burst)
        assert peer.expect_status() == (0x0000, "")
        peer.send(RELEASE)
        peer.expect(RELEASE_RP)
    assert node.sink.data_sets[before:] == [data]


def _fragments(data: bytes, cuts: list[int], *, command: bool) -> list[bytes]:
    parts = _cut(data, cuts)
    return [pdv(part, command=command, last=n == len(parts)) for n, part in enumerate(parts, 1)]


def _cut(data: bytes, cuts: list[int]) -> list[bytes]:
    places = [0, *sorted(cut for cut in cuts if cut <= len(data)), len(data)]
    return [data[start:end] for start, end in pairwise(places)]


def test_several_objects_on_one_association_keep_apart(node):
    with node.peer() as peer:
        peer.associate()
        before = len(node.sink.data_sets)
        sent = [os.urandom(size) for size in (3_000_000, 10, 1_500_000)]
        for data in sent:
            peer.send(p_data(pdv(store_command(), command=True)))
            for start in range(0, len(data), 100_000):
                peer.send(p_data(pdv(data[start : start + 100_000], last=start + 100_000 >= len(data))))
            assert peer.expect_status() == (0x0000, "")
    assert node.sink.data_sets[before:] == sent
    kept = node.sink.received[before:]
    assert [bytes(received.data_set) for received in kept] == sent, "what the sink still holds is not written over"


# Slow peers


@pytest.mark.parametrize("sent", [b"", b"\x01", b"\x01\x00\x00\x00", associate_request()[:50]])
def test_a_peer_that_stops_before_its_association_request_is_let_go(sent):
    with running(**IMPATIENT) as node, node.peer() as peer:
        peer.send(sent)
        assert peer.ends() == []
        assert node.events.wait("refused")[0].reason in ("no association request in time", "peer too slow")


@pytest.mark.parametrize("sent", [b"\x04", p_data(pdv(store_command(), command=True))[:40]], ids=["header", "body"])
def test_a_peer_that_stops_inside_a_pdu_is_let_go(sent):
    with running(**IMPATIENT) as node, node.peer() as peer:
        peer.associate()
        peer.send(sent)
        assert peer.ends() == []
        assert node.events.wait("closed")[0].reason == "peer too slow"


def test_a_peer_that_stops_between_two_pdus_is_aborted():
    with running(**IMPATIENT) as node, node.peer() as peer:
        peer.associate()
        peer.send(p_data(pdv(store_command(), command=True)) + p_data(pdv(b"half", last=False)))
        assert peer.ends() == [ABORT]
        assert node.events.wait("closed")[0].reason == "nothing heard in time"
        assert node.sink.received == []


@pytest.mark.parametrize("associated", [False, True], ids=["request", "data"])
def test_a_peer_that_drips_is_let_go_although_it_never_pauses(associated):
    with running(**IMPATIENT) as node, node.peer() as peer:
        if associated:
            peer.associate()
        begun = p_data(pdv(store_command(), command=True), pdv(bytes(50_000), last=False))
        whole = begun if associated else associate_request()
        gone = threading.Event()

        def drip() -> None:
            for byte in whole:
                try:
                    peer.send(bytes([byte]))
                except OSError:
                    return
                if gone.wait(0.02):
                    return

        dripping = threading.Thread(target=drip)
        dripping.start()
        reason = node.events.wait("closed" if associated else "refused")[0].reason
        gone.set()
        dripping.join()
        assert reason in ("peer too slow", "no association request in time")


def test_small_pdus_in_time_do_not_save_a_message_that_comes_too_slowly():
    with running(**IMPATIENT, min_bytes_per_second=1_000_000) as node, node.peer() as peer:
        peer.associate()
        peer.send(p_data(pdv(store_command(), command=True)))
        gone = threading.Event()

        def trickle() -> None:
            while not gone.wait(0.02):
                try:
                    peer.send(p_data(pdv(b"x", last=False)))
                except OSError:
                    return

        trickling = threading.Thread(target=trickle)
        trickling.start()
        assert node.events.wait("closed")[0].reason == "peer too slow"
        gone.set()
        trickling.join()


def test_a_peer_that_reads_no_answers_is_let_go():
    verification = "1.2.840.10008.1.1"
    echo = command_set(AffectedSOPClassUID=verification, CommandField=0x0030, MessageID=1, CommandDataSetType=0x0101)
    with running(**IMPATIENT) as node, node.peer() as peer:
        peer.associate(contexts=((1, verification, (EXPLICIT,)),))
        peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        for association in node.listener._associations:
            association.connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
        request = p_data(pdv(echo, command=True)) * 200
        peer.flood(request)
        node.events.wait("closed")


# Peers that claim or send too much


@pytest.mark.parametrize("kind", [1, 4, 5])
def test_a_pdu_that_claims_4_gib_is_aborted_before_it_is_read(kind):
    with running() as node, node.peer() as peer:
        if kind == P_DATA_TF:
            peer.associate()
        peer.send(struct.pack(">BxL", kind, 0xFFFFFFFF))
        assert peer.ends() == [ABORT]
        assert "a PDU of more than" in node.events.wait("closed" if kind == P_DATA_TF else "refused")[0].reason


def test_what_follows_a_refused_pdu_is_read_away_for_a_while_and_not_kept():
    with running(acse_timeout_seconds=60) as node, node.peer() as peer:
        peer.associate()
        peer.send(struct.pack(">BxL", P_DATA_TF, 0xFFFFFFF0))
        assert peer.flood(bytes(1 << 20)) < 50 << 20, "a socket's buffers and no more"
        node.events.wait("closed")


def test_a_pdu_may_be_as_long_as_announced_and_no_longer():
    with running(max_pdu_bytes=4096) as node:
        with node.peer() as peer:
            peer.associate()
            peer.send(p_data(pdv(store_command(), command=True)) + p_data(pdv(bytes(4096 - 6))))
            assert peer.expect_status() == (0x0000, "")
        with node.peer() as peer:
            peer.associate()
            peer.send(p_data(pdv(store_command(), command=True)) + p_data(pdv(bytes(4096 - 5))))
            assert peer.ends() == [ABORT]


def test_an_endless_data_set_in_small_pdus_is_aborted_at_the_limit():
    with running(max_object_mb=1) as node, node.peer() as peer:
        peer.associate()
        peer.send(p_data(pdv(store_command(), command=True)))
        peer.flood(p_data(pdv(bytes(16_000), last=False)))
        assert node.events.wait("closed")[0].reason == "a message of more than 1 MiB"
        assert node.sink.received == []


def test_an_object_of_the_greatest_size_is_taken():
    with running(max_object_mb=1) as node, node.peer() as peer:
        peer.associate()
        peer.send(p_data(pdv(store_command(), command=True)))
        for n in range(16):
            peer.send(p_data(pdv(bytes(1 << 16), last=n == 15)))
        assert peer.expect_status() == (0x0000, "")
        assert len(node.sink.data_sets[0]) == 1 << 20


def test_all_messages_together_stay_within_the_budget_and_give_it_back():
    budget = MemoryBudget(3 << 20)
    first = MessageMemory(budget, 2 << 20)
    with first.room(1_500_000) as place:
        place[:] = b"x" * len(place)
    second = MessageMemory(budget, 2 << 20)
    second.room(1_000_000).release()
    with pytest.raises(MessageTooLargeError, match="all messages together"):
        second.room(500_000)
    assert bytes(first.whole()) == b"x" * 1_500_000
    first.close()
    second.room(500_000).release()
    assert second.length == 1_500_000


def test_whatever_becomes_of_a_message_its_memory_is_given_back():
    """Of 4 MiB for all together each takes at least 1."""
    store = pdv(store_command(), command=True), pdv(bytes(1000))
    with running(max_object_mb=1) as node:
        for ending in ("left", "too large", "broken", "unanswered"):
            for _ in range(6):
                with node.peer() as peer:
                    peer.associate()
                    if ending == "left":
                        peer.send(p_data(store[0], pdv(bytes(1000), last=False)))
                    elif ending == "too large":
                        peer.send(p_data(store[0]))
                        peer.flood(p_data(pdv(bytes(100_000), last=False)))
                    elif ending == "broken":
                        peer.send(p_data(store[0], pdv(bytes(1000), last=False), b"bad"))
                        assert peer.ends() == [ABORT]
                    else:
                        peer.send(p_data(*store, *store, b"bad"))
                        assert peer.ends() == [ABORT]
        node.events.wait("closed", 24)
        with node.peer() as peer:
            peer.associate()
            for _ in range(6):
                peer.send(p_data(*store))
                assert peer.expect_status() == (0x0000, "")


def test_a_view_of_a_message_outlives_it():
    memory = MessageMemory(MemoryBudget(1 << 20), 1 << 20)
    with memory.room(5) as place:
        place[:] = b"bytes"
    view = memory.whole()
    memory.close()
    assert bytes(view) == b"bytes"
    with pytest.raises(TypeError):
        view[0] = 0


def test_memory_serves_another_message_but_never_while_somebody_looks_at_it():
    budget = MemoryBudget(2 << 20)

    def message(content: bytes, limit: int = 2 << 20) -> MessageMemory:
        memory = MessageMemory(budget, limit)
        with memory.room(len(content)) as place:
            place[:] = content
        return memory

    first = message(b"a" * 1_500_000)
    with first.whole() as view:
        first.close()
        second = message(b"b" * 1_500_000)
        assert bytes(view) == b"a" * 1_500_000
    second.close()
    third = message(b"c" * 10)
    assert bytes(third.whole()) == b"c" * 10
    third.room(1_000_000).release()
    assert bytes(third.whole()[10:20]) in (b"a" * 10, b"b" * 10)  # an earlier message's pages, not cleared ones
    with pytest.raises(MessageTooLargeError, match="all messages together"):
        message(b"d")
    third.close()
    with pytest.raises(MessageTooLargeError, match="more than 1 MiB"):
        message(b"e" * 1_000_000, 1 << 20).room(100_000)


# Peers that do not speak DICOM


@pytest.mark.parametrize(
    "sent",
    [b"GET / HTTP/1.1\r\nHost: pacs\r\n\r\n", bytes.fromhex("1603010200010001fc0303"), bytes(4096), b"\xff" * 4096],
    ids=["http", "tls", "zeros", "ones"],
)
def test_what_is_no_dicom_is_aborted_at_once(sent):
    with running() as node, node.peer() as peer:
        peer.send(sent)
        assert peer.ends() == [ABORT]
        assert node.events.wait("refused")[0].reason == "no DICOM"
        assert node.echoes()


@pytest.mark.parametrize(
    "sent",
    [
        p_data(pdv(store_command(), command=True)),
        RELEASE,
        struct.pack(">BxL", 2, 10) + bytes(10),
        struct.pack(">BxL", 1, 100) + bytes(100),
        associate_request()[:-3] + b"\xff\xff\xff",
        struct.pack(">BxL", 1, 1000) + b"\xff" * 1000,
    ],
    ids=["data", "release", "accept", "empty request", "damaged request", "garbage request"],
)
def test_a_first_pdu_that_is_no_association_request_is_aborted(sent):
    with running() as node:
        with node.peer() as peer:
            peer.send(sent)
            assert set(peer.ends()) <= {ABORT, ASSOCIATE_RJ}
        node.events.wait("refused")
        assert node.echoes()


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (p_data(), "a P-DATA-TF PDU without data"),
        (p_data(b"\0\0\0"), "a PDV that does not fit its PDU"),
        (p_data(struct.pack(">LBB", 1, 1, 3)), "a PDV that does not fit its PDU"),
        (p_data(struct.pack(">LBB", 1000, 1, 3)), "a PDV that does not fit its PDU"),
        (p_data(pdv(store_command(), command=True, context_id=3)), "data for a presentation context that was not"),
        (p_data(pdv(b"data")), "a data set without a command set"),
        (p_data(pdv(store_command(), command=True), pdv(store_command(), command=True)), "a command set out of order"),
        (p_data(pdv(b"\xff" * 200, command=True)), "a command set that cannot be understood"),
        (p_data(pdv(b"", command=True)), "a command set that cannot be understood"),
        (p_data(pdv(command_set(CommandField=0x0777, CommandDataSetType=0x0101), command=True)), "a command set that"),
        (
            b"".join(p_data(pdv(bytes(60_000), command=True, last=False)) for _ in range(2)),
            "a command set out of order",
        ),
        (associate_request(), ""),
        (struct.pack(">BxL", 9, 4) + bytes(4), "no DICOM"),
    ],
)
def test_a_malformed_pdu_ends_its_association_alone(sent, reason):
    with running() as node:
        bystander = node.associate()
        with node.peer() as peer:
            peer.associate()
            peer.send(sent)
            assert peer.ends() == [ABORT]
        assert reason in node.events.wait("closed")[0].reason
        assert bystander.send_c_echo().Status == 0x0000
        bystander.release()


def test_a_data_set_of_another_context_than_its_command_is_aborted():
    contexts = ((1, CR, (EXPLICIT,)), (3, CR, (EXPLICIT,)))
    with running() as node, node.peer() as peer:
        peer.associate(contexts=contexts)
        peer.send(p_data(pdv(store_command(), command=True, context_id=1)) + p_data(pdv(b"data", context_id=3)))
        assert peer.ends() == [ABORT]
        assert node.events.wait("closed")[0].reason == "fragments of two messages mixed"


def test_a_request_for_another_service_than_its_contexts_is_aborted():
    find = command_set(
        AffectedSOPClassUID="1.2.840.10008.5.1.4.1.2.2.1",
        CommandField=0x0020,
        MessageID=1,
        Priority=0,
        CommandDataSetType=0x0001,
    )
    with running() as node, node.peer() as peer:
        peer.associate()
        peer.send(p_data(pdv(find, command=True)) + p_data(pdv(b"")))
        assert peer.ends() == [ABORT]
        assert "another service" in node.events.wait("closed")[0].reason


def test_requests_beyond_the_negotiated_one_at_a_time_are_bounded():
    """Several at once in one PDU are more than was negotiated; a few are served, a flood is aborted."""
    verification = "1.2.840.10008.1.1"
    echo = command_set(AffectedSOPClassUID=verification, CommandField=0x0030, MessageID=1, CommandDataSetType=0x0101)
    with running() as node, node.peer() as peer:
        peer.associate(contexts=((1, verification, (EXPLICIT,)),))
        peer.send(p_data(*[pdv(echo, command=True)] * 3))
        for _ in range(3):
            assert peer.expect_status()[0] == 0x0000
        peer.send(p_data(*[pdv(echo, command=True)] * 100))
        assert ABORT in peer.ends()


# Peers that go away


def test_health_checks_hold_no_place():
    with running(max_associations=3) as node:
        for _ in range(30):
            node.peer().socket.close()
        node.events.wait("refused", 30)
        assert {event.reason for event in node.events.of("refused")} == {"closed without a byte"}
        assert node.echoes()


@pytest.mark.parametrize("how", ["abort", "close", "reset"])
def test_peers_that_leave_in_the_middle_hold_no_place_and_leave_nothing(how):
    with running(max_associations=3) as node:
        for _ in range(10):
            with node.peer() as peer:
                peer.associate()
                peer.send(p_data(pdv(store_command(), command=True)) + p_data(pdv(b"half", last=False)))
                if how == "abort":
                    peer.send(struct.pack(">BxLxxBB", ABORT, 4, 0, 0))
                elif how == "reset":
                    peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        closed = node.events.wait("closed", 10)
        expected = {"aborted by the peer"} if how == "abort" else {"connection lost"}
        assert {event.reason for event in closed} == expected
        assert node.echoes()
        assert node.sink.received == []


def test_a_failure_of_our_own_ends_one_association_with_an_abort(monkeypatch):
    from dicom_node.listener.association import ServedAssociation

    def fail(self, called, calling, address):
        raise RuntimeError("PATIENT^NAME must not be told")

    with running() as node:
        monkeypatch.setattr(ServedAssociation, "_judge", fail)
        with node.peer() as peer:
            peer.send(associate_request())
            assert peer.ends() == [ABORT]
        assert node.events.wait("refused")[0].reason == "internal error RuntimeError"
