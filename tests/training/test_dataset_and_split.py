"""A folder like Kaggle's is read, and split without a common patient."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from training.datasets import open_dataset
from training.split import pooled_split


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


def test_the_look_alike_is_read_whole(kaggle: Path) -> None:
    dataset = open_dataset(kaggle)
    assert (dataset.kind, len(dataset.examples), dataset.notes) == ("kaggle", 82, ())


def test_split_has_no_common_patient_and_loses_no_film(kaggle: Path) -> None:
    examples = open_dataset(kaggle).examples
    split = pooled_split(examples)
    parts = (split.train, split.calibration, split.holdout)
    assert sum(len(part) for part in parts) == len(examples)
    patients = [{example.patient for example in part} for part in parts]
    assert not patients[0] & patients[1]
    assert not patients[0] & patients[2]
    assert not patients[1] & patients[2]
    assert all(patients)
