"""What results take from their source data sets: patient and study unchanged, and how the image is to be referenced."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from fractions import Fraction

from pydicom.datadict import dictionary_has_tag, dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.tag import BaseTag, Tag
from pydicom.valuerep import STR_VR

from cxr_core.chest_image import Spacing
from cxr_core.results.elements import CharacterSet, encoded_items
from cxr_core.results.records import AnalysedImage, ResultError

#: Type 2 of the Patient and General Study Modules (PS3.3 C.7.1.1, C.7.2.1): there, and empty where unknown.
_ALWAYS = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "ReferringPhysicianName",
    "StudyID",
)
#: Carried where the source has them: character set, time zone, and what else identifies patient, study and visit.
_WHERE_PRESENT = (
    "SpecificCharacterSet",
    "TimezoneOffsetFromUTC",
    "StudyInstanceUID",
    "IssuerOfPatientID",
    "IssuerOfPatientIDQualifiersSequence",
    "TypeOfPatientID",
    "OtherPatientIDs",
    "OtherPatientIDsSequence",
    "OtherPatientNames",
    "PatientBirthTime",
    "EthnicGroup",
    "PatientAge",
    "PatientSize",
    "PatientWeight",
    "PatientIdentityRemoved",
    "DeidentificationMethod",
    "DeidentificationMethodCodeSequence",
    "LongitudinalTemporalInformationModified",
    "ClinicalTrialSponsorName",
    "ClinicalTrialProtocolID",
    "ClinicalTrialProtocolName",
    "ClinicalTrialSiteID",
    "ClinicalTrialSiteName",
    "ClinicalTrialSubjectID",
    "ClinicalTrialSubjectReadingID",
    "ClinicalTrialTimePointID",
    "ClinicalTrialTimePointDescription",
    "StudyDescription",
    "IssuerOfAccessionNumberSequence",
    "ProcedureCodeSequence",
    "ReferencedStudySequence",
    "AdmissionID",
    "IssuerOfAdmissionIDSequence",
)
#: Optional elements are dropped where their value breaks their VR (PS3.5 6.2): senders write an age of "51".
_VALID = {
    "PatientAge": rb"\d{3}[DWMY]",
    "TimezoneOffsetFromUTC": rb"[+-](0\d|1[0-4])[0-5]\d",
}
_COMPRESSION = ("LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod")
_REFERENCE = ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")
#: VR UI (PS3.5 9.1), but for leading zeros of a component: equipment writes them, archives compare UIDs as text, and a
#: result under a UID put right would belong to another study. They are carried as they are; what is no UID is not.
_UID = re.compile(r"[0-9]+(\.[0-9]+)*", re.ASCII)
_MAX_UID = 64


def carried(data_set: Dataset) -> Dataset:
    """Patient, study, visit, character set and time zone of a source.

    An element that nobody has looked at since it was parsed keeps its bytes, whatever its encoding is worth; pydicom
    encodes the others again in the same character set.
    """
    copy = _copied(data_set, (*_ALWAYS, *_WHERE_PRESENT))
    for keyword in _ALWAYS:
        if keyword not in copy:
            setattr(copy, keyword, None)
    for keyword, valid in _VALID.items():
        if keyword in copy and not re.fullmatch(valid, _ascii(copy, Tag(keyword))):
            del copy[keyword]
    return copy


def _copied(data_set: Dataset, keywords: Iterable[str]) -> Dataset:
    copy = Dataset()
    for keyword in keywords:
        if keyword in data_set:
            _carry(data_set, Tag(keyword), copy, data_set.get("SpecificCharacterSet"))
    return copy


def _carry(data_set: Dataset, tag: BaseTag, copy: Dataset, character_set: CharacterSet) -> None:
    element = data_set.get_item(tag)
    vr = dictionary_VR(tag)
    if isinstance(element, RawDataElement) and vr in STR_VR:
        value = element.value or b""
        # Text has no byte order, so its bytes are right in every transfer syntax.
        _set_raw(copy, tag, vr, value + (b"\0" if vr == "UI" else b" ") * (len(value) % 2))
    elif data_set[tag].VR == "SQ":
        items = [_carried_item(item, character_set) for item in data_set[tag].value]
        _set_raw(copy, tag, vr, encoded_items(items, character_set))
    elif vr != "SQ":
        copy[tag] = data_set[tag]


def _set_raw(copy: Dataset, tag: BaseTag, vr: str, value: bytes) -> None:
    copy[tag] = RawDataElement(tag, vr, len(value), value, 0, is_implicit_VR=False, is_little_endian=True)


def _carried_item(item: Dataset, character_set: CharacterSet) -> Dataset:
    """An item of a sequence without private elements, which nobody could tell the VR of."""
    copy = Dataset()
    for tag in sorted(item.keys()):
        if dictionary_has_tag(tag):
            _carry(item, tag, copy, character_set)
    return copy


def _ascii(data_set: Dataset, tag: BaseTag) -> bytes:
    element = data_set.get_item(tag)
    value = (
        element.value if isinstance(element, RawDataElement) else str(element.value or "").encode("ascii", "replace")
    )
    return (value or b"").strip(b" \0")


@dataclass(frozen=True, eq=False, slots=True)
class SourceImage:
    """One source image as results refer to it."""

    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str
    study_instance_uid: str
    series_number: int
    instance_number: int
    """1 where the source has none."""

    rows: int
    columns: int
    monochrome: bool
    patient_orientation: tuple[str, ...]
    """Of rows and of columns (PS3.3 C.7.6.1.1.1); () where unknown."""

    pixel_aspect_ratio: tuple[int, int]
    """Vertical and horizontal size of a pixel (PS3.3 C.7.6.3.1.7)."""

    rescale_type: str
    """Of the modality transformation's output (PS3.3 C.11.1.1.2); US is unspecified."""

    received: datetime
    """On the clock of the source's Timezone Offset From UTC (PS3.3 C.12.1.1.8), or on its own."""

    compression: Dataset = field(repr=False)
    """Lossy Image Compression, Ratio and Method, where the source has them (PS3.3 C.7.6.1.1.5)."""

    header: Dataset = field(repr=False)
    """Patient and study, as `carried` gives them."""

    @property
    def patient_id(self) -> bytes:
        """Patient ID as it came, without padding; empty where unknown."""
        return _ascii(self.header, Tag("PatientID"))


def source_image(analysed: AnalysedImage) -> SourceImage:
    """The record of one source. Raises ResultError when the image cannot be referenced."""
    data_set = analysed.data_set
    uids = {keyword: str(data_set.get(keyword) or "").strip(" \0") for keyword in _REFERENCE}
    missing = [keyword for keyword, uid in uids.items() if len(uid) > _MAX_UID or not _UID.fullmatch(uid)]
    if missing:
        raise ResultError(f"a source without {', '.join(missing)}", "an image that can be referenced", "send it again")
    orientation = data_set.get("PatientOrientation")
    spacing = analysed.image.spacing if analysed.image else None
    return SourceImage(
        sop_class_uid=uids["SOPClassUID"],
        sop_instance_uid=uids["SOPInstanceUID"],
        series_instance_uid=uids["SeriesInstanceUID"],
        study_instance_uid=uids["StudyInstanceUID"],
        series_number=_integer(data_set, "SeriesNumber"),
        instance_number=_integer(data_set, "InstanceNumber"),
        rows=_integer(data_set, "Rows"),
        columns=_integer(data_set, "Columns"),
        monochrome=str(data_set.get("PhotometricInterpretation")).strip().upper() in ("MONOCHROME1", "MONOCHROME2"),
        patient_orientation=tuple(map(str, orientation)) if isinstance(orientation, MultiValue) else (),
        pixel_aspect_ratio=_aspect_ratio(data_set, spacing),
        rescale_type=_rescale_type(data_set),
        received=_received(analysed),
        compression=_copied(data_set, _COMPRESSION),
        header=carried(data_set),
    )


def reading_order(images: Iterable[AnalysedImage]) -> list[tuple[SourceImage, AnalysedImage]]:
    """The images by series, instance and UID, so that the order in which they came changes nothing."""
    pairs = [(source_image(analysed), analysed) for analysed in images]
    return sorted(pairs, key=lambda pair: (pair[0].series_number, pair[0].instance_number, pair[0].sop_instance_uid))


def _received(analysed: AnalysedImage) -> datetime:
    if analysed.received.tzinfo is None:
        raise ResultError("a receipt without time zone", "an aware datetime", "give it its time zone")
    match = re.fullmatch(
        r"([+-])(0\d|1[0-4])([0-5]\d)", str(analysed.data_set.get("TimezoneOffsetFromUTC") or "").strip()
    )
    if match is None:
        return analysed.received
    offset = timedelta(hours=int(match[2]), minutes=int(match[3]))
    return analysed.received.astimezone(timezone(-offset if match[1] == "-" else offset))


def _integer(data_set: Dataset, keyword: str) -> int:
    """An integer as IS can hold it (PS3.5 6.2); 1 for anything else."""
    try:
        number = int(data_set.get(keyword) or 1)
    except (TypeError, ValueError, OverflowError):
        return 1
    return number if abs(number) < 1 << 31 else 1


def _aspect_ratio(data_set: Dataset, spacing: Spacing | None) -> tuple[int, int]:
    """Of the spacing where there is one, else Pixel Aspect Ratio, which only images without spacing have."""
    if spacing is not None:
        ratio = Fraction(spacing.row_mm / spacing.column_mm).limit_denominator(1000)
        return (ratio.numerator, ratio.denominator) if ratio else (1, 1)
    try:
        vertical, horizontal = (int(part) for part in data_set.get("PixelAspectRatio") or ())
    except (TypeError, ValueError):
        return 1, 1
    return (vertical, horizontal) if vertical > 0 and horizontal > 0 else (1, 1)


def _rescale_type(data_set: Dataset) -> str:
    items = data_set.get("ModalityLUTSequence")
    value = items[0].get("ModalityLUTType") if items else data_set.get("RescaleType")
    text = str(value or "").strip()
    return text if re.fullmatch(r"[A-Za-z0-9 ._^\[\]()/+-]{1,64}", text) else "US"
