"""The node between DCMTK's programs: dcmsend as modality, dcmqrscp as PACS, findscu and getscu as its reader."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import sqlalchemy as sa

from cxr_core.samples import sample_folder
from dicom_node.store.tables import deliveries, results
from tests.node.node_process import PATIENCE_SECONDS, Node, until
from tests.node.peers.fakes import THEIRS
from tests.node.peers.test_dcmtk import dcmqrscp

pytestmark = pytest.mark.peers


def run(*words: object, cwd: Path) -> str:
    """What a program says that has to succeed."""
    done = subprocess.run(
        [str(word) for word in words],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        env=os.environ | {"TCP_NODELAY": "1"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_films_by_dcmsend_become_results_that_findscu_finds_and_getscu_brings_unchanged(tmp_path: Path) -> None:
    archive, reader = tmp_path / "pacs", tmp_path / "reader"
    archive.mkdir()
    reader.mkdir()
    with dcmqrscp(archive) as pacs:
        node = Node(
            tmp_path / "node",
            results={"sc": "always", "gsps": "always"},
            peers=[
                {"ae_title": THEIRS, "host": "127.0.0.1", "port": pacs.port, "may_send": False},
                {"ae_title": "MODALITY", "host": "localhost"},
            ],
            destinations=[{"name": "pacs", "kind": "dicom", "peer": THEIRS}],
        )
        try:
            node.start()
            to_node = ("-aet", "MODALITY", "-aec", "CXR_NODE", "127.0.0.1", node.port)
            run("echoscu", *to_node, cwd=reader)
            run("dcmsend", "-v", *to_node, *sorted(sample_folder().glob("*.dcm")), cwd=reader)
            # The lateral view yields nothing; the other four are studies of SR, SC and GSPS.
            until(lambda: len(node.rows(sa.select(deliveries).where(deliveries.c.state == "delivered"))) == 12)
            for row in node.rows(sa.select(results)):
                keys = {
                    "QueryRetrieveLevel": "IMAGE",
                    "StudyInstanceUID": row.study_uid,
                    "SeriesInstanceUID": row.series_instance_uid,
                    "SOPInstanceUID": row.sop_instance_uid,
                }
                asked = [word for key, value in keys.items() for word in ("-k", f"{key}={value}")]
                at_pacs = ("-aec", THEIRS, "127.0.0.1", pacs.port)
                found = run("findscu", "-v", "-S", *asked, *at_pacs, cwd=reader)
                assert found.count(f"[{row.sop_instance_uid}") == 2  # in the question and in one answer
                folder = reader / row.kind / row.sop_instance_uid
                folder.mkdir(parents=True)
                run("getscu", "-S", "-od", folder, "+B", *asked, *at_pacs, cwd=reader)
                (path,) = folder.iterdir()
                sent = (node.folder.encoded / row.file).read_bytes()
                # After file meta, which each writes for itself, byte for byte.
                assert data_set(path.read_bytes()) == data_set(sent)
            assert node.stop() == 0
        finally:
            node.end()


def data_set(file: bytes) -> bytes:
    return file[144 + int.from_bytes(file[140:144], "little") :]
