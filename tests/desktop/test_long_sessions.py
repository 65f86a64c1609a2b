"""A long session: what is harmless once must stay so a hundred thousand times."""

from __future__ import annotations

import subprocess
import sys

_CALLS = """
import cxr_desktop
from PySide6.QtGui import QImage, QPainter
picture = QImage(8, 8, QImage.Format.Format_RGB32)
painter = QPainter(picture)
for _ in range(100_000):
    painter.resetTransform()
painter.end()
print("alive")
"""


def test_the_interpreter_survives_any_number_of_qt_calls() -> None:
    run = subprocess.run([sys.executable, "-c", _CALLS], capture_output=True, text=True, check=False)
    assert run.stdout == "alive\n", run.stderr
