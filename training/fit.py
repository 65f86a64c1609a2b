"""One training run: data to a run folder with weights, history, curves, configuration and, at its end, a bundle."""

from __future__ import annotations

import gc
import hashlib
import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from training import run_folder
from training.calibrate import UNCALIBRATED, Calibration, calibrate_binary, calibrate_classes, calibrate_findings
from training.datasets.examples import Dataset, Example, LabelScheme, fingerprint, label_counts, targets_of
from training.distribute import agree, is_chief, lost_workers_named, strategy_of, worker_of
from training.evaluation.curves import draw_curves
from training.input_batches import TrainingBatches, greys_of, variant_of
from training.loop import AVERAGING, Loop, LossSettings, validation_figures
from training.networks import ARCHITECTURES, Architecture, Phase, check_base_weights, set_trainable
from training.pictures import PictureStore, Progress, open_store, output_error
from training.run_folder import Checkpoint, RunError
from training.settings import Distribution, FitSettings
from training.soft_labels import read_soft_labels
from training.split import Split, blocks_of, official_split, pooled_split

FloatArray = npt.NDArray[np.float32]

#: Packages whose versions a run names.
_PACKAGES = ("tensorflow", "tensorflow-cpu", "keras", "numpy", "opencv-python-headless", "pydicom", "scikit-learn")
#: Augmented copies of every calibration film, for the temperature.
VARIED_COPIES = 4
HISTORY_COLUMNS = (
    "epoch",
    "phase",
    "accuracy",
    "loss",
    "val_accuracy",
    "val_loss",
    "val_auc",
    "learning_rate",
    "seconds",
)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where and how a run runs; nothing of it decides the result."""

    out: Path
    cache: Path | None = None
    """Folder for decoded pictures that stays; else one in the run folder, removed at the end."""

    distribution: Distribution = "none"
    skip_unreadable: bool = False
    tensorboard: bool = False
    say: Callable[[str], None] = print
    progress: Progress = lambda items, total: items


def fit(dataset: Dataset, data: Path, settings: FitSettings, around: Surroundings, soft_labels: Path | None) -> None:
    """Train, or go on with, the run in `around.out`; calibrate; save. The bundle is `export`'s work.

    Raises
    ------
    RunError
        The folder holds another run.
    DatasetError, OutputError, BaseWeightsError, DistributionError
        Each with its one line.
    """
    out = around.out
    worker = worker_of(around.distribution)
    chief = worker == 0
    if chief:
        _claim(out, settings, dataset, data, soft_labels)
    if (out / run_folder.CALIBRATION).exists():
        around.say(f"{out} holds this run, finished.")
        return
    architecture = ARCHITECTURES[settings.model]
    if architecture.has_base:
        check_base_weights(settings.base_weights)
    taught = None if soft_labels is None else read_soft_labels(soft_labels, dataset.scheme.names)
    keras.utils.set_random_seed(settings.seed)
    if settings.deterministic:
        tf.config.experimental.enable_op_determinism()
    strategy = strategy_of(around.distribution)
    cache = around.cache or out / "pictures"
    if not chief:  # workers that share a folder must not decode into the same file
        cache = (around.cache or out).with_name(f"{(around.cache or out).name}.worker-{worker}")
    pool = pool_of(dataset, settings)
    if taught is not None and not any(example.sha256 in taught for example in pool):
        raise RunError(f"{soft_labels} without any training file", "soft labels of this data set", "check the file")
    store, examples = open_store(cache, pool, skip_unreadable=around.skip_unreadable, progress=around.progress)
    split = split_of(examples, settings)
    check_parts(split, dataset.scheme, settings.leave_out)
    if chief:
        run_folder.write_split(out, split)
        for line in _described(split, dataset.scheme, settings):
            around.say(line)
    with strategy.scope():
        network, base = architecture.build(len(dataset.scheme.labels), settings.base_weights)
        if not settings.dropout:
            for layer in network.layers:
                if isinstance(layer, keras.layers.Dropout):
                    layer.rate = 0.0
    batches = _batches(store, split.train, dataset.scheme, settings, taught)
    checkpoint = run_folder.read_checkpoint(out)
    if around.distribution == "multiworker":
        told = {
            "settings": json.dumps(asdict(settings)),
            "data": fingerprint(examples),
            "soft labels": str(_digest(soft_labels)),
            "whole epochs found": str(len(checkpoint.history) if checkpoint else 0),
        }
        with lost_workers_named():
            agree(strategy, told)
    with lost_workers_named():
        loop = _train(
            network,
            architecture,
            batches,
            store,
            split.calibration,
            dataset.scheme,
            settings,
            around,
            strategy,
            checkpoint,
        )
    if chief:
        validated = split.calibration
        if settings.leave_out is None:
            calibration, logits = _calibrate(loop, network, store, validated, dataset.scheme)
        else:  # what was left out judges the recipe, so nothing is fixed on it
            calibration, logits = UNCALIBRATED, loop.logits(greys_of(store, validated))
        for note in calibration.notes:
            around.say(note)
        _save(network, out)
        _write_outputs(out, validated, logits, dataset.scheme)
        counts = label_counts(split.train, dataset.scheme)
        result = asdict(calibration) | {
            "base": base,
            "films": {part: len(getattr(split, part)) for part in ("train", "calibration", "holdout")},
            "patients": {
                part: len({e.patient for e in getattr(split, part)}) for part in ("train", "calibration", "holdout")
            },
            "training_shares": {name: counts[name] / len(split.train) for name in dataset.scheme.names},
            "training_fingerprint": fingerprint(split.train),
        }
        run_folder.write_json(out / run_folder.CALIBRATION, result)
        (out / run_folder.CHECKPOINT).unlink(missing_ok=True)
    if around.cache is None:
        shutil.rmtree(cache, ignore_errors=True)


def _save(network: keras.Sequential, out: Path) -> None:
    """model.keras whole or not at all. Raises OutputError."""
    part = out / (run_folder.MODEL + ".part.keras")
    try:
        network.save(part)
        part.replace(out / run_folder.MODEL)
    except OSError as error:
        raise output_error(out, error) from error
    finally:
        part.unlink(missing_ok=True)


def _claim(out: Path, settings: FitSettings, dataset: Dataset, data: Path, soft_labels: Path | None) -> None:
    """Write config.json, or find that it is that of the same run; a start that failed binds nobody."""
    versions = {}
    for name in _PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    config = {
        "settings": asdict(settings),
        "data": str(data.resolve()),
        "data_fingerprint": fingerprint(dataset.examples),
        "data_description": dataset.description,
        "soft_labels": _digest(soft_labels),
        "versions": versions,
    }
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(out, error) from error
    path = out / run_folder.CONFIG
    if path.exists() and not run_folder.is_failed_start(out):
        found = run_folder.read_json(path)
        decisive = ("settings", "data_fingerprint", "soft_labels")
        differing = [key for key in decisive if found.get(key) != config[key]]
        if differing:
            raise RunError(
                f"{out}, which holds a run with other {' and '.join(differing).replace('_', ' ')}",
                "a new folder, or the same run to go on with",
                "name another --out",
            )
        return
    if not path.exists() and any(out.iterdir()):
        raise RunError(f"{out}, which holds other files", "a new or empty folder", "name another --out")
    run_folder.write_json(path, config)


def _digest(path: Path | None) -> str | None:
    """SHA-256 of a file, None for none."""
    if path is None:
        return None
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise RunError(
            f"{path} ({error.strerror})", "a file of soft labels", "see `cxr-train cross-validate`"
        ) from error


def pool_of(dataset: Dataset, settings: FitSettings) -> list[Example]:
    """What a run may look at: without the publisher's test part, unless the publisher's parts are asked for."""
    return [e for e in dataset.examples if settings.split == "official" or e.split != "test"]


def split_of(examples: list[Example], settings: FitSettings) -> Split:
    """The parts of a run. Raises RunError when there is no part of the name to be left out."""
    split = official_split(examples) if settings.split == "official" else pooled_split(examples)
    if settings.leave_out is None:
        return split
    # For choosing between recipes: the hold-out stays out, the part named takes the place of the calibration part.
    pool = split.train + split.calibration
    choices = {f"fold {number}": fold for number, fold in enumerate(split.folds)} | blocks_of(pool)
    if settings.leave_out not in choices:
        raise RunError(f"no part named {settings.leave_out}", f"one of: {', '.join(choices)}", "correct the name")
    chosen = choices[settings.leave_out]
    patients = {example.patient for example in chosen}
    kept = split.train if settings.leave_out.startswith("fold") else pool
    return Split([example for example in kept if example.patient not in patients], chosen, split.holdout)


def check_parts(split: Split, scheme: LabelScheme, leave_out: str | None) -> None:
    """Raises RunError when a class is in no image of what is trained on, or of what validates."""
    for part, name in (("train", "the train part"), ("calibration", leave_out or "the calibration part")):
        counts = label_counts(getattr(split, part), scheme)
        lacking = [label for label, count in counts.items() if count == 0]
        if scheme.task == "single_label" and lacking:
            where = name if part == "calibration" or leave_out is None else f"what is left without {leave_out}"
            raise RunError(
                f"no image of {', '.join(lacking)} in {where}",
                "images of every class from many patients",
                "add images, or check how the patients are told apart",
            )


def _described(split: Split, scheme: LabelScheme, settings: FitSettings) -> list[str]:
    lines = []
    for part in ("train", "calibration", "holdout"):
        examples = getattr(split, part)
        counts = label_counts(examples, scheme)
        name = settings.leave_out if part == "calibration" and settings.leave_out else part
        listed = ", ".join(f"{label} {counts[label]}" for label in scheme.names)
        lines.append(f"{name}: {len(examples)} images of {len({e.patient for e in examples})} patient groups; {listed}")
    return lines


def _batches(
    store: PictureStore,
    examples: list[Example],
    scheme: LabelScheme,
    settings: FitSettings,
    taught: dict[str, list[float]] | None,
) -> TrainingBatches:
    """Classes weigh alike: the network's own prior is even, whatever the folder holds."""
    targets: npt.NDArray[Any] = targets_of(examples, scheme)
    if scheme.task == "multi_label":
        positives = np.clip(targets.mean(axis=0), 1e-3, 1 - 1e-3)
        # Rare findings weigh more, bounded so that a handful of films cannot drown the rest.
        ratio = np.minimum((1 - positives) / positives, 20.0)
        weights = np.where(targets == 1, ratio, 1.0) / (positives * ratio + 1 - positives)
        targets = targets.astype(np.float32)
    else:
        counts = np.bincount(targets, minlength=len(scheme.labels))
        weights = len(targets) / (len(counts) * counts[targets])
    teacher = np.zeros((len(examples), len(scheme.labels)), np.float32)
    for position, example in enumerate(examples):
        if taught is not None and example.sha256 in taught:
            teacher[position] = taught[example.sha256]
    return TrainingBatches(
        store,
        examples,
        targets,
        weights.astype(np.float32),
        teacher,
        batch_size=settings.batch_size,
        seed=settings.seed,
        augmented=settings.augmented,
    )


def _train(
    network: keras.Sequential,
    architecture: Architecture,
    batches: TrainingBatches,
    store: PictureStore,
    validation: list[Example],
    scheme: LabelScheme,
    settings: FitSettings,
    around: Surroundings,
    strategy: tf.distribute.Strategy,
    checkpoint: Checkpoint | None,
) -> Loop:
    """All phases, from the last checkpoint on; the network then has its averaged weights."""
    chief = is_chief(around.distribution)
    targets = targets_of(validation, scheme)
    phases = [p for p in architecture.phases(settings.epochs, settings.fine_tuning_epochs) if p.epochs]
    history = list(checkpoint.history) if checkpoint else []
    board = tf.summary.create_file_writer(str(around.out / "tensorboard")) if around.tensorboard and chief else None
    loop = None
    for number, phase in enumerate(phases):
        if checkpoint and number < checkpoint.phase:
            continue
        loop = _loop_of(network, phase, len(batches), scheme, architecture, settings, strategy)
        done = 0
        if checkpoint and number == checkpoint.phase:
            done = checkpoint.epoch
            for variable, value in zip(loop.variables(), checkpoint.values, strict=True):
                variable.assign(value)
            around.say(f"goes on after epoch {len(history)}")
        for epoch in range(done, phase.epochs):
            started = time.monotonic()
            overall = len(history)
            title = f"epoch {overall + 1} of {sum(p.epochs for p in phases)} ({phase.name})"
            rate = float(loop.optimizer.learning_rate.numpy())
            shown = around.progress(batches.epoch(overall), len(batches))  # type: ignore[arg-type]
            trained = loop.train(shown)  # type: ignore[arg-type]
            logits = loop.averaged(lambda: loop.logits(greys_of(store, validation)))  # noqa: B023
            found = validation_figures(logits, targets, scheme.task)
            row = {
                "epoch": overall + 1,
                "phase": phase.name,
                **trained,
                **{f"val_{k}": v for k, v in found.items()},
                "learning_rate": rate,
                "seconds": round(time.monotonic() - started, 1),
            }
            history.append(row)
            around.say(
                f"{title}: loss {row['loss']:.4f}, accuracy {row['accuracy']:.4f}; validation loss "
                f"{row['val_loss']:.4f}, accuracy {row['val_accuracy']:.4f}, AUC {row['val_auc']:.4f}; "
                f"{row['seconds']:.0f} s"
            )
            if not chief:
                continue
            values = [variable.numpy() for variable in loop.variables()]
            run_folder.write_checkpoint(around.out, Checkpoint(number, epoch + 1, history, values))
            run_folder.write_rows(around.out / run_folder.HISTORY, HISTORY_COLUMNS, history)
            draw_curves(around.out / run_folder.HISTORY, around.out / run_folder.CURVES)
            if board is not None:
                with board.as_default(step=overall + 1):
                    for name in ("loss", "accuracy", "val_loss", "val_accuracy", "val_auc"):
                        tf.summary.scalar(name, row[name])
        loop.keep_average()
    assert loop is not None, "every architecture has a phase of one epoch or more"
    return loop


def _loop_of(
    network: keras.Sequential,
    phase: Phase,
    steps: int,
    scheme: LabelScheme,
    architecture: Architecture,
    settings: FitSettings,
    strategy: tf.distribute.Strategy,
) -> Loop:
    set_trainable(network, phase.first_trainable)
    total = max(steps * phase.epochs, 2)
    # One small step at least: Adam's first is as long for a gradient of rounding errors as for any other.
    warm = min(100, max(total // 10, 1))
    with strategy.scope():
        rate = keras.optimizers.schedules.CosineDecay(
            phase.learning_rate / 100, total - warm, warmup_target=phase.learning_rate, warmup_steps=warm
        )
        optimizer = keras.optimizers.Adam(rate, use_ema=True, ema_momentum=AVERAGING)
    loss = LossSettings(scheme.task, settings.label_smoothing, settings.teacher_share)
    gc.collect()  # the phase before kept an optimizer and a traced graph
    return Loop(network, optimizer, loss, architecture.scaling, strategy)


def _calibrate(
    loop: Loop, network: keras.Sequential, store: PictureStore, examples: list[Example], scheme: LabelScheme
) -> tuple[Calibration, FloatArray]:
    """Fix what is fixed on calibration patients, fold intercepts into the last bias; and the logits after it."""
    targets = targets_of(examples, scheme)
    clean = loop.logits(greys_of(store, examples))
    if scheme.task == "multi_label":
        found = calibrate_findings(clean.astype(np.float64), targets, scheme.names)
        return found, clean + _added_to_bias(network, [found.intercepts[name] for name in scheme.names])
    if scheme.positive is None:
        return calibrate_classes(clean.astype(np.float64), targets), clean
    copies = np.stack([loop.logits(varied(store, examples, copy)) for copy in range(VARIED_COPIES)])
    positive = scheme.names.index(scheme.positive)
    order = [1 - positive, positive]
    found = calibrate_binary(
        clean[:, order].astype(np.float64),
        copies[..., order].astype(np.float64),
        (targets == positive).astype(np.int64),
        scheme.positive,
    )
    return found, clean + _added_to_bias(network, [found.intercept if k == positive else 0.0 for k in range(2)])


def _added_to_bias(network: keras.Sequential, shifts: list[float]) -> FloatArray:
    """The shifts of the logits, shape (outputs,), after they were added to the last bias."""
    shift = np.array(shifts, np.float32)
    bias = network.layers[-1].bias
    bias.assign(bias.numpy() + shift)
    return shift


def varied(store: PictureStore, examples: list[Example], copy: int) -> Iterator[FloatArray]:
    """Inputs of one augmented copy of each example, the same ones for the same `copy`: batches (b, 150, 150)."""
    for start in range(0, len(examples), 64):
        places = range(start, min(start + 64, len(examples)))
        rngs = [np.random.default_rng((copy, place)) for place in places]
        variants = [variant_of(store, examples, place, rng) for place, rng in zip(places, rngs, strict=True)]
        yield np.stack(variants) * np.float32(1 / 255)


def _write_outputs(out: Path, examples: list[Example], logits: FloatArray, scheme: LabelScheme) -> None:
    """The logits on the validation films: what cross-validation gathers."""
    rows = [
        {"file": e.source.name, "sha256": e.sha256, "patient": e.patient, "target": json.dumps(e.target)}
        | {name: float(value) for name, value in zip(scheme.names, row, strict=True)}
        for e, row in zip(examples, logits, strict=True)
    ]
    run_folder.write_rows(out / run_folder.OUTPUTS, ("file", "sha256", "patient", "target", *scheme.names), rows)
