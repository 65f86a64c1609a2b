"""Pictures that are no whole, upright chest film: what the domain check must catch, by kind.

Display values, float32 in [0, 1], axes (row, column), of any size. None of these kinds was used to fit the check.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from cxr_core.preprocess import display_reduced
from cxr_core.reading import read_image

FloatArray = npt.NDArray[np.float32]
Rng = np.random.Generator

_WORDS = (
    "patient ward study report findings chest lungs clear heart normal size no effusion follow up in two weeks dear "
    "colleague thank you for sending this child with cough and fever since Monday temperature examination shows"
).split()


def noise(each: int, rng: Rng) -> dict[str, Iterator[FloatArray]]:
    """`each` pictures of uniform, normal, salt and pepper, Poisson, coarse-grained noise, and clouds (1/f)."""
    kinds = {
        "uniform": _uniform,
        "normal": _normal,
        "salt and pepper": _salt_and_pepper,
        "Poisson": _poisson,
        "coarse": _coarse,
        "clouds": _clouds,
    }
    return {name: _repeated(kind, each, rng) for name, kind in kinds.items()}


def _repeated(kind: Callable[[Rng], FloatArray], count: int, rng: Rng) -> Iterator[FloatArray]:
    # A function of its own: a generator expression in the loop above would see the last kind only.
    for _ in range(count):
        yield _stretched(kind(rng))


def _uniform(rng: Rng) -> FloatArray:
    return rng.random((400, 400), np.float32)


def _normal(rng: Rng) -> FloatArray:
    return rng.normal(0.5, rng.uniform(0.05, 0.3), (400, 400)).astype(np.float32)


def _salt_and_pepper(rng: Rng) -> FloatArray:
    return (rng.random((400, 400)) < rng.uniform(0.05, 0.5)).astype(np.float32)


def _poisson(rng: Rng) -> FloatArray:
    return rng.poisson(rng.uniform(1, 40), (400, 400)).astype(np.float32)


def _coarse(rng: Rng) -> FloatArray:
    grain = rng.normal(0, 1, (400, 400)).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(grain, (0, 0), rng.uniform(2, 20)), np.float32)


def _clouds(rng: Rng) -> FloatArray:
    """Amplitude falls with frequency, as in natural pictures."""
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(400), np.fft.fftfreq(400)))
    frequency[0, 0] = np.inf
    phases = rng.normal(size=(400, 400)) + 1j * rng.normal(size=(400, 400))
    return np.fft.ifft2(phases / frequency ** rng.uniform(0.8, 1.6)).real.astype(np.float32)


def blank(count: int, rng: Rng) -> Iterator[FloatArray]:
    """One level; with sensor grain; a smooth fall-off of the beam; a collimated empty field."""
    for index in range(count):
        picture = np.full((400, 400), rng.uniform(0, 1), np.float32)
        if index % 4 == 1:
            picture += rng.normal(0, rng.uniform(0.002, 0.02), picture.shape).astype(np.float32)
        elif index % 4 == 2:
            y, x = np.mgrid[-1:1:400j, -1:1:400j]
            slope = rng.uniform(-0.3, 0.3, 2)
            picture += (slope[0] * y + slope[1] * x + rng.uniform(-0.3, 0.3) * (y * y + x * x)).astype(np.float32)
            picture += rng.normal(0, 0.005, picture.shape).astype(np.float32)
        elif index % 4 == 3:
            top, left, bottom, right = (int(edge) for edge in rng.uniform(10, 120, 4))
            field = np.zeros_like(picture)
            field[top:-bottom, left:-right] = rng.uniform(0.3, 1)
            picture = field + rng.normal(0, 0.005, picture.shape).astype(np.float32)
        yield np.clip(picture, 0, 1)


def photographs(each: int, rng: Rng) -> Iterator[FloatArray]:
    """Colour photographs made grey: each whole, and cut at random places and sizes, some mirrored, tone varied."""
    for colour in _colour_photographs():
        grey = np.asarray(colour @ np.array([0.299, 0.587, 0.114]) / 255, np.float32)
        yield grey
        for _ in range(each - 1):
            yield _varied(grey, rng, 0.4)


def photograph_sources() -> str:
    """What they come from, for the report."""
    more = "scikit-image's" if find_spec("skimage") else "scikit-image is not installed, which would add 8"
    return f"scikit-learn's 2, matplotlib's 1, pydicom-data's 1, {more}"


def _colour_photographs() -> Iterator[npt.NDArray[np.uint8]]:
    from matplotlib.cbook import get_sample_data
    from pydicom import dcmread
    from pydicom.pixels.processing import apply_color_lut
    from sklearn.datasets import load_sample_images

    yield from load_sample_images().images
    yield np.asarray(Image.open(str(get_sample_data("grace_hopper.jpg", asfileobj=False))).convert("RGB"))
    face = dcmread(pydicom_data() / "OT-PAL-8-face.dcm", force=True)  # it has no file meta
    indices = np.frombuffer(face.PixelData, np.uint8)[: face.Rows * face.Columns].reshape(face.Rows, face.Columns)
    palette = apply_color_lut(indices, face)
    yield (palette >> 8 if palette.dtype.itemsize > 1 else palette).astype(np.uint8)
    if find_spec("skimage"):
        from skimage import data  # type: ignore[import-not-found]

        for picture in (data.astronaut, data.coffee, data.chelsea, data.rocket, data.hubble_deep_field, data.retina):
            yield picture()[:, :, :3]
        left, right, _ = data.stereo_motorcycle()
        yield left
        yield right


def limbs(each: int, rng: Rng) -> Iterator[FloatArray]:
    """The extremity films of pydicom-data, whole, cut and with other tones."""
    for path in _limb_films():
        grey = display_reduced(read_image(path))
        yield grey
        for _ in range(each - 1):
            yield _varied(grey, rng, 0.5)


def limb_sources() -> str:
    """What the limbs are variants of: one film, so the bounds are of its variants, not of limbs at large."""
    return f"variants of one film, pydicom-data's RG3, in {len(_limb_films())} codings"


def _limb_films() -> list[Path]:
    return sorted(pydicom_data().glob("RG3_*.dcm"))


def pydicom_data() -> Path:
    """The folder of the package pydicom-data."""
    import data_store

    return Path(data_store.__file__).parent / "data"


def text_pages(count: int, rng: Rng) -> Iterator[FloatArray]:
    """Printed pages: margins, type sizes, columns and headings vary; some white on black, some unevenly lit."""
    for index in range(count):
        rows, columns = int(rng.uniform(700, 1100)), int(rng.uniform(600, 900))
        page = Image.new("L", (columns, rows), 255)
        draw = ImageDraw.Draw(page)
        size = rng.uniform(12, 34)
        font, heading = ImageFont.load_default(size), ImageFont.load_default(size * 1.8)
        margin, gap = int(rng.uniform(20, 110)), 30
        fields = int(rng.integers(1, 3))
        width = (columns - 2 * margin - (fields - 1) * gap) // fields
        draw.text((margin, margin), " ".join(rng.choice(_WORDS, 3)), font=heading, fill=0)
        for field in range(fields):
            left = margin + field * (width + gap)
            y = margin + 3 * size
            while y < rows - margin - rng.uniform(0, 100):
                words: list[str] = []
                while draw.textlength(" ".join(words), font) < width - 4 * size:
                    words.append(str(rng.choice(_WORDS)))
                if rng.random() > 0.12:
                    draw.text((left, y), " ".join(words), font=font, fill=int(rng.uniform(0, 70)))
                y += size * 1.35
        grey: FloatArray = np.asarray(page, np.float32) / np.float32(255)
        if index % 3 == 1:
            grey = 1 - grey
        elif index % 3 == 2:
            light = np.linspace(rng.uniform(0.5, 1), rng.uniform(0.5, 1), columns, dtype=np.float32)
            blurred = cv2.GaussianBlur(np.asarray(grey * light, np.float32), (0, 0), rng.uniform(0.3, 2))
            grey = np.asarray(blurred, np.float32)
        yield grey


#: Changes of a film, one or several to a kind: by its name, the parts of a kind with their names.
FILM_CHANGES: dict[str, dict[str, Callable[[FloatArray], FloatArray]]] = {
    "rotated": {
        "by 90 degrees": lambda film: np.rot90(film),
        "by 180 degrees": lambda film: np.rot90(film, 2),
        "by 270 degrees": lambda film: np.rot90(film, 3),
    },
    "inverted": {"": lambda film: 1 - film},
    "half cropped": {
        "left half kept": lambda film: film[:, : film.shape[1] // 2],
        "right half kept": lambda film: film[:, film.shape[1] // 2 :],
        "upper half kept": lambda film: film[: film.shape[0] // 2],
        "lower half kept": lambda film: film[film.shape[0] // 2 :],
    },
}


def _stretched(picture: FloatArray) -> FloatArray:
    low, high = float(picture.min()), float(picture.max())
    return ((picture - low) / (high - low)).astype(np.float32)


def _varied(grey: FloatArray, rng: Rng, smallest: float) -> FloatArray:
    """Cut out a part of at least `smallest` of each side, mirror half of them, vary the tone."""
    rows, columns = (int(side * rng.uniform(smallest, 1)) for side in grey.shape)
    top, left = rng.integers(0, grey.shape[0] - rows + 1), rng.integers(0, grey.shape[1] - columns + 1)
    part = grey[top : top + rows, left : left + columns]
    if rng.random() < 0.5:
        part = part[:, ::-1]
    return np.ascontiguousarray(part ** np.exp(rng.uniform(-0.4, 0.4)), dtype=np.float32)
