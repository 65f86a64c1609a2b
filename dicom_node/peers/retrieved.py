"""An object that a peer sent us by C-GET, and how it is kept."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from dicom_node.peers.encoded import file_head


@dataclass(frozen=True, slots=True, eq=False)
class RetrievedObject:
    """An encoded data set as it came."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    data_set: memoryview

    def file_head(self) -> bytes:
        """What makes a DICOM file when the data set follows."""
        return file_head(self.sop_class_uid, self.sop_instance_uid, self.transfer_syntax_uid)

    def write_to(self, folder: Path) -> Path:
        """Write a DICOM file named by its UID, whole or not at all. Raises OSError."""
        uid = self.sop_instance_uid
        # A UID that is none could name a file elsewhere.
        name = uid if re.fullmatch(r"[0-9.]{1,64}", uid) else hashlib.sha256(uid.encode()).hexdigest()
        part = folder / f"{name}.part"
        with part.open("wb") as file:
            file.write(self.file_head())
            file.write(self.data_set)
        return part.replace(folder / f"{name}.dcm")
