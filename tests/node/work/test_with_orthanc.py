"""The node beside a real PACS: films come from it, results go back, are committed, and come back without an echo."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pydicom
import pytest
import sqlalchemy as sa
from pydicom.uid import SecondaryCaptureImageStorage

from cxr_core.samples import sample_folder
from dicom_node.store.tables import deliveries, instances, results, studies
from tests.node.node_process import Node, until
from tests.node.orthanc_server import Modality, OrthancServer, free_ports, running_orthanc

SAMPLES = sorted(sample_folder().glob("*.dcm"))

pytestmark = pytest.mark.peers


@dataclass
class Site:
    """A PACS and a node that know each other."""

    pacs: OrthancServer
    node: Node

    def send_to_node(self, sop_instance_uids: list[str]) -> None:
        """Have the PACS send what it has."""
        found = [identifier for uid in sop_instance_uids for identifier in self.pacs.find(uid)]
        assert len(found) == len(sop_instance_uids)
        self.pacs.send("/modalities/node/store", found)

    def has(self, uid: str) -> pydicom.FileDataset:
        """What the PACS gives of an object."""
        return pydicom.dcmread(io.BytesIO(self.pacs.file(uid)))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    (port,) = free_ports(1)
    folder = tmp_path / "orthanc"
    folder.mkdir()
    with running_orthanc(folder, modalities={"node": Modality("CXR_NODE", port)}) as pacs:
        back = {"name": "back", "kind": "dicom", "peer": "sender", "request_commitment": True, "retry_seconds": 1}
        web = {"name": "web", "kind": "stow", "url": pacs.dicomweb_url, "objects": ["sr"]}
        node = Node(
            tmp_path / "node",
            listener={"port": port},
            peers=[{"ae_title": "ORTHANC", "host": "127.0.0.1", "port": pacs.dicom_port}],
            results={"sc": "always", "gsps": "always"},
            destinations=[back, web],
            commitment={"archive": "ORTHANC"},
        )
        try:
            yield Site(pacs, node.start())
        finally:
            node.end()


def test_films_come_from_a_pacs_and_results_go_back_once(site: Site) -> None:
    films = [pydicom.dcmread(path) for path in SAMPLES]
    for path in SAMPLES:
        site.pacs.upload(path.read_bytes())
    uids = [str(film.SOPInstanceUID) for film in films]
    site.send_to_node(uids)
    node = site.node
    # Four studies of SR, SC and GSPS; each SR over the web, too.
    node.wait_for(sa.select(deliveries).where(deliveries.c.state == "delivered"), 16)
    made = node.rows(sa.select(results))
    assert len(made) == 12
    studies_of = {str(film.StudyInstanceUID): film for film in films}
    for row in made:
        ours, theirs = pydicom.dcmread(node.folder.encoded / row.file), site.has(row.sop_instance_uid)
        assert theirs == ours
        source = studies_of[str(theirs.StudyInstanceUID)]
        assert (theirs.PatientID, theirs.AccessionNumber) == (source.PatientID, source.AccessionNumber)
    until(lambda: {r.committed for r in node.rows(sa.select(deliveries)) if r.destination == "back"} == {"yes"})
    # Everything comes back: films are known, pictures are ours.
    pictures = [row.sop_instance_uid for row in made if row.sop_class_uid == SecondaryCaptureImageStorage]
    site.send_to_node([*uids, *pictures])
    node.wait_for(sa.select(instances).where(instances.c.state == "own"), len(pictures))
    assert {row.revision for row in node.rows(sa.select(studies))} == {1}
    assert len(node.rows(sa.select(results))) == 12
    assert node.stop() == 0
