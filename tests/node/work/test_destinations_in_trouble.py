"""A PACS that is full, refuses, or loses its answers: nothing is lost, nor sent twice where it can be asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from pynetdicom import evt

from dicom_node.store.tables import deliveries, results
from tests.dicom_builder import build
from tests.node.node_process import Node, until
from tests.node.orthanc_server import free_ports
from tests.node.work.test_kills import Pacs

pytestmark = pytest.mark.slow


class TroubledPacs(Pacs):
    """Answers the first requests for each object as it is told, and takes the object then or later."""

    def __init__(self, trouble: Callable[[evt.Event], int | None], *, keeps: bool) -> None:
        super().__init__()
        self.trouble: Callable[[evt.Event], int | None] | None = trouble
        self.keeps = keeps
        self.refused = 0

    def _store(self, event: evt.Event) -> int:
        if self.trouble is not None and self.requests[str(event.request.AffectedSOPInstanceUID)] == 0:
            if self.keeps:
                super()._store(event)
            self.refused += 1
            return self.trouble(event) or 0x0000
        return super()._store(event)


def hang_up(event: evt.Event) -> None:
    """Have the object, and go before the answer."""
    event.assoc.abort()


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    (port,) = free_ports(1)
    made = Node(
        tmp_path,
        results={"sc": "always", "gsps": "always"},
        peers=[{"ae_title": "PACS", "host": "127.0.0.1", "port": port, "may_send": False}],
        destinations=[
            {"name": "pacs", "kind": "dicom", "peer": "PACS", "retry_seconds": 0.2, "max_retry_seconds": 0.5}
        ],
    )
    made.pacs_port = port  # type: ignore[attr-defined]
    yield made.start()
    made.end()


def delivered(node: Node) -> set[str]:
    """The UIDs of what was made, as soon as all of it is delivered."""
    until(lambda: {row.state for row in node.rows(sa.select(deliveries))} == {"delivered"})
    return {row.sop_instance_uid for row in node.rows(sa.select(results))}


def film(number: int) -> bytes:
    return build(SOPInstanceUID=f"2.25.5{number}", StudyInstanceUID=f"2.25.6{number}")


@pytest.mark.parametrize("status", [0xA700, 0x0110, 0xC000, 0xA900, 0x0122])
def test_a_pacs_that_is_full_or_refuses_gets_everything_when_it_takes_it(node: Node, status: int) -> None:
    pacs = TroubledPacs(lambda event: status, keeps=False)
    with pacs.listening(node.pacs_port, can_be_asked=True):  # type: ignore[attr-defined]
        node.send([film(1), film(2)])
        until(lambda: pacs.refused >= 12)  # each of six at least once, some twice and more
        told = json.loads(node.run("status", "--json").stdout)
        assert f"0x{status:04X}" in json.dumps(told)
        assert not pacs.requests
        pacs.trouble = None
        made = delivered(node)
    assert (len(made), dict(pacs.requests)) == (6, dict.fromkeys(made, 1))


@pytest.mark.parametrize("can_be_asked", [True, False])
def test_a_pacs_that_loses_its_answers_gets_no_second_request_or_the_same_bytes(node: Node, can_be_asked: bool) -> None:
    pacs = TroubledPacs(hang_up, keeps=True)
    with pacs.listening(node.pacs_port, can_be_asked=can_be_asked):  # type: ignore[attr-defined]
        node.send([film(1), film(2)])
        made = delivered(node)
    assert set(pacs.requests) == made
    assert len(made) == 6
    assert {len(contents) for contents in pacs.contents.values()} == {1}
    assert set(pacs.requests.values()) == ({1} if can_be_asked else {2})
    notes = {row.note for row in node.rows(sa.select(deliveries))}
    assert ("found there" in notes) == can_be_asked
