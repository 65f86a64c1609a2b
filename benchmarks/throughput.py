"""Films a second of `cxr predict` over a folder of 50 films of 2048 x 2500, by transfer syntax (information)."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

from benchmarks.material import drawn_film, write_film
from benchmarks.measure import run_process
from benchmarks.report import Figure
from benchmarks.setting import Setting, cxr_command

FILMS = 50
SYNTAXES = (
    "explicit",
    "implicit",
    "deflated",
    "big-endian",
    "rle",
    "jpeg-lossless-sv1",
    "jpeg-ls",
    "jpeg2000-lossless",
    "jpeg2000",
    "htj2k-lossless",
)


def run(setting: Setting) -> Iterator[Figure]:
    """Whole process, start included, one thread."""
    stored = drawn_film()
    for syntax in SYNTAXES:
        folder = setting.work / syntax
        folder.mkdir()
        first = write_film(folder / "01.dcm", stored, syntax)
        for number in range(2, FILMS + 1):
            (folder / f"{number:02}.dcm").hardlink_to(first)
        done = run_process([cxr_command(), "predict", "--json", str(folder)])
        assert done.output.count('"status": "predicted"') == FILMS, done.output[:500]
        cpu_ms = 1000 * done.cpu_s / FILMS
        detail = f"{FILMS} films in {done.wall_s:.1f} s, {cpu_ms:.0f} ms CPU each, peak {done.peak_mb:.0f} MB"
        yield Figure(f"films a second, {syntax}", FILMS / done.wall_s, "", None, detail)
        shutil.rmtree(folder)
