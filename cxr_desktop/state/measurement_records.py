"""Measurements as records of JSON and back: what the index keeps of an image."""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Sequence
from datetime import datetime
from typing import Any

from cxr_desktop.state.geometry import PixelPoint
from cxr_desktop.state.measurement import (
    Angle,
    Calibration,
    CardiothoracicRatio,
    CobbAngle,
    Ellipse,
    Length,
    Measurement,
    MeasurementError,
    Rectangle,
)

VERSION = 1

_KINDS: dict[str, type[Measurement]] = {
    kind.__name__: kind for kind in (Length, Angle, CobbAngle, Rectangle, Ellipse, CardiothoracicRatio, Calibration)
}


def to_records(measurements: Iterable[Measurement]) -> list[dict[str, Any]]:
    """The measurements of one image, in their order; each record says its version."""
    return [_record(one) for one in measurements]


def _record(measurement: Measurement) -> dict[str, Any]:
    record: dict[str, Any] = {
        "version": VERSION,
        "kind": type(measurement).__name__,
        "id": measurement.id,
        "created": measurement.created.isoformat(),
        "points": [[point.x, point.y] for point in measurement.points],
        "comment": measurement.comment,
    }
    if isinstance(measurement, Calibration):
        record["length_mm"] = measurement.length_mm
    return record


def from_records(records: Iterable[object]) -> tuple[Measurement, ...]:
    """The measurements that `to_records` wrote; fields that are not known are passed over.

    Raises
    ------
    MeasurementError
        A record is damaged, or of a later version that could be misread, or lost when it is written again.
    """
    measurements = tuple(_measurement(record) for record in records)
    if len({one.id for one in measurements}) != len(measurements):
        raise _damaged("two of one id")
    if sum(isinstance(one, Calibration) for one in measurements) > 1:
        raise _damaged("two calibrations")
    return measurements


def merged(
    stored: Iterable[dict[str, Any]], mine: Sequence[dict[str, Any]], known: Container[str]
) -> list[dict[str, Any]]:
    """My records, and behind them those that are stored and that I never knew: another window drew them meanwhile.

    A calibration of mine takes the place of one that I never knew: an image has one.
    """
    kinds = {record["kind"] for record in mine}
    others = [
        record
        for record in stored
        if record.get("id") not in known and not (record.get("kind") == Calibration.__name__ in kinds)
    ]
    return [*mine, *others]


def _measurement(record: object) -> Measurement:
    if not isinstance(record, dict):
        raise _damaged("a measurement that is no object")
    version = record.get("version")
    if isinstance(version, int) and version > VERSION:
        found = f"a stored measurement of version {version}"
        raise MeasurementError(found, f"version {VERSION}", "open it with the viewer that stored it")
    if version != VERSION:
        raise _damaged("no version")
    kind = _KINDS.get(str(record.get("kind")))
    if kind is None:
        raise _damaged("a measurement of unknown kind")
    try:
        fields: dict[str, Any] = {
            "id": _text(record["id"]),
            "created": datetime.fromisoformat(_text(record["created"])),
            "points": tuple(PixelPoint(_number(x), _number(y)) for x, y in record["points"]),
            "comment": _text(record.get("comment", "")),
        }
        if kind is Calibration:
            fields["length_mm"] = _number(record["length_mm"])
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(f"a {kind.title} whose parts are missing or of another kind") from error
    return kind(**fields)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise TypeError
    return float(value)


def _damaged(found: str) -> MeasurementError:
    return MeasurementError(f"damaged stored measurements ({found})", "what this viewer wrote", "draw them again")
