"""ChestX-ray8's CSV, lists and folders become three tasks, by patient; what does not fit is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom.sr import _concepts_dict

from tests.training.dataset_folders import put, zip_of
from training.datasets import DatasetError, open_dataset
from training.datasets.chestxray8 import FINDINGS
from training.datasets.kaggle import PNEUMONIA_CODE

HEADER = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y],"
)
#: Image, findings, patient, age, view, list.
ROWS = [
    ("00000001_000.png", "Cardiomegaly", "1", "58", "PA", "train_val"),
    ("00000001_001.png", "Cardiomegaly|Emphysema", "1", "058Y", "PA", "train_val"),
    ("00000002_000.png", "No Finding", "2", "81", "AP", "train_val"),
    ("00000003_000.png", "Pneumonia|Infiltration", "00003", "412", "PA", "test"),
    ("00000004_000.png", "No Finding", "4", "008M", "PA", "test"),
    ("00000004_001.png", "Pleural_Thickening", "4", "2", "PA", "test"),
]


def write_nih(folder: Path, *, flat: bool = False, table: str = "Data_Entry_2017.csv") -> None:
    """The exact layout of the NIH: 12 numbered folders, or one folder of images."""
    lines = [HEADER]
    lists: dict[str, list[str]] = {"train_val": [], "test": []}
    for number, (image, findings, patient, age, view, part) in enumerate(ROWS):
        lines.append(f"{image},{findings},0,{patient},{age},M,{view},2682,2749,0.143,0.143,")
        lists[part].append(image)
        put(folder, f"images/{image}" if flat else f"images_{number // 3 + 1:03d}/images/{image}")
    (folder / table).write_text("\n".join(lines) + "\n")
    for part, images in lists.items():
        (folder / f"{part}_list.txt").write_text("\n".join(images))


@pytest.fixture
def nih(tmp_path: Path) -> Path:
    write_nih(tmp_path)
    return tmp_path


def edit(folder: Path, change: Callable[[str], str], name: str = "Data_Entry_2017.csv") -> None:
    (folder / name).write_text(change((folder / name).read_text()))


def test_diseased_against_healthy_is_the_default(nih: Path) -> None:
    dataset = open_dataset(nih)
    assert dataset.kind == "chestxray8"
    assert dataset.scheme.names == ("No Finding", "Any Finding")
    assert dataset.scheme.positive == "Any Finding"
    assert [example.target for example in dataset.examples] == [(1,), (1,), (0,), (1,), (0,), (1,)]
    assert [example.source.name for example in dataset.examples][:2] == [
        "images_001/images/00000001_000.png",
        "images_001/images/00000001_001.png",
    ]


def test_patients_parts_and_views_come_from_the_tables(nih: Path) -> None:
    examples = open_dataset(nih).examples
    assert [example.patient for example in examples] == ["1", "1", "2", "3", "4", "4"]
    assert [example.split for example in examples] == ["train"] * 3 + ["test"] * 3
    assert [example.stratum for example in examples] == ["PA", "PA", "AP", "PA", "PA", "PA"]


@pytest.mark.parametrize("options", [{"finding": "pneumonia"}, {"finding": "Pneumonia", "task": "one_finding"}])
def test_one_finding_leaves_out_images_with_others_only(nih: Path, options: dict) -> None:
    dataset = open_dataset(nih, **options)
    assert dataset.scheme.names == ("No Finding", "Pneumonia")
    assert dataset.scheme.positive == "Pneumonia"
    assert {example.source.name[-16:]: example.target for example in dataset.examples} == {
        "00000002_000.png": (0,),
        "00000003_000.png": (1,),
        "00000004_000.png": (0,),
    }
    assert "3 images with other findings only left out" in dataset.notes


def test_a_finding_is_named_with_a_space_too(nih: Path) -> None:
    assert open_dataset(nih, finding="Pleural Thickening").scheme.positive == "Pleural_Thickening"


def test_all_findings_are_multi_label(nih: Path) -> None:
    dataset = open_dataset(nih, task="all_findings")
    assert dataset.scheme.task == "multi_label"
    assert dataset.scheme.positive is None
    assert len(dataset.scheme.names) == 14
    found = [
        {name for name, value in zip(dataset.scheme.names, example.target, strict=True) if value}
        for example in dataset.examples
    ]
    assert found == [
        {"Cardiomegaly"},
        {"Cardiomegaly", "Emphysema"},
        set(),
        {"Pneumonia", "Infiltration"},
        set(),
        {"Pleural_Thickening"},
    ]


def test_the_2020_release_a_flat_folder_and_a_zip_read_alike(nih: Path, tmp_path: Path) -> None:
    write_nih(tmp_path / "flat/CXR8", flat=True, table="Data_Entry_2017_v2020.csv")
    edit(tmp_path / "flat/CXR8", lambda text: "\ufeff" + text.replace("Gender", "Sex"), "Data_Entry_2017_v2020.csv")
    flat = open_dataset(tmp_path / "flat")
    zipped = open_dataset(zip_of(tmp_path / "flat", tmp_path / "flat.zip"))
    assert [example.target for example in flat.examples] == [(1,), (1,), (0,), (1,), (0,), (1,)]
    assert flat.examples[0].source.name == "images/00000001_000.png"
    assert [(e.source.name, e.patient, e.sha256, e.split) for e in zipped.examples] == [
        (e.source.name, e.patient, e.sha256, e.split) for e in flat.examples
    ]


def test_the_later_of_two_tables_is_read(nih: Path) -> None:
    text = (nih / "Data_Entry_2017.csv").read_text().replace("Cardiomegaly,", "No Finding,", 1)
    (nih / "Data_Entry_2017_v2020.csv").write_text(text)
    assert open_dataset(nih).examples[0].target == (0,)


def test_population_is_of_the_plausible_ages(nih: Path) -> None:
    dataset = open_dataset(nih)
    assert dataset.population.description == "patients of 0 to 81 years"
    assert (dataset.population.min_age_years, dataset.population.below_age_years) == (0, 82)
    assert "1 missing or implausible ages ignored" in dataset.notes


def test_without_any_plausible_age_the_population_is_unstated(nih: Path) -> None:
    edit(nih, lambda text: "\n".join([HEADER] + [f"{r[0]},{r[1]},0,{r[2]},999,M,PA,1,1,1,1," for r in ROWS]))
    dataset = open_dataset(nih)
    assert dataset.population.description == "patients of unstated age"
    assert "no plausible age in the CSV: the population is unstated" in dataset.notes


@pytest.mark.parametrize("column", ["Image Index", "Finding Labels", "Patient ID", "Patient Age"])
def test_a_missing_column_is_named(nih: Path, column: str) -> None:
    edit(nih, lambda text: text.replace(column, "Other", 1))
    with pytest.raises(DatasetError, match=rf"Data_Entry_2017\.csv without the columns {column}; .*download") as caught:
        open_dataset(nih)
    assert "\n" not in str(caught.value)


def test_missing_images_are_counted_and_the_first_are_named(nih: Path) -> None:
    for path in (nih / "images_002/images").iterdir():
        path.unlink()
    with pytest.raises(
        DatasetError, match=r"names 6 images, of which are not there: 3 files \(00000003_000\.png, .*; expected"
    ):
        open_dataset(nih)


def test_images_beyond_the_table_are_noted(nih: Path) -> None:
    put(nih, "images_001/images/00000099_000.png")
    dataset = open_dataset(nih)
    assert len(dataset.examples) == 6
    assert "1 file (00000099_000.png) passed over: not in Data_Entry_2017.csv" in dataset.notes


def test_a_second_image_of_one_name_is_noted(nih: Path) -> None:
    put(nih, "images_002/images/00000001_000.png")
    dataset = open_dataset(nih)
    assert len(dataset.examples) == 6
    assert any(note.startswith("1 file (images_002/images/00000001_000.png) passed over") for note in dataset.notes)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("Pneumonia|", "Pneumonja|", r"line 5 \(00000003_000\.png\): findings Pneumonja\|Infiltration; expected No"),
        ("Cardiomegaly,0", ",0", r"line 2 \(00000001_000\.png\): findings missing"),
        ("0,00003,", "0,,", r"line 5 \(00000003_000\.png\) without Patient ID"),
        ("00000001_001", "00000001_000", r"1 file \(00000001_000\.png\) on several lines"),
        ("00000004_001.png,Pleural_Thickening,0,4,2,M,PA,2682,2749,0.143,0.143,", "00000004_001.png", r"line 7 "),
    ],
)
def test_a_wrong_line_is_named(nih: Path, old: str, new: str, message: str) -> None:
    edit(nih, lambda text: text.replace(old, new, 1))
    with pytest.raises(DatasetError, match=message):
        open_dataset(nih)


def test_a_table_without_lines_is_named(nih: Path) -> None:
    edit(nih, lambda text: HEADER + "\n")
    with pytest.raises(DatasetError, match="without lines"):
        open_dataset(nih)


def test_a_table_in_another_encoding_is_named(nih: Path) -> None:
    (nih / "Data_Entry_2017.csv").write_bytes(b"\xff\xfe\x80")
    with pytest.raises(DatasetError, match=r"Data_Entry_2017\.csv in another encoding; expected UTF-8"):
        open_dataset(nih)


def test_without_lists_there_is_no_official_split(nih: Path) -> None:
    (nih / "train_val_list.txt").unlink()
    (nih / "test_list.txt").unlink()
    dataset = open_dataset(nih)
    assert {example.split for example in dataset.examples} == {None}
    assert "no train_val_list.txt and test_list.txt: no official split" in dataset.notes


def test_an_image_in_no_list_is_noted_and_one_in_both_refused(nih: Path) -> None:
    edit(nih, lambda text: text.replace("00000001_000.png\n", ""), "train_val_list.txt")
    dataset = open_dataset(nih)
    assert dataset.examples[0].split is None
    assert "1 file (00000001_000.png) in neither list: without official split" in dataset.notes
    edit(nih, lambda text: text + "\n00000001_001.png", "test_list.txt")
    with pytest.raises(DatasetError, match=r"1 file \(00000001_001\.png\) in both lists"):
        open_dataset(nih)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"finding": "flu"}, "finding flu; expected one of Atelectasis"),
        ({"finding": "Hernia"}, "no images of Hernia in Data_Entry_2017.csv"),
        ({"task": "one_finding"}, "task one_finding without a finding; expected one of Atelectasis"),
        ({"task": "all_findings", "finding": "Mass"}, "task all_findings with finding Mass"),
        ({"task": "everything"}, "task everything; expected diseased or one_finding or all_findings"),
    ],
)
def test_a_task_that_cannot_be_is_named(nih: Path, options: dict, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        open_dataset(nih, **options)


def test_files_are_read_once_and_none_that_the_task_leaves_out(nih: Path) -> None:
    seen: list[str] = []

    def progress(items, total):  # type: ignore[no-untyped-def]
        assert total == 3
        for item in items:
            seen.append(item.name)
            yield item

    open_dataset(nih, finding="Pneumonia", progress=progress)
    assert [name[-16:-4] for name in seen] == ["00000002_000", "00000003_000", "00000004_000"]


def test_codes_have_the_meaning_that_the_dictionary_gives_them() -> None:
    coded = {label.name: label.code for label in FINDINGS if label.code not in (None, PNEUMONIA_CODE)}
    assert set(coded) == {"Effusion", "Infiltration", "Mass", "Nodule", "Pneumothorax", "Edema"}
    for code in coded.values():
        assert code is not None
        meanings = {
            meaning
            for concepts in _concepts_dict.concepts[code.scheme].values()
            for value, (meaning, _) in concepts.items()
            if value == code.value
        }
        assert code.meaning in meanings
