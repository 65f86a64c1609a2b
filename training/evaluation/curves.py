"""Loss and accuracy curves, training against validation, from a run's history.csv."""

from __future__ import annotations

import csv
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from training.evaluation.files import EvaluationError, write_result
from training.evaluation.plots import COLOURS, new_figure, png_of, tidy

COLUMNS = ("epoch", "accuracy", "loss", "val_accuracy", "val_loss")

#: What must be known before the two curves of a panel are held against each other.
CAPTION = (
    "The two losses are not one quantity. Training: of augmented pictures (in a few the chest is covered and the class "
    "drawn by lot), labels smoothed, classes weighing alike, by the weights as they are at each step. Validation: "
    "plain log loss of the films as they are, by the averaged weights, before calibration. A gap between the curves, "
    "either way, is therefore no measure of overfitting by itself."
)

Row = Mapping[str, str]


def draw_curves(history: Path, out: Path) -> None:
    """Draw a history.csv (COLUMNS, and "phase" where there are several) as a PNG. Raises EvaluationError."""
    write_result(out, curves_png({"": read_history(history)}))


def read_history(history: Path) -> list[Row]:
    """The rows of a history.csv, an epoch each. Raises EvaluationError."""
    try:
        with history.open(newline="", encoding="utf-8") as file:
            rows: list[Row] = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise EvaluationError(f"{history} that cannot be read", "the history.csv of a run", "") from error
    missing = [column for column in COLUMNS if not rows or rows[0].get(column) is None]
    if missing:
        found = f"{history} without {', '.join(missing)}" if rows else f"{history} without an epoch"
        raise EvaluationError(found, f"columns {', '.join(COLUMNS)}", "name the history.csv of a run")
    try:
        for row in rows:
            for column in COLUMNS:
                float(row[column] or "nan")
    except (TypeError, ValueError) as error:
        raise EvaluationError(f"{history} with a value that is no number", "numbers", "") from error
    return rows


def curves_png(histories: Mapping[str, list[Row]]) -> bytes:
    """A row of two panels (loss, accuracy) for each run, {title: rows}; the panels of a column share their scale."""
    figure = new_figure(9.6, 3.6 * len(histories) + 0.8)
    figure.supxlabel(textwrap.fill(CAPTION, 150), fontsize=8, x=0.01, ha="left", color="#555555")
    grid = figure.subplots(len(histories), 2, squeeze=False, sharey="col")
    for (title, rows), (left, right) in zip(histories.items(), grid, strict=True):
        prefix = f"{title}: " if title else ""
        for axes, quantity in ((left, "loss"), (right, "accuracy")):
            _panel(axes, rows, quantity)
            tidy(axes, f"{prefix}{quantity}", "epoch", quantity)
            axes.tick_params(labelleft=True)
            axes.legend(frameon=False, fontsize=9)
    return png_of(figure)


def _panel(axes: Any, rows: list[Row], quantity: str) -> None:
    epochs = list(range(1, len(rows) + 1))  # a later phase may count from 1 again
    for column, name, colour, style in (
        (quantity, "training", COLOURS[0], "-o"),
        (f"val_{quantity}", "validation", COLOURS[1], "--s"),
    ):
        values = [float(row[column] or "nan") for row in rows]
        axes.plot(epochs, values, style, color=colour, label=name, markersize=4, linewidth=1.8)
    phases = [row.get("phase") or "" for row in rows]
    for place in range(1, len(rows)):
        if phases[place] != phases[place - 1]:
            axes.axvline(place + 0.5, color="#8a8a8a", linewidth=1, linestyle=":")
            axes.annotate(
                phases[place].replace("_", " "),
                (place + 0.5, 0.98),
                (4, 0),
                xycoords=("data", "axes fraction"),
                textcoords="offset points",
                va="top",
                fontsize=8,
                color="#555555",
            )
    axes.xaxis.get_major_locator().set_params(integer=True)
