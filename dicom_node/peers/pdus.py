"""The PDUs of the DICOM upper layer (PS3.8 9.3), encoded and decoded by pynetdicom; loaded with the first call."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from struct import Struct

from pydicom.uid import UID
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    ImplementationClassUIDNotification,
    ImplementationVersionNameNotification,
    MaximumLengthNotification,
    SCP_SCU_RoleSelectionNegotiation,
)
from pynetdicom.presentation import PresentationContext

from dicom_node.peers.encoded import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION

#: Types (PS3.8 9.3.1).
ASSOCIATE_AC, ASSOCIATE_RJ, P_DATA, RELEASE_RQ, RELEASE_RP, ABORT = 2, 3, 4, 5, 6, 7
HEAD = Struct(">BxI")
"""Type and length of what follows."""

RELEASE_REQUEST = HEAD.pack(RELEASE_RQ, 4) + bytes(4)
RELEASE_RESPONSE = HEAD.pack(RELEASE_RP, 4) + bytes(4)
ABORT_BY_USER = HEAD.pack(ABORT, 4) + bytes(4)

#: P-DATA-TF with one PDV: type, length, PDV length, context, control (PS3.8 9.3.5, PS3.8 E.2).
_DATA_HEAD = Struct(">BxIIBB")
_PDV_HEAD = Struct(">IBB")
_COMMAND, _LAST = 1, 2

APPLICATION_CONTEXT = UID("1.2.840.10008.3.1.1.1")
MAX_PDU_BYTES = 131072
"""What we receive: 128 KiB cost half the CPU of 16 KiB, more gains nothing."""

_DEFAULT_PDU_BYTES = 16384


@dataclass(frozen=True, slots=True)
class Proposal:
    """A presentation context that we propose (PS3.8 9.3.2.2)."""

    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...]
    as_scp: bool = False
    """We take the objects that the peer sends on it, as C-GET needs (PS3.7 D.3.3.4)."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """A presentation context that the peer accepted."""

    context_id: int
    abstract_syntax: str
    transfer_syntax: str


@dataclass(frozen=True, slots=True)
class Fragment:
    """A presentation data value: a piece of a command or of a data set."""

    context_id: int
    is_command: bool
    is_last: bool
    data: memoryview


def associate_request(calling: str, called: str, proposals: Sequence[Proposal]) -> bytes:
    """A-ASSOCIATE-RQ with the contexts 1, 3, 5 ... in the order of the proposals, 128 at most."""
    primitive = A_ASSOCIATE()
    primitive.application_context_name = APPLICATION_CONTEXT
    primitive.calling_ae_title = calling
    primitive.called_ae_title = called
    contexts = []
    for number, proposal in enumerate(proposals):
        context = PresentationContext()
        context.context_id = 2 * number + 1
        context.abstract_syntax = UID(proposal.abstract_syntax)
        context.transfer_syntax = [UID(syntax) for syntax in proposal.transfer_syntaxes]
        contexts.append(context)
    primitive.presentation_context_definition_list = contexts
    length = MaximumLengthNotification()
    length.maximum_length_received = MAX_PDU_BYTES
    implementation = ImplementationClassUIDNotification()
    implementation.implementation_class_uid = IMPLEMENTATION_CLASS_UID
    version = ImplementationVersionNameNotification()
    version.implementation_version_name = IMPLEMENTATION_VERSION
    roles = []
    for sop_class in dict.fromkeys(proposal.abstract_syntax for proposal in proposals if proposal.as_scp):
        role = SCP_SCU_RoleSelectionNegotiation()
        role.sop_class_uid = UID(sop_class)
        role.scu_role, role.scp_role = False, True
        roles.append(role)
    primitive.user_information = [length, implementation, version, *roles]
    return bytes(A_ASSOCIATE_RQ(primitive).encode())


def associate_answer(pdu: bytes, proposals: Sequence[Proposal]) -> tuple[list[Agreement], int]:
    """What an A-ASSOCIATE-AC accepts, and how long a P-DATA-TF the peer takes. Raises what pynetdicom raises."""
    accepted = A_ASSOCIATE_AC()
    accepted.decode(pdu)
    agreements = []
    for context in accepted.presentation_context:
        context_id = context.context_id or 0
        number, remainder = divmod(context_id - 1, 2)
        if context.result == 0 and remainder == 0 and 0 <= number < len(proposals):
            proposal = proposals[number]
            syntax = str(context.transfer_syntax)
            if syntax in proposal.transfer_syntaxes:
                agreements.append(Agreement(context_id, proposal.abstract_syntax, syntax))
    user = accepted.user_information
    longest = user.maximum_length if user is not None else None
    return agreements, _DEFAULT_PDU_BYTES if longest is None else longest or MAX_PDU_BYTES


def fragment_bytes(longest: int) -> int:
    """How much of a message fits into a P-DATA-TF of so many bytes: an even number (PS3.8 E.2), 1 MiB at most."""
    return max(2, (min(longest, 1 << 20) - 6) & ~1)


def data_pieces(context_id: int, data: memoryview, size: int, *, command: bool, ends: bool) -> list[bytes | memoryview]:
    """P-DATA-TF PDUs over `data` without copying it: a head and a view of `size` bytes in turn.

    `ends`: nothing of the command or data set follows.
    """
    control = _COMMAND if command else 0
    full = _DATA_HEAD.pack(P_DATA, size + 6, size + 2, context_id, control)
    pieces: list[bytes | memoryview] = []
    for start in range(0, len(data), size):
        view = data[start : start + size]
        is_last = ends and start + size >= len(data)
        if is_last or len(view) != size:
            flags = control | (_LAST if is_last else 0)
            pieces.append(_DATA_HEAD.pack(P_DATA, len(view) + 6, len(view) + 2, context_id, flags))
        else:
            pieces.append(full)
        pieces.append(view)
    return pieces


def fragments(body: memoryview) -> Iterator[Fragment]:
    """The presentation data values of a P-DATA-TF. Raises ValueError when their lengths are wrong."""
    while body:
        if len(body) < _PDV_HEAD.size:
            raise ValueError("a presentation data value is cut off")
        length, context_id, control = _PDV_HEAD.unpack_from(body)
        if not 2 <= length <= len(body) - 4:
            raise ValueError("a presentation data value is longer than its PDU")
        yield Fragment(context_id, bool(control & _COMMAND), bool(control & _LAST), body[6 : 4 + length])
        body = body[4 + length :]
