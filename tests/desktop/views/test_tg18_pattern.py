"""The test pattern has the elements of TG18-QC, and reaches the screen as it was drawn."""

from __future__ import annotations

import numpy as np
import pytest

from cxr_desktop.views.test_pattern import draw_pattern, tg18_pattern
from tests.desktop.views.conftest import Shown, grey

UNIT = 16


def test_it_has_eighteen_patches_with_corners_that_are_just_darker_and_brighter() -> None:
    picture = draw_pattern().astype(int)
    found = set()
    for row, column in ((14, 12), (14, 47), (21, 12), (44, 47), (29, 12), (29, 47)):
        patch = picture[row * UNIT : (row + 6) * UNIT, column * UNIT : (column + 6) * UNIT]
        level = int(np.median(patch))
        found.add(level)
        others = set(np.unique(patch).tolist()) - {level}
        assert others
        assert all(abs(other - level) == 65535 * 4 // 255 for other in others)
        assert len(others) == (1 if level in (0, 65535) else 2)
    assert {0, 65535} <= found


def test_five_and_ninety_five_percent_lie_in_black_and_white() -> None:
    picture = draw_pattern()
    black, white = (picture[22 * UNIT : 28 * UNIT, place * UNIT : (place + 6) * UNIT] for place in (22, 36))
    assert sorted(np.unique(black)) == [0, round(0.05 * 65535)]
    assert sorted(np.unique(white)) == [round(0.95 * 65535), 65535]


def test_line_pairs_are_one_and_two_pixels_wide() -> None:
    picture = draw_pattern()
    corner = picture[5 * UNIT : 11 * UNIT, 5 * UNIT : 11 * UNIT]
    assert (corner[0, :4].tolist(), corner[:4, -1].tolist()) == ([0, 65535] * 2, [0, 65535] * 2)
    assert corner[-1, 48:54].tolist() == [0, 0, 65535, 65535, 0, 0]
    assert corner[48:54, 0].tolist() == [0, 0, 65535, 65535, 0, 0]


@pytest.mark.parametrize("side", [1024, 2048])
def test_the_ramps_are_smooth_and_use_the_whole_range(side: int) -> None:
    picture = draw_pattern(side)
    ramp = picture[side * 12 // 64 : side * 52 // 64, side * 3 // 64].astype(int)
    assert (ramp[0], ramp[-1]) == (0, 65535)
    assert np.diff(ramp).min() > 0
    assert np.diff(ramp).max() - np.diff(ramp).min() <= 1


def test_it_goes_the_way_of_every_film(shown: Shown) -> None:
    loaded = tg18_pattern(256)
    assert loaded.image.attributes is not None
    assert loaded.image.attributes.bits_stored == 16
    view = shown(loaded)
    view.zoom_to(1.0)
    seen = grey(view)[2:258, 22:278]
    assert (seen == np.rint(draw_pattern(256) / 257).astype(np.uint8)).all()
