"""The film itself: grey values through the one table, overlay planes over them, the shutter around them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QColor, QImage, QPainter, QPainterPath, QPolygonF

from cxr_core.grayscale import GrayscaleAttributes, Voi
from cxr_desktop.state.display import DisplayState
from cxr_desktop.state.overlays import overlays_of
from cxr_desktop.state.records import LoadedImage
from cxr_desktop.state.scale import scale_of
from cxr_desktop.state.shutter import Shutter, shutter_of
from cxr_desktop.state.windowing import attributes_of
from cxr_desktop.views.lookup import Bytes, byte_table, looked_up
from cxr_desktop.views.placement import Placement
from cxr_desktop.views.region import Pixels, Region, pixels_of, visible_region

#: Overlay planes are no part of the film, so they are not grey.
_OVERLAY_COLOUR = QColor(255, 214, 102)
#: A pixel that is longer than this is damage of the header, and shown square.
_LARGEST_ASPECT = 16.0
_TableKey = tuple[Voi, Voi | None, bool]


class Film:
    """One image ready to be painted: its pixels, the shape of one of them, its overlay planes and its shutter."""

    def __init__(self, loaded: LoadedImage) -> None:
        self.loaded = loaded
        self.attributes: GrayscaleAttributes = attributes_of(loaded)
        self.rows, self.columns = loaded.stored.shape
        scale = scale_of(loaded)
        aspect = scale.row / scale.column
        self.pixel_aspect = aspect if 1 / _LARGEST_ASPECT <= aspect <= _LARGEST_ASPECT else 1.0
        """Height over width of a pixel."""

        self.pixels = pixels_of(loaded.stored, self.attributes)
        self.shutter = shutter_of(loaded.data_set)
        found = overlays_of(loaded.data_set, self.rows, self.columns)
        self.overlay = None if found.mask is None else Pixels(found.mask)
        self.notes = found.notes
        """What is in the file and cannot be shown, a line each."""

        self._table: tuple[_TableKey, Bytes] | None = None

    def table(self, display: DisplayState) -> Bytes:
        """The grayscale table of this image, in bytes (see byte_table)."""
        key = (display.voi, display.stretch, display.inverted)
        if self._table is None or self._table[0] != key:
            self._table = key, byte_table(self.attributes, display)
        return self._table[1]

    def covered(self, shutter: Shutter) -> QPainterPath:
        """What the shutter covers of the image, in image coordinates."""
        visible = QPainterPath()
        visible.addRect(QRectF(0, 0, self.columns, self.rows))
        whole = QPainterPath(visible)
        if shutter.rectangle is not None:
            first, second = shutter.rectangle
            part = QPainterPath()
            part.addRect(QRectF(first.x, first.y, second.x - first.x, second.y - first.y))
            visible = visible.intersected(part)
        if shutter.circle is not None:
            centre, radius = shutter.circle
            part = QPainterPath()
            part.addEllipse(QPointF(centre.x, centre.y), radius, radius / self.pixel_aspect)
            visible = visible.intersected(part)
        if shutter.polygon:
            part = QPainterPath()
            part.addPolygon(QPolygonF([QPointF(point.x, point.y) for point in shutter.polygon]))
            part.closeSubpath()
            visible = visible.intersected(part)
        return whole.subtracted(visible)


class FilmPainter:
    """Paints a film in device pixels; what was sampled and looked up last is kept for the next time."""

    def __init__(self, film: Film) -> None:
        self.film = film
        self._region: tuple[_Part, Region | None] | None = None
        self._picture: tuple[Bytes, Picture] | None = None
        self._overlay: tuple[_Part, Picture] | None = None

    def draw(
        self,
        painter: QPainter,
        display: DisplayState,
        placement: Placement,
        width: int,
        height: int,
        *,
        exact: bool,
        smooth: bool,
    ) -> None:
        """Paint what is visible in `width` x `height` device pixels of a painter without transformation."""
        film, part = self.film, _Part(placement, width, height, exact, smooth)
        if self._region is None or self._region[0] != part:
            region = visible_region(film.pixels, placement, width, height, exact=exact, smooth=smooth)
            self._region, self._picture = (part, region), None
        region = self._region[1]
        if region is None:
            return
        table = film.table(display)
        if self._picture is None or self._picture[0] is not table:
            grey = looked_up(region.stored, table)
            self._picture = table, grey_picture(grey, region.left, region.top)
        painter.drawImage(self._picture[1].place, self._picture[1].image)
        if film.overlay is not None and display.overlays:
            self._draw_overlay(painter, film.overlay, part)
        if film.shutter is not None and display.shutter:
            painter.save()
            painter.setTransform(placement.transform(), combine=True)
            level = round(255 * film.shutter.grey)
            painter.fillPath(film.covered(film.shutter), QColor(level, level, level))
            painter.restore()

    def _draw_overlay(self, painter: QPainter, overlay: Pixels, part: _Part) -> None:
        if self._overlay is None or self._overlay[0] != part:
            region = visible_region(overlay, part.placement, part.width, part.height, exact=True, smooth=False)
            if region is None:
                return
            # A line thinner than a device pixel must not fade away.
            strength = cv2.convertScaleAbs(region.stored, alpha=3)
            colours = np.empty((*strength.shape, 4), np.uint8)
            shades = (_OVERLAY_COLOUR.blue(), _OVERLAY_COLOUR.green(), _OVERLAY_COLOUR.red(), 255)
            for channel, shade in enumerate(shades):
                colours[..., channel] = cv2.convertScaleAbs(strength, alpha=shade / 255)
            self._overlay = part, colour_picture(colours, region.left, region.top)
        painter.drawImage(self._overlay[1].place, self._overlay[1].image)


@dataclass(frozen=True, slots=True)
class _Part:
    """What was sampled: for another placement, view or quality it is sampled anew."""

    placement: Placement
    width: int
    height: int
    exact: bool
    smooth: bool


@dataclass(frozen=True, eq=False, slots=True)
class Picture:
    """A QImage over the memory of an array, which has to live as long, and where it stands in the view."""

    image: QImage
    pixels: npt.NDArray[np.uint8]
    place: QPointF


def grey_picture(grey: Bytes, left: int = 0, top: int = 0) -> Picture:
    """Display values (row, column), 0 to 255.

    Qt would convert Grayscale8 anew at every painting; OpenCV converts once, and faster.
    """
    return _picture(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGRA), QImage.Format.Format_RGB32, left, top)


def colour_picture(premultiplied: Bytes, left: int = 0, top: int = 0) -> Picture:
    """BGRA with premultiplied alpha, shape (row, column, 4)."""
    return _picture(premultiplied, QImage.Format.Format_ARGB32_Premultiplied, left, top)


def _picture(bgra: npt.NDArray[Any] | cv2.typing.MatLike, kind: QImage.Format, left: int, top: int) -> Picture:
    pixels = np.ascontiguousarray(bgra, np.uint8)
    image = QImage(pixels.data, pixels.shape[1], pixels.shape[0], pixels.strides[0], kind)
    return Picture(image, pixels, QPointF(left, top))
