"""Storage commitment as the one who asks: will the peer keep these objects (PS3.4 J)?"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from dicom_node.peers.association import Association, associate
from dicom_node.peers.failure import CallFailed, Cause, Failure
from dicom_node.peers.messages import (
    N_ACTION,
    N_EVENT_REPORT,
    SHORT_DATA_SET_SYNTAXES,
    SUCCESS,
    Message,
    decode,
    encode,
    is_warning,
)
from dicom_node.peers.peer import DEFAULT_TIMEOUTS, Cancel, Peer, Timeouts
from dicom_node.peers.statuses import answered, meaning
from dicom_node.peers.waiting import READ

#: Storage Commitment Push Model, its only instance, and its only action (PS3.4 J.3).
STORAGE_COMMITMENT = "1.2.840.10008.1.20.1"
STORAGE_COMMITMENT_INSTANCE = "1.2.840.10008.1.20.1.1"
_REQUEST_COMMITMENT = 1
_INVALID_ARGUMENT = 0x0115


@dataclass(frozen=True, slots=True)
class Reference:
    """An object, by its UIDs."""

    sop_class_uid: str
    sop_instance_uid: str


@dataclass(frozen=True, slots=True)
class CommitmentReport:
    """What an N-EVENT-REPORT says (PS3.4 J.3.3)."""

    transaction_uid: str
    committed: frozenset[Reference]
    failed: dict[Reference, str]
    """With the reason in words."""


@dataclass(frozen=True, slots=True)
class CommitResult:
    """How a request for commitment went."""

    transaction_uid: str
    report: CommitmentReport | None
    """None: the peer has not reported, or not yet."""

    failure: Failure | None
    """None: the peer took the request."""

    def is_committed(self, reference: Reference) -> bool:
        """Whether the peer said that it keeps this object."""
        return self.report is not None and reference in self.report.committed


class CommitmentReports:
    """Hands reports that come to a listener to the calls that wait for them. For any threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[str, Callable[[CommitmentReport], None]] = {}

    def deliver(self, report: CommitmentReport) -> bool:
        """Hand over a report; False when nobody waits for it."""
        with self._lock:
            take = self._waiting.get(report.transaction_uid)
        if take is not None:
            take(report)
        return take is not None

    @contextmanager
    def expecting(self, transaction_uid: str, take: Callable[[CommitmentReport], None]) -> Iterator[None]:
        """Have `take` called with the report of a transaction, from the listener's thread."""
        with self._lock:
            self._waiting[transaction_uid] = take
        try:
            yield
        finally:
            with self._lock:
                del self._waiting[transaction_uid]


def read_report(event_information: Dataset) -> CommitmentReport:
    """The report in the Event Information of an N-EVENT-REPORT.

    Raises ValueError without a Transaction UID, and what pydicom raises for damaged items.
    """
    transaction_uid = str(event_information.get("TransactionUID", ""))
    if not transaction_uid:
        raise ValueError("a commitment report without Transaction UID (0008,1195)")
    failed = {}
    for item in event_information.get("FailedSOPSequence") or ():
        reason = item.get("FailureReason")
        words = f"0x{reason:04X}: {meaning('N-ACTION', reason)}" if isinstance(reason, int) else "without a reason"
        failed[_reference(item)] = words
    committed = frozenset(map(_reference, event_information.get("ReferencedSOPSequence") or ()))
    return CommitmentReport(transaction_uid, committed - failed.keys(), failed)


def commit(
    peer: Peer,
    references: Sequence[Reference],
    *,
    calling_ae_title: str,
    wait_seconds: float = 60,
    reports: CommitmentReports | None = None,
    transaction_uid: str | None = None,
    timeouts: Timeouts = DEFAULT_TIMEOUTS,
    cancel: Cancel | None = None,
) -> CommitResult:
    """Ask a peer to commit to the storage of objects, and wait for its report.

    Raises nothing for what the network or the peer does.

    Parameters
    ----------
    wait_seconds : float
        For the report, once the request was taken; 0 does not wait. No report in time is no failure.
    reports : CommitmentReports, optional
        Where the listener delivers reports: most peers report on an association of their own to our AE title. The
        report is taken from there or from this association, whichever comes first.
    transaction_uid : str, optional
        Given by a caller that has to know it before the request goes out.
    """
    from dicom_node.peers.pdus import Proposal

    transaction_uid = transaction_uid or generate_uid(None)
    arrived: list[CommitmentReport] = []
    failure = None
    try:
        proposals = [Proposal(STORAGE_COMMITMENT, SHORT_DATA_SET_SYNTAXES)]
        with associate(peer, calling_ae_title, proposals, timeouts, cancel) as association:
            transaction = _Transaction(association, transaction_uid, arrived)
            expecting = reports.expecting(transaction_uid, transaction.take) if reports is not None else nullcontext()
            with expecting:
                transaction.request(references)
                if wait_seconds > 0:
                    transaction.await_report(wait_seconds, elsewhere=reports is not None)
    except CallFailed as error:
        failure = error.failure
    return CommitResult(transaction_uid, arrived[0] if arrived else None, None if arrived else failure)


class _ArrivedElsewhere(Exception):  # noqa: N818  # no error: it ends a wait
    pass


class _Transaction:
    """A request for commitment over an association."""

    def __init__(self, association: Association, transaction_uid: str, arrived: list[CommitmentReport]) -> None:
        self._association = association
        self._transaction_uid = transaction_uid
        self._arrived = arrived
        agreement = association.agreement(STORAGE_COMMITMENT)
        self._context_id, self._syntax = agreement.context_id, agreement.transfer_syntax

    def take(self, report: CommitmentReport) -> None:
        """A report that came to the listener."""
        self._arrived.append(report)
        self._association.waiter.wake()

    def request(self, references: Sequence[Reference]) -> None:
        """N-ACTION. Raises CallFailed unless the peer takes it."""
        information = Dataset()
        information.TransactionUID = self._transaction_uid
        information.ReferencedSOPSequence = [_item(reference) for reference in references]
        message_id = self._association.ask(
            self._context_id,
            N_ACTION,
            encode(information, self._syntax),
            RequestedSOPClassUID=STORAGE_COMMITMENT,
            RequestedSOPInstanceUID=STORAGE_COMMITMENT_INSTANCE,
            ActionTypeID=_REQUEST_COMMITMENT,
        )
        # A peer that is quick may report before it answers.
        while (message := self._association.receive("answer to N-ACTION")).field == N_EVENT_REPORT:
            self._take_here(message)
        self._association.check_answer(message, message_id, N_ACTION)
        status = message.status or SUCCESS
        if status != SUCCESS and not is_warning(status):
            raise answered("N-ACTION", status, message.comment)

    def await_report(self, seconds: float, *, elsewhere: bool) -> None:
        """Wait for the report, on this association or elsewhere. Raises CallFailed when we end the call."""
        waiter, until = self._association.waiter, time.monotonic() + seconds
        try:
            with waiter.alarm(self._look_elsewhere):
                try:
                    while not self._arrived:
                        message = self._association.receive("commitment report", until - time.monotonic())
                        if message.field == N_EVENT_REPORT:
                            self._take_here(message)
                except CallFailed as error:
                    if error.failure.cause not in (Cause.LOST, Cause.ABORTED) or not elsewhere:
                        raise
                    while True:  # the peer has hung up and may report on an association of its own
                        waiter.wait(None, READ, until, "no commitment report")
        except _ArrivedElsewhere:
            pass
        except CallFailed as error:
            if error.failure.cause not in (Cause.SILENT, Cause.LOST, Cause.ABORTED):
                raise

    def _look_elsewhere(self) -> None:
        if self._arrived:
            raise _ArrivedElsewhere

    def _take_here(self, message: Message) -> None:
        """A report on this association, which wants an answer."""
        try:
            report = read_report(decode(message.data, self._syntax))
        except CallFailed:
            raise
        except Exception:  # noqa: BLE001  # whatever pydicom meets in damaged items; the peer is told
            self._association.answer(message, _INVALID_ARGUMENT)
            return
        self._association.answer(message, SUCCESS)
        if report.transaction_uid == self._transaction_uid:
            self._arrived.append(report)


def _item(reference: Reference) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = reference.sop_class_uid
    item.ReferencedSOPInstanceUID = reference.sop_instance_uid
    return item


def _reference(item: Dataset) -> Reference:
    return Reference(str(item.get("ReferencedSOPClassUID", "")), str(item.get("ReferencedSOPInstanceUID", "")))
