"""A data folder and database with rows in them, without a node."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from dicom_node.store import completions, images, receipts
from dicom_node.store.completions import Wanted
from dicom_node.store.database import open_engine, prepare_database
from dicom_node.store.encoded import EncodedResult
from dicom_node.store.folder import DataFolder
from dicom_node.store.tables import deliveries, instances, results, studies


class Rows:
    """Makes rows as the store and the workflows do, and looks at them."""

    def __init__(self, root: Path) -> None:
        self.folder = DataFolder(root)
        self.folder.prepare()
        self.engine = open_engine(self.folder, None)
        prepare_database(self.engine, self.folder)
        self._number = 0

    def image(self, study: str = "2.25.1", *, uid: str | None = None, received_at: float | None = None) -> str:
        """An image that waits; its key."""
        self._number += 1
        uid = uid or f"2.25.100{self._number}"
        key = f"key{self._number}"
        path = self.folder.objects / f"{key}.dcm"
        path.write_bytes(b"film")
        now = time.time() if received_at is None else received_at
        receipt = receipts.Receipt(key, study, uid, "1.2.3", f"d{key}", "PACS", now, path.name, 4, "waiting")
        assert receipts.record(self.engine, receipt)
        return key

    def answer(self, key: str) -> None:
        """Bring a waiting image to an answer."""
        with self.engine.begin() as connection:
            assert images.mark_queued(connection, key, self.one(instances, key=key).run)
        images.answered(self.engine, key, "{}")

    def complete(self, study: str = "2.25.1", *names: str, wanted: tuple[Wanted, ...] | None = None) -> list[str]:
        """Results of these names for a study's revision, with deliveries; their UIDs."""
        row = completions.get(self.engine, study)
        assert row is not None
        made = [self.result(name) for name in names or ("sr",)]
        wanted = (Wanted("there", "", ("sr", "sc", "gsps")),) if wanted is None else wanted
        completions.complete(self.engine, row, row.revision, made, {}, wanted)
        return [result.sop_instance_uid for result in made]

    def result(self, name: str, *, made_before: bool = False) -> EncodedResult:
        """A result on the disk."""
        uid = f"2.25.9{abs(hash(name)) % 10**9}"
        (self.folder.encoded / f"{uid}.dcm").write_bytes(name.encode())
        return EncodedResult(name[:2], "1.2.4", uid, "2.25.8", 1, f"{uid}.dcm", len(name), "digest", made_before)

    def all(self, table: sa.Table, **values: Any) -> list[sa.Row[Any]]:
        """Rows with these values."""
        with self.engine.connect() as connection:
            return list(connection.execute(sa.select(table).filter_by(**values)))

    def one(self, table: sa.Table, **values: Any) -> sa.Row[Any]:
        """The one row with these values."""
        (row,) = self.all(table, **values)
        return row

    def change(self, table: sa.Table, **values: Any) -> None:
        """Change every row."""
        with self.engine.begin() as connection:
            connection.execute(table.update().values(**values))


__all__ = ["Rows", "deliveries", "instances", "results", "studies"]
