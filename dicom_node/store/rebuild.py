"""The rows again from the files, where the database is damaged or gone: what was received is analysed again.

Every file holds what its row is made of: the data set, sender (file meta) and receipt (the file's time). The results
come out under the same UIDs with the same bytes, and each destination is asked before anything is sent again. What
people cancelled stays so; what was set aside or given up is tried again, as often as at first.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from cxr_core.digest import encoded_digest
from cxr_core.files import write_whole
from dicom_node import logs
from dicom_node.node_error import PassingError
from dicom_node.settings import NodeSettings
from dicom_node.store import cancellations, receipts
from dicom_node.store.database import DatabaseAwayError
from dicom_node.store.folder import DataFolder
from dicom_node.store.header import NotUnderstoodError, read_header, uid
from dicom_node.store.part10 import read
from dicom_node.store.sink import purpose_of
from dicom_node.store.tables import instances

log = logs.get(__name__)


def is_needed(database: sa.Engine, folder: DataFolder) -> bool:
    """Whether there are objects, and no row: the database was put aside, taken away, or is another one.

    Or the last time did not come to its end.
    """
    if _begun(folder).exists():
        return True
    with database.connect() as connection:
        rows = connection.execute(sa.select(instances.c.key).limit(1)).one_or_none()
    return rows is None and any(folder.objects.glob("*.dcm"))


def rebuild(settings: NodeSettings, database: sa.Engine, folder: DataFolder) -> int:
    """Record every object of the folder, in the order in which they came; how many. What is recorded stays.

    Raises PassingError where nothing can be written now; the next start begins again.
    """
    count = 0
    try:
        write_whole(_begun(folder), b"", private=True)
    except OSError as error:
        raise PassingError(
            f"a data folder that cannot be written ({error.strerror})", "one with space", "make some"
        ) from error
    for path in sorted(folder.objects.glob("*.dcm"), key=lambda path: path.stat().st_mtime):
        try:
            count += receipts.record(database, _receipt(settings, database, path))
        except sa.exc.SQLAlchemyError as error:
            kind = type(getattr(error, "orig", None) or error).__name__
            raise DatabaseAwayError(
                f"a database that cannot be written ({kind})", "one with space", "make some, and start again"
            ) from error
        except Exception as error:  # noqa: BLE001  # pydicom raises many kinds on damage; the others go on
            log.error("object not recorded again", **logs.trouble(error))
    cancellations.apply(database, folder)
    _begun(folder).unlink()
    return count


def _begun(folder: DataFolder) -> Path:
    """A file that is there as long as not every object has its row."""
    return folder.root / "rebuilding"


def _receipt(settings: NodeSettings, database: sa.Engine, path: Path) -> receipts.Receipt:
    """Raises NotUnderstoodError, or what pydicom raises for a damaged file."""
    origin, data_set = read(path)
    received_at = path.stat().st_mtime
    header = read_header(data_set, origin.transfer_syntax_uid)
    if uid(header, "SOPInstanceUID") != origin.sop_instance_uid:
        raise NotUnderstoodError("SOP Instance UID differs from that of the request")
    digest = encoded_digest(data_set)
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
