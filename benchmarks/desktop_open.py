"""From the choice of a study to its film on the screen: an uncompressed 2048x2500 one, in the whole window.

The clock starts where the study browser tells of the choice and stops when the view has painted the film and the screen
has it. Every choice is another file.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Iterator
from functools import partial

from benchmarks.desktop_screen import Beside, measured, need_xvfb, screens
from benchmarks.material import drawn_film, write_film
from benchmarks.measure import wall_ms
from benchmarks.report import Figure, at_most
from benchmarks.setting import Setting

FILES, SHORT_FILES = 30, 6
#: The first choices fill caches of code, and do not count.
_WARM_UP = 3


def run(setting: Setting) -> Iterator[Figure]:
    """Medians, offscreen and in a real window."""
    stored = drawn_film()
    paths = []
    for number in range(_WARM_UP + (SHORT_FILES if setting.short else FILES)):
        shifted = stored.copy()
        shifted[:, : 10 * number] = 0  # other pixels, so that nothing that is kept of one film serves another
        path = setting.work / f"{number:03}.dcm"
        write_film(path, shifted, SOPInstanceUID=f"2.25.1{number:03}", StudyInstanceUID=f"2.25.2{number:03}")
        paths.append(str(path))
    with screens(setting.work) as found:
        for name, environment in found.items():
            result = measured("desktop_open", paths, environment)
            times = result["times"]
            detail = (
                f"{len(times)} files; {min(times):.0f} to {max(times):.0f}; of which reading "
                f"{statistics.median(result['loads']):.0f}; {result['beside']}"
            )
            what = f"from the choice to the painted film, {name}, median"
            yield Figure(what, statistics.median(times), "ms", at_most(150), detail)
        need_xvfb(found)


def main(paths: list[str]) -> None:
    """In the process of its own: print the milliseconds of every file."""
    from benchmarks.desktop_station import Bench, record_at
    from cxr_desktop.workers.loading import load

    bench, beside = Bench(), Beside()
    records = [record_at(path) for path in paths]
    times, loads = [], []
    for number, record in enumerate(records):
        bench.pause(300)
        beside.take()
        started = time.perf_counter()
        bench.station.viewing.open(record)
        bench.until_painted(partial(bench.shows, record))
        if number >= _WARM_UP:
            times.append(1000 * (time.perf_counter() - started))
            loads.append(wall_ms(partial(load, record)))
        elif number == _WARM_UP - 1:
            bench.ask()  # else the model is being loaded meanwhile
    bench.close()
    print(json.dumps({"times": times, "loads": loads, "beside": beside.words()}))


if __name__ == "__main__":
    main(sys.argv[1:])
