"""A day's signals do not end the process: PySide6 6.12.0 takes a reference to True with each."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

MANY_SIGNALS = """
import cxr_desktop
from PySide6.QtCore import QObject, Signal

class Source(QObject):
    told = Signal()

source = Source()
for _ in range(20_000):
    source.told.emit()
"""


def test_twenty_thousand_signals_are_harmless() -> None:
    command = [sys.executable, "-c", MANY_SIGNALS]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2], timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
