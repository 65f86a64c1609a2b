"""What a C-STORE is answered, and what the sink is handed."""

from __future__ import annotations

import threading

import pytest
from pynetdicom.dsutils import encode

from dicom_node.listener.bounded import BoundedCalls
from dicom_node.listener.uids import uid_text
from dicom_node.received import Answer
from tests.node.listener.harness import CR, EXPLICIT, IMPLICIT, image, p_data, pdv, running, store_command

DX = "1.2.840.10008.5.1.4.1.1.1.1"


def test_the_sink_gets_the_data_set_as_it_was_sent_and_who_sent_it():
    with running() as node:
        association = node.associate()
        dataset = image()
        assert association.send_c_store(dataset).Status == 0x0000
        association.release()
        received = node.sink.received[0]
    assert node.sink.data_sets == [encode(dataset, False, True)]
    assert received.sop_class_uid == CR
    assert received.sop_instance_uid == "2.25.1001"
    assert received.transfer_syntax_uid == EXPLICIT
    assert (received.calling_ae_title, received.called_ae_title) == ("PEER", "CXR_NODE")
    assert received.address == "127.0.0.1"


def test_the_transfer_syntax_is_that_of_the_context_used():
    with running() as node, node.peer() as peer:
        peer.associate(contexts=((1, CR, (EXPLICIT,)), (3, CR, (IMPLICIT,))))
        for context in (3, 1):
            peer.send(p_data(pdv(store_command(), command=True, context_id=context), pdv(b"data", context_id=context)))
            assert peer.expect_status() == (0x0000, "")
        assert [received.transfer_syntax_uid for received in node.sink.received] == [IMPLICIT, EXPLICIT]


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"1.2.3.4.5.6.7.8.9." + b"1" * 47,
        b"1..2",
        b".1",
        b"1.",
        b"../../etc/passwd",
        b"1.2.3/4",
        b"1.2.3\n",
        b"1.2.3\0.4",
        b"1.2.a",
        "1.2.٣".encode(),
        b"NAME^PATIENT",
        b"1.2.3\\1.2.4",
        b"\xff\xfe" * 8,
        b"1" * 5000,
    ],
    ids=range(15),
)
def test_what_is_no_uid_is_refused_and_nothing_of_it_is_repeated(value):
    with running() as node, node.peer() as peer:
        peer.associate()
        peer.send(p_data(pdv(store_command(sop_instance=value), command=True), pdv(b"data")))
        assert peer.expect_status() == (0xC000, "Affected SOP Instance UID is not a UID")
        peer.send(p_data(pdv(store_command(), command=True), pdv(b"data")))
        assert peer.expect_status() == (0x0000, ""), "the association goes on"
        assert len(node.sink.received) == 1
        assert node.events.wait("declined")[0].status == 0xC000


@pytest.mark.parametrize("value", [b"", DX.encode(), b"1.2.840.10008.1.1", b"x" * 70, CR.encode() + b".99"])
def test_another_class_than_the_context_s_is_refused(value):
    with running() as node, node.peer() as peer:
        peer.associate(contexts=((1, CR, (EXPLICIT,)), (3, "1.2.840.10008.1.1", (EXPLICIT,))))
        peer.send(p_data(pdv(store_command(sop_class=value), command=True), pdv(b"data")))
        assert peer.expect_status() == (0xC000, "SOP class is not that of the presentation context")
        assert node.sink.received == []


def test_verification_is_no_storage_class():
    verification = "1.2.840.10008.1.1"
    with running() as node, node.peer() as peer:
        peer.associate(contexts=((1, verification, (EXPLICIT,)),))
        peer.send(p_data(pdv(store_command(sop_class=verification.encode()), command=True), pdv(b"data")))
        assert peer.expect_status()[0] == 0xC000
        assert node.sink.received == []


@pytest.mark.parametrize("has_data", [True, False])
def test_a_request_without_data_set_is_refused(has_data):
    with running() as node, node.peer() as peer:
        peer.associate()
        peer.send(p_data(pdv(store_command(has_data=has_data), command=True), *([pdv(b"")] if has_data else [])))
        assert peer.expect_status() == (0xC000, "request without data set")


def test_uids_are_read_without_their_padding():
    assert uid_text(b"2.25.1\0") == "2.25.1"
    assert uid_text(b"2.25.1 ") == "2.25.1"
    assert uid_text(b"1.02.3") == "1.02.3", "leading zeros are met in practice"
    assert uid_text(b"1" * 64) == "1" * 64


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (Answer(0xA700, "disk full"), (0xA700, "disk full")),
        (Answer(0xC000, "x" * 100), (0xC000, "x" * 64)),
        (Answer(0xC000, "über\\\n"), (0xC000, "?ber??")),
        (Answer(0x0000, "never sent"), (0x0000, "")),
        (None, (0xA700, "not stored, the node failed; try again")),
        ("0x0000", (0xA700, "not stored, the node failed; try again")),
        (Answer("", ""), (0xA700, "not stored, the node failed; try again")),
    ],
    ids=range(7),
)
def test_the_sink_s_answer_reaches_the_sender_in_a_form_that_it_can_read(answer, told):
    with running() as node, node.peer() as peer:
        node.sink.behave = lambda received: answer
        peer.associate()
        peer.send(p_data(pdv(store_command(), command=True), pdv(b"data")))
        assert peer.expect_status() == told


@pytest.mark.parametrize("error", [ValueError("PATIENT^NAME"), SystemExit(1), MemoryError(), KeyboardInterrupt()])
def test_a_sink_that_fails_is_answered_for_and_the_association_goes_on(error):
    with running() as node, node.peer() as peer:

        def fail(received):
            raise error

        peer.associate()
        node.sink.behave = fail
        peer.send(p_data(pdv(store_command(), command=True), pdv(b"data")))
        assert peer.expect_status() == (0xA700, "not stored, the node failed; try again")
        node.sink.behave = lambda received: Answer(0x0000)
        peer.send(p_data(pdv(store_command(), command=True), pdv(b"data")))
        assert peer.expect_status() == (0x0000, "")


def test_a_sink_that_hangs_is_answered_for_and_what_it_holds_stays_whole():
    release = threading.Event()
    with running(answer_timeout_seconds=0.3) as node, node.peer() as peer:

        def hang(received):
            release.wait()
            return Answer(0x0000)

        peer.associate()
        node.sink.behave = hang
        peer.send(p_data(pdv(store_command(), command=True), pdv(b"first")))
        assert peer.expect_status() == (0xA700, "not stored in time; try again")
        node.sink.behave = lambda received: Answer(0x0000)
        peer.send(p_data(pdv(store_command(), command=True), pdv(b"other")))
        assert peer.expect_status() == (0x0000, "")
        release.set()
    node.sink.wait(2)
    assert sorted(node.sink.data_sets) == [b"first", b"other"]


def test_calls_that_hang_keep_their_places_and_no_more_are_begun():
    release, begun = threading.Event(), threading.Semaphore(0)

    def hang() -> None:
        begun.release()
        release.wait()

    calls = BoundedCalls(0.05, at_once=2)
    for _ in range(4):
        with pytest.raises(TimeoutError):
            calls.run(hang)
    assert begun.acquire(timeout=1)
    assert begun.acquire(timeout=1)
    assert not begun.acquire(blocking=False), "two hang, and nothing more was started"
    release.set()
    while True:
        try:
            assert calls.run(lambda: "again") == "again"
            break
        except TimeoutError:
            continue


def test_no_patient_data_in_what_is_told():
    with running() as node:
        association = node.associate()
        association.send_c_store(image(PatientName="GEHEIM^NAME", PatientID="SECRET-1"))
        node.sink.behave = lambda received: Answer(0xC000, "another object has this UID")
        association.send_c_store(image(PatientName="GEHEIM^NAME", PatientID="SECRET-1"))
        association.release()
        node.events.wait("closed")
        told = repr(node.events.all)
    assert "GEHEIM" not in told
    assert "SECRET" not in told
    assert "2.25.1001" not in told, "a SOP Instance UID leads to the patient too"
