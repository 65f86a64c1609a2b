"""One image from its name to decoded pixels: what a view shows."""

from __future__ import annotations

from pydicom.dataset import Dataset

from cxr_core.chest_image import ChestImage
from cxr_core.errors import ImageReadError
from cxr_core.pipeline import enough_memory
from cxr_core.reading.dicom_file import damage_told, parse
from cxr_core.reading.header import Header
from cxr_core.reading.read import read_with_data_set
from cxr_core.reading.sources import read_named
from cxr_core.settings import ReadLimits
from cxr_desktop.state.records import InstanceRecord, LoadedImage
from cxr_desktop.workers.listing import record_of_header

#: What has to be as it was listed, where that was said: a film that was replaced is another one, whatever its name.
_IDENTITY = (
    "study_instance_uid",
    "patient_id",
    "issuer",
    "patient_name",
    "patient_birth_date",
    "study_date",
)


def load(record: InstanceRecord) -> LoadedImage:
    """Read and decode the image of a record, in any thread; its record is that of the content which was read.

    Raises
    ------
    ImageReadError
        It cannot be read, is gone, holds no single picture, or is not the object that was listed.
    """
    with enough_memory():
        content = read_named(record.name)
        image, data_set = read_with_data_set(content, ReadLimits())
        found = record_of_header(record.name, Header(image.facts, data_set, None))
        _check(record, found, image)
        return LoadedImage(found, image, image.stored, data_set, content)


def load_data_set(name: str) -> Dataset:
    """All elements of a file that need not be an image. Raises ImageReadError, also for a JPEG or PNG."""
    with enough_memory(), damage_told():
        return parse(read_named(name), ReadLimits())[0]


def _check(record: InstanceRecord, found: InstanceRecord, image: ChestImage) -> None:
    same = all(getattr(record, name) in ("", getattr(found, name)) for name in _IDENTITY)
    if not same or found.sop_instance_uid != record.sop_instance_uid:
        raise ImageReadError("another object than was listed under this name", "the same one", "list the files again")
    if image.facts.frames > 1:
        raise ImageReadError(f"an object of {image.facts.frames} frames", "a single image", "open it elsewhere")
    if image.source is None:
        raise ImageReadError("an object without a picture", "an image", "look at its tags instead")
