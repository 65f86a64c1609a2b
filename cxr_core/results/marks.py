"""Our mark on every object that we make, and whether an object carries it: what comes back is not analysed again."""

from __future__ import annotations

from pydicom.dataset import Dataset

#: General Equipment (PS3.3 C.7.5.1, C.7.5.2) of every result object.
MANUFACTURER = "CXR assistant"
MODEL_NAME = "CXR assistant results"


def is_result(data_set: Dataset) -> bool:
    """Whether an object is one of ours, or was made from one by a device that names us as a contributor.

    Told by the equipment, or by an item of Contributing Equipment Sequence (PS3.3 C.12.1), never by Image Type: real
    films may be DERIVED. Text is compared without case and padding, as archives put it right.
    """
    return _is_ours(data_set) or any(_is_ours(item) for item in data_set.get("ContributingEquipmentSequence") or ())


def _is_ours(equipment: Dataset) -> bool:
    values = (str(equipment.get(keyword) or "") for keyword in ("Manufacturer", "ManufacturerModelName"))
    return [value.strip(" \0").casefold() for value in values] == [MANUFACTURER.casefold(), MODEL_NAME.casefold()]
