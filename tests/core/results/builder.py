"""Builds analysed images without running a model: synthetic sources, and predictions as told."""

from __future__ import annotations

import hashlib
import io
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pydicom
import pydicom.uid as uid
from pydicom.dataset import Dataset

from cxr_core.bundle import Manifest, find_bundle
from cxr_core.population import PopulationState
from cxr_core.prediction import Finding, ImageResult, Milliseconds, ModelIdentity, Prediction
from cxr_core.reading import read_image
from cxr_core.results.encode import encode_study
from cxr_core.results.records import AnalysedImage, PreviousReport, ResultChoice, ResultKind, ResultObject
from tests.dicom_builder import build

BUNDLE = find_bundle()
MANIFEST = BUNDLE.manifest
RECEIVED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ALWAYS = ResultChoice(sc="always", gsps="always")
PRODUCER = "CXR_NODE"

#: Where the map of a built prediction is hot: (row, column) as shares of the film.
HOT = (0.7, 0.3)

CR = {"SOPClassUID": uid.ComputedRadiographyImageStorage, "Modality": "CR"}
DX = {
    "SOPClassUID": uid.DigitalXRayImageStorageForPresentation,
    "Modality": "DX",
    "PresentationIntentType": "FOR PRESENTATION",
    "PresentationLUTShape": "IDENTITY",
}
SC = {"SOPClassUID": uid.SecondaryCaptureImageStorage, "Modality": "OT", "ConversionType": "DF"}
SOURCES = {"CR": CR, "DX": DX, "SC": SC}

#: Names that differ only in how they are encoded (PS3.5 H.3.1), and the bytes of patient and study texts.
CHARACTER_SETS: dict[str, dict[str, Any]] = {
    "default": {},
    "ISO_IR 100": {
        "SpecificCharacterSet": "ISO_IR 100",
        "PatientName": "B\xe4r^S\xf6ren",
        "StudyDescription": "Thorax \xfc",
    },
    "ISO 2022 IR 87": {
        "SpecificCharacterSet": ["", "ISO 2022 IR 87"],
        "PatientName": "Yamada^Tarou=山田^太郎=やまだ^たろう",
        "StudyDescription": "胸部 AP",
    },
    "ISO_IR 192": {
        "SpecificCharacterSet": "ISO_IR 192",
        "PatientName": "Wang^XiaoDong=王^小东",
        "StudyDescription": "胸 ✓",
    },
}


def blob(rows: int = 15, columns: int = 15, at: tuple[float, float] = HOT) -> np.ndarray:
    """A map with one round hot place."""
    y, x = np.mgrid[:rows, :columns]
    square = (y + 0.5 - at[0] * rows) ** 2 + (x + 0.5 - at[1] * columns) ** 2
    return np.exp(-square / 8).astype(np.float32)


def prediction(
    probability: float = 0.9731,
    *,
    verdict: str | None = "PNEUMONIA",
    withheld: Any = None,
    population: PopulationState = "inside",
    cam: np.ndarray | None = None,
    **changes: Any,
) -> Prediction:
    """An answer of the shipped two-class bundle."""
    cam = blob() if cam is None else cam
    values: dict[str, Any] = {
        "model": ModelIdentity(MANIFEST.name, MANIFEST.version, BUNDLE.sha256),
        "labels": ("NORMAL", "PNEUMONIA"),
        "probabilities": (1 - probability, probability),
        "prevalence": MANIFEST.prevalence,
        "label": "PNEUMONIA" if probability >= 0.5 else "NORMAL",
        "probability": probability,
        "findings": (Finding("PNEUMONIA", probability, 0.5, probability >= 0.5),),
        "verdict": None if withheld else verdict,
        "verdict_withheld": withheld,
        "in_domain": withheld != "out_of_domain",
        "domain_score": 1.0,
        "domain_reason": "unlike the training images" if withheld == "out_of_domain" else None,
        "population": population,
        "warnings": (),
        "maps": np.stack([np.zeros_like(cam), cam]),
        "embedding": np.zeros(4, np.float32),
    }
    return Prediction(**(values | changes))


#: Every answer that an image can have.
ANSWERS: dict[str, dict[str, Any]] = {
    "positive": {},
    "negative": {"probability": 0.0312, "verdict": "NORMAL"},
    "indeterminate": {"probability": 0.41, "verdict": "INDETERMINATE"},
    "out of domain": {"withheld": "out_of_domain"},
    "outside": {"withheld": "population", "population": "outside"},
    "outside, warned": {"population": "outside"},
    "age unknown": {"population": "unknown"},
}


def analysed(
    answer: Prediction | str | None = "positive",
    *,
    number: int = 1,
    status: Any = None,
    reason: str | None = None,
    warnings: tuple[str, ...] = (),
    received: datetime = RECEIVED,
    manifest: Manifest = MANIFEST,
    data: bytes | None = None,
    stored: np.ndarray | None = None,
    **attributes: Any,
) -> AnalysedImage:
    """One image; `number` tells images of a study apart. `answer` is out of ANSWERS; None for none."""
    if data is None:
        identity = {"SOPInstanceUID": f"2.25.100{number}", "InstanceNumber": number}
        data = build(stored, **({"StudyTime": "101112", "StudyID": "7"} | identity | attributes))
    given = prediction(**ANSWERS[answer]) if isinstance(answer, str) else answer
    status = status or ("refused" if given is None else "predicted")
    data_set = pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True, force=True)
    return AnalysedImage(
        data_set=data_set,
        digest=hashlib.sha256(data).hexdigest(),
        received=received,
        image=None if status == "failed" else read_image(data),
        result=ImageResult("film.dcm", status, reason, None, warnings, given, Milliseconds()),
        manifest=None if given is None else manifest,
    )


def encoded(
    *images: AnalysedImage,
    choice: ResultChoice = ALWAYS,
    producer: str = PRODUCER,
    previous: PreviousReport | None = None,
) -> list[ResultObject]:
    """The objects of a study."""
    return encode_study(images, choice, producer, previous)


def of_kind(objects: list[ResultObject], kind: ResultKind) -> ResultObject:
    """The only object of a kind."""
    (found,) = [made for made in objects if made.kind == kind]
    return found


def parsed(made: ResultObject) -> Dataset:
    """An object as pydicom reads it back."""
    return pydicom.dcmread(io.BytesIO(made.data))


def one(kind: ResultKind, *images: AnalysedImage, **options: Any) -> Dataset:
    """The only object of a kind of a study, read back."""
    return parsed(of_kind(encoded(*images, **options), kind))
