"""ChestX-ray8 and its larger re-release ChestX-ray14 (NIH): findings by image in Data_Entry_2017*.csv, by patient."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Literal, get_args

from pydicom.dataset import Dataset as DicomDataset

from cxr_core.bundle import ConceptCode, Label
from cxr_core.reading import Source
from cxr_core.reading.patient_age import age_years
from training.datasets.examples import Dataset, DatasetError, Example, LabelScheme, OfficialSplit
from training.datasets.files import IMAGE_SUFFIXES, FileTree
from training.datasets.indexing import (
    UNSTATED_POPULATION,
    Progress,
    index_files,
    named,
    population_of,
    without_copies,
)
from training.datasets.kaggle import PNEUMONIA_CODE

Task = Literal["diseased", "one_finding", "all_findings"]

DESCRIPTION = (
    "ChestX-ray14, Wang et al., CVPR 2017, NIH Clinical Center, free use with attribution; "
    "labels mined from report texts"
)
_PATTERN = "Data_Entry_2017*.csv"
_COLUMNS = ("Image Index", "Finding Labels", "Patient ID", "Patient Age")
_NO_FINDING = "No Finding"
EXPECTED = f"{_PATTERN} beside images_*/images/*.png or images/*.png"
_REMEDY = "download ChestX-ray14 (CXR8) from the NIH Clinical Center, all parts of it, and unpack them into one folder"
_LISTS: tuple[tuple[str, OfficialSplit], ...] = (("train_val_list*.txt", "train"), ("test_list*.txt", "test"))


def _sct(value: str, meaning: str) -> ConceptCode:
    return ConceptCode(value=value, scheme="SCT", meaning=meaning)


#: The 8 findings of ChestX-ray8, then the 6 that ChestX-ray14 added, under the CSV's names. Codes are those that
#: PS3.16 gives for the same meaning (Mass, Nodule, Infiltrate: CID 6104; Pneumothorax: CID 6102; the two others:
#: CID 645, CID 3700); where it has none, or one for fetuses or specimens only, there is no code.
FINDINGS: tuple[Label, ...] = (
    Label(name="Atelectasis", meaning="atelectasis"),
    Label(name="Cardiomegaly", meaning="cardiomegaly"),
    Label(name="Effusion", meaning="pleural effusion", code=_sct("60046008", "Pleural effusion")),
    Label(
        name="Infiltration",
        meaning="infiltrate",
        code=ConceptCode(value="112121", scheme="DCM", meaning="Infiltrate"),
    ),
    Label(name="Mass", meaning="mass", code=_sct("4147007", "Mass")),
    Label(name="Nodule", meaning="nodule", code=_sct("27925004", "Nodule")),
    Label(name="Pneumonia", meaning="pneumonia pattern", code=PNEUMONIA_CODE),
    Label(name="Pneumothorax", meaning="pneumothorax", code=_sct("36118008", "Pneumothorax")),
    Label(name="Consolidation", meaning="consolidation"),
    Label(name="Edema", meaning="pulmonary edema", code=_sct("19242006", "Pulmonary edema")),
    Label(name="Emphysema", meaning="emphysema"),
    Label(name="Fibrosis", meaning="fibrosis"),
    Label(name="Pleural_Thickening", meaning="pleural thickening"),
    Label(name="Hernia", meaning="hernia"),
)
_BY_NAME = {label.name: label for label in FINDINGS}


@dataclass(frozen=True, slots=True)
class _Row:
    """One line of the CSV."""

    image: str
    findings: frozenset[str]
    patient: str
    age_years: float | None
    view: str


def find(tree: FileTree) -> str | None:
    """The uppermost Data_Entry_2017*.csv; of several beside each other the latest release. None where there is none."""
    tables = [name for name in tree.sources if PurePosixPath(name).match(_PATTERN)]
    tables.sort(key=lambda name: PurePosixPath(name).name, reverse=True)
    return min(tables, key=lambda name: len(PurePosixPath(name).parts), default=None)


def read(
    tree: FileTree, task: Task | None = None, finding: str | None = None, progress: Progress | None = None
) -> Dataset:
    """Images and labels of one task; exact duplicates outside test/ dropped.

    Parameters
    ----------
    task : {"diseased", "one_finding", "all_findings"}
        Any finding against "No Finding" (default); `finding` against "No Finding", images with other findings only
        left out; or all 14 findings, multi-label.
    finding : str
        Name of the finding; makes the task "one_finding" when none is named.

    Raises
    ------
    DatasetError
        Another folder, missing columns, unknown findings, images that the CSV names and that are not there.
    """
    scheme = scheme_of(task, finding)
    table = find(tree)
    if table is None:
        raise DatasetError(f"no {_PATTERN} in {tree.name}", EXPECTED, _REMEDY)
    parent = str(PurePosixPath(table).parent)
    tree = tree.below("" if parent == "." else parent)
    table = PurePosixPath(table).name
    rows = _rows(tree, table)
    images, notes = _images(tree, rows, table)
    wanted = {row.image: target for row in rows if (target := _target(row, scheme)) is not None}
    if len(wanted) < len(rows):
        notes.append(f"{len(rows) - len(wanted)} images with other findings only left out")
    splits, split_notes = _official_splits(tree, [row.image for row in rows])
    by_source = {images[row.image].name: row for row in rows if row.image in wanted}
    examples = []
    for file in index_files([images[row.image] for row in by_source.values()], progress):
        row = by_source[file.source.name]
        examples.append(
            Example(
                source=file.source,
                target=wanted[row.image],
                patient=row.patient,
                sha256=file.sha256,
                split=splits.get(row.image),
                stratum=row.view,
            )
        )
    _require_each_label(examples, scheme, table)
    population = population_of(row.age_years for row in by_source.values())
    if population is None:
        notes.append("no plausible age in the CSV: the population is unstated")
    if unknown := sum(row.age_years is None for row in by_source.values()):
        notes.append(f"{unknown} missing or implausible ages ignored")
    kept, copies = without_copies(examples)
    all_notes = tuple(notes + split_notes + copies)
    return Dataset("chestxray8", DESCRIPTION, scheme, kept, population or UNSTATED_POPULATION, all_notes)


def scheme_of(task: Task | None, finding: str | None) -> LabelScheme:
    """The labels of a task. Raises DatasetError for an unknown task or finding, or a finding without its task."""
    task = task or ("one_finding" if finding else "diseased")
    if task not in get_args(Task):
        raise DatasetError(f"task {task}", " or ".join(get_args(Task)), "name one of them")
    if task == "one_finding" and finding is None:
        raise DatasetError(
            "task one_finding without a finding", f"one of {', '.join(_BY_NAME)}", "name it by --finding"
        )
    if task != "one_finding" and finding is not None:
        raise DatasetError(f"task {task} with finding {finding}", "a finding for one_finding only", "leave one out")
    if task == "all_findings":
        return LabelScheme("multi_label", FINDINGS, None)
    if finding is None:
        healthy = Label(
            name=_NO_FINDING, meaning="none of the 14 findings found by this model; nothing else was assessed"
        )
        diseased = Label(name="Any Finding", meaning=f"one or more of {', '.join(label.meaning for label in FINDINGS)}")
        return LabelScheme("single_label", (healthy, diseased), diseased.name)
    wanted = finding.strip().replace(" ", "_").casefold()
    label = next((label for label in FINDINGS if label.name.casefold() == wanted), None)
    if label is None:
        raise DatasetError(f"finding {finding}", f"one of {', '.join(_BY_NAME)}", "name one of them")
    without = Label(name=_NO_FINDING, meaning=f"no {label.meaning} found by this model; nothing else was assessed")
    return LabelScheme("single_label", (without, label), label.name)


def _target(row: _Row, scheme: LabelScheme) -> tuple[int, ...] | None:
    """The labels of one image; None for an image that the task leaves out."""
    if scheme.task == "multi_label":
        return tuple(int(name in row.findings) for name in scheme.names)
    if not row.findings:
        return (0,)
    return (1,) if scheme.positive not in _BY_NAME or scheme.positive in row.findings else None


def _rows(tree: FileTree, table: str) -> list[_Row]:
    reader = csv.DictReader(io.StringIO(_text(tree, table), newline=""))
    columns = [name.strip() for name in reader.fieldnames or ()]
    if missing := [name for name in _COLUMNS if name not in columns]:
        raise DatasetError(f"{table} without the columns {', '.join(missing)}", "those of the NIH", _REMEDY)
    reader.fieldnames = columns
    rows = []
    for number, line in enumerate(reader, start=2):
        image, findings = (line[name] or "" for name in _COLUMNS[:2])
        names = frozenset(part.strip() for part in findings.split("|")) - {_NO_FINDING}
        if not image or any(line[name] is None for name in _COLUMNS) or not names <= set(_BY_NAME):
            raise DatasetError(
                f"{table} line {number} ({image or 'no image'}): findings {findings or 'missing'}",
                f"{_NO_FINDING} or names out of {', '.join(_BY_NAME)}, joined by |",
                "correct the line",
            )
        patient = line["Patient ID"].strip()
        # A patient without number would stand on both sides of a split.
        if not patient:
            raise DatasetError(f"{table} line {number} ({image}) without Patient ID", "a number", "correct the line")
        view = (line.get("View Position") or "").strip()
        rows.append(_Row(image.strip(), names, patient.lstrip("0") or "0", _age(line["Patient Age"]), view))
    twice = [image for image, count in Counter(row.image for row in rows).items() if count > 1]
    if twice or not rows:
        found = f"{named(twice)} on several lines of {table}" if twice else f"{table} without lines"
        raise DatasetError(found, "a line an image", _REMEDY)
    return rows


def _text(tree: FileTree, name: str) -> str:
    try:
        return tree.read(name).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DatasetError(f"{name} in another encoding", "UTF-8", "save it as UTF-8") from error


@lru_cache(maxsize=4096)
def _age(text: str) -> float | None:
    """Years out of 58, 058Y, 003M, 012D; None for 412 and the like."""
    dataset = DicomDataset()
    # As LO, because pydicom warns of a bare or overlong age in AS, and both are met here.
    dataset.add_new("PatientAge", "LO", text.strip())
    return age_years(dataset)


def _images(tree: FileTree, rows: Sequence[_Row], table: str) -> tuple[dict[str, Source], list[str]]:
    """Images by their name in the CSV. Raises DatasetError when some are not there."""
    images: dict[str, Source] = {}
    twice = []
    for name, source in tree.sources.items():
        pure = PurePosixPath(name)
        if pure.suffix.lower() in IMAGE_SUFFIXES and images.setdefault(pure.name, source) is not source:
            twice.append(name)
    names = {row.image for row in rows}
    if missing := [row.image for row in rows if row.image not in images]:
        raise DatasetError(
            f"{table} names {len(rows)} images, of which are not there: {named(missing)}", EXPECTED, _REMEDY
        )
    notes = [f"{named(twice)} passed over: another image has the name"] if twice else []
    if extra := [name for name in images if name not in names]:
        notes.append(f"{named(extra)} passed over: not in {table}")
    return images, notes


def _official_splits(tree: FileTree, images: Sequence[str]) -> tuple[dict[str, OfficialSplit], list[str]]:
    """Part by image, out of the lists that are there, and what to tell."""
    splits: dict[str, OfficialSplit] = {}
    for pattern, split in _LISTS:
        for name in tree.files_in():
            if PurePosixPath(name).match(pattern):
                listed = _text(tree, name).split()
                if both := [image for image in listed if splits.get(image, split) != split]:
                    raise DatasetError(f"{named(both)} in both lists", "each in one", _REMEDY)
                splits.update(dict.fromkeys(listed, split))
    if not splits:
        return splits, ["no train_val_list.txt and test_list.txt: no official split"]
    without = [image for image in images if image not in splits]
    return splits, [f"{named(without)} in neither list: without official split"] if without else []


def _require_each_label(examples: Sequence[Example], scheme: LabelScheme, table: str) -> None:
    if scheme.task == "single_label":
        counts = Counter(example.target[0] for example in examples)
        if empty := [name for index, name in enumerate(scheme.names) if not counts[index]]:
            raise DatasetError(f"no images of {', '.join(empty)} in {table}", "images of both", "choose another task")
