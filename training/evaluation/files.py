"""Writing results: each file whole or not at all, and one clear line where it cannot be written."""

from __future__ import annotations

from pathlib import Path

from cxr_core.errors import CxrError
from cxr_core.files import write_whole


class EvaluationError(CxrError):
    """Something that cannot be evaluated, or results that cannot be written."""


def output_folder(path: Path) -> Path:
    """Make the folder and try it: a run of many minutes must not end at a folder that takes no file."""
    trial = path / "trial.part"
    try:
        path.mkdir(parents=True, exist_ok=True)
        trial.write_bytes(b"")
        trial.unlink()
    except OSError as error:
        raise EvaluationError(f"{path} ({error.strerror})", "a folder to write to", "name another") from error
    return path


def write_result(path: Path, content: bytes) -> None:
    """Write whole or not at all. Raises EvaluationError."""
    try:
        write_whole(path, content)
    except OSError as error:
        raise EvaluationError(
            f"{path} was not written ({error.strerror})", "room and permission to write", "free some or name another"
        ) from error
