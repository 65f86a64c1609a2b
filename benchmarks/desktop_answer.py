"""From the question to the painted map: an answer with its overlay of a 2048x2500 film, the process warm.

The clock starts with the command that asks; as soon as the answer is there the map is asked for, and the clock stops
when the view has painted it and the screen has it.
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
from benchmarks.report import Figure, at_most
from benchmarks.setting import Setting

QUESTIONS, SHORT_QUESTIONS = 25, 5


def run(setting: Setting) -> Iterator[Figure]:
    """Medians, offscreen and in a real window."""
    film = write_film(setting.work / "film.dcm", drawn_film())
    questions = SHORT_QUESTIONS if setting.short else QUESTIONS
    with screens(setting.work) as found:
        for name, environment in found.items():
            result = measured("desktop_answer", [str(film), str(questions)], environment)
            times = result["times"]
            detail = (
                f"{len(times)} questions; {min(times):.0f} to {max(times):.0f}; the answer after "
                f"{statistics.median(result['answers']):.0f}; {result['beside']}"
            )
            what = f"answer with its overlay, {name}, median"
            yield Figure(what, statistics.median(times), "ms", at_most(300), detail)
        need_xvfb(found)


def main(path: str, questions: int) -> None:
    """In the process of its own: print the milliseconds of every question."""
    from benchmarks.desktop_station import Bench, record_at

    bench, beside = Bench(), Beside()
    record = record_at(path)
    bench.station.viewing.open(record)
    bench.until_painted(partial(bench.shows, record))
    bench.ask()
    desk = bench.station.answering.desk
    answered: list[float] = []

    def show_map(answers: tuple[object, ...]) -> None:
        if answers:
            answered.append(time.perf_counter())
            for _ in range(2):  # that of a negative answer is shown when it is asked for again
                if bench.view.heat_map is None:
                    desk.toggle_map()

    times, answers = [], []
    desk.answersChanged.connect(show_map)
    for _ in range(questions):
        desk.show_image(bench.view.loaded)  # nothing has been asked about it
        bench.pause(200)
        if bench.view.heat_map is not None:
            raise RuntimeError("a map is shown before anything was asked")
        beside.take()
        started = time.perf_counter()
        desk.ask()
        bench.until_painted(lambda: bench.view.heat_map is not None)
        times.append(1000 * (time.perf_counter() - started))
        answers.append(1000 * (answered[-1] - started))
    bench.close()
    print(json.dumps({"times": times, "answers": answers, "beside": beside.words()}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
