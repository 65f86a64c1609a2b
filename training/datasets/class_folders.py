"""Any folder of class folders, at the top or below train, val and test; labels.json may say what the classes mean."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import PurePosixPath
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from cxr_core.bundle import ConceptCode, Label
from cxr_core.population import Population
from training.datasets.examples import Dataset, DatasetError, Example, LabelScheme, OfficialSplit
from training.datasets.files import FileTree, may_be_image
from training.datasets.indexing import UNSTATED_POPULATION, Progress, named, population_of, without_copies
from training.datasets.label_folders import LabelFolder, listed, read_label_folders

LABELS_FILE = "labels.json"
EXPECTED = "two or more folders of images, named by class, at the top or below train/, val/ and test/"
_REMEDY = "put the images of each class into a folder of its own"
#: Folder names of parts, whatever their case.
_SPLITS: dict[str, OfficialSplit] = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}


def _one_group(pattern: str) -> str:
    try:
        groups = re.compile(pattern).groups
    except re.error as error:
        raise ValueError(f"no regular expression ({error})") from error
    if groups != 1:
        raise ValueError(f"{groups} groups, not one")
    return pattern


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ClassMeaning(_Part):
    """What labels.json says about one class."""

    meaning: str | None = None
    """What a person reads; the name of the folder where it is not given."""

    code: ConceptCode | None = None


class LabelsFile(_Part):
    """labels.json. All of it is optional."""

    classes: dict[str, ClassMeaning] = {}
    """By the name of the folder."""

    positive: str | None = None
    """The positive one of two classes."""

    population: Population | None = None
    description: str | None = None
    """Name, authors, source and licence of the data set."""

    patient: Annotated[str, AfterValidator(_one_group)] | None = None
    """A regular expression, found anywhere in the file name (without folders), whose one group tells the patient."""


def find(tree: FileTree) -> str | None:
    """The folder that holds class folders, below folders that hold nothing else; None where there are not two,
    or no images in any.
    """
    root = ""
    while True:
        inner = tree.subfolders(root)
        holds_images = any(may_be_image(name) for name in tree.files_in(root))
        alone = len(inner) == 1 and inner[0].casefold() not in _SPLITS and not holds_images
        if not alone or LABELS_FILE in tree.files_in(root):
            break
        root = str(PurePosixPath(root, inner[0]))
    below = tree.below(root)
    folders = _label_folders(below)[0]
    images = any(may_be_image(name) for folder in folders for name in below.under(folder.folder))
    return root if images and len({folder.label for folder in folders}) > 1 else None


def states_labels(tree: FileTree) -> bool:
    """Whether a labels.json says that it is a folder of class folders, however the classes are called."""
    root = find(tree)
    return root is not None and LABELS_FILE in tree.files_in(root)


def read(tree: FileTree, progress: Progress | None = None) -> Dataset:
    """All images, exact duplicates outside test/ dropped.

    Of two classes the positive one is the one that labels.json names, else the last by name; it is the last output.

    Raises
    ------
    DatasetError
        Another folder, an empty class folder, or a labels.json that is wrong or names classes that are not there.
    """
    root = find(tree)
    if root is None:
        there = listed(tree.subfolders() or tree.files_in())
        raise DatasetError(f"{tree.name} with {there}", EXPECTED, _REMEDY)
    tree = tree.below(root)
    said = _labels_file(tree)
    folders, notes = _label_folders(tree)
    scheme = _scheme({folder.label for folder in folders}, said, notes)
    images, passed_over = read_label_folders(tree, folders, "images in it", _REMEDY + ", or remove it", progress)
    examples, unknown = [], []
    for folder, file in images:
        name = file.source.name
        patient = file.patient
        if said.patient is not None:
            match = re.search(said.patient, PurePosixPath(name).name)
            patient = match[1] if match else None
        if not patient:
            unknown.append(name)
        examples.append(
            Example(
                source=file.source,
                target=(scheme.names.index(folder.label),),
                patient=patient or name,
                sha256=file.sha256,
                split=folder.split,
                stratum=folder.label,
            )
        )
    if unknown:
        notes.append(
            f"{named(unknown)} tell no patient, each counts as one of its own: figures are too good where a patient "
            f'has several; "patient" in {LABELS_FILE} helps'
        )
    population = said.population or population_of(file.age_years for _, file in images)
    if population is None:
        notes.append(f'the population is unstated, so no age is outside it; "population" in {LABELS_FILE} states it')
    description = said.description or f"class folders of {tree.name}"
    kept, copies = without_copies(examples)
    return Dataset(
        "class_folders",
        description,
        scheme,
        kept,
        population or UNSTATED_POPULATION,
        tuple(notes + passed_over + copies),
    )


def _label_folders(tree: FileTree) -> tuple[list[LabelFolder], list[str]]:
    """The class folders, and what to tell about folders beside them and classes that a part lacks."""
    top = tree.subfolders()
    parts = {name: _SPLITS[name.casefold()] for name in top if name.casefold() in _SPLITS and tree.subfolders(name)}
    if not parts:
        # Where one part alone was named, it is that part.
        alone = _SPLITS.get(tree.name.casefold())
        return [LabelFolder(name, name, alone) for name in top], []
    folders = [LabelFolder(f"{part}/{name}", name, parts[part]) for part in parts for name in tree.subfolders(part)]
    others = [name for name in top if name not in parts]
    notes = [f"{listed(others)} passed over: beside {listed(parts)}"] if others else []
    of_class = Counter(folder.label for folder in folders)
    lacking = [name for name, count in sorted(of_class.items()) if count < len(parts)]
    if lacking:
        notes.append(f"{listed(lacking)}: not in every part")
    return folders, notes


def _labels_file(tree: FileTree) -> LabelsFile:
    if LABELS_FILE not in tree.sources:
        return LabelsFile()
    try:
        return LabelsFile.model_validate_json(tree.read(LABELS_FILE))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the whole"
        expected = "classes (each with meaning and code), positive, population, description, patient"
        raise DatasetError(f"{LABELS_FILE}: {where}: {first['msg']}", expected, "correct it") from error


def _scheme(names: set[str], said: LabelsFile, notes: list[str]) -> LabelScheme:
    """Labels in the order of their names, the positive one of two last."""
    if absent := sorted(set(said.classes) - names):
        found = f"{LABELS_FILE} names {listed(absent)}, of which there is no folder"
        raise DatasetError(found, f"names out of {listed(sorted(names))}", "correct it")
    positive = said.positive
    if positive is not None and (positive not in names or len(names) != 2):
        found = f"{LABELS_FILE}: positive {positive} among the classes {listed(sorted(names))}"
        raise DatasetError(found, "one of two classes", "correct it")
    if len(names) == 2 and positive is None:
        positive = max(names)
    if positive is not None:
        stated = (
            f"as {LABELS_FILE} says" if said.positive else f'the last by name; "positive" in {LABELS_FILE} names it'
        )
        notes.append(f"positive class: {positive}, {stated}")
    labels = []
    for name in sorted(names, key=lambda name: (name == positive, name)):
        meaning = said.classes.get(name, ClassMeaning())
        labels.append(Label(name=name, meaning=meaning.meaning or name, code=meaning.code))
    return LabelScheme("single_label", tuple(labels), positive)
