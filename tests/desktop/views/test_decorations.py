"""What is written over a film never runs into each other."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest
from PySide6.QtCore import QRectF
from PySide6.QtGui import QImage, QPainter
from pytestqt.qtbot import QtBot

from cxr_desktop.state.orientation import EdgeLetters
from cxr_desktop.views.decorations import Decorations, draw_decorations, lowest_edge
from cxr_desktop.views.text import OutlinedText, font_of
from tests.desktop.views.conftest import pixels_of


class Recorder(OutlinedText):
    """Writes down where what was written."""

    def __init__(self) -> None:
        super().__init__()
        self.places: dict[str, QRectF] = {}

    def draw(self, *args: Any, **options: Any) -> QRectF:
        place = super().draw(*args, **options)
        self.places[args[1]] = place
        return place


LINES = {
    corner: [f"{corner} {number} of a name that is as long as names can be in any script" for number in range(4)]
    for corner in ("top left", "top right", "bottom left", "bottom right")
}


@pytest.mark.parametrize("width", [300, 460, 620, 1000])
def test_no_two_lines_touch(qtbot: QtBot, width: int) -> None:
    picture = QImage(width, 400, QImage.Format.Format_RGB32)
    text = Recorder()
    painter = QPainter(picture)
    decorations = Decorations(
        LINES,  # type: ignore[arg-type]  # the keys are corners
        EdgeLetters("R", "H", "L", "F"),
        "FLIPPED, ROTATED 270°",
        "scaled 0.42, every pixel averaged · lossy 10:1",
    )
    draw_decorations(painter, text, decorations, QRectF(0, 0, width, 400), 13)
    painter.end()
    assert len(text.places) >= 22
    area = QRectF(0, 0, width, 400)
    for (first, one), (second, other) in combinations(text.places.items(), 2):
        # Lines stand as close as lines of text do; letters are in their picture with a rim.
        assert not one.adjusted(2, 3, -2, -3).intersects(other.adjusted(2, 3, -2, -3)), (first, second)
    for words, place in text.places.items():
        assert area.contains(place.adjusted(2, 2, -2, -2)), words


def test_how_a_film_was_scaled_is_read_in_the_narrowest_view(qtbot: QtBot) -> None:
    picture = QImage(170, 400, QImage.Format.Format_RGB32)
    text = Recorder()
    painter = QPainter(picture)
    fidelity = "scaled 0.08, every pixel averaged · lossy 10:1"
    letters = EdgeLetters("R", "H", "L", "F")
    draw_decorations(painter, text, Decorations({}, letters, "", fidelity), QRectF(0, 0, 170, 400), 13)
    painter.end()
    written = {words: place for words, place in text.places.items() if words not in "RHLF"}
    assert " ".join(sorted(written, key=lambda words: written[words].top())) == fidelity
    assert len(written) > 1
    for place in written.values():
        assert QRectF(0, 0, 170, 400).contains(place.adjusted(2, 2, -2, -2))
        assert not place.adjusted(2, 3, -2, -3).intersects(text.places["F"])


@pytest.mark.parametrize("width", [300, 460, 620, 1000])
@pytest.mark.parametrize("lines", [{}, LINES])
def test_a_legend_covers_nothing_that_is_written(qtbot: QtBot, width: int, lines: dict[str, list[str]]) -> None:
    picture = QImage(width, 600, QImage.Format.Format_RGB32)
    text = Recorder()
    painter = QPainter(picture)
    letters, fidelity = EdgeLetters("R", "H", "L", "F"), "scaled 0.17, every pixel averaged"
    decorations = Decorations(lines, letters, "", fidelity)  # type: ignore[arg-type]  # the keys are corners
    written = draw_decorations(painter, text, decorations, QRectF(0, 0, width, 600), 13)
    painter.end()
    left = 0.6 * width
    legend = QRectF(left, lowest_edge(written, left, 600) - 100, width - left, 100)
    assert legend.top() > 350
    for words, place in text.places.items():
        assert not legend.intersects(place), words
    fits = lines == {} and text.places[fidelity].right() <= left
    assert (legend.bottom() == 600) == fits, "it is raised where it has to be, and only there"


def test_a_line_is_white_within_black(qtbot: QtBot) -> None:
    for ground in (0x000000, 0xFFFFFF):
        picture = QImage(120, 40, QImage.Format.Format_RGB32)
        picture.fill(ground)
        painter = QPainter(picture)
        OutlinedText().draw(painter, "SYNTHETIC", 5, 5, 16)
        painter.end()
        seen = pixels_of(picture)
        assert seen.min() < 40
        assert seen.max() > 220


def test_text_is_as_wide_as_its_font(qtbot: QtBot) -> None:
    assert font_of(13).pixelSize() == 13
    assert font_of(0).pixelSize() == 1
    assert font_of(20, bold=True).bold()


def test_what_is_kept_does_not_grow_for_ever(qtbot: QtBot) -> None:
    picture = QImage(20, 20, QImage.Format.Format_RGB32)
    painter = QPainter(picture)
    text = OutlinedText()
    for number in range(500):
        text.draw(painter, str(number), 0, 0, 9)
    painter.end()
    assert len(text._pictures) <= 128
