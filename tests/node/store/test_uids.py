"""UIDs that PS3.5 9.1 does not allow: what is answered, and what results make of them."""

from __future__ import annotations

import io
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from cxr_core.results.records import ResultError, ResultObject
from dicom_node.listener.server import Listener
from dicom_node.peers import Peer, Sent, store
from dicom_node.peers.encoded import EncodedObject
from dicom_node.settings import settings_of
from dicom_node.store.sink import StoreSink
from dicom_node.store.tables import instances
from tests.core.results.builder import analysed, encoded
from tests.dicom_builder import build
from tests.node.rows import Rows

KEYWORDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
LEADING_ZEROS = {keyword: f"1.2.840.0{number}.007" for number, keyword in enumerate(KEYWORDS)}
NO_UIDS = {
    "too long": "1.2." + "3" * 61,
    "empty component": "1.2..3",
    "dot at the end": "1.2.3.",
    "letters": "1.2.3a",
    "minus": "1.2.-3",
    "two values": "1.2\\1.3",
}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[tuple[Rows, Peer]]:
    """A listener before the store, and how it is called."""
    rows = Rows(tmp_path)
    settings = settings_of({"listener": {"port": 0}, "retention": {"reserve_mb": 0}}, "test")
    listener = Listener(settings, StoreSink(settings, rows.folder, rows.engine, lambda: None))
    yield rows, Peer("CXR_NODE", "127.0.0.1", listener.start())
    listener.stop(grace_seconds=0)
    rows.engine.dispose()


def send(peer: Peer, data: bytes, uid: str) -> tuple[Sent, int | None, str]:
    whole = pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True)
    start = 132 + 12 + whole.file_meta.FileMetaInformationGroupLength
    given = EncodedObject(whole.SOPClassUID, uid, ExplicitVRLittleEndian, memoryview(data)[start:])
    (outcome,) = store(peer, [given], calling_ae_title="MODALITY")
    return outcome.result, outcome.status, outcome.comment


def test_leading_zeros_are_taken_as_they_are(world: tuple[Rows, Peer]) -> None:
    rows, peer = world
    data = build(**{keyword: LEADING_ZEROS[keyword] for keyword in KEYWORDS[:2]})
    assert send(peer, data, "2.25.1001")[1] == 0x0000
    row = rows.one(instances)
    assert row.study_uid == LEADING_ZEROS["StudyInstanceUID"]
    kept = pydicom.dcmread(rows.folder.objects / row.file)
    assert kept.SeriesInstanceUID == LEADING_ZEROS["SeriesInstanceUID"]


def test_an_instance_with_leading_zeros_is_taken(world: tuple[Rows, Peer]) -> None:
    rows, peer = world
    uid = LEADING_ZEROS["SOPInstanceUID"]
    given = EncodedObject.of(build(SOPInstanceUID=uid))
    (outcome,) = store(peer, [given], calling_ae_title="MODALITY")
    assert outcome.status == 0x0000
    assert rows.one(instances).sop_instance_uid == uid


@pytest.mark.parametrize("keyword", KEYWORDS)
@pytest.mark.parametrize("name", NO_UIDS)
def test_what_is_no_uid_is_refused_with_a_reason(world: tuple[Rows, Peer], keyword: str, name: str) -> None:
    rows, peer = world
    result, status, comment = send(peer, build(**{keyword: NO_UIDS[name]}), "2.25.1001")
    assert (result, status) == (Sent.REFUSED, 0xC000)
    assert comment == f"{keyword} missing or no UID"
    assert rows.all(instances) == []


def carried(data_set: Dataset) -> set[str]:
    """Every UID of an object that PS3.5 9.1 does not allow."""
    return {
        str(element.value)
        for element in data_set.iterall()
        if element.VR == "UI" and not UID(str(element.value)).is_valid
    }


def results() -> list[ResultObject]:
    return encoded(analysed(**LEADING_ZEROS))


def test_results_belong_to_the_study_as_it_is_and_have_uids_of_their_own_that_are_right() -> None:
    made = results()
    assert [one.kind for one in made] == ["sr", "sc", "gsps"]
    for one in made:
        data_set = pydicom.dcmread(io.BytesIO(one.data))
        assert data_set.StudyInstanceUID == LEADING_ZEROS["StudyInstanceUID"]
        assert data_set.StudyInstanceUID in carried(data_set) <= set(LEADING_ZEROS.values())
        assert UID(data_set.SOPInstanceUID).is_valid
        assert UID(data_set.SeriesInstanceUID).is_valid


@pytest.mark.parametrize("keyword", KEYWORDS)
@pytest.mark.parametrize("name", ["too long", "empty component", "dot at the end"])
def test_no_result_refers_to_what_is_no_uid(keyword: str, name: str) -> None:
    with pytest.raises(ResultError, match=f"a source without {keyword}"):
        encoded(analysed(**{keyword: NO_UIDS[name]}))


@pytest.mark.peers
def test_dciodvfy_finds_fault_with_the_study_s_own_uids_alone(tmp_path: Path) -> None:
    path = tmp_path / "result.dcm"
    for one in results():
        path.write_bytes(one.data)
        done = subprocess.run(["dciodvfy", "-new", path], capture_output=True, text=True, check=False, timeout=60)
        errors = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("Error")]
        assert errors
        assert all("Leading zeroes" in line for line in errors), errors
        assert all(any(f"<{uid}>" in line for uid in LEADING_ZEROS.values()) for line in errors), errors
