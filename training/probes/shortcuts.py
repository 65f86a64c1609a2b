"""Copies that take away what a model may cheat with, or all it should look at, and the pass line of each.

The lines were set before any model was measured against them and are not tuned afterwards. What training has drawn of
each since then stands beside it: a line that was trained for is easier to pass, and says less.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from training.input_batches import CHESTLESS
from training.probes.figures import Effect
from training.probes.perturbations import STRETCHED_HORIZONTAL, STRETCHED_VERTICAL, Change

FloatArray = npt.NDArray[np.float32]

#: Rows and columns of a corner, as shares of the picture: burnt-in letters of most Kaggle films end before it.
CORNER_ROWS, CORNER_COLUMNS = 0.20, 0.22
#: Width of the border, as a share of the side: holds collimation edges, and the side letters at half height. What
#: lies inside it is the "central chest": on the mean film of both classes the lungs.
BORDER = 0.08
#: Width over height of the letterboxed film: the mean of the Kaggle originals (NORMAL 1.21, PNEUMONIA 1.50).
LETTERBOX_ASPECT = 1.35


def corners_masked(picture: FloatArray) -> FloatArray:
    """Each corner filled with its own median: letters go, and no new dark or light patch tells that they were there."""
    rows, columns = (
        round(side * share) for side, share in zip(picture.shape, (CORNER_ROWS, CORNER_COLUMNS), strict=True)
    )
    masked = picture.copy()
    for vertical in (slice(None, rows), slice(-rows, None)):
        for horizontal in (slice(None, columns), slice(-columns, None)):
            masked[vertical, horizontal] = np.median(picture[vertical, horizontal])
    return masked


def border_masked(picture: FloatArray) -> FloatArray:
    """The border filled with the blurred edge of what lies inside it, so that a letter on the edge leaves no streak."""
    rows, columns = (round(side * BORDER) for side in picture.shape)
    inside = picture[rows:-rows, columns:-columns]
    smooth = cv2.GaussianBlur(inside, (0, 0), min(rows, columns) / 2, borderType=cv2.BORDER_REPLICATE)
    masked = np.asarray(cv2.copyMakeBorder(smooth, rows, rows, columns, columns, cv2.BORDER_REPLICATE), np.float32)
    masked[rows:-rows, columns:-columns] = inside
    return masked


def border_swapped(picture: FloatArray, other: FloatArray) -> FloatArray:
    """The film inside the border of another one: its collimation, arms and letters, its own lungs."""
    rows, columns = (round(side * BORDER) for side in picture.shape)
    swapped = other.copy()
    swapped[rows:-rows, columns:-columns] = picture[rows:-rows, columns:-columns]
    return swapped


def letterboxed(picture: FloatArray) -> FloatArray:
    """The film at its true shape in a square with black bars above and below, as some exports make it."""
    rows, columns = picture.shape
    film = cv2.resize(picture, (columns, round(rows / LETTERBOX_ASPECT)), interpolation=cv2.INTER_AREA)
    top = (rows - film.shape[0]) // 2
    boxed = np.zeros_like(picture)
    boxed[top : top + film.shape[0]] = film
    return boxed


def centre_erased(picture: FloatArray) -> FloatArray:
    """All but the border filled with mid-grey: the same for every film, as its own mean would tell of the lungs."""
    rows, columns = (round(side * BORDER) for side in picture.shape)
    erased = picture.copy()
    erased[rows:-rows, columns:-columns] = 0.5
    return erased


Measure = Literal["auc_fall", "flip_rate", "auc_from_chance"]
_WORDS: dict[Measure, str] = {
    "auc_fall": "fall of AUC",
    "flip_rate": "share of answers that flip",
    "auc_from_chance": "distance of AUC from chance (0.5)",
}


@dataclass(frozen=True, slots=True)
class Line:
    """What a model must not exceed on a copy."""

    measure: Measure
    limit: float
    reason: str

    def judge(self, effect: Effect | None) -> Judgement:
        """Hold an effect against the line; what could not be measured neither passes nor fails."""
        value = None if effect is None else getattr(effect, self.measure)
        passed = None if value is None else bool(value <= self.limit)
        return Judgement(self, value, passed)


@dataclass(frozen=True, slots=True)
class Judgement:
    """A line, what was measured, and whether it passes."""

    line: Line
    value: float | None
    passed: bool | None

    @property
    def words(self) -> str:
        """One sentence: PASS, FAIL or NOT MEASURED, the value and the limit."""
        if self.value is None or self.passed is None:
            return f"NOT MEASURED: {_WORDS[self.line.measure]}, as a label is missing among the films"
        state = "PASS" if self.passed else "FAIL"
        return f"{state}: {_WORDS[self.line.measure]} {self.value:.3f}; at most {self.line.limit:g} allowed"


@dataclass(frozen=True, slots=True)
class Swap:
    """A kind of copy that takes a second film, of another class."""

    name: str
    words: str
    """What was done, for a person."""

    apply: Callable[[FloatArray, FloatArray], FloatArray]
    """Picture and that of the other film to changed picture, same shape and range."""


@dataclass(frozen=True, slots=True)
class Shortcut:
    """A copy with its pass lines."""

    change: Change | Swap
    trained: str
    """What `cxr-train fit` draws of it in training, for a person."""

    lines: tuple[Line, ...]


_NO_CUE_AUC = Line("auc_fall", 0.01, "hardly any lung lies here, so the ranking may not change beyond noise")
_NO_CUE_FLIPS = Line("flip_rate", 0.03, "hardly any lung lies here; one film in 30 is what borderline films give")
_STRETCH_FLIPS = Line(
    "flip_rate", 0.05, "shape tells nothing of the lungs, but a tenth of the field is lost at either end"
)
_STRETCH_TRAINED = "films stretched by up to 40 % in either direction, so this lies inside what was trained on"

SHORTCUTS = (
    Shortcut(
        Change("corners_masked", "corner text masked: each corner filled with its own median", corners_masked),
        "each corner covered with one grey in a tenth of the pictures",
        (_NO_CUE_AUC, _NO_CUE_FLIPS),
    ),
    Shortcut(
        Change("border_masked", "border masked: the outer 8 % filled from what lies inside", border_masked),
        "borders of up to 12 % a side covered with one grey (15 % of the pictures) or with the border of any other "
        "film (25 %)",
        (_NO_CUE_AUC, _NO_CUE_FLIPS),
    ),
    Shortcut(
        Swap("border_swapped", "border swapped: the outer 8 % taken from a film of another class", border_swapped),
        "borders of up to 12 % a side taken from any film, whatever its class, in 25 % of the pictures; but all of the "
        "outer 8 % in about one picture of 300 only",
        (
            Line(
                "flip_rate",
                0.05,
                "hardly any lung lies here, so the answer must stay with the lungs; against a masked border the edge "
                "of another film adds a seam through shoulders and diaphragm, which may tip one film in 20",
            ),
        ),
    ),
    Shortcut(STRETCHED_HORIZONTAL, _STRETCH_TRAINED, (_STRETCH_FLIPS,)),
    Shortcut(STRETCHED_VERTICAL, _STRETCH_TRAINED, (_STRETCH_FLIPS,)),
    Shortcut(
        Change("letterboxed", "letterboxed: black bars above and below a film of shape 1.35 to 1", letterboxed),
        "stretched films with black edges, and black covers of up to 12 % a side (here 13 %)",
        (
            Line(
                "flip_rate",
                0.10,
                "the whole film is there, but a quarter of the rows is lost; set when no black bars were trained on",
            ),
        ),
    ),
    Shortcut(
        Change("centre_erased", "central chest erased: all but the outer 8 % mid-grey", centre_erased),
        f"this very copy, with a border of 5 to 18 % and any grey, its class drawn by lot, in {100 * CHESTLESS:g} % of "
        "the pictures: the model was told to know nothing here, and that it does so is no proof that what surrounds "
        "the lungs has no part in its other answers",
        (
            Line(
                "auc_from_chance",
                0.15,
                "without lungs nothing may be known. Habitus and collimation leave a trace; AUC 0.65 of normal scores "
                "is a balanced accuracy of 0.61, which carries no verdict. Below 0.35 is knowledge too, upside down",
            ),
        ),
    ),
)
