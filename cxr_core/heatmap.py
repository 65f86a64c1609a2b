"""Colour a Grad-CAM map and lay it over its film, with a legend, for export.

The colours are viridis (van der Walt and Smith, 2015): perceptually uniform, and told apart from grey by hue.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from cxr_core.bundle import Manifest
from cxr_core.chest_image import ChestImage
from cxr_core.errors import OutputError
from cxr_core.files import write_whole
from cxr_core.grayscale import default_voi, grayscale_table
from cxr_core.prediction import INDETERMINATE, Prediction

Bgra = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float32]

STRIP = "Research use only, not for diagnosis"
MAP_LABEL = "model attention, not a lesion outline"


@dataclass(frozen=True, slots=True)
class OverlaySettings:
    """How an overlay looks."""

    threshold: float = 0.25
    """Share of the map's own maximum below which nothing is drawn, 0 to 1."""

    opacity: float = 0.45
    """Of the strongest colour, 0 to 1."""

    max_side: int = 1024
    """Longer side of the exported picture in pixels; smaller films keep their size."""


def relative(cam: FloatArray) -> FloatArray:
    """The map divided by its own maximum, in [0, 1]; all zero stays zero."""
    top = float(cam.max())
    return (cam / top).astype(np.float32) if top > 0 else np.zeros_like(cam)


def colour_table(settings: OverlaySettings) -> Bgra:
    """256 colours for map values 0 to 1: shape (256, 4), BGRA, straight alpha, alpha 0 under the threshold.

    Above it alpha rises to the opacity over a quarter of the remaining range, so that no edge looks like an outline.
    """
    values = np.linspace(0, 1, 256, dtype=np.float32)
    colours = cv2.applyColorMap(np.arange(256, dtype=np.uint8)[:, np.newaxis], cv2.COLORMAP_VIRIDIS)[:, 0]
    rise = np.clip((values - settings.threshold) / (0.25 * (1 - settings.threshold) + 1e-6), 0, 1)
    alpha = np.where(values < settings.threshold, 0, rise * settings.opacity)
    return np.concatenate([colours, np.rint(alpha * 255).astype(np.uint8)[:, np.newaxis]], axis=1)


def colour_map(cam: FloatArray, rows: int, columns: int, settings: OverlaySettings) -> Bgra:
    """A map (on its native grid) coloured at the size of the picture: shape (rows, columns, 4), BGRA.

    The input is the film squashed to a square, so the map stretches back over the whole film.
    """
    smooth = cv2.resize(relative(cam), (columns, rows), interpolation=cv2.INTER_CUBIC)
    index = np.rint(np.clip(smooth, 0, 1) * 255).astype(np.uint8)
    return colour_table(settings)[index]


def blend(grey: FloatArray, overlay: Bgra) -> npt.NDArray[np.uint8]:
    """Display values (row, column) in [0, 1] under a BGRA overlay: BGR, shape (rows, columns, 3)."""
    alpha = overlay[:, :, 3:].astype(np.float32) / 255
    film = np.repeat(grey[:, :, np.newaxis] * 255, 3, axis=2)
    return np.rint(film * (1 - alpha) + overlay[:, :, :3] * alpha).astype(np.uint8)


def display_for_export(image: ChestImage, max_side: int) -> FloatArray:
    """The film through its grayscale table, reduced so that its longer side is at most `max_side`."""
    assert image.attributes is not None
    stored = image.stored
    shown = grayscale_table(image.attributes, default_voi(image.attributes, stored))(stored)
    scale = max_side / max(shown.shape)
    if scale >= 1:
        return shown
    size = (max(round(shown.shape[1] * scale), 1), max(round(shown.shape[0] * scale), 1))
    return np.asarray(cv2.resize(shown, size, interpolation=cv2.INTER_AREA))


def verdict_lines(prediction: Prediction, manifest: Manifest) -> list[str]:
    """What a person reads about one prediction: the answer first, then what it rests on."""
    meanings = {label.name: label.meaning for label in manifest.labels}
    if prediction.verdict_withheld == "out_of_domain":
        answer = f"Verdict withheld, out of domain: {prediction.domain_reason}"
    elif prediction.verdict_withheld == "population":
        answer = "Verdict withheld: not validated for this patient"
    elif prediction.verdict == INDETERMINATE:
        answer = "Indeterminate"
    elif prediction.verdict is None:
        positive = [finding.label for finding in prediction.findings if finding.positive]
        answer = "Findings: " + (", ".join(positive) or "none")
    else:
        answer = f"{prediction.verdict}: {meanings[prediction.verdict]}"
    scores = ", ".join(f"P({finding.label}) {finding.probability:.2f}" for finding in prediction.findings[:3])
    if prediction.prevalence is not None and prediction.prevalence != manifest.prevalence:
        scores += f" at a prevalence of {100 * prediction.prevalence:g} %"
    model = f"{prediction.model.name} {prediction.model.version}, validated for {manifest.population.description}"
    return [answer, f"{scores}   ({model})"]


def render_overlay(
    image: ChestImage, prediction: Prediction, manifest: Manifest, settings: OverlaySettings | None = None
) -> npt.NDArray[np.uint8]:
    """The film with the map of the shown label and a legend below it: BGR, (rows + legend, columns, 3)."""
    settings = settings or OverlaySettings()
    grey = display_for_export(image, settings.max_side)
    cam = prediction.shown_map
    picture = blend(grey, colour_map(cam, grey.shape[0], grey.shape[1], settings))
    return np.vstack([picture, _legend(picture.shape[1], prediction, manifest, settings)])


def _legend(
    columns: int, prediction: Prediction, manifest: Manifest, settings: OverlaySettings
) -> npt.NDArray[np.uint8]:
    """Answer, colour bar and statements, as wide as the picture: BGR. Lines are wrapped to the width."""
    from PIL import Image, ImageDraw, ImageFont

    size = max(11, min(20, columns // 44))
    font = ImageFont.load_default(size)
    margin, step = size // 2, round(size * 1.45)
    grid = prediction.shown_map.shape
    texts = [
        *verdict_lines(prediction, manifest),
        f"Map of {prediction.shown_label}: {MAP_LABEL}; relative within this image; native grid {grid[0]} x {grid[1]}",
    ]
    lines = [line for text in texts for line in _wrapped(text, columns - 2 * margin, font)]
    strip = _wrapped(STRIP, columns - 2 * margin, font)
    rows = margin * 2 + step * (len(lines) + 1 + len(strip))
    legend = Image.new("RGB", (columns, rows), (16, 16, 16))
    draw = ImageDraw.Draw(legend)
    for number, line in enumerate(lines):
        draw.text(
            (margin, margin + step * number), line, font=font, fill=(255, 255, 255) if number == 0 else (205, 205, 205)
        )
    top = margin + step * len(lines)
    low, high = "weak ", " strong"
    start, width = margin + draw.textlength(low, font), columns // 3
    draw.text((margin, top), low, font=font, fill=(205, 205, 205))
    draw.text((start + width, top), high, font=font, fill=(205, 205, 205))
    for number, line in enumerate(strip):
        draw.text((margin, top + step * (number + 1)), line, font=font, fill=(255, 190, 90))
    pixels = np.array(legend)[:, :, ::-1]
    bar = np.tile(np.linspace(0, 1, width, dtype=np.float32), (size, 1))
    pixels[top : top + size, round(start) : round(start) + width] = blend(
        np.full(bar.shape, 0.5, np.float32), colour_table(settings)[np.rint(bar * 255).astype(np.uint8)]
    )
    return pixels


def _wrapped(text: str, width: int, font: object) -> list[str]:
    """The text in lines of at most `width` pixels, broken between words."""
    lines = [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if lines[-1] and font.getlength(longer) > width:  # type: ignore[attr-defined]  # Pillow's two font classes
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def prepare_folder(folder: Path) -> None:
    """Make a folder for pictures and see that it can be written to. Raises OutputError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OutputError(f"{folder} ({error.strerror})", "a folder to write to", "name another") from error


def write_png(path: Path, bgr: npt.NDArray[np.uint8]) -> None:
    """Write a PNG whole or not at all. Raises OSError."""
    _, packed = cv2.imencode(".png", bgr)
    write_whole(path, packed.tobytes())
