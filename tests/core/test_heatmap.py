"""Heat maps: colours, where they are laid, the legend, and pictures written whole."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from cxr_core.classifier import Classifier
from cxr_core.errors import OutputError
from cxr_core.heatmap import (
    OverlaySettings,
    blend,
    caveat,
    colour_map,
    colour_table,
    display_for_export,
    outlines,
    overlaid,
    prepare_folder,
    relative,
    render_overlay,
    verdict_lines,
    write_png,
)
from cxr_core.pipeline import Pipeline
from cxr_core.prediction import Prediction
from cxr_core.reading import Source, read_image
from tests.dicom_builder import build, gradient

SETTINGS = OverlaySettings()


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return Pipeline(Classifier())


def predicted(pipeline: Pipeline, data: bytes) -> Prediction:
    result, _ = pipeline(Source("film.dcm", lambda: data))
    assert result.prediction is not None
    return result.prediction


def with_map(prediction: Prediction, cam: np.ndarray) -> Prediction:
    return replace(prediction, maps=np.stack([cam] * len(prediction.labels)).astype(np.float32))


@pytest.mark.parametrize("threshold", [0.0, 0.25, 0.5, 0.9])
def test_alpha_is_zero_under_the_threshold(threshold: float) -> None:
    alpha = colour_table(OverlaySettings(threshold=threshold))[:, 3]
    values = np.linspace(0, 1, 256)
    assert not alpha[values < threshold].any()
    assert alpha[-1] == round(SETTINGS.opacity * 255)
    assert np.all(np.diff(alpha.astype(int)) >= 0)


def test_alpha_rises_without_an_edge() -> None:
    alpha = colour_table(SETTINGS)[:, 3].astype(int)
    assert np.diff(alpha).max() <= 0.05 * 255


def test_colours_rise_in_lightness() -> None:
    bgr = colour_table(SETTINGS)[np.newaxis, :, :3]
    lightness = cv2.cvtColor(np.ascontiguousarray(bgr), cv2.COLOR_BGR2LAB)[0, :, 0].astype(int)
    assert np.diff(lightness).min() >= -1
    steps = np.diff(lightness[::16])
    assert steps.min() >= 0.5 * steps.mean(), "not perceptually uniform"


@pytest.mark.parametrize("cam", [np.zeros((15, 15)), np.full((15, 15), -3.0), np.linspace(-5, -1, 225).reshape(15, 15)])
def test_map_without_positive_values_draws_nothing(cam: np.ndarray) -> None:
    cam = cam.astype(np.float32)
    assert not relative(cam).any()
    assert not colour_map(cam, 60, 50, SETTINGS)[:, :, 3].any()


def test_negative_values_draw_nothing_beside_positive_ones() -> None:
    cam = np.full((15, 15), -1.0, np.float32)
    cam[7, 7] = 2.0
    alpha = colour_map(cam, 150, 150, SETTINGS)[:, :, 3]
    assert alpha[75, 75] > 0
    assert not alpha[:40].any()
    assert not alpha[:, :40].any()


def test_tiny_and_huge_maps_look_alike() -> None:
    cam = np.random.default_rng(1).random((15, 15)).astype(np.float32)
    expected = colour_map(cam, 60, 50, SETTINGS)
    for factor in (1e-30, 1e30):
        got = colour_map(cam * np.float32(factor), 60, 50, SETTINGS)
        np.testing.assert_allclose(got.astype(int), expected.astype(int), atol=2)


@pytest.mark.parametrize(("rows", "columns"), [(200, 200), (300, 150), (120, 333)])
@pytest.mark.parametrize("corner", [(0, 0), (0, 14), (14, 0), (14, 14)])
def test_map_stretches_over_the_whole_film(rows: int, columns: int, corner: tuple[int, int]) -> None:
    cam = np.zeros((15, 15), np.float32)
    cam[corner] = 1
    alpha = colour_map(cam, rows, columns, SETTINGS)[:, :, 3]
    assert alpha.shape == (rows, columns)
    y, x = (0 if at == 0 else -1 for at in corner)
    assert alpha[y, x] == alpha.max() > 0
    marked = np.argwhere(alpha > 0)
    assert np.ptp(marked[:, 0]) <= rows / 15 * 1.6
    assert np.ptp(marked[:, 1]) <= columns / 15 * 1.6


def test_map_cell_lies_over_its_part_of_the_film() -> None:
    cam = np.zeros((15, 15), np.float32)
    cam[3, 10] = 1
    alpha = colour_map(cam, 300, 450, SETTINGS)[:, :, 3].astype(float)
    y, x = (np.average(axis, weights=alpha) for axis in np.mgrid[:300, :450])
    assert (y, x) == pytest.approx((3.5 * 20, 10.5 * 30), abs=2)


def test_blend_leaves_the_film_where_nothing_is_drawn() -> None:
    grey = np.linspace(0, 1, 100, dtype=np.float32).reshape(10, 10)
    overlay = np.zeros((10, 10, 4), np.uint8)
    overlay[5:, :] = (0, 0, 255, 255)
    picture = blend(grey, overlay)
    np.testing.assert_array_equal(picture[:5], np.repeat(np.rint(grey[:5, :, None] * 255), 3, axis=2))
    assert (picture[5:] == (0, 0, 255)).all()


@pytest.mark.parametrize(("rows", "columns"), [(64, 64), (96, 80), (300, 64), (2200, 1100)])
def test_overlay_holds_the_film_and_a_legend(pipeline: Pipeline, rows: int, columns: int) -> None:
    data = build(gradient(rows, columns))
    prediction = with_map(predicted(pipeline, data), np.zeros((15, 15)))
    manifest = pipeline.classifier.bundle.manifest
    picture = render_overlay(read_image(data), prediction, manifest)
    scale = min(1, SETTINGS.max_side / max(rows, columns))
    shown = (round(rows * scale), round(columns * scale))
    assert picture.dtype == np.uint8
    assert picture.shape[1:] == (shown[1], 3)
    legend = picture[shown[0] :]
    film = picture[: shown[0]]
    assert (film == film[:, :, :1]).all(), "a zero map leaves the film grey"
    assert legend.shape[0] >= 40
    assert (legend.max(axis=2) == 255).any(), "the answer in white"
    spread = legend.max(axis=2).astype(int) - legend.min(axis=2)
    assert (spread > 60).sum() > 20, "the colour bar and the strip"


def test_legend_changes_with_the_answer(pipeline: Pipeline) -> None:
    data = build()
    manifest = pipeline.classifier.bundle.manifest
    prediction = predicted(pipeline, data)
    image = read_image(data)
    one = render_overlay(image, replace(prediction, verdict="NORMAL", verdict_withheld=None), manifest)
    other = render_overlay(image, replace(prediction, verdict=None, verdict_withheld="population"), manifest)
    assert one.shape != other.shape or (one[96:] != other[96:]).any()


def test_map_of_the_shown_label_is_drawn(pipeline: Pipeline) -> None:
    data = build(gradient(300, 300))
    prediction = predicted(pipeline, data)
    maps = np.zeros((2, 15, 15), np.float32)
    maps[prediction.labels.index(prediction.shown_label), 0, 0] = 1
    maps[1 - prediction.labels.index(prediction.shown_label), 14, 14] = 1
    picture = render_overlay(read_image(data), replace(prediction, maps=maps), pipeline.classifier.bundle.manifest)[
        :300
    ].astype(int)
    coloured = np.ptp(picture, axis=2) > 5
    assert coloured[:20, :20].any()
    assert not coloured[200:, 200:].any()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"verdict": "PNEUMONIA", "verdict_withheld": None}, "PNEUMONIA: pneumonia pattern"),
        ({"verdict": "NORMAL", "verdict_withheld": None}, "nothing else was assessed"),
        ({"verdict": "INDETERMINATE", "verdict_withheld": None}, "Indeterminate"),
        ({"verdict": None, "verdict_withheld": "population"}, "withheld: not validated for this patient"),
        ({"verdict": None, "verdict_withheld": "out_of_domain", "domain_reason": "blank picture"}, "blank picture"),
        ({"verdict": None, "verdict_withheld": None, "label": None}, "Findings: "),
    ],
)
def test_words_for_every_kind_of_answer(pipeline: Pipeline, changes: dict[str, object], words: str) -> None:
    prediction = replace(predicted(pipeline, build()), **changes)
    lines = verdict_lines(prediction, pipeline.classifier.bundle.manifest)
    assert words in lines[0]
    assert "validated for children of 1 to 5 years" in lines[1]


def test_prevalence_of_the_site_is_named(pipeline: Pipeline) -> None:
    prediction, manifest = predicted(pipeline, build()), pipeline.classifier.bundle.manifest
    assert "prevalence" not in verdict_lines(prediction, manifest)[1]
    assert " at a prevalence of 2.5 %" in verdict_lines(replace(prediction, prevalence=0.025), manifest)[1]


def test_folder_that_cannot_be_written_to(tmp_path: Path) -> None:
    prepare_folder(tmp_path / "new" / "deep")
    assert list((tmp_path / "new" / "deep").iterdir()) == []
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/self")):
        with pytest.raises(OutputError, match="expected a folder to write to"):
            prepare_folder(folder)


def test_png_is_written_whole(tmp_path: Path) -> None:
    picture = np.random.default_rng(1).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    write_png(tmp_path / "a.png", picture)
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "a.png")), picture)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_failed_write_leaves_the_old_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.png"
    write_png(path, np.zeros((4, 4, 3), np.uint8))
    before = path.read_bytes()

    def full_disk(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(OSError, match="No space left"):
        write_png(path, np.ones((9, 9, 3), np.uint8))
    assert path.read_bytes() == before
    assert [other.name for other in tmp_path.iterdir()] == ["a.png"]


def test_missing_folder_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        write_png(tmp_path / "nowhere" / "a.png", np.zeros((4, 4, 3), np.uint8))


def test_looked_up_overlay_is_the_blend() -> None:
    """By tables of 256 levels each: to two grey levels of the blend in floating point."""
    rng = np.random.default_rng(2)
    grey = rng.random((90, 70)).astype(np.float32)
    cam = rng.random((15, 15)).astype(np.float32)
    expected = blend(grey, colour_map(cam, 90, 70, SETTINGS))
    np.testing.assert_allclose(overlaid(grey, cam, SETTINGS).astype(int), expected, atol=1)


def spot(at: tuple[float, float], width: float = 2.0) -> np.ndarray:
    y, x = np.mgrid[:15, :15] + 0.5
    return np.exp(-((y - 15 * at[0]) ** 2 + (x - 15 * at[1]) ** 2) / (2 * width**2)).astype(np.float32)


@pytest.mark.parametrize("at", [(0.5, 0.5), (0.3, 0.7)])
@pytest.mark.parametrize("level", [0.25, 0.5, 0.75])
def test_outline_is_where_the_map_reaches_the_level(level: float, at: tuple[float, float]) -> None:
    (line,) = outlines(spot(at), level)
    np.testing.assert_array_equal(line[0], line[-1])
    radius = 2.0 * np.sqrt(-2 * np.log(level)) / 15
    np.testing.assert_allclose(np.hypot(*(line - (at[1], at[0])).T), radius, atol=0.01)


def test_outlines_come_by_size_and_leave_specks_out() -> None:
    cam = np.maximum(spot((0.25, 0.25), 0.8), spot((0.75, 0.75)))
    large, small = outlines(cam, 0.5)
    assert np.ptp(large[:, 0]) > np.ptp(small[:, 0])
    assert large.mean() > 0.5 > small.mean()
    assert len(outlines(np.maximum(spot((0.25, 0.25), 0.2), spot((0.75, 0.75))), 0.5)) == 1


def test_outline_of_a_map_that_is_hot_everywhere_is_the_film() -> None:
    (line,) = outlines(np.ones((15, 15), np.float32), 0.5)
    np.testing.assert_allclose([line.min(), line.max()], [0, 1], atol=0.002)


@pytest.mark.parametrize("cam", [np.zeros((15, 15), np.float32), np.full((15, 15), -1, np.float32)])
def test_map_without_positive_values_has_no_outline(cam: np.ndarray) -> None:
    assert outlines(cam, 0.5) == []


@pytest.mark.parametrize(
    ("population", "words"),
    [("inside", None), ("outside", "NOT VALIDATED FOR THIS PATIENT"), ("unknown", "Patient age unknown")],
)
def test_caveat(pipeline: Pipeline, population: str, words: str | None) -> None:
    said = caveat(replace(predicted(pipeline, build()), population=population))  # type: ignore[arg-type]
    assert said is None if words is None else said is not None and said.startswith(words)


@pytest.mark.parametrize("pixel_aspect", [1.0, 2.0, 0.5])
@pytest.mark.parametrize("max_side", [64, 100, 1000])
def test_export_keeps_the_shape_of_the_chest(max_side: int, pixel_aspect: float) -> None:
    shown = display_for_export(read_image(build(gradient(120, 80))), max_side, pixel_aspect)
    assert max(shown.shape) <= max(max_side, 1)
    assert shown.shape[0] / shown.shape[1] == pytest.approx(1.5 * pixel_aspect, rel=0.03)
    assert shown.dtype == np.float32


@pytest.mark.parametrize("photometric", ["MONOCHROME2", "MONOCHROME1"])
@pytest.mark.parametrize("window", [{}, {"WindowCenter": 2048, "WindowWidth": 4096}])
@pytest.mark.parametrize("syntax", ["explicit", "jpeg2000-lossless"])
def test_export_reduced_is_the_mean_of_the_full_size(syntax: str, window: dict[str, int], photometric: str) -> None:
    """The window cuts nothing here, so that averaging before and after it is the same."""
    data = build(gradient(512, 384), syntax=syntax, photometric=photometric, **window)
    full = display_for_export(read_image(data), 1000)
    reduced = display_for_export(read_image(data), 128)
    assert reduced.shape == (128, 96)
    means = full.reshape(128, 4, 96, 4).mean(axis=(1, 3))
    np.testing.assert_allclose(reduced, means, atol=0.02 if syntax.startswith("jpeg2000") and window else 0.001)


def test_export_of_padding_leaves_no_rim() -> None:
    """Padding is shown black and is no value to average with."""
    stored = np.full((128, 128), 3500)
    stored[:, 66:] = 0
    image = read_image(build(stored, PixelPaddingValue=0, WindowCenter=3500.5, WindowWidth=1001))
    shown = display_for_export(image, 32)
    np.testing.assert_allclose(shown[:, :16], 0.5, atol=1e-6)
    np.testing.assert_allclose(shown[:, 16], 0.25, atol=1e-6)
    assert not shown[:, 17:].any()
