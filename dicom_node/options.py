"""Options of the command line laid over the settings of a file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cxr_core.errors import SettingsError
from dicom_node.settings import NodeSettings, load_settings, settings_of


@dataclass(frozen=True, slots=True)
class SendTo:
    """An application that results are sent to."""

    ae_title: str
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Options:
    """What was said on the command line; None leaves what the file says."""

    data: Path | None = None
    port: int | None = None
    ae_title: str | None = None
    send_to: tuple[SendTo, ...] = ()


def parse_send_to(text: str) -> SendTo:
    """AET@HOST:PORT. Raises SettingsError."""
    found = re.fullmatch(r"([^@]{1,16})@(\[[0-9A-Fa-f:]+\]|[^:@\s]+):([0-9]{1,5})", text)
    if found is None:
        raise SettingsError(f"--send-to {text}", "AET@HOST:PORT", "as in PACS@pacs.example:104")
    return SendTo(found[1], found[2].strip("[]"), int(found[3]))


def settings_with(config: Path | None, options: Options) -> NodeSettings:
    """The settings of a file, or the defaults, with what the command line says. Raises SettingsError."""
    settings = NodeSettings() if config is None else load_settings(config)
    table = settings.model_dump(mode="json")
    if options.data is not None:
        table["data"] = str(options.data)
    for name in ("port", "ae_title"):
        value = getattr(options, name)
        if value is not None:
            table["listener"][name] = value
    for wanted in options.send_to:
        _add(table, wanted)
    return settings_of(table, "the command line" if config is None else str(config))


def _add(table: dict[str, Any], wanted: SendTo) -> None:
    """A destination, and the peer that it names; a listed one has to be the same."""
    listed = next((peer for peer in table["peers"] if peer["ae_title"] == wanted.ae_title), None)
    if listed is None:
        # Whom we send to may not therefore send to us.
        peer = {"ae_title": wanted.ae_title, "host": wanted.host, "port": wanted.port, "may_send": False}
        table["peers"] = [*table["peers"], peer]
    elif (listed["host"], listed["port"]) != (wanted.host, wanted.port):
        raise SettingsError(
            f"--send-to {wanted.ae_title} at {wanted.host}:{wanted.port}",
            "the address that [[peers]] has for it",
            "correct one of the two",
        )
    # The name follows from the AE title alone: what waits for it goes there after a start with other options, too.
    name = "to-" + re.sub(r"[^a-z0-9]+", "-", wanted.ae_title.lower()).strip("-")
    table["destinations"] = [*table["destinations"], {"name": name, "kind": "dicom", "peer": wanted.ae_title}]
