"""What holds patient data is deleted by age and space; what is not finished never is.

Rows of UIDs stay longer than files: an image that comes again has to give the same bytes under the same UIDs, and a
result that comes back has to be known.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from dicom_node import logs
from dicom_node.settings import RetentionSettings
from dicom_node.store import cancellations, commitments
from dicom_node.store.folder import DataFolder
from dicom_node.store.quarantine import Quarantine
from dicom_node.store.tables import deliveries, instances, results, studies

log = logs.get(__name__)

_DAY = 86400.0
#: Of rows of UIDs after the last file of their study is gone.
_RECORD_DAYS = 400.0
#: Refused objects are kept for people to see what a sender does wrong; a sender that does it all day shall not fill
#: the disk, so that nothing is taken any more.
MAX_REFUSED_BYTES = 2 * 1000**3
#: A study that got an image so lately may get another: a report on that one without the others, which are gone, would
#: take the place of the report on all.
MAY_GROW_SECONDS = 6 * 3600.0
_UNFINISHED_IMAGES = ("waiting", "queued", "set_aside")
_UNFINISHED_DELIVERIES = ("waiting", "sending", "in_flight", "gave_up")
_ONLY_STORED = sa.and_(instances.c.state.in_(("own", "ignored")), instances.c.file.is_not(None))


class Retention:
    """Deletes.

    Parameters
    ----------
    settings : RetentionSettings
        Ages and sizes.
    folder : DataFolder
        Where the files are.
    database : sqlalchemy.Engine
        The node's.
    elsewhere : collection of str
        Destinations outside of the data folder, by name: what arrived there outlives what is deleted here.
    """

    def __init__(
        self, settings: RetentionSettings, folder: DataFolder, database: sa.Engine, elsewhere: Collection[str]
    ) -> None:
        self._settings = settings
        self._folder = folder
        self._database = database
        self._elsewhere = elsewhere

    def clean(self, now: float) -> None:
        """Delete everything that is over its time, then what is over the space."""
        self._empty_quarantine(now)
        self._bound_refused()
        self._expire_others(instances.c.received_at < now - _DAY * self._settings.days)
        for study_uid in self._finished(now - _DAY * self._settings.days):
            self._expire(study_uid)
        if self._settings.max_gb is not None:
            self._make_space(self._held() - int(self._settings.max_gb * 1000**3), self._finished(float("inf")))
        self._keep_taking(now)
        self._forget(now - _DAY * _RECORD_DAYS)
        commitments.forget(self._database, now - _DAY * self._settings.days)
        cancellations.forget(self._database, self._folder)
        self._delete_orphans(now - _DAY * self._settings.days)

    def _empty_quarantine(self, now: float) -> None:
        """Old bad objects go, and with them the hope for them."""
        place, before = Quarantine(self._folder), now - _DAY * self._settings.quarantine_days
        old = [entry for entry in place.entries() if entry.at < before]
        keys = [entry.instance for entry in old if entry.instance is not None]
        with self._database.begin() as connection:
            aside = instances.c.state == "set_aside"
            connection.execute(instances.update().where(instances.c.key.in_(keys), aside).values(state="cancelled"))
            connection.execute(
                studies.update()
                .where(studies.c.state == "set_aside", studies.c.last_received_at < before)
                .values(state="cancelled")
            )
        for entry in old:
            place.remove(entry.name)

    def _bound_refused(self) -> None:
        """The newest refused objects stay, as many as there is room for."""
        place, held = Quarantine(self._folder), 0
        for entry in reversed(place.entries()):
            status = _status(place.path(entry.name)) if entry.instance is None else None
            held += 0 if status is None else status.st_size
            if status is not None and held > MAX_REFUSED_BYTES:
                place.remove(entry.name)

    def _expire_others(self, which: sa.ColumnElement[bool]) -> int:
        """Delete objects that were only stored; how many bytes."""
        with self._database.begin() as connection:
            files = self._expire_images(connection, sa.and_(_ONLY_STORED, which))
        return _delete(files)

    def _only_stored(self) -> Sequence[str]:
        """Keys of objects that were only stored, the oldest first."""
        query = sa.select(instances.c.key).where(_ONLY_STORED).order_by(instances.c.received_at)
        with self._database.connect() as connection:
            return connection.execute(query).scalars().all()

    def _finished(self, before: float, *which: sa.ColumnElement[bool]) -> Sequence[str]:
        """Studies on which nothing is left to be done, last touched before a time, the oldest first."""
        touched = sa.func.coalesce(studies.c.completed_at, 0.0)
        latest = sa.case((touched > studies.c.last_received_at, touched), else_=studies.c.last_received_at)
        image = sa.exists().where(
            instances.c.study_uid == studies.c.study_uid, instances.c.state.in_(_UNFINISHED_IMAGES)
        )
        delivery = sa.exists().where(
            deliveries.c.study_uid == studies.c.study_uid, deliveries.c.state.in_(_UNFINISHED_DELIVERIES)
        )
        done = studies.c.state.in_(("complete", "cancelled"))
        query = sa.select(studies.c.study_uid).where(done, latest < before, ~image, ~delivery, *which).order_by(latest)
        with self._database.connect() as connection:
            return connection.execute(query).scalars().all()

    def _has_left(self) -> sa.ColumnElement[bool]:
        """Of a study: each result that was to go anywhere is kept elsewhere, as far as we know."""
        to_go, gone = deliveries.alias(), deliveries.alias()
        kept = sa.exists().where(
            gone.c.result_uid == to_go.c.result_uid,
            gone.c.destination.in_(self._elsewhere),
            gone.c.state == "delivered",
            sa.func.coalesce(gone.c.committed, "yes") == "yes",
        )
        return ~sa.exists().where(to_go.c.study_uid == studies.c.study_uid, ~kept)

    def _expire(self, study_uid: str) -> int:
        """Delete a study's files; how many bytes.

        Its rows keep UIDs and times. Rows first: a file without a row is deleted later.
        """
        with self._database.begin() as connection:
            files = connection.execute(
                sa.select(results.c.file).where(results.c.study_uid == study_uid, results.c.file.is_not(None))
            ).scalars()
            encoded = [self._folder.encoded / file for file in files]
            connection.execute(results.update().where(results.c.study_uid == study_uid).values(file=None))
            connection.execute(deliveries.delete().where(deliveries.c.study_uid == study_uid))
            connection.execute(studies.update().where(studies.c.study_uid == study_uid).values(state="expired"))
            received = self._expire_images(connection, instances.c.study_uid == study_uid)
        delivered = self._folder.results / study_uid
        freed = _delete((*received, *encoded, *delivered.glob("*")))
        shutil.rmtree(delivered, ignore_errors=True)
        log.info("study deleted", study=study_uid)
        return freed

    def _expire_images(self, connection: sa.Connection, which: sa.ColumnElement[bool]) -> list[Path]:
        """Note that images have no file any more; the files, to be deleted afterwards."""
        rows = connection.execute(
            sa.select(instances.c.key, instances.c.file).where(which, instances.c.file.is_not(None))
        ).all()
        for row in rows:
            connection.execute(
                instances.update().where(instances.c.key == row.key).values(file=None, answer=None, state="expired")
            )
        return [self._folder.objects / row.file for row in rows]

    def _keep_taking(self, now: float) -> None:
        """Delete early before the reserve is reached: then nothing would be taken until something is old enough.

        Results that are nowhere else stay, whatever comes of it.
        """
        wanted = 2 * self._settings.reserve_mb * 1024**2 - self._folder.free_bytes()
        if wanted > 0:
            count = self._make_space(wanted, self._finished(now - MAY_GROW_SECONDS, self._has_left()))
            log.warning("little space", count=count, free_bytes=self._folder.free_bytes())

    def _make_space(self, wanted: int, finished: Sequence[str]) -> int:
        """Delete so many bytes, the oldest first; how many objects and studies.

        Refused objects go first: who sent them was told so, and a sender of rubbish shall displace no study. What is
        deleted is counted, for some file systems give it back later.
        """
        place = Quarantine(self._folder)
        refused = [partial(_removed, place, entry.name) for entry in place.entries() if entry.instance is None]
        stored = [partial(self._expire_others, instances.c.key == key) for key in self._only_stored()]
        count = 0
        for delete in (*refused, *stored, *(partial(self._expire, study_uid) for study_uid in finished)):
            if wanted <= 0:
                break
            wanted -= delete()
            count += 1
        return count

    def _held(self) -> int:
        return sum(status.st_size for status in map(_status, self._files()) if status is not None)

    def _files(self) -> Iterator[Path]:
        for folder in (self._folder.objects, self._folder.encoded, self._folder.results, self._folder.quarantine):
            yield from (path for path in folder.rglob("*") if path.is_file())

    def _forget(self, before: float) -> None:
        """Delete rows of UIDs of studies whose files went long ago."""
        old = sa.select(studies.c.study_uid).where(studies.c.state == "expired", studies.c.last_received_at < before)
        with self._database.begin() as connection:
            for table in (results, instances):
                connection.execute(table.delete().where(table.c.study_uid.in_(old)))
            connection.execute(
                instances.delete().where(instances.c.state == "expired", instances.c.received_at < before)
            )
            connection.execute(
                studies.delete().where(studies.c.state == "expired", studies.c.last_received_at < before)
            )

    def _delete_orphans(self, before: float) -> None:
        """Files that no row names: of a receipt that was not acknowledged, or of a deletion that was interrupted.

        None younger than a study may be: after the rows were made again from the files, they may yet get their row.
        """
        for folder, column in ((self._folder.objects, instances.c.file), (self._folder.encoded, results.c.file)):
            for path in self._unknown(folder, sa.select(column).where(column.is_not(None)), before):
                path.unlink(missing_ok=True)
        kept = sa.select(studies.c.study_uid).where(studies.c.state != "expired")
        for path in self._unknown(self._folder.results, kept, before):
            shutil.rmtree(path, ignore_errors=True)

    def _unknown(self, folder: Path, known: sa.Select[Any], before: float) -> list[Path]:
        """What lies in a folder under another name than these, and has not been touched since a time."""
        with self._database.connect() as connection:
            names = set(connection.execute(known).scalars())
        unknown = [(path, _status(path)) for path in folder.iterdir() if path.name not in names]
        return [path for path, status in unknown if status is not None and status.st_ctime < before]


def _status(path: Path) -> os.stat_result | None:
    """Of a file; None of one that has gone, as the `.part` of a film has that just got its name."""
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _delete(files: Iterable[Path]) -> int:
    """Delete files; how many bytes they had."""
    freed = 0
    for path in files:
        status = _status(path)
        freed += 0 if status is None else status.st_size
        path.unlink(missing_ok=True)
    return freed


def _removed(place: Quarantine, name: str) -> int:
    """Delete a bad object; how many bytes it had."""
    status = _status(place.path(name))
    place.remove(name)
    return 0 if status is None else status.st_size
