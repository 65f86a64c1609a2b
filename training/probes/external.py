"""Films from elsewhere, gate off: a table of what is said about each, and counts. Never averaged with the rest.

Made for a folder of DICOM files with a labels.csv like that of the RSNA pneumonia challenge (Shih et al., Radiology:
Artificial Intelligence 2019): columns file, rsna_class, opacity_boxes_x_y_width_height_px. The classes are the data
set's own; they are no labels of the bundle, so there is no accuracy here.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from cxr_core.chest_image import ChestImage
from cxr_core.classifier import Classifier
from cxr_core.heatmap import OverlaySettings, blend, colour_map, display_for_export
from cxr_core.pipeline import Pipeline
from cxr_core.prediction import ImageResult
from cxr_core.reading import Source
from cxr_core.reading.read import read_bytes
from training.probes.figures import ProbeError
from training.probes.map_checks import Box, centred_gaussian, mass_inside

FloatArray = npt.NDArray[np.float32]

LABELS_FILE = "labels.csv"
#: Longer side of a picture in the report, in pixels.
_SIDE = 360
FILE, CLASS, BOXES = "file", "rsna_class", "opacity_boxes_x_y_width_height_px"


@dataclass(frozen=True, slots=True)
class BoxMass:
    """Share of the mass that lies in a film's boxes, each 0 to 1."""

    by_map: float
    by_mean_map: float | None
    """The mean map of held-out films of the same label: what the network looks at anyhow."""

    by_centre: float
    """The centred Gaussian."""

    area: float
    """Share of the film that the boxes cover: an even map's mass."""


@dataclass(frozen=True, eq=False, slots=True)
class ExternalFilm:
    """One film and what was said about it."""

    file: str
    given_class: str
    """As labels.csv has it."""

    boxes: tuple[Box, ...]
    result: ImageResult
    age_years: float | None
    mass: BoxMass | None
    """None without boxes or without an answer."""

    picture: npt.NDArray[np.uint8] | None
    """The film, and beside it the film under the map, the boxes on both: BGR; None where `mass` is."""

    @property
    def called(self) -> str | None:
        """What the bundle's rule says with the gate off; of a multi-label bundle the positive findings."""
        prediction = self.result.prediction
        if prediction is None:
            return None
        if prediction.label is not None:
            return prediction.label
        return ", ".join(f.label for f in prediction.findings if f.positive) or "no finding"


def read_labels(folder: Path) -> list[tuple[str, str, tuple[Box, ...]]]:
    """(file, class, boxes) of every row of labels.csv. Raises ProbeError."""
    path = folder / LABELS_FILE
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            missing = [name for name in (FILE, CLASS, BOXES) if name not in (reader.fieldnames or ())]
            if missing:
                raise ProbeError(f"{path} without {', '.join(missing)}", ", ".join((FILE, CLASS, BOXES)), "add them")
            rows = []
            for row in reader:
                boxes = tuple((float(x), float(y), float(w), float(h)) for x, y, w, h in json.loads(row[BOXES] or "[]"))
                rows.append((row[FILE], row[CLASS], boxes))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ProbeError(f"{path} that cannot be read", "a table of the films in its folder", "add it") from error
    except (ValueError, TypeError) as error:
        raise ProbeError(f"{path} with boxes that are none", "lists of x, y, width, height", "correct it") from error
    return rows


def external_films(classifier: Classifier, folder: Path, mean_maps: dict[str, FloatArray]) -> list[ExternalFilm]:
    """Answer every film that labels.csv names, in its order; what fails or is refused is a row too.

    Parameters
    ----------
    classifier : Classifier
        The bundle.
    folder : Path
        DICOM files and labels.csv.
    mean_maps : dict of str to numpy.ndarray
        Mean map of held-out films by label, (rows, columns) each; a label may be missing.
    """
    pipeline = Pipeline(classifier)
    films = []
    for name, given_class, boxes in read_labels(folder):
        source = Source(name, partial(read_bytes, folder / name, classifier.settings.limits))
        result, image = pipeline(source)
        mass, picture = None, None
        if boxes and result.prediction is not None and image is not None:
            size = image.facts.rows, image.facts.columns
            mean_map = mean_maps.get(result.prediction.shown_label)
            mass = BoxMass(
                by_map=mass_inside(result.prediction.shown_map, boxes, *size),
                by_mean_map=None if mean_map is None else mass_inside(mean_map, boxes, *size),
                by_centre=mass_inside(centred_gaussian(64, 64), boxes, *size),
                area=mass_inside(np.ones((1, 1), np.float32), boxes, *size),
            )
            picture = boxed_picture(image, result.prediction.shown_map, boxes)
        age = image.facts.age_years if image is not None else None
        films.append(ExternalFilm(name, given_class, boxes, result, age, mass, picture))
    return films


def boxed_picture(image: ChestImage, cam: FloatArray, boxes: Sequence[Box]) -> npt.NDArray[np.uint8]:
    """The film with the data set's boxes, without and with the map: BGR, (rows, 2 x columns, 3)."""
    film = display_for_export(image, _SIDE)
    rows, columns = film.shape
    overlay = colour_map(cam, rows, columns, OverlaySettings(max_side=_SIDE))
    pictures = [blend(film, np.zeros_like(overlay)), blend(film, overlay)]
    down, right = rows / image.facts.rows, columns / image.facts.columns
    for picture in pictures:
        for x, y, width, height in boxes:
            corners = (round(x * right), round(y * down)), (round((x + width) * right), round((y + height) * down))
            cv2.rectangle(picture, *corners, (255, 255, 255), 2)
    return np.hstack(pictures)


def counts(films: Sequence[ExternalFilm]) -> dict[str, dict[str, int]]:
    """{class of the data set: {answer: films}}, and under "withheld" how many verdicts the gate would keep back."""
    table: dict[str, Counter[str]] = {}
    for film in films:
        of_class = table.setdefault(film.given_class, Counter())
        of_class[film.called or film.result.status] += 1
        prediction = film.result.prediction
        of_class["withheld"] += prediction is not None and prediction.verdict_withheld is not None
    return {name: dict(found) for name, found in table.items()}
