"""From the start of the process to the first painted window: cxr-desktop against a bare PySide6 shell.

The shell has menus, docks and a status bar of its own, and imports PySide6 alone. Both say a word when the first paint
is over, and are stopped; they take turns, so that a busy moment hits both.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator

from benchmarks.report import Figure, at_most
from benchmarks.setting import Setting

ROUNDS = 20
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
    """Ratio of medians; the platform is Qt's offscreen, or what QT_QPA_PLATFORM names."""
    environment = os.environ | {"QT_QPA_PLATFORM": os.environ.get("QT_QPA_PLATFORM", "offscreen")}
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"):
        environment[name] = str(setting.work / name)
    shell: list[float] = []
    ours: list[float] = []
    for number in range(ROUNDS + 1):
        for code, times in ((_SHELL, shell), (_OURS, ours)):
            milliseconds = _painted_ms(code, environment)
            if number:  # the first fills the file cache
                times.append(milliseconds)
    theirs, mine = statistics.median(shell), statistics.median(ours)
    yield Figure(
        "first painted window, cxr-desktop over a bare PySide6 shell",
        mine / theirs,
        "times",
        at_most(1.5),
        f"{mine:.0f} ms over {theirs:.0f} ms, medians of {ROUNDS}, {environment['QT_QPA_PLATFORM']}",
    )


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
