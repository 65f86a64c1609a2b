"""0x0111 from a web service or a peer: delivered when what is there was looked at and is ours."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pydicom
import pytest

from dicom_node.destinations.asking import duplicate, is_same
from dicom_node.destinations.outcome import Fate, Outcome, Outgoing
from dicom_node.destinations.stow import StowDestination
from dicom_node.peers import Cause, Failure, WebService, get_web
from tests.dicom_builder import build, gradient
from tests.node.orthanc_server import running_orthanc
from tests.node.peers.web_server import Web, serving

CR = "1.2.840.10008.5.1.4.1.1.1"
STUDY, SERIES, UID = "2.25.1002", "2.25.1003", "2.25.1001"
OURS_THERE = "it is there already, with this content"
ANOTHER = "there is an object of this UID with other content"
NOT_SHOWN = "there is an object of this UID, which cannot be looked at"
NOT_NOW = "there is an object of this UID, which could not be looked at now"


@pytest.fixture
def sent(tmp_path: Path) -> Outgoing:
    path = tmp_path / "object.dcm"
    path.write_bytes(content := build(gradient(16, 16)))
    return Outgoing(CR, UID, SERIES, STUDY, path, hashlib.sha256(content).hexdigest(), False)


def changed(data: bytes, **elements: str) -> bytes:
    data_set = pydicom.dcmread(io.BytesIO(data))
    for keyword, value in elements.items():
        setattr(data_set, keyword, value)
    buffer = io.BytesIO()
    data_set.save_as(buffer)
    return buffer.getvalue()


def service(status: int, content: bytes = b"", kind: str = 'multipart/related; type="application/dicom"; boundary=X'):
    """A web service that has an object of every UID already, and answers so when it is asked for one."""
    asked: list[str] = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        if handler.command == "POST":
            handler.rfile.read(int(handler.headers["Content-Length"]))
            failed = {
                "00081150": {"vr": "UI", "Value": [CR]},
                "00081155": {"vr": "UI", "Value": [UID]},
                "00081197": {"vr": "US", "Value": [0x0111]},
            }
            code, media, body = 409, "application/dicom+json", json.dumps({"00081198": {"vr": "SQ", "Value": [failed]}})
            whole = body.encode()
        else:
            asked.append(handler.path)
            part = b"\r\n--X\r\nContent-Type: application/dicom\r\n\r\n" + content + b"\r\n--X--\r\n"
            code, media, whole = status, kind, part
        handler.send_response(code)
        handler.send_header("Content-Type", media)
        handler.send_header("Content-Length", str(len(whole)))
        handler.end_headers()
        handler.wfile.write(whole)

    return Web(instead=answer), asked


@pytest.mark.parametrize(
    ("status", "content", "fate", "words"),
    [
        (200, lambda data: data, Fate.DELIVERED, OURS_THERE),
        (200, lambda data: changed(data, PatientName="CORRECTED^NAME"), Fate.DELIVERED, OURS_THERE),
        (200, lambda data: changed(data, BodyPartExamined="ABDOMEN"), Fate.HOPELESS, ANOTHER),
        (200, lambda data: b"no object", Fate.HOPELESS, NOT_SHOWN),
        (404, lambda data: b"", Fate.HOPELESS, NOT_SHOWN),
        (403, lambda data: b"", Fate.HOPELESS, NOT_SHOWN),
        (503, lambda data: b"", Fate.UNKNOWN, NOT_NOW),
    ],
    ids=["ours", "put right", "another", "rubbish", "no WADO", "not for us", "busy"],
)
def test_a_web_service_s_duplicate_is_looked_at(
    sent: Outgoing, status: int, content: Callable[[bytes], bytes], fate: Fate, words: str
) -> None:
    web, asked = service(status, content(sent.path.read_bytes()))
    told: dict[str, Outcome] = {}
    with serving(web):
        StowDestination(WebService(web.url), may_ask=True).send([sent], told.__setitem__)
    assert (told[UID].fate, told[UID].words) == (fate, words)
    assert asked == [f"/dicom-web/studies/{STUDY}/series/{SERIES}/instances/{UID}"]


PASSING = Failure(Cause.SILENT, "the peer is silent", passing=True)
NOT_OFFERED = Failure(Cause.NOT_OFFERED, "the peer does not accept C-GET")


@pytest.mark.parametrize(
    ("before", "failure", "fate"),
    [
        (False, None, Fate.HOPELESS),
        (False, NOT_OFFERED, Fate.HOPELESS),
        (False, PASSING, Fate.UNKNOWN),
        (True, PASSING, Fate.UNKNOWN),
        (True, NOT_OFFERED, Fate.DELIVERED),
        (True, None, Fate.DELIVERED),
    ],
)
def test_what_is_not_shown(sent: Outgoing, before: bool, failure: Failure | None, fate: Fate) -> None:
    assert duplicate(replace(sent, sent_before=before), [], failure).fate is fate


def test_what_is_shown_counts_whatever_was_sent_before(sent: Outgoing) -> None:
    other = pydicom.dcmread(io.BytesIO(changed(sent.path.read_bytes(), BodyPartExamined="ABDOMEN")))
    assert duplicate(replace(sent, sent_before=True), [other], None).fate is Fate.HOPELESS


@pytest.mark.peers
def test_orthanc_shows_what_it_has(sent: Outgoing, tmp_path: Path) -> None:
    folder = tmp_path / "orthanc"
    folder.mkdir()
    with running_orthanc(folder) as orthanc:
        web = WebService(orthanc.dicomweb_url)
        missing = get_web(web, STUDY, SERIES, UID)
        orthanc.upload(sent.path.read_bytes())
        found = get_web(web, STUDY, SERIES, UID)
    assert missing.data_set is None
    assert missing.failure is not None
    assert found.failure is None
    assert found.data_set is not None
    assert is_same(sent.path, found.data_set)
