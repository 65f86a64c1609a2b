"""Typed, frozen settings of the core; loaded once and handed down."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from cxr_core.errors import SettingsError

#: The intake rules that a site may relax; the result then says that it was done.
INTAKE_RULES = (
    "modality",
    "body_part",
    "view",
    "for_processing",
)


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """Bounds on what one input may cost, so that a hostile header or archive cannot exhaust memory."""

    max_pixels: int = 100_000_000
    """Rows x Columns. A 35 x 43 cm film digitised at 50 micrometres has 60 million."""

    max_file_bytes: int = 512 * 1024**2
    """Size in bytes of one file, archive member, or inflated data set."""

    max_archive_bytes: int = 8 * 1024**3
    """Unpacked size in bytes of all members of one zip; members are read one at a time."""

    max_archive_ratio: int = 200
    """Unpacked over packed size of one member. Films packed by zip stay under 20, blank ones under 200."""

    max_archive_members: int = 100_000
    """Members of one zip."""


@dataclass(frozen=True, slots=True)
class IntakeSettings:
    """Which intake rules are relaxed, and the smallest image."""

    relaxed: frozenset[str] = frozenset()
    """Names out of INTAKE_RULES. A relaxed rule turns its refusal into a warning in the result."""

    min_side: int = 64
    """Rows and Columns in pixels; a smaller picture is a thumbnail or an icon."""

    def __post_init__(self) -> None:
        unknown = sorted(self.relaxed - set(INTAKE_RULES))
        if unknown:
            raise SettingsError(
                f"intake rule {', '.join(unknown)}", f"one of {', '.join(INTAKE_RULES)}", "correct the name"
            )


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that the core can be told."""

    limits: ReadLimits = field(default_factory=ReadLimits)
    intake: IntakeSettings = field(default_factory=IntakeSettings)

    population: Literal["withhold", "warn"] = "withhold"
    """What happens to a verdict on a patient outside the bundle's population: withheld, or given with a warning."""

    prevalence: float | None = None
    """The site's own share of positives, between 0 and 1, that the probabilities of a two-class bundle shall hold for;
    None for the bundle's. Decisions stay where they were validated."""

    threads: int = 1
    """Threads of the model runtime; everything else runs in the calling thread. One film needs no more."""

    def __post_init__(self) -> None:
        if self.prevalence is not None and not 0 < self.prevalence < 1:
            raise SettingsError(f"a prevalence of {self.prevalence:g}", "a share between 0 and 1", "correct it")
