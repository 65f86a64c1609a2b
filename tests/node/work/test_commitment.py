"""Storage commitment: what we sent is asked for; what a sender asks us for, its archive is asked for first."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.sop_class import StorageCommitmentPushModel  # type: ignore[attr-defined]

from dicom_node.listener.server import Listener
from dicom_node.peers import CommitResult, Peer, Reference, commit
from dicom_node.promise import PromiseSink, PromiseTeller, report_elsewhere
from dicom_node.received import CommitmentReport, CommitmentRequest, InstanceReference
from dicom_node.settings import NodeSettings, settings_of
from dicom_node.store import commitments
from dicom_node.store import deliveries as delivery_rows
from dicom_node.store.completions import Wanted
from dicom_node.store.tables import commitments as table
from dicom_node.work.commit import AskForCommitment
from tests.node.listener.harness import KeepingSink
from tests.node.node_process import until
from tests.node.rows import Rows, deliveries
from tests.node.work.test_dispatcher import Clocks, World

CR = "1.2.840.10008.5.1.4.1.1.1"
REFERENCES = (InstanceReference(CR, "2.25.1"), InstanceReference(CR, "2.25.2"))
REQUEST = CommitmentRequest("2.25.900", REFERENCES, "MODALITY", "127.0.0.1")


@pytest.fixture
def rows(tmp_path: Path) -> Iterator[Rows]:
    made = Rows(tmp_path)
    yield made
    made.engine.dispose()


def settings(port: int = 104, **more: Any) -> NodeSettings:
    peers = [{"ae_title": "ARCHIVE", "host": "127.0.0.1", "port": port}]
    return settings_of({"peers": peers, "commitment": {"archive": "ARCHIVE"}} | more, "test")


def sink(rows: Rows, told: NodeSettings) -> PromiseSink:
    return PromiseSink(told, rows.engine, lambda: None)


def test_without_an_archive_nothing_is_promised(rows: Rows) -> None:
    assert sink(rows, settings_of({}, "test")).requested(REQUEST) == 0x0124
    assert rows.all(table) == []


def test_a_request_is_kept_until_the_archive_has_answered(rows: Rows) -> None:
    promises = sink(rows, settings())
    assert promises.requested(REQUEST) == 0x0000
    row = rows.one(table)
    assert (row.state, row.peer, row.requester, row.requester_transaction_uid) == (
        "waiting",
        "ARCHIVE",
        "MODALITY",
        "2.25.900",
    )
    assert row.transaction_uid != "2.25.900"
    told: list[CommitmentReport] = []
    teller = PromiseTeller(rows.engine, lambda report: (told.append(report), True)[1])
    teller.look()
    assert told == []
    answer = CommitmentReport(row.transaction_uid, "ARCHIVE", REFERENCES[:1], ((REFERENCES[1], 0x0112),))
    assert promises.reported(answer) == 0x0000
    teller.look()
    teller.look()
    assert told == [CommitmentReport("2.25.900", "MODALITY", REFERENCES[:1], ((REFERENCES[1], 0x0112),))]
    assert rows.one(table).state == "told"


def test_a_sender_that_waits_for_too_many_reports_is_told(rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    assert 500 <= commitments.MAX_OPEN_REQUESTS <= 2000
    monkeypatch.setattr(commitments, "MAX_OPEN_REQUESTS", 2)
    promises = sink(rows, settings())

    def ask(number: int, sender: str = "MODALITY") -> int:
        return promises.requested(CommitmentRequest(f"2.25.{number}", REFERENCES, sender, "127.0.0.1"))

    assert [ask(number) for number in (1, 2, 3)] == [0x0000, 0x0000, 0x0213]
    assert len(rows.all(table)) == 2
    assert ask(2) == 0x0000, "one that comes again is no further one"
    assert ask(3, "OTHER") == 0x0000
    rows.change(table, state="answered")
    assert ask(3) == 0x0213, "an answer that it has not been told is kept for it"
    for row in rows.all(table, requester="MODALITY")[:1]:
        assert commitments.change(rows.engine, row.transaction_uid, "answered", state="told")
    assert ask(3) == 0x0000


def test_what_the_archive_does_not_name_is_not_committed(rows: Rows) -> None:
    promises = sink(rows, settings())
    promises.requested(REQUEST)
    promises.reported(CommitmentReport(rows.one(table).transaction_uid, "ARCHIVE", REFERENCES[:1]))
    report = commitments.report_of(rows.one(table))
    assert (report.committed, report.failed) == (REFERENCES[:1], ((REFERENCES[1], 0x0110),))


def test_an_answer_to_nothing_or_from_somebody_else_is_refused(rows: Rows) -> None:
    promises = sink(rows, settings())
    promises.requested(REQUEST)
    uid = rows.one(table).transaction_uid
    assert promises.reported(CommitmentReport("2.25.1234", "ARCHIVE", REFERENCES)) == 0x0115
    assert promises.reported(CommitmentReport(uid, "OTHER", REFERENCES)) == 0x0115
    assert rows.one(table).state == "waiting"
    assert promises.reported(CommitmentReport(uid, "ARCHIVE", REFERENCES)) == 0x0000
    assert promises.reported(CommitmentReport(uid, "ARCHIVE", ())) == 0x0000, "it may come twice"
    assert commitments.report_of(rows.one(table)).committed == REFERENCES


def test_a_report_that_is_not_taken_is_told_again_later(rows: Rows) -> None:
    promises = sink(rows, settings())
    promises.requested(REQUEST)
    promises.reported(CommitmentReport(rows.one(table).transaction_uid, "ARCHIVE", REFERENCES))
    calls: list[int] = []
    teller = PromiseTeller(rows.engine, lambda report: bool(calls.append(1)))
    teller.look()
    teller.look()
    row = rows.one(table)
    assert (len(calls), row.state, row.attempts) == (1, "answered", 1)
    assert row.due_at == pytest.approx(time.time() + 5, abs=4)
    rows.change(table, due_at=0, ends_at=time.time() - 8 * 86400)
    teller.look()
    assert rows.one(table).state == "over"


@contextmanager
def archive(answer: Callable[[Dataset], tuple[int, Dataset] | None], status: int = 0x0000) -> Iterator[Peer]:
    """An archive that reports on the association of the request, with what the test makes of it."""
    entity = AE(ae_title="ARCHIVE")
    entity.add_supported_context(StorageCommitmentPushModel)

    def requested(event: evt.Event) -> tuple[int, None]:
        information = event.action_information
        told = answer(information)
        if told is not None:
            event_type, report = told
            report.TransactionUID = information.TransactionUID
            event.assoc.send_n_event_report(report, event_type, StorageCommitmentPushModel, "1.2.840.10008.1.20.1.1")
        return status, None

    handlers: Any = [(evt.EVT_N_ACTION, requested)]
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    try:
        yield Peer("ARCHIVE", "127.0.0.1", server.socket.getsockname()[1])
    finally:
        server.shutdown()


def everything(information: Dataset) -> tuple[int, Dataset]:
    report = Dataset()
    report.ReferencedSOPSequence = information.ReferencedSOPSequence
    return 1, report


def asking(rows: Rows, told: NodeSettings) -> None:
    """The dispatcher's mark, and the workflow."""
    row = rows.one(table)
    assert commitments.change(rows.engine, row.transaction_uid, "waiting", state="asking")
    AskForCommitment(rows.engine, told)(row.transaction_uid, row.run)


def test_the_archive_is_asked_and_its_report_kept(rows: Rows) -> None:
    with archive(everything) as peer:
        told = settings(peer.port)
        sink(rows, told).requested(REQUEST)
        asking(rows, told)
    assert rows.one(table).state == "answered"
    assert commitments.report_of(rows.one(table)).committed == REFERENCES


def test_a_report_may_come_later_to_the_listener(rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dicom_node.work.commit._WAIT_SECONDS", 0.1)
    with archive(lambda information: None) as peer:
        told = settings(peer.port)
        sink(rows, told).requested(REQUEST)
        asking(rows, told)
    assert rows.one(table).state == "asked"


def test_an_archive_that_is_not_there_or_refuses_is_asked_again(rows: Rows) -> None:
    with archive(everything, status=0x0110) as peer:
        told = settings(peer.port)
        sink(rows, told).requested(REQUEST)
    asking(rows, told)
    row = rows.one(table)
    assert (row.state, row.run, row.attempts) == ("waiting", 1, 1)
    assert row.due_at == pytest.approx(time.time() + 10, abs=8)
    with archive(lambda information: None, status=0x0110) as peer:
        asking(rows, settings(peer.port))
    assert (rows.one(table).state, rows.one(table).attempts) == ("waiting", 2)


def test_what_was_delivered_is_asked_for_and_marked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clocks = Clocks()
    monkeypatch.setattr("dicom_node.work.dispatcher.time", clocks)
    world = World(tmp_path, clocks)
    rows = world.rows
    rows.image()
    one, two = rows.complete("2.25.1", "sr", "sc", wanted=(Wanted("there", "", ("sr", "sc")),))
    rows.change(deliveries, state="in_flight", due_at=clocks.day + 1000)
    for uid in (one, two):
        delivery_rows.delivered(rows.engine, "there", uid, "taken", clocks.day, to_commit=True)
    world.look()
    world.look()
    row = rows.one(table)
    assert world.queue.of("commit") == [f"commit:{row.transaction_uid}:0"]
    assert sorted(uid for _, uid in json.loads(row.instances)) == sorted([one, two])
    assert {delivery.committed for delivery in rows.all(deliveries)} == {"requested"}
    commitments.answer(rows.engine, row.transaction_uid, {one: 0})
    assert {d.result_uid: d.committed for d in rows.all(deliveries)} == {one: "yes", two: "no"}
    assert rows.one(table).state == "over"
    rows.engine.dispose()


def test_no_answer_in_time_is_no_promise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clocks = Clocks()
    monkeypatch.setattr("dicom_node.work.dispatcher.time", clocks)
    world = World(tmp_path, clocks)
    sink(world.rows, settings()).requested(REQUEST)
    world.look(5)
    row = world.rows.one(table)
    assert row.state == "asking"
    commitments.change(world.rows.engine, row.transaction_uid, "asking", state="asked")
    world.look(3700)
    report = commitments.report_of(world.rows.one(table))
    assert (report.committed, [reason for _, reason in report.failed]) == ((), [0x0110, 0x0110])
    world.rows.engine.dispose()


class Modality:
    """A sender that takes reports, and a node with a listener between it and an archive."""

    def __init__(self, rows: Rows, archive_port: int) -> None:
        self.rows = rows
        self.reported: list[Dataset] = []
        entity = AE(ae_title="MODALITY")
        entity.add_supported_context(StorageCommitmentPushModel, scu_role=True, scp_role=True)
        handlers: Any = [(evt.EVT_N_EVENT_REPORT, self._reported)]
        self._server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
        here = {"ae_title": "MODALITY", "host": "127.0.0.1", "port": self._server.socket.getsockname()[1]}
        there = {"ae_title": "ARCHIVE", "host": "127.0.0.1", "port": archive_port}
        self._told = settings(peers=[here, there], listener={"port": 0})
        self.listener = Listener(
            self._told,
            KeepingSink(),
            sink(rows, self._told),
            report_elsewhere=partial(report_elsewhere, self._told),
        )
        self._node = Peer("CXR_NODE", "127.0.0.1", self.listener.start())
        self._teller = PromiseTeller(rows.engine, self.listener.report)

    def _reported(self, event: evt.Event) -> tuple[int, None]:
        self.reported.append(event.event_information)
        return 0x0000, None

    def commit(self, wait_seconds: float) -> CommitResult:
        references = [Reference(one.sop_class_uid, one.sop_instance_uid) for one in REFERENCES]
        return commit(self._node, references, calling_ae_title="MODALITY", wait_seconds=wait_seconds)

    def work(self) -> None:
        """What the work process and the teller do, once there is a request."""
        until(lambda: self.rows.all(table, state="waiting"))
        asking(self.rows, self._told)
        self._teller.look()

    def stop(self) -> None:
        self.listener.stop()
        self._server.shutdown()


@pytest.fixture
def modality(rows: Rows) -> Iterator[Modality]:
    with archive(everything) as peer:
        made = Modality(rows, peer.port)
        yield made
        made.stop()


def test_a_sender_is_told_on_the_association_of_its_request(modality: Modality) -> None:
    working = threading.Thread(target=modality.work)
    working.start()
    result = modality.commit(wait_seconds=60)
    working.join()
    assert result.report is not None
    assert len(result.report.committed) == 2
    assert (modality.reported, modality.rows.one(table).state) == ([], "told")


def test_a_sender_that_has_gone_is_told_on_another_association(modality: Modality) -> None:
    result = modality.commit(wait_seconds=0)
    assert result.failure is None
    until(lambda: not modality.listener._live())
    modality.work()
    (report,) = modality.reported
    assert report.TransactionUID == result.transaction_uid
    assert len(report.ReferencedSOPSequence) == 2
    assert modality.rows.one(table).state == "told"
