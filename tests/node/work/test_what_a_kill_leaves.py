"""What is there after kill -9: no half of a film, no process that goes on, and never two that do the same work."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from cxr_core.child_process import Child
from dicom_node.settings import NodeSettings
from dicom_node.store.tables import instances
from dicom_node.work.keeping import MODULE, Begin, Go
from tests.dicom_builder import build, gradient
from tests.node.listener.harness import RawPeer, p_data, pdv, store_command
from tests.node.node_process import Node, until
from tests.node.work.test_node import alive

POISON = Path(__file__).parent / "poison"

pytestmark = pytest.mark.slow


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    made = Node(tmp_path, modules=POISON)
    yield made.start()
    made.end()


def test_a_film_that_was_coming_or_being_written_leaves_nothing(node: Node) -> None:
    film = build(gradient(600, 500), SOPInstanceUID="2.25.5")
    with RawPeer(node.port) as peer:
        peer.associate()
        peer.send(p_data(pdv(store_command(sop_instance=b"2.25.5"), command=True)))
        peer.send(p_data(pdv(film[:100_000], last=False)))
        node.kill()
        assert peer.ends() == []
    (node.folder.objects / "film.dcm.part").write_bytes(film[:100_000])
    (node.folder.encoded / "2.25.9.dcm.part").write_bytes(b"half")
    node.start()
    assert [path.name for path in node.folder.root.rglob("*.part")] == []
    assert list(node.folder.objects.iterdir()) == []
    assert node.rows(sa.select(instances)) == []
    assert node.send([film])[0].is_delivered
    (path,) = node.folder.objects.iterdir()
    assert path.read_bytes().endswith(film[-100_000:])


def test_a_child_that_is_busy_ends_with_its_parent(node: Node) -> None:
    """It hears nothing while it decodes, for ever in this case, so the kernel has to end it."""
    node.send([build(SOPInstanceUID="2.25.5.777")])
    node.wait_for(sa.select(instances).where(instances.c.attempts == 1), 1)
    children = [until(lambda which=which: node.child(which)) for which in ("process", "model")]
    node.kill()
    until(lambda: not any(alive(pid) for pid in children), 30)


def test_a_second_work_process_on_the_same_folder_does_nothing(node: Node) -> None:
    """Two with one executor id would do the same work twice at once."""
    until(lambda: node.child("model"))
    second = Child(MODULE)
    try:
        second.send(Begin(NodeSettings().model_dump_json(), node.folder.root))
        second.send(Go())
        assert second.process.wait(60) == 1
    finally:
        second.kill()
    node.send([build()])
    node.wait_for(sa.select(instances).where(instances.c.state == "answered"), 1)
    assert node.stop() == 0
