"""Folders whose names are labels, at the top or below train, val and test: what Kaggle's layout and others share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from training.datasets.examples import DatasetError, OfficialSplit
from training.datasets.files import FileTree, may_be_image
from training.datasets.indexing import IndexedFile, Progress, index_files, named


@dataclass(frozen=True, slots=True)
class LabelFolder:
    """One folder of images of one label."""

    folder: str
    """Relative to the data set."""

    label: str
    split: OfficialSplit | None


def read_label_folders(
    tree: FileTree, folders: Sequence[LabelFolder], expected: str, remedy: str, progress: Progress | None
) -> tuple[list[tuple[LabelFolder, IndexedFile]], list[str]]:
    """Every image with its folder, in order of the names, and a note on files that are no images.

    Raises
    ------
    DatasetError
        A folder holds no image: by the names before anything is read, by the content after it.
    """
    of_folder = {
        folder: [source for name, source in tree.under(folder.folder).items() if may_be_image(name)]
        for folder in folders
    }
    for folder, sources in of_folder.items():
        _require(folder, sources, tree, expected, remedy)
    owner = {source.name: folder for folder, sources in of_folder.items() for source in sources}
    everything = sorted((source for sources in of_folder.values() for source in sources), key=lambda s: s.name)
    read = [(owner[file.source.name], file) for file in index_files(everything, progress)]
    found = {folder: [file for other, file in read if other is folder] for folder in folders}
    for folder, files in found.items():
        _require(folder, files, tree, expected, remedy)
    images = {file.source.name for _, file in read}
    others = [source.name for source in everything if source.name not in images]
    return read, [f"{named(others)} passed over: neither DICOM nor JPEG nor PNG"] if others else []


def _require(folder: LabelFolder, files: Sequence[object], tree: FileTree, expected: str, remedy: str) -> None:
    if not files:
        raise DatasetError(f"no images in {folder.folder} of {tree.name}", expected, remedy)


def listed(mapping: Mapping[str, object] | Sequence[str], most: int = 6) -> str:
    """The first names of what is there, for a message; "nothing" when there is nothing."""
    names = list(mapping)
    return (", ".join(names[:most]) + (", ..." if len(names) > most else "")) or "nothing"
