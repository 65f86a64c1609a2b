"""CPU of a node for a whole study: 2048x2500 uncompressed in, SR, SC and GSPS at the destination, by stage."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from statistics import median
from typing import Any

import sqlalchemy as sa

from benchmarks.material import drawn_film
from benchmarks.measure import REPEATS, cpu_ms, reference_loop
from benchmarks.node_site import Site, running_site, study_uid, write_study
from benchmarks.report import Figure, at_most
from benchmarks.setting import Setting
from dicom_node.peers import Peer, store
from dicom_node.store.tables import instances, results
from tests.node.node_process import until

WARM = 3
#: Long enough that the answer is there before the objects are made, so that each has the processes for itself.
_QUIET_SECONDS = 1.0
#: For what a node still writes down after a delivery.
_SETTLE_SECONDS = 0.2
_IDLE_SECONDS = 20.0
_MARK_MS, _AIM_MS = 300, 200


def run(setting: Setting) -> Iterator[Figure]:
    """All processes of `cxr-node serve`, from before a film is sent until everything of it is delivered and noted."""
    stored = drawn_film()
    studies: list[dict[str, float]] = []
    loop = []
    with running_site(setting.work / "node", quiet_seconds=_QUIET_SECONDS) as site:
        site.wait_until_ready()
        for number in range(WARM + REPEATS):
            film = write_study(setting.work, stored, number)
            measured = _one_study(site, film.read_bytes(), study_uid(number))
            film.unlink()
            if number >= WARM:
                studies.append(measured)
                loop.append(cpu_ms(reference_loop))
        deliver = median(_deliver_ms(site, study_uid(number)) for number in range(WARM, WARM + REPEATS))
        idle = _idle_ms(site)
    middle = {name: median(study[name] for study in studies) for name in studies[0]}
    totals = sorted(study["total"] for study in studies)
    detail = (
        f"aim {_AIM_MS}; median of {REPEATS}, {totals[0]:.0f} to {totals[-1]:.0f}; "
        f"reference loop {median(loop):.1f} ms in the same turns"
    )
    yield Figure("CPU of a study", middle["total"], "ms", at_most(_MARK_MS), detail)
    yield Figure("  receive and store", middle["node"], "ms", None, "the process that listens")
    yield Figure("  intake and read", middle["read"], "ms", None, "by the answer's own clock")
    yield Figure("  preprocess and infer", middle["answer"] - middle["read"], "ms", None, "the model's process, else")
    yield Figure("  encode", middle["encode"], "ms", None, "the model's process, after the answer")
    yield Figure("  deliver", deliver, "ms", None, "the same objects sent from here to the same stand-in")
    yield Figure("  bookkeeping", middle["work"] - deliver, "ms", None, "the process that works, less delivery")
    yield Figure("CPU of an idle node", idle, "ms a second")


def _one_study(site: Site, film: bytes, study: str) -> dict[str, float]:
    """What each process took, in milliseconds; the model's before and after the answer."""
    before = site.cpu_ms()
    (outcome,) = site.node.send([film])
    assert outcome.is_delivered, outcome.words
    until(lambda: site.is_answered(study))
    answered = site.cpu_ms()
    until(lambda: site.is_delivered(study))
    time.sleep(_SETTLE_SECONDS)
    after = site.cpu_ms()
    assert {arrival.kind for arrival in site.pacs.of_study(study)} == {"sr", "sc", "gsps"}
    return {
        "total": sum(after.values()) - sum(before.values()),
        "node": after["node"] - before["node"],
        "work": after["work"] - before["work"],
        "answer": answered["model"] - before["model"],
        "encode": after["model"] - answered["model"],
        "read": _answer(site, study)["milliseconds"]["read"],
    }


def _answer(site: Site, study: str) -> dict[str, Any]:
    (row,) = site.node.rows(sa.select(instances.c.answer).filter_by(study_uid=study))
    answer: dict[str, Any] = json.loads(row.answer)
    assert answer["status"] == "predicted", answer
    return answer


def _deliver_ms(site: Site, study: str) -> float:
    rows = site.node.rows(sa.select(results.c.file).filter_by(study_uid=study))
    paths = [site.node.folder.encoded / row.file for row in rows]
    peer = Peer("PACS", "127.0.0.1", site.pacs.port)

    def deliver() -> None:
        assert all(outcome.is_delivered for outcome in store(peer, paths, calling_ae_title="CXR_NODE"))

    return cpu_ms(deliver)


def _idle_ms(site: Site) -> float:
    """CPU of a second in which nothing comes."""
    before = sum(site.cpu_ms().values())
    time.sleep(_IDLE_SECONDS)
    return (sum(site.cpu_ms().values()) - before) / _IDLE_SECONDS
