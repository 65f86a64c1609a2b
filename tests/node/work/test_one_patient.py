"""A study with films of two Patient IDs waits for somebody; when one is corrected and sent again, it is reported."""

from __future__ import annotations

from pathlib import Path

import pydicom
import pytest
import sqlalchemy as sa

from dicom_node.store.tables import results, studies
from tests.dicom_builder import build
from tests.node.node_process import Node

pytestmark = pytest.mark.slow


def test_films_of_two_patients_in_one_study_are_reported_when_they_are_of_one(tmp_path: Path) -> None:
    def film(number: int, patient: str) -> bytes:
        return build(SOPInstanceUID=f"2.25.5{number}", StudyInstanceUID="2.25.6", PatientID=patient)

    node = Node(tmp_path, analysis={"study_quiet_seconds": 1})
    try:
        node.start()
        assert all(outcome.is_delivered for outcome in node.send([film(1, "ONE"), film(2, "TWO")]))
        (study,) = node.wait_for(sa.select(studies).where(studies.c.state == "set_aside"), 1)
        assert study.reason.startswith("images of 2 Patient IDs in one study")
        assert node.rows(sa.select(results)) == []
        assert "NEEDS SOMEBODY" in node.run("status").stdout
        assert node.send([film(2, "ONE")])[0].is_delivered
        node.wait_for(sa.select(studies).where(studies.c.state == "complete"), 1)
        (report,) = [row for row in node.rows(sa.select(results)) if row.kind == "sr"]
        made = pydicom.dcmread(node.folder.encoded / report.file)
        assert made.PatientID == "ONE"
        assert (
            len(made.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0].ReferencedSOPSequence)
            == 2
        )
        assert node.stop() == 0
    finally:
        node.end()
