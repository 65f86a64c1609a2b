"""The records that pass between reading, panels and views: an instance as listed, and an image as loaded."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from cxr_core.chest_image import ChestImage
    from cxr_core.grayscale import StoredPixels

#: "result" is an object of ours (cxr_core.results.marks), "other" an object without a picture that is shown here.
InstanceKind = Literal["image", "result", "other", "failed"]


@dataclass(frozen=True, slots=True)
class InstanceRecord:
    """One file as the study browser lists it: what its header says, or why it cannot be read.

    Text is as DICOM has it, decoded; what is absent is "". Dates are YYYYMMDD, times HHMMSS, as in DICOM.
    """

    name: str
    """Where it is: the path as typed with what was found below it; a zip member is archive.zip!member."""

    kind: InstanceKind
    reason: str = ""
    """Of a failed one, in one line; of another one why it is not shown."""

    sop_class_uid: str = ""
    sop_instance_uid: str = ""
    series_instance_uid: str = ""
    study_instance_uid: str = ""
    patient_id: str = ""
    issuer: str = ""
    patient_name: str = ""
    """All component groups, as DICOM writes them: alphabetic=ideographic=phonetic (PS3.5 6.2.1)."""

    patient_sex: str = ""
    patient_birth_date: str = ""
    patient_age: str = ""
    study_date: str = ""
    study_time: str = ""
    study_description: str = ""
    accession_number: str = ""
    institution: str = ""
    modality: str = ""
    series_description: str = ""
    body_part: str = ""
    view_position: str = ""
    laterality: str = ""
    instance_number: str = ""
    rows: int = 0
    columns: int = 0

    @property
    def key(self) -> str:
        """What an image's answers are kept under: SOP Instance UID, else where it is."""
        return self.sop_instance_uid or f"file:{self.name}"

    @property
    def study_key(self) -> str:
        """What tells studies apart: Study Instance UID, else where the file is."""
        return self.study_instance_uid or f"file:{self.name}"

    @property
    def patient_key(self) -> tuple[str, str]:
        """What tells patients apart: Patient ID with its issuer, else the name; a file without either is its own."""
        if self.patient_id:
            return self.patient_id, self.issuer
        return ("", self.patient_name) if self.patient_name else ("", self.study_instance_uid or self.name)


@dataclass(frozen=True, eq=False, slots=True)
class LoadedImage:
    """One image, read and decoded: what a view shows."""

    record: InstanceRecord
    image: ChestImage
    stored: StoredPixels
    """Stored values, axes (row, column)."""

    data_set: Dataset | None
    """The parsed header, pixels included as they were encoded; None of JPEG and PNG."""

    content: bytes = field(repr=False)
    """The whole file, as it was when it was opened: it may be removed from disk meanwhile."""

    key: str = field(init=False)
    """What its opinions and measurements are kept under: that of its record, and a digest of its pixels.

    Not all files that bear one SOP Instance UID have the same pixels, and a picture's file may be replaced: what was
    measured on one film must never appear on another.
    """

    def __post_init__(self) -> None:
        pixels = hashlib.sha256(repr(self.stored.shape).encode())
        pixels.update(self.stored.data if self.stored.flags.c_contiguous else self.stored.tobytes())
        object.__setattr__(self, "key", f"{self.record.key}#{pixels.hexdigest()[:16]}")
