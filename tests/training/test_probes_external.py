"""Films from elsewhere: each is a row, whatever becomes of it, with what the gates would say beside."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cxr_core.classifier import Classifier
from cxr_core.phantom import PhantomSettings, display_values
from tests.bundle_builder import SHIPPED
from tests.dicom_builder import build
from training.probes import external as e

HEAD = "file,rsna_class,opacity_boxes_x_y_width_height_px\n"


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier(str(SHIPPED))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    chest = np.rint(display_values(PhantomSettings(rows=512, columns=640, opacity=0.8)) * 4095).astype(np.uint16)
    (tmp_path / "child.dcm").write_bytes(build(chest))
    (tmp_path / "adult.dcm").write_bytes(build(chest, PatientAge="051Y"))
    (tmp_path / "hand.dcm").write_bytes(build(chest, BodyPartExamined="HAND"))
    (tmp_path / "broken.dcm").write_bytes(b"nothing")
    rows = [
        'child.dcm,Lung Opacity,"[[320, 0, 320, 512]]"',
        "adult.dcm,Normal,[]",
        "hand.dcm,Normal,[]",
        'broken.dcm,Normal,"[[0, 0, 10, 10]]"',
        "absent.dcm,Normal,",
    ]
    (tmp_path / "labels.csv").write_text(HEAD + "\n".join(rows) + "\n")
    return tmp_path


def test_every_named_film_is_a_row(classifier: Classifier, folder: Path) -> None:
    mean_map = np.zeros((15, 15), np.float32)
    mean_map[:, :7] = 1
    child, adult, hand, broken, absent = e.external_films(classifier, folder, {"PNEUMONIA": mean_map})
    assert [film.result.status for film in (child, adult, hand, broken, absent)] == [
        *("predicted", "predicted", "refused", "failed", "failed"),
    ]
    assert child.age_years == 3
    assert adult.age_years == 51
    for film in (child, adult):
        prediction = film.result.prediction
        assert prediction is not None
        assert film.called == prediction.label  # whatever the gates say
    assert adult.result.prediction is not None
    assert adult.result.prediction.population == "outside"
    assert adult.result.prediction.verdict is None
    assert child.mass is not None
    assert child.mass.area == pytest.approx(0.5)
    assert child.mass.by_centre == pytest.approx(0.5, abs=0.01)
    assert child.mass.by_mean_map is not None
    assert child.mass.by_mean_map < 0.05
    cam = child.result.prediction.shown_map
    half = (cam[:, :7].sum() + cam[:, 7].sum() / 2) / cam.sum()
    assert child.mass.by_map == pytest.approx(1 - half, abs=0.05)
    assert child.picture is not None
    assert child.picture.shape == (288, 720, 3)
    assert adult.mass is None
    assert broken.mass is None
    assert broken.called is None
    found = e.counts([child, adult, hand, broken, absent])
    assert sum(count for name, count in found["Normal"].items() if name != "withheld") == 4
    assert found["Normal"]["refused"] == 1
    assert found["Normal"]["failed"] == 2
    assert found["Normal"]["withheld"] == 1
    assert found["Lung Opacity"][str(child.called)] == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("file,class\n", "without rsna_class"),
        (HEAD + "a.dcm,Normal,[[1]]\n", "with boxes that are none"),
        (HEAD + "a.dcm,Normal,box\n", "with boxes that are none"),
    ],
)
def test_labels_that_are_none_are_refused(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "labels.csv").write_text(content)
    with pytest.raises(e.ProbeError, match=words):
        e.read_labels(tmp_path)


def test_a_folder_without_labels_is_refused(tmp_path: Path) -> None:
    with pytest.raises(e.ProbeError, match="cannot be read"):
        e.read_labels(tmp_path)
