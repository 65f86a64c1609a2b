"""One image with its map as Secondary Capture (PS3.3 A.8.1): what every workstation can show.

The picture is drawn from the film at reduced size. RGB, uncompressed or RLE: SC in JPEG is shown in wrong colours by
some archives and viewers.
"""

from __future__ import annotations

import struct
from itertools import chain

import cv2
import numpy as np
import numpy.typing as npt
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRLittleEndian, RLELossless, SecondaryCaptureImageStorage

from cxr_core.bundle import Manifest
from cxr_core.chest_image import ChestImage
from cxr_core.heatmap import MAP_LABEL, OverlaySettings, render_overlay
from cxr_core.prediction import Prediction
from cxr_core.results.codes import SOURCE_IMAGE, code_item
from cxr_core.results.common import Origin, begin, plain, reference, seal
from cxr_core.results.records import ResultObject

#: The film's longer side is divided by the smallest whole number that leaves at most this, in pixels.
MAX_SIDE = 1280


def secondary_capture(
    image: ChestImage,
    prediction: Prediction,
    manifest: Manifest,
    origin: Origin,
    *,
    outlined: bool,
    rle: bool,
) -> ResultObject:
    """The capture of one image; `outlined` draws the line of a positive verdict."""
    source = origin.sources[0]
    vertical, horizontal = source.pixel_aspect_ratio
    aspect = vertical / horizontal
    longer = max(image.facts.rows * max(aspect, 1), image.facts.columns / min(aspect, 1))
    settings = OverlaySettings(max_side=round(longer / -(-longer // MAX_SIDE)))
    picture = render_overlay(image, prediction, manifest, settings, pixel_aspect=aspect, outlined=outlined)
    made = begin("sc", SecondaryCaptureImageStorage, source, origin, source.received, source.instance_number)
    made.BodyPartExamined = "CHEST"
    made.ContentDate, made.ContentTime = made.InstanceCreationDate, made.InstanceCreationTime
    made.ConversionType = "WSD"
    made.ImageType = ["DERIVED", "SECONDARY"]
    made.PatientOrientation = list(source.patient_orientation) or None
    made.BurnedInAnnotation = "YES"
    made.RecognizableVisualFeatures = "NO"
    made.ImageComments = plain(f"{prediction.model.name} {prediction.model.version}: {MAP_LABEL}")
    made.DerivationDescription = f"Reduced, with a coloured map and a legend burnt in: {MAP_LABEL}"
    derived_from = reference(source)
    derived_from.PurposeOfReferenceCodeSequence = [code_item(SOURCE_IMAGE)]
    made.SourceImageSequence = [derived_from]
    if image.facts.lossy:
        made.update(source.compression)
        made.LossyImageCompression = "01"  # a baseline JPEG is lossy even where the header forgot to say so
    made.SamplesPerPixel = 3
    made.PhotometricInterpretation = "RGB"
    made.PlanarConfiguration = 0
    made.Rows, made.Columns = picture.shape[:2]
    made.BitsAllocated = made.BitsStored = 8
    made.HighBit = 7
    made.PixelRepresentation = 0
    rgb = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)
    if rle:
        made.add_new("PixelData", "OB", encapsulate([rle_frame(rgb)]))
        made["PixelData"].is_undefined_length = True
        return seal("sc", made, origin, RLELossless)
    pixels = rgb.tobytes()
    made.add_new("PixelData", "OB", pixels + b"\0" * (len(pixels) % 2))
    return seal("sc", made, origin, ExplicitVRLittleEndian)


def rle_frame(pixels: npt.NDArray[np.uint8]) -> bytes:
    """An RLE frame (PS3.5 Annex G) of shape (rows, columns, samples), 8 bits: a segment a sample, packed by rows."""
    import imagecodecs

    segments = []
    for sample in range(pixels.shape[2]):
        packed = imagecodecs.packbits_encode(pixels[:, :, sample].copy(), axis=-1)
        segments.append(packed + b"\0" * (len(packed) % 2))
    starts = [64]
    for segment in segments[:-1]:
        starts.append(starts[-1] + len(segment))
    head = struct.pack("<16L", len(segments), *chain(starts, [0] * (15 - len(starts))))
    return b"".join((head, *segments))
