"""Storage commitment: asked for, reported here or elsewhere, or not at all."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pynetdicom import evt

from dicom_node.peers import Cancel, Cause, CommitmentReport, CommitmentReports, Reference, commit, read_report
from tests.node.peers.fakes import ABORT, OURS, PATIENT, Line, raw_peer, response, scp

COMMITMENT, INSTANCE = "1.2.840.10008.1.20.1", "1.2.840.10008.1.20.1.1"
CONTEXTS = [(COMMITMENT, None)]
FIRST, SECOND = Reference("1.2.840.10008.5.1.4.1.1.1", "2.25.1"), Reference("1.2.840.10008.5.1.4.1.1.7", "2.25.2")


def _report(request: Dataset, *, failed: int | None = None) -> Dataset:
    """The report on a request: everything is committed, or all but the last."""
    items = list(request.ReferencedSOPSequence)
    report = Dataset()
    report.TransactionUID = request.TransactionUID
    if failed is not None:
        items[-1].FailureReason = failed
        report.FailedSOPSequence = items[-1:]
        items = items[:-1]
    report.ReferencedSOPSequence = items
    return report


class Archive:
    """Takes requests for commitment, and reports on the same association when told so."""

    def __init__(self, status: int = 0, *reports: Callable[[Dataset], Dataset]) -> None:
        self.requests: list[Dataset] = []
        self.answers: list[int] = []
        self._status = status
        self._reports = reports
        self.thread: threading.Thread | None = None

    def __call__(self, event: evt.Event) -> tuple[int, None]:
        assert event.request.RequestedSOPInstanceUID == INSTANCE
        assert event.action_type == 1
        self.requests.append(event.action_information)
        if self._reports:
            reports = [report(event.action_information) for report in self._reports]
            self.thread = threading.Thread(target=self._send, args=(event.assoc, reports))
            self.thread.start()
        return self._status, None

    def _send(self, association: Any, reports: list[Dataset]) -> None:
        for report in reports:
            event_type = 2 if "FailedSOPSequence" in report else 1
            status, _ = association.send_n_event_report(report, event_type, COMMITMENT, INSTANCE)
            self.answers.append(status.Status)

    def handlers(self) -> list[tuple[Any, ...]]:
        return [(evt.EVT_N_ACTION, self)]


def test_a_report_on_the_same_association_is_taken_and_answered() -> None:
    archive = Archive(0, _report)
    with scp(CONTEXTS, archive.handlers()) as peer:
        result = commit(peer, [FIRST, SECOND], calling_ae_title=OURS, timeouts=PATIENT)
        assert archive.thread is not None
        archive.thread.join(60)
    assert result.failure is None
    assert result.report == CommitmentReport(result.transaction_uid, frozenset([FIRST, SECOND]), {})
    assert result.is_committed(FIRST)
    assert archive.answers == [0]
    (request,) = archive.requests
    assert request.TransactionUID == result.transaction_uid
    assert [item.ReferencedSOPInstanceUID for item in request.ReferencedSOPSequence] == ["2.25.1", "2.25.2"]


def test_a_report_says_what_was_not_committed_and_why() -> None:
    archive = Archive(0, lambda request: _report(request, failed=0x0112))
    with scp(CONTEXTS, archive.handlers()) as peer:
        result = commit(peer, [FIRST, SECOND], calling_ae_title=OURS, timeouts=PATIENT)
    assert result.failure is None
    assert result.report is not None
    assert result.report.committed == {FIRST}
    assert result.report.failed == {SECOND: "0x0112: no such sop instance"}
    assert not result.is_committed(SECOND)


def test_a_report_that_comes_to_the_listener_ends_the_wait() -> None:
    reports = CommitmentReports()

    def report(event: evt.Event) -> tuple[int, None]:
        # From another thread, as a listener's.
        assert reports.deliver(read_report(_report(event.action_information)))
        return 0, None

    with scp(CONTEXTS, [(evt.EVT_N_ACTION, report)]) as peer:
        result = commit(peer, [FIRST], calling_ae_title=OURS, wait_seconds=60, reports=reports, timeouts=PATIENT)
    assert result.report is not None
    assert result.is_committed(FIRST)
    assert not reports.deliver(result.report), "nobody waits any more"


@pytest.mark.parametrize("last_word", [ABORT, b""])
def test_a_peer_that_hangs_up_may_still_report_to_the_listener(last_word: bytes) -> None:
    reports, report = CommitmentReports(), CommitmentReport("2.25.77", frozenset([FIRST]), {})

    def script(line: Line) -> None:
        line.accept()
        line.read_message()
        line.send(response(0x0130) + last_word)
        line.connection.shutdown(socket.SHUT_WR)
        line.goes_on.wait(0.2)  # for the end to be noticed, which nothing tells
        assert reports.deliver(report)

    with raw_peer(script) as peer:
        result = commit(
            peer, [FIRST], calling_ae_title=OURS, reports=reports, transaction_uid="2.25.77", timeouts=PATIENT
        )
    assert result.is_committed(FIRST)
    assert result.failure is None


def test_a_peer_that_hangs_up_without_a_listener_has_not_reported() -> None:
    def script(line: Line) -> None:
        line.accept()
        line.read_message()
        line.send(response(0x0130))

    with raw_peer(script) as peer:
        result = commit(peer, [FIRST], calling_ae_title=OURS, timeouts=PATIENT)
    assert (result.report, result.failure) == (None, None)


@pytest.mark.parametrize("wait_seconds", [0, 0.1])
def test_no_report_yet_is_no_failure_and_no_commitment(wait_seconds: float) -> None:
    with scp(CONTEXTS, Archive().handlers()) as peer:
        result = commit(
            peer,
            [FIRST],
            calling_ae_title=OURS,
            wait_seconds=wait_seconds,
            transaction_uid="2.25.77",
            timeouts=PATIENT,
        )
    assert (result.transaction_uid, result.report, result.failure) == ("2.25.77", None, None)
    assert not result.is_committed(FIRST)


def test_a_report_on_another_transaction_is_answered_and_not_taken() -> None:
    def other(request: Dataset) -> Dataset:
        report = _report(request)
        report.TransactionUID = "2.25.1"
        return report

    archive = Archive(0, other, lambda request: _report(request, failed=0x0213))
    with scp(CONTEXTS, archive.handlers()) as peer:
        result = commit(peer, [FIRST], calling_ae_title=OURS, timeouts=PATIENT)
        assert archive.thread is not None
        archive.thread.join(60)
    assert archive.answers == [0, 0]
    assert result.report is not None
    assert result.report.failed == {FIRST: "0x0213: resource limitation"}


def test_a_refusal() -> None:
    with scp(CONTEXTS, Archive(0x0213).handlers()) as peer:
        result = commit(peer, [FIRST], calling_ae_title=OURS, timeouts=PATIENT)
    assert result.failure is not None
    assert result.failure.words == "the peer answered N-ACTION with 0x0213: resource limitation"
    assert result.failure.passing


def test_a_peer_without_storage_commitment() -> None:
    with scp([("1.2.840.10008.1.1", None)]) as peer:
        result = commit(peer, [FIRST], calling_ae_title=OURS, timeouts=PATIENT)
    assert result.failure is not None
    assert result.failure.cause is Cause.NOT_OFFERED


def test_a_cancel_ends_the_wait_for_a_report() -> None:
    cancel = Cancel()

    def handle(_event: evt.Event) -> tuple[int, None]:
        cancel.set()
        return 0, None

    with scp(CONTEXTS, [(evt.EVT_N_ACTION, handle)]) as peer:
        result = commit(
            peer,
            [FIRST],
            calling_ae_title=OURS,
            wait_seconds=60,
            reports=CommitmentReports(),
            timeouts=PATIENT,
            cancel=cancel,
        )
    assert result.failure is not None
    assert result.failure.cause is Cause.CANCELLED
    assert result.report is None


def test_a_report_without_its_transaction_is_none() -> None:
    with pytest.raises(ValueError, match="without Transaction UID"):
        read_report(Dataset())


def test_an_object_that_is_reported_both_ways_is_not_committed() -> None:
    request = Dataset()
    request.TransactionUID = "2.25.5"
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = FIRST.sop_class_uid, FIRST.sop_instance_uid
    request.ReferencedSOPSequence = [item]
    request.FailedSOPSequence = [item]
    report = read_report(request)
    assert report.committed == frozenset()
    assert report.failed == {FIRST: "without a reason"}
