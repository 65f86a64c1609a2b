"""The settings of a web service's TLS: its authority, our client certificate, and tokens that anybody could read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cxr_core.errors import SettingsError
from dicom_node import check
from dicom_node.cli import app
from dicom_node.destinations.choose import Destinations
from dicom_node.destinations.stow import StowDestination
from dicom_node.settings import NodeSettings, settings_of
from dicom_node.store.folder import DataFolder
from tests.node.peers.fakes import CERTIFICATES, server_context
from tests.node.peers.web_server import Web, serving

AUTHORITY = {"ca": CERTIFICATES / "authority.pem"}
CLIENT = {"certificate": CERTIFICATES / "client.pem", "key": CERTIFICATES / "client.key"}


def settings(url: str, **more: Any) -> NodeSettings:
    destination = {"name": "web", "kind": "stow", "url": url} | more
    return settings_of({"destinations": [destination]}, "test")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (AUTHORITY | CLIENT, None),
        (CLIENT, "is not trusted"),
        ({"ca": CERTIFICATES / "stranger.pem"} | CLIENT, "is not trusted"),
        (AUTHORITY, ""),
        ({"ca": Path("missing.pem")} | CLIENT, "cannot be read"),
    ],
    ids=["all", "no authority", "another authority", "no certificate", "no such file"],
)
def test_authority_and_client_certificate_come_from_the_settings(
    tmp_path: Path, given: dict[str, Any], words: str | None
) -> None:
    web = Web(body=[])
    with serving(web, server_context(asks_for_client=True)):
        service = Destinations(settings(web.url, **given), DataFolder(tmp_path)).open("web", "")
        assert isinstance(service, StowDestination)
        failure = service.look()
    if words is None:
        assert failure is None
        assert len(web.requests) == 1
    else:
        assert failure is not None
        assert words in failure.words
        assert web.requests == []


def test_a_key_without_its_certificate_is_told() -> None:
    with pytest.raises(SettingsError, match="key needs certificate"):
        settings("https://pacs.example/dicom-web", key="node.key")


@pytest.mark.parametrize(
    ("url", "token", "warned"),
    [
        ("http://pacs.example/dicom-web", "CXR_TOKEN", True),
        ("http://192.0.2.1:8080/dicom-web", "CXR_TOKEN", True),
        ("http://pacs.example/dicom-web", None, False),
        ("https://pacs.example/dicom-web", "CXR_TOKEN", False),
        ("http://127.0.0.1:8042/dicom-web", "CXR_TOKEN", False),
        ("http://[::1]/dicom-web", "CXR_TOKEN", False),
        ("http://localhost/dicom-web", "CXR_TOKEN", False),
    ],
)
def test_a_token_in_plain_text_is_warned_of(url: str, token: str | None, warned: bool) -> None:
    findings = list(check._tokens(settings(url, token_variable=token)))
    assert [(found.works, found.is_warning) for found in findings] == [(True, True)] * warned
    assert all("plain text; use https://" in found.words for found in findings)


def test_a_warning_is_shown_as_one_and_nothing_is_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    finding = check.Finding("destination web", True, "the token goes over the network", is_warning=True)
    monkeypatch.setattr(check, "examine", lambda settings: iter([finding]))
    result = CliRunner().invoke(app, ["check", "--data", str(tmp_path)])
    assert (result.exit_code, result.stdout) == (0, "WARNING destination web: the token goes over the network\n")
