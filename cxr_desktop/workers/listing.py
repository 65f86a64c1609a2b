"""Typed paths to InstanceRecords, from the headers alone, in batches: what the scanning process does."""

from __future__ import annotations

import io
import os
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import BinaryIO

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from cxr_core.chest_image import HeaderFacts
from cxr_core.errors import ImageReadError
from cxr_core.pipeline import enough_memory
from cxr_core.reading import Source, find_sources
from cxr_core.reading.dicom_file import damage_told
from cxr_core.reading.header import Header, read_header
from cxr_core.results.marks import is_result
from cxr_desktop.state.index import Index, IndexFileError
from cxr_desktop.state.records import InstanceKind, InstanceRecord
from cxr_desktop.state.search import searched_text
from cxr_desktop.workers.scan_messages import Listed, ListPaths

#: At most ten batches a second: each costs the window a repaint.
_BATCH_SECONDS = 0.1

#: Fields of a record and the attributes that they are of.
_TEXTS = {
    "patient_id": "PatientID",
    "patient_name": "PatientName",
    "patient_sex": "PatientSex",
    "patient_birth_date": "PatientBirthDate",
    "patient_age": "PatientAge",
    "study_date": "StudyDate",
    "study_time": "StudyTime",
    "study_description": "StudyDescription",
    "accession_number": "AccessionNumber",
    "institution": "InstitutionName",
    "modality": "Modality",
    "series_description": "SeriesDescription",
    "body_part": "BodyPartExamined",
    "laterality": "ImageLaterality",
    "instance_number": "InstanceNumber",
}


def list_paths(request: ListPaths) -> Iterator[Listed]:
    """The records behind the paths, a batch at a time; the last batch may be empty and tells the total."""
    paths = [os.path.abspath(path) for path in request.paths]  # noqa: PTH100  # the text as typed, not a resolved path
    counter = _Counter(paths)
    with ExitStack() as stack:
        keeper = _Keeper(request.index, stack)
        done = 0
        batch: list[InstanceRecord] = []
        due = time.monotonic() + _BATCH_SECONDS
        for path in paths:
            for source in find_sources(path):
                batch.append(record_of(source))
                if time.monotonic() >= due:
                    done += len(batch)
                    yield _listed(batch, done, counter.total, keeper)
                    batch = []
                    due = time.monotonic() + _BATCH_SECONDS
        done += len(batch)
        yield _listed(batch, done, done, keeper)


def _listed(batch: list[InstanceRecord], done: int, total: int, keeper: _Keeper) -> Listed:
    texts = tuple(searched_text(record) for record in batch)
    answered, trouble = keeper.keep(batch)
    return Listed(tuple(batch), texts, done, max(total, done) if total else 0, answered, trouble)


class _Counter:
    """Counts the sources meanwhile, without opening them, so that progress has an end."""

    def __init__(self, paths: list[str]) -> None:
        self.total = 0
        self._paths = paths
        threading.Thread(target=self._count, daemon=True).start()

    def _count(self) -> None:
        with suppress(OSError):  # a folder that goes away meanwhile: listing tells
            self.total = sum(1 for path in self._paths for _ in find_sources(path))


class _Keeper:
    """Keeps records in the index; where that fails, the list goes on without it."""

    def __init__(self, path: str | None, stack: ExitStack) -> None:
        self._index = None
        if path is not None:
            self._index = Index(Path(path), lambda words: None)  # the window's own index tells the same
            stack.callback(self._index.close)

    def keep(self, records: list[InstanceRecord]) -> tuple[tuple[str, ...], str]:
        """Which of their keys have an answer; and what is wrong, once, else ""."""
        if self._index is None or not records:
            return (), ""
        try:
            self._index.put_instances(records)
            return tuple(self._index.answered(record.key for record in records)), ""
        except IndexFileError as error:
            self._index.close()
            self._index = None
            return (), str(error)


def record_of(source: Source) -> InstanceRecord:
    """What the header of one source says, or why it cannot be read. Raises nothing for any content."""
    try:
        with enough_memory(), damage_told():
            return record_of_header(source.name, _header_of(source))
    except ImageReadError as error:
        return InstanceRecord(source.name, "failed", str(error))


def _header_of(source: Source) -> Header:
    if source.open is None:
        content = source.load()
        return read_header(io.BytesIO(content), len(content))
    with source.open() as file:
        try:
            size = os.fstat(file.fileno()).st_size
        except io.UnsupportedOperation:  # an archive member, unpacked as far as it is read
            return _header_of_member(source, file)
        return read_header(file, size)


def _header_of_member(source: Source, file: BinaryIO) -> Header:
    try:
        return read_header(file, None)
    except ImageReadError:
        source.load()  # where the archive is what is damaged, this says so
        raise


def record_of_header(name: str, header: Header) -> InstanceRecord:
    """The record of a file under its name, by what its header says."""
    facts, data_set = header.facts, header.data_set
    if data_set is None:
        return InstanceRecord(name, "image", rows=facts.rows, columns=facts.columns)
    kind, reason = _kind(header, data_set)
    return InstanceRecord(
        name,
        kind,
        reason,
        sop_class_uid=facts.sop_class_uid or "",
        sop_instance_uid=facts.sop_instance_uid or "",
        series_instance_uid=facts.series_instance_uid or "",
        study_instance_uid=facts.study_instance_uid or "",
        issuer=_text(data_set, "IssuerOfPatientID") or _issuer(data_set),
        view_position=_text(data_set, "ViewPosition") or _view_meaning(data_set),
        rows=facts.rows,
        columns=facts.columns,
        **{field: _text(data_set, keyword) for field, keyword in _TEXTS.items()},
    )


def _kind(header: Header, data_set: Dataset) -> tuple[InstanceKind, str]:
    facts = header.facts
    if _is_ours(data_set):
        return "result", "a result object of this program"
    if header.problem is not None:
        return "failed", str(header.problem)
    if not facts.has_pixels:
        return "other", f"an object without a picture ({_modality(facts)})"
    if facts.frames > 1:
        return "other", f"{facts.frames} frames; single images are shown"
    return "image", ""


def _is_ours(data_set: Dataset) -> bool:
    try:
        return is_result(data_set)
    except Exception:  # noqa: BLE001  # as in _text: what is damaged there does not say that it is ours
        return False


def _modality(facts: HeaderFacts) -> str:
    return facts.modality if facts.modality is not None and facts.modality.isalpha() else "of no known modality"


def _text(data_set: Dataset, keyword: str) -> str:
    """An attribute as one line; "" where it is absent or damaged."""
    try:
        value = data_set.get(keyword)
        text = "\\".join(str(part) for part in value) if isinstance(value, MultiValue) else str(value or "")
    except Exception:  # noqa: BLE001  # pydicom parses on access and raises many kinds; the image may be whole
        return ""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _issuer(data_set: Dataset) -> str:
    """Issuer of Patient ID Qualifiers Sequence (PS3.3 C.2.2.1.2.1): the universal ID of who gave the Patient ID."""
    return _of_item(data_set, "IssuerOfPatientIDQualifiersSequence", "UniversalEntityID")


def _view_meaning(data_set: Dataset) -> str:
    return _of_item(data_set, "ViewCodeSequence", "CodeMeaning")


def _of_item(data_set: Dataset, sequence: str, keyword: str) -> str:
    try:
        items = data_set.get(sequence)
        return _text(items[0], keyword) if items else ""
    except Exception:  # noqa: BLE001  # as in _text
        return ""
