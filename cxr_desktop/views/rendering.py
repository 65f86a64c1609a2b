"""The same picture as on the screen, of the whole image at full resolution: for exports and reports."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QColor, QImage, QPainter, QTransform

from cxr_desktop.state.corner_text import CornerLines
from cxr_desktop.state.display import DisplayState
from cxr_desktop.state.marks import lossy_words, scaling_words, turned_words
from cxr_desktop.state.orientation import edge_letters, patient_orientation
from cxr_desktop.state.records import LoadedImage
from cxr_desktop.views.decorations import Decorations, draw_decorations, lowest_edge
from cxr_desktop.views.film import Film, FilmPainter
from cxr_desktop.views.heat_map import HeatMapLayer, HeatMapPainter
from cxr_desktop.views.legend import legend_image
from cxr_desktop.views.placement import Placement, place
from cxr_desktop.views.text import OutlinedText

#: Paints over the film: a painter in device pixels, from image coordinates to them, where labels may stand, and the
#: size of lines and text (1 on a plain screen).
PaintOver = Callable[[QPainter, QTransform, QRectF, float], object]

#: Qt paints no further.
_LARGEST_SIDE = 32_000
#: Of a screen that shows text at size 1, in pixels of the shorter side.
_SCREEN_SIDE = 900
_FONT_PIXELS = 13
_SMALLEST_FONT = 9


def render_picture(
    loaded: LoadedImage,
    display: DisplayState,
    *,
    heat_map: HeatMapLayer | None = None,
    paint_measurements: PaintOver | None = None,
    corner_lines: CornerLines | None = None,
    max_side: int | None = None,
) -> QImage:
    """The whole image with window, turns, map, measurements and marks as a reader sees them.

    Parameters
    ----------
    loaded : LoadedImage
        The image.
    display : DisplayState
        How it is shown; zoom and centre do not count.
    heat_map : HeatMapLayer, optional
        Laid over it, with its legend.
    paint_measurements : callable, optional
        Paints over it, as MeasurementLayer.paint does.
    corner_lines : dict, optional
        Text in the corners; none by default, for it names the patient.
    max_side : int, optional
        Longer side in pixels at most; by default no image pixel is lost, and pixels that are not square are stretched.

    Returns
    -------
    QImage
        Format RGB32, turned as displayed. The marks of a flipped, rotated, scaled or lossy picture are on it.
    """
    film = Film(loaded)
    placement = _placement(film, display, min(max_side or _LARGEST_SIDE, _LARGEST_SIDE))
    width, height = placement.turned_size
    scale = min(width, height) / _SCREEN_SIDE
    size = max(round(_FONT_PIXELS * scale), _SMALLEST_FONT)
    picture = QImage(width, height, QImage.Format.Format_RGB32)
    picture.fill(QColor(0, 0, 0))
    painter = QPainter(picture)
    FilmPainter(film).draw(painter, display, placement, width, height, exact=True, smooth=True)
    if heat_map is not None:
        HeatMapPainter(heat_map, line_width=max(scale, 1.0)).draw(painter, placement, width, height)
    area = QRectF(0, 0, width, height)
    if paint_measurements is not None:
        paint_measurements(painter, placement.transform(), area.adjusted(size, size, -size, -size), max(scale, 0.7))
    scaling = scaling_words(placement.scales, exact=True, smooth=True)
    decorations = Decorations(
        corner_lines or {},
        edge_letters(
            patient_orientation(loaded.data_set), quarter_turns=display.quarter_turns, flipped=display.flipped
        ),
        turned_words(display),
        " · ".join(filter(None, [scaling, lossy_words(loaded)])),
    )
    written = draw_decorations(painter, OutlinedText(), decorations, area, size)
    if heat_map is not None and heat_map.has_legend:
        legend = legend_image(heat_map, size, round(min(0.45 * width, 24 * size)))
        left = width - legend.width() - size // 2
        below = lowest_edge(written, left, height)
        painter.drawImage(QPointF(left, below - legend.height() - size // 2), legend)
    painter.end()
    return picture


def _placement(film: Film, display: DisplayState, max_side: int) -> Placement:
    """The whole turned image from the corner of the picture on, its pixels square."""
    zoom = max(1.0, 1 / film.pixel_aspect)
    longest = max(film.columns * zoom, film.rows * zoom * film.pixel_aspect)
    zoom *= min(max_side / longest, 1.0)
    whole = place(
        replace(display, zoom=zoom, centre=None),
        rows=film.rows,
        columns=film.columns,
        pixel_aspect=film.pixel_aspect,
        view_width=1,
        view_height=1,
    )
    return replace(whole, left=0, top=0)
