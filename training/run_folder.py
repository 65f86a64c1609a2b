"""The run folder: what a run leaves for people, for `export` and for its own resume; each file whole or not at all."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cxr_core.errors import CxrError
from cxr_core.files import write_whole
from training.datasets.examples import Dataset, Example
from training.pictures import output_error
from training.split import Split

CONFIG, HISTORY, MODEL, SPLIT = "config.json", "history.csv", "model.keras", "split.csv"
CURVES, CALIBRATION, CHECKPOINT, BUNDLE = "curves.png", "calibration.json", "checkpoint.npz", "bundle"
OUTPUTS = "validation_outputs.csv"


class RunError(CxrError):
    """A run folder that holds something else than it should."""


def write_file(path: Path, content: bytes) -> None:
    """Write whole or not at all. Raises OutputError."""
    try:
        write_whole(path, content)
    except OSError as error:
        raise output_error(path.parent, error) from error


def write_json(path: Path, value: Any) -> None:
    """JSON for people: indented, a line feed at the end."""
    write_file(path, (json.dumps(value, indent=2, allow_nan=False) + "\n").encode())


def read_json(path: Path) -> Any:
    """Raises RunError when it is not there or no JSON."""
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise RunError(
            f"no readable {path.name} in {path.parent}", "a run folder of `cxr-train fit`", "fit first"
        ) from error


def write_rows(path: Path, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """A CSV with a header."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_file(path, text.getvalue().encode())


def read_rows(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV. Raises RunError."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    except (OSError, ValueError) as error:
        raise RunError(f"no readable {path.name} in {path.parent}", "a file of `cxr-train`", "fit again") from error


def is_failed_start(folder: Path) -> bool:
    """Whether nothing of a run is there but what it leaves before its first epoch ends: no other run is lost by it."""
    left = {path.name for path in folder.iterdir()}
    return all(name in (CONFIG, SPLIT, "tensorboard") or name.startswith("pictures") for name in left)


def write_split(folder: Path, split: Split) -> None:
    """split.csv: which file is in which part."""
    rows = [
        {"file": e.source.name, "part": part, "patient": e.patient, "sha256": e.sha256}
        for part in ("train", "calibration", "holdout")
        for e in getattr(split, part)
    ]
    write_rows(folder / SPLIT, ("file", "part", "patient", "sha256"), rows)


def read_split(folder: Path, dataset: Dataset) -> Split:
    """The parts as the run had them. Raises RunError when the data set lacks files of the run."""
    by_digest = {example.sha256: example for example in dataset.examples}
    parts: dict[str, list[Example]] = {"train": [], "calibration": [], "holdout": []}
    missing = 0
    for row in read_rows(folder / SPLIT):
        example = by_digest.get(row["sha256"])
        if example is None:
            missing += 1
        else:
            parts[row["part"]].append(example)
    if missing:
        raise RunError(
            f"{missing} files of the run that this data set has not", "the data of the run", "name it by --data"
        )
    return Split(parts["train"], parts["calibration"], parts["holdout"])


@dataclass(frozen=True, eq=False, slots=True)
class Checkpoint:
    """The state after some epochs."""

    phase: int
    epoch: int
    """Epochs done in the phase."""

    history: list[dict[str, Any]]
    values: list[npt.NDArray[Any]]
    """Of loop.variables(), in its order."""


def write_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    """Raises OutputError; the checkpoint before then is still there."""
    meta = {"phase": checkpoint.phase, "epoch": checkpoint.epoch, "history": checkpoint.history}
    content = io.BytesIO()
    arrays = {f"v{number}": value for number, value in enumerate(checkpoint.values)}
    np.savez(content, meta=np.frombuffer(json.dumps(meta).encode(), np.uint8), **arrays)  # type: ignore[arg-type]
    write_file(folder / CHECKPOINT, content.getvalue())


def read_checkpoint(folder: Path) -> Checkpoint | None:
    """The last checkpoint; None when there is none. Raises RunError when it is damaged."""
    path = folder / CHECKPOINT
    if not path.exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as arrays:
            meta = json.loads(arrays["meta"].tobytes())
            values = [arrays[f"v{number}"] for number in range(len(arrays.files) - 1)]
        return Checkpoint(meta["phase"], meta["epoch"], meta["history"], values)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise RunError(f"a damaged {CHECKPOINT} in {folder}", "a whole one", "remove it and fit anew") from error
