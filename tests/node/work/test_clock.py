"""A clock that is set breaks no promise, and has nobody told that there was no answer in time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dicom_node.received import CommitmentRequest, InstanceReference
from dicom_node.store import commitments
from dicom_node.work import dispatcher as module
from tests.node.work.test_dispatcher import Clocks, World

DAY = 86400.0


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    clocks = Clocks()
    monkeypatch.setattr(module, "time", clocks)
    made = World(tmp_path, clocks)
    yield made
    made.rows.engine.dispose()


@pytest.mark.parametrize("jump", [DAY, -DAY])
def test_a_request_for_commitment_has_its_time_whatever_the_clock(world: World, jump: float) -> None:
    now = world.clocks.day
    request = CommitmentRequest("2.25.1", (InstanceReference("1.2.3", "2.25.2"),), "PACS", "127.0.0.1")
    commitments.record_request(world.rows.engine, request, "2.25.9", "ARCHIVE", now, now + 3600)
    world.look()
    assert world.queue.of("commit") == ["commit:2.25.9:0"]
    # The archive was not there; it is to be asked again.
    commitments.change(world.rows.engine, "2.25.9", "asking", state="waiting", run=1, due_at=now + 100)
    world.clocks.day += jump
    world.look(99)
    assert len(world.queue.of("commit")) == 1
    world.look(2)
    assert world.queue.of("commit") == ["commit:2.25.9:0", "commit:2.25.9:1"]
    commitments.change(world.rows.engine, "2.25.9", "asking", state="asked")
    world.look(3600 - 103)
    assert [row.state for row in commitments.in_state(world.rows.engine, "asked")] == ["asked"]
    world.look(3)
    (row,) = commitments.in_state(world.rows.engine, "answered")
    assert row.outcome == '{"2.25.2": 272}'
