"""Where received objects go: on the disk, with their work recorded, before the sender is told that we have them."""

from __future__ import annotations

import errno
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import sqlalchemy as sa
from pydicom.dataset import Dataset
from pydicom.uid import (
    Comprehensive3DSRStorage,
    DigitalXRayImageStorageForProcessing,
    GrayscaleSoftcopyPresentationStateStorage,
)

from cxr_core.digest import encoded_digest
from cxr_core.files import write_whole
from dicom_node import logs
from dicom_node.received import CANNOT_UNDERSTAND, OUT_OF_RESOURCES, SUCCESS, Answer, ReceivedObject
from dicom_node.settings import NodeSettings
from dicom_node.store import receipts
from dicom_node.store.folder import DataFolder
from dicom_node.store.header import NotUnderstoodError, is_older, is_ours, read_header, uid
from dicom_node.store.part10 import Origin, head
from dicom_node.store.quarantine import Quarantine, Quarantined

log = logs.get(__name__)

OUT_OF_SPACE = Answer(OUT_OF_RESOURCES, "out of space")
NOT_STORED = Answer(OUT_OF_RESOURCES, "cannot be stored now")

#: No images: taken because a PACS forwards whole studies. Were they analysed, another maker's report would yield a new
#: one of ours, and ours, forwarded there, a new one of theirs.
_NO_IMAGES = frozenset({Comprehensive3DSRStorage, GrayscaleSoftcopyPresentationStateStorage})


class StoreSink:
    """The listener's Sink: keeps objects durably and answers truthfully.

    Parameters
    ----------
    settings : NodeSettings
        `analysis.ignore_older_than_hours` and `retention.reserve_mb` are used.
    folder : DataFolder
        Where files go.
    engine : sqlalchemy.Engine
        Where rows go.
    notify : callable
        Called after work was recorded, from any thread.
    """

    def __init__(
        self, settings: NodeSettings, folder: DataFolder, engine: sa.Engine, notify: Callable[[], None]
    ) -> None:
        self._settings = settings
        self._folder = folder
        self._engine = engine
        self._notify = notify
        self._quarantine = Quarantine(folder)
        # One writer at a time in this process: SQLite's own waiting for its lock is not fair.
        self._writing = threading.Lock()
        self._hashing = ThreadPoolExecutor(thread_name_prefix="digest")

    def has_space(self) -> bool:
        """Whether there is more free space than the reserve."""
        return self._has_space(0)

    def _has_space(self, count: int) -> bool:
        return self._folder.free_bytes() - count > self._settings.retention.reserve_mb * 1024**2

    def accept(self, received: ReceivedObject) -> Answer:
        """Keep the object and its work durably, then answer. Raises nothing.

        Waits for the database no longer than its engine's patience; for a disk that hangs the listener waits no longer.
        """
        try:
            return self._stored(received)
        except NotUnderstoodError as error:
            return self._refused(received, error)
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            log.error("object not written", sender=received.calling_ae_title, **logs.trouble(error))
            return OUT_OF_SPACE if full else NOT_STORED
        except Exception as error:  # noqa: BLE001  # the sender is to be told, whatever it was
            log.error("object not recorded", sender=received.calling_ae_title, **logs.trouble(error))
            return NOT_STORED

    def _stored(self, received: ReceivedObject) -> Answer:
        size = len(received.data_set)
        if not self._has_space(size):
            log.warning("out of space", free_bytes=self._folder.free_bytes())
            return OUT_OF_SPACE
        header = read_header(received.data_set, received.transfer_syntax_uid)
        study_uid = self._checked(received, header)
        # A film takes as long to digest as to write: both go on at once.
        digest = self._hashing.submit(_digest, received)
        known = receipts.versions(self._engine, received.sop_instance_uid)
        told = {"sop_instance_uid": received.sop_instance_uid, "sender": received.calling_ae_title}
        if known and self._has(known, _key(received, digest.result())):
            log.info("object known", **told)
            return Answer(SUCCESS)
        now = time.time()
        path = self._folder.objects / f"{secrets.token_hex(16)}.dcm"
        purpose = purpose_of(self._settings, self._engine, header, now)
        recorded = False
        try:
            write_whole(path, head(_origin(received)), received.data_set, private=True, modified=now)
            receipt = receipts.Receipt(
                key=_key(received, digest.result()),
                study_uid=study_uid,
                sop_instance_uid=received.sop_instance_uid,
                sop_class_uid=received.sop_class_uid,
                digest=digest.result(),
                sender=received.calling_ae_title,
                received_at=now,
                file=path.name,
                bytes=size,
                purpose=purpose,
            )
            with self._writing:
                recorded = receipts.record(self._engine, receipt)
        finally:
            if not recorded:
                path.unlink(missing_ok=True)
        log.info("object stored", purpose=purpose, bytes=size, **told)
        if purpose == "waiting":
            self._notify()
        return Answer(SUCCESS)

    def _checked(self, received: ReceivedObject, header: Dataset) -> str:
        """The Study Instance UID of a data set that is what its request says. Raises NotUnderstoodError."""
        if uid(header, "SOPClassUID") != received.sop_class_uid:
            raise NotUnderstoodError("SOP Class UID differs from that of the request")
        if uid(header, "SOPInstanceUID") != received.sop_instance_uid:
            raise NotUnderstoodError("SOP Instance UID differs from that of the request")
        uid(header, "SeriesInstanceUID")
        return uid(header, "StudyInstanceUID")

    def _has(self, known: Mapping[str, str | None], key: str) -> bool:
        """Whether this very version is here; a row whose file somebody took away does not count."""
        file = known.get(key)
        if file is None:
            return False
        if (self._folder.objects / file).exists():
            return True
        receipts.forget_file(self._engine, key)
        return False

    def _refused(self, received: ReceivedObject, error: NotUnderstoodError) -> Answer:
        """Quarantine what cannot be understood; a sender that repeats it fills one place."""
        name = _key(received, _digest(received))
        log.warning("object refused", reason=error.found, quarantine=name, sender=received.calling_ae_title)
        try:
            entry = Quarantined(name, error.found, time.time(), received.calling_ae_title, None)
            self._quarantine.put(entry, head(_origin(received)), received.data_set)
        except (OSError, ValueError) as trouble:  # file meta of no sense, or no space: the sender has the object still
            log.warning("not quarantined", quarantine=name, **logs.trouble(trouble))
        return Answer(CANNOT_UNDERSTAND, error.found[:64])


def purpose_of(settings: NodeSettings, engine: sa.Engine, header: Dataset, received_at: float) -> receipts.Purpose:
    """Whether an object is analysed, or only stored, and why."""
    if is_ours(header) or receipts.is_our_result(engine, uid(header, "SOPInstanceUID")):
        return "own"
    sop_class_uid = uid(header, "SOPClassUID")
    if sop_class_uid in _NO_IMAGES:
        return "ignored"
    if (
        sop_class_uid == DigitalXRayImageStorageForProcessing
        and "for_processing" not in settings.analysis.relaxed_intake
    ):
        # Intake would refuse it, but as an image of its study: a twin that comes late would yield another report.
        return "ignored"
    hours = settings.analysis.ignore_older_than_hours
    if hours is not None and is_older(header, hours, datetime.fromtimestamp(received_at)):  # on the site's clock
        return "ignored"
    return "waiting"


def _digest(received: ReceivedObject) -> str:
    return encoded_digest(received.data_set)


def _key(received: ReceivedObject, digest: str) -> str:
    return receipts.instance_key(received.sop_instance_uid, received.transfer_syntax_uid, digest)


def _origin(received: ReceivedObject) -> Origin:
    return Origin(
        received.sop_class_uid,
        received.sop_instance_uid,
        received.transfer_syntax_uid,
        received.calling_ae_title,
        received.called_ae_title,
    )
