"""A view on the screen that is not there, and what it painted."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from PySide6.QtGui import QImage
from pytestqt.qtbot import QtBot

from cxr_desktop.state.records import LoadedImage
from cxr_desktop.views.image_view import ImageView

Shown = Callable[..., ImageView]


def pixels_of(image: QImage) -> np.ndarray:
    """An image as an array (row, column, RGB)."""
    image = image.convertToFormat(QImage.Format.Format_RGB32)
    rows = np.frombuffer(image.bits(), np.uint8).reshape(image.height(), image.bytesPerLine() // 4, 4)
    return rows[:, : image.width(), 2::-1].copy()


def painted(view: ImageView) -> np.ndarray:
    """What the view paints now: (row, column, RGB), in device pixels."""
    return pixels_of(view.viewport().grab().toImage())


def grey(view: ImageView) -> np.ndarray:
    """What the view paints, which must be grey: (row, column)."""
    shown = painted(view)
    assert (shown == shown[..., :1]).all()
    return shown[..., 0]


@pytest.fixture
def shown(qtbot: QtBot) -> Shown:
    """Makes a view of a film, by default with nothing in its corners."""

    def show(loaded: LoadedImage | None, width: int = 300, height: int = 260, *, bare: bool = True) -> ImageView:
        view = ImageView()
        qtbot.addWidget(view)
        view.resize(width, height)
        view.show()
        view.show_image(loaded)
        if bare:
            view.set_corner_text_level(0)
        return view

    return show
