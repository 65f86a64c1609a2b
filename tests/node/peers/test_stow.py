"""STOW-RS and QIDO-RS against a web server that answers as a test says."""

from __future__ import annotations

from dataclasses import replace
from email import message_from_bytes
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from cxr_core.errors import SettingsError
from dicom_node.peers import Cancel, Cause, EncodedObject, Level, Sent, StoreOutcome, WebService, find_web, store_web
from tests.dicom_builder import build, gradient
from tests.node.orthanc_server import free_ports
from tests.node.peers.fakes import CERTIFICATES, PATIENT, server_context
from tests.node.peers.web_server import Web, serving

SHORT = replace(PATIENT, dimse_seconds=0.2)
UIDS = ["2.25.101", "2.25.102", "2.25.103"]


def _objects(count: int = 3) -> list[bytes]:
    return [build(gradient(8, 8), SOPInstanceUID=uid) for uid in UIDS[:count]]


def _store(web: Web, objects: list[Any] | None = None, **options: Any) -> list[StoreOutcome]:
    with serving(web):
        return store_web(
            WebService(web.url), _objects() if objects is None else objects, **{"timeouts": PATIENT} | options
        )


def _results(outcomes: list[StoreOutcome]) -> list[Sent]:
    return [outcome.result for outcome in outcomes]


def _items(*items: tuple[str, int | None], reason: str) -> dict[str, Any]:
    return {
        "vr": "SQ",
        "Value": [
            {"00081155": {"vr": "UI", "Value": [uid]}}
            | ({reason: {"vr": "US", "Value": [code]}} if code is not None else {})
            for uid, code in items
        ],
    }


def _stored(*items: tuple[str, int | None]) -> dict[str, Any]:
    return {"00081199": _items(*items, reason="00081196")}


def _failed(*items: tuple[str, int | None]) -> dict[str, Any]:
    return {"00081198": _items(*items, reason="00081197")}


def test_the_very_bytes_go_out_as_parts(tmp_path: Path) -> None:
    first, second, third = _objects()
    path = tmp_path / "object.dcm"
    path.write_bytes(second)
    whole = EncodedObject.of(third)
    bare = replace(whole, source=third[whole.offset :], offset=0)
    web = Web(body=_stored(*((uid, None) for uid in UIDS)))
    outcomes = _store(web, [first, path, bare])
    assert _results(outcomes) == [Sent.ACCEPTED] * 3
    assert [outcome.sop_instance_uid for outcome in outcomes] == UIDS
    ((address, headers, data),) = web.requests
    assert address == "/dicom-web/studies"
    assert headers["Accept"] == "application/dicom+json"
    assert int(headers["Content-Length"]) == len(data)
    message = message_from_bytes(f"Content-Type: {headers['Content-Type']}\r\n\r\n".encode() + data, policy=HTTP)
    assert message.get_content_type() == "multipart/related"
    assert message.get_param("type") == "application/dicom"
    boundary = message.get_boundary()
    assert boundary is not None
    parts = [part.partition(b"\r\n\r\n")[2] for part in data.split(f"\r\n--{boundary}".encode())[1:-1]]
    assert parts[:2] == [first, second]
    sent = EncodedObject.of(parts[2])
    assert parts[2][sent.offset :] == third[whole.offset :]
    assert (sent.sop_class_uid, sent.sop_instance_uid) == (whole.sop_class_uid, whole.sop_instance_uid)
    assert data.endswith(f"\r\n--{boundary}--\r\n".encode())


def test_each_instance_has_its_own_outcome() -> None:
    body = _stored((UIDS[0], 0xB000)) | _failed((UIDS[1], 0x0111), (UIDS[2], 0xA700))
    warned, duplicate, refused = _store(Web(202, body))
    assert (warned.result, warned.status) == (Sent.WARNING, 0xB000)
    assert "0xB000: coercion of data elements" in warned.words
    assert (duplicate.result, duplicate.status) == (Sent.DUPLICATE, 0x0111)
    assert (refused.result, refused.status, refused.passing) == (Sent.REFUSED, 0xA700, True)
    assert "0xA700: refused: out of resources" in refused.words


def test_a_conflict_names_what_was_refused() -> None:
    outcomes = _store(Web(409, _failed((UIDS[0], 0x0122), (UIDS[1], None))))
    assert _results(outcomes) == [Sent.REFUSED] * 3
    assert [outcome.status for outcome in outcomes] == [0x0122, None, None]
    assert "sop class not supported" in outcomes[0].words
    assert outcomes[2].words == "the web service refused the request (HTTP 409)"


@pytest.mark.parametrize(
    ("status", "body", "results"),
    [
        (200, None, [Sent.ACCEPTED] * 3),
        (200, _stored((UIDS[0], None)), [Sent.ACCEPTED, Sent.UNKNOWN, Sent.UNKNOWN]),
        (202, None, [Sent.UNKNOWN] * 3),
        (202, "no DICOM", [Sent.UNKNOWN] * 3),
    ],
)
def test_an_answer_that_does_not_name_an_object(status: int, body: Any, results: list[Sent]) -> None:
    assert _results(_store(Web(status, body))) == results


@pytest.mark.parametrize(
    ("status", "result", "words", "passing"),
    [
        (400, Sent.REFUSED, "refused the request (HTTP 400)", False),
        (401, Sent.REFUSED, "does not let us in (HTTP 401); check the token", False),
        (403, Sent.REFUSED, "does not let us in (HTTP 403)", False),
        (404, Sent.REFUSED, "there is no such DICOMweb service at this address (HTTP 404)", False),
        (501, Sent.REFUSED, "there is no such DICOMweb service at this address (HTTP 501)", False),
        (413, Sent.REFUSED, "refused the request (HTTP 413)", False),
        (429, Sent.REFUSED, "is in trouble (HTTP 429)", True),
        (500, Sent.UNKNOWN, "is in trouble (HTTP 500)", True),
        (502, Sent.UNKNOWN, "is in trouble (HTTP 502)", True),
        (503, Sent.REFUSED, "is in trouble (HTTP 503)", True),
        (504, Sent.UNKNOWN, "is in trouble (HTTP 504)", True),
    ],
)
def test_an_http_status_is_an_outcome_in_words(status: int, result: Sent, words: str, passing: bool) -> None:
    outcomes = _store(Web(status))
    assert _results(outcomes) == [result] * 3
    assert words in outcomes[0].words
    assert outcomes[0].passing is passing


def test_a_redirect_is_not_followed() -> None:
    web = Web(301, headers={"Location": "/elsewhere"})
    outcomes = _store(web)
    assert _results(outcomes) == [Sent.REFUSED] * 3
    assert "has moved (HTTP 301); correct its address" in outcomes[0].words
    assert len(web.requests) == 1


def test_a_token_is_sent_and_never_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n", encoding="ascii")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    web = Web()
    with serving(web):
        service = WebService(web.url, token="s3cret")
        assert "s3cret" not in repr(service)
        assert _results(store_web(service, _objects(1), timeouts=PATIENT)) == [Sent.ACCEPTED]
        find_web(service, Level.STUDY, {}, timeouts=PATIENT)
    assert [headers["Authorization"] for _, headers, _ in web.requests] == ["Bearer s3cret"] * 2


def test_an_answer_that_is_lost_is_unknown() -> None:
    def hang_up(handler: BaseHTTPRequestHandler) -> None:
        handler.rfile.read(int(handler.headers["Content-Length"]))

    outcomes = _store(Web(instead=hang_up))
    assert _results(outcomes) == [Sent.UNKNOWN] * 3
    assert outcomes[0].failure is not None
    assert outcomes[0].failure.cause is Cause.LOST
    assert outcomes[0].passing


def test_an_answer_that_does_not_come_is_unknown() -> None:
    web = Web()

    def keep_silent(handler: BaseHTTPRequestHandler) -> None:
        handler.rfile.read(int(handler.headers["Content-Length"]))
        web.over.wait(60)

    web.instead = keep_silent
    outcomes = _store(web, timeouts=SHORT)
    assert _results(outcomes) == [Sent.UNKNOWN] * 3
    assert outcomes[0].failure is not None
    assert outcomes[0].failure.cause is Cause.SILENT


LARGE = EncodedObject("1.2.840.10008.5.1.4.1.1.1", "2.25.9", "1.2.840.10008.1.2.1", bytes(64 << 20))
"""More than the system buffers of a loopback connection."""


def test_what_did_not_go_out_whole_is_not_sent() -> None:
    def break_off(handler: BaseHTTPRequestHandler) -> None:
        handler.rfile.read(1 << 20)

    outcomes = _store(Web(instead=break_off), [_objects(1)[0], LARGE, _objects(2)[1]])
    # A service that stores part by part may have the first.
    assert _results(outcomes) == [Sent.UNKNOWN, Sent.NOT_SENT, Sent.NOT_SENT]


@pytest.mark.parametrize(("objects", "result"), [([LARGE], Sent.NOT_SENT), (_objects(1), Sent.UNKNOWN)])
def test_a_cancel_ends_a_request_at_once(objects: list[Any], result: Sent) -> None:
    cancel, web = Cancel(), Web()

    def be_cancelled(handler: BaseHTTPRequestHandler) -> None:
        handler.rfile.read(min(1 << 20, int(handler.headers["Content-Length"])))  # of the small request all
        cancel.set()
        web.over.wait(60)

    web.instead = be_cancelled
    outcomes = _store(web, objects, cancel=cancel)
    assert _results(outcomes) == [result]
    assert outcomes[0].failure is not None
    assert outcomes[0].failure.cause is Cause.CANCELLED


def test_a_request_takes_no_longer_than_the_whole_call() -> None:
    web = Web()
    web.instead = lambda _handler: web.over.wait(60) and None
    outcomes = _store(web, [LARGE], timeouts=replace(PATIENT, whole_seconds=0.2))
    assert _results(outcomes) == [Sent.NOT_SENT]
    assert outcomes[0].failure is not None
    assert outcomes[0].failure.cause is Cause.TOO_LONG


@pytest.mark.parametrize(
    ("url", "cause", "words"),
    [
        ("http://127.0.0.1:{free}", Cause.UNREACHABLE, "cannot be reached"),
        ("http://pacs.invalid/dicom-web", Cause.ADDRESS, "host has no address"),
        ("http://:bad:/", Cause.NOT_UNDERSTOOD, "cannot be used"),
    ],
)
def test_a_service_that_is_not_there(url: str, cause: Cause, words: str) -> None:
    service = WebService(url.replace("{free}", str(free_ports(1)[0])))
    (outcome,) = store_web(service, _objects(1), timeouts=PATIENT)
    assert outcome.result is Sent.NOT_SENT
    assert outcome.failure is not None
    assert outcome.failure.cause is cause
    assert words in outcome.words


def test_tls_with_our_own_authority() -> None:
    with serving(Web(), server_context(asks_for_client=True)) as web:
        trusting = WebService(
            web.url, None, CERTIFICATES / "authority.pem", CERTIFICATES / "client.pem", CERTIFICATES / "client.key"
        )
        assert _results(store_web(trusting, _objects(1), timeouts=PATIENT)) == [Sent.ACCEPTED]
        for authority, words in ((CERTIFICATES / "stranger.pem", "is not trusted"), (None, "is not trusted")):
            (outcome,) = store_web(replace(trusting, authority=authority), _objects(1), timeouts=PATIENT)
            assert (outcome.result, words in outcome.words) == (Sent.NOT_SENT, True)
        (outcome,) = store_web(replace(trusting, authority=Path("missing.pem")), _objects(1), timeouts=PATIENT)
        assert outcome.result is Sent.NOT_SENT
        assert outcome.failure is not None
        assert outcome.failure.cause is Cause.OURS
    assert len(web.requests) == 1


def test_what_is_no_object_is_told_and_the_rest_is_sent(tmp_path: Path) -> None:
    outcomes = _store(Web(), [b"no DICOM", *_objects(1), tmp_path / "missing.dcm"])
    assert _results(outcomes) == [Sent.NOT_SENT, Sent.ACCEPTED, Sent.NOT_SENT]
    assert store_web(WebService("http://127.0.0.1:9"), []) == []


@pytest.mark.parametrize("url", ["", "pacs.example", "ftp://pacs.example"])
def test_addresses_are_checked(url: str) -> None:
    with pytest.raises(SettingsError, match="begins with https:// or http://"):
        WebService(url)


STUDY = {
    "00080005": {"vr": "CS", "Value": ["ISO_IR 192"]},
    "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Müller^Jürgen"}]},
    "0020000D": {"vr": "UI", "Value": ["2.25.2"]},
    "00080061": {"vr": "CS", "Value": ["CR", "SR"]},
    "00201208": {"vr": "IS", "Value": [3]},
}


@pytest.mark.parametrize(
    ("level", "address"),
    [(Level.STUDY, "/studies"), (Level.SERIES, "/series"), (Level.IMAGE, "/instances")],
)
def test_a_query_comes_back_typed(level: Level, address: str) -> None:
    with serving(Web(body=[STUDY])) as web:
        keys = {"PatientName": "MÜLL*", "StudyInstanceUID": ["2.25.1", "2.25.2"], "InstitutionName": ""}
        result = find_web(WebService(web.url), level, keys, timeouts=PATIENT)
    assert result.failure is None
    assert result.is_complete
    (match,) = result.matches
    assert (match.patient_name, match.study_instance_uid) == ("Müller^Jürgen", "2.25.2")
    assert match.modalities_in_study == ("CR", "SR")
    ((path, _, _),) = web.requests
    # Unescaped wildcards and commas: Orthanc 1.10 knows no others.
    assert path.startswith(f"/dicom-web{address}?")
    assert "PatientName=M%C3%9CLL*" in path
    assert "StudyInstanceUID=2.25.1,2.25.2" in path
    assert "includefield=InstitutionName" in path


@pytest.mark.parametrize(
    ("count", "headers", "is_complete"),
    [(3, {}, True), (4, {}, False), (2, {"Warning": '299 pacs "more results are there"'}, False)],
)
def test_a_limit_and_a_service_that_cuts_off(count: int, headers: dict[str, str], is_complete: bool) -> None:
    with serving(Web(body=[STUDY] * count, headers=headers)) as web:
        result = find_web(WebService(web.url), Level.STUDY, {}, limit=3, timeouts=PATIENT)
    assert len(result.matches) == min(count, 3)
    assert result.is_complete is is_complete
    assert "limit=4" in web.requests[0][0]


@pytest.mark.parametrize(
    ("web", "cause"),
    [
        (Web(401), Cause.REFUSED),
        (Web(404), Cause.NOT_OFFERED),
        (Web(503), Cause.STATUS),
        (Web(200, "no DICOM"), Cause.NOT_UNDERSTOOD),
        (Web(200, [{"zz": 1}]), Cause.NOT_UNDERSTOOD),
        (Web(instead=lambda _handler: None), Cause.LOST),
    ],
)
def test_a_query_that_fails(web: Web, cause: Cause) -> None:
    with serving(web):
        result = find_web(WebService(web.url), Level.STUDY, {}, timeouts=PATIENT)
    assert result.failure is not None
    assert result.failure.cause is cause
    assert not result.is_complete
    assert len(web.requests) <= 1, "no repeats behind our back"


def test_nothing_found_is_no_failure() -> None:
    with serving(Web(204)) as web:
        result = find_web(WebService(web.url), Level.STUDY, {}, timeouts=PATIENT)
    assert (result.matches, result.is_complete, result.failure) == ((), True, None)


def test_what_cannot_be_asked() -> None:
    service = WebService("http://127.0.0.1:9")
    with pytest.raises(SettingsError, match="STUDY, SERIES or IMAGE"):
        find_web(service, Level.PATIENT, {})
    with pytest.raises(SettingsError, match="the query key NoSuchKeyword"):
        find_web(service, Level.STUDY, {"NoSuchKeyword": "X"})
