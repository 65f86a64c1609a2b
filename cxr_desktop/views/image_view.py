"""One image on the screen: only what is visible is looked up in the one grayscale table and painted."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QEvent, QPoint, QPointF, QRect, QRectF, Qt, QTimer, Signal
from PySide6.QtGui import (
    QColor,
    QFontInfo,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QResizeEvent,
    QTransform,
    QWheelEvent,
)
from PySide6.QtWidgets import QFrame, QGraphicsScene, QGraphicsView, QWidget

from cxr_desktop.state import display as displays
from cxr_desktop.state.corner_text import CornerLines, corner_lines
from cxr_desktop.state.display import DisplayState
from cxr_desktop.state.geometry import PixelPoint
from cxr_desktop.state.marks import lossy_words, scaling_words, turned_words
from cxr_desktop.state.orientation import edge_letters, patient_orientation
from cxr_desktop.state.records import LoadedImage
from cxr_desktop.state.windowing import Direction, dragged_window, initial_display, window_words
from cxr_desktop.views.decorations import Decorations, draw_decorations
from cxr_desktop.views.film import Film
from cxr_desktop.views.heat_map import HeatMapLayer, HeatMapPainter
from cxr_desktop.views.legend import legend_image
from cxr_desktop.views.loupe import draw_loupe
from cxr_desktop.views.navigation import Navigation
from cxr_desktop.views.placement import Placement, inverse, place
from cxr_desktop.views.text import OutlinedText
from cxr_desktop.views.tool import Tool

#: Milliseconds without a change of zoom or place until every pixel is averaged.
_SETTLE_MS = 150
#: Views narrower than this (logical pixels) show short corner text, or none.
_SHORT_TEXT, _NO_TEXT = 460, 280


class ImageView(QGraphicsView):
    """A view of one image. Scene coordinates are image coordinates: PixelPoint.x, y.

    Signals: displayChanged(DisplayState | None), imageChanged(LoadedImage | None), cursorMoved(PixelPoint | None),
    menuAsked(QPoint of the screen).
    """

    displayChanged = Signal(object)
    imageChanged = Signal(object)
    cursorMoved = Signal(object)
    menuAsked = Signal(QPoint)

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
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMinimumSize(120, 120)
        self.setAccessibleName(self.tr("Image"))
        self._film: Film | None = None
        self._display: DisplayState | None = None
        self._placement: Placement | None = None
        self._exact = True
        self._smooth = True
        self._tool: Tool | None = None
        self._navigation = Navigation()
        self._heat_map: HeatMapPainter | None = None
        self._legend: tuple[tuple[object, ...], QImage] | None = None
        self._corner_text_level = 2
        self._corner_lines: CornerLines | None = None
        self._loupe: PixelPoint | None = None
        self._text = OutlinedText()
        self._settling = QTimer(self)
        self._settling.setSingleShot(True)
        self._settling.setInterval(_SETTLE_MS)
        self._settling.timeout.connect(self.settle)

    @property
    def loaded(self) -> LoadedImage | None:
        """The image that is shown."""
        return self._film.loaded if self._film is not None else None

    @property
    def film(self) -> Film | None:
        """The image as it is painted."""
        return self._film

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
        if self._tool is not None:
            self._tool.cancel(self)
        self._film = None if loaded is None else Film(loaded)
        self._display = None if loaded is None else display or initial_display(loaded)
        self._heat_map = self._loupe = self._corner_lines = None
        if self._film is not None:
            self._scene.setSceneRect(0, 0, self._film.columns, self._film.rows)
        self._place(exact=True)
        self.imageChanged.emit(loaded)
        self.displayChanged.emit(self._display)

    def set_display(self, display: DisplayState, *, final: bool = False) -> None:
        """Show the image otherwise; `final` averages every pixel at once instead of when the hand has come to rest."""
        if self._film is None:
            return
        changed = display != self._display
        self._display = display
        self._place(exact=final)
        if changed:
            self.displayChanged.emit(display)

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

    def set_corner_text_level(self, level: int) -> None:
        """0 none, 1 short, 2 full; a small view shows less."""
        self._corner_text_level = level
        self.viewport().update()

    def set_corner_lines(self, lines: CornerLines | None) -> None:
        """Other lines in the corners than those of the header; None for these again. The window follows them."""
        self._corner_lines = lines
        self.viewport().update()

    def set_loupe(self, point: PixelPoint | None) -> None:
        """Magnify around a place of the image; None ends it."""
        self._loupe = point
        self.viewport().update()

    def set_window_direction(self, direction: Direction) -> None:
        """Which way of a window drag is brighter: ViewerSettings.window_drag."""
        self._navigation.direction = direction

    @property
    def tool(self) -> Tool | None:
        """What the left button does."""
        return self._tool

    def set_tool(self, tool: Tool | None) -> None:
        """Hand the left button to a tool."""
        if self._tool is not None:
            self._tool.cancel(self)
        self._tool = tool
        if tool is None:
            self.viewport().unsetCursor()
        else:
            self.viewport().setCursor(tool.cursor)

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
    def fitted_zoom(self) -> float:
        """Device pixels for an image column, were the image fitted."""
        if self._film is None or self._display is None:
            return 1.0
        return self._placed(self._film, displays.fitted(self._display)).zoom

    @property
    def shown_centre(self) -> PixelPoint:
        """The place of the image at the centre of the view, as shown now."""
        return self.to_image(QRectF(self.viewport().rect()).center())

    def zoom_about(self, point: PixelPoint, factor: float) -> None:
        """Zoom with a place of the image staying where it is."""
        if self._display is not None:
            zoomed = displays.zoomed_about(self._display, point, factor, zoom=self.shown_zoom, centre=self.shown_centre)
            self.set_display(zoomed)

    def zoom_to(self, zoom: float) -> None:
        """Show so many device pixels for an image column, the centre of the view staying; 1 is pixel on pixel."""
        self.zoom_about(self.shown_centre, zoom / self.shown_zoom)

    def pan_by(self, dx: float, dy: float) -> None:
        """Move the image by logical pixels of the view."""
        if self._display is not None:
            centre = self.to_image(QRectF(self.viewport().rect()).center() - QPointF(dx, dy))
            self.set_display(replace(self._display, zoom=self.shown_zoom, centre=centre))

    def drag_window(self, dx: float, dy: float, *, faster: bool = False) -> None:
        """Change window and level as a drag by logical pixels of the view does."""
        if self._display is not None and self._film is not None:
            self.set_display(
                dragged_window(
                    self._display,
                    dx,
                    dy,
                    self._film.attributes,
                    faster=faster,
                    direction=self._navigation.direction,
                )
            )

    def drawBackground(self, painter: QPainter, rect: QRectF | QRect) -> None:
        """The film and the map; Qt draws the items of the scene over them."""
        painter.save()
        painter.resetTransform()
        painter.fillRect(self.viewport().rect(), QColor(0, 0, 0))
        if self._film is not None and self._display is not None and self._placement is not None:
            width, height = self._device_size()
            self._to_device_pixels(painter)
            self._film.draw(
                painter, self._display, self._placement, width, height, exact=self._exact, smooth=self._smooth
            )
            if self._heat_map is not None:
                self._heat_map.draw(painter, self._placement, width, height)
        painter.restore()

    def drawForeground(self, painter: QPainter, rect: QRectF | QRect) -> None:
        """What is written over the film and the items; the magnifier over it all."""
        if self._film is None or self._display is None or self._placement is None:
            return
        painter.save()
        painter.resetTransform()
        self._to_device_pixels(painter)
        ratio = self.devicePixelRatioF()
        width, height = self._device_size()
        size = round(QFontInfo(self.font()).pixelSize() * ratio)
        places = draw_decorations(
            painter,
            self._text,
            self._decorations(self._film, self._display, self._placement),
            QRectF(0, 0, width, height),
            size,
        )
        layer = self.heat_map
        if layer is not None and layer.legend and self.viewport().width() >= _NO_TEXT:
            legend = self._legend_of(layer, size, round(min(0.4 * width, 24 * size)))
            below = places["bottom right"].top() if "bottom right" in places else height
            painter.drawImage(QPointF(width - legend.width() - size // 2, below - legend.height() - size // 2), legend)
        if self._loupe is not None:
            draw_loupe(
                painter,
                self._film,
                self._display,
                self._loupe,
                at=self.to_view(self._loupe) * ratio,
                zoom=self.shown_zoom,
                ratio=ratio,
                smooth=self._smooth,
            )
        painter.restore()

    def _decorations(self, film: Film, display: DisplayState, placement: Placement) -> Decorations:
        width = self.viewport().width()
        level = min(self._corner_text_level, 0 if width < _NO_TEXT else 1 if width < _SHORT_TEXT else 2)
        corners: CornerLines = {}
        if level:
            held = corner_lines(film.loaded, level) if self._corner_lines is None else self._corner_lines
            corners = {**held, "bottom left": [*held.get("bottom left", []), window_words(display)]}
        orientation = patient_orientation(film.loaded.data_set)
        scaling = scaling_words(placement.scales, exact=self._exact, smooth=self._smooth)
        return Decorations(
            corners,
            edge_letters(orientation, quarter_turns=display.quarter_turns, flipped=display.flipped),
            turned_words(display),
            " · ".join(filter(None, [scaling, lossy_words(film.loaded)])),
        )

    def _legend_of(self, layer: HeatMapLayer, size: int, width: int) -> QImage:
        key = (layer, size, width)
        if self._legend is None or self._legend[0] != key:
            self._legend = key, legend_image(layer, size, width)
        return self._legend[1]

    def _to_device_pixels(self, painter: QPainter) -> None:
        ratio = self.devicePixelRatioF()
        painter.scale(1 / ratio, 1 / ratio)

    def _device_size(self) -> tuple[int, int]:
        ratio = self.devicePixelRatioF()
        return max(round(self.viewport().width() * ratio), 1), max(round(self.viewport().height() * ratio), 1)

    def _placed(self, film: Film, display: DisplayState) -> Placement:
        width, height = self._device_size()
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
        if self._film is not None and self._display is not None:
            placement = self._placement = self._placed(self._film, self._display)
            ratio = self.devicePixelRatioF()
            transform = placement.transform() * QTransform.fromScale(1 / ratio, 1 / ratio)
            # The visible part as the scene's extent: so nothing is left to scroll, and Qt adds no offset of its own.
            visible = QRectF(0.5, 0.5, self.viewport().width() - 1.0, self.viewport().height() - 1.0)
            self.setSceneRect(inverse(transform).mapRect(visible))
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
        """A screen of another resolution; a key that the tool wants before it is a shortcut."""
        if event.type() == QEvent.Type.DevicePixelRatioChange:
            self._place(exact=False)
        if (
            event.type() == QEvent.Type.ShortcutOverride
            and isinstance(event, QKeyEvent)
            and self._tool is not None
            and self._tool.takes(event)
        ):
            event.accept()
            return True
        return super().event(event)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom about the cursor."""
        self._navigation.wheel(self, event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Middle and right to the navigation, left to the tool, then to the items."""
        if self._navigation.press(event):
            return
        if self._tool is not None and self._film is not None and event.button() == Qt.MouseButton.LeftButton:
            self._tool.press(self, self.to_image(event.position()), event)
            if event.isAccepted():
                return
        super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """To the drag that goes on, to the tool, then to the items."""
        if self._film is not None:
            point = self.to_image(event.position())
            self.cursorMoved.emit(point)
            if self._navigation.move(self, event):
                return
            if self._tool is not None:
                self._tool.move(self, point, event)
                if event.isAccepted():
                    return
        super().mouseMoveEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """As the press."""
        if self._navigation.release(self, event):
            return
        if self._tool is not None and self._film is not None and event.button() == Qt.MouseButton.LeftButton:
            self._tool.release(self, self.to_image(event.position()), event)
            if event.isAccepted():
                return
        super().mouseReleaseEvent(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Left to the tool; the second press of another button is a press."""
        if self._navigation.press(event):
            return
        if self._tool is not None and self._film is not None and event.button() == Qt.MouseButton.LeftButton:
            self._tool.double_click(self, self.to_image(event.position()), event)
            if event.isAccepted():
                return
        super().mouseDoubleClickEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        """The cursor is over no place of the image."""
        super().leaveEvent(event)
        self.cursorMoved.emit(None)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """To the tool, then to the window: nothing scrolls here."""
        if self._tool is None or not self._tool.key(self, event):
            event.ignore()
