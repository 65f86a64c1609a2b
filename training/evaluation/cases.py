"""The Grad-CAM gallery: which right and wrong cases are shown, and their pictures."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from cxr_core.classifier import Classifier
from cxr_core.errors import BundleError, ImageReadError
from cxr_core.heatmap import OverlaySettings, blend, colour_map, display_for_export
from cxr_core.preprocess import model_input
from cxr_core.reading import read_image
from training.evaluation.metrics import classes_of, problems_of
from training.evaluation.plots import new_figure, png_of
from training.evaluation.served import ServedAnswers

#: Cases of each group.
SHOWN = 6
#: Longer side of one picture, in pixels.
SIDE = 224


#: In the order of the gallery; N classes have "wrong" and "right" only.
GROUPS = ("false negatives", "false positives", "wrong", "true positives", "true negatives", "right")


@dataclass(frozen=True, slots=True)
class Case:
    """One image of the gallery."""

    group: str
    """One of GROUPS."""

    group_size: int
    """Cases of the group in all."""

    example: int
    """Place among the examples."""

    output: int
    """Output of the network whose map is shown."""

    probability: float
    """Of that output."""

    caption: str
    """The label of the data set and the call."""


def choose_cases(answers: ServedAnswers, shown: int = SHOWN) -> list[Case]:
    """Wrong cases, the most certain first; right ones from the most to the least certain in even steps."""
    names = answers.scheme.names
    candidates: dict[str, list[tuple[float, Case]]] = {}

    def add(group: str, example: int, output: int, certainty: float, caption: str) -> None:
        case = Case(group, 0, example, output, float(answers.probabilities[example, output]), caption)
        candidates.setdefault(group, []).append((certainty, case))

    problems = problems_of(answers)
    for name, problem in problems.items():
        finding = name or str(answers.scheme.positive)
        output = names.index(finding)
        for i in np.flatnonzero(answers.answered):
            truth, called, p = int(problem.truth[i]), int(problem.called[i]), float(problem.probability[i])
            group = ("true" if truth == called else "false") + (" positives" if called else " negatives")
            if name:
                caption = f"{finding} {'present' if truth else 'absent'}, called {'present' if called else 'absent'}"
            else:
                caption = f"{names[answers.targets[i]]}, called {names[answers.called[i]]}"
            add(group, int(i), output, p if called else 1 - p, caption)
    if not problems:
        classes = classes_of(answers)
        for i in np.flatnonzero(answers.answered):
            truth, called = int(classes.truth[i]), int(classes.called[i])
            group = "right" if truth == called else "wrong"
            caption = f"{names[truth]}, called {names[called]}"
            add(group, int(i), called, float(classes.confidence[i]), caption)
    chosen = []
    for group in GROUPS:
        ranked = [case for _, case in sorted(candidates.get(group, []), key=lambda pair: -pair[0])]
        size = len(ranked)
        if group in ("true positives", "true negatives", "right") and len(ranked) > shown:
            ranked = [ranked[place] for place in np.linspace(0, len(ranked) - 1, shown).round().astype(int)]
        chosen += [replace(case, group_size=size) for case in ranked[:shown]]
    return chosen


def case_picture(answers: ServedAnswers, case: Case, classifier: Classifier) -> npt.NDArray[np.uint8] | None:
    """The film, and beside it the film under the map: BGR, (rows, 2 x columns, 3); None when it no longer reads."""
    try:
        image = read_image(answers.examples[case.example].source.load(), classifier.settings.limits)
        inputs = model_input(image, classifier.bundle.manifest.input_scaling)
        prediction = classifier.predict(inputs[np.newaxis])[0]
        film = display_for_export(image, SIDE)
    except (ImageReadError, BundleError):
        return None
    overlay = colour_map(prediction.maps[case.output], film.shape[0], film.shape[1], OverlaySettings(max_side=SIDE))
    plain = blend(film, np.zeros_like(overlay))
    return np.hstack([plain, np.full((len(plain), 4, 3), 255, np.uint8), blend(film, overlay)])


def file_name(answers: ServedAnswers, case: Case) -> str:
    """The last part of the example's name."""
    return answers.examples[case.example].source.name.replace("!", "/").rsplit("/", 1)[-1]


def gallery_png(answers: ServedAnswers, pictures: Iterable[tuple[Case, npt.NDArray[np.uint8]]]) -> bytes:
    """All cases on one sheet, three to a row."""
    groups: dict[str, list[tuple[Case, npt.NDArray[np.uint8]]]] = {}
    for case, picture in pictures:
        groups.setdefault(case.group, []).append((case, picture))
    columns = 3
    rows = sum(-(-len(cases) // columns) for cases in groups.values())
    figure = new_figure(10.5, 2.25 * max(rows, 1))
    grid = figure.subplots(max(rows, 1), columns, squeeze=False)
    for axes in grid.ravel():
        axes.set_axis_off()
    row = 0
    for group, cases in groups.items():
        for place, (case, picture) in enumerate(cases):
            axes = grid[row + place // columns, place % columns]
            axes.imshow(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB))
            name = answers.scheme.names[case.output]
            head = f"{group.upper()}\n" if place == 0 else ""
            axes.set_title(
                f"{head}{file_name(answers, case)}\n{case.caption}; P({name}) {case.probability:.2f}",
                fontsize=7.5,
                loc="left",
            )
        row += -(-len(cases) // columns)
    if not groups:
        grid[0, 1].text(0.5, 0.5, "no image was answered", ha="center", va="center")
    return png_of(figure)
