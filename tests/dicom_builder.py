"""Builds synthetic DICOM files, whole or broken on purpose, in every transfer syntax that we read."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

import imagecodecs
import numpy as np
import pydicom.uid as uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset, write_file_meta_info

#: Every transfer syntax that radiography senders use, by a short name for test ids.
TRANSFER_SYNTAXES = {
    "implicit": uid.ImplicitVRLittleEndian,
    "explicit": uid.ExplicitVRLittleEndian,
    "deflated": uid.DeflatedExplicitVRLittleEndian,
    "big-endian": uid.ExplicitVRBigEndian,
    "rle": uid.RLELossless,
    "jpeg-baseline": uid.JPEGBaseline8Bit,
    "jpeg-extended": uid.JPEGExtended12Bit,
    "jpeg-lossless": uid.JPEGLossless,
    "jpeg-lossless-sv1": uid.JPEGLosslessSV1,
    "jpeg-ls": uid.JPEGLSLossless,
    "jpeg-ls-near": uid.JPEGLSNearLossless,
    "jpeg2000-lossless": uid.JPEG2000Lossless,
    "jpeg2000": uid.JPEG2000,
    "htj2k-lossless": uid.HTJ2KLossless,
    "htj2k-rpcl": uid.HTJ2KLosslessRPCL,
    "htj2k": uid.HTJ2K,
}
#: Those that change the values.
LOSSY = {"jpeg-baseline", "jpeg-extended", "jpeg-ls-near", "jpeg2000", "htj2k"}
#: Those that hold 8 bits only.
EIGHT_BIT = {"jpeg-baseline"}


def gradient(rows: int = 96, columns: int = 80, bits: int = 12, low: int = 0) -> np.ndarray:
    """A smooth picture that uses the whole range from `low` on; int32."""
    y, x = np.mgrid[:rows, :columns]
    share = (np.sin(x / columns * 5) + np.cos(y / rows * 7) + 2) / 4
    share = (share - share.min()) / (share.max() - share.min())
    return (low + np.rint(share * (2**bits - 1))).astype(np.int32)


def header(**attributes: Any) -> Dataset:
    """A frontal chest CR of a child without pixels; None removes an attribute."""
    dataset = Dataset()
    values: dict[str, Any] = {
        "SOPClassUID": uid.ComputedRadiographyImageStorage,
        "SOPInstanceUID": "2.25.1001",
        "StudyInstanceUID": "2.25.1002",
        "SeriesInstanceUID": "2.25.1003",
        "Modality": "CR",
        "PatientName": "SYNTHETIC^TEST",
        "PatientID": "SYNTHETIC-T",
        "PatientAge": "003Y",
        "StudyDate": "20260101",
        "BodyPartExamined": "CHEST",
        "ViewPosition": "PA",
    } | attributes
    for keyword, value in values.items():
        if value is not None:
            setattr(dataset, keyword, value)
    return dataset


def build(
    stored: np.ndarray | None = None,
    *,
    syntax: str = "explicit",
    bits_stored: int = 12,
    signed: bool = False,
    photometric: str = "MONOCHROME2",
    preamble: bool = True,
    meta: bool = True,
    **attributes: Any,
) -> bytes:
    """The bytes of one DICOM file.

    `stored` has shape (rows, columns) or (rows, columns, 3); None makes a gradient over the whole range. 8 bits
    allocated up to 8 bits stored, else 16. `attributes` set or (None) remove elements, after the pixel elements.
    """
    if stored is None:
        stored = gradient(bits=bits_stored, low=-(1 << (bits_stored - 1)) if signed else 0)
    dataset = header()
    dataset.SamplesPerPixel = 1 if stored.ndim == 2 else 3
    if stored.ndim == 3:
        dataset.PlanarConfiguration = 0
    dataset.PhotometricInterpretation = photometric
    dataset.Rows, dataset.Columns = stored.shape[:2]
    dataset.BitsAllocated = 8 if bits_stored <= 8 else 16
    dataset.BitsStored = bits_stored
    dataset.HighBit = bits_stored - 1
    dataset.PixelRepresentation = int(signed)
    transfer_syntax = TRANSFER_SYNTAXES[syntax]
    width = dataset.BitsAllocated // 8
    if transfer_syntax.is_encapsulated:
        dataset.PixelData = encapsulate([_encode(stored.astype(f"u{width}"), syntax, bits_stored)])
        dataset["PixelData"].is_undefined_length = True
        dataset["PixelData"].VR = "OB"
        if syntax in LOSSY:
            dataset.LossyImageCompression = "01"
    else:
        order = ">" if syntax == "big-endian" else "<"
        raw = stored.astype(f"{order}{'i' if signed else 'u'}{width}").tobytes()
        if len(raw) % 2:
            raw += b"\0"
        if width == 1 and syntax == "big-endian":
            raw = np.frombuffer(raw, "<u2").byteswap().tobytes()
        dataset.PixelData = raw
        dataset["PixelData"].VR = "OW"
    for keyword, value in attributes.items():
        if value is None:
            if keyword in dataset:
                delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
    return to_bytes(dataset, syntax, preamble=preamble, meta=meta)


def to_bytes(dataset: Dataset, syntax: str = "explicit", *, preamble: bool = True, meta: bool = True) -> bytes:
    """Write any data set as a file; without `meta` it is the bare data set."""
    transfer_syntax = TRANSFER_SYNTAXES[syntax]
    buffer = DicomBytesIO()
    buffer.is_implicit_VR = syntax == "implicit"
    buffer.is_little_endian = syntax != "big-endian"
    write_dataset(buffer, dataset)
    body = buffer.getvalue()
    if not meta:
        return body
    if syntax == "deflated":
        packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        body = packer.compress(body) + packer.flush()
        body += b"\0" * (len(body) % 2)
    file_meta = FileMetaDataset()
    file_meta.MediaStorageSOPClassUID = dataset.get("SOPClassUID", uid.ComputedRadiographyImageStorage)
    file_meta.MediaStorageSOPInstanceUID = dataset.get("SOPInstanceUID", "2.25.1")
    file_meta.TransferSyntaxUID = transfer_syntax
    head = DicomBytesIO()
    head.write(b"\0" * 128 + b"DICM")
    write_file_meta_info(head, file_meta)
    start = head.getvalue()
    return (start if preamble else start[132:]) + body


def _encode(pixels: np.ndarray, syntax: str, bits_stored: int) -> bytes:
    top = (1 << bits_stored) - 1
    if syntax == "rle":
        return _rle(pixels)
    if syntax == "jpeg-baseline":
        return bytes(imagecodecs.jpeg8_encode(pixels, level=95))
    if syntax == "jpeg-extended":
        return bytes(imagecodecs.jpeg8_encode(pixels & top, level=95, bitspersample=12))
    if syntax in ("jpeg-lossless", "jpeg-lossless-sv1"):
        predictor = 1 if syntax.endswith("sv1") else 4
        return bytes(
            imagecodecs.jpeg8_encode(pixels & top, lossless=True, predictor=predictor, bitspersample=bits_stored)
        )
    if syntax.startswith("jpeg-ls"):
        return bytes(imagecodecs.jpegls_encode(pixels & top, level=2 if syntax.endswith("near") else 0))
    if syntax.startswith("htj2k"):
        return bytes(imagecodecs.htj2k_encode(pixels & top, reversible=syntax != "htj2k"))
    lossless = syntax == "jpeg2000-lossless"
    options = {"level": 0} if lossless else {"level": 60}
    return bytes(
        imagecodecs.jpeg2k_encode(
            pixels & top, codecformat="j2k", bitspersample=bits_stored, reversible=lossless, **options
        )
    )


def _rle(pixels: np.ndarray) -> bytes:
    """PS3.5 Annex G by pydicom's own slow encoder."""
    from pydicom.pixels.encoders.base import EncodeRunner
    from pydicom.pixels.encoders.native import _encode_frame

    runner = EncodeRunner(uid.RLELossless)
    samples = 1 if pixels.ndim == 2 else 3
    runner.set_options(
        rows=pixels.shape[0],
        columns=pixels.shape[1],
        samples_per_pixel=samples,
        bits_allocated=8 * pixels.itemsize,
        bits_stored=8 * pixels.itemsize,
        pixel_representation=0,
        number_of_frames=1,
        photometric_interpretation="MONOCHROME2" if samples == 1 else "RGB",
        pixel_keyword="PixelData",
        **({"planar_configuration": 0} if samples == 3 else {}),
    )
    return bytes(_encode_frame(pixels.astype(pixels.dtype.newbyteorder("<")).tobytes(), runner))


def lut_item(
    data: Sequence[int] | None,
    first: int = 0,
    bits: int = 8,
    *,
    entries: int | None = None,
    as_bytes: str = "",
    descriptor: bool = True,
) -> Dataset:
    """An item of a Modality or VOI LUT Sequence, right unless told otherwise.

    `entries` replaces the true count in the descriptor; `as_bytes` ("<" or ">") writes the data as OW words.
    """
    item = Dataset()
    if descriptor:
        count = len(data or ()) if entries is None else entries
        item.add_new("LUTDescriptor", "SS" if first < 0 else "US", [count % 65536, first, bits])
    if data is not None and as_bytes:
        item.add_new("LUTData", "OW", np.asarray(data, dtype=f"{as_bytes}u2").tobytes())
    elif data is not None:
        item.add_new("LUTData", "US", [int(value) for value in data])
    return item
