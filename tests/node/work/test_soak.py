"""A thousand studies through one node: memory is flat after the first hundred, and nothing is left behind."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import sqlalchemy as sa

from dicom_node.store.tables import deliveries, results, studies
from tests.dicom_builder import build, gradient
from tests.node.node_process import Node, until

STUDIES, WARM = 1000, 100
#: Of one process. An allocator does not give everything back; a leak of one film a study would be a gigabyte.
GROWTH_MB = 40

pytestmark = pytest.mark.soak


def resident_mb(pid: int | None) -> float:
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) / 1024


def test_memory_is_flat(tmp_path: Path) -> None:
    node = Node(tmp_path, results={"sc": "always", "gsps": "always"}, listener={"max_objects_per_minute": 100_000})
    film = gradient(1024, 1024)
    try:
        node.start()

        def send(first: int, last: int) -> None:
            for n in range(first, last):
                content = build(film + n % 7, SOPInstanceUID=f"2.25.5{n}", StudyInstanceUID=f"2.25.6{n}")
                assert node.send([content])[0].is_delivered
            node.wait_for(sa.select(studies).where(studies.c.state == "complete"), last)
            until(lambda: {row.state for row in node.rows(sa.select(deliveries))} == {"delivered"})

        def memory() -> dict[str, float]:
            pids = {"node": node.pid, "work": node.child("process"), "model": node.child("model")}
            return {name: resident_mb(pid) for name, pid in pids.items()}

        send(0, WARM)
        before = memory()
        send(WARM, STUDIES)
        after = memory()
        assert all(after[name] - before[name] < GROWTH_MB for name in before), (before, after)
        assert len(node.rows(sa.select(results))) == 3 * STUDIES
        assert node.stop() == 0
    finally:
        node.end()
