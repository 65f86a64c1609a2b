"""Identifiers of queries and retrievals (PS3.4 C.4): what is looked for, in characters that the peer can read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pydicom import config
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from cxr_core.errors import SettingsError
from dicom_node.peers.match import Level

Keys = Mapping[str, str | Sequence[str]]
"""DICOM keyword to what is looked for: a value, one with wildcards * and ?, a range with a hyphen, a list of UIDs."""

#: SOP classes of the information models: (Patient Root, Study Root) (PS3.4 C.6).
FIND = ("1.2.840.10008.5.1.4.1.2.1.1", "1.2.840.10008.5.1.4.1.2.2.1")
MOVE = ("1.2.840.10008.5.1.4.1.2.1.2", "1.2.840.10008.5.1.4.1.2.2.2")
GET = ("1.2.840.10008.5.1.4.1.2.1.3", "1.2.840.10008.5.1.4.1.2.2.3")


def model(service: tuple[str, str], level: Level) -> str:
    """The information model of a level: Study Root knows no PATIENT level."""
    return service[0] if level is Level.PATIENT else service[1]


def identifier(level: Level, keys: Keys, asked_back: Iterable[str] = ()) -> Dataset:
    """The identifier. Raises SettingsError for a key that is no DICOM keyword.

    Specific Character Set is given only where a key is not ASCII (PS3.4 C.4.1.1.3.1): not every peer takes it.
    """
    data_set = Dataset()
    if not all(value.isascii() for value in map(_joined, keys.values())):
        data_set.SpecificCharacterSet = "ISO_IR 192"
    data_set.QueryRetrieveLevel = level.value
    for keyword in asked_back:
        _add(data_set, keyword, "")
    for keyword, value in keys.items():
        _add(data_set, keyword, _joined(value))
    return data_set


def check_keys(keys: Keys) -> None:
    """Raise SettingsError for a key that is no DICOM keyword."""
    for keyword in keys:
        _tag(keyword)


def _joined(value: str | Sequence[str]) -> str:
    return value if isinstance(value, str) else "\\".join(value)


def _add(data_set: Dataset, keyword: str, value: str) -> None:
    tag = _tag(keyword)
    # Wildcards and ranges are no values of their VR, so nothing is validated.
    data_set.add(DataElement(tag, dictionary_VR(tag), value, validation_mode=config.IGNORE))


def _tag(keyword: str) -> int:
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise SettingsError(f"the query key {keyword}", "a DICOM keyword such as PatientID")
    return tag
