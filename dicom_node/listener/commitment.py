"""Storage commitment (PS3.4 J): requests of peers to us, reports of archives to us, and our reports."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from pydicom.dataset import Dataset
from pynetdicom import evt
from pynetdicom.dimse_primitives import N_ACTION, N_EVENT_REPORT
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StorageCommitmentPushModel,
    StorageCommitmentPushModelInstance,
)

from dicom_node.listener.bounded import BoundedCalls
from dicom_node.listener.uids import raw_value, uid_text
from dicom_node.received import CommitmentReport, CommitmentRequest, CommitmentSink, InstanceReference

_SUCCESS = 0x0000
#: PS3.7 C.5.
_PROCESSING_FAILURE, _NO_SUCH_INSTANCE, _NO_SUCH_EVENT, _INVALID_ARGUMENT, _NO_SUCH_ACTION = (
    0x0110,
    0x0112,
    0x0113,
    0x0115,
    0x0123,
)
_REQUEST_ACTION = 1
_ALL_COMMITTED, _FAILURES_EXIST = 1, 2


class Commitment:
    """Answers N-ACTION and N-EVENT-REPORT requests; never raises."""

    def __init__(self, sink: CommitmentSink, calls: BoundedCalls) -> None:
        self._sink = sink
        self._calls = calls

    def requested(self, event: evt.Event, calling_ae_title: str, address: str) -> tuple[int, str]:
        """Status, and the transaction UID of a request that was taken."""
        if cast(N_ACTION, event.request).RequestedSOPInstanceUID != StorageCommitmentPushModelInstance:
            return _NO_SUCH_INSTANCE, ""
        if event.action_type != _REQUEST_ACTION:
            return _NO_SUCH_ACTION, ""
        try:
            information = event.action_information
            request = CommitmentRequest(
                transaction_uid=_uid(information, "TransactionUID"),
                instances=tuple(reference for reference, _ in _references(information, "ReferencedSOPSequence")),
                calling_ae_title=calling_ae_title,
                address=address,
            )
        except Exception:  # noqa: BLE001  # pydicom raises whatever it stumbles over
            return _INVALID_ARGUMENT, ""
        if not request.instances:
            return _INVALID_ARGUMENT, ""
        try:
            return int(self._calls.run(lambda: self._sink.requested(request))), request.transaction_uid
        except BaseException:  # noqa: BLE001  # the peer gets an answer whatever happens
            return _PROCESSING_FAILURE, ""

    def reported(self, event: evt.Event, calling_ae_title: str) -> int:
        """Status of the answer to an archive."""
        if cast(N_EVENT_REPORT, event.request).AffectedSOPInstanceUID != StorageCommitmentPushModelInstance:
            return _NO_SUCH_INSTANCE
        if event.event_type not in (_ALL_COMMITTED, _FAILURES_EXIST):
            return _NO_SUCH_EVENT
        try:
            information = event.event_information
            report = CommitmentReport(
                transaction_uid=_uid(information, "TransactionUID"),
                ae_title=calling_ae_title,
                committed=tuple(reference for reference, _ in _references(information, "ReferencedSOPSequence")),
                failed=tuple(_references(information, "FailedSOPSequence")),
            )
        except Exception:  # noqa: BLE001  # pydicom raises whatever it stumbles over
            return _INVALID_ARGUMENT
        try:
            return int(self._calls.run(lambda: self._sink.reported(report)))
        except BaseException:  # noqa: BLE001  # the archive gets an answer whatever happens
            return _PROCESSING_FAILURE


def event_information(report: CommitmentReport) -> tuple[int, Dataset]:
    """Event type and data set of an N-EVENT-REPORT (PS3.4 Table J.3-2)."""
    information = Dataset()
    information.TransactionUID = report.transaction_uid
    if report.committed:
        information.ReferencedSOPSequence = [_item(reference) for reference in report.committed]
    if report.failed:
        information.FailedSOPSequence = [_item(reference, reason) for reference, reason in report.failed]
    return (_FAILURES_EXIST if report.failed else _ALL_COMMITTED), information


def _item(reference: InstanceReference, failure_reason: int | None = None) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = reference.sop_class_uid
    item.ReferencedSOPInstanceUID = reference.sop_instance_uid
    if failure_reason is not None:
        item.FailureReason = failure_reason
    return item


def _references(information: Dataset, keyword: str) -> Iterator[tuple[InstanceReference, int]]:
    for item in information.get(keyword) or ():
        reference = InstanceReference(_uid(item, "ReferencedSOPClassUID"), _uid(item, "ReferencedSOPInstanceUID"))
        yield reference, int(item.get("FailureReason") or 0)


def _uid(dataset: Dataset, keyword: str) -> str:
    text = uid_text(raw_value(dataset, keyword))
    if text is None:
        raise ValueError(keyword)
    return text


#: For Association.send_n_event_report.
SOP_CLASS_UID, SOP_INSTANCE_UID = StorageCommitmentPushModel, StorageCommitmentPushModelInstance
