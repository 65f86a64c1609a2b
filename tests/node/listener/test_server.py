"""Start and orderly stop, and what an association costs the process."""

from __future__ import annotations

import gc
import socket
import threading
from pathlib import Path

import pytest

from dicom_node.listener.server import Listener, ListenError
from dicom_node.received import Answer
from dicom_node.settings import NodeSettings
from tests.node.listener.harness import (
    ABORT,
    PATIENCE_SECONDS,
    KeepingSink,
    associate_request,
    image,
    p_data,
    pdv,
    running,
    store_command,
)


def message_begun(node):
    """The one association of a listener, once a message of which not everything was sent is arriving."""
    (association,) = node.listener._associations
    while association.dul.message is None:
        threading.Event().wait(0.01)
    return association


def settle():
    """Let threads end that have told all they had to tell."""
    for thread in threading.enumerate():
        if thread.name.startswith(("cxr-node-association", "cxr-node-sink")):
            thread.join(PATIENCE_SECONDS)
    gc.collect()


def test_with_no_settings_it_listens_on_loopback_alone_and_takes_any_caller():
    with running() as node:
        assert node.listener.takes_any_caller
        assert node.associate(title="WHOEVER").is_established
        address = socket.gethostbyname(socket.gethostname())
        if not address.startswith("127."):
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((address, node.port), 1)


def test_a_port_in_use_is_told_in_one_line():
    with running() as node, pytest.raises(ListenError) as caught:
        Listener(NodeSettings.model_validate({"listener": {"port": node.port}}), KeepingSink()).start()
    assert str(caught.value).startswith(f"cannot listen on 127.0.0.1 port {node.port} (")
    assert "listener.port" in str(caught.value)


def test_a_stop_lets_a_store_finish_and_answers_it():
    begun, release = threading.Event(), threading.Event()
    with running() as node, node.peer() as peer:

        def store(received):
            begun.set()
            release.wait(PATIENCE_SECONDS)
            return Answer(0x0000)

        node.sink.behave = store
        peer.associate()
        peer.send(p_data(pdv(store_command(), command=True), pdv(b"data")))
        assert begun.wait(PATIENCE_SECONDS)
        late: list[int] = []
        stopping = threading.Thread(target=lambda: late.append(node.listener.stop(PATIENCE_SECONDS)))
        stopping.start()
        release.set()
        assert peer.expect_status() == (0x0000, "")
        assert peer.ends() == [ABORT]
        stopping.join()
        assert late == [0]
        assert node.sink.data_sets == [b"data"]
        assert node.events.wait("closed")[0].reason == "the node stops"


def test_a_stop_lets_a_message_that_is_arriving_finish():
    with running() as node, node.peer() as peer:
        peer.associate()
        peer.send(p_data(pdv(store_command(), command=True), pdv(b"first ", last=False)))
        association = message_begun(node)
        stopping = threading.Thread(target=node.listener.stop, args=(PATIENCE_SECONDS,))
        stopping.start()
        assert association.stopping.wait(PATIENCE_SECONDS)
        peer.send(p_data(pdv(b"last")))
        assert peer.expect_status() == (0x0000, "")
        assert peer.ends() == [ABORT]
        stopping.join()
        assert node.sink.data_sets == [b"first last"]


@pytest.mark.parametrize("sent", [b"", b"\x01\x00", associate_request()], ids=["silent", "stalled", "idle"])
def test_a_stop_waits_for_nobody_who_has_nothing_to_finish(sent):
    with running(acse_timeout_seconds=600, network_timeout_seconds=600) as node, node.peer() as peer:
        peer.send(sent)
        if len(sent) > 2:
            node.events.wait("opened")
        while not node.listener._associations:
            threading.Event().wait(0.01)
        assert node.listener.stop(grace_seconds=2) == (1 if sent == b"\x01\x00" else 0)
        node.events.wait("closed" if len(sent) > 2 else "refused")


def test_a_stop_is_bounded_by_its_grace_with_a_stalled_peer_and_a_hanging_store():
    begun, release = threading.Event(), threading.Event()

    def hang(received):
        begun.set()
        release.wait()
        return Answer(0x0000)

    with running(network_timeout_seconds=600, answer_timeout_seconds=600) as node:
        node.sink.behave = hang
        stalled = node.peer()
        stalled.associate()
        stalled.send(p_data(pdv(store_command(), command=True), pdv(b"half", last=False))[:-2])
        message_begun(node)
        hanging = node.peer()
        hanging.associate()
        hanging.send(p_data(pdv(store_command(), command=True), pdv(b"data")))
        assert begun.wait(PATIENCE_SECONDS)
        assert node.listener.stop(grace_seconds=0.3) >= 1
        assert stalled.ends() == []
        release.set()
        for peer in (stalled, hanging):
            peer.socket.close()


def test_nobody_is_accepted_after_a_stop():
    with running() as node:
        node.listener.stop()
        with pytest.raises(ConnectionRefusedError):
            node.peer()


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_associations_leave_no_threads_descriptors_or_memory_behind():
    with running(max_objects_per_minute=100_000) as node:

        def many(count: int) -> None:
            for _ in range(count):
                with node.peer() as peer:
                    peer.associate()
                    peer.send(p_data(pdv(store_command(), command=True), pdv(bytes(100_000))))
                    assert peer.expect_status() == (0x0000, "")
            node.sink.received.clear()
            node.sink.data_sets.clear()

        many(20)
        node.events.wait("closed", 20)
        settle()
        before = open_descriptors(), threading.active_count(), len(gc.get_objects())
        many(50)
        node.events.wait("closed", 70)
        node.events.all.clear()
        settle()
        assert open_descriptors() <= before[0]
        assert threading.active_count() <= before[1]
        assert len(gc.get_objects()) < before[2] + 500


def test_four_senders_at_once_get_each_its_own():
    with running() as node:
        failures: list[str] = []

        def send(n: int) -> None:
            association = node.associate(title=f"PEER{n}")
            for k in range(5):
                uid = f"2.25.{n}00{k}"
                status = association.send_c_store(image(SOPInstanceUID=uid, ImageComments=uid))
                if status.get("Status") != 0x0000:
                    failures.append(uid)
            association.release()

        senders = [threading.Thread(target=send, args=(n,)) for n in range(1, 5)]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()
        assert failures == []
        assert len(node.sink.received) == 20
        for received, data in zip(node.sink.received, node.sink.data_sets, strict=True):
            assert received.sop_instance_uid.encode() in data
            assert received.calling_ae_title == f"PEER{received.sop_instance_uid[5]}"
