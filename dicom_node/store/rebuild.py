"""The rows again from the files, where the database is damaged or gone: what was received is analysed again.

Every file holds what its row is made of: the data set, sender (file meta) and receipt (the file's time). The results
come out under the same UIDs with the same bytes, and each destination is asked before anything is sent again.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import sqlalchemy as sa

from dicom_node import logs
from dicom_node.settings import NodeSettings
from dicom_node.store import receipts
from dicom_node.store.folder import DataFolder
from dicom_node.store.header import NotUnderstoodError, read_header, uid
from dicom_node.store.part10 import read
from dicom_node.store.sink import purpose_of
from dicom_node.store.tables import instances

log = logs.get(__name__)


def is_needed(database: sa.Engine, folder: DataFolder) -> bool:
    """Whether there are objects, and no row: the database was put aside, taken away, or is another one."""
    with database.connect() as connection:
        rows = connection.execute(sa.select(instances.c.key).limit(1)).one_or_none()
    return rows is None and any(folder.objects.glob("*.dcm"))


def rebuild(settings: NodeSettings, database: sa.Engine, folder: DataFolder) -> int:
    """Record every object of the folder, in the order in which they came; how many."""
    count = 0
    for path in sorted(folder.objects.glob("*.dcm"), key=lambda path: path.stat().st_mtime):
        try:
            count += receipts.record(database, _receipt(settings, database, path))
        except Exception as error:  # noqa: BLE001  # pydicom raises many kinds on damage; the others go on
            log.error("object not recorded again", **logs.trouble(error))
    return count


def _receipt(settings: NodeSettings, database: sa.Engine, path: Path) -> receipts.Receipt:
    """Raises NotUnderstoodError, or what pydicom raises for a damaged file."""
    origin, data_set = read(path)
    received_at = path.stat().st_mtime
    header = read_header(data_set, origin.transfer_syntax_uid)
    if uid(header, "SOPInstanceUID") != origin.sop_instance_uid:
        raise NotUnderstoodError("SOP Instance UID differs from that of the request")
    digest = hashlib.sha256(data_set).hexdigest()
    return receipts.Receipt(
        key=receipts.instance_key(origin.sop_instance_uid, origin.transfer_syntax_uid, digest),
        study_uid=uid(header, "StudyInstanceUID"),
        sop_instance_uid=origin.sop_instance_uid,
        sop_class_uid=origin.sop_class_uid,
        digest=digest,
        sender=origin.sender,
        received_at=received_at,
        file=path.name,
        bytes=len(data_set),
        purpose=purpose_of(settings, database, header, received_at),
    )
