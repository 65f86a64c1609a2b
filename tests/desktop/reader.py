"""A reader at the window: waits for what is to be seen, presses keys, drags the mouse, all by the window system."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from types import TracebackType

from PySide6.QtCore import QElapsedTimer, QEventLoop, QPoint, QPointF, Qt, QTimer
from PySide6.QtGui import QImage, QKeySequence
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLineEdit, QWidget

from cxr_desktop.state.geometry import PixelPoint
from cxr_desktop.views.image_view import ImageView
from cxr_desktop.window.main_window import MainWindow
from cxr_desktop.window.pane import Pane
from cxr_desktop.window.station import Station

#: Milliseconds; child processes start on a busy machine.
PATIENCE = 60_000


def until(condition: Callable[[], object], what: str) -> None:
    """Let the window run until something holds. QTest.qWait would starve the threads that read from children."""
    if condition():
        return
    loop, timer, clock = QEventLoop(), QTimer(), QElapsedTimer()
    clock.start()
    timer.timeout.connect(lambda: loop.quit() if condition() or clock.elapsed() > PATIENCE else None)
    timer.start(10)
    loop.exec()
    timer.stop()
    assert condition(), f"waited in vain until {what}"


def end_at_errors(window: MainWindow) -> None:
    """The window tells of what nobody caught, and stays; here that is the end."""

    def end(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        traceback.print_exception(kind, error, trace)
        window.close()
        QApplication.exit(1)

    sys.excepthook = end


class Reader:
    """Sits before a window that was shown."""

    def __init__(self, window: MainWindow) -> None:
        until(lambda: window.findChild(Station) is not None, "the window was filled")
        station = window.findChild(Station)
        assert station is not None
        self.window, self.station = window, station
        _give_keyboard(window)

    @property
    def current(self) -> Pane:
        return self.station.viewing.area.current

    @property
    def prior(self) -> Pane:
        return self.station.viewing.area.prior

    @property
    def view(self) -> ImageView:
        return self.current.view

    def key(self, key: Qt.Key, modifiers: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
        """Press a key of the keyboard."""
        QTest.keyClick(self.window.windowHandle(), key, modifiers)

    def command(self, name: str) -> None:
        """Press the key that stands beside a command in the menu."""
        action = self.window.actions_[name]
        assert action.isEnabled(), f"{name} is off"
        _give_keyboard(self.window)
        QTest.keySequence(self.window.windowHandle(), QKeySequence(action.shortcut()))

    def answer_dialog(self, text: str) -> None:
        """Type over what stands in the field of the dialog that has opened, press Return, and wait until it closes."""
        until(QApplication.activeModalWidget, "a dialog is there")
        dialog = QApplication.activeModalWidget()
        assert dialog is not None
        _give_keyboard(dialog)
        QTest.keyClick(dialog.windowHandle(), Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
        field = dialog.focusWidget()
        assert isinstance(field, QLineEdit), "the field to write in has the keyboard"
        QTest.keyClicks(field, text)
        QTest.keyClick(dialog.windowHandle(), Qt.Key.Key_Return)
        until(lambda: QApplication.activeModalWidget() is None, "the dialog is closed")

    def click(self, widget: QWidget) -> None:
        """Press a button on the screen."""
        place = _in_window(widget, widget.rect().center())
        QTest.mouseClick(
            widget.window().windowHandle(), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, place
        )

    def drag(self, view: ImageView, *places: PixelPoint, button: Qt.MouseButton = Qt.MouseButton.LeftButton) -> None:
        """Press at the first place of the image, move over the others, let go at the last."""
        handle, none = view.window().windowHandle(), Qt.KeyboardModifier.NoModifier
        points = [_in_window(view.viewport(), view.to_view(place).toPoint()) for place in places]
        QTest.mouseMove(handle, points[0])
        QTest.mousePress(handle, button, none, points[0])
        for point in points[1:]:
            QTest.mouseMove(handle, point)
        QTest.mouseRelease(handle, button, none, points[-1])

    def click_at(self, view: ImageView, place: PixelPoint) -> None:
        """Point at a place of the image and click."""
        self.drag(view, place, place)

    def wheel(self, view: ImageView, place: PixelPoint, notches: int) -> None:
        """Turn the wheel over a place of the image; away from the hand is up."""
        at = _in_window(view.viewport(), view.to_view(place).toPoint())
        QTest.wheelEvent(view.window().windowHandle(), QPointF(at), QPoint(0, 120 * notches))

    def seen(self) -> QImage:
        """What stands on the screen."""
        QApplication.processEvents()
        return self.window.screen().grabWindow(self.window.winId()).toImage()


def _give_keyboard(window: QWidget) -> None:
    """As a window manager does, of which there is none."""
    window.activateWindow()
    until(window.isActiveWindow, "the window has the keyboard")


def _in_window(widget: QWidget, place: QPoint) -> QPoint:
    return widget.mapTo(widget.window(), place)
