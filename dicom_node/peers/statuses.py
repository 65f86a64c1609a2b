"""What a status means in words: pynetdicom's tables of PS3.4 and PS3.7."""

from __future__ import annotations

from typing import Literal

from dicom_node.peers.failure import CallFailed, Cause, Failure, is_passing_status

Service = Literal["C-ECHO", "C-STORE", "C-FIND", "C-MOVE", "C-GET", "N-ACTION"]


def meaning(service: Service, status: int) -> str:
    """In the standard's words; what the standard does not know is said so."""
    from pynetdicom import status as tables

    table = {
        "C-ECHO": tables.VERIFICATION_SERVICE_CLASS_STATUS,
        "C-STORE": tables.STORAGE_SERVICE_CLASS_STATUS,
        "C-FIND": tables.QR_FIND_SERVICE_CLASS_STATUS,
        "C-MOVE": tables.QR_MOVE_SERVICE_CLASS_STATUS,
        "C-GET": tables.QR_GET_SERVICE_CLASS_STATUS,
        "N-ACTION": tables.STORAGE_COMMITMENT_SERVICE_CLASS_STATUS,
    }[service]
    category, words = table.get(status, ("", ""))
    return (words or category or "a status that the standard does not know").lower()


def answered(service: Service, status: int, comment: str = "") -> CallFailed:
    """The exception of an answer that is neither success nor warning nor pending."""
    words = f"the peer answered {service} with 0x{status:04X}: {meaning(service, status)}"
    return CallFailed(Failure(Cause.STATUS, words, status, comment, is_passing_status(status)))
