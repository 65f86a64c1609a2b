"""From the start of the process to the first painted window: cxr-desktop against a bare PySide6 shell.

The shell has menus, docks and a status bar of its own, and imports PySide6 alone. Both say a word when the first paint
is over, and are stopped; they take turns, so that a busy moment hits both.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Iterator

from benchmarks.desktop_screen import need_xvfb, screens
from benchmarks.report import Figure, at_most
from benchmarks.setting import Setting

ROUNDS, SHORT_ROUNDS = 20, 5
_SHELL = """
import sys
from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QApplication, QDockWidget, QLabel, QMainWindow
class Shell(QMainWindow):
    def paintEvent(self, event):
        super().paintEvent(event)
        QTimer.singleShot(0, painted)
def painted():
    sys.stdout.write("painted\\n"); sys.stdout.flush(); application.quit()
application = QApplication([])
application.setStyle("Fusion")
window = Shell()
for name in ("File", "Edit", "View", "Tools", "AI", "Compare", "Panels", "Help"):
    menu = window.menuBar().addMenu(name)
    for number in range(8):
        menu.addAction(QAction(f"{name} {number}", window))
for name, area in (("Left", Qt.DockWidgetArea.LeftDockWidgetArea), ("Right", Qt.DockWidgetArea.RightDockWidgetArea)):
    window.addDockWidget(area, QDockWidget(name, window))
window.setCentralWidget(QLabel("middle"))
window.statusBar()
window.resize(1440, 900)
window.show()
application.exec()
"""
_OURS = """
import sys
from PySide6.QtWidgets import QApplication
from cxr_desktop import start
from cxr_desktop.state.places import Places
def open_window(places, paths):
    window = real(places, paths)
    window.painted.disconnect()
    window.painted.connect(painted)
    return window
def painted():
    sys.stdout.write("painted\\n"); sys.stdout.flush(); QApplication.quit()
real, start.open_window = start.open_window, open_window
sys.exit(start.main([]))
"""


def run(setting: Setting) -> Iterator[Figure]:
    """Ratio of medians, offscreen and in a real window."""
    rounds = SHORT_ROUNDS if setting.short else ROUNDS
    with screens(setting.work) as found:
        for name, environment in found.items():
            shell: list[float] = []
            ours: list[float] = []
            for number in range(rounds + 1):
                for code, times in ((_SHELL, shell), (_OURS, ours)):
                    milliseconds = _painted_ms(code, environment)
                    if number:  # the first fills the file cache
                        times.append(milliseconds)
            theirs, mine = statistics.median(shell), statistics.median(ours)
            detail = f"{mine:.0f} ms over {theirs:.0f} ms, medians of {rounds}"
            what = f"first painted window, {name}, cxr-desktop over a bare PySide6 shell"
            yield Figure(what, mine / theirs, "times", at_most(1.5), detail)
        need_xvfb(found)


def _painted_ms(code: str, environment: dict[str, str]) -> float:
    started = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, text=True
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        milliseconds = 1000 * (time.perf_counter() - started)
        assert line == "painted\n", line
    return milliseconds
