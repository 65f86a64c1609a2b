"""What yields nothing: films that intake refuses, twins FOR PROCESSING, and everything that comes back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pydicom
import pytest
import sqlalchemy as sa
from pydicom.uid import (
    Comprehensive3DSRStorage,
    DigitalXRayImageStorageForPresentation,
    DigitalXRayImageStorageForProcessing,
)

from dicom_node.peers import Peer, Sent, store
from dicom_node.store.tables import deliveries, instances, results, studies
from tests.dicom_builder import build
from tests.node.node_process import Node, until

pytestmark = pytest.mark.slow

ALWAYS = {"sc": "always", "gsps": "always"}
DX = {
    "SOPClassUID": DigitalXRayImageStorageForPresentation,
    "Modality": "DX",
    "PresentationIntentType": "FOR PRESENTATION",
}
#: Films that are stored, answered with success, looked at, and refused.
REFUSED: dict[str, dict[str, Any]] = {
    "lateral": {"ViewPosition": "LL"},
    "another body part": {"BodyPartExamined": "HAND", "StudyDescription": "Hand"},
    "for processing": DX | {"PresentationIntentType": "FOR PROCESSING"},
}
TWIN = REFUSED["for processing"] | {"SOPClassUID": DigitalXRayImageStorageForProcessing}


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Any]:
    with ExitStack() as nodes:

        def started(name: str = "node", **settings: Any) -> Node:
            node = Node(tmp_path / name, results=ALWAYS, **settings)
            nodes.callback(node.end)
            return node.start()

        yield started


def film(number: int, study: str = "2.25.6", **attributes: Any) -> bytes:
    return build(SOPInstanceUID=f"2.25.5{number}", StudyInstanceUID=study, InstanceNumber=number, **attributes)


def complete(node: Node, count: int = 1) -> None:
    node.wait_for(sa.select(studies).where(studies.c.completed_revision == studies.c.revision), count)
    until(lambda: {row.state for row in node.rows(sa.select(deliveries))} <= {"delivered"})


def test_films_that_intake_refuses_are_taken_and_named_in_the_report(start: Any) -> None:
    node = start(analysis={"study_quiet_seconds": 1})
    films = [film(1, **DX), *(film(number, **REFUSED[name]) for number, name in enumerate(REFUSED, start=2))]
    assert [(outcome.result, outcome.status) for outcome in node.send(films)] == [(Sent.ACCEPTED, 0x0000)] * 4
    complete(node)
    assert {row.state for row in node.rows(sa.select(instances))} == {"answered"}
    made = {row.kind: node.folder.encoded / row.file for row in node.rows(sa.select(results))}
    assert set(made) == {"sr", "sc", "gsps"}
    assert len(node.rows(sa.select(results))) == 3
    report = made["sr"].read_bytes()
    assert report.count(b"Certainty of Finding") == 1
    assert report.count(b"NOT ANALYSED (refused)") == 3


def test_a_twin_for_processing_changes_no_report(start: Any) -> None:
    node = start()
    node.send([film(1, **TWIN)])
    node.send([film(2, **DX)])
    complete(node)
    node.send([film(3, **TWIN)])
    node.send([film(4, study="2.25.7", **DX)])  # after this one a report on the twin would be there, too
    complete(node, 2)
    assert sorted(row.state for row in node.rows(sa.select(instances))) == ["answered"] * 2 + ["ignored"] * 2
    assert len(node.rows(sa.select(results))) == 6
    assert all(b"NOT ANALYSED" not in path.read_bytes() for path in node.folder.encoded.iterdir())


@pytest.mark.parametrize("name", REFUSED)
def test_a_study_without_a_film_that_can_be_analysed_yields_nothing(start: Any, name: str) -> None:
    node = start()
    assert node.send([film(1, **REFUSED[name])])[0].status == 0x0000
    complete(node)
    assert {row.state for row in node.rows(sa.select(instances))} == {"answered"}
    assert node.rows(sa.select(results)) == []
    assert list(node.folder.encoded.iterdir()) == []


def test_everything_that_is_forwarded_is_stored_and_yields_nothing_at_two_nodes(start: Any) -> None:
    """A PACS that forwards whole studies to both: films, results of the one, results of the other, again and again."""
    films = [film(1), film(2, study="2.25.7")]
    nodes = {"ONE": start("one", listener={"ae_title": "ONE"}), "TWO": start("two", listener={"ae_title": "TWO"})}

    def send(objects: list[bytes]) -> None:
        for title, node in nodes.items():
            outcomes = store(Peer(title, "127.0.0.1", node.port), objects, calling_ae_title="PACS")
            assert {outcome.status for outcome in outcomes} == {0x0000}

    send(films)
    for node in nodes.values():
        complete(node, 2)
    made = {path.stem: path.read_bytes() for node in nodes.values() for path in node.folder.encoded.iterdir()}
    assert len(made) == 12  # of each node its own: SR, SC and GSPS of two studies
    another = pydicom.dcmread(next(path for path in nodes["ONE"].folder.encoded.iterdir() if is_report(path)))
    another.SOPInstanceUID = another.file_meta.MediaStorageSOPInstanceUID = "2.25.99"
    another.Manufacturer = "another maker"
    buffer = pydicom.filebase.DicomBytesIO()
    another.save_as(buffer)
    for _ in range(2):
        send([*films, *made.values(), buffer.getvalue()])
    # After what is forwarded, a film: when that is done, the others would be, too.
    send([film(3, study="2.25.8")])
    for node in nodes.values():
        complete(node, 3)
        assert {row.revision for row in node.rows(sa.select(studies))} == {1}
        states = {row.sop_instance_uid: row.state for row in node.rows(sa.select(instances))}
        assert states.pop("2.25.99") == "ignored"
        assert {uid for uid, state in states.items() if state == "own"} == set(made)
        assert len(node.rows(sa.select(results))) == 9
        assert node.stop() == 0


def is_report(path: Path) -> bool:
    return bool(pydicom.dcmread(path).SOPClassUID == Comprehensive3DSRStorage)
