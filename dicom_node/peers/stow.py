"""STOW-RS: objects go to a web service as they are encoded, and each gets its outcome (PS3.18 10.5)."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydicom.dataset import Dataset

from dicom_node.peers.encoded import EncodedObject, NotAnObjectError
from dicom_node.peers.failure import CallFailed, Cause, Failure, failed
from dicom_node.peers.messages import DUPLICATE
from dicom_node.peers.outcomes import Sent, StoreOutcome, not_an_object, stopped
from dicom_node.peers.peer import DEFAULT_TIMEOUTS, Cancel, Timeouts
from dicom_node.peers.statuses import meaning
from dicom_node.peers.web import WebService, call, http_failure, session_of

if TYPE_CHECKING:
    import requests

_BLOCK_BYTES = 1 << 18


def store_web(
    service: WebService,
    objects: Iterable[bytes | memoryview | Path | EncodedObject],
    *,
    timeouts: Timeouts = DEFAULT_TIMEOUTS,
    cancel: Cancel | None = None,
) -> list[StoreOutcome]:
    """Send objects in one request, in the order given. Raises nothing for what the network or the service does.

    dicomweb-client encodes data sets anew, repeats a request by itself and drops the answer that says which object
    failed; so the request is made here.
    """
    given: list[EncodedObject | StoreOutcome] = []
    for item in objects:
        try:
            given.append(item if isinstance(item, EncodedObject) else EncodedObject.of(item))
        except NotAnObjectError as error:
            given.append(not_an_object(error))
    whole = [item for item in given if isinstance(item, EncodedObject)]
    settled = iter(_store(service, whole, timeouts, cancel) if whole else [])
    return [item if isinstance(item, StoreOutcome) else next(settled) for item in given]


def _store(
    service: WebService, whole: Sequence[EncodedObject], timeouts: Timeouts, cancel: Cancel | None
) -> list[StoreOutcome]:
    try:
        body = _Multipart(whole)
    except OSError as error:
        failure = failed(Cause.OURS, f"the file of an object cannot be read: {error.strerror or error}").failure
        return [stopped(item, Sent.NOT_SENT, failure) for item in whole]

    data: Any = body  # urllib3 sends memoryviews, though the stubs know bytes alone

    def post() -> requests.Response:
        with session_of(service) as session:
            return session.post(
                f"{service.url.rstrip('/')}/studies",
                data=data,
                headers={"Content-Type": body.content_type, "Accept": "application/dicom+json"},
                timeout=(timeouts.connect_seconds, timeouts.dimse_seconds),
                allow_redirects=False,  # a redirected POST becomes a GET
            )

    try:
        response = call(post, timeouts, cancel)
    except CallFailed as error:
        went_out = body.stop()
        return [
            stopped(item, Sent.UNKNOWN if index < went_out else Sent.NOT_SENT, error.failure)
            for index, item in enumerate(whole)
        ]
    return [_answered(item, response.status_code, *_references(response)) for item in whole]


class _Multipart:
    """A multipart/related body that is read from the objects as it is sent, and knows how many have gone out."""

    def __init__(self, whole: Sequence[EncodedObject]) -> None:
        """Raises OSError for a file that cannot be read."""
        boundary = uuid.uuid4().hex
        self.content_type = f'multipart/related; type="application/dicom"; boundary={boundary}'
        self._heads = []
        self._objects = whole
        self._end = f"\r\n--{boundary}--\r\n".encode()
        self._length = len(self._end)
        for item in whole:
            part = f"\r\n--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
            self._heads.append(part + item.head())
            self._length += len(self._heads[-1]) + item.data_set_bytes()
        self._lock = threading.Lock()
        self._went_out = 0
        self._is_stopped = False

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[bytes | memoryview]:
        for head, item in zip(self._heads, self._objects, strict=True):
            self._go_on()
            yield head
            for block, ends in item.blocks(_BLOCK_BYTES):
                self._go_on(ends)
                yield block
        self._go_on()
        yield self._end

    def stop(self) -> int:
        """Let nothing more out; the number of objects that may have gone out to their end."""
        with self._lock:
            self._is_stopped = True
            return self._went_out

    def _go_on(self, ends: bool = False) -> None:
        with self._lock:
            if self._is_stopped:
                raise OSError("the call is over")
            self._went_out += ends


def _references(response: requests.Response) -> tuple[dict[str, int | None], dict[str, int | None]]:
    """SOP Instance UID to reason, of the objects that were stored and of those that were not (PS3.18 I)."""
    try:
        answer = Dataset.from_json(response.json())
        stored = _reasons(answer, "ReferencedSOPSequence", "WarningReason")
        return stored, _reasons(answer, "FailedSOPSequence", "FailureReason")
    except Exception:  # noqa: BLE001  # no answer in JSON, or a damaged one: the HTTP status has to do
        return {}, {}


def _reasons(answer: Dataset, sequence: str, keyword: str) -> dict[str, int | None]:
    items = answer.get(sequence) or ()
    return {str(item.get("ReferencedSOPInstanceUID", "")): item.get(keyword) for item in items}


def _answered(
    item: EncodedObject, http_status: int, stored: dict[str, int | None], refused: dict[str, int | None]
) -> StoreOutcome:
    uid = item.sop_instance_uid
    if uid in refused:
        status = refused[uid]
        if status == DUPLICATE:
            return _outcome(item, Sent.DUPLICATE, "the web service has an object of this UID already (0x0111)", status)
        words = f" with 0x{status:04X}: {meaning('C-STORE', status)}" if status is not None else ""
        return _outcome(item, Sent.REFUSED, f"the web service refused the object{words}", status)
    # Without a list 200 means that everything was stored, 409 that nothing was (PS3.18 10.5.3.2).
    if uid in stored or (http_status == 200 and not stored):
        status = stored.get(uid)
        if status:
            words = f"the web service accepted the object with 0x{status:04X}: {meaning('C-STORE', status)}"
            return _outcome(item, Sent.WARNING, words, status)
        return _outcome(item, Sent.ACCEPTED, "the web service accepted the object", 0)
    if 200 <= http_status < 300:
        failure = Failure(Cause.NOT_UNDERSTOOD, "the web service's answer does not name the object", http_status)
        return stopped(item, Sent.UNKNOWN, failure)
    failure = http_failure(http_status)
    # A server or gateway that stumbled may have stored the object before (RFC 9110 15.6); a busy one has not.
    is_unknown = http_status >= 500 and http_status not in (501, 503, 505)
    return stopped(item, Sent.UNKNOWN if is_unknown else Sent.REFUSED, failure)


def _outcome(item: EncodedObject, result: Sent, words: str, status: int | None) -> StoreOutcome:
    return StoreOutcome(item.sop_class_uid, item.sop_instance_uid, result, words, status)
