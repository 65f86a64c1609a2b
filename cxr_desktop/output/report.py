"""A report on one film as a PDF of one page: A4, vector text, nothing cut off and nothing on a second page."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import QBuffer, QIODevice, QMarginsF, QRectF, Qt
from PySide6.QtGui import (
    QColor,
    QFont,
    QGuiApplication,
    QImage,
    QPageSize,
    QPainter,
    QPdfWriter,
    QPen,
    QTextBlockFormat,
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
    QTextOption,
)

from cxr_desktop.output.files import write_output
from cxr_desktop.output.report_text import STATEMENT, Line, ReportText

TITLE = "Report on a chest radiograph"
#: Pixels of the picture's longer side: more than 300 an inch at the size that it has on the page.
PICTURE_SIDE = 1600
#: Millimetres of an A4 page (ISO 216), and where what stands on it.
PAGE = (210.0, 297.0)
_MARGIN = 15.0
_GAP = 5.0
_PICTURE = (108.0, 130.0)
#: Points of the text, from what is meant to what is still read; below that text is left out, and it is said.
_SIZES = (9.0, 8.5, 8.0, 7.5, 7.0, 6.5)
#: Letters of one paragraph at most.
_LONGEST = 400
_DPI = 300
_MM_PER_INCH = 25.4
_INK, _FAINT, _WARNING = QColor(0, 0, 0), QColor(90, 90, 90), QColor(150, 60, 0)


def report_pdf(words: ReportText, picture: QImage) -> bytes:
    """The PDF; in any thread.

    Parameters
    ----------
    words : ReportText
        What it says.
    picture : QImage
        Of the film, with what the reader sees on it; best PICTURE_SIDE long.
    """
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    writer = QPdfWriter(buffer)
    writer.setPageSize(QPageSize(QPageSize.PageSizeId.A4))
    writer.setPageMargins(QMarginsF(0, 0, 0, 0))
    writer.setResolution(_DPI)
    writer.setTitle(TITLE)
    writer.setCreator("CXR assistant")
    painter = QPainter(writer)
    painter.setRenderHint(QPainter.RenderHint.LosslessImageRendering)
    paint_report(painter, _DPI, words, picture)
    painter.end()
    return bytes(buffer.data().data())


def write_report(words: ReportText, picture: QImage, path: Path) -> None:
    """Write the PDF whole or not at all; for a thread. Raises OutputError."""
    write_output(path, report_pdf(words, picture))


def paint_report(painter: QPainter, dpi: float, words: ReportText, picture: QImage) -> None:
    """Paint the page on a device of this resolution."""
    page = _Page(painter, dpi)
    right, below = PAGE[0] - _MARGIN, PAGE[1] - _MARGIN
    top = _MARGIN
    top += page.text([Line(TITLE, "strong"), Line(STATEMENT, "warning")], QRectF(_MARGIN, top, right - _MARGIN, 12)) + 2
    top += page.text(words.patient, QRectF(_MARGIN, top, right - _MARGIN, 28)) + 3
    page.rule(top)
    top += 3
    column = _MARGIN + _PICTURE[0] + _GAP
    bottom = page.picture(picture, QRectF(_MARGIN, top, *_PICTURE))
    caption = page.text([Line(words.picture)], QRectF(_MARGIN, bottom + 1, _PICTURE[0], 12), colour=_FAINT)
    foot = below - 6
    answers = page.text(words.answers, QRectF(column, top, right - column, foot - top - 45))
    top = max(bottom + 1 + caption, top + answers) + 3
    page.rule(top)
    page.text(words.measurements, QRectF(_MARGIN, top + 2, right - _MARGIN, foot - top - 3))
    page.rule(foot)
    page.text([Line(words.made)], QRectF(_MARGIN, foot + 1, right - _MARGIN, 6), colour=_FAINT)


class _Page:
    """Places in millimetres on a device."""

    def __init__(self, painter: QPainter, dpi: float) -> None:
        self._painter = painter
        self._per_mm = dpi / _MM_PER_INCH
        self._per_point = dpi / 72

    def text(self, lines: Sequence[Line], place: QRectF, *, colour: QColor = _INK) -> float:
        """Write paragraphs into a place, smaller where they do not fit, then less of them; how high they are."""
        width, height = place.width() * self._per_mm, place.height() * self._per_mm
        document = self._fitting(lines, width, height, colour)
        self._painter.save()
        self._painter.translate(place.left() * self._per_mm, place.top() * self._per_mm)
        document.drawContents(self._painter)
        self._painter.restore()
        return float(document.size().height()) / self._per_mm

    def _fitting(self, lines: Sequence[Line], width: float, height: float, colour: QColor) -> QTextDocument:
        for size in _SIZES:
            document = self._document(lines, width, size, colour)
            if document.size().height() <= height:
                return document
        cut = partial(self._cut, lines, width, colour)
        # How many of the lines may stay, from the first on; more of them are never less high.
        kept = bisect_right(range(len(lines)), height, lo=1, key=lambda count: cut(count).size().height()) - 1
        return cut(max(kept, 1))

    def _cut(self, lines: Sequence[Line], width: float, colour: QColor, kept: int) -> QTextDocument:
        left_out = Line(f"... {len(lines) - kept} more lines do not fit on this page; see the viewer", "warning")
        return self._document([*lines[:kept], left_out], width, _SIZES[-1], colour)

    def _document(self, lines: Sequence[Line], width: float, size: float, colour: QColor) -> QTextDocument:
        document = QTextDocument()
        document.setDocumentMargin(0)
        font = QFont(QGuiApplication.font())
        font.setPixelSize(round(size * self._per_point))
        document.setDefaultFont(font)
        # A digest or a damaged name has no place to be broken at.
        document.setDefaultTextOption(QTextOption(Qt.AlignmentFlag.AlignLeft))
        option = document.defaultTextOption()
        option.setWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        document.setDefaultTextOption(option)
        document.setTextWidth(width)
        cursor = QTextCursor(document)
        for number, line in enumerate(lines):
            block, letters = QTextBlockFormat(), QTextCharFormat()
            letters.setForeground(_WARNING if line.kind == "warning" else colour)
            letters.setFontWeight(QFont.Weight.Bold if line.kind in ("heading", "strong") else QFont.Weight.Normal)
            if line.kind == "heading":
                letters.setForeground(_FAINT)
                block.setTopMargin(0 if number == 0 else 0.6 * font.pixelSize())
            block.setBottomMargin(0.25 * font.pixelSize())
            if number:
                cursor.insertBlock(block, letters)
            else:
                cursor.setBlockFormat(block)
            cursor.setCharFormat(letters)
            cursor.insertText(_elided(f"⚠ {line.text}" if line.kind == "warning" else line.text))
        return document

    def picture(self, picture: QImage, place: QRectF) -> float:
        """Paint a picture as large as the place allows, at its upper left; where it ends, in millimetres."""
        size = picture.size().scaled(
            round(place.width() * self._per_mm),
            round(place.height() * self._per_mm),
            Qt.AspectRatioMode.KeepAspectRatio,
        )
        target = QRectF(place.left() * self._per_mm, place.top() * self._per_mm, size.width(), size.height())
        self._painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        self._painter.drawImage(target, picture)
        return float(target.bottom()) / self._per_mm

    def rule(self, top: float) -> None:
        """A line across the page."""
        self._painter.setPen(QPen(_FAINT, 0.2 * self._per_mm))
        y = top * self._per_mm
        self._painter.drawLine(
            round(_MARGIN * self._per_mm), round(y), round((PAGE[0] - _MARGIN) * self._per_mm), round(y)
        )


def _elided(text: str) -> str:
    """One paragraph, not endless, that its first letters stand for."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 4]} ..."
