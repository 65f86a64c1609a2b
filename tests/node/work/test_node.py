"""The whole node in its processes: from a C-STORE to files in a folder, whatever ends in between."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
import sqlalchemy as sa

from cxr_core.samples import sample_folder
from dicom_node.peers import Sent
from dicom_node.store.tables import deliveries, instances, results, studies
from tests.dicom_builder import build
from tests.node.node_process import Node, until

SAMPLES = sorted(sample_folder().glob("*.dcm"))
ALWAYS = {"sc": "always", "gsps": "always"}


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    made = Node(tmp_path, results=ALWAYS)
    yield made
    made.end()


def delivered(node: Node, count: int) -> dict[str, bytes]:
    """The files of the folder destination by name, as soon as there are so many deliveries."""
    node.wait_for(sa.select(deliveries).where(deliveries.c.state == "delivered"), count)
    return {path.name: path.read_bytes() for path in node.folder.results.rglob("*.dcm")}


def test_a_study_ends_as_an_answer_and_as_files(node: Node) -> None:
    node.start()
    assert [outcome.result for outcome in node.send(SAMPLES)] == [Sent.ACCEPTED] * 5
    # The lateral view is refused: no objects. The others are four studies of SR, SC and GSPS.
    files = delivered(node, 12)
    assert {row.state for row in node.rows(sa.select(instances))} == {"answered"}
    assert len(files) == 12
    for row in node.rows(sa.select(results)):
        sent = (node.folder.encoded / row.file).read_bytes()
        assert files[row.file] == sent
        assert pydicom.dcmread(node.folder.encoded / row.file).SOPInstanceUID == row.sop_instance_uid
    until(lambda: {row.completed_revision for row in node.rows(sa.select(studies))} == {1})
    assert node.stop() == 0
    assert [event["event"] for event in node.events()][-2:] == ["node ends", "work ends"]


def test_a_later_image_yields_a_report_that_names_the_first(node: Node) -> None:
    node.start()
    node.send([sample("2.25.771")])
    delivered(node, 3)
    node.send([sample("2.25.772")])
    delivered(node, 6)
    query = sa.select(results).where(results.c.kind == "sr").order_by(results.c.revision)
    first, second = (pydicom.dcmread(node.folder.encoded / row.file) for row in node.rows(query))
    item = second.PredecessorDocumentsSequence[0].ReferencedSeriesSequence[0].ReferencedSOPSequence[0]
    assert item.ReferencedSOPInstanceUID == first.SOPInstanceUID
    node.stop()


def sample(uid: str) -> bytes:
    """The first sample under another UID."""
    film = pydicom.dcmread(SAMPLES[0])
    film.SOPInstanceUID = film.file_meta.MediaStorageSOPInstanceUID = uid
    buffer = BytesIO()
    film.save_as(buffer)
    return buffer.getvalue()


@pytest.mark.slow
@pytest.mark.parametrize("which", ["node", "process", "model"])
def test_kill_9_loses_nothing(node: Node, which: str) -> None:
    node.start()
    chance = random.Random(which)
    films = [build(SOPInstanceUID=f"2.25.5{n}", StudyInstanceUID=f"2.25.6{n // 2}") for n in range(20)]
    for n in range(0, 20, 4):
        assert all(outcome.is_delivered for outcome in node.send(films[n : n + 4]))
        time.sleep(chance.uniform(0, 0.6))
        if node.kill(which) and which == "node":
            node.start()
    rows = node.wait_for(sa.select(studies).where(studies.c.completed_revision == studies.c.revision), 10)
    made = [row.study_uid for row in node.rows(sa.select(results).where(results.c.kind == "sr"))]
    assert {row.study_uid for row in rows} == set(made)
    files = delivered(node, len(node.rows(sa.select(results))))
    assert set(files) == {row.file for row in node.rows(sa.select(results))}
    assert {row.state for row in node.rows(sa.select(instances))} == {"answered"}


def test_a_second_node_on_the_same_folder_refuses_to_start(node: Node) -> None:
    node.start()
    second = node.run("serve")
    assert second.returncode == 2
    assert f"in use by process {node.pid}" in second.stderr
    assert node.stop() == 0


def test_no_child_outlives_the_node(node: Node) -> None:
    node.start()
    children = [until(lambda which=which: node.child(which)) for which in ("process", "model")]
    node.kill()
    until(lambda: not any(alive(pid) for pid in children))


def alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
