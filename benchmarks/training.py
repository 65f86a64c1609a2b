"""Training: what the input pipeline costs beside Keras's own, how much of the step's rate is left, and peak memory."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.measure import run_process
from benchmarks.report import Figure, NotRunError, at_least, at_most
from benchmarks.setting import Setting

if TYPE_CHECKING:
    from training.datasets.examples import Dataset
    from training.input_batches import TrainingBatches
    from training.loop import Loop

RATE, PIPELINE, MEMORY_GB = at_least(0.95), at_most(0.5), at_most(3.0)
#: Films of the pipeline's comparison, and steps of a stretch of training; stretches take turns.
FILMS, STEPS, TURNS = 1024, 24, 5
#: Films decoded to tell what that costs, and epochs that it is shared by.
DECODED, EPOCHS = 256, 10
BATCH = 32


def run(setting: Setting) -> Iterator[Figure]:
    """Rates in one process, taking turns; memory of a whole `cxr-train fit`."""
    data = setting.films() / "chest_xray"
    if find_spec("tensorflow") is None:
        raise NotRunError("it needs TensorFlow (the extra `train`)")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from training.datasets import open_dataset

    dataset = open_dataset(data)
    batches = _batches(dataset, setting.work)
    yield _pipeline(batches, data, _decoding_ms(dataset) / EPOCHS)
    for name in ("cnn", "mobilenetv2"):
        yield _rate(name, batches)
    command = str(Path(sys.executable).with_name("cxr-train"))
    for name in ("cnn", "mobilenetv2"):
        out = str(setting.work / f"run-{name}")
        short = ["--epochs", "1", "--fine-tuning-epochs", "1", "--base-weights", "none"]
        done = run_process([command, "fit", "--data", str(data), "--out", out, "--model", name, *short])
        what, films = f"peak memory of fit, {name}", f"{len(dataset.examples)} films"
        yield Figure(what, done.peak_mb / 1024, "GB", MEMORY_GB, films)


def _batches(dataset: Dataset, work: Path) -> TrainingBatches:
    from training.datasets.examples import targets_of
    from training.input_batches import TrainingBatches
    from training.pictures import open_store
    from training.split import pooled_split

    examples = pooled_split(dataset.examples).train[:: max(1, len(dataset.examples) // (2 * FILMS))][:FILMS]
    store, _ = open_store(work / "pictures", examples, skip_unreadable=False, progress=lambda items, total: items)
    n = len(examples)
    ones, nothing = np.ones(n, np.float32), np.zeros((n, 2), np.float32)
    targets = targets_of(examples, dataset.scheme)
    return TrainingBatches(store, examples, targets, ones, nothing, batch_size=BATCH, seed=1, augmented=True)


def _decoding_ms(dataset: Dataset) -> float:
    """CPU to decode a film, which is done once for all epochs."""
    from training.pictures import picture_of

    films = dataset.examples[:: len(dataset.examples) // DECODED][:DECODED]
    started = time.process_time()
    for film in films:
        picture_of(film)
    return 1000 * (time.process_time() - started) / len(films)


def _pipeline(batches: TrainingBatches, data: Path, decoding_ms: float) -> Figure:
    """CPU a film and epoch of our batches, and of image_dataset_from_directory with Keras's augmentation layers."""
    import keras

    layers = keras.layers
    augmentation = keras.Sequential(
        [
            layers.RandomRotation(8 / 360),
            layers.RandomTranslation(0.07, 0.07),
            layers.RandomZoom((-0.2, 0.15), (-0.2, 0.15)),
            layers.RandomContrast(0.2),
            layers.RandomBrightness(0.15),
        ]
    )
    theirs = keras.utils.image_dataset_from_directory(
        str(data / "train"),
        image_size=(150, 150),
        batch_size=BATCH,
        shuffle=True,
        seed=1,
        verbose=False,
        color_mode="grayscale",
    )
    mapped = theirs.map(lambda pictures, labels: (augmentation(pictures, training=True), labels)).take(len(batches))
    ours_ms, theirs_ms = [], []
    for turn in range(TURNS):
        ours_ms.append(_cpu_per_film(lambda turn=turn: batches.epoch(turn)))  # type: ignore[misc]
        theirs_ms.append(_cpu_per_film(lambda: iter(mapped)))
    ours, peer = median(ours_ms) + decoding_ms, median(theirs_ms)
    detail = (
        f"{ours:.2f} against {peer:.2f} ms a film and epoch, {decoding_ms:.2f} of it our decoding over {EPOCHS} epochs"
    )
    return Figure("input pipeline, share of Keras's CPU", ours / peer, "", PIPELINE, detail)


def _cpu_per_film(epoch: Callable[[], Iterator[object]]) -> float:
    started = time.process_time()
    count = sum(1 for _ in epoch())
    return 1000 * (time.process_time() - started) / (count * BATCH)


def _rate(name: str, batches: TrainingBatches) -> Figure:
    """Films a second of training on augmented batches, over those on one batch in memory; validation is in neither."""
    loop = _loop(name)
    kept = next(iter(batches.epoch(0)))
    fed_rates, step_rates = [], []
    loop.train([kept] * 3)
    for turn in range(TURNS):
        started = time.perf_counter()
        loop.train([kept] * STEPS)
        step_rates.append(STEPS * BATCH / (time.perf_counter() - started))
        epoch = batches.epoch(turn)
        started = time.perf_counter()
        loop.train(batch for batch, _ in zip(epoch, range(STEPS), strict=False))
        fed_rates.append(STEPS * BATCH / (time.perf_counter() - started))
        epoch.close()  # type: ignore[attr-defined]
    fed, step = median(fed_rates), median(step_rates)
    detail = f"{fed:.0f} films a second against {step:.0f} of the step alone, batches of {BATCH}"
    return Figure(f"rate of fit over that of its step, {name}", fed / step, "", RATE, detail)


def _loop(name: str) -> Loop:
    import keras

    from training.distribute import strategy_of
    from training.loop import AVERAGING, Loop, LossSettings
    from training.networks import ARCHITECTURES, FINE_TUNED_FROM, set_trainable

    network, _ = ARCHITECTURES[name].build(2, "none")
    set_trainable(network, FINE_TUNED_FROM)
    optimizer = keras.optimizers.Adam(1e-4, use_ema=True, ema_momentum=AVERAGING)
    loss = LossSettings("single_label", label_smoothing=0.05)
    return Loop(network, optimizer, loss, ARCHITECTURES[name].scaling, strategy_of("none"))
