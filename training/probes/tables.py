"""The CSV files of the probes: by image and copy, by copy, and by film from elsewhere."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from cxr_core.bundle import Manifest
from training.probes.copies import PLAIN, Copies
from training.probes.figures import Targets, called, columns_of_interest

#: Columns of the tables of copies.
EFFECT = "accuracy accuracy_fall loss loss_rise auc auc_fall flip_rate mean_change withheld".split()
#: Columns of the mass inside boxes.
MASSES = ("by_map", "by_mean_map", "by_centre", "area")


def _csv(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return text.getvalue()


def images_csv(manifest: Manifest, copies: Copies, targets: Targets) -> str:
    """A row for each film and copy (and finding of a multi-label bundle): change of probability, and flips."""
    head = "file patient given copy label probability_before probability_after change flipped withheld_after".split()
    return _csv(head, _image_rows(manifest, copies, targets))


def _image_rows(manifest: Manifest, copies: Copies, targets: Targets) -> Iterator[Sequence[Any]]:
    names = [label.name for label in manifest.labels]
    before = copies.probabilities[PLAIN]
    first = called(manifest, before)
    multi = manifest.task == "multi_label"
    interest = None if multi else columns_of_interest(manifest, before)
    for i, example in enumerate(copies.examples):
        for name in copies.changed:
            after = copies.probabilities[name][i]
            flipped = called(manifest, after[np.newaxis])[0] != first[i]
            for column in range(len(names)) if interest is None else (interest[i],):
                yield (
                    example.source.name,
                    example.patient,
                    int(targets[i, column]) if multi else names[targets[i]],
                    name,
                    names[column],
                    f"{before[i, column]:.6f}",
                    f"{after[column]:.6f}",
                    f"{after[column] - before[i, column]:+.6f}",
                    int(flipped[column] if multi else flipped),
                    int(not copies.in_domain[name][i]),
                )


def copies_csv(result: Mapping[str, Any]) -> str:
    """A row for each kind of copy, the films as they are first."""
    kinds = {row["name"]: row for row in (*result["perturbations"], *result["shortcuts"])}
    plain = {"name": PLAIN, "words": "as it is", "flip_rate": 0.0, "mean_change": 0.0, **result["unchanged"]}
    head = ["copy", "words", "n", *EFFECT]
    return _csv(
        head,
        (
            [row["name"], row["words"], row["n"], *("" if row.get(key) is None else row[key] for key in EFFECT)]
            for row in (plain, *kinds.values())
        ),
    )


_EXTERNAL = (
    "path given_class status called probability verdict verdict_withheld population age_years in_domain "
    "domain_score reason"
).split()


def external_csv(films: Sequence[Mapping[str, Any]]) -> str:
    """A row for each film from elsewhere."""

    def row(film: Mapping[str, Any]) -> list[Any]:
        mass = film["box_mass"] or {}
        values = [film[key] for key in _EXTERNAL] + [mass.get(key) for key in MASSES]
        return ["" if value is None else value for value in values]

    return _csv(["file", *_EXTERNAL[1:], *(f"box_mass_{key}" for key in MASSES)], (row(film) for film in films))
