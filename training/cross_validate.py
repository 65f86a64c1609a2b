"""Folds and blocks of one recipe: its figures on patients and numbers it never saw, and soft labels for a student."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from scipy.special import expit, log_softmax, softmax

from training import run_folder
from training.calibrate import calibrate_binary, calibrate_classes, calibrate_findings
from training.datasets.examples import Dataset, LabelScheme
from training.fit import Surroundings, fit
from training.loop import validation_figures
from training.settings import FitSettings
from training.split import BLOCKS, FOLDS

TABLE, SOFT_LABELS = "cross_validation.json", "soft_labels.csv"


def cross_validate(
    dataset: Dataset,
    data: Path,
    settings: FitSettings,
    around: Surroundings,
    soft_labels: Path | None,
    *,
    folds: int,
    seeds: int,
    blocks: bool,
) -> dict[str, Any]:
    """Fit the recipe without each fold (and block) and seed; what is finished already is kept.

    Parameters
    ----------
    soft_labels : Path or None
        Of a teacher, as `fit` takes them. Where the teacher saw what is left out, the figures flatter the student.
    folds : int
        How many of the FOLDS are left out, one after the other: fewer for a quick look.
    seeds : int
        Runs of each, with seeds from `settings.seed` on.
    blocks : bool
        Also leave out the blocks of file numbers.

    Returns
    -------
    dict
        By part the figures, the worst of them, and with all folds those of everything out of fold, by stratum and
        stream of file names, too; written to `around.out`, with soft labels of every training file: what the models
        that never saw it say of it.
    """
    parts = [f"fold {number}" for number in range(min(folds, FOLDS))] + (list(BLOCKS) if blocks else [])
    cache = around.cache or around.out / "pictures"
    rows: dict[str, list[dict[str, Any]]] = {}
    for part in parts:
        for seed in range(settings.seed, settings.seed + seeds):
            out = around.out / f"{part.replace(' ', '-')}_seed-{seed}"
            around.say(f"without {part}, seed {seed}:")
            told = replace(settings, leave_out=part, seed=seed)
            fit(dataset, data, told, replace(around, out=out, cache=cache), soft_labels)
            for row in run_folder.read_rows(out / run_folder.OUTPUTS):
                rows.setdefault(part, []).append(row)
    result: dict[str, Any] = {
        "settings": run_folder.read_json(out / run_folder.CONFIG)["settings"] | {"leave_out": None},
        "seeds": seeds,
        "parts": {part: _figures(_pooled(found, dataset.scheme), dataset.scheme) for part, found in rows.items()},
    }
    worst = max(result["parts"], key=lambda part: result["parts"][part]["loss"])
    result["worst"] = {"part": worst, **result["parts"][worst]}
    in_folds = [row for part, found in rows.items() if part.startswith("fold") for row in found]
    if folds >= FOLDS:
        pooled = _pooled(in_folds, dataset.scheme)
        result["out_of_fold"] = _figures(pooled, dataset.scheme)
        if dataset.scheme.task == "single_label":
            result |= {kind: _by_kind(pooled, dataset, kind) for kind in ("stratum", "stream")}
        _write_soft_labels(around.out / SOFT_LABELS, pooled, dataset.scheme)
    run_folder.write_json(around.out / TABLE, result)
    if around.cache is None:
        shutil.rmtree(cache, ignore_errors=True)
    return result


_Pooled = dict[str, tuple[np.ndarray[Any, Any], tuple[int, ...]]]


def _pooled(rows: Sequence[dict[str, str]], scheme: LabelScheme) -> _Pooled:
    """Mean logits over the seeds, and the target, by digest."""
    gathered: dict[str, list[list[float]]] = {}
    targets = {}
    for row in rows:
        gathered.setdefault(row["sha256"], []).append([float(row[name]) for name in scheme.names])
        targets[row["sha256"]] = tuple(json.loads(row["target"]))
    return {digest: (np.mean(logits, axis=0), targets[digest]) for digest, logits in gathered.items()}


def _arrays(pooled: _Pooled, scheme: LabelScheme) -> tuple[Any, Any]:
    logits = np.array([logits for logits, _ in pooled.values()])
    targets = np.array([target for _, target in pooled.values()])
    return logits, targets if scheme.task == "multi_label" else targets[:, 0]


def _tempered(pooled: _Pooled, scheme: LabelScheme) -> tuple[Any, Any]:
    """Logits calibrated as `fit` does on calibration patients, and the targets."""
    logits, targets = _arrays(pooled, scheme)
    if scheme.task == "multi_label":
        fixed = calibrate_findings(logits, targets, scheme.names)
        shifts = np.array([fixed.intercepts[name] for name in scheme.names])
        return (logits + shifts) / fixed.temperature, targets
    if scheme.positive is None:
        return logits / calibrate_classes(logits, targets).temperature, targets
    index = scheme.names.index(scheme.positive)
    order = [1 - index, index]
    found = calibrate_binary(
        logits[:, order], np.empty((0, *logits.shape)), (targets == index).astype(np.int64), scheme.positive
    )
    logits = logits.copy()
    logits[:, index] += found.intercept
    return logits / found.temperature, targets


def _figures(pooled: _Pooled, scheme: LabelScheme) -> dict[str, Any]:
    """Before and after calibration on the same patients; classes as they come."""
    raw, targets = _arrays(pooled, scheme)
    after, _ = _tempered(pooled, scheme)
    return {
        "n": len(pooled),
        **validation_figures(raw, targets, scheme.task),
        "calibrated": validation_figures(after, targets, scheme.task),
    }


def _by_kind(pooled: _Pooled, dataset: Dataset, kind: Literal["stratum", "stream"]) -> dict[str, dict[str, float]]:
    """Accuracy and log loss of every stratum or stream, calibrated on all together: most hold one class alone."""
    logits, targets = _tempered(pooled, dataset.scheme)
    kinds = {example.sha256: str(getattr(example, kind)) for example in dataset.examples}
    found = np.array([kinds[digest] for digest in pooled])
    right = logits.argmax(axis=1) == targets
    losses = -log_softmax(logits, axis=1)[np.arange(len(targets)), targets]
    return {
        name: {
            "n": int(np.sum(found == name)),
            "accuracy": float(right[found == name].mean()),
            "loss": float(losses[found == name].mean()),
        }
        for name in sorted(set(found) - {""})
    }


def _write_soft_labels(path: Path, pooled: _Pooled, scheme: LabelScheme) -> None:
    logits, _ = _tempered(pooled, scheme)
    probabilities = expit(logits) if scheme.task == "multi_label" else softmax(logits, axis=1)
    rows = [
        {"sha256": digest, **{name: f"{p:.6f}" for name, p in zip(scheme.names, row, strict=True)}}
        for digest, row in zip(pooled, probabilities, strict=True)
    ]
    run_folder.write_rows(path, ("sha256", *scheme.names), rows)
