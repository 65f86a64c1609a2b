"""The DICOM client calls: echo, find, move, get, store, commit, and find, get and store over the web.

Each call takes a `Peer` or `WebService`, waits no longer than its `Timeouts`, ends at once when its `Cancel` is set,
and returns a record that says what happened, in words for people too. Nothing is raised for what the network or the
peer does. The viewer uses this package alone, which knows nothing else of the node. The first call loads pynetdicom.
"""

from dicom_node.peers.commitment import (
    CommitmentReport,
    CommitmentReports,
    CommitResult,
    Reference,
    commit,
    read_report,
)
from dicom_node.peers.encoded import EncodedObject, NotAnObjectError
from dicom_node.peers.failure import Cause, Failure
from dicom_node.peers.match import Level, Match
from dicom_node.peers.outcomes import Sent, StoreOutcome
from dicom_node.peers.peer import Cancel, Peer, Timeouts, TlsClient
from dicom_node.peers.qido import find_web
from dicom_node.peers.query import FindResult, find
from dicom_node.peers.retrieve import RetrieveResult, SubOperations, get, move
from dicom_node.peers.retrieved import RetrievedObject
from dicom_node.peers.storage import store
from dicom_node.peers.stow import store_web
from dicom_node.peers.verification import EchoResult, echo
from dicom_node.peers.wado import WebRetrieveResult, get_web
from dicom_node.peers.web import WebService

__all__ = [
    "Cancel",
    "Cause",
    "CommitResult",
    "CommitmentReport",
    "CommitmentReports",
    "EchoResult",
    "EncodedObject",
    "Failure",
    "FindResult",
    "Level",
    "Match",
    "NotAnObjectError",
    "Peer",
    "Reference",
    "RetrieveResult",
    "RetrievedObject",
    "Sent",
    "StoreOutcome",
    "SubOperations",
    "Timeouts",
    "TlsClient",
    "WebRetrieveResult",
    "WebService",
    "commit",
    "echo",
    "find",
    "find_web",
    "get",
    "get_web",
    "move",
    "read_report",
    "store",
    "store_web",
]
