"""Measurements as records and back."""

from __future__ import annotations

import json
from typing import Any

import pytest

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
from cxr_desktop.state.measurement_records import from_records, merged, to_records


def points(number: int) -> tuple[PixelPoint, ...]:
    return tuple(PixelPoint(1.25 * index, 100 / 3 - index) for index in range(number))


EVERY: tuple[Measurement, ...] = (
    *(kind(points=points(len(kind.prompts))) for kind in (Length, Angle, CobbAngle, Rectangle, Ellipse)),
    CardiothoracicRatio(points=points(6), comment="на вдохе; 吸気"),
    Calibration(points=points(2), length_mm=100.0),
)


def test_every_kind_comes_back_as_it_was() -> None:
    assert from_records(json.loads(json.dumps(to_records(EVERY)))) == EVERY


def test_what_another_window_drew_stays_and_what_was_deleted_here_goes() -> None:
    records = [{"id": letter, "kind": "Length"} for letter in "abc"]
    assert merged(records, records[:1], {"a", "b"}) == [records[0], records[2]]
    scales = [{"id": letter, "kind": "Calibration"} for letter in "xy"]
    assert merged([scales[0], records[0]], [scales[1]], {"y"}) == [scales[1], records[0]]
    assert merged(scales[:1], [], set()) == scales[:1]


def test_a_field_of_a_later_viewer_is_passed_over() -> None:
    record = to_records(EVERY[:1])[0] | {"colour": "red"}

    assert from_records([record]) == EVERY[:1]


def changed(**fields: Any) -> dict[str, Any]:
    return to_records(EVERY[:1])[0] | fields


@pytest.mark.parametrize(
    ("records", "found"),
    [
        ([None], "damaged stored measurements (a measurement that is no object)"),
        ([changed(version=None)], "damaged stored measurements (no version)"),
        ([changed(version=2)], "a stored measurement of version 2; expected version 1"),
        ([changed(kind="Volume")], "damaged stored measurements (a measurement of unknown kind)"),
        ([changed(points=[[1, 2], [3]])], "damaged stored measurements (a Length whose parts"),
        ([changed(points=[[1, 2], [3, "4"]])], "damaged stored measurements (a Length whose parts"),
        ([changed(points=[[1, 2], [3, float("inf")]])], "damaged stored measurements (a Length whose parts"),
        ([changed(points=7)], "damaged stored measurements (a Length whose parts"),
        ([changed(points=[[1, 2]])], "1 points of a measurement (Length)"),
        ([changed(id=5)], "damaged stored measurements (a Length whose parts"),
        ([changed(created="yesterday")], "damaged stored measurements (a Length whose parts"),
        ([changed(created="2026-01-01T00:00:00")], "a time without its time zone"),
        ([changed(comment=None)], "damaged stored measurements (a Length whose parts"),
        ([changed(), changed()], "damaged stored measurements (two of one id)"),
        ([*to_records(EVERY[-1:]), to_records(EVERY[-1:])[0] | {"id": "b"}], "damaged stored measurements (two cal"),
        ([to_records(EVERY[-1:])[0] | {"length_mm": "long"}], "damaged stored measurements (a Calibration whose"),
        ([{k: v for k, v in changed().items() if k != "points"}], "damaged stored measurements (a Length whose"),
    ],
)
def test_damage_is_said_in_one_line(records: list[object], found: str) -> None:
    with pytest.raises(MeasurementError) as error:
        from_records(records)
    assert str(error.value).startswith(found)
    assert "\n" not in str(error.value)
