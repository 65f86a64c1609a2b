"""An anonymised copy of one image: from the bytes of a file to those of the copy, or the reason why there is none."""

from __future__ import annotations

import io
from dataclasses import dataclass, field, fields
from typing import Final

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, SecondaryCaptureImageStorage

from cxr_core.chest_image import ChestImage
from cxr_core.errors import ImageReadError
from cxr_core.grayscale import GrayscaleAttributes, LookupTable
from cxr_core.reading.dicom_file import damage_told, parse
from cxr_core.reading.read import read_with_data_set
from cxr_core.results.marks import is_result
from cxr_core.settings import ReadLimits
from cxr_desktop.output.clean_pixels import Mask, hides_something, masked, native_bytes, write_pixels
from cxr_desktop.output.deidentify import deidentified
from cxr_desktop.output.pseudonyms import Pseudonyms
from cxr_desktop.state.header import text_of

#: Implementation Class UID (PS3.7 D.3.3.2) of what writes these files.
IMPLEMENTATION: Final = "2.25.78216931541906732908816547420191583301"
#: Modalities of pictures of a screen or of paper, where text in the picture is the rule.
_SCREENS = ("OT", "SC")


class NotAnonymisedError(ImageReadError):
    """An image of which there is no anonymised copy, and why."""


@dataclass(frozen=True, slots=True)
class AnonymiseOptions:
    """What holds for all images of a job."""

    retain_characteristics: bool = False
    """Keep age and sex (PS3.15 E.3.7)."""


@dataclass(frozen=True, slots=True)
class PixelText:
    """What the reader has done about text that is burnt into the picture."""

    masks: tuple[Mask, ...] = ()
    looked: bool = False
    """There is none: the reader has looked, and says so."""


@dataclass(frozen=True, slots=True)
class AnonymisedCopy:
    """A copy, and what the reader has to know of it."""

    content: bytes = field(repr=False)
    notes: tuple[str, ...] = ()


def burnt_in_doubt(data_set: Dataset | None) -> str | None:
    """Why an image is not copied before somebody has looked for text in its picture; None where that is not so."""
    if text_of(data_set, "BurnedInAnnotation").upper() == "YES":
        return "its header says that text is burnt into the picture"
    if text_of(data_set, "SOPClassUID") == SecondaryCaptureImageStorage:  # those of several frames are refused anyway
        return "a Secondary Capture, which often has text burnt into the picture"
    if text_of(data_set, "Modality").upper() in _SCREENS:
        return "a picture of no X-ray equipment (modality OT or SC), which often has text burnt in"
    return None


def anonymised(
    content: bytes, pseudonyms: Pseudonyms, options: AnonymiseOptions, text: PixelText | None = None
) -> AnonymisedCopy:
    """An anonymised copy of one DICOM image (PS3.15 E.2, E.3.1, E.3.7); the picture is proved to be the same.

    Compressed pixel data stay as they are, byte for byte, as uncompressed ones do, unless something is masked or hides
    in them. Uncompressed copies are Explicit VR Little Endian.

    Parameters
    ----------
    content : bytes
        The whole file.
    pseudonyms : Pseudonyms
        Of the job, so that what refers to each other still does.

    Raises
    ------
    NotAnonymisedError
        No single DICOM image, one of our own results, damage, or a picture that may show text and nobody has looked.
    """
    text = text or PixelText()
    try:
        with damage_told():
            return _anonymised(content, pseudonyms, options, text)
    except NotAnonymisedError:
        raise
    except ImageReadError as error:
        raise NotAnonymisedError(error.found, error.expected, error.remedy) from error


def _anonymised(content: bytes, pseudonyms: Pseudonyms, options: AnonymiseOptions, text: PixelText) -> AnonymisedCopy:
    image, original = read_with_data_set(content, ReadLimits())
    if original is None:
        raise NotAnonymisedError("a picture without a DICOM header", "a DICOM image", "export a picture instead")
    if is_result(original):
        raise NotAnonymisedError("a result of this program", "a film", "anonymise the film that it was made from")
    if image.source is None or image.facts.sop_class_uid is None or image.facts.sop_instance_uid is None:
        raise NotAnonymisedError("no single image with its UIDs", "one film", "anonymise it elsewhere")
    if UID(image.facts.sop_class_uid).name == image.facts.sop_class_uid:  # those of the standard have a name
        raise NotAnonymisedError("an image of a private SOP class", "one of the standard", "anonymise it elsewhere")
    doubt = burnt_in_doubt(original)
    if doubt is not None and not text.masks and not text.looked:
        raise NotAnonymisedError(f"Not copied: {doubt}", remedy="mask the text, or look and confirm that there is none")
    _, declared = parse(content, ReadLimits())
    compressed = bool(original["PixelData"].is_undefined_length)
    made = deidentified(
        original,
        pseudonyms,
        retain_characteristics=options.retain_characteristics,
        cleaned_pixels=bool(text.masks),
    )
    notes = _notes(original, made.overlays, text, doubt)
    stored = masked(image.stored, text.masks, dark_is_high=bool(image.attributes and image.attributes.inverted))
    known = declared is not None and declared.is_transfer_syntax and declared.is_compressed
    swapped = declared == ExplicitVRBigEndian  # the standard has retired it: written anew
    hidden = not swapped and hides_something(original, image, compressed=compressed, removed_text=made.removed_text)
    syntax = UID(declared) if compressed and declared is not None else ExplicitVRLittleEndian
    if text.masks or hidden or swapped or compressed != known:
        if hidden:
            notes.append("What was hidden beside the pixels was taken out")
        if image.facts.colour_share:
            notes.append("The picture was in colour and is grey in the copy")
        write_pixels(made.data_set, stored, image)
        syntax = ExplicitVRLittleEndian
    else:
        made.data_set["PixelData"].VR = "OB" if compressed or int(made.data_set.BitsAllocated) <= 8 else "OW"
    if swapped:
        _swap_words(made.data_set)
    copy = _encoded(made.data_set, syntax)
    _prove(copy, image, stored if text.masks else image.stored)
    return AnonymisedCopy(copy, tuple(notes))


def _notes(original: Dataset, overlays: int, text: PixelText, doubt: str | None) -> list[str]:
    notes = []
    if overlays:
        notes.append(f"{overlays} overlay plane{'s' if overlays > 1 else ''} removed")
    if doubt is None and text_of(original, "BurnedInAnnotation").upper() != "NO" and not (text.masks or text.looked):
        notes.append("The header does not say whether text is burnt into the picture: look at it")
    return notes


def _swap_words(data_set: Dataset) -> None:
    """Tables that were read as bytes of a big endian file; pixel data are written anew."""
    for element in data_set:
        if element.VR == "SQ":
            for item in element.value:
                _swap_words(item)
        elif element.VR == "OW" and element.keyword != "PixelData":
            element.value = np.frombuffer(element.value, ">u2").astype("<u2").tobytes()


def _encoded(data_set: Dataset, syntax: UID) -> bytes:
    """A file with an empty preamble and file meta information of our own (PS3.10 7.1)."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(data_set.SOPClassUID)
    meta.MediaStorageSOPInstanceUID = UID(data_set.SOPInstanceUID)
    meta.TransferSyntaxUID = syntax
    meta.ImplementationClassUID = UID(IMPLEMENTATION)
    meta.ImplementationVersionName = "CXR_DESKTOP_1"
    buffer = io.BytesIO()
    whole = FileDataset("", data_set, preamble=b"\0" * 128, file_meta=meta)
    pydicom.dcmwrite(buffer, whole, implicit_vr=False, little_endian=True, enforce_file_format=True)
    return buffer.getvalue()


def _prove(copy: bytes, original: ChestImage, stored: np.ndarray) -> None:
    """Read the copy as any film is read. Raises NotAnonymisedError where it does not show the same."""
    image, _ = read_with_data_set(copy, ReadLimits())
    same = image.stored.shape == stored.shape and native_bytes(image.stored) == native_bytes(stored)
    if not (same and _alike(image.attributes, original.attributes)):
        raise NotAnonymisedError("Not copied: the copy would not show the same picture", remedy="report this film")


def _alike(one: GrayscaleAttributes | None, other: GrayscaleAttributes | None) -> bool:
    """Whether both make the same of stored values."""
    assert one is not None, "an image that has pixels"
    assert other is not None, "an image that has pixels"
    numbers = {part.name for part in fields(one)} - {"modality_lut", "voi_luts"}
    if any(getattr(one, name) != getattr(other, name) for name in numbers):
        return False
    tables, others = [(held.modality_lut, *held.voi_luts) for held in (one, other)]
    return len(tables) == len(others) and all(map(_alike_tables, tables, others))


def _alike_tables(one: LookupTable | None, other: LookupTable | None) -> bool:
    if one is None or other is None:
        return one is other
    return (one.first, one.bits) == (other.first, other.bits) and np.array_equal(one.data, other.data)
