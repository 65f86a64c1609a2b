"""The Kaggle folder is indexed by patient, duplicates dropped, and split without a common patient."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from training.dataset_index import DatasetError, fingerprint, index_folder
from training.split import split_by_blocks


def write_look_alike(folder: Path, patients: int = 20, side: int = 64) -> None:
    """A folder of the exact layout; PNEUMONIA pictures are brighter below than NORMAL ones."""
    rng = np.random.default_rng(0)
    for split in ("train", "val"):
        for label in ("NORMAL", "PNEUMONIA"):
            (folder / split / label).mkdir(parents=True)
    for number in range(1, patients + 1):
        names = {
            f"train/NORMAL/IM-{number:04d}-0001.jpeg": 0,
            f"train/NORMAL/NORMAL2-IM-{number:04d}-0001.jpeg": 0,
            f"train/PNEUMONIA/person{number}_bacteria_{number}.jpeg": 90,
            f"train/PNEUMONIA/person{number}_virus_{number}.jpeg": 90,
        }
        for name, bright in names.items():
            picture = rng.integers(40, 90, (side, side)).astype(np.uint8)
            picture[side // 2 :] += np.uint8(bright)
            cv2.imwrite(str(folder / name), picture)
    for name in ("val/NORMAL/NORMAL2-IM-9001-0001.jpeg", "val/PNEUMONIA/person9001_bacteria_1.jpeg"):
        cv2.imwrite(str(folder / name), rng.integers(0, 255, (side, side)).astype(np.uint8))


@pytest.fixture
def kaggle(tmp_path: Path) -> Path:
    write_look_alike(tmp_path)
    return tmp_path


def test_index_finds_every_film_and_its_patient(kaggle: Path) -> None:
    films = index_folder(kaggle)
    assert len(films) == 82
    by_name = {film.path.name: film for film in films}
    assert by_name["person7_bacteria_7.jpeg"].patient == by_name["person7_virus_7.jpeg"].patient == "person-7"
    assert by_name["IM-0007-0001.jpeg"].patient != by_name["NORMAL2-IM-0007-0001.jpeg"].patient
    assert by_name["IM-0007-0001.jpeg"].label == "NORMAL"


def test_exact_duplicates_are_dropped(kaggle: Path) -> None:
    source = kaggle / "train/NORMAL/IM-0001-0001.jpeg"
    (kaggle / "train/NORMAL/IM-0003-0009.jpeg").write_bytes(source.read_bytes())
    assert len(index_folder(kaggle)) == 82


def test_fingerprint_depends_on_content_only(kaggle: Path) -> None:
    films = index_folder(kaggle)
    assert fingerprint(films) == fingerprint(films[::-1])
    assert fingerprint(films) != fingerprint(films[1:])


@pytest.mark.parametrize("missing", ["train/NORMAL", "val/PNEUMONIA"])
def test_another_folder_is_named_in_one_line(kaggle: Path, missing: str) -> None:
    for path in (kaggle / missing).iterdir():
        path.unlink()
    with pytest.raises(DatasetError, match=f"no images in {missing}.*expected train/ and val/") as caught:
        index_folder(kaggle)
    assert "\n" not in str(caught.value)


def test_file_name_without_patient_is_refused(kaggle: Path) -> None:
    (kaggle / "train/NORMAL/scan.jpeg").write_bytes(b"x")
    with pytest.raises(DatasetError, match=r"file name scan\.jpeg; expected IM-n"):
        index_folder(kaggle)


def test_split_has_no_common_patient_and_loses_no_film(kaggle: Path) -> None:
    films = index_folder(kaggle)
    split = split_by_blocks(films)
    parts = (split.train, split.validation, split.holdout)
    assert sum(len(part) for part in parts) == len(films)
    patients = [{film.patient for film in part} for part in parts]
    assert not patients[0] & patients[1]
    assert not patients[0] & patients[2]
    assert not patients[1] & patients[2]
    assert all({film.label for film in part} == {"NORMAL", "PNEUMONIA"} for part in parts)


def test_split_is_by_contiguous_blocks_of_numbers(kaggle: Path) -> None:
    split = split_by_blocks(index_folder(kaggle))
    for series in ("IM", "person"):
        holdout, validation, train = (
            [film.number for film in part if film.series == series]
            for part in (split.holdout, split.validation, split.train)
        )
        assert max(holdout) < min(validation) <= max(validation) < min(train)
