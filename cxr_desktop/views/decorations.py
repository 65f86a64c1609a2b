"""What is written over a film: corners, orientation letters, and the marks that never go away."""

from __future__ import annotations

from dataclasses import dataclass, field

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter

from cxr_desktop.state.corner_text import Corner, CornerLines
from cxr_desktop.state.orientation import EdgeLetters
from cxr_desktop.views.text import AMBER, OutlinedText, font_of

_MARK_GROUND = QColor(0, 0, 0, 200)


@dataclass(frozen=True, eq=False, slots=True)
class Decorations:
    """All that is written over one picture."""

    corners: CornerLines
    letters: EdgeLetters = field(default_factory=EdgeLetters)
    turned: str = ""
    """The mark of a picture that is flipped or rotated."""

    fidelity: str = ""
    """How the picture was scaled, and whether it was compressed with loss."""


def draw_decorations(
    painter: QPainter, text: OutlinedText, decorations: Decorations, area: QRectF, size: int
) -> list[QRectF]:
    """Write into an area in device pixels with a font of `size`; where text stands at its lower edge.

    The painter has no transformation.
    """
    margin, step = size * 0.6, size * 1.3
    metrics = QFontMetricsF(font_of(size))
    large = round(size * 1.5)
    # The other corner and the letter between them have to be read as well.
    widest = area.width() / 2 - margin - large
    places: dict[Corner, QRectF] = {}
    for corner, lines in decorations.corners.items():
        across = 1.0 if corner.endswith("right") else 0.0
        x = area.right() - margin if across else area.left() + margin
        y = area.top() + margin / 2 if corner.startswith("top") else area.bottom() - margin / 2 - step * len(lines)
        place = QRectF(x, y, 0, 0)
        for number, line in enumerate(lines):
            fitting = metrics.elidedText(line, Qt.TextElideMode.ElideRight, widest)
            place = place.united(text.draw(painter, fitting, x, y + number * step, size, across=across))
        places[corner] = place
    middle = area.center()
    letters = decorations.letters
    top, bottom = area.top() + margin / 2, area.bottom() - margin / 2
    if letters.top:
        top = text.draw(painter, letters.top, middle.x(), top, large, across=0.5, bold=True).bottom()
    low: list[QRectF] = []
    if letters.bottom:
        bottom -= large * 1.3
        low = [text.draw(painter, letters.bottom, middle.x(), bottom, large, across=0.5, bold=True)]
    if letters.left:
        text.draw(painter, letters.left, area.left() + margin, middle.y() - large / 2, large, bold=True)
    if letters.right:
        text.draw(painter, letters.right, area.right() - margin, middle.y() - large / 2, large, across=1.0, bold=True)
    if decorations.turned:
        bold = round(size * 1.15)
        width = QFontMetricsF(font_of(bold, bold=True)).horizontalAdvance(decorations.turned) + 2 * bold
        y = top + margin
        for corner, place in places.items():
            if corner.startswith("top") and _beside(place, middle.x(), width, y):
                y = max(y, place.bottom() + margin)
        _badge(painter, text, decorations.turned, middle.x(), y, bold)
    if decorations.fidelity:
        lines = _wrapped(decorations.fidelity, metrics, area.width() - 2 * margin)
        width = max(map(metrics.horizontalAdvance, lines)) + size
        y = bottom - step * len(lines)
        for corner, place in places.items():
            if corner.startswith("bottom") and _beside(place, middle.x(), width, y):
                y = min(y, place.top() - step * len(lines))
        for number, line in enumerate(lines):
            low.append(text.draw(painter, line, middle.x(), y + number * step, size, across=0.5))
    return low + [place for corner, place in places.items() if corner.startswith("bottom")]


def lowest_edge(written: list[QRectF], left: float, height: float) -> float:
    """How low something may reach that spans from `left` to the right edge, without covering what is written there."""
    return min((place.top() for place in written if place.right() > left), default=height)


def _wrapped(words: str, metrics: QFontMetricsF, widest: float) -> list[str]:
    """Lines that are no wider, broken between words: this mark is never cut short."""
    lines: list[str] = []
    for word in words.split(" "):
        if lines and metrics.horizontalAdvance(f"{lines[-1]} {word}") <= widest:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def _beside(place: QRectF, x: float, width: float, y: float) -> bool:
    """Whether a line of that width, centred on `x` at `y`, would run into what stands there."""
    return place.intersects(QRectF(x - width / 2, y, width, place.height()))


def _badge(painter: QPainter, text: OutlinedText, words: str, x: float, y: float, size: int) -> None:
    """A mark that cannot be taken for a part of the film: on a ground of its own, with a frame."""
    place = text.draw(painter, words, x, y, size, across=0.5, colour=AMBER, bold=True)
    painter.save()
    frame = place.adjusted(-size * 0.5, -size * 0.15, size * 0.5, size * 0.15)
    painter.fillRect(frame, _MARK_GROUND)
    painter.setPen(AMBER)
    painter.drawRect(frame)
    painter.restore()
    text.draw(painter, words, x, y, size, across=0.5, colour=AMBER, bold=True)
