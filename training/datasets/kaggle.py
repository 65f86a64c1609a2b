"""Kaggle's "Chest X-Ray Images (Pneumonia)": train, val and test, each with NORMAL and PNEUMONIA, by patient."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import PurePosixPath

from cxr_core.bundle import ConceptCode, Label
from cxr_core.population import Population
from training.datasets.examples import Dataset, DatasetError, Example, LabelScheme, OfficialSplit
from training.datasets.files import FileTree
from training.datasets.indexing import Progress, named, without_copies
from training.datasets.label_folders import LabelFolder, listed, read_label_folders

DESCRIPTION = "Chest X-Ray Images (Pneumonia), Kermany, Zhang, Goldbaum, Mendeley Data rscbjbr9sj, CC BY 4.0"
POPULATION = Population(description="children of 1 to 5 years", min_age_years=1, below_age_years=6)
PNEUMONIA_CODE = ConceptCode(value="233604007", scheme="SCT", meaning="Pneumonia")
SCHEME = LabelScheme(
    task="single_label",
    labels=(
        Label(name="NORMAL", meaning="no pneumonia pattern found by this model; nothing else was assessed"),
        Label(name="PNEUMONIA", meaning="pneumonia pattern", code=PNEUMONIA_CODE),
    ),
    positive="PNEUMONIA",
)
SPLITS: tuple[OfficialSplit, ...] = ("train", "val", "test")
EXPECTED = "train/, val/ or test/, each with NORMAL/ and PNEUMONIA/"
REMEDY = (
    'download "Chest X-Ray Images (Pneumonia)" (paultimothymooney/chest-xray-pneumonia) from Kaggle '
    "and name its folder or zip"
)
#: IM-0115-0001, NORMAL2-IM-0383-0001, person23_bacteria_77, person23_virus_56.
_NAME = re.compile(r"(?P<stream>NORMAL2-IM|IM|person)-?(?P<number>\d+)(?:_(?P<kind>bacteria|virus))?")


def find(tree: FileTree) -> str | None:
    """The folder that holds the data set, "" for the root itself; None where there is none.

    The download holds a second copy within itself: of several the fullest is taken, and of these the uppermost.
    File names must be Kaggle's somewhere: films of other people's children are not of its population.

    Raises
    ------
    DatasetError
        Two of them stand side by side.
    """
    if not any(_NAME.match(PurePosixPath(name).name) for name in tree.sources):
        return None
    roots = _roots(tree)
    if not roots:
        return None
    full = {root: sum(bool(tree.under(folder.folder)) for folder in folders) for root, folders in roots.items()}
    ordered = sorted(roots, key=lambda root: (-full[root], _depth(root), root))
    if len(ordered) > 1 and (full[ordered[0]], _depth(ordered[0])) == (full[ordered[1]], _depth(ordered[1])):
        raise DatasetError(f"two data sets, {ordered[0]} and {ordered[1]}, in {tree.name}", "one", "name one of them")
    return ordered[0]


def read(tree: FileTree, progress: Progress | None = None) -> Dataset:
    """All films, exact duplicates outside test/ dropped.

    Raises
    ------
    DatasetError
        It is another folder, or a folder of one label is empty.
    """
    root = find(tree)
    if root is None:
        there = listed(tree.subfolders() or tree.files_in())
        raise DatasetError(f"{tree.name} with {there}, and no chest films under Kaggle's names", EXPECTED, REMEDY)
    others = [other or "the root" for other in _roots(tree) if other != root]
    tree = tree.below(root)
    films, notes = read_label_folders(tree, _roots(tree)[""], EXPECTED, REMEDY, progress)
    examples, unknown = [], []
    for folder, file in films:
        match = _NAME.match(PurePosixPath(file.source.name).name)
        if match is None and file.patient is None:
            unknown.append(file.source.name)
        examples.append(
            Example(
                source=file.source,
                target=(SCHEME.names.index(folder.label),),
                patient=_patient(match) if match else file.patient or file.source.name,
                sha256=file.sha256,
                split=folder.split,
                stratum="NORMAL" if folder.label == "NORMAL" else (match and match["kind"]) or "",
                stream=match["stream"] if match else "",
                number=int(match["number"]) if match else 0,
            )
        )
    if unknown:
        notes.append(f"{named(unknown)} not under Kaggle's names: each counts as a patient of its own")
    if others:
        notes.append(f"more films of this layout in {listed(others)} not read")
    kept, copies = without_copies(examples)
    return Dataset("kaggle", DESCRIPTION, SCHEME, kept, POPULATION, tuple(notes + copies))


def _roots(tree: FileTree) -> dict[str, list[LabelFolder]]:
    """Folders with parts or labels directly in them, and for each the label folders that must hold images."""
    found: dict[str, set[OfficialSplit | None]] = defaultdict(set)
    for folder in map(PurePosixPath, tree.folders):
        if folder.name not in SCHEME.names:
            continue
        split = next((split for split in SPLITS if split == folder.parent.name), None)
        root = folder.parent.parent if split else folder.parent
        found["" if root == PurePosixPath() else str(root)].add(split)
    # Where one part alone was named, it is that part.
    alone = next((split for split in SPLITS if split == tree.name), None)
    return {
        root: [
            LabelFolder(str(PurePosixPath(root, split or "", label)), label, split or alone)
            for split in sorted(splits, key=lambda split: split or "")
            for label in SCHEME.names
        ]
        for root, splits in found.items()
    }


def _depth(root: str) -> int:
    return len(PurePosixPath(root).parts)


def _patient(match: re.Match[str]) -> str:
    """Patient group: the same number with bacteria and with virus counts as one child."""
    stream, number = match["stream"], int(match["number"])
    return f"person{number}" if stream == "person" else f"{stream}-{number:04d}"
