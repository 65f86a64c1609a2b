"""`cxr predict` on one 2048 x 2500 film as a whole process, against the same done with TensorFlow and Keras."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from statistics import median

from benchmarks.material import drawn_film, write_film
from benchmarks.measure import ProcessRun, run_process
from benchmarks.report import Figure, NotRunError, at_least, at_most
from benchmarks.setting import Setting, cxr_command
from cxr_core.bundle import MODEL, find_bundle

PAIRS = 5


def run(setting: Setting) -> Iterator[Figure]:
    """Wall time and peak memory, interleaved, after one run each that warms the caches."""
    if find_spec("tensorflow") is None:
        raise NotRunError("it needs TensorFlow (the extra `train`)")
    film = str(write_film(setting.work / "film.dcm", drawn_film()))
    model = str(setting.work / "model.keras")
    peer = [sys.executable, "-m", "benchmarks.keras_peer"]
    run_process([*peer, "--save", model])
    commands = {
        "cxr": [cxr_command(), "predict", film],
        "keras": [*peer, model, film],
        "overlay": [cxr_command(), "predict", film, "--heatmap-dir", str(setting.work / "overlays")],
    }
    warm = {name: run_process(command) for name, command in commands.items()}
    # Both must run one architecture, which the size of their weights tells.
    bundle = find_bundle()
    ratio = 4 * json.loads(warm["keras"].output)["weights"] / (bundle.folder / MODEL).stat().st_size
    if not 0.95 < ratio < 1.05:
        raise NotRunError(
            f"training.networks has {ratio:.2f} times the weights of the shipped {bundle.manifest.name}; export it anew"
        )
    runs: dict[str, list[ProcessRun]] = {name: [] for name in commands}
    for _ in range(PAIRS):
        for name, command in commands.items():
            runs[name].append(run_process(command))
    wall = {name: median(one.wall_s for one in done) for name, done in runs.items()}
    peak = {name: max(one.peak_mb for one in done) for name, done in runs.items()}
    cpu = {name: median(one.cpu_s for one in done) for name, done in runs.items()}
    yield Figure(
        "wall time of Keras over cxr predict",
        wall["keras"] / wall["cxr"],
        "times",
        at_least(8),
        f"{wall['keras']:.2f} s against {wall['cxr']:.2f} s, medians of {PAIRS} interleaved pairs",
    )
    yield Figure(
        "peak memory of cxr predict over Keras",
        peak["cxr"] / peak["keras"],
        "",
        at_most(0.25),
        f"{peak['cxr']:.0f} MB against {peak['keras']:.0f} MB",
    )
    yield Figure("CPU of Keras over cxr predict", cpu["keras"] / cpu["cxr"], "times", None, f"{cpu['cxr']:.2f} s ours")
    yield Figure(
        "wall time with --heatmap-dir",
        wall["overlay"],
        "s",
        None,
        f"peak {peak['overlay']:.0f} MB, Keras without one takes {wall['keras'] / wall['overlay']:.1f} times that",
    )
