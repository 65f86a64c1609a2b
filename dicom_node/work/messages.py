"""What the work process and the model process say to each other over their pipe; loads next to nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dicom_node.store.encoded import EncodedResult

if TYPE_CHECKING:
    from cxr_core.results.records import PreviousReport


@dataclass(frozen=True, slots=True)
class Begin:
    """The first message to the model process."""

    settings: str
    """NodeSettings as JSON."""

    encoded: Path
    """Folder for result objects."""


@dataclass(frozen=True, slots=True)
class Ready:
    """The model is loaded and verified."""

    name: str
    version: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Unusable:
    """The model cannot be loaded, and will not be by another try."""

    words: str


@dataclass(frozen=True, slots=True)
class Analyse:
    """Answer a micro-batch."""

    paths: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers in the order of the paths, as `result_json.to_json` writes them."""

    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StudyImage:
    """One image of a study to be encoded."""

    key: str
    path: Path
    digest: str
    received_at: float
    answer: str


@dataclass(frozen=True, slots=True)
class Encode:
    """Make a study's result objects and write them to the disk."""

    images: tuple[StudyImage, ...]
    previous: PreviousReport | None


@dataclass(frozen=True, slots=True)
class Encoded:
    """A study's result objects, and the images that had to be answered again, by key."""

    results: tuple[EncodedResult, ...]
    answers: dict[str, str]


@dataclass(frozen=True, slots=True)
class Failed:
    """The request cannot be met, and would not be by another try."""

    words: str
    """Without patient data."""


@dataclass(frozen=True, slots=True)
class NotNow:
    """The request could not be met, and may be another time."""

    words: str
    """Without patient data."""
