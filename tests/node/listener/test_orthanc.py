"""Orthanc as the sender, as the one who asks for commitment, and as the archive that commits."""

from __future__ import annotations

import threading
import time

import pytest
from pydicom import dcmread
from pydicom.filebase import DicomBytesIO
from pynetdicom import AE, build_role

from dicom_node.listener.commitment import event_information
from dicom_node.received import CommitmentReport, InstanceReference
from tests.dicom_builder import build
from tests.node.listener.harness import CR, EXPLICIT, PATIENCE_SECONDS, running
from tests.node.listener.test_commitment import INSTANCE, PUSH, KeepingCommitment, information
from tests.node.orthanc_server import Modality, free_ports, running_orthanc

pytestmark = pytest.mark.peers


@pytest.fixture(scope="module")
def port():
    return free_ports(1)[0]


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory, port):
    with running_orthanc(tmp_path_factory.mktemp("orthanc"), modalities={"NODE": Modality("CXR_NODE", port)}) as server:
        yield server


@pytest.fixture
def image(orthanc):
    """Orthanc's identifier of an image that it keeps, and its bytes."""
    file = build(SOPInstanceUID="2.25.4711", syntax="jpeg2000-lossless")
    yield orthanc.upload(file), file
    orthanc.clear()


def listed(orthanc):
    return ({"ae_title": orthanc.ae_title, "host": "localhost", "port": orthanc.dicom_port},)


def test_orthanc_sends_what_it_keeps(orthanc, port, image):
    identifier, file = image
    with running(port=port, peers=listed(orthanc)) as node:
        answer = orthanc.send("/modalities/NODE/store", [identifier])
        assert answer["FailedInstancesCount"] == 0
        node.events.wait("opened")
        received = node.sink.received[0]
    sent, kept = dcmread(DicomBytesIO(file)), dcmread(DicomBytesIO(node.sink.data_sets[0]), force=True)
    assert received.calling_ae_title == "ORTHANC"
    assert received.transfer_syntax_uid == sent.file_meta.TransferSyntaxUID
    assert kept.PixelData == sent.PixelData


def test_orthanc_is_told_of_what_it_asked_to_be_kept(orthanc, port):
    """It has left when the report is due: a new association, on which we are the SCP, brings it."""
    sink = KeepingCommitment()
    asked = threading.Event()
    sink.requested = lambda request: sink.requests.append(request) or asked.set() or 0x0000

    def report_elsewhere(report):
        ae = AE("CXR_NODE")
        ae.add_requested_context(PUSH, [EXPLICIT])
        role = build_role(PUSH, scu_role=False, scp_role=True)
        association = ae.associate("127.0.0.1", orthanc.dicom_port, ae_title=report.ae_title, ext_neg=[role])
        event_type, told = event_information(report)
        status, _ = association.send_n_event_report(told, event_type, PUSH, INSTANCE)
        association.release()
        return status.Status == 0x0000

    with running(port=port, peers=listed(orthanc), commitment=sink, report_elsewhere=report_elsewhere) as node:
        job = orthanc.send(
            "/modalities/NODE/storage-commitment",
            {"DicomInstances": [{"SOPClassUID": CR, "SOPInstanceUID": uid} for uid in ("2.25.1", "2.25.2")]},
        )
        assert asked.wait(PATIENCE_SECONDS)
        request = sink.requests[0]
        assert [reference.sop_instance_uid for reference in request.instances] == ["2.25.1", "2.25.2"]
        node.events.wait("closed")
        kept, lost = request.instances
        report = CommitmentReport(request.transaction_uid, request.calling_ae_title, (kept,), ((lost, 0x0112),))
        assert node.listener.report(report)
    outcome = orthanc.ask(job["Path"])
    assert outcome["Status"] == "Failure"
    assert [entry["SOPInstanceUID"] for entry in outcome["Success"]] == ["2.25.1"]
    assert [entry["SOPInstanceUID"] for entry in outcome["Failures"]] == ["2.25.2"]


def test_orthanc_reports_to_the_listener_what_it_commits(orthanc, port, image):
    sink = KeepingCommitment()
    reported = threading.Event()
    sink.reported = lambda report: sink.reports.append(report) or reported.set() or 0x0000
    with running(port=port, peers=listed(orthanc), commitment=sink) as node:
        ae = AE("CXR_NODE")
        ae.add_requested_context(PUSH, [EXPLICIT])
        association = ae.associate("127.0.0.1", orthanc.dicom_port, ae_title=orthanc.ae_title)
        here, missing = InstanceReference(CR, "2.25.4711"), InstanceReference(CR, "2.25.999")
        status, _ = association.send_n_action(information(references=(here, missing)), 1, PUSH, INSTANCE)
        assert status.Status == 0x0000
        association.release()
        assert reported.wait(PATIENCE_SECONDS)
        node.events.wait("closed")
    assert sink.reports == [CommitmentReport("2.25.9", "ORTHANC", (here,), ((missing, 0x0112),))]


def test_what_orthanc_sends_is_refused_without_space_and_taken_afterwards(orthanc, port, image):
    identifier, _ = image
    job = {"Resources": [identifier], "Synchronous": False, "Permissive": False}
    with running(port=port, peers=listed(orthanc)) as node:
        node.sink.space = False
        path = orthanc.send("/modalities/NODE/store", job)["Path"]
        node.events.wait("refused")
        until = time.monotonic() + PATIENCE_SECONDS
        while (state := orthanc.ask(path)["State"]) not in ("Failure", "Success"):
            assert time.monotonic() < until
            threading.Event().wait(0.05)
        assert state == "Failure"
        node.sink.space = True
        assert orthanc.send("/modalities/NODE/store", [identifier])["FailedInstancesCount"] == 0
        assert len(node.sink.received) == 1
