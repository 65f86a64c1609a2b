"""DCMTK as the sender: echoscu, storescu and dcmsend."""

from __future__ import annotations

import os
import subprocess
import threading

import pytest

from dicom_node.listener.contexts import TRANSFER_SYNTAXES
from dicom_node.received import Answer
from tests.dicom_builder import EIGHT_BIT, build
from tests.dicom_builder import TRANSFER_SYNTAXES as KNOWN
from tests.node.listener.harness import PATIENCE_SECONDS, make_certificates, running

pytestmark = pytest.mark.peers

DX, DX_PROCESSING = "1.2.840.10008.5.1.4.1.1.1.1", "1.2.840.10008.5.1.4.1.1.1.1.1"
SC, SR, PR = "1.2.840.10008.5.1.4.1.1.7", "1.2.840.10008.5.1.4.1.1.88.34", "1.2.840.10008.5.1.4.1.1.11.1"
CT = "1.2.840.10008.5.1.4.1.1.2"


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"TCP_NODELAY": "1"}
    return subprocess.run(
        [str(argument) for argument in arguments],
        capture_output=True,
        text=True,
        env=environment,
        timeout=3 * PATIENCE_SECONDS,
        check=False,
    )


def data_set(file: bytes) -> bytes:
    """What follows the file meta information of a built file."""
    return file[144 + int.from_bytes(file[140:144], "little") :]


def test_echoscu_is_answered_and_a_wrong_title_is_not():
    with running() as node:
        assert run("echoscu", "-aec", "CXR_NODE", "127.0.0.1", node.port).returncode == 0
        refused = run("echoscu", "-v", "-aec", "OTHER", "127.0.0.1", node.port)
        assert refused.returncode != 0
        assert "Called AE Title Not Recognized" in refused.stderr + refused.stdout


@pytest.mark.parametrize("name", sorted(name for name, syntax in KNOWN.items() if syntax in TRANSFER_SYNTAXES))
def test_dcmsend_sends_every_compressed_syntax_as_it_is(tmp_path, name):
    """Of uncompressed ones DCMTK leaves the choice to us, and converts to explicit little endian."""
    file = build(syntax=name, bits_stored=8 if name in EIGHT_BIT else 12, SOPInstanceUID="2.25.77")
    (tmp_path / "image.dcm").write_bytes(file)
    with running() as node:
        sent = run("dcmsend", "-v", "-dn", "-aec", "CXR_NODE", "127.0.0.1", node.port, tmp_path / "image.dcm")
        assert sent.returncode == 0, sent.stderr + sent.stdout
        received = node.sink.received[0]
    kept = name not in ("implicit", "explicit", "big-endian")
    assert received.transfer_syntax_uid == (KNOWN[name] if kept else KNOWN["explicit"])
    assert received.sop_instance_uid == "2.25.77"
    if name == "explicit":  # DCMTK writes others anew: lengths, offset tables, deflation
        assert node.sink.data_sets == [data_set(file)]


@pytest.mark.parametrize("pdu", [4096, 16384, 131072])
def test_storescu_sends_large_objects_in_any_pdu_length(tmp_path, pdu):
    file = build(ImageComments="x", PixelData=bytes(range(256)) * 20_000)
    (tmp_path / "image.dcm").write_bytes(file)
    with running(max_pdu_bytes=pdu) as node:
        sent = run("storescu", "-aec", "CXR_NODE", "127.0.0.1", node.port, tmp_path / "image.dcm")
        assert sent.returncode == 0, sent.stderr
        assert node.events.wait("closed")[0].reason == "released"
    assert node.sink.data_sets == [data_set(file)]


def test_a_study_of_all_classes_is_taken_but_no_others(tmp_path):
    for n, sop_class in enumerate([DX, DX_PROCESSING, SC, SR, PR, CT]):
        file = build(SOPClassUID=sop_class, SOPInstanceUID=f"2.25.{n + 1}")
        (tmp_path / f"{n}.dcm").write_bytes(file)
    with running() as node:
        sent = run("dcmsend", "-v", "-nh", "-aec", "CXR_NODE", "127.0.0.1", node.port, *sorted(tmp_path.iterdir()))
        assert "with status SUCCESS  : 5" in sent.stdout + sent.stderr
        assert {r.sop_class_uid for r in node.sink.received} == {DX, DX_PROCESSING, SC, SR, PR}


def test_dcmtk_shows_status_and_comment_of_a_refused_object(tmp_path):
    (tmp_path / "image.dcm").write_bytes(build())
    with running() as node:
        node.sink.behave = lambda received: Answer(0xC000, "another object has this UID")
        sent = run("storescu", "-d", "-aec", "CXR_NODE", "127.0.0.1", node.port, tmp_path / "image.dcm")
    assert "0xc000" in sent.stderr + sent.stdout
    assert "another object has this UID" in sent.stderr + sent.stdout


def test_four_senders_at_once_while_one_is_killed(tmp_path):
    file = b""
    for n in range(1, 9):
        file = build(SOPInstanceUID=f"2.25.{n}", PixelData=bytes(4_000_000))
        (tmp_path / f"{n}.dcm").write_bytes(file)
    files = sorted(map(str, tmp_path.iterdir()))
    stored = threading.Semaphore(0)

    def count(received):
        stored.release()
        return Answer(0x0000)

    with running() as node:
        node.sink.behave = count
        command = ["dcmsend", "-aec", "CXR_NODE", "127.0.0.1", str(node.port), *files]
        environment = os.environ | {"TCP_NODELAY": "1"}
        senders = [subprocess.Popen(command, env=environment) for _ in range(4)]
        killed = senders.pop()
        assert all(stored.acquire(timeout=PATIENCE_SECONDS) for _ in range(4))
        killed.kill()
        killed.wait()
        assert [sender.wait(3 * PATIENCE_SECONDS) for sender in senders] == [0, 0, 0]
        node.events.wait("closed", 4)
    assert len(node.sink.received) >= 24
    assert {len(data) for data in node.sink.data_sets} == {len(data_set(file))}


@pytest.mark.parametrize("certificate", [True, False])
def test_storescu_over_tls_with_and_without_its_certificate(tmp_path, certificate):
    make_certificates(tmp_path)
    (tmp_path / "image.dcm").write_bytes(build(PixelData=bytes(3_000_000)))
    tls = {
        "tls": True,
        "tls_certificate": tmp_path / "server.pem",
        "tls_key": tmp_path / "server.key",
        "tls_client_ca": tmp_path / "ca.pem",
    }
    own = ["+tls", tmp_path / "client.key", tmp_path / "client.pem"] if certificate else ["+tla"]
    with running(**tls) as node:
        where = ["-aec", "CXR_NODE", "127.0.0.1", node.port, tmp_path / "image.dcm"]
        sent = run("storescu", *own, "+cf", tmp_path / "ca.pem", *where)
        assert (sent.returncode == 0) is certificate, sent.stderr
        assert len(node.sink.received) == certificate
