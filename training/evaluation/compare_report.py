"""The page of a comparison: the table, the curves, and how sure the difference is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from training.evaluation import page
from training.evaluation.curves import CAPTION
from training.evaluation.metrics import FIGURES
from training.evaluation.report import CALIBRATION, warnings
from training.evaluation.words import NAMES, definition, difference, interval, shown


def comparison_html(
    result: Mapping[str, Any], roc: bytes | None, curves: bytes | None, without_history: Sequence[str]
) -> str:
    """The page of compare's JSON.

    Parameters
    ----------
    result : mapping
        Content of compare.json.
    roc, curves : bytes or None
        PNG; None where there is none.
    without_history : sequence of str
        Titles of the models of which no history.csv is there.
    """
    first, second = result["models"]
    title = f"{first['title']} and {second['title']}"
    data = first["data"]
    part = f", part {data['part']}" if data["part"] else ""
    parts = [
        page.heading(title, 1),
        page.paragraph(
            f"{data['description']}{part}: {first['n']} images of {first['patients']} patient groups. "
            f"Written {first['written']}.",
            quiet=True,
        ),
        *(page.note(text) for text in _notes(result)),
        page.heading("Accuracy and loss"),
        page.table(("Model", "Accuracy", "95 %", "Loss", "95 %"), _table(result), (1, 2, 3, 4)),
        *_of_the_reference(result),
        page.heading("Loss and accuracy in training"),
    ]
    if curves is not None:
        parts.append(
            page.grid("wide", [page.figure(curves, f"Solid: training. Dashed: validation. {CAPTION}", "curves")])
        )
    if without_history:
        parts.append(page.paragraph(f"No history.csv of {' and '.join(without_history)} is there.", quiet=True))
    parts += [
        page.heading("Is the difference more than chance?"),
        page.table(
            ("", f"{first['title']} minus {second['title']}", "95 % interval", ""), _differences(result), (1, 2)
        ),
        *_mcnemar(result),
        page.heading("All figures"),
        page.table(
            ("Figure", first["title"], "95 %", second["title"], "95 %", "In plain words"),
            _figures(first, second),
            (1, 2, 3, 4),
        ),
    ]
    if roc is not None:
        parts.append(page.grid("plots", [page.figure(roc, "Every threshold at once.", "ROC of both models")]))
    parts += [page.heading("What was compared"), page.facts(_identity(result))]
    return page.page(title, parts)


def _notes(result: Mapping[str, Any]) -> Iterator[str]:
    """What must be known first; what holds for both models is said once."""
    by_text: dict[str, list[str]] = {}
    for row in result["models"]:
        for text in warnings(row):
            by_text.setdefault(text, []).append(row["title"])
    for text, titles in by_text.items():
        yield f"{' and '.join(titles)}: {text}"


def _table(result: Mapping[str, Any]) -> Iterator[Sequence[str]]:
    for row in result["models"]:
        yield (
            row["title"],
            f"{100 * row['accuracy']:.2f} %",
            interval("accuracy", row["ci95"]),
            f"{row['loss']:.4f}",
            interval("loss", row["ci95"]),
        )
    for row in result["reference"]:
        yield row["model"], f"{100 * row['accuracy']:.2f} %", "", f"{row['loss']:.4f}", ""


def _of_the_reference(result: Mapping[str, Any]) -> Iterator[str]:
    if result["reference"]:
        yield page.paragraph(
            "The reference figures are those reported for the system that this one implements, on a test set whose "
            "size is not stated; they are no measurement on these images.",
            quiet=True,
        )


def _differences(result: Mapping[str, Any]) -> Iterator[Sequence[str]]:
    for figure, entry in result["differences"].items():
        bounds = entry["ci95"]
        sure = ""
        if bounds is not None:
            sure = "0 is inside: may be chance" if bounds[0] <= 0 <= bounds[1] else "0 is outside"
        yield NAMES[figure], *difference(figure, entry), sure


def _mcnemar(result: Mapping[str, Any]) -> Iterator[str]:
    tests = result["mcnemar"]
    if "p" in tests:
        yield page.paragraph(
            f"Both are right on {tests['both_right']} images and both wrong on {tests['both_wrong']}. Only "
            f"{result['models'][0]['title']} is right on {tests['only_first_right']}, only "
            f"{result['models'][1]['title']} on {tests['only_second_right']}: exact McNemar p = {tests['p']:.3g}."
        )
    else:
        yield page.heading("Exact McNemar test by finding", 3)
        yield page.table(
            ("", "Both right", "Only the first", "Only the second", "Both wrong", "p"),
            (
                (
                    name.replace("_", " "),
                    str(test["both_right"]),
                    str(test["only_first_right"]),
                    str(test["only_second_right"]),
                    str(test["both_wrong"]),
                    f"{test['p']:.3g}",
                )
                for name, test in tests.items()
            ),
            range(1, 6),
        )
    yield page.paragraph(
        f"Intervals: {result['models'][0]['resamples']} resamples of patient groups, both models on the same ones. "
        "McNemar's test takes every image as a patient of its own, which makes it somewhat too sure.",
        quiet=True,
    )


def _figures(first: Mapping[str, Any], second: Mapping[str, Any]) -> Iterator[Sequence[str]]:
    for figure in (*FIGURES, *CALIBRATION, "accuracy_of_given", "withheld_share"):
        if figure in first:
            own = (part for row in (first, second) for part in _cell(figure, row))
            yield NAMES[figure], *own, definition(figure)


def _cell(figure: str, row: Mapping[str, Any]) -> tuple[str, str]:
    return shown(figure, row[figure]), interval(figure, row["ci95"])


def _identity(result: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for row in result["models"]:
        yield row["title"], f"{row['model']['description']}; SHA-256 {row['model']['sha256']}"
        yield "Made for", f"{row['population']}. These figures say nothing about other patients, hospitals or devices."
    yield "Fingerprint of the images", result["models"][0]["data"]["fingerprint"]
