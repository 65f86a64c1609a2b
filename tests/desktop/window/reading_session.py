"""A reader's session at `cxr-desktop`, in a process of its own: python -m THIS_MODULE PART FOLDER."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from PySide6.QtCore import QPointF, Qt, QTimer
from PySide6.QtWidgets import QApplication

from cxr_desktop import start
from cxr_desktop.state.geometry import PixelPoint
from cxr_desktop.state.measurement import CardiothoracicRatio, Length
from cxr_desktop.window.main_window import MainWindow
from tests.desktop.reader import Reader, end_at_errors, until

Key = Qt.Key
_CONTROL = Qt.KeyboardModifier.ControlModifier


def read(reader: Reader, folder: Path) -> None:
    """The whole way: look, measure, ask, judge, compare."""
    until(lambda: _name(reader.current.loaded) == str(folder / "now.dcm"), "the newest film is there")
    until(lambda: len(reader.station.opening.browser.model.browser) == 2, "both films are listed")
    assert not reader.current.answers, "nobody asked"
    _look(reader)
    reader.command("reset")
    _export_the_film(reader, folder.parent / "plain.png")
    _measure_by_mouse(reader)
    _measure_by_keyboard(reader)
    _ask(reader)
    _export_what_is_seen(reader, folder.parent / "seen.png")
    _compare(reader)


def reopen(reader: Reader, folder: Path) -> None:
    """The next day: what was measured, answered and judged is there again."""
    until(lambda: _name(reader.current.loaded) == str(folder / "now.dcm"), "the film is there")
    model = reader.current.model
    assert model is not None
    assert [type(one) for one in model.measurements] == [Length, CardiothoracicRatio] * 2
    assert reader.current.loaded is not None
    film, index = reader.current.loaded, reader.station.index
    assert [opinion["judgement"] for opinion in index.opinions_of(film.key)] == ["agree"]
    assert len(index.answers_of(film.record.key)) == 1


def _look(reader: Reader) -> None:
    view = reader.view
    first, before = view.display, _grey(reader)
    assert first is not None
    reader.drag(
        view, PixelPoint(300, 300), PixelPoint(340, 300), PixelPoint(380, 340), button=Qt.MouseButton.RightButton
    )
    assert view.display is not None
    assert view.display.voi != first.voi, "a right drag windows"
    assert _grey(reader) != before, "and that is seen"
    here = PixelPoint(500, 200)
    place, fitted = view.to_view(here), view.shown_zoom
    reader.wheel(view, here, 3)
    assert view.shown_zoom > 1.5 * fitted
    assert (view.to_view(here) - place).manhattanLength() < 3, "the wheel zooms about the pointer"
    reader.command("invert")
    assert view.display.inverted


def _measure_by_mouse(reader: Reader) -> None:
    view, model = reader.view, reader.current.model
    assert model is not None
    reader.command("tool_length")
    reader.drag(view, PixelPoint(200, 200), PixelPoint(250, 230), PixelPoint(320, 290))
    (length,) = model.measurements
    assert _near(length.points, [(200, 200), (320, 290)], view.to_image(QPointF(1, 0)).x - view.to_image(QPointF()).x)
    words = "; ".join(reader.station.viewing.measurements.text())
    assert "mm" in words, words
    reader.command("tool_ctr")
    reader.drag(view, PixelPoint(360, 120), PixelPoint(360, 300), PixelPoint(360, 480))
    reader.click_at(view, PixelPoint(290, 420))
    reader.click_at(view, PixelPoint(470, 430))
    reader.drag(view, PixelPoint(120, 450), PixelPoint(300, 450), PixelPoint(600, 450))
    assert [type(one) for one in model.measurements] == [Length, CardiothoracicRatio]


def _measure_by_keyboard(reader: Reader) -> None:
    model = reader.current.model
    assert model is not None
    model.select(None)  # as Escape with the select tool does; a selected one would be moved by the arrows
    reader.command("tool_length")
    _set_points(reader, [(Key.Key_Left, _CONTROL), (Key.Key_Right, _CONTROL)])
    assert len(model.measurements) == 3
    model.select(None)
    reader.command("tool_ctr")
    up, left, right = (Key.Key_Up, _CONTROL), (Key.Key_Left, _CONTROL), (Key.Key_Right, _CONTROL)
    reader.key(Key.Key_Return)  # the crosshair
    for moves in ([up], [(Key.Key_Down, _CONTROL)], [left], [right, right], [left] * 3, [right] * 4):
        for key, modifier in moves:
            reader.key(key, modifier)
        reader.key(Key.Key_Return)
    assert [type(one) for one in model.measurements] == [Length, CardiothoracicRatio] * 2
    values = reader.station.viewing.measurements.text()
    assert "0.50" in values[3], values[3]
    reader.command("tool_window")


def _set_points(reader: Reader, moves: list[tuple[Key, Qt.KeyboardModifier]]) -> None:
    reader.key(Key.Key_Return)  # the crosshair
    for key, modifier in moves:
        reader.key(key, modifier)
        reader.key(Key.Key_Return)


def _ask(reader: Reader) -> None:
    view, pane = reader.view, reader.current
    reader.command("ask")
    until(lambda: pane.answers, "the model has answered")
    assert "score" in pane.verdict()
    assert view.heat_map is None, "the map comes with the second key"
    before = reader.seen()
    reader.command("show_map")
    assert view.heat_map is not None
    assert _coloured(reader) > 20 * 20, "the map is on the screen"
    assert reader.seen() != before
    reader.command("agree")
    key = pane.loaded.key if pane.loaded is not None else ""
    until(lambda: reader.station.index.opinions_of(key), "the opinion is kept")
    assert reader.station.index.opinions_of(key)[0]["before_ai"] is False


def _export_the_film(reader: Reader, path: Path) -> None:
    loaded = reader.current.loaded
    assert loaded is not None
    reader.command("export_picture")
    reader.answer_dialog(str(path))
    picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    wanted = loaded.stored.astype(float) / 4095 * 255  # it names no window: 12 bits over their full range
    away = slice(100, 540), slice(80, 640)  # from what is written over the film
    assert picture.shape == (640, 720, 3)
    assert (picture.max(axis=2) == picture.min(axis=2))[away].all()
    assert np.abs(picture[..., 0] - wanted)[away].max() <= 0.5 + 1e-9


def _export_what_is_seen(reader: Reader, path: Path) -> None:
    reader.command("export_picture")
    reader.answer_dialog(str(path))
    plain, seen = (cv2.imread(str(one)).astype(int) for one in (path.with_name("plain.png"), path))
    assert seen.shape == plain.shape
    coloured = seen.max(axis=2) - seen.min(axis=2) > 24
    assert coloured.mean() > 0.1, "the map is on it"


def _compare(reader: Reader) -> None:
    current, prior = reader.current, reader.prior
    reader.command("prior")
    until(lambda: prior.loaded is not None, "the prior hangs")
    until(lambda: prior.answers, "the prior has its score")
    assert current.verdict().count("score") == prior.verdict().count("score") == 1
    reader.wheel(current.view, PixelPoint(360, 320), 4)
    share = current.view.shown_zoom / current.view.fitted_zoom
    assert share > 1.9
    assert abs(prior.view.shown_zoom / prior.view.fitted_zoom - share) < 0.01, "the zoom is linked"
    was = prior.view.display
    reader.drag(current.view, PixelPoint(360, 300), PixelPoint(380, 320), button=Qt.MouseButton.RightButton)
    assert was is not None
    assert prior.view.display is not None
    assert prior.view.display.voi != was.voi, "the window is linked"
    reader.command("prior")
    assert prior.isHidden()


def _name(loaded: object) -> str:
    return getattr(getattr(loaded, "record", None), "name", "")


def _grey(reader: Reader) -> int:
    """The grey amid the film, as it is on the screen."""
    view = reader.view.viewport()
    return reader.seen().pixelColor(view.mapTo(reader.window, view.rect().center())).red()


def _coloured(reader: Reader) -> int:
    """How many pixels on the screen, within the film, are of a colour."""
    view, image = reader.view.viewport(), reader.seen()
    left, top = view.mapTo(reader.window, view.rect().topLeft()).toTuple()
    step = 4
    places = ((left + x, top + y) for x in range(0, view.width(), step) for y in range(0, view.height(), step))
    colours = (image.pixelColor(*place).getRgb()[:3] for place in places)
    return step * step * sum(max(colour) - min(colour) > 24 for colour in colours)


def _near(points: tuple[PixelPoint, ...], wanted: list[tuple[float, float]], tolerance: float) -> bool:
    return all(
        abs(point.x - x) <= tolerance and abs(point.y - y) <= tolerance
        for point, (x, y) in zip(points, wanted, strict=True)
    )


PARTS: dict[str, Callable[[Reader, Path], None]] = {"read": read, "reopen": reopen}


def main(part: str, folder: Path) -> int:
    """Sit before the window that the command opens; what goes wrong ends it with its traceback."""
    application = QApplication([])

    def sit() -> None:
        windows = [widget for widget in application.topLevelWidgets() if isinstance(widget, MainWindow)]
        until(lambda: windows[0].isVisible(), "the window is there")
        end_at_errors(windows[0])
        reader = Reader(windows[0])
        PARTS[part](reader, folder)
        told = [text for text in reader.window.messages.texts() if not text.startswith("Saved:")]
        assert told == [], told
        reader.command("quit")

    QTimer.singleShot(0, sit)
    return start.main([str(folder)])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
