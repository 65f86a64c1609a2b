"""A screen for the viewer's benchmarks: Qt's offscreen, or a real window on an Xvfb of its own; each run a process."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.measure import reference_loop, wall_ms
from benchmarks.report import NotRunError

#: Large enough for the view of the marks at a device pixel ratio of 2.
_SCREEN = "2600x2600x24"


@contextmanager
def screens(folder: Path) -> Iterator[dict[str, dict[str, str]]]:
    """Environments for a process by what they are called: "offscreen" and, where there is an Xvfb, "Xvfb".

    Settings and index of the viewer are in `folder`.
    """
    own = {name: str(folder / name) for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME")}
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("QT_", "DISPLAY", "WAYLAND"))}
    found = {"offscreen": plain | own | {"QT_QPA_PLATFORM": "offscreen"}}
    program = shutil.which("Xvfb")
    if program is None:
        yield found
        return
    read_end, write_end = os.pipe()
    command = [program, "-displayfd", str(write_end), "-screen", "0", _SCREEN, "-nolisten", "tcp"]
    server = subprocess.Popen(command, pass_fds=(write_end,), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        os.close(write_end)
        with os.fdopen(read_end) as told:
            number = told.readline().strip()  # "" when it ended
        if number:
            found["Xvfb"] = plain | own | {"QT_QPA_PLATFORM": "xcb", "DISPLAY": f":{number}"}
        yield found
    finally:
        server.terminate()
        server.wait()


def need_xvfb(found: Mapping[str, object]) -> None:
    """Raises NotRunError where there is no real window; to be called when what needs none has been measured."""
    if "Xvfb" not in found:
        raise NotRunError("in a real window it needs an X server: apt-get install xvfb")


def measured(module: str, arguments: Sequence[str], environment: Mapping[str, str]) -> dict[str, Any]:
    """Run `python -m benchmarks.MODULE` and return the JSON of its last line."""
    command = [sys.executable, "-m", f"benchmarks.{module}", *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, env=dict(environment), cwd=Path(__file__).parent.parent, check=False
    )
    if done.returncode != 0 or not done.stdout.strip():
        raise RuntimeError(f"benchmarks.{module} ended with {done.returncode}: {done.stderr[-2000:]}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


class Beside:
    """The reference loop's wall-clock time in the turns of a measurement."""

    def __init__(self) -> None:
        self._times: list[float] = []

    def take(self) -> None:
        """Run it once."""
        self._times.append(wall_ms(reference_loop))

    def words(self) -> str:
        """For a figure's line."""
        return f"reference loop {statistics.median(self._times):.1f} ms wall (best {min(self._times):.1f})"
