"""A stand-in PACS: `python -m benchmarks.node_pacs` prints its port, then kind, study and time of what it accepts."""

from __future__ import annotations

import signal
import time

from pydicom.uid import (
    Comprehensive3DSRStorage,
    GrayscaleSoftcopyPresentationStateStorage,
    SecondaryCaptureImageStorage,
)
from pynetdicom import evt

from tests.node.peers.fakes import scp

KINDS = {
    Comprehensive3DSRStorage: "sr",
    SecondaryCaptureImageStorage: "sc",
    GrayscaleSoftcopyPresentationStateStorage: "gsps",
}


def _accept(event: evt.Event) -> int:
    # The clock is the same for all processes of a machine.
    kind, study = KINDS[event.context.abstract_syntax], event.dataset.StudyInstanceUID
    print(kind, study, time.monotonic(), flush=True)
    return 0x0000


if __name__ == "__main__":
    with scp([(sop_class, None) for sop_class in KINDS], [(evt.EVT_C_STORE, _accept)]) as peer:
        print(peer.port, flush=True)
        signal.sigwait({signal.SIGTERM, signal.SIGINT})
