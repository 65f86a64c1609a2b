"""The Secondary Capture: what is in its pixels and what is not, and how they are packed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from cxr_core.heatmap import OverlaySettings, display_for_export, render_overlay
from cxr_core.results.secondary_capture import MAX_SIDE, rle_frame
from tests.core.results.builder import ALWAYS, ANSWERS, HOT, MANIFEST, SOURCES, analysed, blob, encoded, one, prediction
from tests.dicom_builder import gradient

RLE = replace(ALWAYS, sc_rle=True)


def film_of(pixels: np.ndarray, rows: int) -> np.ndarray:
    """The picture above the legend."""
    return pixels[:rows].astype(int)


@pytest.mark.parametrize("choice", [ALWAYS, RLE], ids=["native", "RLE"])
def test_pixels_are_the_overlay_of_the_core(choice: Any) -> None:
    image = analysed(stored=gradient(300, 260))
    assert image.image is not None
    assert image.result.prediction is not None
    bgr = render_overlay(image.image, image.result.prediction, MANIFEST, OverlaySettings(max_side=300), outlined=True)
    capture = one("sc", image, choice=choice)
    np.testing.assert_array_equal(capture.pixel_array, bgr[:, :, ::-1])


def test_attributes() -> None:
    capture = one("sc", analysed(PatientOrientation=["L", "F"]))
    assert (capture.Modality, capture.ConversionType, list(capture.ImageType)) == (
        "OT",
        "WSD",
        ["DERIVED", "SECONDARY"],
    )
    assert capture.BurnedInAnnotation == "YES"
    assert list(capture.PatientOrientation) == ["L", "F"]
    assert (capture.PhotometricInterpretation, capture.BitsAllocated, capture.PlanarConfiguration) == ("RGB", 8, 0)
    (source,) = capture.SourceImageSequence
    assert source.ReferencedSOPInstanceUID == "2.25.1001"
    assert "not a lesion outline" in capture.DerivationDescription
    assert capture.SeriesDescription == "Model attention, not a lesion outline"
    for keyword in ("PixelSpacing", "ImagerPixelSpacing", "Laterality", "LossyImageCompression", "WindowCenter"):
        assert keyword not in capture


def test_orientation_unknown_is_empty() -> None:
    assert one("sc", analysed()).PatientOrientation in (None, "")


def test_no_patient_in_the_pixels() -> None:
    """Whoever it is, the picture is the same."""
    one_patient = one("sc", analysed())
    other = one("sc", analysed(PatientName="OTHER^NAME", PatientID="X", StudyDate="20200202", AccessionNumber="A"))
    assert one_patient.PixelData == other.PixelData


@pytest.mark.parametrize(
    ("rows", "columns", "shown"),
    [
        (96, 80, (96, 80)),
        (1280, 64, (1280, 64)),
        (2500, 2048, (1250, 1024)),
        (2600, 1500, (867, 500)),
        (70, 3000, (23, 1000)),
    ],
)
def test_size(rows: int, columns: int, shown: tuple[int, int]) -> None:
    capture = one("sc", analysed(stored=gradient(rows, columns)))
    assert capture.Columns == shown[1]
    assert capture.Rows > shown[0]
    assert max(shown) <= MAX_SIDE


@pytest.mark.parametrize(
    ("attributes", "shown"),
    [
        ({"PixelAspectRatio": [2, 1]}, (400, 300)),
        ({"PixelAspectRatio": [1, 2]}, (200, 600)),
        ({"ImagerPixelSpacing": [0.3, 0.2]}, (300, 300)),
        ({"PixelAspectRatio": [9, 1]}, (900, 150)),
    ],
)
def test_pixels_of_the_capture_are_square(attributes: dict[str, Any], shown: tuple[int, int]) -> None:
    """Else the legend would be stretched, and viewers would have to know the ratio."""
    capture = one("sc", analysed("negative", stored=gradient(200, 300), **attributes))
    assert "PixelAspectRatio" not in capture
    assert capture.Columns == shown[1]
    background = [16, 16, 16]
    assert capture.pixel_array[shown[0], 0].tolist() == background, "the legend begins here"
    assert capture.pixel_array[shown[0] - 1, 0].tolist() != background


def test_film_is_shown_through_its_grayscale() -> None:
    window = {"WindowCenter": 1800, "WindowWidth": 1500, "photometric": "MONOCHROME1"}
    image = analysed(prediction(cam=np.zeros((15, 15), np.float32)), stored=gradient(300, 260), **window)
    assert image.image is not None
    film = film_of(one("sc", image).pixel_array, 300)
    np.testing.assert_array_equal(
        film, np.rint(255 * display_for_export(image.image, 300))[:, :, None].repeat(3, axis=2)
    )
    assert film.std() > 30


@pytest.mark.parametrize("answer", ANSWERS)
def test_only_a_positive_verdict_has_a_line(answer: str) -> None:
    stored = np.full((300, 260), 2000)
    pixels = film_of(one("sc", analysed(answer, stored=stored, WindowCenter=2048, WindowWidth=4096)).pixel_array, 300)
    white, black = (pixels.min(axis=2) > 245), (pixels.max(axis=2) < 10)
    assert white.any() == black.any() == (answer in ("positive", "outside, warned", "age unknown"))


def test_line_and_colour_lie_where_the_map_is_hot() -> None:
    stored = np.full((600, 300), 2000)
    pixels = film_of(one("sc", analysed(stored=stored)).pixel_array, 600)
    line = np.argwhere(pixels.max(axis=2) < 10)
    assert line.mean(axis=0) == pytest.approx([HOT[0] * 600, HOT[1] * 300], abs=4)
    coloured = np.argwhere(np.ptp(pixels, axis=2) > 20)
    assert coloured.mean(axis=0) == pytest.approx([HOT[0] * 600, HOT[1] * 300], abs=4)


def test_legend_says_what_a_verdict_outside_the_population_is_worth() -> None:
    pictures = {
        answer: one("sc", analysed(answer)).pixel_array for answer in ("positive", "outside, warned", "age unknown")
    }
    assert len({picture.tobytes() for picture in pictures.values()}) == 3
    assert pictures["outside, warned"].shape[0] > pictures["positive"].shape[0]


@pytest.mark.parametrize("which", ["positive", "always", "never"])
@pytest.mark.parametrize("answer", ANSWERS)
def test_which_images_have_one(answer: str, which: Any) -> None:
    made = encoded(analysed(answer), choice=replace(ALWAYS, sc=which, gsps="never"))
    positive = answer in ("positive", "outside, warned", "age unknown")
    assert [one.kind for one in made] == ["sr"] + ["sc"] * (which == "always" or (which == "positive" and positive))


@pytest.mark.parametrize("source", SOURCES)
def test_every_kind_of_source_has_one(source: str) -> None:
    assert (
        one("sc", analysed(**SOURCES[source])).SourceImageSequence[0].ReferencedSOPClassUID
        == SOURCES[source]["SOPClassUID"]
    )


def test_colour_source_is_shown_grey() -> None:
    grey = gradient(200, 160, bits=8)
    image = analysed(
        prediction(cam=np.zeros((15, 15), np.float32)), stored=np.dstack([grey] * 3), photometric="RGB", bits_stored=8
    )
    np.testing.assert_array_equal(film_of(one("sc", image).pixel_array, 200), np.dstack([grey] * 3))


def test_lossy_sources_leave_their_mark() -> None:
    history = {"LossyImageCompressionRatio": 12.5, "LossyImageCompressionMethod": "ISO_10918_1"}
    capture = one("sc", analysed(syntax="jpeg-baseline", bits_stored=8, **history))
    assert capture.LossyImageCompression == "01"
    assert capture.LossyImageCompressionRatio == 12.5
    assert capture.LossyImageCompressionMethod == "ISO_10918_1"
    assert one("sc", analysed(LossyImageCompression="01")).LossyImageCompression == "01"


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("shape", [(1, 1, 3), (3, 127, 3), (2, 129, 1), (5, 400, 3)])
def test_rle_frame_unpacks(shape: tuple[int, int, int], seed: int) -> None:
    """By a plain reading of PS3.5 G.3; rows are packed for themselves (G.3.1)."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 3 if seed % 2 else 256, shape, dtype=np.uint8)
    frame = rle_frame(pixels)
    count, *starts = np.frombuffer(frame[:64], "<u4").tolist()
    assert count == shape[2]
    assert starts[0] == 64
    assert not any(starts[count:])
    for sample, start in enumerate(starts[:count]):
        end = starts[sample + 1] if sample + 1 < count else len(frame)
        assert (end - start) % 2 == 0
        segment, out, at = frame[start:end], bytearray(), 0
        while len(out) < shape[0] * shape[1]:
            length = segment[at]
            assert length != 128
            before = len(out)
            if length < 128:
                out += segment[at + 1 : at + 2 + length]
                at += 2 + length
            else:
                out += segment[at + 1 : at + 2] * (257 - length)
                at += 2
            assert before // shape[1] == (len(out) - 1) // shape[1], "a run over the end of a row"
        np.testing.assert_array_equal(np.frombuffer(out, np.uint8).reshape(shape[:2]), pixels[:, :, sample])


def test_blob_of_the_builder_is_where_it_says() -> None:
    cam = blob()
    at = np.unravel_index(cam.argmax(), cam.shape)
    assert ((np.array(at) + 0.5) / 15).tolist() == pytest.approx(HOT, abs=0.05)
