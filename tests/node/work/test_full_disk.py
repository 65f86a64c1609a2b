"""A whole node on a disk that is full: for the store, for the database, for both; and what it does when there is room.

Each disk is a tmpfs of its own, so mounting it needs root, or sudo without a password, as `.ci/run` does.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from dicom_node.peers import Sent, StoreOutcome
from dicom_node.store.tables import deliveries, instances, results
from tests.dicom_builder import build, gradient
from tests.node.node_process import Node, until

pytestmark = pytest.mark.slow

_SUDO = [] if os.geteuid() == 0 else ["sudo", "-n"]
_DISK_MB = 24


class Disk:
    """A small file system, and a file that fills it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    def fill(self, spare_bytes: int = 0) -> None:
        """Leave so many bytes."""
        with self._ballast.open("ab", buffering=0) as file:
            for size in (1 << 20, 1 << 12):
                with suppress(OSError):
                    while file.write(bytes(size)):
                        pass
            file.truncate(max(file.tell() - spare_bytes, 0))

    def free(self) -> None:
        self._ballast.unlink()


@contextmanager
def small_disk(folder: Path) -> Iterator[Disk]:
    folder.mkdir()
    options = f"size={_DISK_MB}m,uid={os.getuid()},mode=700"
    subprocess.run([*_SUDO, "mount", "-t", "tmpfs", "-o", options, "none", str(folder)], check=True)
    try:
        yield Disk(folder)
    finally:
        # Lazily: a child of a node that was killed may be about to end.
        subprocess.run([*_SUDO, "umount", "--lazy", str(folder)], check=True)


def node_of(root: Path, **settings: Any) -> Node:
    folder = {"name": "results", "kind": "folder", "folder": str(root / "data" / "results")}
    return Node(
        root,
        results={"sc": "never", "gsps": "never"},
        destinations=[folder | {"retry_seconds": 0.5, "max_retry_seconds": 1}],
        **settings,
    )


@pytest.fixture(params=["store", "database", "both"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Node, Disk]]:
    """A node with store, database or both on a disk of its own."""
    with small_disk(tmp_path / "disk") as disk:
        root = tmp_path if request.param == "database" else disk.folder
        place = {"database": disk.folder, "store": tmp_path}.get(request.param)
        settings = {} if place is None else {"database": f"sqlite:///{place / 'work.sqlite'}"}
        node = node_of(root, **settings)
        node.log = tmp_path / "log"  # whoever keeps the log has room for it
        try:
            yield node, disk
        finally:
            node.end()


def film(number: int, size: int = 96) -> bytes:
    uids = {"SOPInstanceUID": f"2.25.5.{number}", "StudyInstanceUID": f"2.25.6.{number}"}
    return build(gradient(size, size), **uids)


def test_a_full_disk_is_told_the_sender_and_loses_nothing(world: tuple[Node, Disk]) -> None:
    node, disk = world
    node.start()
    until(lambda: node.child("model"))
    films = {f"2.25.5.{number}": film(number) for number in range(200)}
    taken = send(node, films, 5)
    assert len(taken) == 5
    disk.fill(spare_bytes=1 << 16)
    while (more := send(node, films, 5, taken)) and len(taken) < len(films):
        taken |= more
    assert len(taken) < len(films), "it never was full"
    disk.fill()
    refused = node.send([film(900, 512)])[0]
    assert refused.passing
    assert send(node, films, 3, taken) == set(), "it is full still"
    pid = node.pid
    disk.free()
    taken |= send(node, films, 200, taken)
    assert taken == set(films)
    node.wait_for(sa.select(deliveries).where(deliveries.c.state == "delivered"), len(films))
    assert {row.state for row in node.rows(sa.select(instances))} == {"answered"}
    files = {path.name: path.read_bytes() for path in node.folder.results.rglob("*.dcm")}
    assert set(files) == {row.file for row in node.rows(sa.select(results))}
    assert len(files) == len(films)
    assert all(content == (node.folder.encoded / name).read_bytes() for name, content in files.items())
    assert len(list(node.folder.objects.iterdir())) == len(films), "a refused object left nothing"
    assert (node.pid, node.stop()) == (pid, 0)


def send(node: Node, films: dict[str, bytes], count: int, but: set[str] = frozenset()) -> set[str]:
    """Send the next ones; those that were accepted. What was not was told so, as a passing trouble."""
    outcomes = node.send([content for uid, content in films.items() if uid not in but][:count])
    assert all(outcome.result is Sent.ACCEPTED or told_full(outcome) for outcome in outcomes), outcomes
    return {outcome.sop_instance_uid for outcome in outcomes if outcome.result is Sent.ACCEPTED}


def told_full(outcome: StoreOutcome) -> bool:
    """0xA700, or no association while there is no byte left (PS3.8 9.3.4: transient)."""
    if outcome.result is Sent.REFUSED:
        return outcome.status == 0xA700
    return outcome.result is Sent.NOT_SENT and outcome.passing
