"""A film as a PNG or JPEG at full resolution, with what the reader sees on it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PySide6.QtGui import QImage

from cxr_core.errors import OutputError
from cxr_desktop.output.files import write_output
from cxr_desktop.state.corner_text import CornerLines, corner_lines
from cxr_desktop.state.display import DisplayState
from cxr_desktop.state.records import LoadedImage
from cxr_desktop.state.windowing import window_words
from cxr_desktop.views.heat_map import HeatMapLayer
from cxr_desktop.views.rendering import PaintOver, render_picture

#: Suffixes, lower case, and what each stands for.
PICTURE_SUFFIXES = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}
_JPEG_QUALITY = 95
#: Level 1 of 9 is five times faster than the usual 6, and a film's noise packs hardly better.
_PNG_LEVEL = 1


@dataclass(frozen=True, eq=False, slots=True)
class ShownFilm:
    """A film with all that the reader sees on it: what an export is made of."""

    loaded: LoadedImage
    display: DisplayState
    heat_map: HeatMapLayer | None = None
    paint_measurements: PaintOver | None = None
    """As tools.layer.export_painter gives it; None where none are shown."""

    measurement_words: tuple[tuple[str, ...], ...] = ()
    """As state.measured.in_words gives them, of each measurement."""

    corner_text_level: int = 2


@dataclass(frozen=True, slots=True)
class PictureOptions:
    """What is left out of what the reader sees."""

    patient_text: bool = True
    """Without: no corner text but the window, and no overlay planes, for they may hold text as well. What is burnt into
    the pixels stays, and so do the reader's own measurements."""

    overlays: bool = True
    """Without: no heat map, measurements or overlay planes."""


def picture_of(film: ShownFilm, options: PictureOptions, *, max_side: int | None = None) -> QImage:
    """Paint the picture, in the thread of the window.

    Returns
    -------
    QImage
        RGB32, no image pixel lost unless its longer side would exceed `max_side`. A flipped or rotated film bears its
        mark whatever the options.
    """
    planes = film.display.overlays and options.overlays and options.patient_text
    return render_picture(
        film.loaded,
        replace(film.display, overlays=planes),
        heat_map=film.heat_map if options.overlays else None,
        paint_measurements=film.paint_measurements if options.overlays else None,
        corner_lines=_corners(film, patient_text=options.patient_text),
        max_side=max_side,
    )


def _corners(film: ShownFilm, *, patient_text: bool) -> CornerLines:
    if film.corner_text_level == 0:
        return {}
    lines = corner_lines(film.loaded, film.corner_text_level) if patient_text else {}
    return {**lines, "bottom left": [*lines.get("bottom left", []), window_words(film.display)]}


def write_picture(picture: QImage, path: Path) -> None:
    """Encode a picture as the file's suffix says and write it whole or not at all; for a thread.

    PNG keeps every value, JPEG has quality 95 and full colour resolution (4:4:4), so that thin lines keep their colour.

    Raises
    ------
    OutputError
        Another suffix, a full disk, a folder that may not be written to.
    """
    write_output(path, encoded(picture, path.suffix))


def encoded(picture: QImage, suffix: str) -> bytes:
    """The bytes of a picture file. Raises OutputError for a suffix that is not in PICTURE_SUFFIXES."""
    kind = PICTURE_SUFFIXES.get(suffix.lower())
    if kind is None:
        raise OutputError("Not written: a file name without .png or .jpg", "one of them", "add it to the name")
    if kind == "PNG":
        parameters = [cv2.IMWRITE_PNG_COMPRESSION, _PNG_LEVEL]
    else:
        parameters = [
            cv2.IMWRITE_JPEG_QUALITY,
            _JPEG_QUALITY,
            cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
            cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
        ]
    return cv2.imencode(".png" if kind == "PNG" else ".jpg", colours_of(picture), parameters)[1].tobytes()


def colours_of(picture: QImage) -> npt.NDArray[np.uint8]:
    """The pixels of an RGB32 picture: shape (rows, columns, 3), blue, green, red; a copy."""
    shape = picture.height(), picture.bytesPerLine() // 4, 4
    pixels = np.frombuffer(picture.constBits(), np.uint8).reshape(shape)[:, : picture.width(), :3]
    return np.ascontiguousarray(pixels)
