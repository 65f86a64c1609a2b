"""What people cancelled stays cancelled when the database is made again from the files."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from cxr_core.errors import OutputError
from dicom_node.node_error import PassingError
from dicom_node.settings import NodeSettings, settings_of
from dicom_node.store import cancellations, completions, orders, rebuild, receipts
from dicom_node.store.completions import Wanted
from dicom_node.store.database import DatabaseAwayError
from dicom_node.store.retention import Retention
from dicom_node.store.sink import StoreSink
from dicom_node.store.tables import metadata
from tests.node.received import received
from tests.node.rows import Rows, deliveries, instances, results, studies

SETTINGS: NodeSettings = settings_of({"retention": {"reserve_mb": 0}}, "test")
BOTH = (Wanted("there", "", ("sr", "sc")), Wanted("elsewhere", "", ("sr", "sc")))
STUDY = "2.25.1002"


class Node(Rows):
    """Rows and files of a node whose database is lost."""

    def take(self, number: int = 1, study: str = STUDY) -> str:
        """An object comes in; its key."""
        sink = StoreSink(SETTINGS, self.folder, self.engine, lambda: None)
        assert sink.accept(received(SOPInstanceUID=f"2.25.{number}", StudyInstanceUID=study)).status == 0
        return str(self.one(instances, sop_instance_uid=f"2.25.{number}").key)

    def cancel(self, study: str | None = STUDY, destination: str | None = None) -> dict[str, int]:
        return orders.cancel(self.engine, self.folder, time.time(), study, destination)

    def lose_rows(self) -> None:
        with self.engine.begin() as connection:
            for table in reversed(metadata.sorted_tables):
                if table.name != "node_schema":
                    connection.execute(table.delete())

    def make_rows_again(self) -> None:
        self.lose_rows()
        assert rebuild.is_needed(self.engine, self.folder)
        rebuild.rebuild(SETTINGS, self.engine, self.folder)

    def states(self) -> dict[tuple[str, str], str]:
        kinds = {row.sop_instance_uid: row.kind for row in self.all(results)}
        return {(kinds[row.result_uid], row.destination): row.state for row in self.all(deliveries)}

    def kept(self) -> list[Path]:
        return list(self.folder.cancelled.iterdir())


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    made = Node(tmp_path)
    yield made
    made.engine.dispose()


def test_a_study_that_was_cancelled_is_not_analysed_again(node: Node) -> None:
    node.take(1)
    node.take(2, "2.25.7")
    assert node.cancel() == {"images": 1, "studies": 1, "deliveries": 0}
    node.make_rows_again()
    assert node.one(instances, study_uid=STUDY).state == node.one(studies, study_uid=STUDY).state == "cancelled"
    assert node.one(instances, study_uid="2.25.7").state == "waiting"
    assert node.one(studies, study_uid="2.25.7").state == "open"


def test_an_image_that_came_later_opens_the_study(node: Node) -> None:
    node.take(1)
    node.cancel()
    later = node.take(2)
    node.make_rows_again()
    assert {row.key: row.state for row in node.all(instances)}[later] == "waiting"
    assert sorted(row.state for row in node.all(instances)) == ["cancelled", "waiting"]
    assert node.one(studies).state == "open"


def test_a_delivery_that_was_cancelled_is_not_made_again(node: Node) -> None:
    node.answer(node.take())
    node.complete(STUDY, "sr", "sc", wanted=BOTH)
    assert node.cancel(None, "there")["deliveries"] == 2
    before = {row.sop_instance_uid: row for row in node.all(results)}
    node.make_rows_again()
    assert completions.previous_report(node.engine, STUDY, 1) is None, "a report is no predecessor of itself"
    node.answer(node.one(instances).key)
    node.complete(STUDY, "sr", "sc", wanted=BOTH)
    assert node.states() == {
        ("sr", "there"): "cancelled",
        ("sc", "there"): "cancelled",
        ("sr", "elsewhere"): "waiting",
        ("sc", "elsewhere"): "waiting",
    }
    assert {row.sop_instance_uid: row for row in node.all(results)}.keys() == before.keys()


def test_what_was_delivered_or_set_aside_before_is_no_part_of_the_order(node: Node) -> None:
    node.answer(node.take())
    node.complete(STUDY, "sr", wanted=BOTH)
    node.change(deliveries, state="delivered")
    assert node.cancel() == {"images": 0, "studies": 0, "deliveries": 0}
    assert node.kept() == []


def test_a_study_that_was_sent_once_more_later_is_sent_out(node: Node) -> None:
    node.answer(node.take())
    node.complete(STUDY, "sr", wanted=BOTH)
    node.cancel()
    (path,) = node.kept()
    order = json.loads(path.read_bytes())
    path.write_text(json.dumps(order | {"at": order["at"] - 3600}))  # the film came again after its files had gone
    node.make_rows_again()
    assert (node.one(instances).state, node.all(deliveries)) == ("waiting", [])


def test_orders_are_forgotten_with_the_last_file_of_their_studies(node: Node) -> None:
    node.answer(node.take(1))
    node.complete(STUDY, "sr", wanted=BOTH)
    node.cancel()
    node.take(2, "2.25.7")
    node.cancel("2.25.7")
    assert len(node.kept()) == 2
    cancellations.forget(node.engine, node.folder)
    assert len(node.kept()) == 2
    Retention(SETTINGS.retention, node.folder, node.engine, ()).clean(time.time() + 8 * 86400)
    assert node.kept() == []


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"\xff\xfe"])
def test_a_damaged_order_keeps_no_other_from_its_effect(node: Node, content: bytes) -> None:
    node.take()
    node.cancel()
    for name in ("0", "g"):  # whichever comes first
        (node.folder.cancelled / f"{name}.json").write_bytes(content)
    node.make_rows_again()
    cancellations.forget(node.engine, node.folder)
    assert node.one(instances).state == "cancelled"


def test_an_order_that_cannot_be_kept_changes_nothing(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    node.take()

    def full(*_: object) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cancellations, "keep", full)
    with pytest.raises(OutputError, match=r"cannot be kept \(No space left on device\)"):
        node.cancel()
    assert node.one(instances).state == "waiting"


def test_an_order_that_the_database_does_not_take_is_not_kept(node: Node) -> None:
    node.take()

    @sa.event.listens_for(node.engine, "commit")
    def _refuse(_connection: object) -> None:
        raise sa.exc.OperationalError("", {}, Exception("disk is full"))

    with pytest.raises(sa.exc.OperationalError):
        node.cancel()
    sa.event.remove(node.engine, "commit", _refuse)
    assert (node.kept(), node.one(instances).state) == ([], "waiting")


def test_rows_that_were_not_all_made_again_are_made_at_the_next_start(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        node.take(number)
    node.lose_rows()
    record, count = receipts.record, iter(range(3))

    def full(engine: sa.Engine, receipt: receipts.Receipt) -> bool:
        if next(count) == 1:
            raise sa.exc.OperationalError("", {}, Exception("disk is full"))
        return record(engine, receipt)

    monkeypatch.setattr(receipts, "record", full)
    with pytest.raises(DatabaseAwayError, match="a database that cannot be written"):
        rebuild.rebuild(SETTINGS, node.engine, node.folder)
    monkeypatch.setattr(receipts, "record", record)
    assert len(node.all(instances)) == 1
    assert rebuild.is_needed(node.engine, node.folder)
    assert rebuild.rebuild(SETTINGS, node.engine, node.folder) == 2
    assert len(node.all(instances)) == 3
    assert not rebuild.is_needed(node.engine, node.folder)


def test_a_folder_that_cannot_be_written_is_told_and_may_be_over_at_the_next_start(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    node.take()
    node.lose_rows()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(rebuild, "write_whole", full)
        with pytest.raises(PassingError, match="No space left on device"):
            rebuild.rebuild(SETTINGS, node.engine, node.folder)
    assert rebuild.is_needed(node.engine, node.folder)
