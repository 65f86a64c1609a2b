"""C-ECHO: does the peer answer, and does it know us (PS3.4 A)?"""

from __future__ import annotations

import time
from dataclasses import dataclass

from dicom_node.peers.association import associate
from dicom_node.peers.failure import CallFailed, Failure
from dicom_node.peers.messages import C_ECHO, SHORT_DATA_SET_SYNTAXES, SUCCESS
from dicom_node.peers.peer import DEFAULT_TIMEOUTS, Cancel, Peer, Timeouts
from dicom_node.peers.statuses import answered

VERIFICATION = "1.2.840.10008.1.1"


@dataclass(frozen=True, slots=True)
class EchoResult:
    """How a C-ECHO went."""

    failure: Failure | None
    """None: the peer answered with success."""

    seconds: float
    """From the first step to the last."""

    @property
    def words(self) -> str:
        """One line for people."""
        return self.failure.words if self.failure else f"the peer answered in {self.seconds * 1000:.0f} ms"


def echo(
    peer: Peer, *, calling_ae_title: str, timeouts: Timeouts = DEFAULT_TIMEOUTS, cancel: Cancel | None = None
) -> EchoResult:
    """Associate, C-ECHO, release. Raises nothing for what the network or the peer does."""
    from dicom_node.peers.pdus import Proposal

    started = time.monotonic()
    failure = None
    try:
        proposals = [Proposal(VERIFICATION, SHORT_DATA_SET_SYNTAXES)]
        with associate(peer, calling_ae_title, proposals, timeouts, cancel) as association:
            context_id = association.agreement(VERIFICATION).context_id
            message_id = association.ask(context_id, C_ECHO, None, AffectedSOPClassUID=VERIFICATION)
            answer = association.receive_answer(message_id, C_ECHO, "answer to C-ECHO")
            if answer.status not in (None, SUCCESS):
                raise answered("C-ECHO", answer.status, answer.comment)
    except CallFailed as error:
        failure = error.failure
    return EchoResult(failure, time.monotonic() - started)
