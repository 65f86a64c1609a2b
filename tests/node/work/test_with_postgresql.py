"""The node over PostgreSQL: one line of settings, the same work, and nothing lost by kill -9."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from dicom_node.store.tables import deliveries, instances, results, studies
from tests.dicom_builder import build
from tests.node.node_process import Node, until
from tests.node.orthanc_server import free_ports

pytestmark = pytest.mark.peers


@pytest.fixture
def address() -> Iterator[str]:
    """The address of a database of a server that runs as long as the test."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    assert programs, "PostgreSQL is not installed; on Debian: apt-get install postgresql"
    (port,) = free_ports(1)
    # It refuses to run as root, and everything above its folder must let its user pass.
    folder = Path(tempfile.mkdtemp(prefix="cxr-postgresql-", dir="/tmp"))
    user = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
    if user:
        shutil.chown(folder, "postgres")

    def run(program: str, *words: str) -> None:
        command = [*user, str(programs[-1] / program), "-D", str(folder / "data"), *words]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/")

    run("initdb", "-A", "trust", "-U", "cxr")
    run("pg_ctl", "-w", "-l", str(folder / "log"), "-o", f"-p {port} -k {folder} -h 127.0.0.1", "start")
    try:
        yield f"postgresql://cxr@127.0.0.1:{port}/postgres"
    finally:
        run("pg_ctl", "-w", "-m", "immediate", "stop")
        shutil.rmtree(folder)


def test_nothing_is_lost(tmp_path: Path, address: str) -> None:
    node = Node(tmp_path, results={"sc": "always", "gsps": "always"}, database=address)
    try:
        node.start()
        for number, which in enumerate(("node", "process", "model")):
            films = [
                build(SOPInstanceUID=f"2.25.5{number}{n}", StudyInstanceUID=f"2.25.6{number}{n // 2}") for n in range(6)
            ]
            assert all(outcome.is_delivered for outcome in node.send(films))
            if node.kill(which) and which == "node":
                node.start()
        node.wait_for(sa.select(studies).where(studies.c.completed_revision == studies.c.revision), 9)
        until(lambda: {row.state for row in node.rows(sa.select(deliveries))} == {"delivered"})
        assert {row.state for row in node.rows(sa.select(instances))} == {"answered"}
        assert len({row.study_uid for row in node.rows(sa.select(results).where(results.c.kind == "sr"))}) == 9
        status = node.run("status", "--json")
        assert json.loads(status.stdout)["studies"] == {"complete": 9}, status.stderr
        assert len(json.loads(node.run("list", "--json").stdout)) == 9
        assert not node.folder.database.exists()
        assert node.stop() == 0
    finally:
        node.end()
