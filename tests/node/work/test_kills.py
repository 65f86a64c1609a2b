"""kill -9 of node, work and model process at random moments while films come in and results go out.

At a destination that can be asked no store request comes twice for a UID; at one that cannot no UID is missing and
repeats are equal. Nothing is lost.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from pydicom.dataset import Dataset
from pydicom.uid import (
    Comprehensive3DSRStorage,
    GrayscaleSoftcopyPresentationStateStorage,
    SecondaryCaptureImageStorage,
)
from pynetdicom import AE, evt
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind

from dicom_node.store.tables import deliveries, instances, results, studies
from tests.dicom_builder import build
from tests.node.node_process import Node, until
from tests.node.orthanc_server import free_ports

STORES = (Comprehensive3DSRStorage, SecondaryCaptureImageStorage, GrayscaleSoftcopyPresentationStateStorage)


class Pacs:
    """Counts what it is sent; finds what it has."""

    def __init__(self) -> None:
        self.requests: Counter[str] = Counter()
        self.contents: dict[str, set[bytes]] = {}

    @contextmanager
    def listening(self, port: int, *, can_be_asked: bool) -> Iterator[None]:
        entity = AE(ae_title="PACS")
        for sop_class in STORES:
            entity.add_supported_context(sop_class)
        if can_be_asked:
            entity.add_supported_context(StudyRootQueryRetrieveInformationModelFind)
        handlers: Any = [(evt.EVT_C_STORE, self._store), (evt.EVT_C_FIND, self._find)]
        server = entity.start_server(("127.0.0.1", port), block=False, evt_handlers=handlers)
        try:
            yield
        finally:
            server.shutdown()

    def _store(self, event: evt.Event) -> int:
        uid = str(event.request.AffectedSOPInstanceUID)
        self.requests[uid] += 1
        self.contents.setdefault(uid, set()).add(event.request.DataSet.getvalue())
        return 0x0000

    def _find(self, event: evt.Event) -> Iterator[tuple[int, Dataset]]:
        asked = event.identifier.SOPInstanceUID
        for uid in [asked] if isinstance(asked, str) else asked:
            if uid in self.requests:
                match = Dataset()
                match.QueryRetrieveLevel, match.SOPInstanceUID = "IMAGE", uid
                yield 0xFF00, match


@pytest.mark.parametrize("can_be_asked", [True, False])
@pytest.mark.parametrize(
    ("films", "kills"),
    [pytest.param(50, 5, marks=pytest.mark.slow), pytest.param(500, 50, marks=pytest.mark.soak)],
)
def test_random_kills(tmp_path: Path, films: int, kills: int, can_be_asked: bool) -> None:
    (pacs_port, node_port) = free_ports(2)
    node = Node(
        tmp_path,
        listener={"port": node_port},
        # No image is to blame for these ends of the model process: none may be set aside for what the test kills.
        analysis={"max_attempts": kills + 1},
        results={"sc": "always", "gsps": "always"},
        peers=[{"ae_title": "PACS", "host": "127.0.0.1", "port": pacs_port, "may_send": False}],
        destinations=[{"name": "pacs", "kind": "dicom", "peer": "PACS", "retry_seconds": 1}],
    )
    pacs, chance = Pacs(), random.Random(7)
    contents = [build(SOPInstanceUID=f"2.25.5{n}", StudyInstanceUID=f"2.25.6{n // 2}") for n in range(films)]

    def send_all() -> None:
        for content in contents:
            while not node.send([content])[0].is_delivered:
                time.sleep(0.1)  # the node is just starting again: a modality tries again, too

    with pacs.listening(pacs_port, can_be_asked=can_be_asked):
        try:
            node.start()
            sender = threading.Thread(target=send_all)
            sender.start()
            for _ in range(kills):
                time.sleep(chance.uniform(0.2, 4))
                which = chance.choice(["node", "process", "model"])
                if node.kill(which) and which == "node":
                    node.start()
            sender.join()
            count = -(-films // 2)
            node.wait_for(sa.select(studies).where(studies.c.completed_revision == studies.c.revision), count)
            until(lambda: {row.state for row in node.rows(sa.select(deliveries))} == {"delivered"})
            made = {row.sop_instance_uid for row in node.rows(sa.select(results))}
            assert {row.state for row in node.rows(sa.select(instances))} == {"answered"}
            # A film of a study, in each of its pictures and in its last report.
            assert len(made) >= 2 * films + count
            assert set(pacs.requests) == made
            assert {len(each) for each in pacs.contents.values()} == {1}
            if can_be_asked:
                assert set(pacs.requests.values()) == {1}
            assert node.stop() == 0
        finally:
            node.end()
