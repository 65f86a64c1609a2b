"""What a view asks of the tool that it hands its mouse and keys to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent, QMouseEvent

from cxr_desktop.state.geometry import PixelPoint

if TYPE_CHECKING:
    from cxr_desktop.views.image_view import ImageView


class Tool(Protocol):
    """What the left button does. Points are places in the image; an event that a tool ignores goes to the items.

    The middle button pans, the right one windows and the wheel zooms whatever the tool.
    """

    @property
    def name(self) -> str:
        """Its id in the list of commands."""

    @property
    def cursor(self) -> Qt.CursorShape:
        """The cursor over the image."""

    def press(self, view: ImageView, point: PixelPoint, event: QMouseEvent) -> None:
        """The left button went down."""

    def move(self, view: ImageView, point: PixelPoint, event: QMouseEvent) -> None:
        """The mouse moved, with or without the left button."""

    def release(self, view: ImageView, point: PixelPoint, event: QMouseEvent) -> None:
        """The left button went up."""

    def double_click(self, view: ImageView, point: PixelPoint, event: QMouseEvent) -> None:
        """The left button was clicked twice."""

    def takes(self, event: QKeyEvent) -> bool:
        """Whether `key` does something with a key now: it is then no shortcut of the window."""

    def key(self, view: ImageView, event: QKeyEvent) -> bool:
        """Whether the key was for the tool."""

    def cancel(self, view: ImageView) -> None:
        """Give up what was begun: Escape, another tool, another image."""
