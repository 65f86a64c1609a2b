"""`cxr-node check` finds what would end the node: a model that does not load, or does not take a setting."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dicom_node import check
from dicom_node.settings import settings_of
from tests.bundle_builder import copy_bundle

MANY = {"task": "multi_label", "positive": None, "indeterminate": None}


def model(**analysis: Any) -> check.Finding:
    return check._model(settings_of({"analysis": analysis}, "test"))


def test_the_default_works_with_a_site_s_prevalence() -> None:
    assert model(prevalence=0.1).works


@pytest.mark.parametrize("prevalence", [None, 0.1])
def test_a_prevalence_is_for_a_two_class_model(tmp_path: Path, prevalence: float | None) -> None:
    folder = copy_bundle(tmp_path / "many", **MANY, thresholds={"NORMAL": 0.5, "PNEUMONIA": 0.5})
    found = model(model=str(folder), prevalence=prevalence)
    assert found.works == (prevalence is None)
    assert ("a prevalence for model cnn" in found.words) == (prevalence is not None)


def test_a_damaged_model_is_found(tmp_path: Path) -> None:
    folder = copy_bundle(tmp_path / "damaged")
    with (folder / "model.tflite").open("r+b") as file:
        file.seek(1000)
        file.write(b"damaged")
    assert not model(model=str(folder)).works
