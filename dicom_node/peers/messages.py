"""DIMSE messages: command sets (PS3.7 E.1) and the data sets that follow them."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO

from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from dicom_node.peers.failure import Cause, failed

#: Command Field (0000,0100).
C_STORE, C_GET, C_FIND, C_MOVE, C_ECHO, C_CANCEL = 0x0001, 0x0010, 0x0020, 0x0021, 0x0030, 0x0FFF
N_EVENT_REPORT, N_ACTION = 0x0100, 0x0130
RESPONSE = 0x8000

#: Priority (0000,0700).
MEDIUM = 0

#: Command Data Set Type (0000,0800).
_NO_DATA_SET, _DATA_SET = 0x0101, 0x0001

#: Statuses (PS3.7 C, PS3.4 B.2.3 and C.4).
SUCCESS, DUPLICATE, SOP_CLASS_NOT_SUPPORTED = 0x0000, 0x0111, 0x0122
OUT_OF_RESOURCES, CANNOT_UNDERSTAND = 0xA700, 0xC000
PENDING = {0xFF00, 0xFF01}

#: What we propose for query identifiers and the like: the default, and the one in which nothing has to be guessed.
SHORT_DATA_SET_SYNTAXES = (str(ExplicitVRLittleEndian), str(ImplicitVRLittleEndian))


@dataclass(frozen=True, slots=True)
class Message:
    """A complete DIMSE message that we received."""

    context_id: int
    command: Dataset
    data: bytearray
    """The encoded data set; empty when there is none."""

    @property
    def field(self) -> int:
        """Command Field (0000,0100)."""
        return int(self.command.get("CommandField", 0))

    @property
    def status(self) -> int | None:
        """Status (0000,0900); None where the peer forgot it."""
        status = self.command.get("Status")
        return status if isinstance(status, int) else None

    @property
    def comment(self) -> str:
        """Error Comment (0000,0902), in the peer's words."""
        return str(self.command.get("ErrorComment", ""))


def is_warning(status: int) -> bool:
    """Whether a status means done, with a remark (PS3.7 C.2, C.3)."""
    return status >> 12 == 0xB or status in (0x0001, 0x0107, 0x0116)


def command_set(field: int, *, has_data_set: bool, **elements: object) -> bytes:
    """A command set in implicit VR little endian with its group length (PS3.7 6.3.1)."""
    data_set = Dataset()
    data_set.CommandField = field
    data_set.CommandDataSetType = _DATA_SET if has_data_set else _NO_DATA_SET
    for keyword, value in elements.items():
        setattr(data_set, keyword, value)
    body = encode(data_set, str(ImplicitVRLittleEndian))
    length = Dataset()
    length.CommandGroupLength = len(body)
    return encode(length, str(ImplicitVRLittleEndian)) + body


def read_command_set(encoded: bytes) -> Dataset:
    """A command set, with every value parsed. Raises what pydicom raises for damaged ones."""
    data_set = read_dataset(BytesIO(encoded), is_implicit_VR=True, is_little_endian=True)
    data_set.decode()
    return data_set


def has_data_set(command: Dataset) -> bool:
    """Whether a data set follows a command set."""
    return bool(command.get("CommandDataSetType", _NO_DATA_SET) != _NO_DATA_SET)


def encode(data_set: Dataset, transfer_syntax: str) -> bytes:
    """A short data set in implicit or explicit VR little endian."""
    buffer = DicomBytesIO()
    buffer.is_implicit_VR = UID(transfer_syntax).is_implicit_VR
    buffer.is_little_endian = True
    write_dataset(buffer, data_set)
    return bytes(buffer.getvalue())


def decode(encoded: bytes | bytearray, transfer_syntax: str) -> Dataset:
    """A short data set; text is read by the Specific Character Set that it names itself. Raises CallFailed."""
    try:
        return read_dataset(BytesIO(encoded), UID(transfer_syntax).is_implicit_VR, is_little_endian=True)
    except Exception as error:  # whatever pydicom meets in a damaged one
        raise failed(Cause.NOT_UNDERSTOOD, "a data set of the peer's is damaged") from error
