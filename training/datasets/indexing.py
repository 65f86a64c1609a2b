"""Every file is read once: its digest, what it is, and for DICOM whose it is. Nothing is decoded or kept."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import floor
from pathlib import PurePosixPath
from typing import Any

from cxr_core.errors import ImageReadError
from cxr_core.population import Population
from cxr_core.reading import Source
from cxr_core.reading.patient_age import MAX_AGE_YEARS, age_years
from cxr_core.reading.raster_file import JPEG_MAGIC, PNG_MAGIC
from training.datasets.examples import Example
from training.datasets.files import IMAGE_SUFFIXES, LIMITS, load

#: Gives the items back one by one, and may show how many of the total are done.
Progress = Callable[[Iterable[Any], int], Iterable[Any]]

#: Where neither the data set nor its files say who the patients are. Ages limit nothing then.
UNSTATED_POPULATION = Population(
    description="patients of unstated age", min_age_years=0, below_age_years=MAX_AGE_YEARS + 1
)
_DICOM_PREFIX = b"DICM"
#: Little endian group 0002 or 0008, with which a DICOM file without preamble begins.
_BARE_DICOM = (b"\x02\x00", b"\x08\x00")


@dataclass(frozen=True, slots=True)
class IndexedFile:
    """One image file, read once."""

    source: Source
    sha256: str
    patient: str | None = None
    """Patient group of a DICOM file that has a Patient ID."""

    age_years: float | None = None
    """Age at the study, where a DICOM file tells it."""


def without_progress(items: Iterable[Any], total: int) -> Iterable[Any]:
    """Show nothing."""
    return items


def index_files(sources: Sequence[Source], progress: Progress | None = None) -> Iterator[IndexedFile]:
    """The images among the files, in their order. A name that says image stays in, so that damage is named later.

    Raises DatasetError for a file that cannot be read.
    """
    for source in (progress or without_progress)(sources, len(sources)):
        data = load(source)
        is_dicom = data[128:132] == _DICOM_PREFIX or data[:2] in _BARE_DICOM
        named_image = PurePosixPath(source.name).suffix.lower() in IMAGE_SUFFIXES
        if not (named_image or is_dicom or data.startswith((JPEG_MAGIC, PNG_MAGIC))):
            continue
        digest = hashlib.sha256(data).hexdigest()
        patient, age = _dicom_patient(data) if is_dicom else (None, None)
        yield IndexedFile(source, digest, patient, age)


def _dicom_patient(data: bytes) -> tuple[str | None, float | None]:
    """Patient group and age out of a DICOM header; None for what it does not tell.

    A Patient ID is unique within its issuer only (PS3.3 C.7.1.1). Only a digest of the two leaves this function.
    """
    from cxr_core.reading.dicom_file import parse

    try:
        dataset = parse(data, LIMITS)[0]
        patient_id = str(dataset.get("PatientID") or "").strip()
        issuer = str(dataset.get("IssuerOfPatientID") or "").strip()
        age = age_years(dataset)
    except (ImageReadError, MemoryError, RecursionError):
        return None, None
    except Exception:  # noqa: BLE001  # pydicom parses on access and raises many kinds; decoding will name the file
        return None, None
    group = "dicom-" + hashlib.sha256(f"{issuer}\0{patient_id}".encode()).hexdigest()[:16] if patient_id else None
    return group, age


def population_of(ages: Iterable[float | None]) -> Population | None:
    """Patients from the youngest to the oldest known age in years; None when none is known."""
    known = [age for age in ages if age is not None and 0 <= age <= MAX_AGE_YEARS]
    if not known:
        return None
    youngest, oldest = floor(min(known)), floor(max(known))
    return Population(
        description=f"patients of {youngest} to {oldest} years", min_age_years=youngest, below_age_years=oldest + 1
    )


def without_copies(examples: Sequence[Example]) -> tuple[tuple[Example, ...], list[str]]:
    """Exact duplicates left out, but none of test/: whoever evaluates there counts every file. And what to tell.

    Outside test/ an image that lies under different labels is left out altogether: nobody knows which one is right.
    """
    targets: dict[str, set[tuple[int, ...]]] = {}
    for example in examples:
        if example.split != "test":
            targets.setdefault(example.sha256, set()).add(example.target)
    kept: list[Example] = []
    seen: set[str] = set()
    contradicting: list[str] = []
    copies = 0
    for example in examples:
        if example.split == "test":
            kept.append(example)
        elif len(targets[example.sha256]) > 1:
            contradicting.append(example.source.name)
        elif example.sha256 in seen:
            copies += 1
        else:
            seen.add(example.sha256)
            kept.append(example)
    notes = [f"{copies} exact duplicates left out"] if copies else []
    if contradicting:
        notes.append(f"{named(contradicting)} left out: the same image under another label")
    return tuple(kept), notes + _test_notes(kept, targets)


def _test_notes(kept: Sequence[Example], elsewhere: dict[str, set[tuple[int, ...]]]) -> list[str]:
    """What test/ shares with the rest, and with itself; all of it stays in."""
    test = [example for example in kept if example.split == "test"]
    notes = []
    if again := len(test) - len({example.sha256 for example in test}):
        notes.append(f"test: {again} exact duplicates within it, kept")
    if shared := [example.source.name for example in test if example.sha256 in elsewhere]:
        notes.append(f"test: {named(shared)} also outside test, kept; figures on them are too good")
    groups = {example.patient for example in kept if example.split != "test"}
    if common := len({example.patient for example in test} & groups):
        notes.append(f"test: {common} patient groups also outside test")
    return notes


def named(names: Sequence[str], shown: int = 3) -> str:
    """How many files, and the first ones."""
    more = ", ..." if len(names) > shown else ""
    return f"{len(names)} file{'s' if len(names) != 1 else ''} ({', '.join(names[:shown])}{more})"
