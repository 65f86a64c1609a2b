"""Writing results: each file whole or not at all, and one clear line where it cannot be written."""

from __future__ import annotations

from pathlib import Path

from cxr_core.errors import CxrError


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


def write_whole(path: Path, content: bytes) -> None:
    """Write beside the place first, then rename."""
    part = path.with_name(path.name + ".part")
    try:
        try:
            part.write_bytes(content)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise EvaluationError(
            f"{path} was not written ({error.strerror})", "room and permission to write", "free some or name another"
        ) from error
