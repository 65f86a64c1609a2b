"""Who is let in: AE titles, addresses, host names; and how many at once, how fast."""

from __future__ import annotations

import socket

import pytest

from dicom_node.listener.admission import (
    CALLED_TITLE_UNKNOWN,
    CALLING_TITLE_UNKNOWN,
    NO_ADDRESS,
    WRONG_ADDRESS,
    Admission,
    Admitted,
    plain_address,
)
from dicom_node.listener.limits import ConnectionCounts, SenderRates
from dicom_node.settings import NodeSettings
from tests.node.listener.harness import ASSOCIATE_AC, ASSOCIATE_RJ, CR, associate_request, image, running

PEERS = (
    {"ae_title": "PACS", "host": "127.0.0.1"},
    {"ae_title": "MODALITY", "host": "10.1.2.3"},
    {"ae_title": "V6", "host": "::1"},
    {"ae_title": "ARCHIVE", "host": "127.0.0.1", "port": 104, "may_send": False},
    {"ae_title": "GONE", "host": "no-such-host.invalid"},
)


@pytest.fixture
def admission() -> Admission:
    return Admission(NodeSettings.model_validate({"peers": PEERS}))


@pytest.mark.parametrize(
    ("called", "calling", "address", "verdict"),
    [
        ("CXR_NODE", "PACS", "127.0.0.1", Admitted(True, "PACS")),
        (" CXR_NODE ", "PACS ", "127.0.0.1", Admitted(True, "PACS")),
        ("CXR_NODE", "V6", "::1", Admitted(True, "V6")),
        ("CXR_NODE", "ARCHIVE", "127.0.0.1", Admitted(False, "ARCHIVE")),
        ("ANY-SCP", "PACS", "127.0.0.1", CALLED_TITLE_UNKNOWN),
        ("cxr_node", "PACS", "127.0.0.1", CALLED_TITLE_UNKNOWN),
        ("CXR_NODE", "pacs", "127.0.0.1", CALLING_TITLE_UNKNOWN),
        ("CXR_NODE", "STRANGER", "127.0.0.1", CALLING_TITLE_UNKNOWN),
        ("CXR_NODE", "", "127.0.0.1", CALLING_TITLE_UNKNOWN),
        ("CXR_NODE", "MODALITY", "127.0.0.1", WRONG_ADDRESS),
        ("CXR_NODE", "PACS", "10.1.2.3", WRONG_ADDRESS),
    ],
)
def test_titles_and_addresses_are_held_against_the_list(admission, called, calling, address, verdict):
    assert admission.judge(called, calling, address) == verdict


def test_a_host_name_is_resolved_and_survives_the_loss_of_the_name_service(admission, monkeypatch):
    asked = []

    def answer(host, *arguments, **named):
        asked.append(host)
        return [(socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::ffff:192.0.2.7", 0, 0, 0))]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    assert admission.judge("CXR_NODE", "GONE", "192.0.2.7") == Admitted(True, "GONE")
    monkeypatch.setattr("dicom_node.listener.admission.time.monotonic", lambda: 1e12)

    def fail(*arguments, **named):
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    assert admission.judge("CXR_NODE", "GONE", "192.0.2.7") == Admitted(True, "GONE")
    assert admission.judge("CXR_NODE", "PACS", "192.0.2.7") == NO_ADDRESS
    assert asked == ["no-such-host.invalid"]


def test_a_name_that_never_resolved_rejects_as_transient(admission, monkeypatch):
    def fail(*arguments, **named):
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    verdict = admission.judge("CXR_NODE", "GONE", "192.0.2.7")
    assert verdict == NO_ADDRESS
    assert NO_ADDRESS.result == 2


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("::FFFF:a00:1", "10.0.0.1"),
        ("0:0:0:0:0:0:0:1", "::1"),
        ("fe80::1%eth0", "fe80::1"),
    ],
)
def test_an_address_has_one_spelling(text, plain):
    assert plain_address(text) == plain


def test_without_senders_any_title_is_taken_and_our_own_is_still_asked_for():
    admission = Admission(NodeSettings.model_validate({"peers": [PEERS[3]]}))
    assert admission.is_open
    assert admission.judge("CXR_NODE", "WHOEVER", "127.0.0.1") == Admitted(True, "127.0.0.1")
    assert admission.judge("OTHER", "WHOEVER", "127.0.0.1") == CALLED_TITLE_UNKNOWN


@pytest.mark.parametrize(
    ("called", "calling", "rejection"),
    [("OTHER", "PACS", (1, 1, 7)), ("CXR_NODE", "OTHER", (1, 1, 3)), ("CXR_NODE", "MODALITY", (1, 1, 3))],
)
def test_a_rejection_says_why_on_the_wire_and_in_the_log(called, calling, rejection):
    with running(peers=PEERS) as node:
        assert not node.listener.takes_any_caller
        with node.peer() as peer:
            peer.send(associate_request(called=called, calling=calling))
            assert tuple(peer.expect(ASSOCIATE_RJ)[1:4]) == rejection
            assert peer.ends() == []
        event = node.events.wait("refused")[0]
        assert event.calling_ae_title == calling
        assert event.reason
        assert node.events.of("closed") == []


def test_a_peer_that_may_not_send_is_offered_no_storage():
    with running(peers=PEERS) as node:
        association = node.associate(title="ARCHIVE")
        assert [context.abstract_syntax for context in association.accepted_contexts] == ["1.2.840.10008.1.1"]
        association.release()
        association = node.associate(title="PACS")
        assert association.send_c_store(image()).Status == 0x0000
        association.release()


def test_ipv4_in_ipv6_is_the_same_peer():
    with running(bind="::", peers=({"ae_title": "PACS", "host": "127.0.0.1"},)) as node, node.peer() as peer:
        peer.send(associate_request(calling="PACS"))
        peer.expect(ASSOCIATE_AC)
        assert node.events.wait("opened")[0].address == "127.0.0.1"


def test_an_association_above_the_limit_is_rejected_as_transient_until_there_is_room():
    with running(max_associations=2) as node:
        held = [node.associate() for _ in range(2)]
        assert all(association.is_established for association in held)
        with node.peer() as peer:
            peer.send(associate_request())
            assert tuple(peer.expect(ASSOCIATE_RJ)[1:4]) == (2, 3, 2)
            assert peer.ends() == []
        assert node.events.wait("refused")[0].reason == "too many associations"
        held.pop().release()
        node.events.wait("closed")
        assert node.echoes()
        held.pop().release()


def test_one_address_cannot_take_all_places_with_silent_connections():
    with running(max_associations=100, max_associations_per_address=4, acse_timeout_seconds=60) as node:
        silent = [node.peer() for _ in range(60)]
        node.events.wait("refused", 60 - 12)
        assert {event.reason for event in node.events.of("refused")} == {"too many connections"}
        with node.peer(source="127.0.0.2") as peer:
            peer.associate()
        for peer in silent:
            peer.socket.close()
        node.events.wait("refused", 60)
        assert node.echoes()


def test_peers_that_stall_inside_a_pdu_give_their_places_back():
    with running(max_associations=4, acse_timeout_seconds=0.4, network_timeout_seconds=0.4) as node:
        stalled = [node.peer() for _ in range(4)]
        for peer in stalled:
            peer.associate()
            peer.send(b"\x04\x00\x00\x00\x10\x00half")
        node.events.wait("closed", 4)
        assert node.echoes()
        for peer in stalled:
            peer.socket.close()


def test_connections_are_counted_in_total_and_by_address():
    counts = ConnectionCounts(3, 2)
    assert [counts.enter("a"), counts.enter("a"), counts.enter("a")] == ["within", "within", "above"]
    assert counts.enter("b") == "above", "the one above the limit holds a place in total"
    counts.leave("a")
    counts.leave("b")
    assert counts.enter("b") == "within"
    for n in range(32):
        assert counts.enter(f"c{n}") == "above"
    assert counts.enter("d") == "closed"


def test_a_sender_has_a_minute_s_worth_at_once_and_then_the_rate():
    rates = SenderRates(60)
    assert [rates.allows("A", 0.0) for _ in range(61)] == [True] * 60 + [False]
    assert rates.allows("B", 0.0), "another sender has its own"
    assert not rates.allows("A", 0.5)
    assert rates.allows("A", 1.1)
    assert not rates.allows("A", 1.2)
    assert [rates.allows("A", 1000.0) for _ in range(61)] == [True] * 60 + [False]


def test_objects_beyond_the_rate_are_answered_out_of_resources():
    with running(max_objects_per_minute=2) as node:
        association = node.associate()
        statuses = [association.send_c_store(image()) for _ in range(3)]
        assert [status.Status for status in statuses] == [0x0000, 0x0000, 0xA700]
        assert statuses[2].ErrorComment == "too many objects a minute; try again"
        association.release()
        assert node.events.wait("declined")[0].status == 0xA700
        assert len(node.sink.received) == 2
        assert node.events.wait("closed")[0].objects == 2


def test_no_space_rejects_as_transient_until_there_is_some():
    with running() as node:
        node.sink.space = False
        with node.peer() as peer:
            peer.send(associate_request())
            assert tuple(peer.expect(ASSOCIATE_RJ)[1:4]) == (2, 3, 1)
        assert node.events.wait("refused")[0].reason == "no space left for objects"
        node.sink.space = True
        assert node.echoes()


def test_a_sink_that_cannot_say_has_no_space():
    with running() as node:

        def fail():
            raise OSError("disk")

        node.sink.has_space = fail
        with node.peer() as peer:
            peer.send(associate_request(contexts=((1, CR, ("1.2.840.10008.1.2",)),)))
            assert tuple(peer.expect(ASSOCIATE_RJ)[1:4]) == (2, 3, 1)
