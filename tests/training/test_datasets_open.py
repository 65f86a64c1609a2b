"""One door tells the layouts apart, and names all three where it is none of them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.training.dataset_folders import put, zip_of
from tests.training.test_datasets_chestxray8 import write_nih
from training.datasets import DatasetError, open_dataset
from training.datasets.indexing import population_of


@pytest.mark.parametrize(
    "names",
    [
        (),
        ("film.png",),
        ("one/film.png",),
        ("a/notes.txt", "b/notes.txt"),
        ("train/NORMAL/notes.txt", "train/PNEUMONIA/notes.txt"),
    ],
)
@pytest.mark.parametrize("zipped", [False, True], ids=["folder", "zip"])
def test_none_of_the_layouts_is_said_in_one_line_that_names_all_three(
    tmp_path: Path, names: tuple[str, ...], zipped: bool
) -> None:
    path = tmp_path / "mine"
    path.mkdir()
    put(path, *names)
    if zipped:
        path = zip_of(path, tmp_path / "mine.zip")
    with pytest.raises(DatasetError) as caught:
        open_dataset(path)
    line = str(caught.value)
    assert line.startswith(path.name)
    assert "\n" not in line
    for layout in ("NORMAL/ and PNEUMONIA/", "Data_Entry_2017*.csv", "class folders"):
        assert layout in line


@pytest.mark.parametrize("options", [{"task": "diseased"}, {"finding": "Mass"}])
def test_tasks_are_for_chestxray8_only(tmp_path: Path, options: dict) -> None:
    put(tmp_path, "a/1.png", "b/2.png")
    with pytest.raises(DatasetError, match="expected ChestX-ray8 with its CSV; leave them out"):
        open_dataset(tmp_path, **options)


def test_the_table_of_the_nih_goes_before_folders(tmp_path: Path) -> None:
    write_nih(tmp_path)
    assert open_dataset(str(tmp_path)).kind == "chestxray8"


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "a/1.png", "b/2.png")
    opened = Path.open

    def refusing(path: Path, *arguments: Any) -> Any:
        if path.name == "2.png":
            raise PermissionError(13, os.strerror(13))
        return opened(path, *arguments)

    monkeypatch.setattr(Path, "open", refusing)
    with pytest.raises(DatasetError, match=r"b/2\.png: a path that cannot be read \(Permission denied\)"):
        open_dataset(tmp_path)


@pytest.mark.parametrize(
    ("ages", "expected"),
    [
        ([1.0, None, 5.9], ("patients of 1 to 5 years", 1, 6)),
        ([0.1, 94.0, 500.0, -1.0], ("patients of 0 to 94 years", 0, 95)),
    ],
)
def test_population_spans_the_known_ages(ages: list[float | None], expected: tuple[str, int, int]) -> None:
    population = population_of(ages)
    assert population is not None
    assert (population.description, population.min_age_years, population.below_age_years) == expected
    assert population.state(ages[0]) == "inside"


def test_no_known_age_gives_no_population() -> None:
    assert population_of([None, 412.0]) is None
