"""Map checks tell a map that shows what the model looks at from one that does not."""

from __future__ import annotations

import numpy as np
import pytest

from tests.training.probe_models import Region, RegionModel, film
from training.probes import map_checks as m

LOOKED_AT: Region = (slice(0.2, 0.4), slice(0.2, 0.4))
ELSEWHERE: Region = (slice(0.6, 0.8), slice(0.6, 0.8))


def greys(count: int = 4) -> list[np.ndarray]:
    return [m.grey_of((film(True, LOOKED_AT, k) / 255).astype(np.float32)) for k in range(count)]


def checked(shown: Region) -> m.DeletionInsertion:
    return m.deletion_insertion(RegionModel(LOOKED_AT, shown), greys(), np.ones(4, np.int64))


def test_a_map_of_what_is_looked_at_passes() -> None:
    found = checked(LOOKED_AT)
    assert found.n == 4
    assert found.by_map.deletion < 0.1 < found.by_chance.deletion
    assert found.by_map.deletion < found.by_centre.deletion
    assert found.passed


def test_a_map_of_another_place_fails() -> None:
    found = checked(ELSEWHERE)
    assert found.by_map.deletion > found.by_chance.deletion
    assert not found.passed


def test_insertion_starts_blurred_and_ends_whole_whatever_the_order() -> None:
    grey = greys(1)[0]
    canvas = np.zeros_like(grey)
    steps = m._steps(canvas, grey, np.arange(grey.size)[::-1])
    assert len(steps) == m.STEPS + 1
    np.testing.assert_array_equal(steps[0], canvas)
    np.testing.assert_array_equal(steps[-1], grey)
    np.testing.assert_array_equal(steps[1].ravel()[-1125:], grey.ravel()[-1125:])
    assert not steps[1].ravel()[:-1125].any()


class FollowingModel(RegionModel):
    """Its map is the picture itself on the grid, or noise that has nothing to do with it."""

    def __init__(self, *, follows: bool) -> None:
        super().__init__(LOOKED_AT)
        self._follows, self._calls = follows, 0

    def outputs(self, inputs: np.ndarray) -> object:
        outputs = super().outputs(inputs)
        if self._follows:
            outputs.maps[:] = inputs[:, :, :, 0].reshape(-1, 15, 10, 15, 10).mean(axis=(2, 4))[:, np.newaxis]
        else:
            self._calls += 1
            outputs.maps[:] = np.random.default_rng(self._calls).random(outputs.maps.shape)
        return outputs


def test_stability_tells_a_map_that_follows_from_one_that_jumps() -> None:
    columns = np.ones(4, np.int64)
    steady = m.stability(FollowingModel(follows=True), greys(), columns)
    jumping = m.stability(FollowingModel(follows=False), greys(), columns)
    assert steady.n == 4
    assert steady.median >= m.MIN_STABILITY
    assert steady.lowest_twentieth <= steady.median
    assert abs(jumping.median) < 0.3


def test_a_shift_moves_whole_pixels_and_back() -> None:
    grey = greys(1)[0]
    moved = m.shifted(grey, 2, -3)
    np.testing.assert_array_equal(moved[2:, :-3], grey[:-2, 3:])
    np.testing.assert_array_equal(m.shifted(moved, -2, 3)[5:-5, 5:-5], grey[5:-5, 5:-5])


@pytest.mark.parametrize("other", [np.zeros((4, 4)), np.full((4, 4), np.nan), np.full((4, 4), np.inf)])
def test_a_blank_or_broken_map_correlates_with_nothing(other: np.ndarray) -> None:
    ramp = np.arange(16, dtype=np.float32).reshape(4, 4)
    assert m.rank_correlation(ramp, other.astype(np.float32)) == 0
    assert m.rank_correlation(ramp, ramp**3) == pytest.approx(1)
    assert m.rank_correlation(ramp, -ramp) == pytest.approx(-1)


def test_mass_counts_the_union_of_the_boxes() -> None:
    even = np.ones((15, 15), np.float32)
    assert m.mass_inside(even, [(0, 0, 50, 100)], 100, 100) == pytest.approx(0.5)
    assert m.mass_inside(even, [(0, 0, 50, 100), (25, 0, 50, 100)], 100, 100) == pytest.approx(0.75)
    assert m.mass_inside(even, [(-10, -10, 20, 20)], 100, 100) == pytest.approx(0.01)
    assert m.mass_inside(even, [(50, 0, 100, 100)], 200, 100) == pytest.approx(0.25)  # x is the column
    assert m.mass_inside(even, [], 100, 100) == 0
    assert m.mass_inside(np.zeros((15, 15), np.float32), [(0, 0, 50, 100)], 100, 100) == 0
    spot = np.zeros((10, 10), np.float32)
    spot[2, 7] = 1  # row 2, column 7
    assert m.mass_inside(spot, [(60, 10, 30, 30)], 100, 100) == pytest.approx(1)
    assert m.mass_inside(spot, [(10, 60, 30, 30)], 100, 100) == 0


def test_the_prior_is_centred_and_falls_as_it_says() -> None:
    prior = m.centred_gaussian(101, 201)
    assert np.unravel_index(prior.argmax(), prior.shape) == (50, 100)
    assert prior[50, 0] == pytest.approx(np.exp(-(((0.5 - 0.5 / 201) / 0.25) ** 2) / 2), rel=1e-5)
    np.testing.assert_allclose(prior, prior[::-1, ::-1], atol=1e-6)
