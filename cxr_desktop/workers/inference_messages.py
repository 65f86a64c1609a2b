"""What the window asks of the inference process, and what that replies; loads next to nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from cxr_core.settings import Settings

if TYPE_CHECKING:
    from cxr_core.bundle import Manifest
    from cxr_core.prediction import ModelIdentity
    from cxr_core.results.records import PreviousReport, ResultChoice
    from cxr_desktop.state.answers import Answer


@dataclass(frozen=True, slots=True)
class Warm:
    """Load a model, so that the first question does not wait for it. No reply."""

    model: str | None
    """Name or folder of a bundle; None for the default."""

    settings: Settings


@dataclass(frozen=True, slots=True)
class Ask:
    """Answer one image. Replies: Stage, then an Answer."""

    name: str
    content: bytes | None = field(repr=False)
    """Of the file; None to have it read under its name."""

    model: str | None
    settings: Settings


@dataclass(frozen=True, slots=True)
class Describe:
    """Describe a model. Reply: ModelDescription."""

    model: str | None


@dataclass(frozen=True, slots=True)
class ListModels:
    """Name the models. Reply: a tuple of names, the default one first."""


@dataclass(frozen=True, eq=False, slots=True)
class StudyImage:
    """One image of a study to be encoded."""

    content: bytes = field(repr=False)
    received: datetime
    """When it came here, with its time zone: the date of what is made from it."""

    answer: Answer


@dataclass(frozen=True, slots=True)
class Encode:
    """Make a study's result objects. Reply: a list of cxr_core.results.records.ResultObject."""

    images: tuple[StudyImage, ...]
    choice: ResultChoice
    producer: str
    previous: PreviousReport | None


@dataclass(frozen=True, slots=True)
class Stage:
    """What is being done."""

    words: str


@dataclass(frozen=True, eq=False, slots=True)
class ModelDescription:
    """A model for people."""

    identity: ModelIdentity
    manifest: Manifest
    card: str
    """Markdown."""
