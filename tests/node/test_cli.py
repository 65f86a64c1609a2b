"""The command `cxr-node` without a running node, its options, the sample settings, and what it prints."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest
from pydantic import BaseModel
from pydantic_core import PydanticUndefined
from pynetdicom.sop_class import Verification
from typer.testing import CliRunner, Result

from cxr_core.errors import SettingsError
from dicom_node.cli import app
from dicom_node.options import Options, SendTo, parse_send_to, settings_with
from dicom_node.received import ReceivedObject
from dicom_node.settings import NodeSettings, load_settings, settings_of
from dicom_node.store.quarantine import Quarantine, Quarantined
from dicom_node.store.sink import StoreSink
from tests.node.node_process import ROOT
from tests.node.peers.fakes import scp
from tests.node.received import received
from tests.node.rows import Rows, deliveries, instances, studies

SAMPLE = Path(str(files("resources"))) / "node" / "node.toml"


@pytest.fixture
def rows(tmp_path: Path) -> Iterator[Rows]:
    made = Rows(tmp_path)
    yield made
    made.engine.dispose()


def run(rows: Rows, *words: str) -> Result:
    return CliRunner().invoke(app, [*words, "--data", str(rows.folder.root)])


def told(rows: Rows, *words: str) -> Any:
    result = run(rows, *words, "--json")
    assert result.exit_code in (0, 1), result.output
    return json.loads(result.stdout)


def test_help_names_every_command() -> None:
    output = CliRunner().invoke(app, ["--help"]).output
    for command in ("serve", "check", "status", "list", "show", "retry", "cancel", "quarantine", "demo"):
        assert f" {command} " in output


def test_the_state_of_everything(rows: Rows) -> None:
    rows.answer(rows.image("2.25.1"))
    rows.complete("2.25.1", "sr", "sc")
    rows.image("2.25.2")
    status = told(rows, "status")
    assert status["running"] is False
    assert status["images"] == {"answered": 1, "waiting": 1}
    assert status["studies"] == {"complete": 1, "collecting": 1}
    (delivery,) = status["deliveries"]
    assert (delivery["destination"], delivery["configured"], delivery["count"]) == ("there", False, 2)
    output = run(rows, "status").output
    assert output.startswith("NOT RUNNING")
    assert "NOT CONFIGURED" in output
    assert run(rows, "status").exit_code == 1
    with rows.folder.locked("lock"):
        assert run(rows, "status").output.startswith("running")


def test_what_needs_somebody_is_said(rows: Rows) -> None:
    rows.answer(rows.image("2.25.1"))
    rows.complete("2.25.1", "sr")
    rows.change(deliveries, state="gave_up", note="cannot be reached", failing_since=time.time() - 60, attempts=4)
    output = run(rows, "status").output
    assert "1 GIVEN UP" in output
    assert "4 attempts: cannot be reached" in output
    assert "after 4 attempts: cannot be reached" in run(rows, "show", "2.25.1").output
    assert "1 NEEDS SOMEBODY" in output
    rows.change(deliveries, state="delivered", committed="no")
    assert "1 object delivered, and NOT COMMITTED by the peer" in run(rows, "status").output


def test_studies_are_listed_and_shown(rows: Rows) -> None:
    assert run(rows, "list").output == "no studies\n"
    rows.answer(rows.image("2.25.1"))
    rows.complete("2.25.1", "sr")
    rows.image("2.25.2")
    answer = {"status": "refused", "reason": "lateral view", "prediction": None}
    rows.change(instances, answer=json.dumps(answer))
    assert {row["study_instance_uid"]: row["state"] for row in told(rows, "list")} == {
        "2.25.1": "complete",
        "2.25.2": "collecting",
    }
    assert [row["study_instance_uid"] for row in told(rows, "list", "--state", "complete")] == ["2.25.1"]
    assert len(told(rows, "list", "--limit", "1")) == 1
    assert "1 image, 1 result, 0 delivered, 1 not" in run(rows, "list").output
    study = told(rows, "show", "2.25.1")
    assert study["images"][0]["reason"] == "lateral view"
    assert (study["results"][0]["kind"], study["deliveries"][0]["state"]) == ("sr", "waiting")
    output = run(rows, "show", "2.25.1").output
    assert "refused: lateral view" in output
    result = run(rows, "show", "2.25")
    assert (result.exit_code, result.stderr) == (
        2,
        "cxr-node: several studies whose UID begins so; expected one; see `cxr-node list`\n",
    )


def test_retry_and_cancel(rows: Rows) -> None:
    rows.answer(rows.image("2.25.1"))
    rows.complete("2.25.1", "sr")
    rows.image("2.25.2")
    rows.change(deliveries, state="gave_up")
    assert run(rows, "retry", "2.25.1").output == "Tried again: 1 delivery\n"
    assert rows.one(deliveries).state == "waiting"
    assert run(rows, "retry", "2.25.2").output == "Tried again: none\n"
    assert told(rows, "cancel", "2.25.2") == {"images": 1, "studies": 1, "deliveries": 0}
    assert rows.one(studies, study_uid="2.25.2").state == "cancelled"
    assert told(rows, "cancel", "--destination", "there")["deliveries"] == 1
    assert run(rows, "cancel").exit_code == 2
    assert "no deliveries to nowhere; expected there" in run(rows, "retry", "--destination", "nowhere").stderr


def test_the_quarantine_is_listed_shown_and_released(rows: Rows) -> None:
    assert run(rows, "quarantine", "list").output == "no objects in quarantine\n"
    key = rows.image("2.25.1")
    rows.change(instances, state="set_aside")
    place = Quarantine(rows.folder)
    path = rows.folder.objects / f"{key}.dcm"
    place.put_file(Quarantined(key, "it ended the model process 3 times", time.time(), "PACS", key), path)
    (entry,) = told(rows, "quarantine", "list")
    assert (entry["name"], entry["instance"]) == (key, key)
    assert "1 NEEDS SOMEBODY" in run(rows, "status").output
    assert "it ended the model process 3 times" in run(rows, "quarantine", "list").output
    assert told(rows, "quarantine", "show", "key")["file"] == str(place.path(key))
    assert run(rows, "quarantine", "release", "key").output == f"{key} waits for its analysis\n"
    assert rows.one(instances).state == "waiting"
    assert place.entries() == []
    assert "0 objects in quarantine" in run(rows, "quarantine", "show", "key").stderr


def refused(rows: Rows, request: ReceivedObject) -> str:
    """The name of an object that the store refuses."""
    settings = settings_of({"retention": {"reserve_mb": 0}}, "test")
    StoreSink(settings, rows.folder, rows.engine, lambda: None).accept(request)
    return Quarantine(rows.folder).entries()[0].name


def test_an_object_that_was_refused_is_taken_or_refused_again(rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    request = received(StudyInstanceUID="")
    name = refused(rows, request)
    assert "quarantine   1 object, see" in run(rows, "status").output
    assert "is refused again with 0xC000: StudyInstanceUID missing" in run(rows, "quarantine", "release", name).output
    monkeypatch.setattr("dicom_node.store.sink.uid", lambda header, keyword: str(header.get(keyword) or "2.25.9"))
    assert run(rows, "quarantine", "release", name).output == f"{name} was taken\n"
    row = rows.one(instances)
    assert (row.study_uid, row.sender) == ("2.25.9", "PACS")
    assert (rows.folder.objects / row.file).read_bytes().endswith(bytes(request.data_set))
    assert Quarantine(rows.folder).entries() == []


def test_the_demonstration_shows_what_came_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    result = CliRunner().invoke(app, ["demo", "--out", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    for words in (
        "synthetic-1-child",
        "refused: lateral view",
        "GSPS, SC, SR",
        "none",
        "not for diagnosis",
        "RG1_UNCR",
    ):
        assert words in result.output
    assert "scores on them mean nothing" in " ".join(result.output.split())
    pictures = sorted((tmp_path / "out").glob("*.png"))
    assert len(pictures) == 5
    assert sorted(result.output.splitlines()[-5:]) == sorted(map(str, pictures))


def test_make_demo_is_the_demonstration_of_the_node() -> None:
    rule = re.search(r"^demo:.*\n\t@?(.*)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert rule is not None
    assert rule[1] == "$(BIN)/cxr-node demo"


def test_a_demonstration_that_cannot_write_is_told(tmp_path: Path) -> None:
    (tmp_path / "taken").write_bytes(b"")
    result = CliRunner().invoke(app, ["demo", "--out", str(tmp_path / "taken")])
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)


def test_a_folder_where_no_node_ran_is_told(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["status", "--data", str(tmp_path)])
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "a data folder without a database" in result.stderr


def test_check_tries_what_the_settings_name(tmp_path: Path) -> None:
    with scp([(Verification, None)]) as other:
        pass
    with scp([(Verification, None)]) as peer:
        config = tmp_path / "node.toml"
        config.write_text(
            f'data = "{tmp_path}/data"\n[retention]\nreserve_mb = 0\n[listener]\nport = 0\n'
            f'[[peers]]\nae_title = "PACS"\nhost = "127.0.0.1"\nport = {peer.port}\n'
            f'[[peers]]\nae_title = "GONE"\nhost = "127.0.0.1"\nport = {other.port}\n'
            '[[peers]]\nae_title = "DR"\nhost = "127.0.0.1"\n'
            '[[destinations]]\nname = "web"\nkind = "stow"\nurl = "http://127.0.0.1:9/dicom-web"\n'
        )
        result = CliRunner().invoke(app, ["check", "--config", str(config), "--json"])
    assert result.exit_code == 1
    assert "3 peers, 1 destination" in {finding["words"] for finding in json.loads(result.stdout)}
    works = {finding["what"]: finding["works"] for finding in json.loads(result.stdout)}
    assert works == {
        "settings": True,
        "data folder": True,
        "model": True,
        "port": True,
        "peer PACS": True,
        "peer GONE": False,
        "destination web": False,
    }


def test_check_of_defaults_works(rows: Rows, tmp_path: Path) -> None:
    config = tmp_path / "node.toml"
    config.write_text("[listener]\nport = 0\n")
    result = run(rows, "check", "--config", str(config))
    assert result.exit_code == 0, result.output
    assert all(line.startswith("works") for line in result.output.splitlines())


@pytest.mark.parametrize("words", [["serve"], ["status"], ["check"], ["quarantine", "list"]])
def test_an_installation_without_the_node_s_libraries_is_one_line(tmp_path: Path, words: list[str]) -> None:
    blocked = "import sys; sys.modules.update(sqlalchemy=None, pynetdicom=None, structlog=None, platformdirs=None); "
    called = f"sys.argv[1:] = {[*words, '--data', str(tmp_path / 'data')]}; from dicom_node.cli import app; app()"
    done = subprocess.run([sys.executable, "-c", blocked + called], capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert "install the extra `node`" in done.stderr


def test_wrong_settings_are_one_line(tmp_path: Path) -> None:
    config = tmp_path / "node.toml"
    config.write_text('[listener]\nport = "x"\n')
    for command in ("serve", "check", "status"):
        result = CliRunner().invoke(app, [command, "--config", str(config)])
        assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
        assert "listener.port" in result.stderr


# Options over settings.


def test_options_of_the_command_line_come_first(tmp_path: Path) -> None:
    config = tmp_path / "node.toml"
    config.write_text('data = "/one"\n[listener]\nport = 1\nae_title = "ONE"\n')
    settings = settings_with(config, Options(Path("/two"), 2, "TWO", (SendTo("PACS", "::1", 104),)))
    assert (settings.data, settings.listener.port, settings.listener.ae_title) == (Path("/two"), 2, "TWO")
    (peer,) = settings.peers
    assert (peer.ae_title, peer.host, peer.port, peer.may_send) == ("PACS", "::1", 104, False)
    (destination,) = settings.destinations
    assert (destination.name, destination.kind, destination.peer) == ("to-pacs", "dicom", "PACS")


def test_a_listed_peer_is_used_and_another_address_of_it_is_not(tmp_path: Path) -> None:
    config = tmp_path / "node.toml"
    config.write_text('[[peers]]\nae_title = "PACS"\nhost = "pacs"\nport = 104\n')
    settings = settings_with(config, Options(send_to=(SendTo("PACS", "pacs", 104),)))
    assert len(settings.peers) == 1
    with pytest.raises(SettingsError, match=r"--send-to PACS at pacs:105; expected the address that \[\[peers\]\] has"):
        settings_with(config, Options(send_to=(SendTo("PACS", "pacs", 105),)))


@pytest.mark.parametrize("text", ["PACS", "PACS@host", "@host:1", "PACS@:1", "PACS@host:x", "A@b@c:1", "PACS@host:1 "])
def test_an_address_of_no_sense_is_told(text: str) -> None:
    with pytest.raises(SettingsError, match="AET@HOST:PORT"):
        parse_send_to(text)


def test_addresses() -> None:
    assert parse_send_to("MY PACS@pacs.example:104") == SendTo("MY PACS", "pacs.example", 104)
    assert parse_send_to("PACS@[::1]:104") == SendTo("PACS", "::1", 104)


# The sample settings.


def test_the_sample_as_it_is_gives_the_defaults() -> None:
    assert load_settings(SAMPLE) == NodeSettings()


def uncommented() -> dict[str, Any]:
    text = re.sub(r"^#(\[\[|[a-z_]+ = )", r"\1", SAMPLE.read_text(), flags=re.MULTILINE)
    return tomllib.loads(text)


def test_every_line_of_the_sample_is_a_setting_that_is_allowed() -> None:
    table = uncommented()
    settings_of(table, "the sample")


def test_the_sample_names_every_setting_with_its_default() -> None:
    def compare(model: type[BaseModel], table: dict[str, Any], where: str) -> None:
        assert set(table) == set(model.model_fields), where
        for name, field in model.model_fields.items():
            value = table[name]
            inner = next((part for part in (field.annotation, *get_args(field.annotation)) if is_model(part)), None)
            if inner is not None:
                for part in value if get_origin(field.annotation) is tuple else [value]:
                    compare(inner, part, f"{where}.{name}")
            elif field.default not in (None, PydanticUndefined):
                default = list(field.default) if isinstance(field.default, tuple) else field.default
                assert value == default, f"{where}.{name}"

    compare(NodeSettings, uncommented(), "")


def is_model(annotation: object) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def test_unit_and_image_name_commands_and_options_that_there_are() -> None:
    unit = (SAMPLE.parent / "cxr-node.service").read_text()
    image = (SAMPLE.parent / "Containerfile").read_text()
    started = [re.findall(r"ExecStart=\S*/cxr-node (.*)", unit)[0].split()]
    started += [json.loads(words) for words in re.findall(r"^CMD (.*)", image, re.MULTILINE)]
    started += [json.loads(words)[1:] for words in re.findall(r"^ +CMD (.*)", image, re.MULTILINE)]
    assert [words[0] for words in started] == ["serve", "serve", "status"]
    for words in started:
        assert "--config" in words, "it says where the database is"
        output = CliRunner().invoke(app, [words[0], "--help"]).output
        assert all(word in output for word in words if word.startswith("--"))
