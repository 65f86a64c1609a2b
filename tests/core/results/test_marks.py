"""Our mark: on everything that we make, on nothing else, and still there after an archive has touched it."""

from __future__ import annotations

import pytest
from pydicom.dataset import Dataset

from cxr_core.phantom import PhantomSettings, phantom_dataset
from cxr_core.results.marks import MANUFACTURER, MODEL_NAME, is_result
from tests.core.results.builder import SOURCES, analysed, encoded, parsed
from tests.dicom_builder import header


def equipment(manufacturer: str, model: str) -> Dataset:
    item = Dataset()
    item.Manufacturer, item.ManufacturerModelName = manufacturer, model
    return item


def test_everything_that_we_make_is_ours() -> None:
    objects = encoded(analysed(), analysed("negative", number=2))
    assert {made.kind for made in objects} == {"sr", "sc", "gsps"}
    assert all(is_result(parsed(made)) for made in objects)


@pytest.mark.parametrize("source", SOURCES)
def test_sources_are_not(source: str) -> None:
    assert not is_result(header(**SOURCES[source], ImageType=["DERIVED", "SECONDARY"], Manufacturer="SYNTHETIC"))


def test_our_samples_are_not() -> None:
    """Their manufacturer is ours, and they are there to be analysed."""
    sample = phantom_dataset(PhantomSettings(64, 64), 1, age="004Y")
    assert sample.Manufacturer == MANUFACTURER
    assert not is_result(sample)


def test_what_was_made_from_ours_is() -> None:
    made = header(Manufacturer="OTHER", ContributingEquipmentSequence=[equipment("X", "Y")])
    assert not is_result(made)
    made.ContributingEquipmentSequence.append(equipment(MANUFACTURER, MODEL_NAME))
    assert is_result(made)


@pytest.mark.parametrize(
    ("manufacturer", "model", "ours"),
    [
        (f" {MANUFACTURER} ", MODEL_NAME.upper(), True),
        (MANUFACTURER, "", False),
        ("", MODEL_NAME, False),
        (MANUFACTURER, f"{MODEL_NAME} 2", False),
    ],
)
def test_comparison(manufacturer: str, model: str, ours: bool) -> None:
    assert is_result(equipment(manufacturer, model)) == ours


def test_nothing_at_all() -> None:
    assert not is_result(Dataset())
