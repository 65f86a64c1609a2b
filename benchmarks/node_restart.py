"""From kill -9 of a node to the first result after its restart, beyond what the model takes to load."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from benchmarks.material import drawn_film
from benchmarks.measure import reference_loop, wall_ms
from benchmarks.node_site import Site, running_site, study_uid, write_study
from benchmarks.report import Figure, at_most
from benchmarks.setting import Setting
from tests.node.node_process import until

ROUNDS = 10
#: Over when the node is there again.
_QUIET_SECONDS = 0.3


def run(setting: Setting) -> Iterator[Figure]:
    """Each round kills the node with a study that is only stored, or answered, and starts it again at once."""
    stored = drawn_film()
    whole, load, loop = [], [], []
    with running_site(setting.work / "node", quiet_seconds=_QUIET_SECONDS) as site:
        site.wait_until_ready()
        for number in range(ROUNDS):
            total, loading = _round(site, write_study(setting.work, stored, number), number)
            whole.append(total)
            load.append(loading)
            loop.append(wall_ms(reference_loop))
    beyond = [total - loading for total, loading in zip(whole, load, strict=True)]
    detail = (
        f"longest of {ROUNDS}, median {median(beyond):.2f}; half of them killed when the film was stored, half when "
        f"it was answered; reference loop {median(loop):.1f} ms wall"
    )
    yield Figure("kill -9 to the first result, beyond the model's load", max(beyond), "s", at_most(3), detail)
    yield Figure("kill -9 to the first result", max(whole), "s", None, f"longest; median {median(whole):.2f}")
    yield Figure("  the model's load", median(load), "s", None, "its process, from its start until it is ready")


def _round(site: Site, film: Path, number: int) -> tuple[float, float]:
    """Seconds from the kill to the first result, and of the model's load in between."""
    study = study_uid(number)
    (outcome,) = site.node.send([film])
    assert outcome.is_delivered, outcome.words
    if number % 2:
        until(lambda: site.is_answered(study))
    assert not site.pacs.of_study(study)
    killed = time.monotonic()
    site.node.kill()
    site.node.start()
    until(lambda: site.is_delivered(study))
    return min(arrival.at for arrival in site.pacs.of_study(study)) - killed, _load_seconds(site)


def _load_seconds(site: Site) -> float:
    """Of the last model process, as the node logs it."""
    return float([event["seconds"] for event in site.node.events() if event["event"] == "model ready"][-1])
