"""What encoding a study's results takes and gives."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from pydicom.dataset import Dataset

from cxr_core.bundle import Manifest
from cxr_core.chest_image import ChestImage
from cxr_core.errors import CxrError
from cxr_core.prediction import ImageResult

ResultKind = Literal["sr", "sc", "gsps"]
Which = Literal["positive", "always", "never"]


class ResultError(CxrError):
    """A study whose results cannot be written as DICOM objects."""


@dataclass(frozen=True, eq=False, slots=True)
class AnalysedImage:
    """One image of a study with what became of it."""

    data_set: Dataset
    """The source as it was parsed; pixel data are not needed. Patient and study are carried over from it, byte for byte
    where nobody has looked at the element yet."""

    digest: str
    """Of the data set as it was received, by `cxr_core.digest`."""

    received: datetime
    """When it was received, with its time zone: the date of everything that is made from it."""

    image: ChestImage | None
    """None of an image that could not be read."""

    result: ImageResult
    manifest: Manifest | None
    """Of the bundle that gave the prediction; None where there is none."""


@dataclass(frozen=True, slots=True)
class PreviousReport:
    """The SR of the same study that a new one supersedes."""

    sop_instance_uid: str
    series_instance_uid: str
    instance_number: int


@dataclass(frozen=True, slots=True)
class ResultChoice:
    """Which objects are made."""

    sc: Which = "positive"
    """Secondary Capture: of images with a positive verdict, of every image with a prediction, or of none."""

    gsps: Which = "positive"
    """Grayscale Softcopy Presentation State, likewise. Colour sources never have one (PS3.4 N.2.1)."""

    sr_for_refused: bool = False
    """An SR also for a study without a prediction, which says why."""

    sc_rle: bool = False
    """Secondary Capture in RLE Lossless instead of uncompressed."""


@dataclass(frozen=True, slots=True)
class ResultObject:
    """One object, encoded once: the same UID is always the same bytes."""

    kind: ResultKind
    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str
    study_instance_uid: str
    transfer_syntax_uid: str
    instance_number: int
    source_uids: tuple[str, ...]
    """SOP Instance UIDs of the images that it was made from."""

    data: bytes = field(repr=False)
    """The whole file: preamble, file meta information, data set (PS3.10 7.1)."""
