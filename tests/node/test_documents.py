"""What the documents of the node say is what the code does: classes, syntaxes, statuses, settings, commands."""

from __future__ import annotations

import re
import tomllib
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter
from pydicom.uid import UID
from typer.main import get_command
from typer.testing import CliRunner

from dicom_node import peers, promise, received, serve
from dicom_node.cli import app
from dicom_node.listener import admission, commitment, contexts
from dicom_node.listener.tls import server_context
from dicom_node.peers import commitment as asked_commitment
from dicom_node.peers import encoded, identifier, messages, pdus, storage, verification
from dicom_node.peers.peer import DEFAULT_TIMEOUTS
from dicom_node.settings import ListenerSettings, NodeSettings
from dicom_node.store import commitments, retention
from dicom_node.store.folder import DataFolder
from dicom_node.work import keeping, model_process, process
from tests.dicom_builder import build, gradient
from tests.node.node_process import ROOT

CONFORMANCE = (ROOT / "docs" / "conformance.md").read_text()
GUIDE = (ROOT / "docs" / "node.md").read_text()
README = (ROOT / "README.md").read_text()
SAMPLE = (ROOT / "resources" / "node" / "node.toml").read_text()
DOCUMENTS = pytest.mark.parametrize("text", [CONFORMANCE, GUIDE, README], ids=["conformance", "guide", "readme"])


def section(title: str) -> str:
    """The text below a heading of the conformance statement, up to the next."""
    found = re.search(rf"^#+ {re.escape(title)}\n(.*?)(?=^#|\Z)", CONFORMANCE, re.MULTILINE | re.DOTALL)
    assert found is not None, title
    return found[1]


def rows(text: str) -> list[list[str]]:
    """Cells of every line of a table, without headings and rules."""
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
    rules = {index for index, cells in enumerate(lines) if set(cells[0]) == {"-"}}
    return [cells for index, cells in enumerate(lines) if not {index, index + 1} & rules]


def by_uid(text: str, heading: str) -> list[tuple[UID, list[str]]]:
    """UID and further cells of the rows of a table of named UIDs; the names are the standard's."""
    table = text[text.index(heading) :].split("\n\n")[0]
    found = [(UID(uid), [name, *more]) for name, uid, *more in rows(table)]
    assert [uid.name.removesuffix(" SOP Class") for uid, _ in found] == [cells[0] for _, cells in found]
    return found


def test_classes_and_syntaxes_as_provider() -> None:
    text = section("2.2 SOP classes as provider")
    kinds = {uid: cells[1] for uid, cells in by_uid(text, "| SOP class |")}
    syntaxes = by_uid(text, "| transfer syntax |")
    for context in contexts.offered_contexts(storage=True, commitment=True):
        column = {"images": 1, "results": 2, "commands": 3}[kinds.pop(UID(str(context.abstract_syntax)))]
        # In order, for a sender that leaves the choice to us.
        assert [uid for uid, cells in syntaxes if cells[column] == "yes"] == context.transfer_syntax
    assert kinds == {}


def test_classes_as_user() -> None:
    named = {uid for uid, _ in by_uid(section("2.6 SOP classes as user"), "| SOP class |")}
    results = {*contexts.RESULT_CLASSES, contexts.IMAGE_CLASSES[3]}
    services = {
        verification.VERIFICATION,
        identifier.FIND[1],
        identifier.GET[1],
        asked_commitment.STORAGE_COMMITMENT,
    }
    assert named == results | services
    assert {cells[1] for cells in rows(section("3 Objects that are made"))} == results


def codes(text: str) -> set[int]:
    """The statuses that the first cells of a table name."""
    return {int(cells[0], 16) for cells in rows(text) if re.fullmatch(r"0x[0-9A-F]{4}", cells[0])}


def test_statuses_of_c_store() -> None:
    assert codes(section("2.3 C-STORE: statuses that are returned")) == {
        received.SUCCESS,
        received.OUT_OF_RESOURCES,
        received.CANNOT_UNDERSTAND,
    }
    taken = " ".join(cells[0] for cells in rows(section("2.6 SOP classes as user")))
    assert all(messages.is_warning(int(code, 16)) for code in ("0x0001", "0x0107", "0x0116") if code in taken)
    assert f"0x{messages.DUPLICATE:04X}" in taken


def test_statuses_of_storage_commitment() -> None:
    listener = {value for name, value in vars(commitment).items() if re.match(r"_(SUCCESS|NO_|INVALID|PROC)", name)}
    sink = {
        promise._REFUSED,
        promise._INVALID_ARGUMENT,
        promise._PROCESSING_FAILURE,
        promise._RESOURCE_LIMITATION,
        promise.SUCCESS,
    }
    text = section("2.4 Storage commitment as provider")
    assert codes(text) == listener | sink
    assert f"{commitments.MAX_OPEN_REQUESTS} requests" in text


def test_rejections() -> None:
    cells = [cells[1] for cells in rows(section("2.1 Associations that are accepted"))]
    told = {tuple(map(int, cell.split(", "))) for cell in cells if re.fullmatch(r"\d, \d, \d", cell)}
    all_of_them = [value for value in vars(admission).values() if isinstance(value, admission.Rejection)]
    assert told == {(one.result, one.source, one.diagnostic) for one in all_of_them}


def test_figures_of_associations() -> None:
    accepted = section("2.1 Associations that are accepted")
    for name in ("max_pdu_bytes", "max_associations", "max_associations_per_address", "port"):
        value = ListenerSettings.model_fields[name].default
        assert re.search(rf"\b{value}\b[^|]*\(`listener\.{name}`", accepted), name
    requested = section("2.5 Associations that are requested")
    assert f"| maximum PDU received | {pdus.MAX_PDU_BYTES} bytes |" in requested
    assert str(encoded.IMPLEMENTATION_CLASS_UID) in requested
    for seconds in ("connect", "acse", "dimse", "whole"):
        assert f"| {getattr(DEFAULT_TIMEOUTS, seconds + '_seconds')} s |" in requested


def test_implicit_vr_beside_explicit_vr_as_user() -> None:
    given = encoded.EncodedObject.of(build(gradient(8, 8)))
    explicit, implicit = (UID(syntax).name for _, syntax in storage._contexts(given))
    text = " ".join(section("2.6 SOP classes as user").split())
    assert f"Beside each context in {explicit} one in {implicit} is offered" in text


def test_services_of_dicomweb() -> None:
    services = {"store_web": "STOW-RS", "find_web": "QIDO-RS", "get_web": "WADO-RS"}
    used = {services[name] for name in peers.__all__ if name.endswith("_web")}
    assert {cells[0] for cells in rows(section("2.7 DICOMweb as user (PS3.18)"))} == used
    (told,) = [cells[0] for cells in rows(section("1 Overview")) if cells[0].startswith("DICOMweb: ")]
    assert set(told.removeprefix("DICOMweb: ").split(", ")) == used


def test_every_cipher_of_the_listener_has_forward_secrecy(tmp_path: Path) -> None:
    certificates, key = Path(__file__).parent / "peers" / "certificates", tmp_path / "server.key"
    key.write_bytes((certificates / "server.key").read_bytes())
    key.chmod(0o600)
    settings = ListenerSettings(tls=True, tls_certificate=certificates / "server.pem", tls_key=key)
    context = server_context(settings)
    assert context is not None
    assert context.minimum_version.name == "TLSv1_2"
    assert all(cipher["name"].startswith(("TLS_", "ECDHE-", "DHE-")) for cipher in context.get_ciphers())


# Settings.


def sections() -> dict[str, Any]:
    """Every section of the settings with its fields' types, and those at the top under an empty name."""
    models: dict[str, Any] = {"": NodeSettings}
    for name, field in NodeSettings.model_fields.items():
        for part in (field.annotation, *typing.get_args(field.annotation)):
            if isinstance(part, type) and issubclass(part, BaseModel):
                models[name] = part
    return models


def test_every_setting_is_in_the_sample() -> None:
    for name, model in sections().items():
        for field in model.model_fields:
            assert re.search(rf"^#?(\[+)?{field}( = |\])", SAMPLE, re.MULTILINE), f"{name}.{field}"


@DOCUMENTS
def test_every_setting_that_is_named_exists(text: str) -> None:
    models = sections()
    names = "|".join(filter(None, models))
    for where, field in re.findall(rf"`({names})\.(?!py\b)([a-z_]+)", text):
        assert field in models[where].model_fields, f"{where}.{field}"


def settings_shown() -> Iterator[dict[str, Any]]:
    for block in re.findall(r"```toml\n(.*?)```", GUIDE, re.DOTALL):
        yield tomllib.loads(block)


def test_every_settings_file_that_is_shown_is_accepted_part_by_part() -> None:
    shown = list(settings_shown())
    assert len(shown) > 5
    models = sections()
    for table in shown:
        for name, value in table.items():
            if isinstance(value, str):
                assert name in NodeSettings.model_fields
            for part in value if isinstance(value, list) else [value] if isinstance(value, dict) else []:
                TypeAdapter(models[name]).validate_python(part)


def test_the_settings_that_are_shown_for_others_to_send_are_a_whole_file() -> None:
    whole = next(settings_shown())
    assert not NodeSettings.model_validate(whole).listener.is_loopback


def test_limits_of_processes_that_hang() -> None:
    text = " ".join(GUIDE[GUIDE.index("A model process hangs") :].split("\n\n")[0].split())
    first, more = model_process.SECONDS_FIRST_IMAGE, model_process.SECONDS_NEXT_IMAGE
    assert first == model_process.LOAD_SECONDS
    for words in (
        f"more than {first:.0f} s to load, or to answer one image, and {more:.0f} s for each further one",
        f"more than {serve._BEGIN_SECONDS:.0f} s to begin or makes no sign for {serve._SILENT_SECONDS:.0f} s",
        f"one every {keeping.SIGN_SECONDS:.0f} s",
        f"in the last {process._ROUND_SECONDS:.0f} s",
    ):
        assert words in text


def test_every_setting_of_tls_is_shown() -> None:
    shown = {name for table in settings_shown() for part in table.get("destinations", ()) for name in part}
    assert {"ca", "certificate", "key"} <= shown


def test_how_long_a_study_may_grow() -> None:
    assert f"got no image in the last {retention.MAY_GROW_SECONDS / 3600:.0f} hours" in " ".join(GUIDE.split())


def test_the_folder_of_what_was_cancelled_is_named() -> None:
    assert f"folder `{DataFolder(Path()).cancelled.name}`" in GUIDE


# Commands.


@DOCUMENTS
def test_every_command_and_option_that_is_named_exists(text: str) -> None:
    known = get_command(app).commands  # type: ignore[attr-defined]  # it is a group
    shown = [*re.findall(r"`([^`\n]+)`", text), *re.findall(r"^(?:\$ |sudo |\.venv/).+", text, re.MULTILINE)]
    calls = [found for line in shown if (found := re.search(r"(?<!-g )\bcxr-node ((?:quarantine )?[a-z]+)(.*)", line))]
    assert calls
    for called in calls:
        words = called[1].split()
        assert words[0] in known, called[0]
        assert len(words) == 1 or words[1] in known["quarantine"].commands, called[0]
        output = CliRunner().invoke(app, [*words, "--help"]).output
        assert all(option in output for option in re.findall(r"--[a-z-]+", called[2])), called[0]


def test_the_guide_shows_every_command() -> None:
    for name in get_command(app).commands:  # type: ignore[attr-defined]  # it is a group
        assert f"cxr-node {name}" in GUIDE, name
    for name in ("list", "show", "release"):
        assert f"cxr-node quarantine {name}" in GUIDE


@pytest.mark.parametrize("text", [CONFORMANCE, GUIDE], ids=["conformance", "guide"])
def test_every_file_that_is_linked_exists(text: str) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert (ROOT / "docs" / target).exists(), target


def test_the_map_of_the_house_names_modules_that_there_are() -> None:
    table = README[README.index("| module of dicom_node |") :].split("\n\n")[0]
    named = 0
    for cells in rows(table):
        folder = Path()
        for name in re.findall(r"`([a-z_/0-9]+(?:\.py|/))`", cells[0]):
            folder = Path(name).parent if "/" in name else folder
            assert (ROOT / "dicom_node" / folder / Path(name).name).exists(), name
            named += 1
    assert named > 40
