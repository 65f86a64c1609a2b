"""`cxr-node check` finds what would end the node or hold up its work: a port that is taken, a rule that is none."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dicom_node import check
from dicom_node.serve import LOCK
from dicom_node.settings import NodeSettings, settings_of
from dicom_node.store.folder import DataFolder


@pytest.fixture
def port() -> Iterator[int]:
    """A port that another program has."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        yield taken.getsockname()[1]


def settings(tmp_path: Path, **table: Any) -> NodeSettings:
    return settings_of({"data": str(tmp_path)} | table, "test")


def test_a_free_port_works_and_stays_free(tmp_path: Path, port: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        free = other.getsockname()[1]
    for _ in range(2):
        assert check._port(settings(tmp_path, listener={"port": free})).words == f"127.0.0.1 port {free} is free"


def test_a_port_that_another_program_has_is_found(tmp_path: Path, port: int) -> None:
    found = check._port(settings(tmp_path, listener={"port": port}))
    assert not found.works
    assert found.words.startswith(f"cannot listen on 127.0.0.1 port {port} (Address already in use")


def test_a_port_that_is_taken_is_found_beside_a_folder_that_cannot_be_used(tmp_path: Path, port: int) -> None:
    (tmp_path / "file").write_bytes(b"")
    told = settings(tmp_path / "file", listener={"port": port})
    assert [finding.what for finding in check.examine(told) if not finding.works] == ["data folder", "port"]


def test_the_port_of_a_node_that_runs_works(tmp_path: Path, port: int) -> None:
    with DataFolder(tmp_path).locked(LOCK):
        found = check._port(settings(tmp_path, listener={"port": port}))
    assert found.works
    assert "a node runs on this data folder" in found.words


def test_an_address_of_another_machine_does_not_work(tmp_path: Path) -> None:
    with DataFolder(tmp_path).locked(LOCK):
        peers = [{"ae_title": "PACS", "host": "pacs.example"}]
        found = check._port(settings(tmp_path, listener={"bind": "192.0.2.1", "port": 0}, peers=peers))
    assert not found.works


def test_a_port_that_the_service_alone_may_have_is_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(socket, "create_server", refuses)
    found = check._port(settings(tmp_path, listener={"port": 104}))
    assert (found.works, found.is_warning) == (True, True)
    assert "cannot listen on 127.0.0.1 port 104 (Permission denied)" in found.words


def test_a_wrong_rule_and_a_wrong_model_are_both_found(tmp_path: Path) -> None:
    analysis = {"relaxed_intake": ["lateral"], "model": str(tmp_path / "none")}
    told = settings(tmp_path, analysis=analysis, listener={"port": 0}, retention={"reserve_mb": 0})
    wrong = {finding.what: finding.words for finding in check.examine(told) if not finding.works}
    assert list(wrong) == ["relaxed intake", "model"]
    assert wrong["relaxed intake"].startswith("intake rule lateral; expected one of modality, body_part")
    assert "lateral" not in wrong["model"]


def test_rules_that_there_are_are_named(tmp_path: Path) -> None:
    told = settings(tmp_path, analysis={"relaxed_intake": ["view", "body_part"]}, listener={"port": 0})
    assert [(one.works, one.words) for one in check._intake(told)] == [(True, "view, body_part")]
    assert list(check._intake(settings(tmp_path))) == []
