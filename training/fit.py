"""Fit the Sequential CNN and leave a run folder: weights, split, history, configuration."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import keras
import numpy as np

from cxr_core.preprocess import InputScaling
from training.dataset_index import LABELS, fingerprint, index_folder
from training.input_batches import AugmentedBatches, inputs_of, labels_of
from training.networks import sequential_cnn
from training.split import Split, split_by_blocks

SCALING: InputScaling = "zero_to_one"
MODEL_FILE, SPLIT_FILE, CONFIG_FILE, HISTORY_FILE = "model.keras", "split.csv", "config.json", "history.csv"


@dataclass(frozen=True, slots=True)
class FitSettings:
    """What a run can be told."""

    epochs: int = 10
    batch_size: int = 32
    learning_rate: float = 1e-3
    """Of Adam at the start; falls to 0 along a cosine."""

    seed: int = 1


def fit(data: Path, out: Path, settings: FitSettings) -> None:
    """Train on the Kaggle folder `data` and write the run folder `out`.

    Raises DatasetError when the folder is not the data set.
    """
    split = split_by_blocks(index_folder(data))
    out.mkdir(parents=True, exist_ok=True)
    _write_split(split, data, out / SPLIT_FILE)
    keras.utils.set_random_seed(settings.seed)
    batches = AugmentedBatches(split.train, SCALING, settings.batch_size, settings.seed)
    model = sequential_cnn(len(LABELS))
    model.compile(
        optimizer=keras.optimizers.Adam(
            keras.optimizers.schedules.CosineDecay(settings.learning_rate, settings.epochs * len(batches))
        ),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    counts = np.bincount(labels_of(split.train), minlength=len(LABELS))
    model.fit(
        batches,
        epochs=settings.epochs,
        validation_data=(inputs_of(split.validation, SCALING), labels_of(split.validation)),
        # Both classes weigh the same, so the network's own prior is one half whatever the folder holds.
        class_weight={index: float(counts.sum() / len(counts) / count) for index, count in enumerate(counts)},
        callbacks=[keras.callbacks.CSVLogger(out / HISTORY_FILE)],
        verbose=2,
    )
    model.save(out / MODEL_FILE)
    config = {
        "model": "cnn",
        "scaling": SCALING,
        "settings": asdict(settings),
        "films": {part: len(getattr(split, part)) for part in ("train", "validation", "holdout")},
        "training_prevalence": float(counts[-1] / counts.sum()),
        "training_fingerprint": fingerprint(split.train),
        "versions": {name: version(name) for name in ("tensorflow-cpu", "keras", "numpy", "opencv-python-headless")},
    }
    (out / CONFIG_FILE).write_text(json.dumps(config, indent=2) + "\n")


def _write_split(split: Split, data: Path, path: Path) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "part", "label", "patient", "sha256"])
        for part in ("train", "validation", "holdout"):
            for film in getattr(split, part):
                writer.writerow([film.path.relative_to(data), part, film.label, film.patient, film.sha256])
