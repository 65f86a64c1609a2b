"""From the last C-STORE to the SR at the destination, at four times the peak hour of a mid-size hospital."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from benchmarks.material import drawn_film
from benchmarks.measure import reference_loop, wall_ms
from benchmarks.node_site import Arrival, Site, running_site, study_uid, write_study
from benchmarks.report import Figure, at_most
from benchmarks.setting import Setting
from dicom_node.peers import Peer, store
from dicom_node.settings import AnalysisSettings
from tests.node.node_process import until

FILMS_AN_HOUR = 4 * 60
#: Over nine minutes; in a short run over two.
STUDIES, SHORT_STUDIES = 36, 8
#: Of a node that is not told otherwise, and of a short run.
QUIET_SECONDS, SHORT_QUIET_SECONDS = AnalysisSettings().study_quiet_seconds, 5.0
_MARGIN_SECONDS = 10


def run(setting: Setting) -> Iterator[Figure]:
    """Studies of one film arrive at random, as a Poisson process of this rate does, the same in every run."""
    count, quiet = (SHORT_STUDIES, SHORT_QUIET_SECONDS) if setting.short else (STUDIES, QUIET_SECONDS)
    span = 3600 * count / FILMS_AN_HOUR
    # Given how many come, the times of a Poisson process are uniform.
    times = np.sort(np.random.default_rng(1).uniform(0, span, count))
    stored = drawn_film()
    films = [write_study(setting.work, stored, number) for number in range(count)]
    with running_site(setting.work / "node", quiet_seconds=quiet) as site:
        site.wait_until_ready()
        began = time.monotonic()
        answered = []
        for due, film in zip(times, films, strict=True):
            content = film.read_bytes()
            time.sleep(max(0.0, began + due - time.monotonic()))
            answered.append(_send(site, content))
        waited = sorted(_sr(site, study_uid(number)).at - answered[number] for number in range(count))
        loop = max(wall_ms(reference_loop) for _ in range(5))
    # The smallest of the sample that is no less than 95 percent of it.
    percentile = waited[int(np.ceil(0.95 * count)) - 1]
    detail = (
        f"quiet time {quiet:.0f} s; {count} studies in {span / 60:.0f} min, {waited[0]:.2f} to {waited[-1]:.2f} s; "
        f"of a sample so large the longest is beyond the true 95th percentile with a chance of "
        f"{100 * (1 - 0.95**count):.0f} %; reference loop {loop:.1f} ms wall at worst of 5"
    )
    yield Figure("95th percentile of the turn-around", percentile, "s", at_most(quiet + _MARGIN_SECONDS), detail)
    yield Figure("longest beyond the quiet time", waited[-1] - quiet, "s")


def _send(site: Site, content: bytes) -> float:
    """Send a film; when it was answered."""
    answered = []
    peer = Peer("CXR_NODE", "127.0.0.1", site.node.port)
    (outcome,) = store(
        peer, [content], calling_ae_title="MODALITY", on_outcome=lambda *_: answered.append(time.monotonic())
    )
    assert outcome.is_delivered, outcome.words
    return answered[0]


def _sr(site: Site, study: str) -> Arrival:
    def came() -> list[Arrival]:
        return [arrival for arrival in site.pacs.of_study(study) if arrival.kind == "sr"]

    until(came)
    (report,) = came()
    return report
