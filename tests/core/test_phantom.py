"""The drawn chest and the shipped samples: regenerated alike, marked SYNTHETIC, valid DICOM."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.uid import JPEGLSLossless

from cxr_core.classifier import Classifier
from cxr_core.phantom import PhantomSettings, display_values, phantom_dataset
from cxr_core.pipeline import Pipeline
from cxr_core.reading import Source, read_image
from cxr_core.samples import SAMPLES, sample_dataset, sample_folder, write_samples

NUMBERS = range(1, len(SAMPLES) + 1)


def _shipped(number: int) -> Path:
    return sample_folder() / SAMPLES[number - 1].file


@pytest.mark.parametrize("number", NUMBERS)
def test_shipped_samples_are_what_the_generator_draws(number: int) -> None:
    """Within 1: OpenCV's filters differ between processors in the last digit."""
    drawn, shipped = sample_dataset(number), read_image(_shipped(number))
    assert np.abs(shipped.stored.astype(int) - drawn.pixel_array).max() <= 1
    header = dcmread(_shipped(number), stop_before_pixels=True)
    for element in header:
        if element.keyword not in ("PixelData", "LossyImageCompression"):
            assert drawn[element.tag].value == element.value, element.keyword
    assert header.file_meta.TransferSyntaxUID == JPEGLSLossless


def test_the_folder_holds_the_samples_and_nothing_else() -> None:
    assert sorted(path.name for path in sample_folder().glob("*")) == sorted(sample.file for sample in SAMPLES)


@pytest.mark.parametrize("number", NUMBERS)
def test_samples_are_marked_synthetic_in_header_and_pixels(number: int) -> None:
    dataset = dcmread(_shipped(number))
    for keyword in ("PatientName", "PatientID", "StudyDescription", "SeriesDescription", "ImageComments"):
        assert "SYNTHETIC" in str(dataset[keyword].value), keyword
    assert dataset.BurnedInAnnotation == "YES"
    # The burnt-in letters are the one place at full white on this edge; on the upside-down film it is the other end.
    image = read_image(_shipped(number))
    white = 0 if dataset.PhotometricInterpretation == "MONOCHROME1" else (1 << dataset.BitsStored) - 1
    stored = np.rot90(image.stored, 2) if SAMPLES[number - 1].upside_down else image.stored
    letters = stored[605:630, 10:130] == white
    assert 0.1 < letters.mean() < 0.6


def test_uids_are_unique_and_valid() -> None:
    uids = []
    for number in NUMBERS:
        dataset = dcmread(_shipped(number))
        uids += [dataset.SOPInstanceUID, dataset.SeriesInstanceUID, dataset.StudyInstanceUID]
        assert dataset.file_meta.MediaStorageSOPInstanceUID == dataset.SOPInstanceUID
    assert len(set(uids)) == len(uids)
    assert all(uid.is_valid for uid in uids)


def test_samples_are_told_apart_by_age_view_and_orientation() -> None:
    """Not by what a model finds in a drawing, which means nothing."""
    pipeline = Pipeline(Classifier())
    found = []
    for sample in SAMPLES:
        result, _ = pipeline(Source(sample.file, (sample_folder() / sample.file).read_bytes))
        prediction = result.prediction
        turned = prediction is not None and "rotated by 180 degrees" in (prediction.domain_reason or "")
        found.append((result.status, prediction and prediction.population, turned))
    assert found == [
        ("predicted", "inside", False),
        ("predicted", "inside", False),
        ("predicted", "outside", False),
        ("refused", None, False),
        ("predicted", "inside", True),
    ]


def test_written_again_the_samples_are_read_alike(tmp_path: Path) -> None:
    write_samples(tmp_path)
    for number in NUMBERS:
        again = read_image(tmp_path / SAMPLES[number - 1].file)
        np.testing.assert_array_equal(again.stored, sample_dataset(number).pixel_array)
        assert again.notes == ()


def test_the_drawing_is_determined_by_its_settings() -> None:
    first = display_values(PhantomSettings(256, 288, seed=7))
    assert first.shape == (256, 288)
    assert first.dtype == np.float32
    assert first.min() == 0
    assert first.max() == 1
    np.testing.assert_array_equal(display_values(PhantomSettings(256, 288, seed=7)), first)
    assert np.abs(display_values(PhantomSettings(256, 288, seed=8)) - first).max() > 0


def test_an_opacity_whitens_the_right_lower_zone_only() -> None:
    clear = display_values(PhantomSettings(256, 288, seed=7))
    dense = display_values(PhantomSettings(256, 288, seed=7, opacity=1.0))
    change = dense - clear
    assert change[140:175, 60:100].mean() > 0.1
    assert np.abs(change[:, 160:]).mean() < 0.03


@pytest.mark.parametrize("bits", [8, 12, 16])
def test_monochrome1_is_the_inverse_of_its_twin(bits: int) -> None:
    settings = PhantomSettings(128, 144)
    one, two = (
        phantom_dataset(settings, 1, age="003Y", photometric=photometric, bits_stored=bits)
        for photometric in ("MONOCHROME1", "MONOCHROME2")
    )
    assert np.abs(one.pixel_array.astype(int) + two.pixel_array - ((1 << bits) - 1)).max() <= 1


@pytest.mark.peers
@pytest.mark.parametrize("number", NUMBERS)
def test_dciodvfy_finds_no_error(number: int) -> None:
    """dciodvfy of Debian's dicom3tools."""
    run = subprocess.run(["dciodvfy", str(_shipped(number))], capture_output=True, text=True, check=False)
    lines = (run.stdout + run.stderr).splitlines()
    assert "CRImage" in lines
    assert [line for line in lines if line.startswith("Error")] == []
