"""Result objects going out: what is made together, outcomes as they really were, another try for what is open."""

from __future__ import annotations

import gc
import threading
from dataclasses import replace
from pathlib import Path

import pydicom
import pytest
from pynetdicom import evt
from pytestqt.qtbot import QtBot

from cxr_core.digest import encoded_digest
from cxr_core.results.records import ResultObject
from cxr_desktop.output.delivery import Delivery
from cxr_desktop.output.results import Outcome, object_file_name, save, send, studies_of, summary, try_pacs
from cxr_desktop.state.settings import PacsEntry
from dicom_node.peers import Cancel, Peer
from tests.desktop.answers_builder import answer, out_of_domain, positive, refused
from tests.desktop.output.results_builder import ANSWERED, answered_film, result_objects
from tests.node.orthanc_server import free_ports, running_orthanc
from tests.node.peers.fakes import THEIRS, scp
from tests.node.peers.test_dcmtk import storescp

EXPLICIT = "1.2.840.10008.1.2.1"


@pytest.fixture(scope="module")
def objects() -> list[ResultObject]:
    return result_objects()


def entry_of(peer: Peer) -> PacsEntry:
    return PacsEntry("Test", peer.ae_title, peer.host, peer.port)


def outcomes_of(
    work: object, objects: list[ResultObject], place: object, cancel: Cancel | None = None
) -> list[Outcome]:
    told: dict[int, Outcome] = {}
    work(objects, place, cancel or Cancel(), told.__setitem__)  # type: ignore[operator]
    return [told[number] for number in range(len(objects))]


def test_one_report_is_on_one_study_and_one_model() -> None:
    films = [
        answered_film(positive(), SOPInstanceUID="2.25.1"),
        answered_film(answer(name="mobilenetv2"), SOPInstanceUID="2.25.1"),
        answered_film(out_of_domain(), SOPInstanceUID="2.25.2"),
        answered_film(refused(), SOPInstanceUID="2.25.3"),
        answered_film(positive(), SOPInstanceUID="2.25.4", StudyInstanceUID="2.25.99"),
        answered_film(refused(), SOPInstanceUID="2.25.5", StudyInstanceUID="2.25.98"),
        answered_film(None, SOPInstanceUID="2.25.6"),
        replace(answered_film(positive()), loaded=replace(answered_film(None).loaded, data_set=None)),
    ]
    studies, left_out = studies_of(films)
    contents = [[films[n].loaded.content for n in numbers] for numbers in ((3, 0, 2), (3, 1), (4,), (5,))]
    assert [[image.content for image in images] for images in studies] == contents
    assert all(image.received == ANSWERED for images in studies for image in images)
    assert [line.split(": ")[1] for line in left_out] == [
        "not analysed; ask the model first",
        "a picture without a DICOM header; export a picture or report",
    ]


def test_saved_once_there_already_then_and_nothing_is_replaced(objects: list[ResultObject], tmp_path: Path) -> None:
    assert [outcome.status for outcome in outcomes_of(save, objects, tmp_path)] == ["saved"] * 3
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == sorted(f"{made.kind}-{made.sop_instance_uid}.dcm" for made in objects)
    assert "SYNTHETIC" not in "".join(names)
    assert {pydicom.dcmread(tmp_path / name).Modality for name in names} == {"SR", "OT", "PR"}
    taken = tmp_path / object_file_name(objects[1])
    taken.write_bytes(b"something of the reader's")
    again = outcomes_of(save, objects, tmp_path)
    assert [outcome.status for outcome in again] == ["there already", "failed", "there already"]
    assert "other content" in again[1].words
    assert taken.read_bytes() == b"something of the reader's"


def test_a_folder_that_is_not_there_is_told_for_each(objects: list[ResultObject], tmp_path: Path) -> None:
    outcomes = outcomes_of(save, objects, tmp_path / "gone")
    assert {(outcome.status, outcome.delivered) for outcome in outcomes} == {("failed", False)}
    assert "not there" in outcomes[0].words


def contexts(objects: list[ResultObject]) -> list[tuple[str, str | None]]:
    return [(made.sop_class_uid, EXPLICIT) for made in objects]


def test_every_object_has_the_status_that_the_pacs_gave(objects: list[ResultObject]) -> None:
    statuses = dict(zip((made.sop_instance_uid for made in objects), (0x0000, 0xB000, 0xA700), strict=True))
    received: list[str] = []

    def keep(event: evt.Event) -> pydicom.Dataset:
        received.append(event.request.AffectedSOPInstanceUID)
        answer = pydicom.Dataset()
        answer.Status = statuses[received[-1]]
        answer.ErrorComment = "disk 7 is full"
        return answer

    with scp(contexts(objects), [(evt.EVT_C_STORE, keep)]) as peer:
        outcomes = outcomes_of(send, objects, entry_of(peer))
    assert [outcome.status for outcome in outcomes] == ["accepted", "warning", "refused"]
    assert [outcome.delivered for outcome in outcomes] == [True, True, False]
    assert "0xA700" in outcomes[2].words
    assert "out of resources" in outcomes[2].words
    assert "disk 7 is full" in outcomes[2].words
    assert summary(outcomes) == "2 of 3 delivered, 1 refused"


def test_what_was_refused_is_tried_again_and_nothing_else(qtbot: QtBot, objects: list[ResultObject]) -> None:
    refusals = {objects[1].sop_instance_uid: [0xA700]}
    received: list[str] = []

    def keep(event: evt.Event) -> int:
        received.append(event.request.AffectedSOPInstanceUID)
        return refusals.get(received[-1], []).pop() if refusals.get(received[-1]) else 0

    delivery = Delivery(objects)
    with scp(contexts(objects), [(evt.EVT_C_STORE, keep)]) as peer:
        for _ in range(2):
            with qtbot.waitSignal(delivery.ended, timeout=30_000):
                delivery.send_to(entry_of(peer))
            if len(received) == 3:
                assert [outcome.status for outcome in delivery.outcomes] == ["accepted", "refused", "accepted"]
                assert delivery.open == [1]
    assert [outcome.status for outcome in delivery.outcomes] == ["accepted"] * 3
    assert received == [*(made.sop_instance_uid for made in objects), objects[1].sop_instance_uid]


def test_cancel_tells_what_is_known_of_each_object(qtbot: QtBot, objects: list[ResultObject]) -> None:
    reached, go_on = threading.Event(), threading.Event()

    def keep(event: evt.Event) -> int:
        reached.set()
        go_on.wait(60)
        return 0

    delivery = Delivery(objects)
    with scp(contexts(objects), [(evt.EVT_C_STORE, keep)]) as peer:
        with qtbot.waitSignal(delivery.ended, timeout=30_000) as ended:
            delivery.send_to(entry_of(peer))
            qtbot.waitUntil(reached.is_set, timeout=30_000)
            delivery.cancel()
        go_on.set()
    assert ended.args == [""]
    assert [outcome.status for outcome in delivery.outcomes] == ["unknown", "not sent", "not sent"]
    assert "the peer may have the object" in delivery.outcomes[0].words
    assert not delivery.running


def test_nobody_listening_is_told_in_words(objects: list[ResultObject]) -> None:
    (port,) = free_ports(1)
    entry = PacsEntry("Test", THEIRS, "127.0.0.1", port)
    outcomes = outcomes_of(send, objects, entry)
    assert {outcome.status for outcome in outcomes} == {"not sent"}
    assert "refused" in outcomes[0].words or "no connection" in outcomes[0].words
    assert try_pacs(entry) == outcomes[0].words[:1].upper() + outcomes[0].words[1:]


def test_a_pacs_is_tried_by_echo() -> None:
    with scp([("1.2.840.10008.1.1", None)]) as peer:
        assert try_pacs(entry_of(peer)).startswith("The peer answered in ")
        unknown = replace(entry_of(peer), tls=True, tls_ca="/no/such/file.pem")
        assert "answered" not in try_pacs(unknown)


@pytest.mark.peers
def test_dcmtk_takes_all_three_bit_by_bit(objects: list[ResultObject], tmp_path: Path) -> None:
    with storescp(tmp_path) as peer:
        entry = entry_of(peer)
        assert try_pacs(entry).startswith("The peer answered in ")
        outcomes = outcomes_of(send, objects, entry)
    assert [outcome.status for outcome in outcomes] == ["accepted"] * 3
    kept = {digest(path.read_bytes()) for path in tmp_path.iterdir()}
    assert {digest(made.data) for made in objects} == kept


@pytest.mark.peers
def test_dcmtk_that_refuses_is_told(objects: list[ResultObject], tmp_path: Path) -> None:
    with storescp(tmp_path, "--refuse") as peer:
        outcomes = outcomes_of(send, objects, entry_of(peer))
    assert {outcome.status for outcome in outcomes} == {"not sent"}
    assert "refused the association" in outcomes[0].words


@pytest.mark.peers
def test_orthanc_takes_all_three(objects: list[ResultObject], tmp_path: Path) -> None:
    with running_orthanc(tmp_path) as server:
        entry = PacsEntry("Orthanc", server.ae_title, "127.0.0.1", server.dicom_port)
        assert [outcome.status for outcome in outcomes_of(send, objects, entry)] == ["accepted"] * 3
        held = {one["MainDicomTags"]["SOPInstanceUID"] for one in server.ask("/instances?expand")}
        assert held == {made.sop_instance_uid for made in objects}


def digest(content: bytes) -> str:
    """Of the data set: the receiver writes its own file meta."""
    data = pydicom.dcmread(pydicom.filebase.DicomBytesIO(content))
    start = 132 + 12 + int(data.file_meta.FileMetaInformationGroupLength)
    return encoded_digest(content[start:])


def test_a_delivery_outlives_who_started_it(qtbot: QtBot, objects: list[ResultObject], tmp_path: Path) -> None:
    ended: list[str] = []

    def start() -> None:
        delivery = Delivery(objects)
        delivery.ended.connect(ended.append)
        delivery.save_to(tmp_path)

    start()
    gc.collect()
    qtbot.waitUntil(lambda: ended == [""], timeout=30_000)
    assert len(list(tmp_path.glob("*.dcm"))) == 3
