"""The DICOM client calls: echo, find, move, get, store, commit, and the same over the web (STOW-RS, QIDO-RS).

Each call takes a `Peer`, waits no longer than its `Timeouts`, ends at once when its `Cancel` is set, and returns a
record that says what happened in words for people. Nothing is raised for what the network or the peer does. The
viewer uses this package alone; it knows nothing else of the node. pynetdicom is loaded with the first call.
"""

from dicom_node.peers.encoded import EncodedObject, NotAnObjectError
from dicom_node.peers.failure import Cause, Failure
from dicom_node.peers.outcomes import Sent, StoreOutcome
from dicom_node.peers.peer import Cancel, Peer, Timeouts, TlsClient
from dicom_node.peers.storage import store
from dicom_node.peers.verification import EchoResult, echo

__all__ = [
    "Cancel",
    "Cause",
    "EchoResult",
    "EncodedObject",
    "Failure",
    "NotAnObjectError",
    "Peer",
    "Sent",
    "StoreOutcome",
    "Timeouts",
    "TlsClient",
    "echo",
    "store",
]
