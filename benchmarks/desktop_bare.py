"""The film alone at fit, nothing over it: our view against pyqtgraph's ImageItem with levels, in one process.

A frame is a new window, a synchronous repaint and the screen's word (QGuiApplication.sync). They take turns, a short
drag each, for a drag is what either finds its caches filled by; and each paints once a frame.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Iterator
from functools import partial

from benchmarks.desktop_screen import measured, need_xvfb, screens
from benchmarks.material import drawn_film, write_film
from benchmarks.measure import wall_ms
from benchmarks.report import Figure, at_least
from benchmarks.setting import Setting

ROWS, COLUMNS = 3056, 2500
WIDTH, HEIGHT = 1000, 1200
DRAGS, FRAMES = 10, 12


def run(setting: Setting) -> Iterator[Figure]:
    """Ratio of medians, offscreen and in a real window."""
    film = write_film(setting.work / "film.dcm", drawn_film(ROWS, COLUMNS, 16), bits=16)
    with screens(setting.work) as found:
        for name, environment in found.items():
            result = measured("desktop_bare", [str(film)], environment)
            ours, theirs = (statistics.median(result["frames"][who]) for who in ("ours", "theirs"))
            detail = f"{theirs:.1f} ms over {ours:.2f} ms, medians of {DRAGS * FRAMES} frames in {DRAGS} turns"
            if result["paints"] != {"ours": DRAGS * FRAMES, "theirs": DRAGS * FRAMES}:
                raise RuntimeError(f"{result['paints']} paintings in {DRAGS * FRAMES} frames each")
            yield Figure(f"bare film at fit, {name}, pyqtgraph over ours", theirs / ours, "times", at_least(5), detail)
        need_xvfb(found)


def main(path: str) -> None:
    """In the process of its own: print the milliseconds of every frame."""
    import pyqtgraph  # type: ignore[import-untyped]  # it has no stubs
    from PySide6.QtCore import QEvent
    from PySide6.QtGui import QGuiApplication, QPaintEvent
    from PySide6.QtWidgets import QApplication

    from benchmarks.desktop_station import record_at
    from cxr_core.grayscale import Window
    from cxr_desktop.state.windowing import with_window
    from cxr_desktop.views.film_view import FilmView
    from cxr_desktop.workers.loading import load

    paints = {"ours": 0, "theirs": 0}

    class View(FilmView):
        def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802  # Qt's name
            paints["ours"] += 1
            super().paintEvent(event)

    class Item(pyqtgraph.ImageItem):
        def paint(self, *arguments: object) -> None:
            paints["theirs"] += 1
            super().paint(*arguments)

    application = QApplication([])
    loaded = load(record_at(path))
    width = 30_000.0

    view = View()
    view.show_image(loaded)

    pyqtgraph.setConfigOptions(imageAxisOrder="row-major")
    item = Item(loaded.stored, levels=(5_000, 35_000))
    plot = pyqtgraph.GraphicsView()
    box = pyqtgraph.ViewBox(lockAspect=True, invertY=True, enableMenu=False, defaultPadding=0)
    plot.setCentralItem(box)
    box.addItem(item)
    box.autoRange(padding=0)

    for place, one in enumerate((view, plot)):
        one.setGeometry(place * WIDTH, 0, WIDTH, HEIGHT)  # beside each other: what is covered is not painted
        one.show()
    while not all(one.windowHandle().isExposed() for one in (view, plot)):
        application.processEvents()
    view.settle()
    application.processEvents()

    def ours(centre: float) -> None:
        assert view.display is not None
        view.set_display(with_window(view.display, Window(centre, width)))
        view.viewport().repaint()
        QGuiApplication.sync()

    def theirs(centre: float) -> None:
        item.setLevels((centre - width / 2, centre + width / 2))
        # The scene repaints its view in this call; a repaint() before it would be painted over again.
        QApplication.sendPostedEvents(plot.scene(), QEvent.Type.MetaCall)
        QGuiApplication.sync()

    works = {"ours": ours, "theirs": theirs}
    for work in works.values():
        work(1.0)  # does not count
    paints.update(ours=0, theirs=0)
    frames: dict[str, list[float]] = {"ours": [], "theirs": []}
    for drag in range(DRAGS):
        for who, work in works.items():
            frames[who] += [wall_ms(partial(work, 20_000.0 + 1000 * step + drag)) for step in range(FRAMES)]
    print(json.dumps({"frames": frames, "paints": paints}))


if __name__ == "__main__":
    main(sys.argv[1])
