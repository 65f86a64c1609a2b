"""A drawn chest: synthetic radiographs for samples, demonstrations and tests. No patient is behind them.

Path lengths through soft tissue, lung and bone are added up and attenuated (Beer and Lambert), so that the
picture has the grey scale of a film; SYNTHETIC is burnt in and stands in the header.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import NAMESPACE_OID, uuid5

import cv2
import numpy as np
import numpy.typing as npt
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import UID, ComputedRadiographyImageStorage, ExplicitVRLittleEndian

FloatArray = npt.NDArray[np.float32]


def synthetic_uid(kind: str, number: int) -> UID:
    """The UID of a synthetic object: always the same for a kind and number (PS3.5 B.2)."""
    return UID(f"2.25.{uuid5(NAMESPACE_OID, f'cxr-assistant phantom {kind} {number}').int}")


@dataclass(frozen=True, slots=True)
class PhantomSettings:
    """What the drawn patient is like."""

    rows: int = 1024
    columns: int = 1152
    opacity: float = 0.0
    """Density of a consolidation in the right lower zone, 0 (none) to 1."""

    lateral: bool = False
    seed: int = 1


def display_values(settings: PhantomSettings) -> FloatArray:
    """The drawn chest as display values: float32 in [0, 1], 1 white, shape (rows, columns)."""
    rng = np.random.default_rng(settings.seed)
    # Coordinates in units of half the picture, origin at its centre; x to the picture's right (the patient's left).
    y, x = np.mgrid[-1 : 1 : settings.rows * 1j, -1 : 1 : settings.columns * 1j].astype(np.float32)
    thickness = _lateral(x, y) if settings.lateral else _frontal(x, y, settings.opacity)
    picture = 1 - np.exp(-1.6 * thickness)
    grain = cv2.GaussianBlur(rng.normal(0, 1, picture.shape).astype(np.float32), (0, 0), 1.0)
    picture = cv2.GaussianBlur(picture.astype(np.float32), (0, 0), settings.rows / 500) + 0.012 * grain
    low, high = np.percentile(picture, (1, 99.5))
    picture = np.clip((picture - low) / (high - low), 0, 1).astype(np.float32)
    scale = settings.rows / 1024
    text = np.zeros(picture.shape, np.uint8)
    at = (int(24 * scale), int(1000 * scale))
    cv2.putText(text, "SYNTHETIC", at, cv2.FONT_HERSHEY_SIMPLEX, scale, 255, max(int(2 * scale), 1))
    picture[text > 0] = 1
    return np.asarray(picture)


def _ellipse(
    x: FloatArray,
    y: FloatArray,
    centre: tuple[float, float],
    radii: tuple[float | FloatArray, float],
    tilt: float = 0.0,
) -> FloatArray:
    """Thickness of an ellipsoid of depth 1 seen from the front: 1 in its middle, 0 outside."""
    cos, sin = np.cos(tilt), np.sin(tilt)
    u = ((x - centre[0]) * cos + (y - centre[1]) * sin) / radii[0]
    v = (-(x - centre[0]) * sin + (y - centre[1]) * cos) / radii[1]
    return np.asarray(np.sqrt(np.clip(1 - u * u - v * v, 0, None)))


def _soft(mask: FloatArray, width: float) -> FloatArray:
    """1 where `mask` is well above 0, falling to 0 over `width`."""
    return np.asarray(np.clip(mask / width, 0, 1))


def _frontal(x: FloatArray, y: FloatArray, opacity: float) -> FloatArray:
    shoulders = np.maximum(_ellipse(x, y, (-0.60, -0.22), (0.52, 0.46)), _ellipse(x, y, (0.60, -0.22), (0.52, 0.46)))
    trunk = np.maximum(_ellipse(x, y, (0, 0.55), (0.90, 1.45)), 0.75 * shoulders)
    neck = 0.45 * _ellipse(x, y, (0, -1.05), (0.30, 0.62))
    arms = 0.45 * (
        _ellipse(x, y, (-0.98, 0.35), (0.20, 0.95), 0.10) + _ellipse(x, y, (0.98, 0.35), (0.20, 0.95), -0.10)
    )
    lungs = np.zeros_like(x)
    for side in (-1, 1):
        # A lung is an ellipse that widens to its base, cut by its dome of the diaphragm.
        lung = _ellipse(x, y, (side * 0.43, 0.06), (np.asarray(0.31 + 0.05 * y, np.float32), 0.66), -side * 0.16)
        dome = (0.44 if side < 0 else 0.50) + 0.34 * np.square((x - side * 0.40) / 0.40)
        lungs += lung * _soft(dome - y, 0.06)
    ribs = np.zeros_like(x)
    for side in (-1, 1):
        cage = _soft(_ellipse(x, y, (side * 0.40, 0.10), (0.43, 0.84)), 0.25) * _soft(side * x - 0.08, 0.05)
        for number in range(10):
            top = -0.66 + 0.125 * number
            reach = side * x
            posterior = top + 0.30 * np.square(reach - 0.25) + 0.02 * reach
            anterior = top + 0.24 - 0.55 * np.square(reach - 0.80) + 0.30 * (0.45 - reach)
            ribs += 0.13 * cage * np.exp(-np.square((y - posterior) / 0.022))
            ribs += 0.05 * cage * _soft(reach - 0.30, 0.2) * np.exp(-np.square((y - anterior) / 0.028))
    clavicles = sum(
        0.20
        * np.exp(-np.square((y + 0.50 + 0.22 * side * x) / 0.028))
        * _soft(0.66 - side * x, 0.1)
        * _soft(side * x - 0.08, 0.05)
        for side in (-1, 1)
    )
    vertebrae = 0.26 * np.exp(-np.power(x / 0.11, 4)) * (0.88 + 0.12 * np.sign(np.sin(2 * np.pi * y / 0.13)))
    heart = 0.55 * np.maximum(
        _ellipse(x, y, (0.12, 0.28), (0.32, 0.30), 0.55), _ellipse(x, y, (-0.05, 0.16), (0.19, 0.32))
    )
    vessels = 0.34 * _ellipse(x, y, (0.04, -0.22), (0.17, 0.42))
    hila = 0.16 * (
        np.exp(-(np.square((x + 0.20) / 0.10) + np.square((y - 0.02) / 0.16)))
        + np.exp(-(np.square((x - 0.23) / 0.09) + np.square((y + 0.02) / 0.15)))
    )
    trachea = -0.14 * np.exp(-np.square(x / 0.045)) * _soft(-0.18 - y, 0.1)
    consolidation = 0.55 * opacity * np.exp(-(np.square((x + 0.45) / 0.20) + np.square((y - 0.22) / 0.20)))
    soft = 0.95 * trunk + neck + arms - 0.62 * lungs
    bones = (ribs + vertebrae) * (trunk > 0) + clavicles
    return np.asarray(np.clip(soft, 0, None) + bones + heart + vessels + hila + trachea + consolidation)


def _lateral(x: FloatArray, y: FloatArray) -> FloatArray:
    trunk = _ellipse(x, y, (0.05, 0.4), (0.72, 1.5))
    lung = _ellipse(x, y, (0.0, -0.05), (0.50, 0.78), 0.12) * _soft(0.50 + 0.3 * x - y, 0.08)
    spine = (
        0.55
        * np.exp(-np.square((x - 0.48 + 0.08 * np.square(y)) / 0.09))
        * (0.85 + 0.15 * np.sign(np.sin(2 * np.pi * y / 0.16)))
    )
    heart = 0.7 * _ellipse(x, y, (-0.18, 0.25), (0.30, 0.30), -0.5)
    sternum = 0.25 * np.exp(-np.square((x + 0.55 + 0.1 * y) / 0.04))
    ribs = sum(0.10 * np.exp(-np.square((y - (-0.7 + 0.15 * n) - 0.35 * (x + 0.1)) / 0.02)) for n in range(9))
    bones = (spine + heart + sternum + ribs) * (trunk > 0)
    return np.asarray(np.clip(1.3 * trunk - 0.95 * lung, 0, None) + bones)


def phantom_dataset(
    settings: PhantomSettings,
    number: int,
    *,
    age: str,
    view: str = "PA",
    photometric: str = "MONOCHROME2",
    bits_stored: int = 12,
) -> FileDataset:
    """One synthetic CR image (PS3.3 A.2), explicit VR little endian; `number` makes names and UIDs differ.

    Stored values are the display values over the full range of Bits Stored, so the image names no window.
    """
    top = (1 << bits_stored) - 1
    shown = display_values(settings)
    stored = np.rint((1 - shown if photometric == "MONOCHROME1" else shown) * top).astype(np.uint16)
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = ComputedRadiographyImageStorage
    meta.MediaStorageSOPInstanceUID = synthetic_uid("instance", number)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.ImageType = ["ORIGINAL", "PRIMARY"]
    dataset.SOPClassUID = ComputedRadiographyImageStorage
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    dataset.StudyInstanceUID = synthetic_uid("study", number)
    dataset.SeriesInstanceUID = synthetic_uid("series", number)
    dataset.StudyDate = dataset.AcquisitionDate = "20260101"
    dataset.StudyTime = "120000"
    dataset.AccessionNumber = f"SYN{number}"
    dataset.ReferringPhysicianName = ""
    dataset.Modality = "CR"
    dataset.Manufacturer = "CXR assistant"
    dataset.ManufacturerModelName = "phantom"
    dataset.StudyDescription = "SYNTHETIC chest phantom"
    dataset.SeriesDescription = f"SYNTHETIC {view}"
    dataset.PatientName = f"SYNTHETIC^PHANTOM {number}"
    dataset.PatientID = f"SYNTHETIC-{number}"
    dataset.PatientBirthDate = ""
    dataset.PatientSex = "O"
    dataset.PatientAge = age
    dataset.BodyPartExamined = "CHEST"
    dataset.ViewPosition = view
    dataset.StudyID = str(number)
    dataset.SeriesNumber = 1
    dataset.InstanceNumber = 1
    dataset.PatientOrientation = ["A", "F"] if settings.lateral else ["L", "F"]
    dataset.ImagerPixelSpacing = [0.2, 0.2]
    dataset.ImageComments = "SYNTHETIC: drawn, no patient"
    dataset.BurnedInAnnotation = "YES"
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = photometric
    dataset.Rows, dataset.Columns = stored.shape
    dataset.BitsAllocated = 16
    dataset.BitsStored = bits_stored
    dataset.HighBit = bits_stored - 1
    dataset.PixelRepresentation = 0
    dataset.PixelData = stored.astype("<u2").tobytes()
    return dataset
