"""`cxr-train probe`: all probes of one served model, and the folder that they are written into."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cxr_core.bundle import MODEL
from cxr_core.classifier import Classifier
from cxr_core.preprocess import scaled
from cxr_core.settings import Settings
from training.datasets.examples import Dataset, Example, fingerprint
from training.evaluation.files import output_folder
from training.evaluation.models import Candidate, find_candidate
from training.evaluation.overlap import overlap
from training.evaluation.parts import calibration_films
from training.evaluation.served import Progress
from training.probes.baselines import Baseline, measure_baselines, read_sizes
from training.probes.copies import PLAIN, Copies, Sizes, Tick, answer_copies, training_features
from training.probes.external import ExternalFilm, counts, external_films
from training.probes.figures import Effect, Figures, called, effect_of, figures_of, targets_for
from training.probes.map_checks import MIN_STABILITY, deletion_insertion, stability
from training.probes.perturbations import PERTURBATIONS, Change
from training.probes.report import write_report
from training.probes.shortcuts import SHORTCUTS, Swap
from training.probes.stream import sampled
from training.probes.tables import EFFECT


@dataclass(frozen=True, slots=True)
class ProbeLimits:
    """How many images the probes take; each is a sample by digest, the same every time."""

    images: int | None = 2000
    """Held-out ones; each is answered 15 times. None takes all."""

    baseline_images: int | None = 4000
    """Training ones that the baselines are fitted on."""

    map_images: int = 48
    """Films of the map checks; each is answered about 130 times."""


def probe(
    model: str,
    dataset: Dataset,
    examples: Sequence[Example],
    out: Path,
    *,
    part: str = "",
    train: Sequence[Example] = (),
    sizes: Path | None = None,
    external: Path | None = None,
    limits: ProbeLimits | None = None,
    settings: Settings | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Probe a model on held-out examples and write probes.json, CSV files and probes.html.

    Parameters
    ----------
    model : str
        Name of a bundle, a bundle folder, or a run folder (then its Keras model allows the randomised-weights test).
    dataset : Dataset
        Where the examples are from.
    examples : sequence of Example
        Held-out ones.
    out : Path
        Folder to write.
    part : str
        What the examples are of the data set ("test", "holdout"), for the report.
    train : sequence of Example
        What the trivial baselines are fitted on; without them there are none.
    sizes : Path, optional
        CSV with file, original_w, original_h, where the files are squashed copies.
    external : Path, optional
        Folder of DICOM films from elsewhere with a labels.csv.
    limits : ProbeLimits, optional
    settings : Settings, optional
        Of the core; `threads` = 2 is faster where there are two processors.
    progress : callable, optional
        Told (images done, images in all).

    Returns
    -------
    dict
        The content of probes.json.

    Raises
    ------
    ProbeError, EvaluationError, BundleError
        Labels that do not fit, nothing that can be read, tables that are none, a folder that cannot be written.
    """
    limits = limits or ProbeLimits()
    candidate = find_candidate(model)
    output_folder(out)
    originals = read_sizes(sizes) if sizes is not None else {}
    classifier = Classifier(candidate.bundle, settings)
    manifest = candidate.bundle.manifest
    chosen, fitting = sampled(examples, limits.images), sampled(train, limits.baseline_images)
    targets_for(manifest, chosen, dataset.scheme)  # labels that do not fit end here, not after minutes of work
    tick = _ticking(progress, len(chosen) + len(fitting))
    copies = answer_copies(classifier, chosen, originals, limits.map_images, tick)
    targets = targets_for(manifest, copies.examples, dataset.scheme)
    plain = copies.probabilities[PLAIN]
    films = external_films(classifier, external, copies.mean_maps) if external is not None else []

    def effect(change: Change | Swap) -> Effect | None:
        if change.name not in copies.probabilities:
            return None
        after = copies.probabilities[change.name]
        return effect_of(manifest, targets, plain, after, copies.in_domain[change.name])

    result: dict[str, Any] = {
        "model": {
            "name": manifest.name,
            "version": manifest.version,
            "sha256": candidate.bundle.sha256,
            "graph_sha256": manifest.sha256[MODEL],
        },
        "data": {
            "kind": dataset.kind,
            "description": dataset.description,
            "part": part,
            "fingerprint": fingerprint(copies.examples),
        },
        "written": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "task": manifest.task,
        "labels": [label.name for label in manifest.labels],
        "positive": manifest.positive,
        "available": len(examples),
        "n": len(copies.examples),
        "patients": len({example.patient for example in copies.examples}),
        "unreadable": [{"file": name, "reason": reason} for name, reason in copies.unreadable],
        "overlap": overlap(candidate.bundle.folder, copies.examples),
        "calibrated_on": calibration_films(candidate, copies.examples),
        "unchanged": asdict(figures_of(targets, plain, called(manifest, plain), copies.in_domain[PLAIN])),
        "perturbations": [_effect_json(change, effect(change)) for change in PERTURBATIONS],
        "shortcuts": [
            {
                **_effect_json(shortcut.change, found := effect(shortcut.change)),
                "trained": shortcut.trained,
                "lines": [
                    {**asdict(judgement.line), "value": judgement.value, "passed": judgement.passed}
                    | {"words": judgement.words}
                    for judgement in (line.judge(found) for line in shortcut.lines)
                ],
            }
            for shortcut in SHORTCUTS
        ],
        "baselines": [
            _baseline_json(b) for b in _baselines(manifest, dataset, fitting, copies, targets, originals, tick)
        ],
        "maps": _maps_json(classifier, candidate, copies),
        "external": None if external is None else _external_json(films),
    }
    result["lines"] = _lines(result)
    write_report(out, result, manifest, copies, targets, films)
    return result


def _ticking(progress: Progress | None, total: int) -> Tick:
    done = 0

    def tick(images: int) -> None:
        nonlocal done
        done += images
        if progress is not None:
            progress(done, total)

    return tick


def _figures_json(figures: Figures | None) -> dict[str, Any]:
    return asdict(figures) if figures is not None else {"n": 0, "accuracy": None, "loss": None, "auc": None}


def _effect_json(change: Change | Swap, effect: Effect | None) -> dict[str, Any]:
    if effect is None:
        return {"name": change.name, "words": change.words, **dict.fromkeys(EFFECT), "n": 0}
    own = asdict(effect)
    return {"name": change.name, "words": change.words, **own.pop("figures"), **own}


def _baseline_json(baseline: Baseline) -> dict[str, Any]:
    figures = _figures_json(baseline.figures)
    figures.pop("withheld", None)
    return {
        "name": baseline.name,
        "words": baseline.words,
        "fitted_on": baseline.fitted_on,
        "note": baseline.note,
        **figures,
    }


def _baselines(
    manifest: Any,
    dataset: Dataset,
    fitting: Sequence[Example],
    copies: Copies,
    targets: npt.NDArray[np.int64],
    originals: Sizes,
    tick: Tick,
) -> list[Baseline]:
    features, read = training_features(fitting, originals, tick)
    if features is None:
        return []
    fit_targets = targets_for(manifest, read, dataset.scheme)
    return measure_baselines(features, fit_targets, copies.features, targets, len(manifest.labels))


def _maps_json(classifier: Classifier, candidate: Candidate, copies: Copies) -> dict[str, Any]:
    """The map checks that need no boxes; what could not be measured is None with its reason."""
    greys, columns = copies.map_greys, copies.map_columns
    result: dict[str, Any] = {"n": len(greys), "deletion_insertion": None, "stability": None}
    result |= {"randomised_weights": None, "randomised_weights_reason": "it needs the Keras model of a run folder"}
    if not greys:
        return result | {"randomised_weights_reason": "no film was called positive"}
    curves = deletion_insertion(classifier, greys, columns)
    result["deletion_insertion"] = {**asdict(curves), "passed": curves.passed}
    shift = stability(classifier, greys, columns)
    result["stability"] = {**asdict(shift), "limit": MIN_STABILITY, "passed": shift.median >= MIN_STABILITY}
    if candidate.keras_model is not None:
        from training.probes.randomised_weights import MAX_KEPT, judged, randomised_weights

        scaling = classifier.bundle.manifest.input_scaling
        stages = randomised_weights(candidate.keras_model, np.stack([scaled(g, scaling) for g in greys]), columns)
        result["randomised_weights"] = {
            "stages": [asdict(stage) for stage in stages],
            "limit": MAX_KEPT,
            "passed": judged(stages),
        }
        result["randomised_weights_reason"] = None
    return result


def _external_json(films: Sequence[ExternalFilm]) -> dict[str, Any]:
    boxed = [film.mass for film in films if film.mass is not None]
    return {
        "n": len(films),
        "counts": counts(films),
        "films": [
            {
                "given_class": film.given_class,
                "called": film.called,
                "age_years": film.age_years,
                **film.result.to_json(),
                "box_mass": None if film.mass is None else asdict(film.mass),
            }
            for film in films
        ],
        "boxes": {
            "n": len(boxed),
            "map_over_centre": sum(mass.by_map > mass.by_centre for mass in boxed),
            "map_over_mean_map": sum(mass.by_mean_map is not None and mass.by_map > mass.by_mean_map for mass in boxed),
        },
    }


def _lines(result: dict[str, Any]) -> list[dict[str, Any]]:
    """Every line that was set beforehand, in one list: what, whether it passes (None: not measured), and in words."""
    lines = [
        {"what": shortcut["words"], "passed": line["passed"], "words": line["words"]}
        for shortcut in result["shortcuts"]
        for line in shortcut["lines"]
    ]
    maps = result["maps"]
    for key, what in (
        ("deletion_insertion", "map: deletion and insertion better than in a random order"),
        ("stability", f"map: stable under a shift, median rank correlation at least {MIN_STABILITY}"),
        ("randomised_weights", "map: changes when the last layers are randomised"),
    ):
        passed = None if maps[key] is None else maps[key]["passed"]
        lines.append({"what": what, "passed": passed, "words": f"{_STATES[passed]}: {_map_words(key, maps)}"})
    return lines


_STATES = {True: "PASS", False: "FAIL", None: "NOT MEASURED"}


def _map_words(key: str, maps: dict[str, Any]) -> str:
    found = maps[key]
    if found is None:
        return maps["randomised_weights_reason"] if key == "randomised_weights" else "no film was called positive"
    if key == "deletion_insertion":
        own, chance = found["by_map"], found["by_chance"]
        return (
            f"deletion {own['deletion']:.3f} (random {chance['deletion']:.3f}, lower is better), "
            f"insertion {own['insertion']:.3f} (random {chance['insertion']:.3f}, higher is better)"
        )
    if key == "stability":
        return f"median rank correlation {found['median']:.3f}, 5th percentile {found['lowest_twentieth']:.3f}"
    medians = ", ".join(f"{stage['words']} {stage['correlation']['median']:.2f}" for stage in found["stages"])
    return f"median rank correlation with the map itself: {medians}; at most {found['limit']} from two layers on"
