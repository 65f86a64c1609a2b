"""The view of one image as a reader works with it: what is written over the film, tools, mouse and keys."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPoint, QPointF, QRect, QRectF, Qt, Signal
from PySide6.QtGui import QFontInfo, QImage, QKeyEvent, QMouseEvent, QPainter, QWheelEvent
from PySide6.QtWidgets import QWidget

from cxr_desktop.state.corner_text import CornerLines, corner_lines
from cxr_desktop.state.display import DisplayState
from cxr_desktop.state.geometry import PixelPoint
from cxr_desktop.state.marks import lossy_words, scaling_words, turned_words
from cxr_desktop.state.orientation import edge_letters, patient_orientation
from cxr_desktop.state.patient_text import date
from cxr_desktop.state.records import LoadedImage
from cxr_desktop.state.windowing import Direction, dragged_window, window_words
from cxr_desktop.views.decorations import Decorations, draw_decorations, lowest_edge
from cxr_desktop.views.film_view import FilmView
from cxr_desktop.views.heat_map import HeatMapLayer
from cxr_desktop.views.image_menu import ImageMenu
from cxr_desktop.views.legend import legend_image
from cxr_desktop.views.loupe import Loupe
from cxr_desktop.views.navigation import Navigation
from cxr_desktop.views.text import OutlinedText
from cxr_desktop.views.tool import Tool

#: Views narrower than this (logical pixels) show short corner text, or none.
_SHORT_TEXT, _NO_TEXT = 460, 280


class ImageView(FilmView):
    """A view of one image. Scene coordinates are image coordinates: PixelPoint.x, y.

    Signals: displayChanged(DisplayState | None), imageChanged(LoadedImage | None), cursorMoved(PixelPoint | None).
    """

    cursorMoved = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._tool: Tool | None = None
        self._navigation = Navigation()
        self._legend: tuple[tuple[object, ...], QImage] | None = None
        self._corner_text_level = 2
        self._loupe: Loupe | None = None
        self._text = OutlinedText()

    def show_image(self, loaded: LoadedImage | None, display: DisplayState | None = None) -> None:
        """Show another image, as it asks to be shown or as `display` says; None empties the view.

        What the tool had begun, the map and the magnifier go with the former image.
        """
        if self._tool is not None:
            self._tool.cancel(self)
        self._loupe = None
        super().show_image(loaded, display)
        told = None if loaded is None else loaded.record
        words = [] if told is None else [told.body_part, told.view_position, date(told.study_date)]
        self.setAccessibleDescription(" ".join(filter(None, words)))

    def set_corner_text_level(self, level: int) -> None:
        """0 none, 1 short, 2 full; a small view shows less."""
        self._corner_text_level = level
        self.viewport().update()

    def set_loupe(self, point: PixelPoint | None) -> None:
        """Magnify around a place of the image; None ends it."""
        if point is None or self.film is None:
            self._loupe = None
        elif self._loupe is None:
            self._loupe = Loupe(self.film, point)
        else:
            self._loupe.point = point
        self.viewport().update()

    def set_window_direction(self, direction: Direction) -> None:
        """Which way of a window drag is brighter: ViewerSettings.window_drag."""
        self._navigation.direction = direction

    def show_menu(self, at: QPoint) -> None:
        """Pop the menu of the image up at a place of the screen."""
        if self.film is not None and self.display is not None:
            menu = ImageMenu(self, self.film, self.display)
            menu.aboutToHide.connect(menu.deleteLater)
            menu.popup(at)

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

    def drag_window(self, dx: float, dy: float, *, faster: bool = False) -> None:
        """Change window and level as a drag by logical pixels of the view does."""
        if self.display is not None and self.film is not None:
            attributes, direction = self.film.attributes, self._navigation.direction
            self.set_display(dragged_window(self.display, dx, dy, attributes, faster=faster, direction=direction))

    def drawForeground(self, painter: QPainter, rect: QRectF | QRect) -> None:
        """What is written over the film and the items; the magnifier over it all."""
        if self.film is None or self.display is None:
            return
        ratio = self.devicePixelRatioF()
        width, height = self.device_size()
        size = round(QFontInfo(self.font()).pixelSize() * ratio)
        painter.save()
        self.to_device_pixels(painter)
        area = QRectF(0, 0, width, height)
        written = draw_decorations(painter, self._text, self._decorations(self.film.loaded, self.display), area, size)
        layer = self.heat_map
        if layer is not None and layer.has_legend and self.viewport().width() >= _NO_TEXT:
            legend = self._legend_of(layer, size, round(min(0.4 * width, 24 * size)))
            left = width - legend.width() - size // 2
            below = lowest_edge(written, left, height)
            painter.drawImage(QPointF(left, below - legend.height() - size // 2), legend)
        if self._loupe is not None:
            at = self.to_view(self._loupe.point) * ratio
            self._loupe.draw(painter, self.display, at=at, zoom=self.shown_zoom, ratio=ratio, smooth=self.smooth)
        painter.restore()

    def _decorations(self, loaded: LoadedImage, display: DisplayState) -> Decorations:
        width = self.viewport().width()
        level = min(self._corner_text_level, 0 if width < _NO_TEXT else 1 if width < _SHORT_TEXT else 2)
        corners: CornerLines = {}
        if level:
            corners = corner_lines(loaded, level)
            corners.setdefault("bottom left", []).append(window_words(display))
            if self.film is not None and self.film.notes:
                corners.setdefault("bottom right", []).extend(self.film.notes)
        orientation = patient_orientation(loaded.data_set)
        scaling = scaling_words(self.shown_scales, exact=self.exact, smooth=self.smooth)
        return Decorations(
            corners,
            edge_letters(orientation, quarter_turns=display.quarter_turns, flipped=display.flipped),
            turned_words(display),
            " · ".join(filter(None, [scaling, lossy_words(loaded)])),
        )

    def _legend_of(self, layer: HeatMapLayer, size: int, width: int) -> QImage:
        key = (layer, size, width)
        if self._legend is None or self._legend[0] != key:
            self._legend = key, legend_image(layer, size, width)
        return self._legend[1]

    def event(self, event: QEvent) -> bool:
        """A key that the tool wants before it is a shortcut of the window."""
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
        if self._tool is not None and self.film is not None and event.button() == Qt.MouseButton.LeftButton:
            self._tool.press(self, self.to_image(event.position()), event)
            if event.isAccepted():
                return
        super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """To the drag that goes on, to the tool, then to the items."""
        if self.film is not None:
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
        if self._tool is not None and self.film is not None and event.button() == Qt.MouseButton.LeftButton:
            self._tool.release(self, self.to_image(event.position()), event)
            if event.isAccepted():
                return
        super().mouseReleaseEvent(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Left to the tool; the second press of another button is a press."""
        if self._navigation.press(event):
            return
        if self._tool is not None and self.film is not None and event.button() == Qt.MouseButton.LeftButton:
            self._tool.double_click(self, self.to_image(event.position()), event)
            if event.isAccepted():
                return
        super().mouseDoubleClickEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        """The cursor is over no place of the image."""
        super().leaveEvent(event)
        self.cursorMoved.emit(None)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """To the tool, then to the window: nothing scrolls here. The menu key opens the menu of the image."""
        if event.key() == Qt.Key.Key_Menu:
            self.show_menu(self.viewport().mapToGlobal(self.viewport().rect().center()))
        elif self._tool is None or not self._tool.key(self, event):
            event.ignore()
