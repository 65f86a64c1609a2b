"""The tools on screens of more device pixels than logical ones: Qt takes the ratio once, when it starts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
@pytest.mark.parametrize("ratio", ["1.5", "2"])
def test_tools_on_a_dense_screen(ratio: str) -> None:
    environment = os.environ | {"QT_QPA_PLATFORM": "offscreen", "QT_SCALE_FACTOR": ratio}
    folder = Path(__file__).parent
    tests = [str(folder / f"test_{name}.py") for name in ("drawing", "editing", "painting", "pointing")]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]
    run = subprocess.run(
        command, env=environment, cwd=Path(__file__).parents[3], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout[-4000:]
