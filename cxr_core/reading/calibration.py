"""The spacing of a projection image, and of what it is a distance (PS3.3 10.7.1.3 and C.8.11.7)."""

from __future__ import annotations

from typing import Literal

from pydicom.dataset import Dataset

from cxr_core.chest_image import Spacing

#: Millimetres between pixels; what lies outside of this no detector and no scanner has.
_SMALLEST, _LARGEST = 0.001, 100.0


def spacing_of(dataset: Dataset) -> Spacing | None:
    """The best spacing that the header gives, or None: a missing or impossible spacing is no calibration."""
    detector = _pair(dataset, "ImagerPixelSpacing")
    pixel = _pair(dataset, "PixelSpacing")
    if pixel and pixel != detector:
        kind: Literal["fiducial", "geometry", "detector"] = "detector"
        if detector or "PixelSpacingCalibrationType" in dataset:
            declared = str(dataset.get("PixelSpacingCalibrationType") or "").strip().upper()
            kind = "fiducial" if declared == "FIDUCIAL" else "geometry"
        return Spacing(*pixel, kind)
    if detector:
        magnification = _number(dataset.get("EstimatedRadiographicMagnificationFactor"))
        if magnification and magnification > 0 and magnification != 1:
            return Spacing(detector[0] / magnification, detector[1] / magnification, "magnification-corrected")
        return Spacing(*detector, "detector")
    return None


def spacing_notes(dataset: Dataset) -> tuple[str, ...]:
    """What has to be said where the header has a spacing and none of it can be used."""
    stated = any(dataset.get(keyword) not in (None, "") for keyword in ("PixelSpacing", "ImagerPixelSpacing"))
    return ("pixel spacing that cannot be true ignored",) if stated and spacing_of(dataset) is None else ()


def _pair(dataset: Dataset, keyword: str) -> tuple[float, float] | None:
    value = dataset.get(keyword)
    if value is None or isinstance(value, str) or not hasattr(value, "__len__") or len(value) != 2:
        return None
    row, column = (_number(part) for part in value)
    possible = all(part is not None and _SMALLEST <= part <= _LARGEST for part in (row, column))
    return (row, column) if possible and row and column else None


def _number(value: object) -> float | None:
    try:
        return float(value)  # type: ignore[arg-type]  # anything that a damaged header holds
    except (TypeError, ValueError):
        return None
