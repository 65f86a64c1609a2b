"""Storage commitment with a real archive: it asks us for what it has itself, we ask it, and tell it what it told us."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests
from pydicom.uid import ComputedRadiographyImageStorage

from dicom_node.store.tables import commitments
from tests.dicom_builder import build
from tests.node.node_process import Node, until
from tests.node.orthanc_server import Modality, free_ports, running_orthanc

pytestmark = pytest.mark.peers


@pytest.mark.parametrize("promises", [True, False])
def test_a_promise_is_what_the_archive_has_promised(tmp_path: Path, promises: bool) -> None:
    (port,) = free_ports(1)
    (tmp_path / "orthanc").mkdir()
    with running_orthanc(tmp_path / "orthanc", modalities={"node": Modality("CXR_NODE", port)}) as pacs:
        node = Node(
            tmp_path / "node",
            listener={"port": port},
            peers=[{"ae_title": "ORTHANC", "host": "127.0.0.1", "port": pacs.dicom_port}],
            commitment={"archive": "ORTHANC"} if promises else {},
        )
        try:
            node.start()
            # One that both have; one that the node alone has, which is no safe place; one that nobody has.
            pacs.upload(build(SOPInstanceUID="2.25.51"))
            pacs.send("/modalities/node/store", pacs.find("2.25.51"))
            assert node.send([build(SOPInstanceUID="2.25.52")], sender="ORTHANC")[0].is_delivered
            wanted = [
                {"SOPClassUID": ComputedRadiographyImageStorage, "SOPInstanceUID": f"2.25.5{number}"}
                for number in (1, 2, 3)
            ]
            if not promises:
                with pytest.raises(requests.HTTPError, match="500"):  # we offer no such service
                    pacs.send("/modalities/node/storage-commitment", {"DicomInstances": wanted})
                assert node.rows(commitments.select()) == []
                return
            job = pacs.send("/modalities/node/storage-commitment", {"DicomInstances": wanted})
            until(lambda: pacs.ask(job["Path"])["Status"] != "Pending")
            told = pacs.ask(job["Path"])
            assert told["Status"] == "Failure"  # not of everything
            assert [one["SOPInstanceUID"] for one in told["Success"]] == ["2.25.51"]
            assert {one["SOPInstanceUID"] for one in told["Failures"]} == {"2.25.52", "2.25.53"}
            until(lambda: [row.state for row in node.rows(commitments.select())] == ["told"])
            assert node.stop() == 0
        finally:
            node.end()
