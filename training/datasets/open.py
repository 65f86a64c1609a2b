"""One door: which of the known layouts a folder or zip has, and its examples."""

from __future__ import annotations

import os

from training.datasets import chestxray8, class_folders, kaggle
from training.datasets.examples import Dataset, DatasetError
from training.datasets.files import open_tree
from training.datasets.indexing import Progress
from training.datasets.label_folders import listed


def open_dataset(
    path: str | os.PathLike[str],
    *,
    task: chestxray8.Task | None = None,
    finding: str | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """Read a data set: ChestX-ray8 by its CSV, Kaggle's pneumonia films by their names, or any class folders.

    Class folders with a labels.json are read as it says, even where they are called NORMAL and PNEUMONIA.

    Parameters
    ----------
    path : path
        A folder or zip that holds the data set, at any depth.
    task, finding : str, optional
        Of ChestX-ray8 only, see `chestxray8.read`.
    progress : callable, optional
        Called with the files and their number; gives them back one by one while it shows how far it is.

    Raises
    ------
    DatasetError
        One line: what was found, what was expected, what to do.
    """
    tree = open_tree(path)
    if chestxray8.find(tree) is not None:
        return chestxray8.read(tree, task, finding, progress)
    if task is not None or finding is not None:
        raise DatasetError(f"a task or finding for {tree.name}", "ChestX-ray8 with its CSV", "leave them out")
    if class_folders.states_labels(tree):
        return class_folders.read(tree, progress)
    if kaggle.find(tree) is not None:
        return kaggle.read(tree, progress)
    if class_folders.find(tree) is not None:
        return class_folders.read(tree, progress)
    raise DatasetError(
        f"{tree.name} with {listed(tree.subfolders() or tree.files_in())}",
        f"Kaggle's chest_xray ({kaggle.EXPECTED}), ChestX-ray8 ({chestxray8.EXPECTED}), "
        f"or class folders ({class_folders.EXPECTED})",
        "name the folder or zip that holds one of them",
    )
