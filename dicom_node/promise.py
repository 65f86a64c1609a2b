"""Storage commitment in the node's own process: takes requests and reports, and tells those who wait for a report.

We promise nothing ourselves: what a sender wants a promise for, the configured archive is asked for (`work/commit.py`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import sqlalchemy as sa
from pydicom.uid import generate_uid

from dicom_node import logs
from dicom_node.destinations.choose import called
from dicom_node.listener.commitment import SOP_CLASS_UID, SOP_INSTANCE_UID, event_information
from dicom_node.peers.association import associate
from dicom_node.peers.failure import CallFailed
from dicom_node.peers.messages import N_EVENT_REPORT, SHORT_DATA_SET_SYNTAXES, SUCCESS, encode
from dicom_node.peers.peer import Timeouts
from dicom_node.received import CommitmentReport, CommitmentRequest
from dicom_node.settings import NodeSettings
from dicom_node.store import commitments

log = logs.get(__name__)

#: Status of N-ACTION and N-EVENT-REPORT (PS3.7 C.5).
_REFUSED, _INVALID_ARGUMENT, _PROCESSING_FAILURE, _RESOURCE_LIMITATION = 0x0124, 0x0115, 0x0110, 0x0213
#: Between two looks for answers that somebody waits for.
_LOOK_SECONDS = 1.0
#: Before a report that was not taken is sent again: doubled each time, up to an hour.
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 5.0, 3600.0
#: A report that nobody takes for so long is given up.
_GIVE_UP_SECONDS = 7 * 86400.0


class PromiseSink:
    """The listener's CommitmentSink."""

    def __init__(self, settings: NodeSettings, engine: sa.Engine, notify: Callable[[], None]) -> None:
        self._settings = settings.commitment
        self._engine = engine
        self._notify = notify

    def requested(self, request: CommitmentRequest) -> int:
        """Keep a sender's request; 0x0124 where no archive is configured, 0x0213 where the sender has too many open."""
        if self._settings.archive is None:
            return _REFUSED
        now = time.time()
        ends_at = now + self._settings.timeout_seconds
        try:
            uid = str(generate_uid(None))
            commitments.record_request(self._engine, request, uid, self._settings.archive, now, ends_at)
        except commitments.TooManyRequestsError:
            log.warning("too many commitment requests", sender=request.calling_ae_title)
            return _RESOURCE_LIMITATION
        except Exception as error:  # noqa: BLE001  # the sender is to be told, whatever it was
            log.error("commitment request not kept", **logs.trouble(error))
            return _PROCESSING_FAILURE
        log.info("commitment requested", sender=request.calling_ae_title, count=len(request.instances))
        self._notify()
        return SUCCESS

    def reported(self, report: CommitmentReport) -> int:
        """Keep a peer's answer; 0x0115 for a transaction that is not ours, or not that peer's."""
        try:
            row = commitments.get(self._engine, report.transaction_uid)
            if row is None or row.peer != report.ae_title:
                return _INVALID_ARGUMENT
            outcome = {one.sop_instance_uid: 0 for one in report.committed}
            outcome |= {one.sop_instance_uid: reason or commitments.NO_ANSWER for one, reason in report.failed}
            # One that comes again after its transaction is over changes nothing, and is no error.
            commitments.answer(self._engine, report.transaction_uid, outcome)
        except Exception as error:  # noqa: BLE001  # likewise
            log.error("commitment report not kept", **logs.trouble(error))
            return _PROCESSING_FAILURE
        log.info("commitment reported", sender=report.ae_title, count=len(report.committed))
        return SUCCESS


class PromiseTeller:
    """A thread that tells senders what became of their requests.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        The node's.
    tell : callable
        `Listener.report`: whether the sender has acknowledged a report.
    """

    def __init__(self, engine: sa.Engine, tell: Callable[[CommitmentReport], bool]) -> None:
        self._engine = engine
        self._tell = tell
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="promises", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Let the thread end; a report that is under way is not waited for."""
        self._stopping.set()

    def _run(self) -> None:
        while not self._stopping.wait(_LOOK_SECONDS):
            try:
                self.look()
            except Exception as error:  # noqa: BLE001  # a locked database is no reason to stop
                log.error("could not tell a commitment", **logs.trouble(error))

    def look(self) -> None:
        """Tell everything that is answered and due."""
        now = time.time()
        for row in commitments.in_state(self._engine, "answered"):
            if row.due_at > now:
                continue
            if self._tell(commitments.report_of(row)):
                commitments.change(self._engine, row.transaction_uid, "answered", state="told")
                log.info("commitment told", sender=row.requester)
            elif now > row.ends_at + _GIVE_UP_SECONDS:
                commitments.change(self._engine, row.transaction_uid, "answered", state="over", note="nobody took it")
                log.error("commitment given up", sender=row.requester)
            else:
                pause = min(_FIRST_PAUSE_SECONDS * 2 ** min(row.attempts, 20), _LONGEST_PAUSE_SECONDS)
                values = {"attempts": row.attempts + 1, "due_at": now + pause}
                commitments.change(self._engine, row.transaction_uid, "answered", **values)


def report_elsewhere(settings: NodeSettings, report: CommitmentReport) -> bool:
    """N-EVENT-REPORT on an association of our own, as the service's provider (PS3.4 J.3.3); whether it was taken."""
    from dicom_node.peers.pdus import Proposal

    peer = settings.peer(report.ae_title)
    if peer is None or peer.port is None:
        return False
    proposals = [Proposal(SOP_CLASS_UID, SHORT_DATA_SET_SYNTAXES, as_scp=True)]
    event_type, information = event_information(report)
    try:
        with associate(called(peer), settings.listener.ae_title, proposals, Timeouts(), None) as association:
            agreement = association.agreement(SOP_CLASS_UID)
            message_id = association.ask(
                agreement.context_id,
                N_EVENT_REPORT,
                encode(information, agreement.transfer_syntax),
                AffectedSOPClassUID=SOP_CLASS_UID,
                AffectedSOPInstanceUID=SOP_INSTANCE_UID,
                EventTypeID=event_type,
            )
            answer = association.receive_answer(message_id, N_EVENT_REPORT, "answer to N-EVENT-REPORT")
            return answer.status in (None, SUCCESS)
    except CallFailed as error:
        log.warning("commitment not told", sender=report.ae_title, words=error.failure.words)
        return False
