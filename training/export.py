"""A run folder to a model bundle: one LiteRT graph with logits, Grad-CAM maps in closed form, and embedding."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from cxr_core.bundle import CARD, DOMAIN, GOLDEN, MANIFEST, MODEL
from cxr_core.classifier import Classifier, LiteRtGraph, Outputs
from cxr_core.errors import CxrError
from cxr_core.phantom import PhantomSettings, display_values
from cxr_core.preprocess import INPUT_SIDE, scaled, to_input
from training.calibrate import THRESHOLD_RULE, calibrate
from training.dataset_index import LABELS, Film
from training.domain_fit import fit_domain_check
from training.evaluate import evaluate
from training.fit import CONFIG_FILE, MODEL_FILE, SPLIT_FILE
from training.input_batches import display_of, inputs_of, labels_of
from training.model_card import model_card

FloatArray = npt.NDArray[np.float32]

#: Largest difference of a probability, and relative difference of a map, between graph and Keras.
PROBABILITY_TOLERANCE, MAP_TOLERANCE = 1e-3, 1e-2
TRAINING_DATA = "Chest X-Ray Images (Pneumonia), Kermany, Zhang, Goldbaum, Mendeley Data rscbjbr9sj, CC BY 4.0"
#: Films over which graph and Keras are compared.
COMPARED_FILMS = 200


class ExportError(CxrError):
    """A network whose closed-form map is not proved, or whose graph answers otherwise than Keras."""


def tail_of(model: keras.Sequential) -> tuple[list[keras.Layer], list[keras.Layer]]:
    """The layers up to the last Conv2D, and those behind it: MaxPooling2D, Flatten, Dense (ReLU), Dense.

    Raises ExportError for any other tail: the closed form below holds for this one.
    """
    layers = [layer for layer in model.layers if not isinstance(layer, keras.layers.Dropout)]
    kinds = [type(layer).__name__ for layer in layers]
    if kinds[-5:] != ["Conv2D", "MaxPooling2D", "Flatten", "Dense", "Dense"]:
        raise ExportError(
            f"a network that ends in {', '.join(kinds[-5:])}", "Conv2D, MaxPooling2D, Flatten, Dense, Dense", "use it"
        )
    activations = [layer.activation.__name__ for layer in (layers[-5], layers[-2], layers[-1])]
    if activations != ["relu", "relu", "linear"]:
        raise ExportError(f"activations {', '.join(activations)} in the tail", "relu, relu, linear", "change them")
    return layers[:-4], layers[-4:]


def serving_function(model: keras.Sequential, maps: bool = True) -> Any:
    """A tf.function of (n, 150, 150, 3) inputs that returns logits, maps and embedding (logits only without maps).

    Grad-CAM needs the mean over the feature map of d logit / d A. Max-pooling passes each gradient to one cell, so
    sums over positions survive it: with S the first Dense kernel summed over its positions, (channels, units),
    alpha_c = S . (1[h > 0] * W2[:, c]) / cells, and the map is ReLU(sum_k alpha_ck A_k).
    """
    head, (pool, flatten, hidden, output) = tail_of(model)

    @tf.function(input_signature=[tf.TensorSpec([None, INPUT_SIDE, INPUT_SIDE, 3], tf.float32, name="inputs")])
    def serve(inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        features = inputs
        for layer in head:
            features = layer(features)
        embedding = hidden(flatten(pool(features)))
        logits = output(embedding)
        if not maps:
            return {"logits": logits}
        channels = features.shape[-1]
        cells = features.shape[1] * features.shape[2]
        positions_summed = tf.reduce_sum(tf.reshape(hidden.kernel, [-1, channels, hidden.units]), axis=0)
        active = tf.cast(embedding > 0, tf.float32)
        cams = []
        for index in range(output.units):
            alpha = tf.matmul(active * output.kernel[:, index], positions_summed, transpose_b=True) / cells
            cams.append(tf.nn.relu(tf.reduce_sum(features * alpha[:, tf.newaxis, tf.newaxis, :], axis=-1)))
        return {"logits": logits, "maps": tf.stack(cams, axis=1), "embedding": embedding}

    return serve


def to_litert(model: keras.Sequential, path: Path, maps: bool = True) -> None:
    """Write the graph. ExportArchive keeps the weights, which a bare tf.Module around a Keras 3 model loses."""
    folder = path.with_suffix(".saved_model")
    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint("serve", serving_function(model, maps))
    archive.write_out(str(folder), verbose=False)
    try:
        converter = tf.lite.TFLiteConverter.from_saved_model(str(folder))
        path.write_bytes(converter.convert())
    finally:
        shutil.rmtree(folder)


def keras_outputs(model: keras.Sequential, inputs: FloatArray) -> Outputs:
    """What Keras and a GradientTape give for the same inputs: the reference of the graph."""
    head, (pool, flatten, hidden, output) = tail_of(model)
    features = tf.convert_to_tensor(inputs)
    for layer in head:
        features = layer(features)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(features)
        embedding = hidden(flatten(pool(features)))
        logits = output(embedding)
        scores = [logits[:, index] for index in range(logits.shape[1])]
    cams = []
    for score in scores:
        alpha = tf.reduce_mean(tape.gradient(score, features), axis=(1, 2), keepdims=True)
        cams.append(tf.nn.relu(tf.reduce_sum(features * alpha, axis=-1)))
    return Outputs(logits.numpy(), tf.stack(cams, axis=1).numpy(), embedding.numpy())


def compare(graph: LiteRtGraph, model: keras.Sequential, inputs: FloatArray) -> dict[str, float]:
    """Largest differences between graph and Keras over inputs (n, 150, 150, 3). Raises ExportError beyond tolerance."""
    probabilities, maps = [], []
    for start in range(0, len(inputs), 25):
        batch = inputs[start : start + 25]
        served, reference = graph(batch), keras_outputs(model, batch)
        a, b = (keras.ops.softmax(x.logits, axis=-1) for x in (served, reference))
        probabilities.append(np.abs(np.asarray(a) - np.asarray(b)).max())
        scale = np.maximum(np.abs(reference.maps).max(axis=(1, 2, 3), keepdims=True), 1e-6)
        maps.append((np.abs(served.maps - reference.maps) / scale).max())
    # numpy's max, unlike Python's, lets a NaN through to the comparison, which it then fails.
    probability, map_difference = float(np.max(probabilities)), float(np.max(maps))
    if not (probability <= PROBABILITY_TOLERANCE and map_difference <= MAP_TOLERANCE):
        raise ExportError(
            f"a graph {probability:.2g} off in probability and {map_difference:.2g} in its maps",
            f"at most {PROBABILITY_TOLERANCE} and {MAP_TOLERANCE}",
            "do not ship it",
        )
    return {"films": len(inputs), "probability": probability, "maps_relative": map_difference}


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
    agreement = compare(graph, model, validation[:COMPARED_FILMS])
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
