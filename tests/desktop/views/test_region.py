"""Sampling: every pixel averaged where the film shrinks, padding kept out of its neighbours, no drift anywhere."""

from __future__ import annotations

import numpy as np
import pytest

from cxr_core.grayscale import GrayscaleAttributes, Window
from cxr_desktop.state.display import DisplayState
from cxr_desktop.state.geometry import PixelPoint
from cxr_desktop.views.placement import Placement, place
from cxr_desktop.views.region import Pixels, Span, pixels_of, sampled_part, visible_region
from tests.dicom_builder import gradient

ATTRIBUTES = GrayscaleAttributes(12)


def placed(
    rows: int, columns: int, zoom: float, view: tuple[int, int] = (400, 300), centre: PixelPoint | None = None
) -> Placement:
    state = DisplayState(Window(2000, 4000), zoom=zoom, centre=centre)
    return place(state, rows=rows, columns=columns, pixel_aspect=1.0, view_width=view[0], view_height=view[1])


def block_means(values: np.ndarray, factor: int) -> np.ndarray:
    rows, columns = values.shape
    return values.reshape(rows // factor, factor, columns // factor, factor).mean(axis=(1, 3))


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int16])
@pytest.mark.parametrize("factor", [2, 3, 4])
def test_the_exact_picture_averages_every_pixel(dtype: type, factor: int) -> None:
    info = np.iinfo(dtype)
    values = np.random.default_rng(1).integers(info.min, info.max, (120, 144), dtype=dtype, endpoint=True)
    pixels = pixels_of(values, ATTRIBUTES)
    region = visible_region(pixels, placed(120, 144, 1 / factor), 400, 300, exact=True, smooth=True)
    assert region is not None
    assert np.abs(region.stored - block_means(values.astype(float), factor)).max() <= 0.51


def test_the_quick_picture_is_another_one() -> None:
    values = np.random.default_rng(1).integers(0, 4096, (120, 144)).astype(np.uint16)
    part = [
        visible_region(Pixels(values), placed(120, 144, 0.25), 400, 300, exact=exact, smooth=True)
        for exact in (True, False)
    ]
    assert part[0] is not None
    assert part[1] is not None
    assert part[0].stored.shape == part[1].stored.shape
    assert part[0].stored.std() < part[1].stored.std() / 1.5


@pytest.mark.parametrize("zoom", [0.37, 0.61, 0.9, 1.7, 3.3])
def test_a_part_is_cut_from_where_it_lies_in_the_whole(zoom: float) -> None:
    values = gradient(900, 800).astype(np.uint16)
    whole = visible_region(Pixels(values), placed(900, 800, zoom, (4000, 4000)), 4000, 4000, exact=True, smooth=True)
    assert whole is not None
    for centre in (PixelPoint(300.3, 411.7), PixelPoint(123, 777), PixelPoint(790, 5)):
        placement = placed(900, 800, zoom, centre=centre)
        part = visible_region(Pixels(values), placement, 400, 300, exact=True, smooth=True)
        assert part is not None
        top, left = part.top - placement.top, part.left - placement.left
        height, width = part.stored.shape
        same = whole.stored[top : top + height, left : left + width].astype(int)
        # What is visible is cropped between two image pixels at best nearly: less than a twentieth of a pixel.
        steepest = max(np.abs(np.diff(values.astype(int), axis=axis)).max() for axis in (0, 1))
        assert np.abs(part.stored - same).max() <= max(0.06 * steepest * max(1, 1 / zoom), 1.01)


def test_a_view_beside_the_film_shows_nothing_of_it() -> None:
    values = gradient(100, 100).astype(np.uint16)
    placement = placed(100, 100, 1.0, centre=PixelPoint(5000, 50))
    assert visible_region(Pixels(values), placement, 400, 300, exact=True, smooth=True) is None


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("zoom", [0.3, 0.5, 2.6])
@pytest.mark.parametrize("padding", [(0, 0), (0, 90), (4095, 4095)])
def test_padding_does_not_bleed_into_its_neighbours(zoom: float, exact: bool, padding: tuple[int, int]) -> None:
    values = np.full((240, 260), 2000, np.uint16)
    values[np.add.outer(np.arange(240), np.arange(260)) % 97 < 40] = padding[1]
    pixels = pixels_of(values, GrayscaleAttributes(12, padding=padding))
    assert pixels.padded is not None
    region = visible_region(pixels, placed(240, 260, zoom), 400, 300, exact=exact, smooth=True)
    assert region is not None
    inside = (region.stored < padding[0]) | (region.stored > padding[1])
    assert np.abs(region.stored[inside].astype(int) - 2000).max() <= 1
    assert 0.3 < inside.mean() < 0.85


def test_an_image_without_padded_pixels_costs_no_mask() -> None:
    assert pixels_of(np.full((8, 8), 7, np.uint16), GrayscaleAttributes(12, padding=(0, 0))).padded is None


@pytest.mark.parametrize("zoom", [2.0, 3.0, 2.7, 64.0])
def test_repeated_pixels_are_those_under_the_cursor(zoom: float) -> None:
    values = np.arange(35 * 41, dtype=np.uint16).reshape(35, 41)
    placement = placed(35, 41, zoom, centre=PixelPoint(20, 17))
    region = visible_region(Pixels(values), placement, 400, 300, exact=True, smooth=False)
    assert region is not None
    rows, columns = np.indices(region.stored.shape)
    across = (columns + region.left - placement.left + 0.5) * placement.columns / placement.width
    down = (rows + region.top - placement.top + 0.5) * placement.rows / placement.height
    assert (region.stored == values[np.floor(down).astype(int), np.floor(across).astype(int)]).all()


def test_interpolated_pixels_lie_on_the_line_between_them() -> None:
    values = np.tile(np.arange(50, dtype=np.uint16) * 100, (40, 1))
    placement = placed(40, 50, 4.0, centre=PixelPoint(25, 20))
    region = visible_region(Pixels(values), placement, 400, 300, exact=True, smooth=True)
    assert region is not None
    across = (np.arange(region.stored.shape[1]) + region.left - placement.left + 0.5) / 4
    expected = np.clip((across - 0.5) * 100, 0, 4900)
    assert np.abs(region.stored - expected).max() <= 100 / 32


def test_pixels_that_are_not_square_shrink_one_way_and_grow_the_other() -> None:
    values = np.random.default_rng(2).integers(0, 4096, (60, 40)).astype(np.uint16)
    part = sampled_part(values, Span(0, 20, 20, 60), Span(0, 80, 80, 40), exact=True, smooth=False)
    expected = np.repeat(values.reshape(20, 3, 40).mean(axis=1), 2, axis=1)
    assert np.abs(part - expected).max() <= 0.51


def test_a_side_longer_than_opencv_can_warp_is_shown() -> None:
    values = np.zeros((40_000, 3), np.uint16)
    values[-1] = 4095
    region = visible_region(
        Pixels(values), placed(40_000, 3, 1.5, (400, 300), PixelPoint(1.5, 39_950)), 400, 300, exact=True, smooth=True
    )
    assert region is not None
    assert region.stored.max() == 4095
