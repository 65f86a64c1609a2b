"""Processes that hang without dying: found by a sign that is missing, ended, and started again."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from multiprocessing import Pipe
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa

from dicom_node import serve
from dicom_node.settings import NodeSettings
from dicom_node.store.folder import DataFolder
from dicom_node.store.tables import deliveries
from dicom_node.work import keeping, process
from dicom_node.work.keeping import Alive
from tests.dicom_builder import build
from tests.node.node_process import Node

HASTY = Path(__file__).parent / "hasty"
DELIVERED = sa.select(deliveries).where(deliveries.c.state == "delivered")


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    made = Node(tmp_path, modules=HASTY, results={"sc": "never", "gsps": "never"})
    yield made
    made.end()


def film(number: int) -> bytes:
    return build(SOPInstanceUID=f"2.25.5.{number}", StudyInstanceUID=f"2.25.6.{number}")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("which", "told"), [("process", "work process makes no sign"), ("model", "model process ended")]
)
def test_a_process_that_is_stopped_is_replaced_and_its_work_goes_on(node: Node, which: str, told: str) -> None:
    node.start()
    node.send([film(1)])
    node.wait_for(DELIVERED, 1)
    work, hanging = node.child("process"), node.child(which)
    assert hanging is not None
    os.kill(hanging, signal.SIGSTOP)
    node.send([film(2)])
    node.wait_for(DELIVERED, 2)
    assert told in [event["event"] for event in node.events()]
    assert node.child(which) not in (None, hanging)
    assert (node.child("process") == work) == (which == "model"), "who gives signs is left alone"
    assert node.stop() == 0


class Kept:
    """A WorkKeeper over a child that makes signs when the test says so."""

    def __init__(self, folder: Path) -> None:
        self.keeper = serve.WorkKeeper(NodeSettings(), DataFolder(folder))
        ours, self.child_s_end = Pipe()
        self.woken, waker = os.pipe()
        self.descriptors = (self.woken, waker)
        self.ended: list[int] = []
        child: Any = SimpleNamespace(connection=ours, process=SimpleNamespace(pid=1), kill=lambda: self.ended.append(9))
        self.keeper._child = child
        self.ours = ours

    def tend(self) -> None:
        self.keeper.tend(self.woken)

    def close(self) -> None:
        for descriptor in self.descriptors:
            os.close(descriptor)
        self.ours.close()
        self.child_s_end.close()


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    monkeypatch.setattr(serve, "_SILENT_SECONDS", 0.05)
    monkeypatch.setattr(keeping, "SIGN_SECONDS", 0.05)
    made = Kept(tmp_path)
    yield made
    made.close()


def test_each_sign_gives_it_more_time_and_without_one_it_is_ended(kept: Kept) -> None:
    kept.keeper._sign_until = time.monotonic() + 600
    for _ in range(3):
        kept.child_s_end.send(Alive())
        kept.tend()
    assert kept.ended == []
    kept.tend()
    assert (kept.ended, kept.keeper._child) == ([9], None)


def test_a_machine_that_was_held_as_a_whole_ends_nothing(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "SIGN_SECONDS", 30.0)
    kept.keeper._sign_until = time.monotonic() - 3600
    sign = threading.Timer(0.1, kept.child_s_end.send, (Alive(),))
    sign.start()
    kept.tend()
    sign.join()
    assert kept.ended == []


@pytest.mark.parametrize(("ago_seconds", "goes"), [(0, True), (299, True), (301, False)])
def test_a_dispatcher_that_does_not_come_round_is_no_sign_of_life(ago_seconds: float, goes: bool) -> None:
    work: Any = SimpleNamespace(_dispatcher=SimpleNamespace(came_round=time.monotonic() - ago_seconds))
    assert process.Work.goes_round(work) is goes
