"""A film in a view: placed, painted, and zoomed; the scene over it has the coordinates of the image."""

from __future__ import annotations

import math
from dataclasses import replace

from PySide6.QtCore import QEvent, QPointF, QRect, QRectF, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QPainter, QRegion, QResizeEvent, QTransform
from PySide6.QtWidgets import QFrame, QGraphicsScene, QGraphicsView, QWidget

from cxr_desktop.state import display as displays
from cxr_desktop.state.display import DisplayState
from cxr_desktop.state.geometry import PixelPoint
from cxr_desktop.state.records import LoadedImage
from cxr_desktop.state.windowing import initial_display
from cxr_desktop.views.film import Film, FilmPainter
from cxr_desktop.views.heat_map import HeatMapLayer, HeatMapPainter
from cxr_desktop.views.placement import Placement, inverse, place

#: Milliseconds without a change of zoom or place until every pixel is averaged.
_SETTLE_MS = 150


class FilmView(QGraphicsView):
    """A view of one film. Scene coordinates are image coordinates: PixelPoint.x, y.

    Signals: displayChanged(DisplayState | None), imageChanged(LoadedImage | None).
    """

    displayChanged = Signal(object)
    imageChanged = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        self._scene = QGraphicsScene()  # kept: a QGraphicsView does not own its scene
        super().__init__(self._scene, parent)
        self._scene.setItemIndexMethod(QGraphicsScene.ItemIndexMethod.NoIndex)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
        self.setTransformationAnchor(QGraphicsView.ViewportAnchor.NoAnchor)
        self.setResizeAnchor(QGraphicsView.ViewportAnchor.NoAnchor)
        self.setViewportUpdateMode(QGraphicsView.ViewportUpdateMode.FullViewportUpdate)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        self.setMinimumSize(120, 120)
        self.setAccessibleName(self.tr("Image"))
        self._painter: FilmPainter | None = None
        self._display: DisplayState | None = None
        self._placement: Placement | None = None
        self._heat_map: HeatMapPainter | None = None
        self._exact = True
        self._smooth = True
        self._settling = QTimer(self)
        self._settling.setSingleShot(True)
        self._settling.setInterval(_SETTLE_MS)
        self._settling.timeout.connect(self.settle)

    @property
    def loaded(self) -> LoadedImage | None:
        """The image that is shown."""
        return None if self._painter is None else self._painter.film.loaded

    @property
    def film(self) -> Film | None:
        """The image as it is painted."""
        return None if self._painter is None else self._painter.film

    @property
    def display(self) -> DisplayState | None:
        """How it is shown; None without an image."""
        return self._display

    @property
    def exact(self) -> bool:
        """Whether what is seen is final: every pixel averaged where the image is scaled down."""
        return self._exact

    def show_image(self, loaded: LoadedImage | None, display: DisplayState | None = None) -> None:
        """Show another image, as it asks to be shown or as `display` says; None empties the view.

        The map of the former image goes with it.
        """
        painter = None if loaded is None else FilmPainter(Film(loaded))
        shown = None if loaded is None else display or initial_display(loaded)
        self._painter, self._display, self._heat_map = painter, shown, None
        if self.film is not None:
            self._scene.setSceneRect(0, 0, self.film.columns, self.film.rows)
        self._place(exact=True)
        self.imageChanged.emit(loaded)
        self.displayChanged.emit(self._display)

    def set_display(self, display: DisplayState, *, final: bool = False) -> None:
        """Show the image otherwise; `final` averages every pixel at once instead of when the hand has come to rest."""
        if self._painter is None:
            return
        before, self._display = self._display, display
        if before is not None and _place_in(before) == _place_in(display) and (self._exact or not final):
            self.viewport().update()  # in a drag of the window nothing moves
        else:
            self._place(exact=final)
        if display != before:
            self.displayChanged.emit(display)

    @property
    def smooth(self) -> bool:
        """Whether magnified pixels are interpolated; otherwise they are repeated."""
        return self._smooth

    def settle(self) -> None:
        """Make what is seen final now."""
        self._settling.stop()
        self._exact = True
        self.viewport().update()

    def set_smooth(self, smooth: bool) -> None:
        """Whether magnified pixels are interpolated or repeated."""
        self._smooth = smooth
        self.viewport().update()

    def set_heat_map(self, layer: HeatMapLayer | None) -> None:
        """Lay a map over the film, or take it away."""
        self._heat_map = None if layer is None else HeatMapPainter(layer)
        self.viewport().update()

    @property
    def heat_map(self) -> HeatMapLayer | None:
        """The map over the film."""
        return None if self._heat_map is None else self._heat_map.layer

    def to_image(self, position: QPointF) -> PixelPoint:
        """The place in the image under a position in the view (logical pixels of the viewport)."""
        mapped = inverse(self.viewportTransform()).map(position)
        return PixelPoint(mapped.x(), mapped.y())

    def to_view(self, point: PixelPoint) -> QPointF:
        """Where in the view (logical pixels of the viewport) a place of the image is."""
        return self.viewportTransform().map(QPointF(point.x, point.y))

    @property
    def shown_zoom(self) -> float:
        """Device pixels for an image column, as shown now."""
        return self._placement.zoom if self._placement is not None else 1.0

    @property
    def shown_scales(self) -> tuple[float, float]:
        """Device pixels for an image pixel along (columns, rows), as shown now."""
        return self._placement.scales if self._placement is not None else (1.0, 1.0)

    @property
    def fitted_zoom(self) -> float:
        """Device pixels for an image column, were the image fitted."""
        if self.film is None or self._display is None:
            return 1.0
        return self._placed(self.film, displays.fitted(self._display)).zoom

    @property
    def shown_centre(self) -> PixelPoint:
        """The place of the image at the centre of the view; on the screen it is off by half a device pixel at most."""
        if self._display is None or self._placement is None:
            return PixelPoint(0, 0)
        return self._display.centre or PixelPoint(self._placement.columns / 2, self._placement.rows / 2)

    def zoom_about(self, point: PixelPoint, factor: float) -> None:
        """Zoom with a place of the image staying where it is."""
        if self._display is not None:
            zoomed = displays.zoomed_about(self._display, point, factor, zoom=self.shown_zoom, centre=self.shown_centre)
            self.set_display(zoomed)

    def zoom_at(self, position: QPointF, factor: float) -> None:
        """Zoom with what is at a position of the view (logical pixels of the viewport) staying there."""
        # From the centre as it was meant, for what it was rounded by would grow with every step.
        here, middle = self.to_image(position), self.to_image(QRectF(self.viewport().rect()).center())
        self.zoom_about(self.shown_centre.moved(here.x - middle.x, here.y - middle.y), factor)

    def zoom_to(self, zoom: float) -> None:
        """Show so many device pixels for an image column, the centre of the view staying; 1 is pixel on pixel."""
        if self._display is not None:
            self.set_display(replace(self._display, zoom=min(max(zoom, displays.MIN_ZOOM), displays.MAX_ZOOM)))

    def pan_by(self, dx: float, dy: float) -> None:
        """Move the image by logical pixels of the view."""
        if self._display is not None:
            # From where the centre was meant to be, not from where it was rounded to: many small moves add up exactly.
            here, there = self.to_image(QPointF(0, 0)), self.to_image(QPointF(dx, dy))
            centre = self.shown_centre.moved(here.x - there.x, here.y - there.y)
            self.set_display(replace(self._display, zoom=self.shown_zoom, centre=centre))

    def drawBackground(self, painter: QPainter, rect: QRectF | QRect) -> None:
        """The film and the map; Qt draws the items of the scene over them."""
        painter.save()
        self.to_device_pixels(painter)
        width, height = self.device_size()
        around = QRegion(0, 0, width, height)
        if self._placement is not None:
            around -= QRegion(QRect(self._placement.left, self._placement.top, *self._placement.turned_size))
        for bar in around:  # type: ignore[attr-defined]  # the stubs of PySide6 lack its iterator
            painter.fillRect(bar, QColor(0, 0, 0))
        if self._painter is not None and self._display is not None and self._placement is not None:
            self._painter.draw(
                painter, self._display, self._placement, width, height, exact=self._exact, smooth=self._smooth
            )
            if self._heat_map is not None:
                self._heat_map.draw(painter, self._placement, width, height)
        painter.restore()

    def to_device_pixels(self, painter: QPainter) -> None:
        """Let a painter of the viewport count device pixels from its upper left corner."""
        painter.resetTransform()
        ratio = self.devicePixelRatioF()
        painter.scale(1 / ratio, 1 / ratio)

    def device_size(self) -> tuple[int, int]:
        """(width, height) of the viewport in device pixels; one that it has in part counts."""
        ratio = self.devicePixelRatioF()
        width, height = self.viewport().width() * ratio, self.viewport().height() * ratio
        return max(math.ceil(width), 1), max(math.ceil(height), 1)

    def _placed(self, film: Film, display: DisplayState) -> Placement:
        width, height = self.device_size()
        return place(
            display,
            rows=film.rows,
            columns=film.columns,
            pixel_aspect=film.pixel_aspect,
            view_width=width,
            view_height=height,
        )

    def _place(self, *, exact: bool) -> None:
        """Put the image where the display state says."""
        before, self._placement = self._placement, None
        if self.film is not None and self._display is not None:
            placement = self._placement = self._placed(self.film, self._display)
            ratio = self.devicePixelRatioF()
            transform = placement.transform() * QTransform.fromScale(1 / ratio, 1 / ratio)
            # The visible part as the scene's extent: so nothing is left to scroll, and Qt adds no offset of its own.
            visible = QRectF(0.5, 0.5, self.viewport().width() - 1.0, self.viewport().height() - 1.0)
            scene = inverse(transform).mapRect(visible)
            if transform != self.transform() or scene != self.sceneRect():
                self.setSceneRect(scene)
                self.setTransform(transform)
            if exact or min(placement.scales) >= 1:
                self._exact = True
                self._settling.stop()
            elif placement != before:
                self._exact = False
                self._settling.start()
        self.viewport().update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """A fitted image fits the new size; another keeps its zoom and centre."""
        super().resizeEvent(event)
        self._place(exact=False)

    def event(self, event: QEvent) -> bool:
        """The view came to a screen of another resolution."""
        if event.type() == QEvent.Type.DevicePixelRatioChange:
            self._place(exact=False)
        return super().event(event)


def _place_in(display: DisplayState) -> tuple[object, ...]:
    """What of a state decides where the film lies."""
    return display.zoom, display.centre, display.quarter_turns, display.flipped
