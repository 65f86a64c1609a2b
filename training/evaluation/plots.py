"""The plots of an evaluation, as PNG: confusion matrix, ROC, precision-recall, reliability, risk-coverage."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score, roc_curve

from training.evaluation.calibration_figures import ECE_BINS, bin_of, logit
from training.evaluation.metrics import classes_of, confusion, problems_of
from training.evaluation.served import ServedAnswers

Floats = npt.NDArray[np.float64]

#: Okabe and Ito, Color Universal Design (2008), without the yellow that white paper swallows.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
_LINES = ("-", "--", ":")
_GREY, _DOTS = "#8a8a8a", 130
#: Lines whose legend still leaves room inside the plot.
_INSIDE = 6


def new_figure(width: float, height: float) -> Figure:
    """A figure (inches) that belongs to no window and no global list."""
    figure = Figure(figsize=(width, height), dpi=_DOTS, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def png_of(figure: Figure) -> bytes:
    """The figure as a PNG."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def line_style(number: int) -> dict[str, Any]:
    """Colour and dashes of the n-th line: two lines never share both."""
    return {
        "color": COLOURS[number % len(COLOURS)],
        "linestyle": _LINES[number // len(COLOURS) % len(_LINES)],
    }


def tidy(axes: Any, title: str, x: str, y: str) -> None:
    """Title, axis names, a light grid, and no box."""
    axes.set_title(title, fontsize=11, loc="left")
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)


def all_plots(answers: ServedAnswers) -> dict[str, bytes]:
    """PNG by name. Where one class alone is there, ROC and precision-recall say so instead of a curve."""
    return {
        "confusion_matrix": confusion_plot(answers),
        "roc": roc_plot({"": answers}),
        "precision_recall": precision_recall_plot(answers),
        "reliability": reliability_plot(answers),
        "risk_coverage": risk_coverage_plot(answers),
    }


def confusion_plot(answers: ServedAnswers) -> bytes:
    """Counts, coloured by the share of the true class; of a multi-label model one small matrix for each finding."""
    names = list(answers.scheme.names)
    if answers.scheme.task == "multi_label":
        columns = min(len(names), 4)
        rows = -(-len(names) // columns)
        figure = new_figure(2.2 * columns + 0.3, 2.35 * rows + 0.3)
        grid = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes, name, counts in zip(grid, names, confusion(answers), strict=False):
            _matrix(axes, np.array(counts), ["absent", "present"], 9)
            axes.set_title(name.replace("_", " "), fontsize=10)
        for axes in grid[len(names) :]:
            axes.set_axis_off()
        figure.supxlabel("called", fontsize=10)
        figure.supylabel("label of the data set", fontsize=10)
        return png_of(figure)
    if answers.scheme.positive is not None:
        names.sort(key=lambda name: name == answers.scheme.positive)
    side = max(4.2, 0.75 * len(names) + 2)
    figure = new_figure(side + 0.4, side)
    axes = figure.subplots()
    _matrix(axes, np.array(confusion(answers)), names, 13 if len(names) < 5 else 9)
    axes.set_title("Confusion matrix (share of each row)", fontsize=11, loc="left")
    axes.set_xlabel("called")
    axes.set_ylabel("label of the data set")
    return png_of(figure)


def _matrix(axes: Any, counts: npt.NDArray[np.int64], names: list[str], size: int) -> None:
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(counts.shape):
        axes.text(
            column,
            row,
            f"{counts[row, column]}\n{100 * shares[row, column]:.1f} %",
            ha="center",
            va="center",
            fontsize=size,
            color="white" if shares[row, column] > 0.6 else "black",
        )
    axes.set_xticks(range(len(names)), names, fontsize=min(size, 10), rotation=0 if len(names) < 4 else 40)
    axes.set_yticks(range(len(names)), names, fontsize=min(size, 10), rotation=90 if len(names) < 4 else 0, va="center")


def _questions(
    answers: ServedAnswers,
) -> Iterator[tuple[str, npt.NDArray[np.int64], Floats, tuple[float, float] | None]]:
    """(name, truth, score, (share of negatives, share of positives) called positive at the served threshold)."""
    problems = problems_of(answers)
    if not problems:
        classes = classes_of(answers)
        for k, name in enumerate(classes.names):
            yield f"{name} against the rest", (classes.truth == k).astype(np.int64), classes.scores[:, k], None
    for name, problem in problems.items():
        point = None
        if problem.both_classes:
            point = (
                float(problem.called[problem.truth == 0].mean()),
                float(problem.called[problem.truth == 1].mean()),
            )
        yield name or str(answers.scheme.positive), problem.truth, problem.score, point


def roc_plot(models: dict[str, ServedAnswers]) -> bytes:
    """ROC of every question of every model ({title: answers}; one model needs no title), with the served threshold."""
    figure = _curve_figure(max(len(answers.scheme.names) for answers in models.values()))
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color=_GREY, linewidth=1, linestyle=":")
    number = 0
    for title, answers in models.items():
        for name, truth, score, point in _questions(answers):
            if 0 < truth.sum() < len(truth):
                false_share, true_share, _ = roc_curve(truth, score)
                text = f"{title or name}: AUC {roc_auc_score(truth, score):.3f}"
                axes.plot(false_share, true_share, label=text, linewidth=1.8, **line_style(number))
                if point is not None and len(problems_of(answers)) == 1:
                    axes.plot(*point, "o", color=line_style(number)["color"], markersize=8, markeredgecolor="white")
                    axes.annotate(
                        "served threshold",
                        point,
                        (14, -14 - 14 * number),
                        textcoords="offset points",
                        fontsize=9,
                        color=line_style(number)["color"],
                    )
            number += 1
    _legend_or_reason(axes, "lower right", "No curve: only one class is in these images")
    tidy(axes, "ROC", "1 - specificity", "sensitivity (recall)")
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(-0.01, 1.01)
    return png_of(figure)


def precision_recall_plot(answers: ServedAnswers) -> bytes:
    """Precision against recall of every question; the dotted line is what calling every film positive gives."""
    labels = len(answers.scheme.names)
    figure = _curve_figure(labels)
    axes = figure.subplots()
    for number, (name, truth, score, _) in enumerate(_questions(answers)):
        if 0 < truth.sum() < len(truth):
            precision, recall, _ = precision_recall_curve(truth, score)
            text = f"{name}: AP {average_precision_score(truth, score):.3f}"
            axes.plot(recall, precision, drawstyle="steps-post", label=text, linewidth=1.8, **line_style(number))
            if labels <= _INSIDE:
                axes.axhline(truth.mean(), color=line_style(number)["color"], linewidth=0.8, linestyle=":")
    _legend_or_reason(axes, "lower left", "No curve: only one class is in these images")
    dotted = " (dotted: share of positives)" if labels <= _INSIDE else ""
    tidy(axes, f"Precision and recall{dotted}", "recall (sensitivity)", "precision")
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(-0.01, 1.02)
    return png_of(figure)


def _curve_figure(lines: int) -> Figure:
    """Wider where the legend stands beside the plot."""
    return new_figure(5.2 if lines <= _INSIDE else 7.4, 4.8)


def _legend_or_reason(axes: Any, place: str, reason: str) -> None:
    handles, labels = axes.get_legend_handles_labels()
    if len(handles) > _INSIDE:
        axes.legend(handles, labels, loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize=8, frameon=False)
    elif handles:
        axes.legend(handles, labels, loc=place, fontsize=9, frameon=False)
    else:
        axes.text(0.5, 0.5, reason, ha="center", va="center", transform=axes.transAxes, color="#555555")


def reliability_plot(answers: ServedAnswers) -> bytes:
    """Share of positives against the stated probability, with 95 % bars, and how many images each bin holds.

    N classes: the largest probability against the share of right calls. Multi-label: all findings together.
    """
    probability, truth, x, y = _stated(answers)
    figure = new_figure(5.2, 5.4)
    axes, counts = figure.subplots(2, 1, height_ratios=(3.2, 1), sharex=True)
    axes.plot([0, 1], [0, 1], color=_GREY, linewidth=1, linestyle=":")
    bins = bin_of(probability)
    n = np.bincount(bins, minlength=ECE_BINS)
    filled = n > 0
    stated = np.bincount(bins, probability, ECE_BINS)[filled] / n[filled]
    observed = np.bincount(bins, truth, ECE_BINS)[filled] / n[filled]
    low, high = _wilson(observed, n[filled])
    bars = np.maximum([observed - low, high - observed], 0)
    axes.errorbar(stated, observed, bars, fmt="o", color=COLOURS[0], ecolor="#9cc7e0", markersize=5, capsize=2)
    tidy(axes, "Reliability (dotted: perfect; bars: 95 %)", "", y)
    axes.set_ylim(-0.02, 1.02)
    middles = (np.arange(ECE_BINS) + 0.5) / ECE_BINS
    counts.bar(middles, n, width=0.9 / ECE_BINS, color=COLOURS[0])
    for middle, number in zip(middles, n, strict=True):
        if number:
            counts.text(middle, number, str(number), ha="center", va="bottom", fontsize=7)
    tidy(counts, "", x, "count" if answers.scheme.task == "multi_label" else "images")
    counts.set_ylim(0, max(n.max(), 1) * 1.25)
    counts.set_xlim(0, 1)
    return png_of(figure)


def _stated(answers: ServedAnswers) -> tuple[Floats, Floats, str, str]:
    """Stated probabilities and what came true, of images that were answered; names of the axes."""
    kept = answers.answered
    if problems := problems_of(answers):
        probability = np.concatenate([problem.probability[kept] for problem in problems.values()])
        truth = np.concatenate([problem.truth[kept] for problem in problems.values()])
        positive = answers.scheme.positive or "each finding"
        return probability, truth.astype(float), f"stated probability of {positive}", "share that have the label"
    classes = classes_of(answers)
    right = (classes.called_argmax == classes.truth)[kept]
    return classes.confidence[kept], right.astype(float), "largest stated probability", "share of right calls"


def _wilson(share: Floats, n: npt.NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Wilson's 95 % interval of a share (Journal of the American Statistical Association, 1927)."""
    z = 1.959964
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return middle - half, middle + half


def risk_coverage(answers: ServedAnswers) -> tuple[Floats, Floats]:
    """(share answered, error rate among them), most certain first (El-Yaniv and Wiener, JMLR 2010).

    Certainty is the distance from the threshold in log odds; N classes: the largest probability. A file that failed
    comes last.
    """
    if problems := problems_of(answers):
        thresholds = np.array([answers.thresholds[name or str(answers.scheme.positive)] for name in problems])
        margins = [
            np.abs(logit(problem.probability) - logit(threshold))
            for problem, threshold in zip(problems.values(), thresholds, strict=True)
        ]
        wrong = np.concatenate([problem.called != problem.truth for problem in problems.values()])
    else:
        classes = classes_of(answers)
        margins, wrong = [classes.confidence], classes.called != classes.truth
    certainty = np.concatenate([np.where(answers.answered, margin, -1.0) for margin in margins])
    order = np.argsort(-certainty, kind="stable")
    place = np.arange(1, len(order) + 1)
    return place / len(order), np.cumsum(wrong[order]) / place


def risk_coverage_plot(answers: ServedAnswers) -> bytes:
    """How the error rate falls when the least certain images are left to the reader."""
    coverage, risk = risk_coverage(answers)
    figure = new_figure(5.2, 4.8)
    axes = figure.subplots()
    axes.plot(100 * coverage, 100 * risk, color=COLOURS[1], linewidth=1.8)
    axes.annotate(
        f"all answered: {100 * risk[-1]:.1f} %\nmean over coverage: {100 * risk.mean():.2f} %",
        (100, 100 * risk[-1]),
        (-6, 8),
        textcoords="offset points",
        ha="right",
        fontsize=9,
    )
    tidy(axes, "Error when only the most certain are answered", "answered, % of images", "wrong, %")
    axes.set_xlim(0, 101)
    axes.set_ylim(0, max(100 * float(risk[len(risk) // 20 :].max()) * 1.3, 1))
    return png_of(figure)
