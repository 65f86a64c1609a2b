"""`python -m benchmarks [NAME...]`: run all benchmarks, or those named; exit code 1 on a missed mark."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path
from types import ModuleType

from benchmarks.measure import cpu_ms, reference_loop, wall_ms
from benchmarks.report import Figure, NotRunError
from benchmarks.setting import DATA_VARIABLE, Setting, data_folder

#: In order of what a newcomer asks first. Each is a module with run(setting) -> iterator of Figure.
NAMES = (
    *("whole_process", "in_process", "preprocess", "jpeg2000", "fullres", "domain", "throughput", "training"),
    *("node_receive", "node_study", "node_turnaround", "node_restart"),
    *("desktop_start", "desktop_drag", "desktop_bare", "desktop_open", "desktop_list", "desktop_answer"),
)


def main(arguments: list[str]) -> int:
    """Run what is asked for; the exit code."""
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"any of: {', '.join(NAMES)}; all when none is named")
    parser.add_argument("--list", action="store_true", help="list the benchmarks and stop")
    parser.add_argument("--short", action="store_true", help="a smaller sample where one takes minutes")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.names if name not in NAMES]
    if unknown:
        parser.error(f"no benchmark {', '.join(unknown)}; there are: {', '.join(NAMES)}")
    if options.list:
        for name in NAMES:
            print(f"{name:15} {_title(import_module(f'benchmarks.{name}'))}")
        return 0
    try:
        data = data_folder()
    except NotRunError as error:
        parser.error(str(error))
    if data is None:
        print(f"{DATA_VARIABLE} is not set: what needs real films is not run.", flush=True)
    figures: list[Figure] = []
    not_run: list[str] = []
    _print_reference()
    for name in options.names or NAMES:
        module = import_module(f"benchmarks.{name}")
        print(f"{name}: {_title(module)}", flush=True)
        started = time.perf_counter()
        try:
            with tempfile.TemporaryDirectory(prefix="cxr-bench-") as work:
                for figure in module.run(Setting(Path(work), data, options.short)):
                    figures.append(figure)
                    print(figure.line(), flush=True)
        except NotRunError as error:
            not_run.append(name)
            print(f"  not run: {error}", flush=True)
        print(f"  took {time.perf_counter() - started:.0f} s", flush=True)
    _print_reference()
    marked = [figure for figure in figures if figure.mark is not None]
    missed = [figure for figure in marked if figure.missed]
    print(f"{len(marked) - len(missed)} marks met, {len(missed)} missed; not run: {', '.join(not_run) or 'none'}")
    for figure in missed:
        print(figure.line())
    return 1 if missed else 0


def _title(module: ModuleType) -> str:
    return (module.__doc__ or "").splitlines()[0]


def _print_reference() -> None:
    reference_loop()
    best = min(cpu_ms(reference_loop) for _ in range(5))
    worst = max(wall_ms(reference_loop) for _ in range(5))
    print(f"reference loop: {best:.1f} ms CPU at best, {worst:.1f} ms wall at worst of 5 (far apart: a loaded machine)")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
