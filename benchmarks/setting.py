"""What every benchmark is handed: where real films are, and a folder to work in."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.report import NotRunError

#: Names the folder with chest_xray/ and fullres_sample/.
DATA_VARIABLE = "CXR_TEST_DATA"


@dataclass(frozen=True, slots=True)
class Setting:
    """Where the benchmarks find and leave things."""

    work: Path
    """A temporary folder."""

    data: Path | None
    """Real films, or None."""

    short: bool = False
    """A smaller sample where one takes minutes."""

    def films(self) -> Path:
        """The folder of real films. Raises NotRunError without one."""
        if self.data is None:
            raise NotRunError(f"it needs real films; set {DATA_VARIABLE} to the folder that holds them")
        return self.data


def data_folder() -> Path | None:
    """The folder that the environment names. Raises NotRunError when it is not there."""
    named = os.environ.get(DATA_VARIABLE)
    if not named:
        return None
    folder = Path(named)
    if not (folder / "chest_xray").is_dir():
        raise NotRunError(f"{DATA_VARIABLE} names {named}, which holds no chest_xray/")
    return folder


def cxr_command() -> str:
    """The installed command beside this interpreter."""
    command = Path(sys.executable).with_name("cxr")
    if not command.exists():
        raise NotRunError("the command cxr is not beside this interpreter; run `make bench`")
    return str(command)
