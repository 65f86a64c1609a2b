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
        DICOM files (PS3.10) or encoded data sets. Each is proposed in its own transfer syntax and sent unchanged.
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
    kinds: set[tuple[str, str]] = set()
    for index, given in whole:
        kind = given.sop_class_uid, given.transfer_syntax_uid
        if kind not in kinds and len(kinds) == _MAX_CONTEXTS:
            yield batch
            batch, kinds = [], set()
        kinds.add(kind)
        batch.append((index, given))
    if batch:
        yield batch


def _store_batch(
    peer: Peer,
    batch: list[tuple[int, EncodedObject]],
    calling_ae_title: str,
    timeouts: Timeouts,
    cancel: Cancel | None,
    settle: Callable[[int, StoreOutcome], None],
) -> None:
    from dicom_node.peers.pdus import Proposal

    kinds = dict.fromkeys((given.sop_class_uid, given.transfer_syntax_uid) for _, given in batch)
    proposals = [Proposal(sop_class, (syntax,)) for sop_class, syntax in kinds]
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
        context_id = association.agreement(given.sop_class_uid, given.transfer_syntax_uid).context_id
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


def _readable(given: EncodedObject, size: int) -> Iterable[tuple[memoryview, bool]]:
    try:
        yield from given.blocks(size)
    except OSError as error:
        raise failed(Cause.OURS, f"the file of the object cannot be read: {error.strerror or error}") from error


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
