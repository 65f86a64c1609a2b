"""What the reader has set: frozen, typed, kept as JSON in the user's configuration folder. Standard library only."""

from __future__ import annotations

import json
import math
import types
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from cxr_core.errors import SettingsError
from cxr_core.files import write_whole


@dataclass(frozen=True, slots=True)
class WindowPreset:
    """A window of the reader's own, on a number key."""

    name: str
    center: float
    """In modality units, as Window Center (PS3.3 C.11.2.1.2)."""

    width: float

    def __post_init__(self) -> None:
        if not (1 <= self.width < math.inf and math.isfinite(self.center)):
            raise SettingsError(
                f"a window of center {self.center:g} and width {self.width:g}",
                "numbers, the width 1 or more",
                "correct the preset",
            )


@dataclass(frozen=True, slots=True)
class PacsEntry:
    """A PACS that results can be sent to."""

    name: str
    ae_title: str
    host: str
    port: int = 104
    calling_ae_title: str = "CXR_DESKTOP"
    tls: bool = False
    tls_ca: str | None = None
    """PEM file of the authority that its certificate is checked against; None for the system's."""

    tls_certificate: str | None = None
    """PEM file of our client certificate, where it asks for one."""

    tls_key: str | None = None

    def __post_init__(self) -> None:
        for title in (self.ae_title, self.calling_ae_title):
            if not title.strip() or len(title) > 16 or not title.isascii() or not title.isprintable() or "\\" in title:
                raise SettingsError(
                    f"an AE title of {len(title)} characters",
                    "1 to 16 of ASCII, no backslash (PS3.5 6.2)",
                    "correct it",
                )
        if not self.host.strip():
            raise SettingsError("a PACS without a host", "a name or address", "enter it")
        if not 1 <= self.port <= 65535:
            raise SettingsError(f"port {self.port}", "1 to 65535", "correct it")


@dataclass(frozen=True, slots=True)
class HeatMapSettings:
    """How the model's attention is drawn over a film."""

    opacity: float = 0.45
    """Of the strongest colour, 0 to 1."""

    threshold: float = 0.25
    """Share of the map's own maximum below which nothing is drawn, 0 to 1."""

    colour_map: str = "viridis"
    contour: bool = False
    legend: bool = True

    def __post_init__(self) -> None:
        for name, share in (("opacity", self.opacity), ("threshold", self.threshold)):
            if not 0 <= share <= 1:
                raise SettingsError(f"a map's {name} of {share:g}", "a share from 0 to 1", "correct it")


@dataclass(frozen=True, slots=True)
class ViewerSettings:
    """Everything that the viewer keeps between two starts, but the places of its windows."""

    analyse_on_open: bool = False
    """Off: the reader looks first, and asks. Evidence: docs/viewer.md."""

    model: str | None = None
    """Name or folder of a bundle; None for the default one."""

    second_model: str = "mobilenetv2"
    """The one beside it, when both are asked for."""

    population: Literal["withhold", "warn"] = "withhold"
    """Verdicts on patients whom the model is not validated for: withheld, or given with a warning."""

    prevalence: float | None = None
    """Share of positives at this site, between 0 and 1; None for the model's own."""

    corner_text: int = 2
    """0 none, 1 short, 2 full."""

    window_drag: Literal["classic", "ihe"] = "classic"
    """What a drag does: classic, right widens and up brightens; ihe, down brightens as Basic Image Review says."""

    linked: bool = True
    """Current and prior share zoom, pan and window."""

    heat_map: HeatMapSettings = field(default_factory=HeatMapSettings)
    presets: tuple[WindowPreset, ...] = ()
    pacs: tuple[PacsEntry, ...] = ()
    shortcuts: dict[str, str] = field(default_factory=dict)
    """Key by command, where it is not the one of window/actions.py; "" for none."""

    keep_index: bool = True
    """Whether what was opened, answered and measured is remembered on this machine."""

    def __post_init__(self) -> None:
        if self.prevalence is not None and not 0 < self.prevalence < 1:
            raise SettingsError(f"a prevalence of {self.prevalence:g}", "a share between 0 and 1", "correct it")
        if self.corner_text not in (0, 1, 2):
            raise SettingsError(f"corner text level {self.corner_text}", "0, 1 or 2", "correct it")


def read_settings(path: Path) -> tuple[ViewerSettings, str | None]:
    """The settings in a file, and in one line what of them could not be used; defaults where there is no file.

    A value that is wrong costs that value only: a reader must not lose all for one.
    """
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(held, dict):
            raise ValueError  # told below, as any other damage
    except FileNotFoundError:
        return ViewerSettings(), None
    except (OSError, ValueError, RecursionError) as error:
        why = error.strerror if isinstance(error, OSError) else "damaged"
        return ViewerSettings(), f"Settings could not be read ({why}); the defaults are used. File: {path}"
    settings, wrong = ViewerSettings(), []
    hints = get_type_hints(ViewerSettings)
    for name, value in held.items():
        if name not in hints:
            continue  # of a later version
        try:
            settings = replace(settings, **{name: _typed(hints[name], value)})
        except (TypeError, ValueError, OverflowError, SettingsError):
            wrong.append(name)
    told = f"Settings that could not be used: {', '.join(wrong)}; their defaults are. File: {path}" if wrong else None
    return settings, told


def write_settings(path: Path, settings: ViewerSettings) -> None:
    """Write them, whole or not at all, readable by the user alone. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, json.dumps(asdict(settings), indent=2, ensure_ascii=False).encode(), private=True)


def _typed(hint: Any, value: Any) -> Any:
    """A JSON value as the annotation says. Raises TypeError, ValueError, OverflowError or SettingsError."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Literal:
        if value not in arguments or isinstance(value, bool):
            raise ValueError
        return value
    if origin in (Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        return _typed(next(part for part in arguments if part is not type(None)), value)
    if origin is tuple:
        if not isinstance(value, list):
            raise TypeError
        return tuple(_typed(arguments[0], one) for one in value)
    if origin is dict:
        if not isinstance(value, dict):
            raise TypeError
        return {str(key): _typed(arguments[1], one) for key, one in value.items()}
    if is_dataclass(hint):
        if not isinstance(value, dict):
            raise TypeError
        hints = get_type_hints(hint)
        known = {part.name for part in fields(hint)}
        return hint(**{name: _typed(hints[name], one) for name, one in value.items() if name in known})  # type: ignore[operator]  # a class
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise TypeError
    return value
