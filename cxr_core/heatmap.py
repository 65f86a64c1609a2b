"""Colour a Grad-CAM map and lay it over its film, with a legend, for export.

The colours are viridis (van der Walt and Smith, 2015): perceptually uniform, and told apart from grey by hue.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from cxr_core.bundle import Manifest
from cxr_core.chest_image import ChestImage
from cxr_core.errors import OutputError
from cxr_core.files import write_whole
from cxr_core.grayscale import default_voi, grayscale_table, named_voi
from cxr_core.prediction import INDETERMINATE, Prediction

Bgra = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float32]

STRIP = "Research use only, not for diagnosis"
MAP_LABEL = "model attention, not a lesion outline"
#: What stands on everything that leaves the program.
ASSESSED = f"{STRIP}. Nothing else was assessed."
#: Share of the map's own maximum at which a line is drawn.
OUTLINE_LEVEL = 0.5
OUTLINE_LABEL = f"half of the map's maximum: {MAP_LABEL}"


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
    return colour_table(settings)[_map_levels(cam, rows, columns)]


def _map_levels(cam: FloatArray, rows: int, columns: int) -> npt.NDArray[np.uint8]:
    """The relative map at the size of the picture, 0 to 255."""
    smooth = cv2.resize(relative(cam), (columns, rows), interpolation=cv2.INTER_CUBIC)
    return np.asarray(cv2.convertScaleAbs(np.maximum(smooth, 0), alpha=255), np.uint8)


def blend(grey: FloatArray, overlay: Bgra) -> npt.NDArray[np.uint8]:
    """Display values (row, column) in [0, 1] under a BGRA overlay: BGR, shape (rows, columns, 3)."""
    alpha = overlay[:, :, 3:].astype(np.float32) / 255
    film = np.repeat(grey[:, :, np.newaxis] * 255, 3, axis=2)
    return np.rint(film * (1 - alpha) + overlay[:, :, :3] * alpha).astype(np.uint8)


def overlaid(grey: FloatArray, cam: FloatArray, settings: OverlaySettings) -> npt.NDArray[np.uint8]:
    """Display values (row, column) in [0, 1] under a coloured map: BGR, shape (rows, columns, 3).

    Both have 256 levels, so every pair is blended once and looked up: a third of the time.
    """
    film = np.asarray(cv2.convertScaleAbs(grey, alpha=255), np.uint8)
    pair = _map_levels(cam, *grey.shape).astype(np.uint16) << 8 | film
    picture = np.take(_blended_pairs(settings), pair).view(np.uint8).reshape(*grey.shape, 4)
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGRA2BGR), np.uint8)


@lru_cache(maxsize=4)
def _blended_pairs(settings: OverlaySettings) -> npt.NDArray[np.uint32]:
    """BGRA pixels of every (level of the map, level of grey), shape (65536,)."""
    grey = np.tile(np.linspace(0, 1, 256, dtype=np.float32), (256, 1))
    colours = blend(grey, np.repeat(colour_table(settings)[:, np.newaxis], 256, axis=1))
    return np.dstack([colours, np.full(grey.shape, 255, np.uint8)]).view(np.uint32).ravel()


def outlines(cam: FloatArray, level: float) -> list[npt.NDArray[np.float64]]:
    """Closed lines around where a map reaches `level` of its own maximum, the largest first.

    Each has shape (points, 2), axes (x, y) from 0 to 1 over the whole film, first and last point equal. What is under
    a thousandth of the film is left out.
    """
    side = 32 * max(cam.shape)
    smooth = cv2.resize(relative(cam), (side, side), interpolation=cv2.INTER_CUBIC)
    found, _ = cv2.findContours((smooth >= level).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    lines = []
    for line in sorted(found, key=cv2.contourArea, reverse=True):
        if cv2.contourArea(line) >= side * side / 1000:
            corners = cv2.approxPolyDP(line, 1.25, closed=True)[:, 0].astype(np.float64)
            lines.append((np.vstack([corners, corners[:1]]) + 0.5) / side)
    return lines


def display_for_export(image: ChestImage, max_side: int, pixel_aspect: float = 1.0) -> FloatArray:
    """The film through its grayscale table, reduced so that its longer side is at most `max_side`.

    `pixel_aspect` is height over width of a pixel; the picture's pixels are square.
    """
    attributes = image.attributes
    assert attributes is not None, "intake refuses an object without pixels"
    assert image.source is not None, "intake refuses an object without pixels"
    rows, columns = image.facts.rows * max(pixel_aspect, 1), image.facts.columns / min(pixel_aspect, 1)
    scale = min(max_side / max(rows, columns), 1)
    size = (max(round(columns * scale), 1), max(round(rows * scale), 1))
    stored = None
    if attributes.padding is None and named_voi(attributes) is not None:
        # Nothing has to be counted at full size, so a decoder that can need not decode it.
        halvings = int(min(image.facts.rows / size[1], image.facts.columns / size[0])).bit_length() - 1
        stored = image.source.reduced(halvings) if halvings > 0 else None
    stored = image.stored if stored is None else stored
    table = grayscale_table(attributes, default_voi(attributes, stored))
    if attributes.padding is None and stored.dtype != np.int8:
        # Averaging before the table costs a fifth; padding would be averaged into its neighbours.
        return table(np.asarray(_resized(stored, size), stored.dtype))
    return np.asarray(_resized(table(stored), size), np.float32)


def _resized(pixels: npt.NDArray[Any], size: tuple[int, int]) -> npt.NDArray[Any]:
    """Pixels at (columns, rows), by area where they shrink."""
    if pixels.shape == size[::-1]:
        return pixels
    shrinks = pixels.shape[0] >= size[1] and pixels.shape[1] >= size[0]
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR))


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


def caveat(prediction: Prediction) -> str | None:
    """What has to stand beside a verdict on a patient whom the model may not be validated for; None inside."""
    if prediction.population == "outside":
        return "NOT VALIDATED FOR THIS PATIENT: age outside the model's population"
    if prediction.population == "unknown":
        return "Patient age unknown: the model may not be validated for this patient"
    return None


def render_overlay(
    image: ChestImage,
    prediction: Prediction,
    manifest: Manifest,
    settings: OverlaySettings | None = None,
    *,
    pixel_aspect: float = 1.0,
    outlined: bool = False,
) -> npt.NDArray[np.uint8]:
    """The film with the map of the shown label and a legend below it: BGR, (rows + legend, columns, 3).

    `pixel_aspect` is height over width of a pixel; `outlined` draws where the map reaches half of its maximum.
    """
    settings = settings or OverlaySettings()
    grey = display_for_export(image, settings.max_side, pixel_aspect)
    cam = prediction.shown_map
    picture = overlaid(grey, cam, settings)
    if outlined:
        _draw_outlines(picture, cam)
    return np.vstack([picture, _legend(picture.shape[1], prediction, manifest, settings, outlined)])


def _draw_outlines(picture: npt.NDArray[np.uint8], cam: FloatArray) -> None:
    """Draw thin lines into a picture (row, column, BGR): white between black, so that they show on any grey."""
    size = np.array(picture.shape[1::-1])
    # In sixteenths of a pixel, whose centre is at a whole number.
    lines = [np.rint((line * size - 0.5) * 16).astype(np.int32) for line in outlines(cam, OUTLINE_LEVEL)]
    for colour, width in ((0, 0, 0), 3), ((255, 255, 255), 1):
        cv2.polylines(picture, lines, True, colour, width, cv2.LINE_AA, shift=4)


def _legend(
    columns: int, prediction: Prediction, manifest: Manifest, settings: OverlaySettings, outlined: bool
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
        *([f"Line: {OUTLINE_LABEL}"] if outlined else []),
    ]
    lines = [line for text in texts for line in _wrapped(text, columns - 2 * margin, font)]
    warnings = filter(None, [caveat(prediction), ASSESSED])
    strip = [line for text in warnings for line in _wrapped(text, columns - 2 * margin, font)]
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
