"""C-FIND: what a peer has (PS3.4 C.4.1)."""

from __future__ import annotations

from dataclasses import dataclass

from dicom_node.peers.association import associate
from dicom_node.peers.failure import CallFailed, Failure
from dicom_node.peers.identifier import FIND, Keys, identifier, model
from dicom_node.peers.match import RETURN_KEYS, Level, Match
from dicom_node.peers.messages import (
    C_FIND,
    MEDIUM,
    PENDING,
    SHORT_DATA_SET_SYNTAXES,
    SUCCESS,
    decode,
    encode,
    is_warning,
)
from dicom_node.peers.peer import DEFAULT_TIMEOUTS, Cancel, Peer, Timeouts
from dicom_node.peers.statuses import answered


@dataclass(frozen=True, slots=True)
class FindResult:
    """What was found. With a failure: what had come before it."""

    matches: tuple[Match, ...]
    is_complete: bool
    """Whether these are all: neither the limit was met, nor a failure."""

    failure: Failure | None


def find(
    peer: Peer,
    level: Level,
    keys: Keys,
    *,
    calling_ae_title: str,
    limit: int | None = None,
    timeouts: Timeouts = DEFAULT_TIMEOUTS,
    cancel: Cancel | None = None,
) -> FindResult:
    """Query a peer. Raises nothing for what the network or the peer does; SettingsError for a key that is none.

    Parameters
    ----------
    keys : mapping of str to str or sequence of str
        As in {"PatientName": "MUELLER*", "StudyDate": "20260101-"}; with "" a further attribute is asked back. A
        peer may want the UIDs of the levels above (PS3.4 C.4.1.2.1).
    limit : int, optional
        With more matches than these the query is cancelled.
    """
    from dicom_node.peers.pdus import Proposal

    asked = identifier(level, keys, RETURN_KEYS[level])
    sop_class = model(FIND, level)
    matches: list[Match] = []
    is_complete, failure = False, None
    try:
        proposals = [Proposal(sop_class, SHORT_DATA_SET_SYNTAXES)]
        with associate(peer, calling_ae_title, proposals, timeouts, cancel) as association:
            agreement = association.agreement(sop_class)
            context_id, syntax = agreement.context_id, agreement.transfer_syntax
            message_id = association.ask(
                context_id, C_FIND, encode(asked, syntax), AffectedSOPClassUID=sop_class, Priority=MEDIUM
            )
            with association.cancelling(context_id, message_id):
                while True:
                    answer = association.receive_answer(message_id, C_FIND, "answer to C-FIND")
                    if answer.status not in PENDING:
                        break
                    if len(matches) == limit:
                        association.wind_down(context_id, message_id)
                        return FindResult(tuple(matches), False, None)
                    matches.append(Match.of(level, decode(answer.data, syntax)))
            status = answer.status or SUCCESS
            if status != SUCCESS and not is_warning(status):
                raise answered("C-FIND", status, answer.comment)
            is_complete = True
    except CallFailed as error:
        failure = error.failure
    return FindResult(tuple(matches), is_complete, failure)
