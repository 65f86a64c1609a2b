"""Memory over many images: a station or node that answers for weeks may not grow."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

#: Mebibytes by which the process may grow after it has seen every kind of file: the allocator's own unrest. A kept
#: input of one image is 0.3, so 5000 leaked ones would be 1300.
GROWTH_MIB = 20

#: Rounds over one file of every kind, each with its overlay; the memory in use after the first tenth and at the end.
CHILD = """
import gc, sys
from cxr_core.classifier import Classifier
from cxr_core.errors import ImageReadError
from cxr_core.heatmap import render_overlay
from cxr_core.pipeline import Pipeline
from cxr_core.reading import Source
from tests.core.test_mutations import CASES, valid

def resident_kib():
    gc.collect()
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))

pipeline = Pipeline(Classifier())
files = [valid(case) for case in CASES]
files += [b"no film", files[0][:-2000], files[0].replace(b"CHEST", b"HAND ")]
rounds, counts = int(sys.argv[1]), {}
for number in range(rounds):
    if number == rounds // 10:
        before = resident_kib()
    for data in files:
        result, image = pipeline(Source("film.dcm", lambda: data))
        counts[result.status] = counts.get(result.status, 0) + 1
        if result.prediction is not None:
            render_overlay(image, result.prediction, pipeline.classifier.bundle.manifest)
assert set(counts) == {"predicted", "refused", "failed"}, counts
print(sum(counts.values()), (resident_kib() - before) / 1024)
"""


def growth(rounds: int, seconds: int) -> tuple[int, float]:
    """Images that were answered, and mebibytes by which the process grew."""
    command = [sys.executable, "-c", CHILD, str(rounds)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr[-4000:]
    images, grown = done.stdout.split()
    return int(images), float(grown)


@pytest.mark.soak
def test_memory_stays_flat_over_thousands_of_images() -> None:
    images, grown = growth(rounds=300, seconds=3600)
    assert images > 5000
    assert grown < GROWTH_MIB
