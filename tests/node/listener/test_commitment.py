"""Storage commitment: requests to us, our reports on the same or a new association, and reports of archives to us."""

from __future__ import annotations

import threading

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, build_role, evt

from dicom_node.received import CommitmentReport, CommitmentRequest, InstanceReference
from tests.node.listener.harness import CR, EXPLICIT, PATIENCE_SECONDS, image, running

PUSH, INSTANCE = "1.2.840.10008.1.20.1", "1.2.840.10008.1.20.1.1"
A, B = InstanceReference(CR, "2.25.1"), InstanceReference(CR, "2.25.2")


class KeepingCommitment:
    """Keeps what it is told and answers what it is set to."""

    def __init__(self) -> None:
        self.requests: list[CommitmentRequest] = []
        self.reports: list[CommitmentReport] = []
        self.status = 0x0000

    def requested(self, request):
        self.requests.append(request)
        return self.status

    def reported(self, report):
        self.reports.append(report)
        return self.status


@pytest.fixture
def sink():
    return KeepingCommitment()


def information(transaction: str | None = "2.25.9", keyword="ReferencedSOPSequence", references=(A, B), **more):
    dataset = Dataset()
    if transaction is not None:
        dataset.TransactionUID = transaction
    items = []
    for reference in references:
        item = Dataset()
        item.ReferencedSOPClassUID = reference.sop_class_uid
        item.ReferencedSOPInstanceUID = reference.sop_instance_uid
        items.append(item)
    setattr(dataset, keyword, items)
    for name, value in more.items():
        setattr(dataset, name, value)
    return dataset


class Requestor:
    """A peer that asks for commitment and keeps the reports it gets."""

    def __init__(self, node, **roles):
        self.reported: list[tuple[int, Dataset]] = []
        self.arrived = threading.Event()
        self.answer = 0x0000
        ae = AE("PEER")
        ae.add_requested_context(PUSH, [EXPLICIT])
        ae.add_requested_context(CR, [EXPLICIT])
        ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = PATIENCE_SECONDS
        self.association = ae.associate(
            "127.0.0.1",
            node.port,
            ae_title="CXR_NODE",
            evt_handlers=[(evt.EVT_N_EVENT_REPORT, self._on_report)],
            **roles,
        )

    def _on_report(self, event):
        self.reported.append((event.event_type, event.event_information))
        self.arrived.set()
        return self.answer, None

    def ask(self, dataset, action=1, instance=INSTANCE):
        return self.association.send_n_action(dataset, action, PUSH, instance)[0].Status


def test_without_a_sink_no_commitment_is_offered():
    with running() as node:
        association = node.associate(PUSH, CR)
        assert [str(context.abstract_syntax) for context in association.accepted_contexts] == [CR]
        association.release()


def test_a_request_reaches_the_sink_and_its_report_comes_on_the_same_association(sink):
    elsewhere = []
    with running(commitment=sink, report_elsewhere=elsewhere.append) as node:
        peer = Requestor(node)
        assert peer.ask(information()) == 0x0000
        assert sink.requests == [CommitmentRequest("2.25.9", (A, B), "PEER", "127.0.0.1")]
        assert node.listener.report(CommitmentReport("2.25.9", "PEER", (A,), ((B, 0x0112),)))
        (event_type, told) = peer.reported[0]
        assert event_type == 2
        assert told.TransactionUID == "2.25.9"
        assert [item.ReferencedSOPInstanceUID for item in told.ReferencedSOPSequence] == ["2.25.1"]
        assert [(i.ReferencedSOPInstanceUID, i.FailureReason) for i in told.FailedSOPSequence] == [("2.25.2", 0x0112)]
        assert peer.association.send_c_store(image()).Status == 0x0000, "the association goes on"
        peer.association.release()
    assert elsewhere == []


def test_a_report_without_failures_says_that_all_is_committed(sink):
    with running(commitment=sink) as node:
        peer = Requestor(node)
        peer.ask(information())
        assert node.listener.report(CommitmentReport("2.25.9", "PEER", (A, B)))
        assert peer.reported[0][0] == 1
        assert "FailedSOPSequence" not in peer.reported[0][1]
        peer.association.release()


def test_a_report_that_the_peer_does_not_take_is_not_done(sink):
    with running(commitment=sink, report_elsewhere=lambda report: False) as node:
        peer = Requestor(node)
        peer.ask(information())
        peer.answer = 0x0110
        assert not node.listener.report(CommitmentReport("2.25.9", "PEER", (A,)))
        peer.association.release()


@pytest.mark.parametrize("acknowledged", [True, False])
def test_after_the_association_s_end_the_report_goes_elsewhere(sink, acknowledged):
    elsewhere = []

    def report_elsewhere(report):
        elsewhere.append(report)
        return acknowledged

    with running(commitment=sink, report_elsewhere=report_elsewhere) as node:
        peer = Requestor(node)
        peer.ask(information())
        peer.association.release()
        node.events.wait("closed")
        bystander = Requestor(node)
        report = CommitmentReport("2.25.9", "PEER", (A,))
        assert node.listener.report(report) is acknowledged
        assert elsewhere == [report]
        assert bystander.reported == [], "nobody is told of another's transaction"
        bystander.association.release()


def test_a_report_waits_for_a_message_that_is_arriving(sink):
    with running(commitment=sink) as node:
        peer = Requestor(node)
        peer.ask(information())
        reporting = threading.Thread(target=node.listener.report, args=(CommitmentReport("2.25.9", "PEER", (A,)),))
        reporting.start()
        for _ in range(3):
            assert peer.association.send_c_store(image()).Status == 0x0000
        assert peer.arrived.wait(PATIENCE_SECONDS)
        reporting.join()
        peer.association.release()
        assert len(node.sink.received) == 3


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"dataset": information(), "action": 2}, 0x0123),
        ({"dataset": information(), "instance": "2.25.5"}, 0x0112),
        ({"dataset": information(transaction=None)}, 0x0115),
        ({"dataset": information(transaction="")}, 0x0115),
        ({"dataset": information(references=())}, 0x0115),
        ({"dataset": information(references=(InstanceReference(CR, ""),))}, 0x0115),
    ],
    ids=range(6),
)
def test_a_request_that_cannot_be_understood_is_refused(sink, asked, status):
    with running(commitment=sink) as node:
        peer = Requestor(node)
        assert peer.ask(**asked) == status
        assert sink.requests == []
        assert peer.ask(information()) == 0x0000, "the association goes on"
        peer.association.release()


@pytest.mark.parametrize("status", [0x0124, 0x0213])
def test_the_sink_s_refusal_is_the_answer_and_nothing_is_reported_there(sink, status):
    sink.status = status
    with running(commitment=sink) as node:
        peer = Requestor(node)
        assert peer.ask(information()) == status
        assert not node.listener.report(CommitmentReport("2.25.9", "PEER", (A,)))
        peer.association.release()


def test_a_sink_that_fails_or_hangs_is_answered_for(sink):
    release = threading.Event()
    with running(commitment=sink, answer_timeout_seconds=0.3) as node:
        peer = Requestor(node)
        sink.requested = lambda request: release.wait()
        assert peer.ask(information()) == 0x0110
        sink.requested = lambda request: 1 / 0
        assert peer.ask(information()) == 0x0110
        release.set()
        peer.association.release()


def test_an_archive_reports_on_an_association_of_its_own(sink):
    """It is the requestor there and asks for the role of the SCP (PS3.4 J.3.3)."""
    archive = {"ae_title": "PEER", "host": "127.0.0.1", "port": 104, "may_send": False}
    other = {"ae_title": "PACS", "host": "127.0.0.1"}
    with running(commitment=sink, peers=(archive, other)) as node:
        peer = Requestor(node, ext_neg=[build_role(PUSH, scp_role=True)])
        assert [str(context.abstract_syntax) for context in peer.association.accepted_contexts] == [PUSH]
        role = peer.association.acceptor.role_selection[PUSH]
        assert role.scp_role
        failed = information(keyword="FailedSOPSequence", references=(B,))
        failed.FailedSOPSequence[0].FailureReason = 0x0110
        failed.ReferencedSOPSequence = information(references=(A,)).ReferencedSOPSequence
        status, _ = peer.association.send_n_event_report(failed, 2, PUSH, INSTANCE)
        assert status.Status == 0x0000
        assert sink.reports == [CommitmentReport("2.25.9", "PEER", (A,), ((B, 0x0110),))]
        sink.status = 0x0115
        assert peer.association.send_n_event_report(information(), 1, PUSH, INSTANCE)[0].Status == 0x0115
        assert peer.association.send_n_event_report(information(), 3, PUSH, INSTANCE)[0].Status == 0x0113
        assert peer.association.send_n_event_report(information(), 1, PUSH, "2.25.5")[0].Status == 0x0112
        assert peer.association.send_n_event_report(information(None), 1, PUSH, INSTANCE)[0].Status == 0x0115
        peer.association.release()


def test_many_instances_fit_one_request(sink):
    references = tuple(InstanceReference(CR, f"2.25.{n}") for n in range(2000))
    with running(commitment=sink) as node:
        peer = Requestor(node)
        assert peer.ask(information(references=references)) == 0x0000
        assert sink.requests[0].instances == references
        peer.association.release()


def test_a_peer_that_leaves_before_its_report_holds_up_nobody(sink):
    with running(commitment=sink, report_elsewhere=lambda report: True) as node:
        peer = Requestor(node)
        peer.ask(information())
        peer.association.abort()
        node.events.wait("closed")
        assert node.listener.report(CommitmentReport("2.25.9", "PEER", (A,)))
