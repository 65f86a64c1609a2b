"""Which settings are refused before anything listens, and with which words; and what a start without any says."""

from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
import sys
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Any

import pytest

from cxr_core.errors import SettingsError
from dicom_node.peers import Peer, echo
from dicom_node.settings import load_settings, settings_of
from tests.node.node_process import PATIENCE_SECONDS, ROOT

PACS = {"ae_title": "PACS", "host": "pacs.example"}


@pytest.mark.parametrize("bind", ["0.0.0.0", "::", "192.0.2.1", "2001:db8::1"])
@pytest.mark.parametrize("peers", [[], [PACS | {"may_send": False, "port": 104}]])
def test_an_address_that_others_reach_needs_a_list_of_senders(bind: str, peers: list[dict[str, Any]]) -> None:
    table = {"listener": {"bind": bind}, "peers": peers}
    with pytest.raises(SettingsError) as caught:
        settings_of(table, "node.toml")
    line = str(caught.value)
    assert "\n" not in line
    assert f"bound to {bind}" in line
    assert '[[peers]] with ae_title = "YOUR_PACS" and host = "its address"' in line
    assert settings_of(table | {"peers": [*peers, PACS | {"ae_title": "MODALITY"}]}, "node.toml").listener.bind == bind


@pytest.mark.parametrize("bind", ["127.0.0.1", "127.0.0.2", "::1"])
def test_an_address_of_this_machine_alone_needs_none(bind: str) -> None:
    assert settings_of({"listener": {"bind": bind}}, "node.toml").listener.is_loopback


def dicom(**values: Any) -> dict[str, Any]:
    return {"destinations": [{"name": "back", "kind": "dicom"} | values]}


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"listener": {"bind": "localhost"}}, "listener.bind: "),
        ({"listener": {"tls": True}}, "tls needs tls_certificate and tls_key"),
        ({"listener": {"ae_title": "LONGER_THAN_SIXTEEN"}}, "listener.ae_title: "),
        ({"listener": {"ae_title": "BACK\\SLASH"}}, "listener.ae_title: "),
        ({"listener": {"max_pdu_bytes": 0}}, "listener.max_pdu_bytes: "),
        ({"peers": [PACS, PACS]}, "AE title PACS is listed twice"),
        ({"unknown": 1}, "unknown: "),
        (dicom(), "a dicom destination needs peer"),
        (dicom(peer="NOBODY"), "no peer NOBODY with a port is listed"),
        ({"peers": [PACS], **dicom(peer="PACS")}, "no peer PACS with a port is listed"),
        ({"commitment": {"archive": "PACS"}, "peers": [PACS]}, "no peer PACS with a port is listed"),
        (dicom(name="../up", peer="sender"), "destinations.0.name: "),
        ({"analysis": {"prevalence": 1}}, "analysis.prevalence: "),
    ],
)
def test_what_does_not_fit_is_one_line(table: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        settings_of(table, "node.toml")
    line = str(caught.value)
    assert line.startswith("node.toml: ")
    assert words in line
    assert "\n" not in line


@pytest.mark.parametrize("content", [b"[listener", b"\xff", None])
def test_a_file_that_is_no_toml_is_one_line(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "node.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingsError) as caught:
        load_settings(path)
    assert "\n" not in str(caught.value)


def serve(tmp_path: Path, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "dicom_node.cli", "serve", "--data", str(tmp_path / "data"), *words]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, cwd=tmp_path
    )


def test_a_start_without_settings_takes_any_caller_of_this_machine_and_says_so(tmp_path: Path) -> None:
    with serve(tmp_path, "--port", "0") as process:
        assert process.stdout is not None
        try:
            lines = [process.stdout.readline().strip() for _ in range(4)]
            port = int(lines[0].removeprefix("CXR_NODE listens on 127.0.0.1 port "))
            assert lines[1:] == [
                "No list of peers: any calling AE title may send, from this machine only",
                f"Results go to results: {tmp_path / 'data' / 'results'}",
                "Research use, not for diagnosis",
            ]
            assert echo(Peer("CXR_NODE", "127.0.0.1", port), calling_ae_title="ANYBODY").failure is None
        finally:
            process.terminate()
            process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0


def test_a_start_that_others_could_reach_is_refused_with_the_line_to_write(tmp_path: Path) -> None:
    config = tmp_path / "node.toml"
    config.write_text('[listener]\nbind = "0.0.0.0"\n')
    with serve(tmp_path, "--config", str(config), "--port", "0") as process:
        _, said = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 2
    assert 'write: [[peers]] with ae_title = "YOUR_PACS"' in " ".join(said.split())
    assert not (tmp_path / "data").exists()


def locked(tmp_path: Path) -> AbstractContextManager[Any]:
    """Another process writes to the database and does not come to an end."""
    (tmp_path / "data").mkdir(mode=0o700)
    database = sqlite3.connect(tmp_path / "data" / "node.sqlite", isolation_level=None)
    database.execute("BEGIN EXCLUSIVE")
    return closing(database)


def occupied(tmp_path: Path) -> AbstractContextManager[Any]:
    """Another program has the port, which the settings name."""
    taken = socket.create_server(("127.0.0.1", 0))
    with (tmp_path / "node.toml").open("a") as config:
        config.write(f"port = {taken.getsockname()[1]}\n")
    return taken


@pytest.mark.parametrize(
    ("trouble", "words"), [(locked, "a database that cannot be used"), (occupied, "cannot listen")]
)
def test_what_may_be_over_at_the_next_start_is_another_exit_code(tmp_path: Path, trouble: Any, words: str) -> None:
    config = tmp_path / "node.toml"
    config.write_text("[listener]\nanswer_timeout_seconds = 1\n")
    with trouble(tmp_path):
        if trouble is locked:
            with config.open("a") as file:
                file.write("port = 0\n")
        with serve(tmp_path, "--config", str(config)) as process:
            _, said = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 1
    assert f"cxr-node: {words}" in said.splitlines()[-1]
