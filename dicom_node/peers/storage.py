"""C-STORE: objects go out as they are encoded, and each gets its outcome (PS3.4 B)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

from dicom_node.peers.association import Association, associate
from dicom_node.peers.encoded import EncodedObject, NotAnObjectError
from dicom_node.peers.failure import CallFailed, Cause, Failure, failed
from dicom_node.peers.messages import C_STORE, DUPLICATE, MEDIUM, SUCCESS, is_warning
from dicom_node.peers.outcomes import Sent, StoreOutcome, not_an_object, stopped
from dicom_node.peers.peer import DEFAULT_TIMEOUTS, Cancel, Peer, Timeouts
from dicom_node.peers.statuses import meaning
from dicom_node.peers.transcoding import IMPLICIT, NotTranscodedError, can_be_implicit, implicit

#: An association has 128 presentation contexts at most (PS3.8 9.3.2.2: odd numbers up to 255).
_MAX_CONTEXTS = 128


def store(
    peer: Peer,
    objects: Iterable[bytes | memoryview | Path | EncodedObject],
    *,
    calling_ae_title: str,
    timeouts: Timeouts = DEFAULT_TIMEOUTS,
    cancel: Cancel | None = None,
    on_outcome: Callable[[int, StoreOutcome], None] | None = None,
) -> list[StoreOutcome]:
    """Send objects one after the other, over one association where 128 kinds of them suffice.

    Raises nothing for what the network or the peer does, or for what is no object.

    Parameters
    ----------
    objects : iterable of bytes, memoryview, Path or EncodedObject
        DICOM files (PS3.10) or encoded data sets. Each is proposed in its own transfer syntax and sent unchanged; one
        in Explicit VR Little Endian in Implicit VR to a peer that takes only that.
    on_outcome : callable, optional
        Called with the index of an object and its outcome as soon as it is known.

    Returns
    -------
    list of StoreOutcome
        In the order of the objects.
    """
    outcomes: dict[int, StoreOutcome] = {}

    def settle(index: int, outcome: StoreOutcome) -> None:
        outcomes[index] = outcome
        if on_outcome is not None:
            on_outcome(index, outcome)

    whole: list[tuple[int, EncodedObject]] = []
    for index, given in enumerate(objects):
        try:
            whole.append((index, given if isinstance(given, EncodedObject) else EncodedObject.of(given)))
        except NotAnObjectError as error:
            settle(index, not_an_object(error))
    for batch in _batches(whole):
        _store_batch(peer, batch, calling_ae_title, timeouts, cancel, settle)
    return [outcomes[index] for index in sorted(outcomes)]


def _batches(whole: Sequence[tuple[int, EncodedObject]]) -> Iterable[list[tuple[int, EncodedObject]]]:
    """Runs of objects whose contexts fit into one association."""
    batch: list[tuple[int, EncodedObject]] = []
    contexts: set[tuple[str, str]] = set()
    for index, given in whole:
        more = contexts.union(_contexts(given))
        if len(more) > _MAX_CONTEXTS:
            yield batch
            batch, more = [], set(_contexts(given))
        contexts = more
        batch.append((index, given))
    if batch:
        yield batch


def _contexts(given: EncodedObject) -> list[tuple[str, str]]:
    """SOP class and transfer syntax of each context on which an object can go.

    One context for each syntax, so that the peer says of each whether it takes it, and does not choose one of them.
    """
    syntaxes = [given.transfer_syntax_uid, *([IMPLICIT] if can_be_implicit(given) else [])]
    return [(given.sop_class_uid, syntax) for syntax in syntaxes]


def _store_batch(
    peer: Peer,
    batch: list[tuple[int, EncodedObject]],
    calling_ae_title: str,
    timeouts: Timeouts,
    cancel: Cancel | None,
    settle: Callable[[int, StoreOutcome], None],
) -> None:
    from dicom_node.peers.pdus import Proposal

    contexts = dict.fromkeys(context for _, given in batch for context in _contexts(given))
    proposals = [Proposal(sop_class, (syntax,)) for sop_class, syntax in contexts]
    left = dict(batch)
    try:
        with associate(peer, calling_ae_title, proposals, timeouts, cancel) as association:
            for index, given in batch:
                del left[index]
                _store_one(association, given, partial(settle, index))
    except CallFailed as error:
        failure = error.failure
        if failure.cause is Cause.OURS and len(left) < len(batch):
            failure = Failure(
                Cause.ABORTED, "we aborted, since the file of another object cannot be read", passing=True
            )
        for index, given in left.items():
            settle(index, stopped(given, Sent.NOT_SENT, failure))


def _store_one(association: Association, given: EncodedObject, settle: Callable[[StoreOutcome], None]) -> None:
    """Send one object and settle it. Raises CallFailed when the association cannot be used any more."""
    try:
        given, context_id = _as_agreed(association, given)
    except CallFailed as error:
        settle(stopped(given, Sent.NOT_SENT, error.failure))
        return
    went_out = False
    try:
        message_id = association.ask(
            context_id,
            C_STORE,
            _readable(given, association.block_bytes),
            AffectedSOPClassUID=given.sop_class_uid,
            AffectedSOPInstanceUID=given.sop_instance_uid,
            Priority=MEDIUM,
        )
        went_out = True
        answer = association.receive_answer(message_id, C_STORE, "answer to C-STORE")
    except CallFailed as error:
        settle(stopped(given, Sent.UNKNOWN if went_out else Sent.NOT_SENT, error.failure))
        raise
    settle(_answered(given, answer.status or SUCCESS, answer.comment))


def _as_agreed(association: Association, given: EncodedObject) -> tuple[EncodedObject, int]:
    """An object in a transfer syntax that the peer takes, and the context. Raises CallFailed."""
    agreed = {
        agreement.transfer_syntax: agreement.context_id
        for agreement in association.agreements
        if agreement.abstract_syntax == given.sop_class_uid
    }
    if given.transfer_syntax_uid not in agreed and can_be_implicit(given) and IMPLICIT in agreed:
        try:
            return implicit(given), agreed[IMPLICIT]
        except NotTranscodedError as error:
            raise failed(Cause.NOT_OFFERED, f"the peer takes Implicit VR alone, and the object has {error}") from error
        except OSError as error:
            raise _unreadable(error) from error
    return given, association.agreement(given.sop_class_uid, given.transfer_syntax_uid).context_id


def _readable(given: EncodedObject, size: int) -> Iterable[tuple[memoryview, bool]]:
    try:
        yield from given.blocks(size)
    except OSError as error:
        raise _unreadable(error) from error


def _unreadable(error: OSError) -> CallFailed:
    return failed(Cause.OURS, f"the file of the object cannot be read: {error.strerror or error}")


def _answered(given: EncodedObject, status: int, comment: str) -> StoreOutcome:
    if status == SUCCESS:
        result, words = Sent.ACCEPTED, "the peer accepted the object"
    elif is_warning(status):
        result, words = Sent.WARNING, f"the peer accepted the object with 0x{status:04X}: {meaning('C-STORE', status)}"
    elif status == DUPLICATE:
        result, words = Sent.DUPLICATE, "the peer has an object of this UID already (0x0111)"
    else:
        result, words = Sent.REFUSED, f"the peer refused the object with 0x{status:04X}: {meaning('C-STORE', status)}"
    return StoreOutcome(given.sop_class_uid, given.sop_instance_uid, result, words, status, comment)
