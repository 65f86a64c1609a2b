"""Faults that a running node survives: poisoned images, a damaged or locked database, a full disk, a hanging peer."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from pydicom.uid import (
    Comprehensive3DSRStorage,
    GrayscaleSoftcopyPresentationStateStorage,
    SecondaryCaptureImageStorage,
)
from pynetdicom import AE, evt

from dicom_node.peers import Sent
from dicom_node.store.quarantine import Quarantine
from dicom_node.store.tables import deliveries, instances, results, schema, studies
from tests.dicom_builder import build
from tests.node.node_process import Node, until
from tests.node.orthanc_server import free_ports

POISON = Path(__file__).parent / "poison"
ALWAYS = {"sc": "always", "gsps": "always"}

pytestmark = pytest.mark.slow


@pytest.fixture
def root(tmp_path: Path) -> Iterator[list[Node]]:
    nodes: list[Node] = []
    yield nodes
    for node in nodes:
        node.end()


def film(number: int, study: int | None = None) -> bytes:
    return build(SOPInstanceUID=f"2.25.5.{number}", StudyInstanceUID=f"2.25.6.{number if study is None else study}")


def complete(node: Node, count: int) -> None:
    node.wait_for(sa.select(studies).where(studies.c.completed_revision == studies.c.revision), count)


def test_a_poisoned_image_is_isolated_and_the_rest_goes_on(root: list[Node], tmp_path: Path) -> None:
    node = Node(tmp_path, modules=POISON, results=ALWAYS, analysis={"batch_wait_ms": 500, "max_attempts": 2})
    root.append(node)
    node.start()
    node.send([film(number) for number in (1, 2, 666, 3)])
    complete(node, 4)
    states = {row.sop_instance_uid: row.state for row in node.rows(sa.select(instances))}
    assert states.pop("2.25.5.666") == "set_aside"
    assert set(states.values()) == {"answered"}
    (entry,) = Quarantine(node.folder).entries()
    assert entry.reason == "it ended the model process 2 times"
    status = json.loads(node.run("status", "--json").stdout)
    assert (status["images"]["set_aside"], status["quarantine"]) == (1, 1)
    assert "NEEDS SOMEBODY" in node.run("status").stdout
    ended = [event for event in node.events() if event["event"] == "model process ended"]
    assert len(ended) == 2
    assert node.stop() == 0


def test_a_damaged_database_is_made_again_and_nothing_is_sent_twice(root: list[Node], tmp_path: Path) -> None:
    node = Node(tmp_path, results=ALWAYS)
    root.append(node)
    node.start()
    node.send([film(number) for number in range(4)])
    complete(node, 4)
    before = {row.sop_instance_uid: row.digest for row in node.rows(sa.select(results))}
    until(lambda: {row.state for row in node.rows(sa.select(deliveries))} == {"delivered"})
    node.kill()
    node.engine.dispose()
    for ending in ("-wal", "-shm"):
        node.folder.database.with_name(f"node.sqlite{ending}").unlink(missing_ok=True)
    node.folder.database.write_bytes(b"damaged " * 5000)
    node.start()
    complete(node, 4)
    assert {row.sop_instance_uid: row.digest for row in node.rows(sa.select(results))} == before
    until(lambda: {row.state for row in node.rows(sa.select(deliveries))} == {"delivered"})
    assert {row.note for row in node.rows(sa.select(deliveries))} == {"the file is there"}
    assert len(list(node.folder.root.glob("node.sqlite.damaged-*"))) == 1
    node.stop()


def test_a_locked_database_is_told_the_sender_and_ends_nothing(root: list[Node], tmp_path: Path) -> None:
    node = Node(tmp_path, listener={"answer_timeout_seconds": 1})
    root.append(node)
    node.start()
    until(lambda: node.child("model"))
    other = sqlite3.connect(node.folder.database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    (outcome,) = node.send([film(1)])
    assert (outcome.result, outcome.status) == (Sent.REFUSED, 0xA700)
    other.execute("ROLLBACK")
    other.close()
    (outcome,) = node.send([film(1)])
    assert outcome.result is Sent.ACCEPTED
    complete(node, 1)
    node.stop()


def test_too_little_space_refuses_associations_until_there_is_some(root: list[Node], tmp_path: Path) -> None:
    node = Node(tmp_path, retention={"reserve_mb": 10**7})
    root.append(node)
    node.start()
    (outcome,) = node.send([film(1)])
    assert outcome.result is Sent.NOT_SENT
    assert outcome.passing
    node.stop()


SOP_CLASSES = (
    Comprehensive3DSRStorage,
    SecondaryCaptureImageStorage,
    GrayscaleSoftcopyPresentationStateStorage,
)


class Pacs:
    """A peer that stores what it is sent, and does as the test says."""

    def __init__(self) -> None:
        self.stored: list[str] = []
        self.bytes: dict[str, set[bytes]] = {}
        self.before = lambda: None
        self.status = 0x0000

    @contextmanager
    def listening(self, port: int) -> Iterator[None]:
        entity = AE(ae_title="PACS")
        for sop_class in SOP_CLASSES:
            entity.add_supported_context(sop_class)
        handlers: Any = [(evt.EVT_C_STORE, self._store)]
        server = entity.start_server(("127.0.0.1", port), block=False, evt_handlers=handlers)
        try:
            yield
        finally:
            server.shutdown()

    def _store(self, event: evt.Event) -> int:
        uid = str(event.request.AffectedSOPInstanceUID)
        self.stored.append(uid)
        self.bytes.setdefault(uid, set()).add(event.request.DataSet.getvalue())
        self.before()
        return self.status


def sending(tmp_path: Path, port: int, **destination: Any) -> Node:
    """A node that sends to a peer."""
    return Node(
        tmp_path,
        results=ALWAYS,
        peers=[{"ae_title": "PACS", "host": "127.0.0.1", "port": port, "may_send": False}],
        destinations=[{"name": "pacs", "kind": "dicom", "peer": "PACS", "retry_seconds": 0.5} | destination],
    )


def test_an_outage_of_a_destination_holds_up_no_analysis_and_ends_by_itself(root: list[Node], tmp_path: Path) -> None:
    (port,) = free_ports(1)
    node = sending(tmp_path, port)
    root.append(node)
    node.start()
    node.send([film(1)])
    complete(node, 1)
    until(lambda: all(row.attempts >= 2 for row in node.rows(sa.select(deliveries))))
    node.kill()
    node.start()
    node.send([film(2)])
    complete(node, 2)
    pacs = Pacs()
    with pacs.listening(port):
        until(lambda: {row.state for row in node.rows(sa.select(deliveries))} == {"delivered"})
    assert sorted(pacs.stored) == sorted(row.sop_instance_uid for row in node.rows(sa.select(results)))
    node.stop()


def test_a_peer_that_hangs_holds_up_no_stop_and_its_object_is_sent_again_with_the_same_bytes(
    root: list[Node], tmp_path: Path
) -> None:
    pacs, goes_on = Pacs(), threading.Event()
    pacs.before = lambda: goes_on.wait(60)
    (port,) = free_ports(1)
    with pacs.listening(port):
        node = sending(tmp_path, port)
        root.append(node)
        node.start()
        node.send([film(1)])
        until(lambda: pacs.stored)
        assert node.stop() == 0
        goes_on.set()
        node.start()
        until(lambda: {row.state for row in node.rows(sa.select(deliveries))} == {"delivered"})
        node.stop()
    assert set(pacs.stored) == {row.sop_instance_uid for row in node.rows(sa.select(results))}
    assert all(len(contents) == 1 for contents in pacs.bytes.values())


def test_a_model_that_cannot_be_used_ends_the_node_with_a_line(root: list[Node], tmp_path: Path) -> None:
    node = Node(tmp_path, analysis={"model": "none-of-this-name"})
    root.append(node)
    done = node.run("serve")
    assert done.returncode == 2
    assert "none-of-this-name" in done.stderr.splitlines()[-1]


def test_a_database_of_another_version_ends_the_node_with_a_line(root: list[Node], tmp_path: Path) -> None:
    node = Node(tmp_path)
    root.append(node)
    node.start()
    node.stop()
    with node.engine.begin() as connection:
        connection.execute(schema.update().values(version=99))
    done = node.run("serve")
    assert done.returncode == 2
    assert "a database of schema 99" in done.stderr.splitlines()[-1]


def test_an_upgrade_with_a_full_queue_loses_nothing(root: list[Node], tmp_path: Path) -> None:
    upgraded = tmp_path / "upgraded"
    upgraded.mkdir()
    # Another version of every workflow's source, and of the package.
    (upgraded / "sitecustomize.py").write_text("import cxr_core\ncxr_core.__version__ = '99.0.0'\n")
    node = Node(tmp_path, results=ALWAYS, analysis={"study_quiet_seconds": 2})
    root.append(node)
    node.start()
    node.send([film(number) for number in range(12)])
    node.kill()
    newer = Node(tmp_path, modules=upgraded, results=ALWAYS, analysis={"study_quiet_seconds": 0.2})
    root.append(newer)
    newer.start()
    complete(newer, 12)
    assert {row.state for row in newer.rows(sa.select(instances))} == {"answered"}
    assert newer.stop() == 0


def test_nothing_of_a_patient_and_no_typed_path_is_in_the_log(root: list[Node], tmp_path: Path) -> None:
    node = Node(tmp_path / "JOHN^DOE typed", modules=POISON, results=ALWAYS, analysis={"max_attempts": 1})
    root.append(node)
    node.start()
    bad = build(SOPInstanceUID="2.25.5.99", StudyInstanceUID="JOHN^DOE", PatientName="JOHN^DOE", PatientID="4711-ID")
    names = {"PatientName": "JOHN^DOE", "PatientID": "4711-ID", "AccessionNumber": "ACC4711", "StudyID": "SID4711"}
    films = [build(SOPInstanceUID=f"2.25.5.{n}", StudyInstanceUID=f"2.25.6.{n}", **names) for n in (1, 2, 666)]
    films.append(build(SOPInstanceUID="2.25.5.4", StudyInstanceUID="2.25.6.4", Rows=None, **names))
    node.send([*films, bad])
    complete(node, 4)
    until(lambda: {row.state for row in node.rows(sa.select(deliveries))} == {"delivered"})
    assert {row.state for row in node.rows(sa.select(instances))} == {"answered", "set_aside"}
    node.kill("model")
    node.kill("process")
    node.run("status")
    node.stop()
    log = node.log.read_text()
    assert "object refused" in log
    for secret in ("JOHN", "DOE", "4711-ID", "ACC4711", "SID4711", "SYNTHETIC", "typed", str(tmp_path)):
        assert secret not in log
