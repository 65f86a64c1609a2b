"""A test pattern for the display with the elements of TG18-QC, as an image that goes the way of every film.

AAPM On-line Report No. 03, Assessment of Display Performance for Medical Imaging Systems (Task Group 18, 2005), 2.2.1
and 3.2: luminance patches with low-contrast corners, 0/5 and 95/100 % squares, line pairs, ramps, letters of low
contrast, a grid with a frame. It is drawn anew, not the report's file.
"""

from __future__ import annotations

import io

import cv2
import numpy as np
import numpy.typing as npt
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage

from cxr_core.phantom import synthetic_uid
from cxr_core.reading.read import read_image
from cxr_desktop.state.records import InstanceRecord, LoadedImage

Levels = npt.NDArray[np.uint16]

#: As the report's; every element is given in shares of it.
SIDE = 1024
_TOP = 65535
_NAME = "TG18-QC test pattern"


def _share(percent: float) -> int:
    return round(_TOP * percent / 100)


def tg18_pattern(side: int = SIDE) -> LoadedImage:
    """The pattern, `side` x `side` pixels of 16 bits: at 1:1 one pixel of it is one of the screen."""
    stored = draw_pattern(side)
    data_set = _as_dicom(stored)
    buffer = io.BytesIO()
    data_set.save_as(buffer)
    content = buffer.getvalue()
    image = read_image(content)
    record = InstanceRecord(
        _NAME, "image", modality="OT", series_description=_NAME, rows=side, columns=side, patient_name=_NAME
    )
    return LoadedImage(record, image, image.stored, data_set, content)


def draw_pattern(side: int = SIDE) -> Levels:
    """The display levels, shape (side, side), uint16, 0 black to 65535 white."""
    picture = np.full((side, side), _share(20), np.uint16)
    unit = side // 64
    _grid(picture, unit)
    _ramps(picture, unit)
    _patches(picture, unit)
    _extremes(picture, unit)
    _letters(picture, unit)
    half = 3 * unit
    for row, column in ((8, 8), (8, 56), (56, 8), (56, 56), (32, 32)):
        _line_pairs(picture, row * unit - half, column * unit - half, half)
    return picture


def _grid(picture: Levels, unit: int) -> None:
    """Straight lines everywhere and a frame near the edge: geometry."""
    side = len(picture)
    for place in range(unit, side, 6 * unit):
        picture[place, :] = picture[:, place] = _share(45)
    edge = unit // 2
    for first, behind in ((edge, edge + 2), (side - edge - 2, side - edge)):
        picture[first:behind, edge : side - edge] = _share(75)
        picture[edge : side - edge, first:behind] = _share(75)
    centre = side // 2
    picture[centre - unit // 2 : centre + unit // 2, centre] = _TOP
    picture[centre, centre - unit // 2 : centre + unit // 2] = _TOP


def _ramps(picture: Levels, unit: int) -> None:
    """Two smooth ramps over the whole range: banding shows here."""
    side = len(picture)
    rows = slice(12 * unit, 52 * unit)
    ramp = np.linspace(0, _TOP, rows.stop - rows.start).astype(np.uint16)[:, np.newaxis]
    picture[rows, 2 * unit : 5 * unit] = ramp
    picture[rows, side - 5 * unit : side - 2 * unit] = ramp[::-1]


def _patches(picture: Levels, unit: int) -> None:
    """Eighteen luminance patches from black to white, each with corners a little darker and brighter than it."""
    size, corner, step = 6 * unit, round(0.6 * unit), _TOP * 4 // 255
    places = [(14, 12 + 7 * n) for n in range(6)] + [(21, 12 + 7 * n) for n in (0, 5)]
    places += [(37, 12 + 7 * n) for n in (0, 5)] + [(44, 12 + 7 * n) for n in range(6)]
    places += [(29, 12), (29, 47)]
    levels = np.linspace(_TOP * 8 // 255, _TOP * 248 // 255, 16).astype(int).tolist()
    for (row, column), level in zip(places, [*levels, 0, _TOP], strict=True):
        top, left = row * unit, column * unit
        picture[top : top + size, left : left + size] = level
        low, high = max(level - step, 0), min(level + step, _TOP)
        for number, value in enumerate((low, high, high, low)):
            down = top + corner if number < 2 else top + size - 2 * corner
            across = left + corner if number % 2 == 0 else left + size - 2 * corner
            picture[down : down + corner, across : across + corner] = value


def _extremes(picture: Levels, unit: int) -> None:
    """5 % in 0 % and 95 % in 100 %: both inner squares have to be seen."""
    for column, outer, inner in ((22, 0, 5), (36, 100, 95)):
        top, left, size, within = 22 * unit, column * unit, 6 * unit, 3 * unit
        picture[top : top + size, left : left + size] = _share(outer)
        rim = (size - within) // 2
        picture[top + rim : top + rim + within, left + rim : left + rim + within] = _share(inner)


def _letters(picture: Levels, unit: int) -> None:
    """QUALITY CONTROL on black, grey and white in letters of falling contrast: as many as are seen count."""
    words = "QUALITY CONTROL"
    height, scale = 2 * unit, unit / 22
    for number, ground in enumerate((0, 50, 100)):
        top, left = (53 + 3 * number) * unit, 14 * unit
        width = 36 * unit
        picture[top : top + height, left : left + width] = _share(ground)
        contrast = np.geomspace(12, 0.4, len(words))
        for place, (letter, percent) in enumerate(zip(words, contrast, strict=True)):
            mask = np.zeros((height, 2 * unit), np.uint8)
            cv2.putText(
                mask, letter, (unit // 4, round(1.6 * unit)), cv2.FONT_HERSHEY_SIMPLEX, scale, 255, max(unit // 8, 1)
            )
            level = _share(ground + percent if ground < 100 else ground - percent)
            across = left + round((place + 0.5) * width / (len(words) + 0.5))
            picture[top : top + height, across : across + 2 * unit][mask > 127] = level


def _line_pairs(picture: Levels, top: int, left: int, half: int) -> None:
    """Lines one and two pixels wide, upright and lying, black and white: each is seen only at 1:1."""
    place = np.arange(half)
    for down, across, lying in ((0, 0, False), (0, 1, True), (1, 0, True), (1, 1, False)):
        width = 1 if down == 0 else 2
        lines = np.where(place // width % 2, _TOP, 0).astype(np.uint16)
        part = picture[top + down * half : top + (down + 1) * half, left + across * half : left + (across + 1) * half]
        part[:] = lines[:, np.newaxis] if lying else lines[np.newaxis, :]


def _as_dicom(stored: Levels) -> FileDataset:
    """A Secondary Capture of it (PS3.3 A.8.1), so that it is read as every film is."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = synthetic_uid("test pattern", len(stored))
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data_set = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    data_set.SOPClassUID, data_set.SOPInstanceUID = SecondaryCaptureImageStorage, meta.MediaStorageSOPInstanceUID
    data_set.Modality, data_set.ConversionType = "OT", "WSD"
    data_set.Rows, data_set.Columns = stored.shape
    data_set.SamplesPerPixel, data_set.PhotometricInterpretation = 1, "MONOCHROME2"
    data_set.BitsAllocated = data_set.BitsStored = 16
    data_set.HighBit, data_set.PixelRepresentation = 15, 0
    data_set.PixelData = stored.astype("<u2").tobytes()
    return data_set
