"""The file of soft labels: what models that never saw a film say of it, by the film's digest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from training.run_folder import RunError, read_rows, write_rows

DIGEST = "sha256"


def write_soft_labels(path: Path, names: Sequence[str], rows: Mapping[str, Sequence[float]]) -> None:
    """Probabilities in the order of the labels' names, by digest. Raises OutputError."""
    told = [
        {DIGEST: digest, **{name: f"{p:.6f}" for name, p in zip(names, row, strict=True)}}
        for digest, row in rows.items()
    ]
    write_rows(path, (DIGEST, *names), told)


def read_soft_labels(path: Path, names: Sequence[str]) -> dict[str, list[float]]:
    """The same back. Raises RunError for a file without these columns or with something else than probabilities."""
    rows = read_rows(path)
    lacking = [name for name in (DIGEST, *names) if not rows or rows[0].get(name) is None]
    remedy = "name the soft_labels.csv of `cxr-train cross-validate`"
    if lacking:
        raise RunError(f"{path} without {', '.join(lacking)}", f"columns {', '.join((DIGEST, *names))}", remedy)
    found = {}
    for row in rows:
        try:
            found[row[DIGEST]] = [float(row[name]) for name in names]
        except (TypeError, ValueError):
            found[row[DIGEST]] = [float("nan")]
        if not all(0 <= p <= 1 for p in found[row[DIGEST]]):
            raise RunError(f"{path} with a label of {row[DIGEST][:12]}... that is none", "probabilities", remedy)
    return found
