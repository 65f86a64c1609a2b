"""A run folder to a model bundle: calibrated, converted, compared with Keras, evaluated."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np

from cxr_core.bundle import CARD, DOMAIN, GOLDEN, MANIFEST, MODEL
from cxr_core.classifier import Classifier, LiteRtGraph
from cxr_core.phantom import PhantomSettings, display_values
from cxr_core.preprocess import scaled, to_input
from training.calibrate import THRESHOLD_RULE, calibrate
from training.dataset_index import LABELS, Film
from training.domain_fit import fit_domain_check
from training.evaluate import evaluate
from training.fit import CONFIG_FILE, MODEL_FILE, SPLIT_FILE
from training.graph import ExportError, compare, to_litert
from training.input_batches import display_of, inputs_of, labels_of
from training.model_card import model_card

TRAINING_DATA = "Chest X-Ray Images (Pneumonia), Kermany, Zhang, Goldbaum, Mendeley Data rscbjbr9sj, CC BY 4.0"
#: Films over which graph and Keras are compared.
COMPARED_FILMS = 200


def export(run: Path, data: Path, out: Path, version: str) -> dict[str, Any]:
    """Calibrate, convert, compare, evaluate and write the bundle folder `out`; returns its metrics.

    The folder appears only when all of it is there. Raises ExportError, and BundleError when it does not load.
    """
    try:
        config = json.loads((run / CONFIG_FILE).read_text())
    except OSError as error:
        raise ExportError(f"no {CONFIG_FILE} in {run}", "a run folder of `cxr-train fit`", "fit first") from error
    parts = _films_of(run, data)
    model = keras.models.load_model(run / MODEL_FILE)
    scaling = config["scaling"]
    work = out.with_name(out.name + ".part")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    to_litert(model, work / MODEL)
    graph = LiteRtGraph(work / MODEL, threads=2)
    validation = inputs_of(parts["validation"], scaling)
    agreement = compare(graph, model, validation[:COMPARED_FILMS], "single_label")
    logits = np.concatenate([graph(validation[i : i + 32]).logits for i in range(0, len(validation), 32)])
    calibration = calibrate(logits.astype(np.float64), labels_of(parts["validation"]))
    domain = fit_domain_check(
        [display_of(film) for film in parts["train"]],
        [display_of(film) for film in parts["validation"]],
        config["settings"]["seed"],
    )
    domain.save(work / DOMAIN)
    grid = _write_golden(graph, scaling, work / GOLDEN)
    manifest: dict[str, Any] = {
        "format": 1,
        "name": config["model"],
        "version": version,
        "description": "Sequential CNN (Conv2D, MaxPooling2D, Flatten, Dense) for pneumonia in chest films of children",
        "task": "single_label",
        "labels": [
            {
                "name": "NORMAL",
                "meaning": "no pneumonia pattern found by this model; nothing else was assessed",
                "code": None,
            },
            {
                "name": "PNEUMONIA",
                "meaning": "pneumonia pattern",
                "code": {"value": "233604007", "scheme": "SCT", "meaning": "Pneumonia"},
            },
        ],
        "positive": LABELS[-1],
        "input_scaling": scaling,
        "map_grid": grid,
        "temperature": calibration.temperature,
        "thresholds": {LABELS[-1]: calibration.threshold},
        "threshold_rule": THRESHOLD_RULE,
        "indeterminate": calibration.indeterminate,
        "population": {"description": "children of 1 to 5 years", "min_age_years": 1, "below_age_years": 6},
        "prevalence": 0.5,
        "training_prevalence": config["training_prevalence"],
        "training_data": TRAINING_DATA,
        "training_fingerprint": config["training_fingerprint"],
        "metrics": {},
        "sha256": {},
    }
    _write_manifest(work, manifest, "")
    holdout = evaluate(Classifier(str(work)), parts["holdout"])
    manifest["metrics"] = {"holdout": holdout, "agreement_with_keras": agreement}
    _write_manifest(work, manifest, model_card(manifest, config))
    Classifier(str(work))
    shutil.rmtree(out, ignore_errors=True)
    work.rename(out)
    return manifest["metrics"]


def _films_of(run: Path, data: Path) -> dict[str, list[Film]]:
    parts: dict[str, list[Film]] = {"train": [], "validation": [], "holdout": []}
    with (run / SPLIT_FILE).open(newline="") as file:
        for row in csv.DictReader(file):
            series, number = row["patient"].rsplit("-", 1)
            parts[row["part"]].append(Film(data / row["file"], row["label"], series, int(number), row["sha256"]))
    return parts


def _write_golden(graph: LiteRtGraph, scaling: Any, path: Path) -> tuple[int, int]:
    """A drawn chest and what the graph gives for it; returns the grid of the maps (rows, columns)."""
    shown = to_input(display_values(PhantomSettings(opacity=0.5)), "zero_to_one")[:, :, 0]
    grey = np.rint(shown * 255).astype(np.uint8)
    outputs = graph(scaled(grey.astype(np.float32) / np.float32(255), scaling)[np.newaxis])
    np.savez_compressed(path, grey=grey, logits=outputs.logits, maps=outputs.maps, embedding=outputs.embedding)
    return int(outputs.maps.shape[2]), int(outputs.maps.shape[3])


def _write_manifest(folder: Path, manifest: dict[str, Any], card: str) -> None:
    (folder / CARD).write_text(card, encoding="utf-8")
    manifest["sha256"] = {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in (MODEL, DOMAIN, GOLDEN, CARD)
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
