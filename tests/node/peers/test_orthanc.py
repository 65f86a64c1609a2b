"""Orthanc as the peer: what we send it keeps element by element, and it finds, sends and commits what we ask for."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pydicom import uid
from pydicom.dataset import Dataset
from pynetdicom import AE, evt

from cxr_core.samples import write_samples
from dicom_node.peers import (
    Cancel,
    Cause,
    CommitmentReports,
    EncodedObject,
    Level,
    Peer,
    Reference,
    RetrievedObject,
    Sent,
    TlsClient,
    WebService,
    commit,
    echo,
    find,
    find_web,
    get,
    move,
    read_report,
    store,
    store_web,
)
from tests.dicom_builder import TRANSFER_SYNTAXES, build, gradient
from tests.node.orthanc_server import Modality, OrthancServer, free_ports, running_orthanc
from tests.node.peers.fakes import CERTIFICATES, OURS, PATIENT

pytestmark = pytest.mark.peers

#: Orthanc 1.10 keeps these as they come; it has no HTJ2K.
SYNTAXES = [name for name in TRANSFER_SYNTAXES if not name.startswith("htj2k")]
STUDY, SERIES = "2.25.1002", "2.25.1003"


@pytest.fixture(scope="module")
def our_port() -> int:
    return free_ports(1)[0]


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory, our_port: int) -> Iterator[OrthancServer]:
    modalities = {"node": Modality(OURS, our_port)}
    with running_orthanc(tmp_path_factory.mktemp("orthanc"), modalities=modalities) as server:
        yield server


@pytest.fixture
def peer(orthanc: OrthancServer) -> Iterator[Peer]:
    yield Peer(orthanc.ae_title, "127.0.0.1", orthanc.dicom_port)
    orthanc.clear()


@pytest.fixture
def web(orthanc: OrthancServer) -> Iterator[WebService]:
    yield WebService(orthanc.dicomweb_url)
    orthanc.clear()


def _read(data: bytes) -> Dataset:
    return pydicom.dcmread(BytesIO(data))


def _objects() -> list[bytes]:
    """One image of each coding, with text in several character sets."""
    return [
        build(
            bits_stored=8 if syntax == "jpeg-baseline" else 12,
            syntax=syntax,
            SOPInstanceUID=f"2.25.{400 + index}",
            SpecificCharacterSet=["", "ISO 2022 IR 87"],
            PatientName="Yamada^Tarou=山田^太郎=やまだ^たろう",
            InstanceNumber=index,
            AccessionNumber="A1",
            StudyTime="101112",
        )
        for index, syntax in enumerate(SYNTAXES)
    ]


def test_an_echo_and_a_wrong_title(peer: Peer) -> None:
    assert echo(peer, calling_ae_title=OURS, timeouts=PATIENT).failure is None
    failure = echo(Peer("WRONG", peer.host, peer.port), calling_ae_title=OURS, timeouts=PATIENT).failure
    assert failure is not None
    assert failure.words.startswith("the peer refused its AE title WRONG: called AE title not recognised")


@pytest.mark.parametrize("over", ["C-STORE", "STOW-RS"])
def test_objects_are_kept_equal_element_by_element(
    over: str, orthanc: OrthancServer, peer: Peer, web: WebService
) -> None:
    objects = _objects()
    if over == "C-STORE":
        outcomes = store(peer, objects, calling_ae_title=OURS, timeouts=PATIENT)
    else:
        outcomes = store_web(web, objects, timeouts=PATIENT)
    assert [outcome.result for outcome in outcomes] == [Sent.ACCEPTED] * len(objects)
    for data, outcome in zip(objects, outcomes, strict=True):
        kept = orthanc.file(outcome.sop_instance_uid)
        assert _read(kept) == _read(data)
        if EncodedObject.of(data).transfer_syntax_uid != uid.DeflatedExplicitVRLittleEndian:  # it deflates anew
            assert kept[EncodedObject.of(kept).offset :] == data[EncodedObject.of(data).offset :]


@pytest.mark.parametrize("over", ["C-STORE", "STOW-RS"])
def test_the_sample_studies_are_taken(over: str, peer: Peer, web: WebService, tmp_path: Path) -> None:
    write_samples(tmp_path)
    paths = sorted(tmp_path.rglob("*.dcm"))
    assert paths
    send = [store_web(web, paths)] if over == "STOW-RS" else [store(peer, paths, calling_ae_title=OURS)]
    assert {outcome.result for outcomes in send for outcome in outcomes} == {Sent.ACCEPTED}


def test_a_repeat_is_accepted(peer: Peer, web: WebService) -> None:
    # Orthanc tells no duplicate: it keeps the first object and answers success.
    data = _objects()[:1]
    for _ in range(2):
        assert store(peer, data, calling_ae_title=OURS, timeouts=PATIENT)[0].result is Sent.ACCEPTED
        assert store_web(web, data, timeouts=PATIENT)[0].result is Sent.ACCEPTED


def test_a_class_that_orthanc_does_not_know_is_not_sent(peer: Peer) -> None:
    (outcome,) = store(peer, [build(SOPClassUID="1.2.840.99999.1")], calling_ae_title=OURS, timeouts=PATIENT)
    assert outcome.result is Sent.NOT_SENT
    assert outcome.words.startswith("the peer does not accept 1.2.840.99999.1 in Explicit VR")


def test_what_orthanc_cannot_read_is_refused(peer: Peer, web: WebService) -> None:
    # Of what ends inside an element it waits for the rest, 30 s long.
    damaged = EncodedObject(uid.ComputedRadiographyImageStorage, "2.25.1", "1.2.840.10008.1.2.1", bytes(64))
    (by_dimse,) = store(peer, [damaged], calling_ae_title=OURS, timeouts=PATIENT)
    assert (by_dimse.result, by_dimse.status) == (Sent.REFUSED, 0xC000)
    (by_web,) = store_web(web, [damaged], timeouts=PATIENT)
    assert by_web.result is Sent.REFUSED
    assert "HTTP 400" in by_web.words


def test_queries_at_every_level(peer: Peer, web: WebService) -> None:
    objects = _objects()
    store(peer, objects, calling_ae_title=OURS, timeouts=PATIENT)
    keys = {
        Level.PATIENT: {"PatientName": "YAMADA*"},
        Level.STUDY: {"PatientName": "*山田*"},
        Level.SERIES: {"StudyInstanceUID": STUDY},
        Level.IMAGE: {"StudyInstanceUID": STUDY, "SeriesInstanceUID": SERIES},
    }
    found = {level: find(peer, level, keys[level], calling_ae_title=OURS, timeouts=PATIENT) for level in Level}
    assert [(result.failure, result.is_complete) for result in found.values()] == [(None, True)] * 4
    (patient,) = found[Level.PATIENT].matches
    assert (patient.patient_id, patient.patient_name) == ("SYNTHETIC-T", "Yamada^Tarou=山田^太郎=やまだ^たろう")
    (study,) = found[Level.STUDY].matches
    assert (study.study_instance_uid, study.instance_count, study.modalities_in_study) == (STUDY, len(objects), ("CR",))
    assert (study.accession_number, str(study.study_date), str(study.study_time)) == ("A1", "2026-01-01", "10:11:12")
    (series,) = found[Level.SERIES].matches
    assert (series.series_instance_uid, series.modality, series.body_part_examined) == (SERIES, "CR", "CHEST")
    images = {EncodedObject.of(data).sop_instance_uid for data in objects}
    assert {match.sop_instance_uid for match in found[Level.IMAGE].matches} == images
    assert {match.sop_class_uid for match in found[Level.IMAGE].matches} == {uid.ComputedRadiographyImageStorage}

    (study,) = find_web(web, Level.STUDY, {"PatientName": "YAMADA*"}).matches
    assert (study.study_instance_uid, study.patient_name) == (STUDY, "Yamada^Tarou=山田^太郎=やまだ^たろう")
    by_web = find_web(web, Level.IMAGE, {"StudyInstanceUID": STUDY}, limit=3)
    assert len(by_web.matches) == 3
    assert not by_web.is_complete


@pytest.mark.parametrize("known", [True, False])
def test_whether_an_object_is_there_is_asked_by_its_uids(known: bool, peer: Peer, web: WebService) -> None:
    if known:
        store(peer, [build()], calling_ae_title=OURS, timeouts=PATIENT)
    keys = {"StudyInstanceUID": STUDY, "SeriesInstanceUID": SERIES, "SOPInstanceUID": "2.25.1001"}
    found = find(peer, Level.IMAGE, keys, calling_ae_title=OURS, timeouts=PATIENT)
    by_web = find_web(web, Level.IMAGE, keys, timeouts=PATIENT)
    for result in (found, by_web):
        assert (result.failure, result.is_complete) == (None, True)
        assert [match.sop_instance_uid for match in result.matches] == ["2.25.1001"] * known


def test_a_limit_stops_orthanc(peer: Peer) -> None:
    store(peer, _objects(), calling_ae_title=OURS, timeouts=PATIENT)
    result = find(peer, Level.IMAGE, {"StudyInstanceUID": STUDY}, calling_ae_title=OURS, limit=2, timeouts=PATIENT)
    assert (len(result.matches), result.is_complete, result.failure) == (2, False, None)


def test_a_study_comes_back_as_it_was_sent(peer: Peer, tmp_path: Path) -> None:
    objects = _objects()
    store(peer, objects, calling_ae_title=OURS, timeouts=PATIENT)
    result = get(peer, Level.STUDY, {"StudyInstanceUID": STUDY}, tmp_path, calling_ae_title=OURS, timeouts=PATIENT)
    assert (result.failure, result.received) == (None, len(objects))
    for data in objects:
        path = tmp_path / f"{EncodedObject.of(data).sop_instance_uid}.dcm"
        # Each in its own coding, since each was proposed by itself.
        assert EncodedObject.of(path).transfer_syntax_uid == EncodedObject.of(data).transfer_syntax_uid
        assert pydicom.dcmread(path) == _read(data)


def test_objects_of_every_result_class_come_back(peer: Peer) -> None:
    classes = [
        uid.Comprehensive3DSRStorage,
        uid.SecondaryCaptureImageStorage,
        uid.GrayscaleSoftcopyPresentationStateStorage,
        uid.SegmentationStorage,
        uid.ParametricMapStorage,
        uid.DigitalXRayImageStorageForPresentation,
    ]
    objects = [
        build(gradient(8, 8), SOPClassUID=each, SOPInstanceUID=f"2.25.{i + 1}") for i, each in enumerate(classes)
    ]
    store(peer, objects, calling_ae_title=OURS, timeouts=PATIENT)
    got: list[RetrievedObject] = []
    result = get(peer, Level.STUDY, {"StudyInstanceUID": STUDY}, got.append, calling_ae_title=OURS, timeouts=PATIENT)
    assert result.failure is None
    assert sorted(each.sop_class_uid for each in got) == sorted(classes)


def test_a_class_that_was_not_proposed_fails_and_may_be_added(peer: Peer) -> None:
    odd = uid.VideoEndoscopicImageStorage
    data = build(gradient(8, 8), SOPClassUID=odd)
    assert store(peer, [data], calling_ae_title=OURS, timeouts=PATIENT)[0].result is Sent.ACCEPTED
    got: list[RetrievedObject] = []
    keys = {"StudyInstanceUID": STUDY}
    result = get(peer, Level.STUDY, keys, got.append, calling_ae_title=OURS, timeouts=PATIENT)
    assert result.failure is not None
    assert result.failure.cause is Cause.STATUS
    result = get(peer, Level.STUDY, keys, got.append, calling_ae_title=OURS, timeouts=PATIENT, extra_sop_classes=[odd])
    assert (result.failure, len(got)) == (None, 1)


def test_a_move_brings_the_study_to_a_listener(peer: Peer, our_port: int) -> None:
    objects = _objects()[:3]
    store(peer, objects, calling_ae_title=OURS, timeouts=PATIENT)
    received: dict[str, bytes] = {}

    def take(event: evt.Event) -> int:
        received[event.request.AffectedSOPInstanceUID] = event.request.DataSet.getvalue()
        return 0

    entity = AE(ae_title=OURS)
    entity.add_supported_context(uid.ComputedRadiographyImageStorage, list(TRANSFER_SYNTAXES.values()))
    server = entity.start_server(("127.0.0.1", our_port), block=False, evt_handlers=[(evt.EVT_C_STORE, take)])
    try:
        result = move(peer, Level.STUDY, {"StudyInstanceUID": STUDY}, OURS, calling_ae_title=OURS, timeouts=PATIENT)
    finally:
        server.shutdown()
    assert result.failure is None
    assert result.operations.completed == 3
    assert received == {
        EncodedObject.of(data).sop_instance_uid: data[EncodedObject.of(data).offset :] for data in objects
    }


def test_a_move_to_nobody(peer: Peer) -> None:
    store(peer, [build()], calling_ae_title=OURS, timeouts=PATIENT)
    result = move(peer, Level.STUDY, {"StudyInstanceUID": STUDY}, "NOBODY", calling_ae_title=OURS, timeouts=PATIENT)
    assert result.failure is not None
    assert result.failure.words.startswith("the peer answered C-MOVE with 0x")


def test_orthanc_commits_on_an_association_of_its_own(peer: Peer, our_port: int) -> None:
    store(peer, [build()], calling_ae_title=OURS, timeouts=PATIENT)
    here = Reference(uid.ComputedRadiographyImageStorage, "2.25.1001")
    missing = Reference(uid.ComputedRadiographyImageStorage, "2.25.404")
    reports = CommitmentReports()

    def take(event: evt.Event) -> tuple[int, None]:
        assert reports.deliver(read_report(event.event_information))
        return 0, None

    entity = AE(ae_title=OURS)
    entity.add_supported_context("1.2.840.10008.1.20.1", scu_role=True, scp_role=True)
    handlers = [(evt.EVT_N_EVENT_REPORT, take)]
    server = entity.start_server(("127.0.0.1", our_port), block=False, evt_handlers=handlers)
    try:
        results = [
            commit(peer, references, calling_ae_title=OURS, wait_seconds=60, reports=reports, timeouts=PATIENT)
            for references in ([here], [here, missing])
        ]
    finally:
        server.shutdown()
    assert [result.failure for result in results] == [None, None]
    assert results[0].is_committed(here)
    assert results[1].is_committed(here)
    assert not results[1].is_committed(missing)
    assert results[1].report is not None
    assert results[1].report.failed == {missing: "0x0112: no such sop instance"}


def test_an_application_that_orthanc_does_not_know_is_committed_nothing(peer: Peer) -> None:
    result = commit(peer, [Reference("1.2.3", "2.25.1")], calling_ae_title="STRANGER", timeouts=PATIENT)
    assert result.report is None
    assert result.failure is not None


def test_a_cancel_of_a_large_retrieval(peer: Peer) -> None:
    large = gradient(2500, 2048, 14)
    objects = [build(large, bits_stored=14, SOPInstanceUID=f"2.25.{index + 1}") for index in range(8)]
    store(peer, objects, calling_ae_title=OURS, timeouts=PATIENT)
    cancel = Cancel()
    got: list[RetrievedObject] = []

    def take(given: RetrievedObject) -> None:
        got.append(given)
        cancel.set()

    keys = {"StudyInstanceUID": STUDY}
    result = get(peer, Level.STUDY, keys, take, calling_ae_title=OURS, timeouts=PATIENT, cancel=cancel)
    assert result.failure is not None
    assert result.failure.cause is Cause.CANCELLED
    assert len(got) < 8


def test_several_sends_at_once(orthanc: OrthancServer, peer: Peer) -> None:
    objects = [build(gradient(64, 64), SOPInstanceUID=f"2.25.{index + 1}") for index in range(16)]
    results: list[Sent] = []

    def send(share: list[bytes]) -> None:
        results.extend(outcome.result for outcome in store(peer, share, calling_ae_title=OURS, timeouts=PATIENT))

    threads = [threading.Thread(target=send, args=(objects[start::4],)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert results == [Sent.ACCEPTED] * 16
    assert len(orthanc.ask("/instances")) == 16


def test_tls_with_certificates_on_both_sides(tmp_path: Path) -> None:
    settings = {
        "DicomTlsEnabled": True,
        "DicomTlsCertificate": str(CERTIFICATES / "server.pem"),
        "DicomTlsPrivateKey": str(CERTIFICATES / "server.key"),
        "DicomTlsTrustedCertificates": str(CERTIFICATES / "authority.pem"),
    }
    trusting = TlsClient(CERTIFICATES / "authority.pem")
    known = TlsClient(CERTIFICATES / "authority.pem", CERTIFICATES / "client.pem", CERTIFICATES / "client.key")
    strange = TlsClient(CERTIFICATES / "stranger.pem")
    with running_orthanc(tmp_path, settings=settings) as server:
        peers = {
            tls: Peer(server.ae_title, "localhost", server.dicom_port, tls) for tls in (known, trusting, strange, None)
        }
        assert echo(peers[known], calling_ae_title=OURS, timeouts=PATIENT).failure is None
        data = build(gradient(1024, 1024))
        assert store(peers[known], [data], calling_ae_title=OURS, timeouts=PATIENT)[0].result is Sent.ACCEPTED
        kept = server.file("2.25.1001")
        assert kept[EncodedObject.of(kept).offset :] == data[EncodedObject.of(data).offset :]
        failures = {
            tls: echo(peers[tls], calling_ae_title=OURS, timeouts=PATIENT).failure for tls in (trusting, strange, None)
        }
    assert "not take our certificate" in str(failures[trusting])
    assert "is not trusted" in str(failures[strange])
    assert failures[None] is not None
    assert failures[None].cause is Cause.LOST
