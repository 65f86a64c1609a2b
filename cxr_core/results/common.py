"""The modules that all three kinds of objects share, and their encoding as files with UIDs that are hashes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_file_meta_info
from pydicom.tag import Tag
from pydicom.uid import UID

from cxr_core.results.elements import encoded_elements
from cxr_core.results.marks import MANUFACTURER, MODEL_NAME
from cxr_core.results.records import ResultKind, ResultObject
from cxr_core.results.source import SourceImage
from cxr_core.results.uids import ENCODER_VERSION, hashed_uid

#: Implementation Class UID (PS3.7 D.3.3.2) of this encoder.
IMPLEMENTATION: Final = "2.25.304029916572220825439750706592264033163"

_SOP_INSTANCE_UID = Tag("SOPInstanceUID")
#: (Modality, Series Number, Series Description) of the series of each kind.
_SERIES: Final[dict[ResultKind, tuple[str, int, str]]] = {
    "sr": ("SR", 9101, "Model findings, no diagnosis"),
    "sc": ("OT", 9102, "Model attention, not a lesion outline"),
    "gsps": ("PR", 9103, "Model attention, not a lesion outline"),
}


@dataclass(frozen=True, slots=True)
class Origin:
    """What an object is made from, as far as it goes into its UID beside its content."""

    producer: str
    sources: tuple[SourceImage, ...]
    digests: tuple[str, ...]
    """Of the sources' data sets, in their order."""

    models: tuple[str, ...]
    """Digests of the bundles."""


def plain(text: str) -> str:
    """Text in the default repertoire, which is part of every character set that a source may have (PS3.5 6.1)."""
    return text.encode("ascii", "replace").decode("ascii").replace("\\", "/").replace("~", "-")


def begin(
    kind: ResultKind, sop_class_uid: str, named: SourceImage, origin: Origin, moment: datetime, instance_number: int
) -> Dataset:
    """An object with its Patient, Study, Series, Equipment and SOP Common Modules; the first two are `named`'s.

    The series depends on study, producer and encoder alone, and so do its attributes: what is made later joins it.
    """
    modality, number, description = _SERIES[kind]
    made = Dataset({tag: named.header.get_item(tag) for tag in named.header.keys()})  # noqa: SIM118 - iterating decodes
    made.SOPClassUID = sop_class_uid
    made.InstanceCreationDate = moment.strftime("%Y%m%d")
    made.InstanceCreationTime = moment.strftime("%H%M%S")
    made.Modality = modality
    made.SeriesInstanceUID = hashed_uid("series", kind, ENCODER_VERSION, named.study_instance_uid, origin.producer)
    made.SeriesNumber = number
    made.SeriesDescription = description
    made.InstanceNumber = instance_number
    made.Manufacturer = MANUFACTURER
    made.ManufacturerModelName = MODEL_NAME
    made.DeviceSerialNumber = origin.producer
    made.SoftwareVersions = ENCODER_VERSION
    return made


def references(sources: Sequence[SourceImage], inner: str) -> list[Dataset]:
    """Items of Referenced Series Sequence, one a series; `inner` is the keyword of the sequence of its instances."""
    series: dict[str, list[Dataset]] = {}
    for source in sources:
        series.setdefault(source.series_instance_uid, []).append(reference(source))
    items = []
    for uid, instances in series.items():
        item = Dataset()
        item.SeriesInstanceUID = uid
        setattr(item, inner, instances)
        items.append(item)
    return items


def reference(source: SourceImage) -> Dataset:
    """A reference to one source image (PS3.3 Table 10-11)."""
    item = Dataset()
    item.ReferencedSOPClassUID = source.sop_class_uid
    item.ReferencedSOPInstanceUID = source.sop_instance_uid
    return item


def seal(kind: ResultKind, made: Dataset, origin: Origin, transfer_syntax_uid: str) -> ResultObject:
    """Encode an object and give it its SOP Instance UID: a hash of all else in it and of what it was made from.

    So the same UID can never stand for other bytes, whatever changes in a library underneath.
    """
    character_set = made.get("SpecificCharacterSet")
    before, after = (
        encoded_elements(part, character_set) for part in (made[:_SOP_INSTANCE_UID], made[_SOP_INSTANCE_UID:])
    )
    uids = (source.sop_instance_uid for source in origin.sources)
    inputs = (*uids, *origin.digests, *origin.models, origin.producer, transfer_syntax_uid)
    uid = hashed_uid("object", kind, ENCODER_VERSION, *inputs, before, after)
    identified = Dataset()
    identified.SOPInstanceUID = UID(uid)
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(made.SOPClassUID)
    meta.MediaStorageSOPInstanceUID = identified.SOPInstanceUID
    meta.TransferSyntaxUID = UID(transfer_syntax_uid)
    meta.ImplementationClassUID = UID(IMPLEMENTATION)
    meta.ImplementationVersionName = f"CXR_RESULTS_{ENCODER_VERSION}"
    head = DicomBytesIO()
    head.write(b"\0" * 128 + b"DICM")
    write_file_meta_info(head, meta)
    return ResultObject(
        kind=kind,
        sop_class_uid=str(made.SOPClassUID),
        sop_instance_uid=uid,
        series_instance_uid=str(made.SeriesInstanceUID),
        study_instance_uid=origin.sources[0].study_instance_uid,
        transfer_syntax_uid=transfer_syntax_uid,
        instance_number=int(made.InstanceNumber),
        source_uids=tuple(source.sop_instance_uid for source in origin.sources),
        data=b"".join((head.getvalue(), before, encoded_elements(identified, None), after)),
    )
