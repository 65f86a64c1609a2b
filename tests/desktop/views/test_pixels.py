"""The picture at 1:1 is the grayscale chain, pixel by pixel: pydicom's slow functions are the oracle."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.pixels import apply_modality_lut, apply_voi_lut, apply_windowing

from cxr_desktop.state.geometry import PixelPoint
from cxr_desktop.state.records import LoadedImage
from tests.desktop.films import film
from tests.desktop.views.conftest import Shown, grey
from tests.dicom_builder import gradient, lut_item

ROWS, COLUMNS = 83, 97
WINDOW = {"WindowCenter": 1700, "WindowWidth": 2100}


def stored_values(bits: int = 12, *, signed: bool = False) -> np.ndarray:
    """Odd in both sides, so that a stride that is taken for the width shears it."""
    return gradient(ROWS, COLUMNS, bits, -(1 << (bits - 1)) if signed else 0)


def oracle(loaded: LoadedImage) -> np.ndarray:
    """The film by pydicom, 0 to 255 with fractions: shape (rows, columns)."""
    data_set = loaded.data_set
    assert data_set is not None
    modality = apply_modality_lut(loaded.stored.astype(np.int64), data_set)
    if data_set.get("VOILUTSequence"):
        shown = apply_voi_lut(np.floor(modality).astype(np.int64), data_set).astype(np.float64)
        shown /= 2 ** data_set.VOILUTSequence[0].LUTDescriptor[2] - 1
    else:
        shown = apply_windowing(modality, data_set).astype(np.float64)
        with np.errstate(over="ignore"):
            black, white = apply_windowing(np.array([-1e9, 1e9]), data_set)
        shown = (shown - black) / (white - black)
    if data_set.PhotometricInterpretation == "MONOCHROME1":
        shown = 1 - shown
    padding = data_set.get("PixelPaddingValue")
    if padding is not None:
        shown[loaded.stored == padding] = 0
    return shown * 255


VOI_LUT = lut_item([n * n // 1023 for n in range(1024)], 900, 10)  # pydicom indexes one of 8 bits with 8 bits
FILMS: dict[str, dict[str, Any]] = {
    "monochrome2": {**WINDOW},
    "monochrome1": {**WINDOW, "photometric": "MONOCHROME1"},
    "signed": {**WINDOW, "WindowCenter": 100, "signed": True, "PixelPaddingValue": -2048},
    "signed 16 bits": {"signed": True, "bits_stored": 16, "WindowCenter": -2000, "WindowWidth": 40000},
    "16 bits": {"bits_stored": 16, "WindowCenter": 30000, "WindowWidth": 50001},
    "8 bits": {"bits_stored": 8, "WindowCenter": 120, "WindowWidth": 200},
    "8 bits signed": {"bits_stored": 8, "signed": True, "WindowCenter": 3, "WindowWidth": 200},
    "sigmoid": {**WINDOW, "VOILUTFunction": "SIGMOID"},
    "exact": {**WINDOW, "VOILUTFunction": "LINEAR_EXACT", "photometric": "MONOCHROME1"},
    "narrow": {"WindowCenter": 1700, "WindowWidth": 1},
    "voi lut": {"VOILUTSequence": [VOI_LUT]},
    "voi lut inverted": {"VOILUTSequence": [VOI_LUT], "photometric": "MONOCHROME1"},
    "rescale": {"RescaleSlope": 0.5, "RescaleIntercept": -300, "WindowCenter": 500, "WindowWidth": 900},
    "falling rescale": {"RescaleSlope": -10, "RescaleIntercept": 40950, "WindowCenter": 20000, "WindowWidth": 30000},
    "modality lut": {
        "ModalityLUTSequence": [lut_item([n // 2 for n in range(4096)], 0, 16)],
        "WindowCenter": 900,
        "WindowWidth": 1000,
    },
}


def build_film(name: str) -> LoadedImage:
    options = FILMS[name]
    return film(stored_values(options.get("bits_stored", 12), signed=options.get("signed", False)), **options)


def turned(picture: np.ndarray, quarter_turns: int, flipped: bool) -> np.ndarray:
    return np.rot90(picture[:, ::-1] if flipped else picture, -quarter_turns)


def assert_shows(seen: np.ndarray, expected: np.ndarray) -> None:
    """The picture lies in the middle of the view, and around it is black; a half may be rounded either way."""
    rows, columns = expected.shape
    top, left = round(seen.shape[0] / 2 - rows / 2), round(seen.shape[1] / 2 - columns / 2)
    inside = seen[top : top + rows, left : left + columns]
    assert np.abs(inside - expected).max() <= 0.5 + 1e-3
    around = seen.astype(int)
    around[top : top + rows, left : left + columns] = 0
    assert not around[40:].any()  # the mark of a turned picture stands above


@pytest.mark.parametrize("name", FILMS)
def test_the_picture_is_the_chain_of_the_standard(shown: Shown, name: str) -> None:
    loaded = build_film(name)
    view = shown(loaded)
    view.zoom_to(1.0)
    assert_shows(grey(view), oracle(loaded))


@pytest.mark.parametrize("flipped", [False, True])
@pytest.mark.parametrize("quarter_turns", [0, 1, 2, 3])
def test_turns_and_flips_move_pixels_and_change_none(shown: Shown, quarter_turns: int, flipped: bool) -> None:
    loaded = build_film("monochrome1")
    view = shown(loaded)
    assert view.display is not None
    view.set_display(replace(view.display, zoom=1.0, quarter_turns=quarter_turns, flipped=flipped))
    seen = view.viewport().grab().toImage()
    height, width = seen.height(), seen.width()
    rows = np.frombuffer(seen.bits(), np.uint8).reshape(height, width, 4)[..., 0]
    assert_shows(rows, turned(oracle(loaded), quarter_turns, flipped))


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_the_readers_inversion_comes_on_top_once(shown: Shown, photometric: str) -> None:
    loaded = film(stored_values(), photometric=photometric, **WINDOW)
    view = shown(loaded)
    assert view.display is not None
    view.set_display(replace(view.display, zoom=1.0, inverted=True))
    assert_shows(grey(view), 255 - oracle(loaded))


def test_padding_stays_black_when_inverted(shown: Shown) -> None:
    stored = stored_values()
    stored[:20] = 0
    view = shown(film(stored, PixelPaddingValue=0, PixelPaddingRangeLimit=5, **WINDOW))
    assert view.display is not None
    view.set_display(replace(view.display, zoom=1.0, inverted=True))
    seen = grey(view)
    top, left = round(260 / 2 - ROWS / 2), round(300 / 2 - COLUMNS / 2)
    assert not seen[top : top + 20, left : left + COLUMNS].any()
    assert seen[top + 20 :, left : left + COLUMNS].max() == 255


def test_an_image_larger_than_the_view_is_cropped_not_scaled(shown: Shown) -> None:
    loaded = film(gradient(700, 501), **WINDOW)
    view = shown(loaded)
    assert view.display is not None
    view.set_display(replace(view.display, zoom=1.0, centre=PixelPoint(230, 400)))
    expected = oracle(loaded)[400 - 130 : 400 + 130, 230 - 150 : 230 + 150]
    assert np.abs(grey(view) - expected).max() <= 0.5 + 1e-3


_DOUBLE = """
import math, sys
from dataclasses import replace
from PySide6.QtWidgets import QApplication
from cxr_desktop.views.image_view import ImageView
from tests.desktop.views.test_pixels import assert_shows, build_film, oracle
from tests.desktop.views.conftest import grey, painted
app = QApplication([])
loaded = build_film("monochrome2")
view = ImageView()
view.resize(150, 130)
view.show()
view.show_image(loaded)
view.set_corner_text_level(0)
view.zoom_to(1.0)
assert view.devicePixelRatioF() == float(sys.argv[1]), view.devicePixelRatioF()
seen = grey(view)
assert seen.shape == (math.ceil(130 * float(sys.argv[1])), math.ceil(150 * float(sys.argv[1]))), seen.shape
assert_shows(seen, oracle(loaded))
view.set_display(replace(view.display, zoom=None))
assert not (painted(view)[[0, -1]] == 255).all(axis=-1).any()  # no rim is left unpainted
print("exact")
"""


@pytest.mark.parametrize("ratio", ["2", "1.5", "1.25"])
def test_a_device_pixel_is_an_image_pixel_on_dense_screens(ratio: str) -> None:
    environment = os.environ | {"QT_QPA_PLATFORM": "offscreen", "QT_SCALE_FACTOR": ratio}
    command = [sys.executable, "-c", _DOUBLE, ratio]
    root = Path(__file__).parents[3]
    run = subprocess.run(command, env=environment, cwd=root, capture_output=True, text=True, check=False)
    assert run.stdout == "exact\n", run.stderr
