"""Kaggle's folder or zip is found, read by patient, and test/ keeps every file."""

from __future__ import annotations

import csv
import os
import re
import zipfile
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

from cxr_core.reading import read_image
from tests.dicom_builder import build
from tests.training.dataset_folders import PNG, put, zip_of
from training.datasets import Dataset, DatasetError, open_dataset
from training.datasets.examples import fingerprint

FILES = {
    "train/NORMAL/IM-0115-0001.jpeg": ("NORMAL", "IM-0115", "NORMAL", "IM", 115),
    "train/NORMAL/IM-0115-0001-0002.jpeg": ("NORMAL", "IM-0115", "NORMAL", "IM", 115),
    "train/NORMAL/NORMAL2-IM-0383-0001.jpeg": ("NORMAL", "NORMAL2-IM-0383", "NORMAL", "NORMAL2-IM", 383),
    "train/PNEUMONIA/person23_bacteria_77.jpeg": ("PNEUMONIA", "person23", "bacteria", "person", 23),
    "train/PNEUMONIA/person23_virus_56.JPG": ("PNEUMONIA", "person23", "virus", "person", 23),
    "train/PNEUMONIA/person1000_virus_1_2.png": ("PNEUMONIA", "person1000", "virus", "person", 1000),
    "val/NORMAL/NORMAL2-IM-1427-0001.jpeg": ("NORMAL", "NORMAL2-IM-1427", "NORMAL", "NORMAL2-IM", 1427),
    "val/PNEUMONIA/person1946_bacteria_4874.jpeg": ("PNEUMONIA", "person1946", "bacteria", "person", 1946),
    "test/NORMAL/IM-0001-0001.jpeg": ("NORMAL", "IM-0001", "NORMAL", "IM", 1),
    "test/PNEUMONIA/person1_virus_11.jpeg": ("PNEUMONIA", "person1", "virus", "person", 1),
}


@pytest.fixture
def kaggle(tmp_path: Path) -> Path:
    folder = tmp_path / "chest_xray"
    put(folder, *FILES)
    return folder


def names_of(dataset: Dataset) -> list[str]:
    return [example.source.name for example in dataset.examples]


def notes_of(folder: Path) -> str:
    return "\n".join(open_dataset(folder).notes)


def test_every_film_has_its_label_patient_part_stratum_and_number(kaggle: Path) -> None:
    dataset = open_dataset(kaggle)
    read = {
        example.source.name: (
            dataset.scheme.names[example.target[0]],
            example.patient,
            example.stratum,
            example.stream,
            example.number,
        )
        for example in dataset.examples
    }
    assert read == FILES
    assert all(example.split == example.source.name.split("/")[0] for example in dataset.examples)
    assert dataset.kind == "kaggle"
    assert dataset.notes == ()


def test_labels_and_population_are_those_of_the_shipped_model(kaggle: Path) -> None:
    from cxr_core.bundle import find_bundle

    manifest = find_bundle("cnn").manifest
    dataset = open_dataset(kaggle)
    assert dataset.scheme.labels == manifest.labels
    assert dataset.scheme.positive == manifest.positive == "PNEUMONIA"
    assert dataset.population == manifest.population
    assert dataset.description == manifest.training_data


@pytest.mark.parametrize("above", ["", "chest_xray", "downloads/chest_xray"])
def test_it_is_found_below_the_folder_under_the_same_names(tmp_path: Path, above: str) -> None:
    put(tmp_path / "here" / above, *FILES)
    assert names_of(open_dataset(tmp_path / "here")) == sorted(FILES)


def test_the_download_as_it_is_reads_like_the_folder(kaggle: Path, tmp_path: Path) -> None:
    for name in FILES:
        put(tmp_path / "twins", f"chest_xray/__MACOSX/{Path(name).parent}/._{Path(name).name}", content=b"x")
    put(tmp_path / "twins", "chest_xray/train/NORMAL/.DS_Store", content=b"x")
    archive = zip_of(kaggle, tmp_path / "archive.zip", ("chest_xray/", "chest_xray/chest_xray/"))
    with zipfile.ZipFile(archive, "a") as more:
        for file in (tmp_path / "twins").rglob("*"):
            more.write(file, file.relative_to(tmp_path / "twins").as_posix())
    zipped, folder = open_dataset(archive), open_dataset(kaggle)
    assert names_of(zipped) == names_of(folder)
    assert fingerprint(zipped.examples) == fingerprint(folder.examples)
    assert [example.source.load() for example in zipped.examples] == [
        (kaggle / name).read_bytes() for name in names_of(zipped)
    ]
    assert zipped.notes == ("more films of this layout in chest_xray/chest_xray not read",)


def test_the_fuller_of_two_copies_is_taken(kaggle: Path) -> None:
    put(kaggle / "chest_xray", *FILES)
    for name in FILES:
        if name.startswith("train"):
            (kaggle / name).unlink()
    assert names_of(open_dataset(kaggle)) == sorted(FILES)


def test_two_data_sets_side_by_side_are_not_guessed_between(tmp_path: Path) -> None:
    put(tmp_path / "a", *FILES)
    put(tmp_path / "b", *FILES)
    with pytest.raises(DatasetError, match=r"two data sets, a and b, .*expected one; name one of them"):
        open_dataset(tmp_path)


@pytest.mark.parametrize("parts", [("test",), ("train",), ("train", "test"), ("val", "test")])
def test_parts_that_are_not_there_are_not_needed(tmp_path: Path, parts: tuple[str, ...]) -> None:
    wanted = [name for name in FILES if name.startswith(parts)]
    put(tmp_path, *wanted)
    dataset = open_dataset(tmp_path)
    assert names_of(dataset) == sorted(wanted)
    assert {example.split for example in dataset.examples} == set(parts)


def test_one_part_named_alone_is_that_part(kaggle: Path) -> None:
    dataset = open_dataset(kaggle / "test")
    assert names_of(dataset) == ["NORMAL/IM-0001-0001.jpeg", "PNEUMONIA/person1_virus_11.jpeg"]
    assert {example.split for example in dataset.examples} == {"test"}
    assert dataset.kind == "kaggle"


def test_films_without_parts_have_none(tmp_path: Path) -> None:
    put(tmp_path / "films", "NORMAL/IM-0115-0001.jpeg", "PNEUMONIA/person23_virus_56.jpeg")
    dataset = open_dataset(tmp_path / "films")
    assert [(example.patient, example.split) for example in dataset.examples] == [("IM-0115", None), ("person23", None)]


def test_an_unknown_name_is_a_patient_of_its_own_and_noted(kaggle: Path) -> None:
    put(kaggle, "train/NORMAL/scan.jpeg", "test/NORMAL/scan.jpeg")
    dataset = open_dataset(kaggle)
    patients = {example.source.name: example.patient for example in dataset.examples}
    assert patients["train/NORMAL/scan.jpeg"] == "train/NORMAL/scan.jpeg"
    assert patients["test/NORMAL/scan.jpeg"] == "test/NORMAL/scan.jpeg"
    assert dataset.notes == (
        "2 files (test/NORMAL/scan.jpeg, train/NORMAL/scan.jpeg) not under Kaggle's names: "
        "each counts as a patient of its own",
    )
    assert any("not under Kaggle's names" in line for line in dataset.summary())


def test_dicom_files_count_with_and_without_suffix(kaggle: Path) -> None:
    names = ("train/NORMAL/a.DCM", "train/NORMAL/1.2.840.1", "train/NORMAL/IM000001", "train/NORMAL/bare")
    for number, name in enumerate(names):
        patient = "SECRET-9" if number < 2 else f"OTHER-{number}"
        data = build(PatientID=patient, SOPInstanceUID=f"2.25.{number}", preamble=name != "train/NORMAL/bare")
        put(kaggle, name, content=data)
    dataset = open_dataset(kaggle)
    read = {example.source.name: example for example in dataset.examples}
    assert set(names) < set(read)
    assert read[names[0]].patient == read[names[1]].patient != read[names[3]].patient
    assert "SECRET" not in repr(dataset)
    assert read_image(read[names[0]].source.load()).stored.shape == (96, 80)


def test_duplicates_outside_test_are_dropped_across_train_and_val(kaggle: Path) -> None:
    original = (kaggle / "train/NORMAL/IM-0115-0001.jpeg").read_bytes()
    put(kaggle, "train/NORMAL/IM-0999-0001.jpeg", "val/NORMAL/IM-0998-0001.jpeg", content=original)
    dataset = open_dataset(kaggle)
    assert names_of(dataset) == sorted(FILES)
    assert dataset.notes == ("2 exact duplicates left out",)


def test_every_file_of_test_counts_and_what_it_shares_is_named(kaggle: Path) -> None:
    train = (kaggle / "train/NORMAL/IM-0115-0001.jpeg").read_bytes()
    put(kaggle, "test/NORMAL/IM-0002-0001.jpeg", content=train)
    put(kaggle, "test/NORMAL/IM-0003-0001.jpeg", content=(kaggle / "test/NORMAL/IM-0001-0001.jpeg").read_bytes())
    put(kaggle, "test/PNEUMONIA/person23_virus_999.jpeg")
    dataset = open_dataset(kaggle)
    assert Counter(example.split for example in dataset.examples)["test"] == 5
    assert "train/NORMAL/IM-0115-0001.jpeg" in names_of(dataset)
    assert dataset.notes == (
        "test: 1 exact duplicates within it, kept",
        "test: 1 file (test/NORMAL/IM-0002-0001.jpeg) also outside test, kept; figures on them are too good",
        "test: 1 patient groups also outside test",
    )


def test_an_image_under_both_labels_is_left_out_of_training(kaggle: Path) -> None:
    image = (kaggle / "train/NORMAL/IM-0115-0001.jpeg").read_bytes()
    put(kaggle, "train/PNEUMONIA/person9_virus_9.jpeg", content=image)
    dataset = open_dataset(kaggle)
    assert names_of(dataset) == sorted(set(FILES) - {"train/NORMAL/IM-0115-0001.jpeg"})
    assert re.match(r"2 files \(train/NORMAL/IM-0115-0001\.jpeg, .*another label", dataset.notes[0])


def test_files_that_are_no_images_are_passed_over_and_named(kaggle: Path) -> None:
    put(kaggle, "train/NORMAL/scan.bmp", "train/NORMAL/LICENSE", content=b"BM and text")
    put(kaggle, "train/NORMAL/Thumbs.db", "train/NORMAL/list.txt", "train/NORMAL/.hidden.jpeg", content=b"x")
    assert notes_of(kaggle) == (
        "2 files (train/NORMAL/LICENSE, train/NORMAL/scan.bmp) passed over: neither DICOM nor JPEG nor PNG"
    )


def test_a_damaged_jpeg_stays_in_so_that_decoding_names_it(kaggle: Path) -> None:
    put(kaggle, "train/NORMAL/IM-0700-0001.jpeg", content=b"no picture")
    assert "train/NORMAL/IM-0700-0001.jpeg" in names_of(open_dataset(kaggle))


@pytest.mark.parametrize("empty", ["train/NORMAL", "val/PNEUMONIA", "test/NORMAL"])
@pytest.mark.parametrize("gone", [False, True], ids=["empty", "gone"])
def test_an_empty_class_folder_is_named_in_one_line(kaggle: Path, empty: str, gone: bool) -> None:
    for path in (kaggle / empty).iterdir():
        path.unlink()
    if gone:
        (kaggle / empty).rmdir()
    expected = f"no images in {empty} of chest_xray; expected train/, val/ or test/.*; download .* from Kaggle"
    with pytest.raises(DatasetError, match=expected) as caught:
        open_dataset(kaggle)
    assert "\n" not in str(caught.value)


def test_a_class_folder_without_images_by_content_is_named(kaggle: Path) -> None:
    for path in (kaggle / "val/NORMAL").iterdir():
        path.unlink()
    put(kaggle, "val/NORMAL/LICENSE", content=b"text")
    with pytest.raises(DatasetError, match="no images in val/NORMAL"):
        open_dataset(kaggle)


def test_another_folder_is_told_how_to_get_it(tmp_path: Path) -> None:
    from training.datasets import kaggle
    from training.datasets.files import open_tree

    put(tmp_path / "holiday", "beach/1.jpeg", "sea/2.jpeg")
    with pytest.raises(DatasetError, match=r"holiday with beach, sea, .*; expected train/.*; download .*Kaggle"):
        kaggle.read(open_tree(tmp_path / "holiday"))


def test_films_of_others_in_the_same_layout_are_not_taken_for_kaggles(tmp_path: Path) -> None:
    put(tmp_path, "train/NORMAL/a.png", "train/PNEUMONIA/b.png")
    dataset = open_dataset(tmp_path)
    assert dataset.kind == "class_folders"
    assert dataset.scheme.positive == "PNEUMONIA"
    assert dataset.population.state(40) == "inside"


def test_progress_sees_every_file_once(kaggle: Path) -> None:
    seen: list[str] = []
    totals: list[int] = []

    def progress(items, total):  # type: ignore[no-untyped-def]
        totals.append(total)
        for item in items:
            seen.append(item.name)
            yield item

    open_dataset(kaggle, progress=progress)
    assert seen == sorted(FILES)
    assert totals == [len(FILES)]


def test_real_pictures_load_and_decode_out_of_the_zip(tmp_path: Path) -> None:
    picture = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64).astype(np.uint8)
    for name in FILES:
        path = tmp_path / "films" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(path.with_suffix(".png")), picture + len(name))
    archive = zip_of(tmp_path / "films", tmp_path / "films.zip")
    first = open_dataset(archive).examples[0]
    assert first.source.load().startswith(PNG)
    assert read_image(first.source.load()).stored.shape == (64, 64)


@pytest.mark.data
@pytest.mark.filterwarnings("default")
def test_the_real_films_have_the_patients_of_their_table() -> None:
    folder = Path(os.environ["CXR_TEST_DATA"]) / "chest_xray"
    with (folder / "manifest.csv").open(newline="") as file:
        rows = {row["file"]: row for row in csv.DictReader(file)}
    dataset = open_dataset(folder)
    assert {example.sha256 for example in dataset.examples} == {row["sha256"] for row in rows.values()}
    assert dataset.notes == (f"{len(rows) - len(dataset.examples)} exact duplicates left out",)
    for example in dataset.examples:
        row = rows[example.source.name]
        assert (example.patient, example.split) == (row["patient_conservative"], row["official_split"])
        assert (dataset.scheme.names[example.target[0]], example.stratum.lower()) == (row["label"], row["subtype"])
