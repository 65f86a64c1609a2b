"""The command `cxr-desktop [PATH...]`: the window first, with PySide6 alone; what is heavy after its first paint."""

from __future__ import annotations

import argparse
import gc
import logging
import sys
from pathlib import Path
from types import TracebackType

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication

from cxr_core import __version__
from cxr_desktop.state.places import Places
from cxr_desktop.state.settings import read_settings
from cxr_desktop.window.main_window import MainWindow
from cxr_desktop.window.theme import apply_theme

log = logging.getLogger("cxr_desktop")


def main(arguments: list[str] | None = None) -> int:
    """Run the viewer until its window is closed; its exit code."""
    parser = argparse.ArgumentParser(
        prog="cxr-desktop", description="A reading station for chest radiographs. Research use only, not for diagnosis."
    )
    parser.add_argument("paths", nargs="*", metavar="PATH", help="file, folder, zip, DICOMDIR, JPEG or PNG to open")
    parser.add_argument("--version", action="version", version=f"cxr-desktop {__version__}")
    paths = parser.parse_args(arguments).paths
    application = QApplication.instance() or QApplication(sys.argv[:1])
    assert isinstance(application, QApplication)
    application.setApplicationName("cxr-desktop")
    application.setApplicationDisplayName("CXR reading station")
    application.setApplicationVersion(__version__)
    apply_theme(application)
    window = open_window(Places.of_user(), paths)
    window.show()
    return application.exec()


def open_window(places: Places, paths: list[str]) -> MainWindow:
    """The window, which fills itself after its first paint and then opens `paths`."""
    settings, wrong = read_settings(places.settings_file)
    window = MainWindow(settings, places.window_file)
    _tell_unexpected(window)

    def fill() -> None:
        for text in filter(None, (_log_to(places.log_file), wrong)):
            window.messages.tell(text, "warning")
        from cxr_desktop.window.station import Station

        station = Station(window, settings, places)
        gc.freeze()  # what is loaded by now is not looked through again: a collection would hold a frame for 60 ms
        station.begin(paths)

    window.painted.connect(lambda: QTimer.singleShot(0, fill))
    return window


def _log_to(path: Path) -> str | None:
    """Log to a file that stays small; in one line why not."""
    from logging.handlers import RotatingFileHandler  # with it come sockets and pickle: not before the first paint

    for handler in list(log.handlers):
        log.removeHandler(handler)
        handler.close()
    log.setLevel(logging.INFO)
    log.propagate = False
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handler = RotatingFileHandler(path, maxBytes=1_000_000, backupCount=2, encoding="utf-8", delay=False)
    except OSError as error:
        return f"No log is written: {path.parent} ({error.strerror})"
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.addHandler(handler)
    log.info("started, version %s", __version__)
    return None


def _tell_unexpected(window: MainWindow) -> None:
    """What nobody caught becomes a message and a line of the log; the window stays."""

    def tell(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            QApplication.quit()
            return
        place = where(trace)
        log.error("unexpected %s at %s", kind.__name__, place)
        window.messages.tell(f"Something went wrong that should not ({kind.__name__} at {place}); nothing was lost. "
                             "Help > Open the log folder has more.")  # fmt: skip

    sys.excepthook = tell


def where(trace: TracebackType | None) -> str:
    """The last of our own lines in a traceback, as module:line. Texts of errors may hold what a header says."""
    found = "?"
    while trace is not None:
        name = str(trace.tb_frame.f_globals.get("__name__", ""))
        if name.startswith(("cxr_", "dicom_node")):
            found = f"{name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return found


if __name__ == "__main__":
    sys.exit(main())
