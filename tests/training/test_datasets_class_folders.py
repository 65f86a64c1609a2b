"""Any class folders are read, with what labels.json says; DICOM files tell their patients, never in clear."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from pydicom.sr._concepts_dict import concepts

from cxr_core.reading import read_image
from tests.dicom_builder import build
from tests.training.dataset_folders import put, zip_of
from training.datasets import Dataset, DatasetError, open_dataset

TB_CODE = {"value": "56717001", "scheme": "SCT", "meaning": "Tuberculosis"}


def say(folder: Path, **labels: Any) -> None:
    (folder / "labels.json").write_text(json.dumps(labels))


@pytest.fixture
def two(tmp_path: Path) -> Path:
    put(tmp_path / "tb", "Normal/n1.png", "Normal/n2.png", "Tuberculosis/t1.png", "Tuberculosis/sub/t2.jpg")
    return tmp_path / "tb"


def labels_of(dataset: Dataset) -> dict[str, str]:
    return {example.source.name: dataset.scheme.names[example.target[0]] for example in dataset.examples}


def test_two_classes_the_last_by_name_is_positive_and_the_summary_says_so(two: Path) -> None:
    dataset = open_dataset(two)
    assert dataset.kind == "class_folders"
    assert dataset.scheme.names == ("Normal", "Tuberculosis")
    assert dataset.scheme.positive == "Tuberculosis"
    assert labels_of(dataset) == {
        "Normal/n1.png": "Normal",
        "Normal/n2.png": "Normal",
        "Tuberculosis/sub/t2.jpg": "Tuberculosis",
        "Tuberculosis/t1.png": "Tuberculosis",
    }
    assert any("positive class: Tuberculosis, the last by name" in line for line in dataset.summary())
    assert {example.split for example in dataset.examples} == {None}


def test_three_classes_have_no_positive_one(two: Path) -> None:
    put(two, "COVID-19/c1.png")
    dataset = open_dataset(two)
    assert dataset.scheme.names == ("COVID-19", "Normal", "Tuberculosis")
    assert dataset.scheme.positive is None
    assert not any("positive" in note for note in dataset.notes)


def test_labels_file_says_codes_meanings_positive_population_and_source(two: Path) -> None:
    say(
        two,
        classes={
            "Normal": {"meaning": "healthy"},
            "Tuberculosis": {"meaning": "tuberculosis pattern", "code": TB_CODE},
        },
        positive="Normal",
        population={"description": "adults", "min_age_years": 18, "below_age_years": 90},
        description="A set of ours",
    )
    dataset = open_dataset(two)
    assert [label.model_dump() for label in dataset.scheme.labels] == [
        {"name": "Tuberculosis", "meaning": "tuberculosis pattern", "code": TB_CODE},
        {"name": "Normal", "meaning": "healthy", "code": None},
    ]
    assert dataset.scheme.positive == "Normal"
    assert labels_of(dataset)["Normal/n1.png"] == "Normal"
    assert dataset.population.description == "adults"
    assert dataset.description == "A set of ours"
    assert "positive class: Normal, as labels.json says" in dataset.notes


def test_a_class_that_the_labels_file_leaves_out_has_its_name_for_meaning(two: Path) -> None:
    say(two, classes={"Tuberculosis": {"code": TB_CODE}})
    labels = open_dataset(two).scheme.labels
    assert [(label.meaning, label.code is None) for label in labels] == [("Normal", True), ("Tuberculosis", False)]


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"classes": {"Flu": {}}}, "labels.json names Flu, of which there is no folder; expected names out of Normal"),
        ({"positive": "Flu"}, "positive Flu among the classes Normal, Tuberculosis; expected one of two classes"),
        ({"Tuberculosis": {"code": TB_CODE}}, "Tuberculosis: Extra inputs are not permitted; expected classes"),
        ({"classes": {"Normal": {"code": {"value": "1"}}}}, r"classes\.Normal\.code\.scheme: Field required"),
        ({"patient": "p(\\d"}, "patient: Value error, no regular expression"),
        ({"patient": "p\\d+"}, "patient: Value error, 0 groups, not one"),
        ({"patient": "(p)(\\d+)"}, "patient: Value error, 2 groups, not one"),
        (
            {"population": {"description": "x", "min_age_years": 9, "below_age_years": 2}},
            "population: Value error, min_age_years",
        ),
    ],
)
def test_a_wrong_labels_file_is_named_in_one_line(two: Path, said: dict, message: str) -> None:
    say(two, **said)
    with pytest.raises(DatasetError, match=message) as caught:
        open_dataset(two)
    assert "\n" not in str(caught.value)


def test_a_labels_file_that_is_no_json_is_named(two: Path) -> None:
    (two / "labels.json").write_text("{")
    with pytest.raises(DatasetError, match=r"labels\.json: the whole: Invalid JSON"):
        open_dataset(two)


def test_positive_among_three_is_refused(two: Path) -> None:
    put(two, "COVID-19/c1.png")
    say(two, positive="Normal")
    with pytest.raises(DatasetError, match="expected one of two classes"):
        open_dataset(two)


def test_the_pattern_tells_patients_and_what_it_misses_is_noted(two: Path) -> None:
    put(two, "Normal/p7_a.png", "Normal/p7_b.png", "Tuberculosis/p8-p7.png")
    say(two, patient="^p(\\d+)")
    dataset = open_dataset(two)
    patients = {example.source.name: example.patient for example in dataset.examples}
    assert patients["Normal/p7_a.png"] == patients["Normal/p7_b.png"] == "7"
    assert patients["Tuberculosis/p8-p7.png"] == "8"
    assert patients["Normal/n1.png"] == "Normal/n1.png"
    assert any(
        note.startswith("4 files (Normal/n1.png, ") and "tell no patient" in note and "too good" in note
        for note in dataset.notes
    )


@pytest.mark.parametrize("name", ["valid", "Val", "validation"])
def test_class_folders_below_parts(tmp_path: Path, name: str) -> None:
    put(
        tmp_path, "Train/a/1.png", "Train/b/2.png", f"{name}/a/3.png", f"{name}/b/4.png", "test/a/5.png", "test/b/6.png"
    )
    dataset = open_dataset(tmp_path)
    assert dataset.scheme.names == ("a", "b")
    assert {example.source.name[-5]: example.split for example in dataset.examples} == {
        "1": "train",
        "2": "train",
        "3": "val",
        "4": "val",
        "5": "test",
        "6": "test",
    }


def test_a_class_that_a_part_lacks_and_folders_beside_the_parts_are_noted(tmp_path: Path) -> None:
    put(tmp_path, "train/a/1.png", "train/b/2.png", "test/a/3.png", "more/x/4.png")
    dataset = open_dataset(tmp_path)
    assert len(dataset.examples) == 3
    assert "more passed over: beside test, train" in dataset.notes
    assert "b: not in every part" in dataset.notes


def test_only_a_test_part_is_enough_above_or_at_the_class_folders(tmp_path: Path) -> None:
    put(tmp_path, "test/a/1.png", "test/b/2.png")
    for folder in (tmp_path, tmp_path / "test"):
        assert {example.split for example in open_dataset(folder).examples} == {"test"}


def test_a_zip_with_a_folder_around_it_reads_like_the_folder(two: Path, tmp_path: Path) -> None:
    put(two, "README.txt", content=b"about")
    archive = zip_of(two, tmp_path / "tb.zip", ("download/tb/",))
    folder, zipped = open_dataset(two), open_dataset(archive)
    assert [(e.source.name, e.patient, e.sha256) for e in zipped.examples] == [
        (e.source.name, e.patient, e.sha256) for e in folder.examples
    ]


def test_an_empty_class_folder_is_named(two: Path) -> None:
    (two / "Other").mkdir()
    with pytest.raises(DatasetError, match=r"no images in Other of tb; expected images in it; put .* or remove it"):
        open_dataset(two)


def test_kaggles_names_with_a_labels_file_are_read_as_it_says(tmp_path: Path) -> None:
    put(tmp_path, "NORMAL/IM-0115-0001.jpeg", "PNEUMONIA/person1_virus_1.jpeg")
    say(tmp_path, description="films of adults")
    assert open_dataset(tmp_path).kind == "class_folders"


def write_hospital(folder: Path) -> None:
    """Films of four patients as a hospital has them."""
    files: dict[str, dict[str, Any]] = {
        "healthy/st1/1.2.3.1": {"PatientID": "ID-1 ", "PatientAge": "030Y"},
        "healthy/st1/1.2.3.2": {"PatientID": "ID-1", "PatientAge": "031Y"},
        "healthy/2.dcm": {"PatientID": "ID-1", "IssuerOfPatientID": "WEST", "PatientAge": "412Y"},
        "sick/3": {"PatientID": "ID-3", "PatientAge": "064Y"},
        "sick/4": {"PatientID": "", "PatientAge": None},
    }
    for number, (name, attributes) in enumerate(files.items()):
        data = build(SOPInstanceUID=f"2.25.{number}", bits_stored=12, **attributes)
        put(folder, name, content=data)


def test_dicom_files_tell_patients_and_ages(tmp_path: Path) -> None:
    write_hospital(tmp_path)
    dataset = open_dataset(tmp_path)
    patient = {example.source.name: example.patient for example in dataset.examples}
    assert len(patient) == 5
    assert patient["healthy/st1/1.2.3.1"] == patient["healthy/st1/1.2.3.2"]
    assert len(set(patient.values())) == 4
    assert patient["sick/4"] == "sick/4"
    assert dataset.population.description == "patients of 30 to 64 years"
    assert any(note.startswith("1 file (sick/4) tell no patient") for note in dataset.notes)
    assert read_image(dataset.examples[0].source.load()).stored.shape == (96, 80)


def test_no_patient_id_stands_anywhere_in_clear(tmp_path: Path) -> None:
    write_hospital(tmp_path)
    dataset = open_dataset(tmp_path)
    assert "ID-" not in repr(dataset) + "".join(dataset.summary())


def test_a_group_stays_the_same_when_files_are_added(tmp_path: Path) -> None:
    write_hospital(tmp_path)
    before = {example.source.name: example.patient for example in open_dataset(tmp_path).examples}
    put(tmp_path, "sick/new", content=build(PatientID="ID-3", SOPInstanceUID="2.25.99"))
    after = {example.source.name: example.patient for example in open_dataset(tmp_path).examples}
    assert after["sick/new"] == after["sick/3"]
    assert before.items() < after.items()


def test_the_pattern_goes_before_the_header(tmp_path: Path) -> None:
    write_hospital(tmp_path)
    say(tmp_path, patient="(\\d)$")
    assert {example.patient for example in open_dataset(tmp_path).examples} == {"1", "2", "healthy/2.dcm", "3", "4"}


def test_damaged_dicom_stays_in_as_a_patient_of_its_own(tmp_path: Path) -> None:
    write_hospital(tmp_path)
    put(tmp_path, "sick/cut.dcm", content=build()[:140])
    example = next(e for e in open_dataset(tmp_path).examples if e.source.name == "sick/cut.dcm")
    assert example.patient == "sick/cut.dcm"


def test_the_example_of_the_readme_is_read_and_its_code_is_dicoms(tmp_path: Path) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    example = next(block for block in re.findall(r"```json\n(.*?)```", readme, re.DOTALL) if '"classes"' in block)
    put(tmp_path, "clear/P0007-clear.png", "opacity/P0007-opacity.png")
    (tmp_path / "labels.json").write_text(example)
    dataset = open_dataset(tmp_path)
    assert {example.patient for example in dataset.examples} == {"P0007"}
    assert dataset.scheme.positive == "opacity"
    code = dataset.scheme.labels[1].code
    assert code is not None
    assert code.meaning in {entry[code.value][0] for entry in concepts[code.scheme].values() if code.value in entry}
