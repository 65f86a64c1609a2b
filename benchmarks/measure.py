"""Clocks: CPU of a function, time and peak memory of a whole process, and the reference loop beside them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np

#: An absolute figure is the median of so many.
REPEATS = 20
_LAUNCHER = Path(__file__).with_name("launch.py")


def cpu_ms(work: Callable[[], object]) -> float:
    """CPU milliseconds of one call, all threads of this process."""
    started = time.process_time()
    work()
    return 1000 * (time.process_time() - started)


def process_cpu_ms(process_id: int) -> float:
    """CPU milliseconds so far of another process, all threads, and of its children that have ended.

    Its own by its CPU clock, whose number is made as clock_getcpuclockid(3) does: /proc counts in steps of 10 ms.
    """
    fields = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
    of_children = sum(map(int, fields[13:15])) / os.sysconf("SC_CLK_TCK")
    return 1000 * (time.clock_gettime(~process_id << 3 | 2) + of_children)


def peak_mb(process_id: int) -> float:
    """Maximum resident set of a running process, 2**20 bytes."""
    lines = Path(f"/proc/{process_id}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def wall_ms(work: Callable[[], object]) -> float:
    """Wall-clock milliseconds of one call."""
    started = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - started)


#: Made once: fresh arrays would measure the allocator, which learns during a run.
_REFERENCE = np.arange(400_000, dtype=np.float32)
_SCRATCH = np.zeros_like(_REFERENCE)


def reference_loop() -> float:
    """A fixed piece of work: half interpreter, half arrays. Its time tells an idle machine from a loaded one."""
    total = 0
    for step in range(60_000):
        total += step * step % 7
    for _ in range(12):
        np.multiply(_REFERENCE, _REFERENCE, out=_SCRATCH)
        np.sqrt(_SCRATCH, out=_SCRATCH)
    return total + float(_SCRATCH[-1])


@dataclass(frozen=True, slots=True)
class Absolute:
    """CPU milliseconds of some work, with the reference loop's own beside them: medians of the same turns."""

    milliseconds: float
    reference: float

    @property
    def detail(self) -> str:
        """For a figure's line."""
        return f"median of {REPEATS}; reference loop {self.reference:.1f} ms in the same turns"


def absolute(work: Callable[[], object]) -> Absolute:
    """Measure CPU time, after one call that does not count."""
    work()
    pairs = [(cpu_ms(work), cpu_ms(reference_loop)) for _ in range(REPEATS)]
    return Absolute(median(pair[0] for pair in pairs), median(pair[1] for pair in pairs))


def interleaved(
    clock: Callable[[Callable[[], object]], float],
    first: Callable[[], object],
    second: Callable[[], object],
    pairs: int,
) -> tuple[float, float]:
    """Medians of two works that take turns, after one call each that does not count."""
    first()
    second()
    # Who begins alternates, so that neither always finds the caches as the other left them.
    times: tuple[list[float], list[float]] = ([], [])
    for turn in range(pairs):
        for which in (0, 1) if turn % 2 == 0 else (1, 0):
            times[which].append(clock((first, second)[which]))
    return median(times[0]), median(times[1])


@dataclass(frozen=True, slots=True)
class ProcessRun:
    """One run of a command, from start to end."""

    wall_s: float
    cpu_s: float
    peak_mb: float
    """Maximum resident set, 2**20 bytes."""

    output: str


def run_process(command: Sequence[str]) -> ProcessRun:
    """Run a command and wait for it.

    Through a small launcher: on Linux a child's ru_maxrss starts at what its parent had, and we may be large.
    """
    # With this variable set no byte code is kept, and every run compiles all that it imports.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(
        [sys.executable, "-I", str(_LAUNCHER), *command], capture_output=True, text=True, env=environment, check=True
    )
    result = json.loads(done.stdout)
    if result["code"]:
        raise RuntimeError(
            f"{command[0]} ended with {result['code']}: {result['output'][-2000:]}\n{done.stderr[-2000:]}"
        )
    return ProcessRun(result["wall_s"], result["cpu_s"], result["maxrss_kb"] / 1024, result["output"])
