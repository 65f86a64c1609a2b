"""Overlay planes and the shutter over the film."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from tests.desktop.films import film
from tests.desktop.views.conftest import Shown, grey, painted

#: A film of one grey in the middle of a view of 300 x 260: its first pixel is at row 80, column 100.
ROWS, COLUMNS, TOP, LEFT = 100, 100, 80, 100


def plain(**attributes: Any) -> Any:
    return film(np.full((ROWS, COLUMNS), 2048), WindowCenter=2048, WindowWidth=4096, **attributes)


def at_one_to_one(shown: Shown, **attributes: Any) -> Any:
    view = shown(plain(**attributes))
    view.zoom_to(1.0)
    return view


def inside(picture: np.ndarray) -> np.ndarray:
    return picture[TOP : TOP + ROWS, LEFT : LEFT + COLUMNS]


def test_a_rectangular_shutter_covers_all_but_its_rows_and_columns(shown: Shown) -> None:
    view = at_one_to_one(
        shown,
        ShutterShape="RECTANGULAR",
        ShutterLeftVerticalEdge=11,
        ShutterRightVerticalEdge=90,
        ShutterUpperHorizontalEdge=21,
        ShutterLowerHorizontalEdge=70,
        ShutterPresentationValue=65535,
    )
    expected = np.full((ROWS, COLUMNS), 255)
    expected[20:70, 10:90] = 128
    assert (inside(grey(view)) == expected).all()


def test_a_circular_shutter_follows_turns(shown: Shown) -> None:
    circle = {"ShutterShape": "CIRCULAR", "CenterOfCircularShutter": [30, 50], "RadiusOfCircularShutter": 20}
    view = at_one_to_one(shown, **circle)
    rows, columns = np.mgrid[:ROWS, :COLUMNS]
    away = np.hypot(rows - 29, columns - 49)
    seen = inside(grey(view))
    assert (seen[away < 19] == 128).all()
    assert not seen[away > 21].any()
    view.set_display(replace(view.display, quarter_turns=1))
    turned = inside(painted(view)[..., 0])
    assert (turned[np.rot90(away, -1) < 19] == 128).all()


def test_shapes_of_a_shutter_are_taken_together_and_it_can_be_opened(shown: Shown) -> None:
    view = at_one_to_one(
        shown,
        ShutterShape=["RECTANGULAR", "POLYGONAL"],
        ShutterLeftVerticalEdge=1,
        ShutterRightVerticalEdge=50,
        ShutterUpperHorizontalEdge=1,
        ShutterLowerHorizontalEdge=100,
        VerticesOfThePolygonalShutter=[1, 1, 100, 1, 100, 100],
    )
    seen = inside(grey(view))
    assert (seen[80, 20], seen[20, 60], seen[80, 80]) == (128, 0, 0)
    view.set_display(replace(view.display, shutter=False))
    assert (inside(grey(view)) == 128).all()


def test_an_overlay_plane_is_drawn_in_colour_where_it_belongs(shown: Shown) -> None:
    plane = np.zeros((20, 30), np.uint8)
    plane[0, :] = plane[:, 0] = 1
    data = plane_data(plane)
    view = shown(overlaid(data, rows=20, columns=30, origin=(11, 41)))
    view.zoom_to(1.0)
    part = inside(painted(view))
    drawn = part[..., 0] != part[..., 2]
    expected = np.zeros((ROWS, COLUMNS), bool)
    expected[10:30, 40:70] = plane
    assert (drawn == expected).all()
    view.set_display(replace(view.display, overlays=False))
    assert (inside(grey(view)) == 128).all()


def test_a_thin_line_of_an_overlay_does_not_fade_when_the_film_shrinks(shown: Shown) -> None:
    plane = np.zeros((ROWS, COLUMNS), np.uint8)
    plane[:, 50] = 1
    view = shown(overlaid(plane_data(plane), rows=ROWS, columns=COLUMNS))
    view.zoom_to(0.3)
    view.settle()
    middle = painted(view)[125:135, 130:170].astype(int)
    strongest = (middle[..., 0] - middle[..., 2]).max(axis=1)
    assert strongest.min() > 100


def plane_data(plane: np.ndarray) -> bytes:
    packed = np.packbits(plane.ravel(), bitorder="little").tobytes()
    return packed + b"\0" * (len(packed) % 2)


def overlaid(data: bytes, *, rows: int, columns: int, origin: tuple[int, int] = (1, 1)) -> Any:
    loaded = plain()
    assert loaded.data_set is not None
    for element, vr, value in (
        (0x0010, "US", rows),
        (0x0011, "US", columns),
        (0x0040, "CS", "G"),
        (0x0050, "SS", list(origin)),
        (0x0100, "US", 1),
        (0x0102, "US", 0),
        (0x3000, "OW", data),
    ):
        loaded.data_set.add_new((0x6000, element), vr, value)
    return loaded
