"""DICOM bytes to ChestImage: lenient about the wrapping, strict about what decides the picture.

A missing preamble, file meta or transfer syntax is put right (PS3.10 7.1); a missing or contradicting
attribute of the pixels (PS3.3 C.7.6.3) is an error, because guessing it would change the picture.
"""

from __future__ import annotations

import io
import re
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import BinaryIO, Literal

import numpy as np
import pydicom
import pydicom.config
from pydicom.dataset import Dataset
from pydicom.encaps import get_frame
from pydicom.filereader import read_dataset
from pydicom.pixels.processing import apply_color_lut, convert_color_space
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian

from cxr_core.chest_image import ChestImage, HeaderFacts
from cxr_core.errors import ImageReadError
from cxr_core.grayscale import GrayscaleAttributes, StoredPixels
from cxr_core.reading.calibration import spacing_notes, spacing_of
from cxr_core.reading.codestream import describe
from cxr_core.reading.colour import Rows, to_grey
from cxr_core.reading.decoders import AnyArray, decode_frame, decode_jpeg2000_reduced
from cxr_core.reading.grayscale_attributes import grayscale_attributes
from cxr_core.reading.patient_age import age_years
from cxr_core.reading.raster_file import DecodedPixels
from cxr_core.settings import ReadLimits

# pydicom's warnings quote values, so patient data would reach the terminal and the logs.
warnings.filterwarnings("ignore", module=r"pydicom\b")

#: A deflated data set of up to this many bytes may be packed as tightly as it likes: a blank film is.
_SMALL_BYTES = 64 * 1024**2

_REQUIRED = ("Rows", "Columns", "BitsAllocated", "BitsStored", "PixelRepresentation", "PhotometricInterpretation")
_GREY = ("MONOCHROME1", "MONOCHROME2")
#: PS3.3 C.7.6.3.1.2.
_COLOUR = (
    "PALETTE COLOR",
    "RGB",
    "YBR_FULL",
    "YBR_FULL_422",
    "YBR_PARTIAL_422",
    "YBR_PARTIAL_420",
    "YBR_ICT",
    "YBR_RCT",
)
#: Modalities whose objects must have pixels; of others an object without them is refused, not failed.
_PIXEL_MODALITIES = (None, "CR", "DX", "RG", "OT", "SC", "MG")


def read_dicom(data: bytes, limits: ReadLimits) -> tuple[ChestImage, Dataset]:
    """One DICOM object, and the data set that it was made of. Raises ImageReadError, and nothing else."""
    with damage_told():
        dataset, transfer_syntax = parse(data, limits)
        facts = header_facts(dataset, transfer_syntax)
        try:
            return _image(dataset, transfer_syntax, facts, limits), dataset
        except ImageReadError as error:
            error.sop_instance_uid = facts.sop_instance_uid
            raise


@contextmanager
def damage_told() -> Iterator[None]:
    """Turn whatever damaged content raises into an ImageReadError."""
    try:
        yield
    except ImageReadError:
        raise
    except (MemoryError, RecursionError) as error:
        raise ImageReadError("DICOM data that needs too much memory", "a plain image", "check its origin") from error
    except Exception as error:  # pydicom parses values on access and raises many kinds of errors on damage
        # The error's own text may quote values, hence only its kind.
        raise ImageReadError(
            f"damaged DICOM data ({type(error).__name__})", "a whole DICOM file", "send it again"
        ) from error


def _image(dataset: Dataset, transfer_syntax: UID | None, facts: HeaderFacts, limits: ReadLimits) -> ChestImage:
    if is_without_picture(facts):
        return ChestImage(facts, None, None)
    check_pixel_attributes(dataset, limits, has_pixels=dataset.get("PixelData") not in (None, "", b""))
    if facts.frames > 1:  # refused by intake; nothing is decoded for it
        return ChestImage(facts, None, None)
    frame = _Frame.of(dataset, transfer_syntax)
    spacing = spacing_of(dataset)
    if frame.photometric in _GREY:
        attributes, notes = grayscale_attributes(dataset)
        return ChestImage(facts, attributes, frame, spacing, notes + spacing_notes(dataset))
    grey, colour_share = to_grey(_rgb_rows(frame, dataset), frame.rows, frame.columns)
    attributes = GrayscaleAttributes(bits_stored=8 * grey.dtype.itemsize)
    return ChestImage(
        replace(facts, colour_share=colour_share), attributes, DecodedPixels(grey), spacing, spacing_notes(dataset)
    )


def is_without_picture(facts: HeaderFacts) -> bool:
    """Whether it is an object that needs no pixels, as a report: refused, not failed."""
    return not facts.has_pixels and facts.modality not in _PIXEL_MODALITIES


def parse(data: bytes, limits: ReadLimits) -> tuple[Dataset, UID | None]:
    """The data set and its transfer syntax (None where nothing says it)."""
    return parse_file(io.BytesIO(data), limits)


def parse_file(file: BinaryIO, limits: ReadLimits, *, stop_before_pixels: bool = False) -> tuple[Dataset, UID | None]:
    """The data set and its transfer syntax out of a seekable file.

    With `stop_before_pixels` the file is left where its pixel data begin, unless it is deflated: then all is read.
    """
    head = file.read(132)
    start = 132 if head[128:] == b"DICM" else 0
    if start == 0 and not _looks_like_dataset(head):
        found = "an empty file" if not head else "a file of another kind"
        raise ImageReadError(found, "a DICOM, JPEG or PNG image", "check what was exported")
    file.seek(start)
    meta = read_dataset(file, False, True, stop_when=lambda tag, vr, length: tag.group != 2)
    if meta.get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian:
        # What follows the group length's value is file meta (PS3.10 7.1); behind it all is one deflate stream.
        length = meta.get("FileMetaInformationGroupLength")
        begin = file.tell() if length is None else start + 12 + int(length)
        file.seek(0)
        data = file.read()
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        most = min(max(limits.max_archive_ratio * len(data), _SMALL_BYTES), limits.max_file_bytes)
        inflated = inflater.decompress(data[begin:], most)
        if inflater.unconsumed_tail:
            raise ImageReadError(
                "a deflated file that unpacks to far more than it should",
                f"at most {most} bytes",
                "check its origin",
            )
        if not inflater.eof:
            raise ImageReadError("a truncated deflated file", "a whole file", "send it again")
        return read_dataset(io.BytesIO(inflated), False, True), DeflatedExplicitVRLittleEndian
    file.seek(0)
    dataset = pydicom.dcmread(file, force=True, stop_before_pixels=stop_before_pixels)
    if not dataset:  # pydicom gives up all elements when the data end within one that it skips
        raise ImageReadError("a truncated DICOM file", "a whole file", "send it again")
    declared = dataset.file_meta.get("TransferSyntaxUID") if hasattr(dataset, "file_meta") else None
    if declared:
        return dataset, UID(declared)
    big_endian = dataset.original_encoding[1] is False
    return dataset, ExplicitVRBigEndian if big_endian else None


def _looks_like_dataset(data: bytes) -> bool:
    """Whether the first element may be one of group 0002 or 0008: a file without preamble."""
    group, element = int.from_bytes(data[:2], "little"), int.from_bytes(data[2:4], "little")
    if group in (0x0200, 0x0800):  # big endian
        element = int.from_bytes(data[2:4], "big")
        group >>= 8
    return len(data) > 8 and group in (0x0002, 0x0008) and element < 0x3000


def check_pixel_attributes(dataset: Dataset, limits: ReadLimits, *, has_pixels: bool) -> None:
    """Refuse what cannot be a picture by its header. Raises ImageReadError."""
    if "FloatPixelData" in dataset or "DoubleFloatPixelData" in dataset:
        raise ImageReadError("floating point pixel data", "8- or 16-bit integers", "export the original image")
    missing = [keyword for keyword in _REQUIRED if dataset.get(keyword) in (None, "", b"")]
    if not has_pixels:
        missing.append("PixelData")
    if missing:
        raise ImageReadError(f"no {', '.join(missing)}", "a complete image", "send the image again from its source")
    rows, columns = int(dataset.Rows), int(dataset.Columns)
    if rows < 1 or columns < 1:
        raise ImageReadError(f"an image of {rows} x {columns} pixels", "at least 1 x 1", "send the image again")
    if rows * columns > limits.max_pixels:
        raise ImageReadError(
            f"a header that claims {rows} x {columns} pixels", f"at most {limits.max_pixels} pixels", "check its origin"
        )
    allocated, stored = int(dataset.BitsAllocated), int(dataset.BitsStored)
    if allocated not in (8, 16) or not 1 <= stored <= allocated:
        raise ImageReadError(
            f"{stored} bits stored in {allocated} allocated", "up to 8 in 8, or up to 16 in 16", "send it again"
        )
    high_bit = _high_bit(dataset)
    if not stored - 1 <= high_bit < allocated:
        raise ImageReadError(
            f"High Bit {high_bit} of {stored} bits stored in {allocated}", f"{stored - 1}", "send the image again"
        )
    if int(dataset.PixelRepresentation) not in (0, 1):
        raise ImageReadError(f"Pixel Representation {dataset.PixelRepresentation}", "0 or 1", "send it again")


def _high_bit(dataset: Dataset) -> int:
    """High Bit; where it is missing what today's standard says that it shall be (PS3.5 8.1.1)."""
    value = dataset.get("HighBit")
    return int(dataset.BitsStored) - 1 if value in (None, "") else int(value)


def header_facts(dataset: Dataset, transfer_syntax: UID | None) -> HeaderFacts:
    """What the header says, as far as the steps after reading need it."""
    lossy = _text(dataset, "LossyImageCompression") == "01"
    if transfer_syntax is not None and transfer_syntax.is_transfer_syntax and transfer_syntax.is_compressed:
        # JPEG baseline, extended; JPEG 2000, JPEG-LS and HTJ2K may be lossy, and then Lossy Image Compression is 01.
        lossy = lossy or str(transfer_syntax) in ("1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51")
    return HeaderFacts(
        container="dicom",
        rows=int(dataset.get("Rows") or 0),
        columns=int(dataset.get("Columns") or 0),
        frames=int(dataset.get("NumberOfFrames") or 1),
        has_pixels="PixelData" in dataset,
        sop_class_uid=_uid(dataset, "SOPClassUID"),
        sop_instance_uid=_uid(dataset, "SOPInstanceUID"),
        study_instance_uid=_uid(dataset, "StudyInstanceUID"),
        series_instance_uid=_uid(dataset, "SeriesInstanceUID"),
        transfer_syntax_uid=None if transfer_syntax is None else str(transfer_syntax),
        modality=_text(dataset, "Modality"),
        body_part=_text(dataset, "BodyPartExamined"),
        anatomic_region=_code(dataset, "AnatomicRegionSequence"),
        view_position=_text(dataset, "ViewPosition"),
        view_code=_code(dataset, "ViewCodeSequence"),
        presentation_intent=_text(dataset, "PresentationIntentType"),
        age_years=age_years(dataset),
        lossy=lossy,
    )


def _text(dataset: Dataset, keyword: str) -> str | None:
    value = dataset.get(keyword)
    if value is not None and not isinstance(value, str):
        value = value[0] if len(value) else None
    return str(value or "").strip(" \0").upper() or None


def _uid(dataset: Dataset, keyword: str) -> str | None:
    """A UID (PS3.5 9.1), or None for anything else: in a damaged header the patient's name may stand there."""
    value = str(dataset.get(keyword) or "").strip(" \0")
    return value if re.fullmatch(r"[0-9.]{1,64}", value) else None


def _code(dataset: Dataset, keyword: str) -> tuple[str, str] | None:
    items = dataset.get(keyword)
    if not items:
        return None
    value = _text(items[0], "CodeValue")
    return (value, _text(items[0], "CodingSchemeDesignator") or "") if value else None


@dataclass(frozen=True, eq=False, slots=True)
class _Frame:
    """The one frame of an object: its bytes and how they are laid out."""

    data: bytes
    encapsulated: bool
    rows: int
    columns: int
    samples: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    """Above Bits Stored - 1 in files of earlier editions of PS3.5, whose values sit higher in their cells."""

    signed: bool
    planar: bool
    photometric: str
    byte_order: Literal["<", ">"]
    is_words: bool
    """Pixel Data has VR OW, so 8-bit samples are swapped in pairs when big endian (PS3.5 8.1.2, A.3)."""

    @classmethod
    def of(cls, dataset: Dataset, transfer_syntax: UID | None) -> _Frame:
        element = dataset["PixelData"]
        value = bytes(element.value)
        photometric = _text(dataset, "PhotometricInterpretation") or ""
        if photometric not in (*_GREY, *_COLOUR):
            # Not quoted: in a damaged header anything may stand there.
            raise ImageReadError("a Photometric Interpretation of no defined term", " or ".join(_GREY), "send it again")
        samples = int(dataset.get("SamplesPerPixel") or (1 if photometric in (*_GREY, "PALETTE COLOR") else 3))
        if samples not in (1, 3) or (samples == 3) == (photometric in (*_GREY, "PALETTE COLOR")):
            raise ImageReadError(
                f"{samples} samples of {photometric}",
                "1 of MONOCHROME or PALETTE COLOR, 3 of RGB or YBR",
                "send it again",
            )
        if samples == 3 and int(dataset.PixelRepresentation) != 0:
            raise ImageReadError(f"signed samples of {photometric}", "unsigned", "send it again")
        known = transfer_syntax is not None and transfer_syntax.is_transfer_syntax
        encapsulated = bool(element.is_undefined_length) or (known and bool(transfer_syntax.is_compressed))  # type: ignore[union-attr]
        if transfer_syntax == DeflatedExplicitVRLittleEndian:
            encapsulated = False
        bits_stored = int(dataset.BitsStored)
        return cls(
            data=get_frame(value, 0, number_of_frames=1) if encapsulated else value,
            encapsulated=encapsulated,
            rows=int(dataset.Rows),
            columns=int(dataset.Columns),
            samples=samples,
            bits_allocated=int(dataset.BitsAllocated),
            bits_stored=bits_stored,
            high_bit=_high_bit(dataset),
            signed=int(dataset.PixelRepresentation) == 1,
            planar=int(dataset.get("PlanarConfiguration") or 0) == 1,
            photometric=photometric,
            byte_order=">" if transfer_syntax == ExplicitVRBigEndian else "<",
            is_words=element.VR == "OW",
        )

    def full(self) -> StoredPixels:
        """Stored values, shape (rows, columns[, samples])."""
        if not self.encapsulated:
            return self._native()
        try:
            pixels = decode_frame(
                self.data, self.rows, self.columns, self.samples, self.bits_allocated, self.photometric
            )
        except MemoryError as error:
            raise ImageReadError("pixel data that need too much memory", "a plain image", "check it") from error
        expected = (self.rows, self.columns) if self.samples == 1 else (self.rows, self.columns, self.samples)
        if pixels.shape != expected:
            raise ImageReadError(f"decoded pixels of shape {pixels.shape}", f"{expected}", "send the image again")
        # RLE packs the cells as they are (PS3.5 G.2); the streams of the JPEG family hold values, without place.
        return self._stored(self._lowered(pixels) if describe(self.data) is None else pixels)

    def reduced(self, log2_factor: int) -> StoredPixels | None:
        """Stored values from the JPEG 2000 decoder at 1 / 2**log2_factor of the size, or None."""
        if not self.encapsulated or self.signed or self.samples != 1:
            return None
        pixels = decode_jpeg2000_reduced(self.data, log2_factor, self.rows, self.columns)
        return None if pixels is None else self._stored(pixels)

    def _native(self) -> StoredPixels:
        shape = (self.rows, self.columns) if self.samples == 1 else (self.rows, self.columns, self.samples)
        if self.samples == 3 and self.planar:
            shape = (self.samples, self.rows, self.columns)
        row_bytes = self.columns * self.samples * self.bits_allocated // 8
        length = self.rows * row_bytes
        # Less than a row more is padding of the value; a row or more means that Rows or Columns are wrong.
        if not length <= len(self.data) < length + max(row_bytes, 2):
            raise ImageReadError(
                f"{len(self.data)} bytes of pixel data", f"{length} for {self.rows} x {self.columns}", "send it again"
            )
        if self.bits_allocated == 8 and self.byte_order == ">" and self.is_words:
            words = np.frombuffer(self.data, dtype="<u2", count=len(self.data) // 2).byteswap()
            pixels: AnyArray = words.view(np.uint8)[:length]
        else:
            dtype = np.dtype(f"{self.byte_order}u{self.bits_allocated // 8}")
            pixels = np.frombuffer(self.data, dtype=dtype, count=length // dtype.itemsize)
        pixels = pixels.reshape(shape)
        if self.samples == 3 and self.planar:
            pixels = np.moveaxis(pixels, 0, -1)
        return self._stored(self._lowered(pixels).astype(pixels.dtype.newbyteorder("="), copy=False))

    def _lowered(self, cells: AnyArray) -> AnyArray:
        """Values moved to the low end of their cells."""
        shift = self.high_bit + 1 - self.bits_stored
        return cells >> shift if shift else cells

    def _stored(self, pixels: AnyArray) -> StoredPixels:
        """Clear or sign-extend the bits above Bits Stored (they may hold old overlays, PS3.5 8.1.1)."""
        bits = 8 * pixels.dtype.itemsize
        spare = bits - self.bits_stored
        if pixels.dtype.kind == "i" and self.signed:  # a decoder that knows the sign
            low, high = -(1 << (self.bits_stored - 1)), (1 << (self.bits_stored - 1)) - 1
            return np.clip(pixels, max(low, -(1 << (bits - 1))), min(high, (1 << (bits - 1)) - 1))
        pixels = pixels.view(f"u{pixels.dtype.itemsize}")
        if self.signed:
            if spare < 0:  # an 8-bit stream for values of more bits
                return pixels.astype(np.int16)
            return np.asarray((pixels << spare).view(f"i{pixels.dtype.itemsize}") >> spare)
        if spare <= 0:
            return pixels
        mask = pixels.dtype.type((1 << self.bits_stored) - 1)
        return np.asarray(np.minimum(pixels, mask) if self.encapsulated else pixels & mask)


def _rgb_rows(frame: _Frame, dataset: Dataset) -> Rows:
    """The rows of a colour image as RGB, shape (n, columns, 3)."""
    if not frame.encapsulated and frame.photometric not in ("PALETTE COLOR", "RGB", "YBR_FULL"):
        raise ImageReadError(f"uncompressed {frame.photometric}", "MONOCHROME, RGB or YBR_FULL", "export it as grey")
    pixels: AnyArray = frame.full()
    if frame.photometric == "PALETTE COLOR":
        return lambda first, behind: apply_color_lut(pixels[first:behind], dataset)
    # RLE keeps the colour space that the header names; decoders of the JPEG family give RGB.
    as_named = not frame.encapsulated or describe(frame.data) is None
    if frame.photometric.startswith("YBR") and as_named:
        return lambda first, behind: convert_color_space(pixels[first:behind], "YBR_FULL", "RGB")
    return lambda first, behind: pixels[first:behind]
