"""A run folder to a model bundle: converted, compared with Keras, evaluated on the hold-out, with its card."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np

from cxr_core.bundle import DOMAIN, GOLDEN, MODEL
from cxr_core.classifier import Classifier, LiteRtGraph
from cxr_core.phantom import PhantomSettings, display_values
from cxr_core.preprocess import InputScaling, scaled, to_input
from training import run_folder
from training.augment import augment
from training.bundle_folder import place_for, put_in_place, write_manifest
from training.calibration_error import before_and_after
from training.datasets.examples import Dataset
from training.domain_fit import chosen_films, fit_domain_check
from training.evaluation.metrics import measure
from training.evaluation.overlap import TRAINING_FILES
from training.evaluation.served import serve
from training.graph import compare, to_litert
from training.input_batches import FloatArray, grey_of
from training.model_card import model_card
from training.networks import ARCHITECTURES
from training.pictures import Progress, output_error, picture_of
from training.split import Split

#: Films over which graph and Keras are compared.
COMPARED_FILMS = 200


def export(run: Path, dataset: Dataset, out: Path, version: str, name: str | None, progress: Progress) -> Path:
    """Write the bundle folder `out` of a finished run, whole or not at all; returns its full path.

    Raises
    ------
    RunError
        The folder is no finished run, the data set is not the one it was fitted on, or `out` is something else than
        a bundle.
    ExportError
        The graph answers otherwise than Keras, or there are too few films to tell.
    """
    out = place_for(out)
    config = run_folder.read_json(run / run_folder.CONFIG)
    fitted = run_folder.read_json(run / run_folder.CALIBRATION)
    split = run_folder.read_split(run, dataset)
    architecture = ARCHITECTURES[config["settings"]["model"]]
    model = keras.models.load_model(run / run_folder.MODEL, compile=False)
    work = out.with_name(out.name + ".part")
    try:
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        to_litert(model, work / MODEL)
        graph = LiteRtGraph(work / MODEL, threads=2)
        inputs = np.stack([scaled(grey, architecture.scaling) for grey in _compared(split)])
        agreement = compare(graph, model, inputs, dataset.scheme.task)
        films = chosen_films(split.train + split.calibration)
        pictures = map(picture_of, progress(films, len(films)))
        domain = fit_domain_check(pictures, [film.patient for film in films], config["settings"]["seed"])
        domain.save(work / DOMAIN)
        grid = _write_golden(graph, architecture.scaling, work / GOLDEN)
        scheme, positive = dataset.scheme, dataset.scheme.positive
        shares = fitted["training_shares"]
        manifest: dict[str, Any] = {
            "format": 1,
            "name": name or architecture.name,
            "version": version,
            "description": _description(architecture.description, dataset),
            "task": scheme.task,
            "labels": [label.model_dump() for label in scheme.labels],
            "positive": positive,
            "input_scaling": architecture.scaling,
            "map_grid": grid,
            "temperature": fitted["temperature"],
            "thresholds": fitted["thresholds"],
            "threshold_rule": fitted["threshold_rule"],
            "indeterminate": fitted["indeterminate"],
            "population": dataset.population.model_dump(),
            # Classes weigh alike in training and calibration.
            "prevalence": 1 / len(scheme.labels) if scheme.task == "single_label" else 0.5,
            "training_prevalence": shares[positive or scheme.names[-1]],
            "training_data": dataset.description,
            "training_fingerprint": fitted["training_fingerprint"],
            "metrics": {"agreement_with_keras": agreement},
            "sha256": {},
        }
        digests = "".join(f"{digest}\n" for digest in sorted(example.sha256 for example in split.train))
        (work / TRAINING_FILES).write_text(digests, encoding="ascii")
        shutil.copyfile(run / run_folder.HISTORY, work / run_folder.HISTORY)
        write_manifest(work, manifest, "")
        classifier = Classifier(str(work))
        parts = {"calibration": split.calibration, "holdout": split.holdout}
        answers = {part: serve(classifier, scheme, examples)[0] for part, examples in parts.items() if examples}
        manifest["metrics"] |= {part: measure(found) for part, found in answers.items()}
        manifest["metrics"]["calibration_error"] = {
            part: before_and_after(found, fitted) for part, found in answers.items()
        }
        write_manifest(work, manifest, model_card(manifest, config, fitted))
        Classifier(str(work))
        put_in_place(work, out)
    except OSError as error:
        raise output_error(out.parent, error) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return out


def _description(architecture: str, dataset: Dataset) -> str:
    if dataset.kind == "kaggle":
        return f"{architecture} for pneumonia in chest films of children"
    return f"{architecture} for {', '.join(dataset.scheme.names)} in chest films"


def _compared(split: Split) -> Iterator[FloatArray]:
    """Inputs (150, 150) to compare on: calibration films, then training films, then augmented copies of them."""
    films = [picture_of(example) for example in (split.calibration + split.train)[:COMPARED_FILMS]]
    yield from map(grey_of, films)
    rng = np.random.default_rng(0)
    for number in range(COMPARED_FILMS - len(films)):
        film = films[number % len(films)]
        yield augment(film, film, rng) * np.float32(1 / 255)


def _write_golden(graph: LiteRtGraph, scaling: InputScaling, path: Path) -> tuple[int, int]:
    """A drawn chest and what the graph gives for it; returns the grid of the maps (rows, columns)."""
    shown = to_input(display_values(PhantomSettings(opacity=0.5)), "zero_to_one")[:, :, 0]
    grey = np.rint(shown * 255).astype(np.uint8)
    outputs = graph(scaled(grey.astype(np.float32) / np.float32(255), scaling)[np.newaxis])
    np.savez_compressed(path, grey=grey, logits=outputs.logits, maps=outputs.maps, embedding=outputs.embedding)
    return int(outputs.maps.shape[2]), int(outputs.maps.shape[3])
