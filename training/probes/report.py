"""The probes as a page that a person can mail, one JSON, and CSV files by image, by copy and by film."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cxr_core.bundle import Manifest
from training.evaluation import page
from training.evaluation.files import write_result
from training.evaluation.parts import calibration_note
from training.evaluation.plots import COLOURS, new_figure, png_of, tidy
from training.probes.copies import CHANGES, PLAIN, Copies, copies_of
from training.probes.external import ExternalFilm
from training.probes.figures import Targets, of_interest
from training.probes.report_maps import external_section, maps_section
from training.probes.report_parts import jpeg_figure, number, share
from training.probes.shortcuts import Swap
from training.probes.tables import copies_csv, external_csv, images_csv

REPORT, RESULT = "probes.html", "probes.json"
IMAGES, COPIES, EXTERNAL = "probes_images.csv", "probes_copies.csv", "probes_external.csv"


def write_report(
    out: Path,
    result: Mapping[str, Any],
    manifest: Manifest,
    copies: Copies,
    targets: Targets,
    films: Sequence[ExternalFilm],
) -> None:
    """Write all files, each whole or not at all; the JSON last, so that where it is, the others are."""
    write_result(out / IMAGES, images_csv(manifest, copies, targets).encode())
    write_result(out / COPIES, copies_csv(result).encode())
    if result["external"] is not None:
        write_result(out / EXTERNAL, external_csv(result["external"]["films"]).encode())
    write_result(out / REPORT, probes_html(result, manifest, copies, films).encode())
    write_result(out / RESULT, (json.dumps(result, indent=2, allow_nan=False) + "\n").encode())


def probes_html(result: Mapping[str, Any], manifest: Manifest, copies: Copies, films: Sequence[ExternalFilm]) -> str:
    """The whole page."""
    model = result["model"]
    title = f"Probes of {model['name']} {model['version']}"
    parts = [
        page.heading(title, 1),
        page.paragraph(
            f"{result['data']['description']}: {result['n']} held-out images of {result['patients']} patient groups"
            f"{_of_available(result)}. Written {result['written']}.",
            quiet=True,
        ),
        *(page.note(text) for text in _notes(result)),
        page.cards(_headline(result)),
        page.heading("Lines set beforehand"),
        page.paragraph("Each limit stands in the code with its reason, and was set before any model was measured."),
        page.table(("What", "Result"), ((line["what"], line["words"]) for line in result["lines"])),
        page.heading("Changed copies"),
        page.paragraph(
            "What another window, machine, export or compression would have made of the same films. Falls and rises "
            "are against the films as they are; flips are answers by the model's rule that change; withheld is the "
            "share that the domain check would keep back, which is not applied here."
        ),
        page.paragraph(
            "Training draws such changes itself: all of these copies but the widened window, which lies at its edge, "
            "are within what `cxr-train fit` draws today. That a model holds on them tells that training did its work, "
            "not that it holds on what it never met."
        ),
        page.table(
            _EFFECT_HEAD, (_effect_row(row) for row in (_plain(result), *result["perturbations"])), range(1, 10)
        ),
        page.heading("Shortcuts"),
        page.paragraph(
            "What a model may cheat with is taken away, and once all that it should look at: then nothing may be left."
        ),
        page.paragraph(
            "Since these lines were set, training has been turned against most of them: corners and borders are "
            "covered or taken from other films, and films whose chest is covered get a class by lot. A model fitted so "
            "passes them more easily, and its passing says less of shortcuts than it did. The swapped border is the "
            "hardest that is left: it offers the cues of another class instead of none, and training seldom draws it "
            "whole."
        ),
        page.table(_EFFECT_HEAD, map(_effect_row, result["shortcuts"]), range(1, 10)),
        page.table(("Copy", "Result", "Why this limit", "What training draws of it today"), _reasons(result)),
        page.heading("Change of probability, image by image"),
        page.grid("wide", (page.figure(changes_plot(manifest, copies), _PLOT_CAPTION, "change by copy"),)),
        page.heading("What the copies look like"),
        page.grid("cases", _pictures(copies)),
        page.heading("Trivial baselines"),
        *_baselines(result),
        page.heading("Maps"),
        *maps_section(result, copies),
        page.heading("Films from elsewhere"),
        *external_section(result, films),
    ]
    return page.page(title, parts)


_EFFECT_HEAD = (
    "Copy",
    "Accuracy",
    "falls by",
    "Loss",
    "rises by",
    "AUC",
    "falls by",
    "Flips",
    "Mean change of P",
    "Withheld",
)
_PLOT_CAPTION = (
    "Change of the probability of the label of interest: box from the 25th to the 75th percentile with the median, "
    "whiskers to the last image within 1.5 box lengths, a dot for each beyond. Names of the copies as in the CSV files."
)


def _of_available(result: Mapping[str, Any]) -> str:
    looked_at = result["n"] + len(result["unreadable"])
    return "" if looked_at == result["available"] else f", a sample out of {result['available']}"


def _notes(result: Mapping[str, Any]) -> Iterator[str]:
    if result["unreadable"]:
        named = ", ".join(f"{entry['file']} ({entry['reason']})" for entry in result["unreadable"][:5])
        yield f"{len(result['unreadable'])} images could not be read and are not in the figures: {named}."
    shared = result["overlap"]
    if shared is None:
        yield "The model does not list its training files: whether these films are among them is not known."
    elif shared["training_files"]:
        yield f"{shared['training_files']} of these films are among the model's training files: figures flatter it."
    if note := calibration_note(result["calibrated_on"], result["n"], result["data"]["part"]):
        yield note
    if result["unchanged"]["auc"] is None:
        yield "A label is missing among these films, so AUC is not defined and lines on it are not measured."


def _headline(result: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    states = [line["passed"] for line in result["lines"]]
    below = f"{states.count(False)} failed, {states.count(None)} not measured"
    yield "Lines passed", f"{states.count(True)} of {len(states)}", below
    own = result["unchanged"]
    yield "Unchanged films", f"AUC {number(own['auc'])}", f"accuracy {share(own, 'accuracy')}"
    worst = max(result["perturbations"], key=lambda row: row["accuracy_fall"])
    yield "Worst changed copy", share(worst, "accuracy"), f"accuracy of {worst['name'].replace('_', ' ')}"
    erased = next(row for row in result["shortcuts"] if row["name"] == "centre_erased")
    yield "Central chest erased", f"AUC {number(erased['auc'])}", "0.5 would be chance, and was trained for"


def _plain(result: Mapping[str, Any]) -> dict[str, Any]:
    return {"words": "as it is", "flip_rate": None, "mean_change": None, **result["unchanged"]}


def _effect_row(row: Mapping[str, Any]) -> tuple[str, ...]:
    unchanged = "accuracy_fall" not in row
    return (
        row["words"],
        share(row, "accuracy"),
        share(row, "accuracy_fall", "+"),
        number(row["loss"]),
        "" if unchanged else number(row["loss_rise"], "+"),
        number(row["auc"]),
        "" if unchanged else number(row["auc_fall"], "+"),
        share(row, "flip_rate"),
        "" if unchanged else number(row["mean_change"]),
        share(row, "withheld"),
    )


def _reasons(result: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    for row in result["shortcuts"]:
        for line in row["lines"]:
            yield row["name"].replace("_", " "), line["words"], line["reason"], row["trained"]


def changes_plot(manifest: Manifest, copies: Copies) -> bytes:
    """Box plots of the change of probability by copy, PNG."""
    before = copies.probabilities[PLAIN]
    names = copies.changed[::-1]
    changes = [of_interest(manifest, before, copies.probabilities[name] - before).ravel() for name in names]
    figure = new_figure(9.6, 0.36 * len(changes) + 1)
    axes = figure.subplots()
    axes.axvline(0, color="#8a8a8a", linewidth=1, linestyle=":")
    axes.boxplot(
        changes,
        orientation="horizontal",
        tick_labels=[name.replace("_", " ") for name in names],
        medianprops={"color": COLOURS[1], "linewidth": 2},
        boxprops={"color": COLOURS[0]},
        flierprops={"marker": ".", "markersize": 3, "markeredgecolor": "#777777"},
    )
    tidy(axes, "", "probability of the copy minus probability of the film", "")
    axes.set_xlim(-1.02, 1.02)
    return png_of(figure)


def _pictures(copies: Copies) -> Iterator[str]:
    films = [picture for _, picture in copies.shown]
    names = ", ".join(name.replace("!", "/").rsplit("/", 1)[-1] for name, _ in copies.shown)
    yield jpeg_figure(_side_by_side(films), f"As they are: {names}")
    for name in copies.changed:
        change = CHANGES[name]
        if isinstance(change, Swap) and len(films) < 2:
            continue
        pictures = copies_of(change, films, films[::-1])
        yield jpeg_figure(_side_by_side(pictures), f"{name.replace('_', ' ')}: {change.words}")


def _side_by_side(pictures: Sequence[npt.NDArray[np.float32]]) -> npt.NDArray[np.uint8]:
    return np.rint(np.hstack(pictures) * 255).astype(np.uint8)


def _baselines(result: Mapping[str, Any]) -> Iterator[str]:
    if not result["baselines"]:
        yield page.paragraph("Not measured: no training examples were given to fit them on.")
        return
    yield page.paragraph(
        "Logistic regressions fitted on training examples. A model that is hardly better may have learnt no more."
    )
    rows = [
        (b["words"], str(b["n"]), share(b, "accuracy"), number(b["auc"]), f"{b['fitted_on']}", b["note"] or "")
        for b in result["baselines"]
    ]
    own = result["unchanged"]
    rows.append(("the model", str(own["n"]), share(own, "accuracy"), number(own["auc"]), "", "as served"))
    yield page.table(("Baseline", "Images", "Accuracy", "AUC", "Fitted on", "Note"), rows, (1, 2, 3, 4))
