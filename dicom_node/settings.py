"""The node's settings: one TOML file, typed and frozen, each with its unit and its reason."""

from __future__ import annotations

import ipaddress
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from cxr_core.errors import SettingsError

AETitle = Annotated[
    str,
    Field(min_length=1, max_length=16, pattern=r"^[\x21-\x5b\x5d-\x7e]([\x20-\x5b\x5d-\x7e]*[\x21-\x5b\x5d-\x7e])?$"),
]
"""1 to 16 characters of the default repertoire without backslash (PS3.5 6.2)."""

ObjectKind = Literal["sr", "sc", "gsps"]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ListenerSettings(_Section):
    """`[listener]`: who may send what, and how much."""

    ae_title: AETitle = "CXR_NODE"
    bind: str = "127.0.0.1"
    """Address to listen on. Any other than a loopback address needs a list of peers."""

    port: int = Field(default=11112, ge=0, le=65535)
    """0 lets the system choose; `serve` prints the port."""

    tls: bool = False
    tls_certificate: Path | None = None
    """PEM file with the certificate and its chain."""

    tls_key: Path | None = None
    """PEM file with the private key, readable by the node alone."""

    tls_client_ca: Path | None = None
    """PEM file of the authorities whose client certificates are asked for; None asks for none."""

    max_associations: int = Field(default=100, ge=1)
    """In total. Dead connections of health checks count until `acse_timeout_seconds`."""

    max_associations_per_address: int = Field(default=20, ge=1)
    max_pdu_bytes: int = Field(default=131072, ge=4096, le=1048576)
    """128 KiB halve the CPU of 16 KiB; more gains nothing."""

    max_object_mb: int = Field(default=512, ge=1)
    """Of one message; more is aborted."""

    acse_timeout_seconds: float = Field(default=5, gt=0)
    network_timeout_seconds: float = Field(default=30, gt=0)
    """Without any byte."""

    min_bytes_per_second: int = Field(default=65536, ge=1)
    """A PDU may take `network_timeout_seconds` and its length over this; a peer that drips is let go."""

    answer_timeout_seconds: float = Field(default=30, gt=0)
    """An object that cannot be stored in this time is answered 0xA700."""

    max_objects_per_minute: int = Field(default=600, ge=1)
    """Of one sender; more is answered 0xA700, and the sender tries again."""

    @field_validator("bind")
    @classmethod
    def _is_address(cls, value: str) -> str:
        ipaddress.ip_address(value)
        return value

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the listener."""
        return ipaddress.ip_address(self.bind).is_loopback


class PeerSettings(_Section):
    """`[[peers]]`: a DICOM application that may send to us, or that we call."""

    ae_title: AETitle
    host: str
    """Name or address; what connects to us must come from there."""

    port: int | None = Field(default=None, ge=1, le=65535)
    """Where it listens; None of a mere sender."""

    may_send: bool = True
    tls: bool = False
    tls_ca: Path | None = None
    """PEM file of the authority that its certificate is checked against; None for the system's."""

    tls_certificate: Path | None = None
    tls_key: Path | None = None
    """Our client certificate, where it asks for one."""


class AnalysisSettings(_Section):
    """`[analysis]`: what the model is told."""

    model: str | None = None
    """Name or folder of a bundle; None for the default."""

    population: Literal["withhold", "warn"] = "withhold"
    prevalence: float | None = Field(default=None, gt=0, lt=1)
    relaxed_intake: tuple[str, ...] = ()
    study_quiet_seconds: float = Field(default=60, ge=0)
    """A study is complete when nothing of it has come for so long."""

    ignore_older_than_hours: float | None = Field(default=None, gt=0)
    """Studies whose date is older are stored and not analysed: a migration is no reading list. None: all are."""

    batch_size: int = Field(default=16, ge=1)
    batch_wait_ms: float = Field(default=20, ge=0)
    max_attempts: int = Field(default=3, ge=1)
    """An image that ends the model process so often, and at least twice, is set aside."""


class ResultSettings(_Section):
    """`[results]`: which objects are made."""

    sc: Literal["positive", "always", "never"] = "positive"
    gsps: Literal["positive", "always", "never"] = "positive"
    sr_for_refused: bool = False
    """An SR for a study whose every image was refused, too."""

    sc_rle: bool = False
    """Secondary Capture in RLE instead of uncompressed RGB."""


class DestinationSettings(_Section):
    """`[[destinations]]`: where results go. Without any: a folder in the data folder."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")
    kind: Literal["dicom", "stow", "folder"]
    peer: AETitle | Literal["sender"] | None = None
    """For `dicom`: AE title out of `[[peers]]`; "sender" for the peer that the study came from."""

    url: str | None = None
    """For `stow`: the DICOMweb service. Credentials are in the environment variable that `token_variable` names."""

    token_variable: str | None = None
    ca: Path | None = None
    """For `stow`: PEM file of the only authority whose certificate the service may have; None for the system's."""

    certificate: Path | None = None
    key: Path | None = None
    """For `stow`: our client certificate as PEM files, where the service asks for one."""

    folder: Path | None = None
    objects: tuple[ObjectKind, ...] = ("sr", "sc", "gsps")
    ask_before_repeat: bool = True
    """After an attempt of unknown outcome ask by C-FIND or QIDO whether the object is there."""

    request_commitment: bool = False
    retry_seconds: float = Field(default=10, gt=0)
    """Before the first repeat; doubled each time up to `max_retry_seconds`."""

    max_retry_seconds: float = Field(default=900, gt=0)
    give_up_hours: float = Field(default=168, gt=0)
    """A delivery that failed for so long waits for `cxr-node retry`."""

    @model_validator(mode="after")
    def _is_whole(self) -> DestinationSettings:
        needed = {"dicom": "peer", "stow": "url", "folder": "folder"}[self.kind]
        if getattr(self, needed) is None:
            raise ValueError(f"a {self.kind} destination needs {needed}")
        if self.key is not None and self.certificate is None:
            raise ValueError("key needs certificate")
        return self


class CommitmentSettings(_Section):
    """`[commitment]`: storage commitment for what we received. A promise of safekeeping, so off by default."""

    archive: AETitle | None = None
    """The peer that has to commit the same instances to us before we report success; None answers no request."""

    timeout_seconds: float = Field(default=3600, gt=0)


class RetentionSettings(_Section):
    """`[retention]`: when what holds patient data is deleted. Unsent work never is."""

    days: float = Field(default=7, gt=0)
    quarantine_days: float = Field(default=30, gt=0)
    max_gb: float | None = Field(default=None, gt=0)
    """Finished studies go, oldest first, when the data folder holds more."""

    reserve_mb: int = Field(default=1024, ge=0)
    """With less free space on the disk no object is taken; with less than twice as much, finished studies whose results
    are all outside of the data folder go, oldest first."""


class NodeSettings(_Section):
    """Everything that the node can be told."""

    listener: ListenerSettings = ListenerSettings()
    peers: tuple[PeerSettings, ...] = ()
    analysis: AnalysisSettings = AnalysisSettings()
    results: ResultSettings = ResultSettings()
    destinations: tuple[DestinationSettings, ...] = ()
    commitment: CommitmentSettings = CommitmentSettings()
    retention: RetentionSettings = RetentionSettings()
    data: Path | None = None
    """The data folder; None for the user's."""

    database: str | None = None
    """SQLAlchemy address of the work database; None for SQLite in the data folder."""

    @model_validator(mode="after")
    def _fits_together(self) -> NodeSettings:
        titles = [peer.ae_title for peer in self.peers]
        doubled = {title for title in titles if titles.count(title) > 1}
        if doubled:
            raise ValueError(f"peers: AE title {', '.join(sorted(doubled))} is listed twice")
        callable_titles = {peer.ae_title for peer in self.peers if peer.port is not None}
        for destination in self.destinations:
            if destination.kind == "dicom" and destination.peer not in callable_titles | {"sender"}:
                raise ValueError(f"destination {destination.name}: no peer {destination.peer} with a port is listed")
        archive = self.commitment.archive
        if archive is not None and archive not in callable_titles:
            raise ValueError(f"commitment: no peer {archive} with a port is listed")
        if not self.listener.is_loopback and not any(peer.may_send for peer in self.peers):
            raise ValueError(
                f"bound to {self.listener.bind}, so that others reach it, without a list of senders; write: "
                '[[peers]] with ae_title = "YOUR_PACS" and host = "its address"'
            )
        if self.listener.tls and (self.listener.tls_certificate is None or self.listener.tls_key is None):
            raise ValueError("listener: tls needs tls_certificate and tls_key")
        return self

    def peer(self, ae_title: str) -> PeerSettings | None:
        """The peer of an AE title."""
        return next((peer for peer in self.peers if peer.ae_title == ae_title), None)


def load_settings(path: Path) -> NodeSettings:
    """Read a TOML file. Raises SettingsError, one line for everything that is wrong with it."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{path}: {error}", "a TOML file", "see the sample that comes with the node") from error
    return settings_of(table, str(path))


def settings_of(table: dict[str, Any], where: str) -> NodeSettings:
    """Settings of a table as TOML gives it. Raises SettingsError."""
    try:
        return NodeSettings.model_validate(table)
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, e['loc'])) or 'settings'}: {e['msg']}" for e in error.errors()]
        raise SettingsError(f"{where}: {'; '.join(lines)}", "", "correct it") from error
