"""Looks into a header that may be damaged: what cannot be had is absent."""

from __future__ import annotations

import math
import struct
from typing import Any

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

#: What pydicom raises on damage, for it converts an element when it is asked for it.
DAMAGE = (
    AttributeError,
    EOFError,
    LookupError,
    NotImplementedError,
    OSError,
    OverflowError,
    TypeError,
    ValueError,
    struct.error,
)


def value_of(data_set: Dataset | None, keyword: str) -> Any:
    """The value of an element; None where it is absent or pydicom cannot convert it."""
    if data_set is None:
        return None
    try:
        return data_set.get(keyword)
    except DAMAGE:
        return None


def values_of(data_set: Dataset | None, keyword: str) -> list[Any]:
    """The values of an element of any multiplicity; [] where there is none."""
    value = value_of(data_set, keyword)
    if value is None or value == "" or value == b"":
        return []
    return list(value) if isinstance(value, (MultiValue, list, tuple)) else [value]


def numbers_of(data_set: Dataset | None, keyword: str) -> list[float]:
    """The values of an element as numbers; [] when one of them is no finite number."""
    try:
        numbers = [float(value) for value in values_of(data_set, keyword)]
    except (TypeError, ValueError, OverflowError):
        return []
    return numbers if all(math.isfinite(number) for number in numbers) else []


def items_of(data_set: Dataset | None, keyword: str) -> list[Dataset]:
    """The items of a sequence; [] where something else stands in its place."""
    value = value_of(data_set, keyword)
    if value is None or isinstance(value, (str, bytes)) or not hasattr(value, "__iter__"):
        return []
    return [item for item in value if isinstance(item, Dataset)]


def text_of(data_set: Dataset | None, keyword: str, *, longest: int = 64) -> str:
    """The value as text in one line, printable, not endless; "" where it is absent."""
    return one_line(value_of(data_set, keyword), longest=longest)


def one_line(value: object, *, longest: int = 64) -> str:
    """What may stand in a menu or a corner of what a header holds."""
    text = "".join(letter if letter.isprintable() else " " for letter in str("" if value is None else value))
    return " ".join(text.split())[:longest]
