"""A folder of 500 studies, listed in the whole window: how long it takes, and how long the window does not answer.

A timer of 10 ms runs from the choice of the folder on, until all is listed and for a while after that, in which the
small pictures of what is visible are made; the gap between two of its ticks is how long the window did not answer.
Nothing is known of the folder beforehand. Its files are in the system's file cache, for they were just written.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.desktop_screen import Beside, measured, need_xvfb, screens
from benchmarks.material import drawn_film
from benchmarks.report import Figure, at_most
from benchmarks.setting import Setting
from tests.dicom_builder import build

STUDIES, SHORT_STUDIES = 500, 60
#: The first turn starts the processes, and counts.
TURNS, SHORT_TURNS = 20, 3
#: After the listing, in milliseconds.
_AFTER = 1500
#: In the header of the file that is copied, where a copy has its number.
_NUMBER = b"0000000"


def run(setting: Setting) -> Iterator[Figure]:
    """Median time and worst gap, offscreen and in a real window."""
    folder = setting.work / "studies"
    folder.mkdir()
    studies, turns = (SHORT_STUDIES, SHORT_TURNS) if setting.short else (STUDIES, TURNS)
    size = _write_studies(folder, studies)
    with screens(setting.work) as found:
        for name, environment in found.items():
            result = measured("desktop_list", [str(folder), str(studies), str(turns)], environment)
            times, gaps = result["times"], result["gaps"]
            detail = f"{turns} turns, {min(times):.2f} to {max(times):.2f}; {size / 1e6:.1f} MB a study"
            what = f"{studies} studies, {name}"
            yield Figure(f"{what}, listed, median", statistics.median(times), "s", at_most(10), detail)
            detail = (
                f"worst of each turn: median {statistics.median(gaps):.0f}, {sum(gap > 50 for gap in gaps)} of {turns} "
                f"above 50; {result['thumbnails']} small pictures; {result['beside']}"
            )
            yield Figure(f"{what}, worst gap of the window", max(gaps), "ms", at_most(50), detail)
        need_xvfb(found)


def _write_studies(folder: Path, studies: int) -> int:
    """Films that differ in what names them; the size of one in bytes."""
    names = ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "PatientName", "PatientID")
    starts = ("2.25.11", "2.25.12", "2.25.13", "SYNTHETIC^", "S-")
    named: dict[str, Any] = {name: start + _NUMBER.decode() for name, start in zip(names, starts, strict=True)}
    content = build(drawn_film(), bits_stored=14, **named)
    head, pixels = content[:4096], content[4096:]
    for one in range(1, studies + 1):
        numbered = head.replace(_NUMBER, f"{one:07}".encode())
        (folder / f"{one:04}.dcm").write_bytes(numbered + pixels)
    os.sync()
    return len(content)


def main(folder: str, studies: int, turns: int) -> None:
    """In the process of its own: print seconds and the worst gap of every turn."""
    from PySide6.QtCore import Qt, QTimer

    from benchmarks.desktop_station import Bench

    bench, beside = Bench(), Beside()
    opening = bench.station.opening
    listed = opening.browser.model
    ticks: list[float] = []
    timer = QTimer()
    timer.setTimerType(Qt.TimerType.PreciseTimer)
    timer.timeout.connect(lambda: ticks.append(time.perf_counter()))
    times, gaps, pictures = [], [], 0
    for _ in range(turns):
        beside.take()
        opening.forget()
        bench.pause(300)
        ticks.clear()
        timer.start(10)
        started = time.perf_counter()
        opening.open([folder])
        bench.until(lambda: len(listed.browser) == studies, "all are listed")
        times.append(time.perf_counter() - started)
        bench.pause(_AFTER)
        timer.stop()
        gaps.append(1000 * max(after - before for before, after in zip([started, *ticks], ticks, strict=False)))
        pictures += sum(not listed.wants_thumbnail(record) for record in listed.browser.records())
    bench.close()
    print(json.dumps({"times": times, "gaps": gaps, "thumbnails": pictures, "beside": beside.words()}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
