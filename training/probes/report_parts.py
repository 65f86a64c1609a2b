"""How the pages of the probes print numbers, shares and pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from training.evaluation import page


def number(value: float | None, sign: str = "") -> str:
    """A figure with three digits."""
    return "not defined" if value is None else f"{value:{sign}.3f}"


def share(row: Mapping[str, Any], key: str, sign: str = "") -> str:
    """A share as a percentage; empty where the row has none."""
    return "" if row.get(key) is None else f"{100 * row[key]:{sign}.1f} %"


def jpeg_figure(picture: npt.NDArray[np.uint8], caption: str) -> str:
    """A grey or BGR picture with its caption."""
    _, packed = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 88])
    return page.figure(packed.tobytes(), caption, caption, "jpeg")
