"""How one film is to be shown, with the map's line on it: Grayscale Softcopy Presentation State (PS3.3 A.33.1).

It replaces the whole grayscale chain of the image (PS3.4 N.2.1), so all of it is written, in its plainest form: linear
windows as LINEAR, which every viewer knows, and INVERSE where the film is MONOCHROME1, whose polarity a viewer no
longer looks at. Only padding cannot be said: a viewer may show it white.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, GrayscaleSoftcopyPresentationStateStorage
from pydicom.valuerep import format_number_as_ds

from cxr_core.bundle import Manifest
from cxr_core.chest_image import ChestImage
from cxr_core.grayscale import (
    GrayscaleAttributes,
    LookupTable,
    ValueRange,
    Voi,
    Window,
    default_voi,
    modality_values,
    named_voi,
)
from cxr_core.heatmap import ASSESSED, MAP_LABEL, OUTLINE_LABEL, OUTLINE_LEVEL, caveat, outlines, verdict_lines
from cxr_core.prediction import Prediction
from cxr_core.results.common import Origin, begin, plain, reference, references, seal
from cxr_core.results.records import ResultObject
from cxr_core.results.source import SourceImage

LAYER = "MODEL"
#: CIELab of amber, as unsigned 16-bit (PS3.3 C.10.7.1.1): annotations of a person are seldom in it.
_LAYER_COLOUR = [54000, 37000, 52000]


def presentation_state(
    image: ChestImage,
    prediction: Prediction,
    manifest: Manifest,
    origin: Origin,
    *,
    outlined: bool,
) -> ResultObject:
    """The presentation state of one image; `outlined` draws the line of a positive verdict."""
    source = origin.sources[0]
    attributes = image.attributes
    assert attributes is not None, "intake refuses an object without pixels"
    sop_class = GrayscaleSoftcopyPresentationStateStorage
    made = begin("gsps", sop_class, source, origin, source.received, source.instance_number)
    made.BodyPartExamined = "CHEST"
    made.PresentationCreationDate, made.PresentationCreationTime = made.InstanceCreationDate, made.InstanceCreationTime
    made.ContentLabel = "MODEL"
    made.ContentDescription = plain(f"{prediction.model.name} {prediction.model.version}, no diagnosis")[:64]
    made.ContentCreatorName = None
    made.ReferencedSeriesSequence = references(origin.sources, "ReferencedImageSequence")
    _write_modality(made, attributes, source.rescale_type)
    # Pixels are decoded only where the range has to be looked up in them.
    voi = named_voi(attributes) or default_voi(attributes, image.stored)
    made.SoftcopyVOILUTSequence = [_voi_item(voi, attributes)]
    made.PresentationLUTShape = "INVERSE" if attributes.inverted else "IDENTITY"
    made.DisplayedAreaSelectionSequence = [_displayed_area(source)]
    layer = Dataset()
    layer.GraphicLayer = LAYER
    layer.GraphicLayerOrder = 1
    layer.GraphicLayerRecommendedDisplayGrayscaleValue = 65535
    layer.GraphicLayerRecommendedDisplayCIELabValue = _LAYER_COLOUR
    layer.GraphicLayerDescription = "Output of a model, no diagnosis"
    made.GraphicLayerSequence = [layer]
    lines = outlines(prediction.shown_map, OUTLINE_LEVEL) if outlined else []
    line_label = f"Line: {OUTLINE_LABEL}" if lines else None
    texts = [*verdict_lines(prediction, manifest), line_label, caveat(prediction), ASSESSED]
    made.GraphicAnnotationSequence = [_annotation(source, lines, "\r\n".join(plain(text) for text in texts if text))]
    return seal("gsps", made, origin, ExplicitVRLittleEndian)


def _write_modality(made: Dataset, attributes: GrayscaleAttributes, rescale_type: str) -> None:
    """The Modality LUT Module (PS3.3 C.11.1)."""
    if attributes.modality_lut is not None:
        # Its entries are values, not shares of their range, so that they stay in a table of 16 bits.
        item = _lut_item(attributes.modality_lut.first, attributes.modality_lut.data, signed=attributes.signed)
        item.ModalityLUTType = rescale_type
        made.ModalityLUTSequence = [item]
    else:
        made.RescaleIntercept = format_number_as_ds(attributes.intercept)
        made.RescaleSlope = format_number_as_ds(attributes.slope)
        made.RescaleType = rescale_type


def _voi_item(voi: Voi, attributes: GrayscaleAttributes) -> Dataset:
    """An item of Softcopy VOI LUT Sequence (PS3.3 C.11.8)."""
    item = Dataset()
    modality = modality_values(attributes)
    if isinstance(voi, Window) and voi.function == "SIGMOID":
        voi = _sampled(voi, modality) or voi
    if isinstance(voi, LookupTable):
        data = np.rint(voi.data * (65535 / (2**voi.bits - 1)))
        item.VOILUTSequence = [_lut_item(voi.first, data, signed=float(modality.min()) < 0)]
        return item
    if isinstance(voi, ValueRange):
        center, width = (voi.low + voi.high) / 2, voi.high - voi.low
        # A constant film is shown as a middle grey, at which a window of any width has its centre.
        window = Window(center, width if width > 0 else 1.0, "LINEAR_EXACT")
    else:
        window = voi
    center, width = window.center, window.width
    if window.function == "LINEAR_EXACT":  # the same ramp in terms of PS3.3 C.11.2.1.2.1
        center, width = center + 0.5, width + 1
    elif window.function == "SIGMOID":
        item.VOILUTFunction = "SIGMOID"
    item.WindowCenter = format_number_as_ds(float(center))
    item.WindowWidth = format_number_as_ds(float(width))
    return item


def _sampled(voi: Window, modality: npt.NDArray[np.float64]) -> LookupTable | None:
    """A SIGMOID window as a table: many readers of presentation states know linear windows and tables only.

    None where a table cannot have it: modality values that are not whole, or of too wide or too high a range.
    """
    first, last = float(modality.min()), float(modality.max())
    if not np.array_equal(modality, np.rint(modality)) or first < -32768 or last > 65535 or last - first > 65535:
        return None
    values = voi.display(np.arange(first, last + 1))
    return LookupTable(int(first), np.rint(values * 65535).astype(np.uint16), 16)


def _lut_item(first: int, data: npt.NDArray[Any], *, signed: bool) -> Dataset:
    """A LUT of 16 bits (PS3.3 C.11.1.1.1, C.11.8); its first input value has the sign of its input."""
    item = Dataset()
    item.add_new(
        "LUTDescriptor", "SS" if first < 0 or (signed and first < 32768) else "US", [len(data) % 65536, first, 16]
    )
    item.add_new("LUTData", "OW", data.astype("<u2").tobytes())
    return item


def _displayed_area(source: SourceImage) -> Dataset:
    """The whole image, scaled to fit (PS3.3 C.10.4)."""
    item = Dataset()
    item.add_new("DisplayedAreaTopLeftHandCorner", "SL", [1, 1])
    item.add_new("DisplayedAreaBottomRightHandCorner", "SL", [source.columns, source.rows])
    item.PresentationSizeMode = "SCALE TO FIT"
    # The aspect ratio, not the spacing: a spacing at the detector would be taken for one in the patient.
    item.PresentationPixelAspectRatio = list(source.pixel_aspect_ratio)
    return item


def _annotation(source: SourceImage, lines: list[npt.NDArray[np.float64]], text: str) -> Dataset:
    """Lines and text on the image (PS3.3 C.10.5). Pixel units run from 0\\0, the corner of the first pixel."""
    item = Dataset()
    item.ReferencedImageSequence = [reference(source)]
    item.GraphicLayer = LAYER
    item.TextObjectSequence = [_text(text)]
    if lines:
        drawn = [line * (source.columns, source.rows) for line in lines]
        item.GraphicObjectSequence = [_polyline(points) for points in drawn]
        item.TextObjectSequence.append(_label(drawn[0]))
    return item


def _polyline(points: npt.NDArray[Any]) -> Dataset:
    item = Dataset()
    item.GraphicAnnotationUnits = "PIXEL"
    item.GraphicDimensions = 2
    item.NumberOfGraphicPoints = len(points)
    item.GraphicData = [float(value) for value in np.round(points, 2).astype(np.float32).ravel()]
    item.GraphicType = "POLYLINE"
    item.GraphicFilled = "N"
    return item


def _label(points: npt.NDArray[Any]) -> Dataset:
    """What a line is, at its highest point."""
    item = Dataset()
    item.AnchorPointAnnotationUnits = "PIXEL"
    item.UnformattedTextValue = MAP_LABEL
    item.AnchorPoint = [float(value) for value in np.round(points[points[:, 1].argmin()], 2)]
    item.AnchorPointVisibility = "N"
    return item


def _text(text: str) -> Dataset:
    """Text at the top left of the displayed area."""
    item = Dataset()
    item.BoundingBoxAnnotationUnits = "DISPLAY"
    item.UnformattedTextValue = text
    item.BoundingBoxTopLeftHandCorner = [0.01, 0.01]
    item.BoundingBoxBottomRightHandCorner = [0.6, 0.12]
    item.BoundingBoxTextHorizontalJustification = "LEFT"
    return item
