"""DCMTK's servers as peers: storescp keeps what we send bit by bit, dcmqrscp finds, sends and moves."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import pydicom
import pytest

from dicom_node.peers import (
    Cancel,
    Cause,
    EncodedObject,
    Level,
    Peer,
    RetrievedObject,
    Sent,
    TlsClient,
    echo,
    find,
    get,
    move,
    store,
)
from tests.dicom_builder import TRANSFER_SYNTAXES, build, gradient
from tests.node.orthanc_server import free_ports
from tests.node.peers.fakes import CERTIFICATES, OURS, PATIENT, THEIRS

pytestmark = pytest.mark.peers

#: What storescp takes; it knows the first prediction of JPEG lossless alone.
SYNTAXES = [name for name in TRANSFER_SYNTAXES if not name.startswith("htj2k") and name != "jpeg-lossless"]
#: What dcmqrscp takes with +xv.
ARCHIVED = ["implicit", "explicit", "big-endian", "jpeg2000-lossless"]
STUDY, SERIES = "2.25.1002", "2.25.1003"
TRUSTING = TlsClient(CERTIFICATES / "authority.pem")
KNOWN = TlsClient(CERTIFICATES / "authority.pem", CERTIFICATES / "client.pem", CERTIFICATES / "client.key")


@contextmanager
def running(folder: Path, peer: Peer, *command: str | int) -> Iterator[Peer]:
    """Run a DCMTK server until the end; it is there when an echo reaches it."""
    process = subprocess.Popen(
        [*map(str, command)],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "TCP_NODELAY": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    log: list[str] = []
    reader = threading.Thread(target=log.extend, args=(process.stdout,), daemon=True)
    reader.start()
    try:
        for _ in range(400):
            failure = echo(peer, calling_ae_title=OURS, timeouts=PATIENT).failure
            if failure is None or failure.cause is not Cause.UNREACHABLE:
                break
            assert process.poll() is None, f"{command[0]} has ended: {''.join(log)}"
            threading.Event().wait(0.05)  # a DCMTK server says nowhere that it listens
        yield peer
    finally:
        process.terminate()
        process.wait(30)
        reader.join(30)
        process.stdout.close()


def storescp(folder: Path, *options: str | int, tls: TlsClient | None = None) -> Iterator[Peer]:
    (port,) = free_ports(1)
    peer = Peer(THEIRS, "localhost", port, tls)
    return running(folder, peer, "storescp", "-od", folder, "+B", "+xa", "-pm", *options, port)


def dcmqrscp(folder: Path, our_port: int = 1) -> Iterator[Peer]:
    (port,) = free_ports(1)
    (folder / "archive").mkdir()
    (folder / "dcmqrscp.cfg").write_text(
        f"NetworkTCPPort = {port}\nMaxPDUSize = 131072\nMaxAssociations = 16\n"
        f"HostTable BEGIN\nnode = ({OURS}, localhost, {our_port})\nHostTable END\n"
        "VendorTable BEGIN\nVendorTable END\n"
        f"AETable BEGIN\n{THEIRS} {folder / 'archive'} RW (100, 1024mb) ANY\nAETable END\n",
        encoding="ascii",
    )
    peer = Peer(THEIRS, "localhost", port)
    return running(folder, peer, "dcmqrscp", "-c", folder / "dcmqrscp.cfg", "+xv")


def _objects(syntaxes: Sequence[str]) -> list[bytes]:
    return [
        build(
            bits_stored=8 if syntax == "jpeg-baseline" else 12,
            syntax=syntax,
            SOPInstanceUID=f"2.25.{400 + index}",
            SpecificCharacterSet="ISO_IR 100",
            PatientName="Müller^Jürgen",
            PatientBirthDate="20230405",
            PatientSex="O",
            StudyID="1",
            StudyTime="101112",
            AccessionNumber="A1",
            SeriesNumber=1,
            InstanceNumber=index,
        )
        for index, syntax in enumerate(syntaxes)
    ]


def _sent(outcomes: list[object]) -> list[Sent]:
    return [outcome.result for outcome in outcomes]  # type: ignore[attr-defined]


@pytest.mark.parametrize("longest", [4096, 131072])
def test_storescp_keeps_the_very_bytes(longest: int, tmp_path: Path) -> None:
    objects = _objects(SYNTAXES)
    with storescp(tmp_path, "-pdu", longest) as peer:
        outcomes = store(peer, objects, calling_ae_title=OURS, timeouts=PATIENT)
    assert _sent(outcomes) == [Sent.ACCEPTED] * len(objects)
    for data in objects:
        given = EncodedObject.of(data)
        kept = EncodedObject.of(next(tmp_path.glob(f"*.{given.sop_instance_uid}")).read_bytes())
        assert kept.transfer_syntax_uid == given.transfer_syntax_uid
        assert kept.source[kept.offset :] == data[given.offset :]


def test_storescp_that_takes_the_default_coding_only(tmp_path: Path) -> None:
    objects = [build(SOPInstanceUID="2.25.1", syntax="implicit"), build(SOPInstanceUID="2.25.2", syntax="rle")]
    with storescp(tmp_path, "+xi") as peer:
        outcomes = store(peer, objects, calling_ae_title=OURS, timeouts=PATIENT)
    assert _sent(outcomes) == [Sent.ACCEPTED, Sent.NOT_SENT]
    assert outcomes[1].words == "the peer does not accept Computed Radiography Image Storage in RLE Lossless"


@pytest.mark.parametrize(
    ("option", "possible"),
    [
        ("--abort-during", {Sent.NOT_SENT}),
        # It may have the object, or may have aborted before the end of it was out.
        ("--abort-after", {Sent.UNKNOWN, Sent.NOT_SENT}),
    ],
)
def test_storescp_that_aborts(option: str, possible: set[Sent], tmp_path: Path) -> None:
    large = [build(gradient(2500, 2048, 14), bits_stored=14, SOPInstanceUID=f"2.25.{index}") for index in (1, 2)]
    with storescp(tmp_path, option) as peer:
        outcomes = store(peer, large, calling_ae_title=OURS, timeouts=PATIENT)
    assert outcomes[0].result in possible
    assert outcomes[0].passing
    assert outcomes[1].result is Sent.NOT_SENT


def test_storescp_that_refuses(tmp_path: Path) -> None:
    with storescp(tmp_path, "--refuse") as peer:
        failure = echo(peer, calling_ae_title=OURS, timeouts=PATIENT).failure
    assert failure is not None
    assert failure.cause is Cause.REFUSED
    assert "may know neither our AE title CXR_NODE nor our address" in failure.words


def test_tls_with_certificates_on_both_sides(tmp_path: Path) -> None:
    files = (CERTIFICATES / "server.key", CERTIFICATES / "server.pem", "+cf", CERTIFICATES / "authority.pem")
    data = build(gradient(1024, 1024))
    with storescp(tmp_path, "+tls", *files, tls=KNOWN) as peer:
        (outcome,) = store(peer, [data], calling_ae_title=OURS, timeouts=PATIENT)
        without = echo(Peer(THEIRS, "localhost", peer.port, TRUSTING), calling_ae_title=OURS, timeouts=PATIENT).failure
    assert outcome.result is Sent.ACCEPTED
    (path,) = tmp_path.glob("*.2.25.1001")
    assert path.read_bytes().endswith(data[EncodedObject.of(data).offset :])
    assert without is not None
    assert "not take our certificate" in without.words


def test_dcmqrscp_finds_at_every_level(tmp_path: Path) -> None:
    objects = _objects(ARCHIVED)
    with dcmqrscp(tmp_path) as peer:
        assert _sent(store(peer, objects, calling_ae_title=OURS, timeouts=PATIENT)) == [Sent.ACCEPTED] * len(objects)
        keys = {
            Level.PATIENT: {"PatientName": "M*"},
            Level.STUDY: {"AccessionNumber": "A1", "StudyDate": "20251231-"},
            Level.SERIES: {"StudyInstanceUID": STUDY},
            Level.IMAGE: {"StudyInstanceUID": STUDY, "SeriesInstanceUID": SERIES},
        }
        found = {level: find(peer, level, keys[level], calling_ae_title=OURS, timeouts=PATIENT) for level in Level}
        limited = find(peer, Level.IMAGE, keys[Level.IMAGE], calling_ae_title=OURS, limit=3, timeouts=PATIENT)
    assert [(result.failure, result.is_complete) for result in found.values()] == [(None, True)] * 4
    (patient,) = found[Level.PATIENT].matches
    assert (patient.patient_id, str(patient.patient_birth_date)) == ("SYNTHETIC-T", "2023-04-05")
    (study,) = found[Level.STUDY].matches
    assert (study.study_instance_uid, study.accession_number, str(study.study_time)) == (STUDY, "A1", "10:11:12")
    (series,) = found[Level.SERIES].matches
    assert (series.series_instance_uid, series.modality, series.series_number) == (SERIES, "CR", 1)
    images = {EncodedObject.of(data).sop_instance_uid for data in objects}
    assert {match.sop_instance_uid for match in found[Level.IMAGE].matches} == images
    assert (len(limited.matches), limited.is_complete, limited.failure) == (3, False, None)


def test_dcmqrscp_sends_a_study_equal_element_by_element(tmp_path: Path) -> None:
    # By C-GET it sends no compressed object, and the others in one little endian coding.
    originals = {EncodedObject.of(data).sop_instance_uid: data for data in _objects(["implicit", "explicit"])}
    got: list[RetrievedObject] = []
    with dcmqrscp(tmp_path) as peer:
        store(peer, originals.values(), calling_ae_title=OURS, timeouts=PATIENT)
        keys = {"StudyInstanceUID": STUDY}
        result = get(peer, Level.STUDY, keys, got.append, calling_ae_title=OURS, timeouts=PATIENT)
    assert (result.failure, result.received) == (None, len(originals))
    for given in got:
        read = pydicom.dcmread(BytesIO(given.file_head() + given.data_set))
        assert read == pydicom.dcmread(BytesIO(originals[given.sop_instance_uid]))


def test_dcmqrscp_moves_to_storescp(tmp_path: Path) -> None:
    objects = _objects(ARCHIVED)[:3]
    (port,) = free_ports(1)
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    viewer = Peer(OURS, "localhost", port)
    with dcmqrscp(there, port) as peer, running(here, viewer, "storescp", "-od", here, "+B", "+xa", port):
        store(peer, objects, calling_ae_title=OURS, timeouts=PATIENT)
        keys = {"StudyInstanceUID": STUDY}
        result = move(peer, Level.STUDY, keys, OURS, calling_ae_title=OURS, timeouts=PATIENT)
        unknown = move(peer, Level.STUDY, keys, "NOBODY", calling_ae_title=OURS, timeouts=PATIENT)
    assert (result.failure, result.operations.completed) == (None, 3)
    assert len(list(here.iterdir())) == 3
    assert unknown.failure is not None
    assert "0xA801: move destination unknown" in unknown.failure.words


def test_a_cancel_of_a_large_retrieval(tmp_path: Path) -> None:
    large = gradient(2500, 2048, 14)
    objects = [build(large, bits_stored=14, SOPInstanceUID=f"2.25.{index + 1}", StudyID="1") for index in range(8)]
    cancel = Cancel()
    got: list[RetrievedObject] = []

    def take(given: RetrievedObject) -> None:
        got.append(given)
        cancel.set()

    with dcmqrscp(tmp_path) as peer:
        assert _sent(store(peer, objects, calling_ae_title=OURS, timeouts=PATIENT)) == [Sent.ACCEPTED] * 8
        keys = {"StudyInstanceUID": STUDY}
        result = get(peer, Level.STUDY, keys, take, calling_ae_title=OURS, timeouts=PATIENT, cancel=cancel)
    assert result.failure is not None
    assert result.failure.cause is Cause.CANCELLED
    assert len(got) < 8
