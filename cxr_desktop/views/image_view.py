"""One image on the screen: only what is visible is looked up in the one grayscale table and painted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QEvent, QPointF, QRect, QRectF, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QResizeEvent,
    QTransform,
    QWheelEvent,
)
from PySide6.QtWidgets import QFrame, QGraphicsScene, QGraphicsView, QWidget

from cxr_core.grayscale import default_voi
from cxr_desktop.state import display as displays
from cxr_desktop.state.display import DisplayState
from cxr_desktop.state.geometry import PixelPoint
from cxr_desktop.state.records import LoadedImage
from cxr_desktop.views.heat_map import HeatMapLayer
from cxr_desktop.views.lookup import byte_table, looked_up
from cxr_desktop.views.placement import Placement, inverse, place
from cxr_desktop.views.region import Region, visible_region
from cxr_desktop.views.tool import Tool

_WHEEL_FACTOR = 1.2
#: Of the wheel, in eighths of a degree.
_WHEEL_STEP = 120


class ImageView(QGraphicsView):
    """A view of one image. Scene coordinates are image coordinates: PixelPoint.x, y.

    Signals: displayChanged(DisplayState), cursorMoved(PixelPoint | None), imageChanged(LoadedImage | None).
    """

    displayChanged = Signal(object)
    cursorMoved = Signal(object)
    imageChanged = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        self._scene = QGraphicsScene()
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
        self._loaded: LoadedImage | None = None
        self._display: DisplayState | None = None
        self._tool: Tool | None = None
        self._heat_map: HeatMapLayer | None = None
        self._corner_text_level = 1
        self._corner_lines: dict[str, list[str]] = {}
        self._placement: Placement | None = None
        self._region: Region | None = None
        self._picture: tuple[QImage, npt.NDArray[np.uint8]] | None = None

    @property
    def loaded(self) -> LoadedImage | None:
        """The image that is shown."""
        return self._loaded

    @property
    def display(self) -> DisplayState | None:
        """How it is shown; None without an image."""
        return self._display

    def show_image(self, loaded: LoadedImage | None, display: DisplayState | None = None) -> None:
        """Show another image, as it asks to be shown or as `display` says; None empties the view."""
        if self._tool is not None:
            self._tool.cancel(self)
        self._loaded = loaded
        self._display = None
        if loaded is not None:
            assert loaded.image.attributes is not None, "intake refuses an object without pixels"
            rows, columns = loaded.stored.shape
            self._scene.setSceneRect(0, 0, columns, rows)
            self._display = display or DisplayState(default_voi(loaded.image.attributes, loaded.stored))
        self._replaced()
        self.imageChanged.emit(loaded)
        self.displayChanged.emit(self._display)

    def set_display(self, display: DisplayState, *, final: bool = False) -> None:
        """Show the image otherwise; `final` averages every pixel at once instead of when the hand has come to rest."""
        before, self._display = self._display, display
        if display == before or self._loaded is None:
            return
        self._replaced()
        self.displayChanged.emit(display)

    def set_heat_map(self, layer: HeatMapLayer | None) -> None:
        """Lay a map over the film, or take it away."""
        self._heat_map = layer
        self.viewport().update()

    def set_corner_text_level(self, level: int) -> None:
        """0 none, 1 short, 2 full."""
        self._corner_text_level = level
        self.viewport().update()

    def set_corner_lines(self, lines: dict[str, list[str]]) -> None:
        """Text in the corners "top left", "top right", "bottom left", "bottom right"."""
        self._corner_lines = lines
        self.viewport().update()

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
    def shown_centre(self) -> PixelPoint:
        """The place of the image at the centre of the view, as shown now."""
        return self.to_image(QPointF(self.viewport().width() / 2, self.viewport().height() / 2))

    def zoom_about(self, point: PixelPoint, factor: float) -> None:
        """Zoom with a place of the image staying where it is."""
        if self._display is not None:
            self.set_display(
                displays.zoomed_about(self._display, point, factor, zoom=self.shown_zoom, centre=self.shown_centre)
            )

    def pan_by(self, dx: float, dy: float) -> None:
        """Move the image by logical pixels of the view."""
        if self._display is None:
            return
        centre = QPointF(self.viewport().width() / 2 - dx, self.viewport().height() / 2 - dy)
        self.set_display(replace(self._display, zoom=self.shown_zoom, centre=self.to_image(centre)))

    def drawBackground(self, painter: QPainter, rect: QRectF | QRect) -> None:
        """The film; Qt draws the items of the scene over it."""
        painter.save()
        painter.resetTransform()
        painter.fillRect(self.viewport().rect(), QColor(Qt.GlobalColor.black))
        if self._loaded is not None and self._display is not None and self._placement is not None:
            self._draw_film(painter, self._loaded, self._display, self._placement)
        painter.restore()

    def _draw_film(self, painter: QPainter, loaded: LoadedImage, display: DisplayState, placement: Placement) -> None:
        attributes = loaded.image.attributes
        assert attributes is not None, "intake refuses an object without pixels"
        ratio = self.devicePixelRatio()
        if self._region is None:
            width, height = self._device_size()
            self._region = visible_region(
                loaded.stored, placement, width, height, padding=attributes.padding, exact=True, smooth=True
            )
            self._picture = None
        if self._region is None:
            return
        if self._picture is None:
            grey = looked_up(self._region.stored, byte_table(attributes, display))
            image = QImage(grey.data, grey.shape[1], grey.shape[0], grey.strides[0], QImage.Format.Format_Grayscale8)
            image.setDevicePixelRatio(ratio)
            self._picture = image, grey
        painter.drawImage(QPointF(self._region.left / ratio, self._region.top / ratio), self._picture[0])

    def _device_size(self) -> tuple[int, int]:
        ratio = self.devicePixelRatio()
        return round(self.viewport().width() * ratio), round(self.viewport().height() * ratio)

    def _replaced(self) -> None:
        """Put the image where the display state says, and forget what was painted."""
        self._region = self._picture = self._placement = None
        if self._loaded is not None and self._display is not None:
            rows, columns = self._loaded.stored.shape
            width, height = self._device_size()
            self._placement = place(
                self._display,
                rows=rows,
                columns=columns,
                pixel_aspect=1.0,
                view_width=max(width, 1),
                view_height=max(height, 1),
            )
            ratio = self.devicePixelRatio()
            transform = self._placement.transform() * QTransform.fromScale(1 / ratio, 1 / ratio)
            # The visible part as the scene's extent: so nothing is left to scroll, and Qt adds no offset of its own.
            visible = QRectF(0.5, 0.5, self.viewport().width() - 1.0, self.viewport().height() - 1.0)
            self.setSceneRect(inverse(transform).mapRect(visible))
            self.setTransform(transform)
        self.viewport().update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """A fitted image fits the new size; another keeps its zoom and centre."""
        super().resizeEvent(event)
        self._replaced()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom about the cursor."""
        steps = event.angleDelta().y() / _WHEEL_STEP
        if steps:
            self.zoom_about(self.to_image(event.position()), _WHEEL_FACTOR**steps)
        event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """To the tool, then to the items."""
        if self._tool is not None and self._loaded is not None and event.button() == Qt.MouseButton.LeftButton:
            self._tool.press(self, self.to_image(event.position()), event)
            if event.isAccepted():
                return
        super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """To the tool, then to the items."""
        if self._loaded is not None:
            point = self.to_image(event.position())
            self.cursorMoved.emit(point)
            if self._tool is not None:
                self._tool.move(self, point, event)
                if event.isAccepted():
                    return
        super().mouseMoveEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """To the tool, then to the items."""
        if self._tool is not None and self._loaded is not None and event.button() == Qt.MouseButton.LeftButton:
            self._tool.release(self, self.to_image(event.position()), event)
            if event.isAccepted():
                return
        super().mouseReleaseEvent(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """To the tool, then to the items."""
        if self._tool is not None and self._loaded is not None and event.button() == Qt.MouseButton.LeftButton:
            self._tool.double_click(self, self.to_image(event.position()), event)
            if event.isAccepted():
                return
        super().mouseDoubleClickEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        """The cursor is over no place of the image."""
        self.cursorMoved.emit(None)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """To the tool, then to the window."""
        if self._tool is not None and self._tool.key(self, event):
            return
        event.ignore()
