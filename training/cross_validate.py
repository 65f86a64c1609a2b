"""Folds and blocks of one recipe: its figures on patients and numbers it never saw, and soft labels for a student."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import reduce
from operator import or_
from pathlib import Path
from typing import Any, Literal

import numpy as np
from scipy.special import expit, log_softmax, softmax

from training import run_folder
from training.calibrate import (
    FloatArray,
    IntArray,
    balanced_weights,
    calibrate_binary,
    calibrate_classes,
    calibrate_findings,
)
from training.datasets.examples import Dataset, LabelScheme, targets_of
from training.fit import Surroundings, check_parts, fit, pool_of, split_of
from training.loop import validation_figures
from training.run_folder import RunError
from training.settings import FitSettings
from training.soft_labels import write_soft_labels
from training.split import BLOCKS, FOLDS, blocks_of

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
        By part its films, and the figures of single networks: mean over the seeds and "range", before and after
        calibration on the part itself; the parts with the worst loss (classes weighing alike) and AUC. With all folds
        also the figures of everything out of fold, by stratum and stream of file names, too, and those of the seeds'
        mean logits under "ensemble", where there are several. It is written to `around.out` after every part, and at
        the end soft labels of every training file: what the (ensemble of) models that never saw it say of it.

    Raises
    ------
    RunError
        A part that cannot be left out, before anything is fitted; else what `fit` raises.
    """
    parts = [f"fold {number}" for number in range(min(folds, FOLDS))] + (list(BLOCKS) if blocks else [])
    scheme = dataset.scheme
    _check(dataset, settings, parts)
    cache = around.cache or around.out / "pictures"
    runs: dict[str, list[_Outputs]] = {}
    result: dict[str, Any] = {"settings": asdict(settings), "seeds": seeds, "parts": {}}
    for done, part in enumerate(parts, start=1):
        runs[part] = []
        for seed in range(settings.seed, settings.seed + seeds):
            out = around.out / f"{part.replace(' ', '-')}_seed-{seed}"
            around.say(f"without {part}, seed {seed}:")
            told = replace(settings, leave_out=part, seed=seed)
            fit(dataset, data, told, replace(around, out=out, cache=cache), soft_labels)
            runs[part].append(_outputs(run_folder.read_rows(out / run_folder.OUTPUTS), scheme))
        result["parts"][part] = _over_seeds(runs[part], scheme)
        result |= {"worst": _worst(result["parts"]), "parts_to_come": parts[done:]}
        run_folder.write_json(around.out / TABLE, result)
    if folds >= FOLDS:
        in_folds = [found for part, found in runs.items() if part.startswith("fold")]
        by_seed = [reduce(or_, found) for found in zip(*in_folds, strict=True)]
        ensemble = _mean_logits(by_seed)
        result["out_of_fold"] = _over_seeds(by_seed, scheme)
        if seeds > 1:
            result["out_of_fold"]["ensemble"] = _figures(ensemble, scheme)
        if scheme.task == "single_label":
            result |= {kind: _by_kind(by_seed, dataset, kind) for kind in ("stratum", "stream")}
        logits, _ = _tempered(ensemble, scheme)
        probabilities = expit(logits) if scheme.task == "multi_label" else softmax(logits, axis=1)
        rows = dict(zip(ensemble, probabilities, strict=True))
        write_soft_labels(around.out / SOFT_LABELS, scheme.names, rows)
        run_folder.write_json(around.out / TABLE, result)
    if around.cache is None:
        shutil.rmtree(cache, ignore_errors=True)
    return result


def _check(dataset: Dataset, settings: FitSettings, parts: Sequence[str]) -> None:
    """Raises RunError when one of the parts cannot be left out: hours later would be late."""
    pool = pool_of(dataset, settings)
    split = split_of(pool, settings)
    there = blocks_of(split.train + split.calibration)
    if any(part in BLOCKS and part not in there for part in parts):
        raise RunError(
            "no blocks of file numbers in this data set",
            "numbered file names like IM-0001-0001.jpeg or person1_virus_2.jpeg",
            "leave --blocks out",
        )
    for part in parts:
        judged = split_of(pool, replace(settings, leave_out=part))
        check_parts(judged, dataset.scheme, part)
        targets = targets_of(judged.calibration, dataset.scheme)
        if targets.ndim == 2 and not np.any(
            (targets.min(axis=0, initial=1) == 0) & (targets.max(axis=0, initial=0) == 1)
        ):
            raise RunError(
                f"no finding with and without images in {part}", "one at least", "add images from many patients"
            )


#: Logits and target by digest.
_Outputs = dict[str, tuple[FloatArray, tuple[int, ...]]]


def _outputs(rows: Sequence[dict[str, str]], scheme: LabelScheme) -> _Outputs:
    return {
        row["sha256"]: (np.array([float(row[name]) for name in scheme.names]), tuple(json.loads(row["target"])))
        for row in rows
    }


def _mean_logits(runs: Sequence[_Outputs]) -> _Outputs:
    """The ensemble of the seeds."""
    return {
        digest: (np.asarray(np.mean([run[digest][0] for run in runs], axis=0)), target)
        for digest, (_, target) in runs[0].items()
    }


def _arrays(outputs: _Outputs, scheme: LabelScheme) -> tuple[Any, Any]:
    logits = np.array([logits for logits, _ in outputs.values()])
    targets = np.array([target for _, target in outputs.values()])
    return logits, targets if scheme.task == "multi_label" else targets[:, 0]


def _tempered(outputs: _Outputs, scheme: LabelScheme) -> tuple[Any, Any]:
    """Logits calibrated as `fit` does on calibration patients, and the targets."""
    logits, targets = _arrays(outputs, scheme)
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


def _figures(outputs: _Outputs, scheme: LabelScheme) -> dict[str, Any]:
    """Before and after calibration on the same patients; classes as they come, but for the balanced loss."""
    raw, targets = _arrays(outputs, scheme)
    after, _ = _tempered(outputs, scheme)
    balanced = {"balanced_loss": _balanced_loss(after, targets)}
    return {
        "n": len(outputs),
        **validation_figures(raw, targets, scheme.task),
        "calibrated": validation_figures(after, targets, scheme.task) | balanced,
    }


def _balanced_loss(logits: FloatArray, targets: IntArray) -> float:
    """Log loss of classes that weigh alike; of findings the mean over those that are there and not there."""
    if targets.ndim == 1:
        losses = -log_softmax(logits, axis=1)[np.arange(len(targets)), targets]
        return float(np.mean(balanced_weights(targets) * losses))
    losses = np.logaddexp(0, np.where(targets == 1, -logits, logits))
    both = [k for k in range(targets.shape[1]) if 0 < targets[:, k].sum() < len(targets)]
    return float(np.mean([np.mean(balanced_weights(targets[:, k]) * losses[:, k]) for k in both]))


def _over_seeds(runs: Sequence[_Outputs], scheme: LabelScheme) -> dict[str, Any]:
    """The figures of single networks: their mean and, under "range", the least and the largest."""
    found = [_figures(run, scheme) for run in runs]
    calibrated = [figures.pop("calibrated") for figures in found]
    films = {figures.pop("n") for figures in found}
    return {"n": films.pop(), **_mean_and_range(found), "calibrated": _mean_and_range(calibrated)}


def _mean_and_range(found: Sequence[dict[str, float]]) -> dict[str, Any]:
    columns = {key: [figures[key] for figures in found] for key in found[0]}
    return {key: float(np.mean(values)) for key, values in columns.items()} | {
        "range": {key: [min(values), max(values)] for key, values in columns.items()}
    }


def _worst(parts: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The parts of the highest balanced loss and of the lowest AUC, after calibration."""
    loss = max(parts, key=lambda part: parts[part]["calibrated"]["balanced_loss"])
    auc = min(parts, key=lambda part: parts[part]["calibrated"]["auc"])
    return {"loss": {"part": loss, **parts[loss]}, "auc": {"part": auc, **parts[auc]}}


def _by_kind(
    runs: Sequence[_Outputs], dataset: Dataset, kind: Literal["stratum", "stream"]
) -> dict[str, dict[str, float]]:
    """Mean accuracy and log loss of single networks on every stratum or stream.

    Calibrated on all together: most kinds hold one class alone.
    """
    kinds = {example.sha256: str(getattr(example, kind)) for example in dataset.examples}
    found = np.array([kinds[digest] for digest in runs[0]])
    right, losses = np.empty((2, len(runs), len(found)))
    for number, run in enumerate(runs):
        logits, targets = _tempered({digest: run[digest] for digest in runs[0]}, dataset.scheme)
        right[number] = logits.argmax(axis=1) == targets
        losses[number] = -log_softmax(logits, axis=1)[np.arange(len(targets)), targets]
    return {
        name: {
            "n": int(np.sum(found == name)),
            "accuracy": float(right[:, found == name].mean()),
            "loss": float(losses[:, found == name].mean()),
        }
        for name in sorted(set(found.tolist()) - {""})
    }
