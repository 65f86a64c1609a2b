"""Copies are what their names say, the same every time, and bit-equal to the served input where nothing is done."""

from __future__ import annotations

import numpy as np
import pytest

from cxr_core.preprocess import display_reduced, to_input
from cxr_core.reading import read_image
from tests.dicom_builder import build, gradient
from tests.training.probe_models import CENTRE, example, film
from training.augment import _tone_table
from training.probes import perturbations as p
from training.probes import shortcuts as s
from training.probes.copies import CHANGES, DONORS, copies_of, donors_of
from training.probes.stream import inputs_of, sampled, stream


@pytest.fixture
def picture() -> np.ndarray:
    grain = np.random.default_rng(1).normal(0, 8, (224, 224))
    return np.clip(0.1 + (gradient(224, 224, bits=8) + grain) / 320, 0, 1).astype(np.float32)


@pytest.mark.parametrize("name", list(CHANGES))
def test_every_copy_is_a_picture_and_always_the_same(name: str, picture: np.ndarray) -> None:
    before, other = picture.copy(), picture[::-1].copy()
    (copy,), (again,) = (copies_of(CHANGES[name], [one], [other]) for one in (picture, picture.copy()))
    assert copy.shape == (224, 224)
    assert copy.dtype == np.float32
    assert copy.min() >= 0
    assert copy.max() <= 1
    assert np.abs(copy - picture).max() > 0.01
    np.testing.assert_array_equal(copy, again)
    np.testing.assert_array_equal(picture, before)


def test_all_kinds_that_the_report_promises_are_there() -> None:
    assert list(CHANGES) == [
        *("window_narrow", "window_wide", "gamma_up", "gamma_down", "stretched_horizontal", "stretched_vertical"),
        *("blurred", "noisy", "jpeg_30", "corners_masked", "border_masked", "border_swapped"),
        *("letterboxed", "centre_erased"),
    ]


def test_windows_spread_and_press_the_range() -> None:
    ramp = np.linspace(0, 1, 11, dtype=np.float32)[np.newaxis]
    np.testing.assert_allclose(p.windowed(ramp, 0.2, 0.8)[0, [2, 5, 8, 10]], [0, 0.5, 1, 1], atol=1e-6)
    np.testing.assert_allclose(p.windowed(ramp, -0.5, 1.5)[0, [0, 5, 10]], [0.25, 0.5, 0.75], atol=1e-6)


def test_stretch_is_about_the_centre_in_one_direction() -> None:
    column = np.arange(224, dtype=np.float32)
    picture = np.tile(column / 223, (224, 1))
    stretched = p.STRETCHED_HORIZONTAL.apply(picture)
    expected = (111.5 + (column - 111.5) / 1.25) / 223
    np.testing.assert_allclose(stretched, np.tile(expected, (224, 1)), atol=1e-3)
    np.testing.assert_allclose(p.STRETCHED_VERTICAL.apply(picture), picture, atol=1e-3)
    np.testing.assert_allclose(p.STRETCHED_VERTICAL.apply(picture.T.copy()), stretched.T, atol=1e-3)


def test_noise_has_its_deviation_and_differs_between_pictures() -> None:
    grey, other = np.full((224, 224), 0.5, np.float32), np.full((224, 224), 0.51, np.float32)
    noise = p.noisy(grey, 0.04) - grey
    assert noise.std() == pytest.approx(0.04, rel=0.02)
    assert np.corrcoef(noise.ravel(), (p.noisy(other, 0.04) - other).ravel())[0, 1] < 0.05


def test_compression_loses_what_quality_30_loses(picture: np.ndarray) -> None:
    loss = [np.abs(p.recompressed(picture, quality) - picture).mean() for quality in (95, 30)]
    assert loss[0] < 0.01 < loss[1]


def test_masks_cover_what_they_name_and_leave_the_rest(picture: np.ndarray) -> None:
    lettered = picture.copy()
    lettered[10:30, 10:40] = 1
    rows, columns = 45, 49  # 20 and 22 % of 224
    masked = s.corners_masked(lettered)
    assert len(np.unique(masked[:rows, :columns])) == 1
    assert masked[0, 0] < 0.95
    np.testing.assert_array_equal(masked[rows:-rows], lettered[rows:-rows])
    np.testing.assert_array_equal(masked[:, columns:-columns], lettered[:, columns:-columns])

    changed = picture.copy()
    changed[:18], changed[:, -18:] = 0, 1
    np.testing.assert_array_equal(s.border_masked(changed), s.border_masked(picture))
    np.testing.assert_array_equal(s.border_masked(picture)[18:-18, 18:-18], picture[18:-18, 18:-18])

    other = np.ones_like(picture)
    swapped = s.border_swapped(picture, other)
    np.testing.assert_array_equal(swapped[18:-18, 18:-18], picture[18:-18, 18:-18])
    assert (np.concatenate([swapped[:18].ravel(), swapped[-18:].ravel(), swapped[:, :18].ravel()]) == 1).all()
    assert (swapped[:, -18:] == 1).all()
    assert (other == 1).all()

    erased = s.centre_erased(picture)
    assert (erased[18:-18, 18:-18] == 0.5).all()
    np.testing.assert_array_equal(erased[:18], picture[:18])
    np.testing.assert_array_equal(erased[:, :18], picture[:, :18])


def test_letterbox_keeps_the_whole_film_between_black_bars() -> None:
    boxed = s.letterboxed(np.full((224, 224), 0.7, np.float32))
    inside = np.flatnonzero(boxed.max(axis=1))
    assert len(inside) == round(224 / 1.35)
    assert inside[0] == (224 - len(inside)) // 2
    np.testing.assert_allclose(boxed[inside[0] : inside[-1] + 1], 0.7, atol=1e-6)


@pytest.mark.parametrize("size", [(224, 224), (300, 500), (1200, 1100)])
def test_streamed_pictures_give_the_served_input_bit_for_bit(size: tuple[int, int]) -> None:
    content = build(gradient(*size))
    (batch,) = stream([example(content, 0)])
    served = to_input(display_reduced(read_image(content)), "minus_one_to_one")
    np.testing.assert_array_equal(inputs_of(batch.pictures, "minus_one_to_one")[0], served)
    assert batch.sizes == [size]


def test_stream_names_what_it_cannot_read_and_goes_on() -> None:
    examples = [
        example(b"no image", 0, name="broken.png"),
        *(example(gradient(80, 80, bits=8).astype(np.uint8), 0),) * 40,
    ]
    batches = list(stream(examples))
    assert [len(batch.examples) for batch in batches] == [31, 9]
    ((name, reason),) = batches[0].unreadable
    assert name == "broken.png"
    assert reason


def test_borders_come_from_films_of_another_class_the_same_every_time() -> None:
    films = [example(film(k % 3 == 1, CENTRE, k, side=80), k % 3, name=str(k)) for k in range(60)]
    donors = donors_of(films)
    assert donors is not None
    assert len(donors.alike) == len(donors.others) == DONORS
    shown = {picture.tobytes(): one.target for one in films for batch in stream([one]) for picture in batch.pictures}
    lent = [donors.picture_for(one, place) for place, one in enumerate(films)]
    assert all(shown[picture.tobytes()] != one.target for picture, one in zip(lent, films, strict=True))
    assert len({picture.tobytes() for picture in lent}) == 2 * DONORS
    again = donors_of(films)
    assert all((again.picture_for(one, place) == lent[place]).all() for place, one in enumerate(films))


def test_films_of_one_class_alone_have_no_border_to_take() -> None:
    films = [example(gradient(80, 80, bits=8).astype(np.uint8), 1), example(b"no image", 0)]
    assert donors_of(films) is None
    assert donors_of([]) is None


def test_what_training_draws_of_the_copies_is_as_the_comment_says() -> None:
    rng = np.random.default_rng(0)
    tables = np.array([_tone_table(rng) for _ in range(3000)], float) / 255
    ramp = np.arange(256, dtype=np.float32)[np.newaxis] / 255
    copies = {change.name: change.apply(ramp)[0] for change in p.PERTURBATIONS[:4]}
    for name in ("gamma_up", "gamma_down"):
        assert tables[:, 128].min() < copies[name][128] < tables[:, 128].max()
    wide = copies["window_wide"]
    assert ((tables[:, 0] >= wide[0]) & (tables[:, -1] <= wide[-1])).mean() < 0.005
    grey = np.full((224, 224), 0.5, np.float32)
    assert to_input(p.noisy(grey, 0.04), "zero_to_one").std() < 0.03


def test_sample_is_the_same_whatever_the_order() -> None:
    examples = [example(bytes([k]), 0) for k in range(20)]
    chosen = sampled(examples, 7)
    assert chosen == sampled(examples[::-1], 7)
    assert len(set(chosen)) == 7
    assert len(sampled(examples, None)) == 20
