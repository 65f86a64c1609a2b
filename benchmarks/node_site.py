"""A node, and a stand-in PACS that its results go to, each in processes of their own."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from benchmarks.material import StoredArray, write_film
from benchmarks.measure import process_cpu_ms
from benchmarks.node_pacs import KINDS
from dicom_node.store.tables import deliveries, instances
from tests.node.node_process import Node, until

#: One film makes an object of each kind.
OBJECTS = len(KINDS)


@dataclass(frozen=True, slots=True)
class Arrival:
    """An object that the stand-in accepted."""

    kind: str
    study: str
    at: float
    """On the monotonic clock."""


class StandInPacs:
    """What arrives at the process of `node_pacs.py`."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self._lines = process.stdout
        self.port = int(self._lines.readline())
        self._arrivals: list[Arrival] = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self._lines:
            kind, study, at = line.split()
            self._arrivals.append(Arrival(kind, study, float(at)))

    def of_study(self, study: str) -> list[Arrival]:
        """What has come of a study so far."""
        return [arrival for arrival in self._arrivals if arrival.study == study]


@dataclass(frozen=True, slots=True)
class Site:
    """Both, running."""

    node: Node
    pacs: StandInPacs

    def wait_until_ready(self) -> None:
        """Wait until the model is loaded."""
        until(lambda: any(event["event"] == "model ready" for event in self.node.events()))

    def cpu_ms(self) -> dict[str, float]:
        """CPU so far of the node's own processes: the one that listens, the one that works, the model's."""
        pids = {"node": self.node.pid, "work": self.node.child("process"), "model": self.node.child("model")}
        return {name: process_cpu_ms(pid) for name, pid in pids.items() if pid is not None}

    def is_answered(self, study: str) -> bool:
        """Whether all images of a study are."""
        states = {row.state for row in self.node.rows(sa.select(instances.c.state).filter_by(study_uid=study))}
        return states == {"answered"}

    def is_delivered(self, study: str) -> bool:
        """Whether all results of a study are, and the node knows."""
        rows = self.node.rows(sa.select(deliveries.c.state).filter_by(study_uid=study))
        return len(rows) == OBJECTS and all(row.state == "delivered" for row in rows)


@contextmanager
def running_site(root: Path, *, quiet_seconds: float) -> Iterator[Site]:
    """Start both; the node makes every kind of object of every film."""
    with subprocess.Popen([sys.executable, "-m", "benchmarks.node_pacs"], stdout=subprocess.PIPE, text=True) as process:
        try:
            pacs = StandInPacs(process)
            node = Node(
                root,
                analysis={"study_quiet_seconds": quiet_seconds},
                results={"sc": "always", "gsps": "always"},
                peers=[{"ae_title": "PACS", "host": "127.0.0.1", "port": pacs.port, "may_send": False}],
                destinations=[{"name": "pacs", "kind": "dicom", "peer": "PACS"}],
            )
            try:
                yield Site(node.start(), pacs)
            finally:
                node.end()
        finally:
            process.terminate()


def study_uid(number: int) -> str:
    """Of the film with this number."""
    return f"2.25.6{number:05}"


def write_study(folder: Path, stored: StoredArray, number: int) -> Path:
    """Write a study of one film."""
    path = folder / f"{number:05}.dcm"
    return write_film(path, stored, StudyInstanceUID=study_uid(number), SOPInstanceUID=f"2.25.5{number:05}")
