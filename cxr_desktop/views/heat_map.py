"""The map of the model's attention over a film."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, eq=False, slots=True)
class HeatMapLayer:
    """A map on its native grid, and how it is shown."""

    cam: npt.NDArray[np.float32]
    """Shape (rows, columns) of the network's grid; it stretches over the whole film."""

    label: str = ""
    """What it is a map of: the name of the class."""

    opacity: float = 0.45
    threshold: float = 0.25
    colours: str = "viridis"
    contour: bool = False
