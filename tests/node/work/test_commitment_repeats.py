"""A request for storage commitment that is made twice, and one that is made again after its report."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dicom_node.promise import PromiseSink, PromiseTeller
from dicom_node.received import CommitmentReport, CommitmentRequest, InstanceReference
from dicom_node.settings import settings_of
from dicom_node.store.tables import commitments
from tests.node.rows import Rows

FILM = InstanceReference("1.2.3", "2.25.1")
REQUEST = CommitmentRequest("2.25.900", (FILM,), "MODALITY", "127.0.0.1")
SETTINGS = settings_of(
    {
        "peers": [{"ae_title": "ARCHIVE", "host": "127.0.0.1", "port": 104}],
        "commitment": {"archive": "ARCHIVE"},
    },
    "test",
)


@pytest.fixture
def rows(tmp_path: Path) -> Iterator[Rows]:
    made = Rows(tmp_path)
    yield made
    made.engine.dispose()


def test_a_repeat_is_told_of_once_and_others_for_themselves(rows: Rows) -> None:
    sink, told = PromiseSink(SETTINGS, rows.engine, lambda: None), []
    teller = PromiseTeller(rows.engine, lambda report: told.append(report) is None)
    others = [replace(REQUEST, calling_ae_title="OTHER"), replace(REQUEST, transaction_uid="2.25.901")]
    for request in (REQUEST, REQUEST, *others):
        assert sink.requested(request) == 0x0000
    for row in rows.all(commitments):
        sink.reported(CommitmentReport(row.transaction_uid, "ARCHIVE", (FILM,)))
    assert sink.requested(REQUEST) == 0x0000
    teller.look()
    assert sorted((one.ae_title, one.transaction_uid) for one in told) == [
        ("MODALITY", "2.25.900"),
        ("MODALITY", "2.25.901"),
        ("OTHER", "2.25.900"),
    ]
    # Whoever asks again after the report, asks anew.
    assert sink.requested(REQUEST) == 0x0000
    assert len(rows.all(commitments)) == 4
