"""Where patient data is: in the stored objects, for their owner alone. And in no row, log, name or answer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from dicom_node.store.tables import deliveries, instances, studies
from tests.dicom_builder import build
from tests.node.node_process import Node, until

pytestmark = pytest.mark.slow

#: Of one synthetic patient; each value can be told from everything else.
PATIENT = {
    "PatientName": "ZQNAME^ZQGIVEN",
    "PatientID": "ZQID-4711",
    "OtherPatientIDs": "ZQOTHER-1",
    "PatientBirthDate": "20221107",
    "PatientAddress": "ZQSTREET 5",
    "AccessionNumber": "ZQACC-1",
    "StudyID": "ZQSTUDYID",
    "StudyDescription": "ZQDESCRIPTION of ZQNAME",
    "SeriesDescription": "ZQSERIES",
    "ReferringPhysicianName": "ZQPHYSICIAN",
    "InstitutionName": "ZQHOSPITAL",
    "OperatorsName": "ZQOPERATOR",
    "ImageComments": "ZQCOMMENT",
}
#: Too long to come about by chance in the Base64 of a map.
SECRETS = (*(value.split("^")[0].split()[0] for value in PATIENT.values()), "ZQGIVEN", "ZQAGE", "ZQCHARACTERS")


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    made = Node(tmp_path, results={"sc": "always", "gsps": "always"})
    yield made.start()
    made.end()


def film(number: int, **attributes: Any) -> bytes:
    identity = {"SOPInstanceUID": f"2.25.5{number}", "StudyInstanceUID": f"2.25.6{number}"}
    return build(**(PATIENT | identity | attributes))


def test_patient_data_is_in_objects_alone_and_they_are_their_owners(node: Node) -> None:
    films = [
        film(1),
        film(2, ViewPosition="LL"),
        film(3, Rows=None),
        film(4, WindowCenter=1, WindowWidth=222222).replace(b"222222", b"ZQNAME"),
        film(5, PatientAge="ZQAGE", BitsStored=99),
        film(6, SpecificCharacterSet="ZQCHARACTERS"),
    ]
    assert all(outcome.is_delivered for outcome in node.send(films))
    (refused,) = node.send([film(7, StudyInstanceUID="ZQNAME")])
    assert (refused.status, refused.comment) == (0xC000, "StudyInstanceUID missing or no UID")
    node.wait_for(sa.select(studies).where(studies.c.completed_revision == studies.c.revision), len(films))
    until(lambda: {row.state for row in node.rows(sa.select(deliveries))} == {"delivered"})
    assert {row.state for row in node.rows(sa.select(instances))} == {"answered"}
    said = [node.run(*words) for words in (["status"], ["status", "--json"], ["list"], ["quarantine", "list"])]
    said += [node.run("show", row.study_uid) for row in node.rows(sa.select(studies))]
    assert {done.returncode for done in said} == {0}
    assert node.stop() == 0
    texts = {str(done.args): (done.stdout + done.stderr).encode() for done in said} | {"log": node.log.read_bytes()}
    everything = sorted(node.folder.root.rglob("*"))
    objects = {path: path.read_bytes() for path in everything if path.suffix == ".dcm"}
    texts |= {path.name: path.read_bytes() for path in everything if path.is_file() and path not in objects}
    assert {"node.sqlite", "lock", "work.lock"} <= set(texts)
    for secret in SECRETS:
        assert [name for name, text in texts.items() if secret.encode() in text] == []
        assert [path.name for path in everything if secret in path.name] == []
    # The search would find it: it is in what was received, what was refused, and what was made.
    for folder in (node.folder.objects, node.folder.encoded, node.folder.results, node.folder.quarantine):
        assert any(b"ZQNAME" in content for path, content in objects.items() if folder in path.parents)
    assert {path.stat().st_mode & 0o077 for path in [node.folder.root, *everything]} == {0}
