"""Headers that cannot be true, and films of unusual shape, in the window: shown, measured honestly, never a crash."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from PySide6.QtGui import QImage

from cxr_desktop.state.geometry import PixelPoint
from cxr_desktop.state.measurement import Length, Rectangle
from cxr_desktop.window.station import Station
from tests.desktop.window.conftest import Opener, write_study
from tests.dicom_builder import build, gradient

Shows = Callable[[Station, Path | str], None]
LONG = "W" * 3000


def lut(descriptor: list[int], data: list[int]) -> list[Dataset]:
    item = Dataset()
    item.LUTDescriptor, item.LUTData = descriptor, struct.pack(f"<{len(data)}H", *data)
    return [item]


def raw(keyword_value: bytes, replacement: bytes, **attributes: Any) -> bytes:
    """A file in which the bytes of a value are replaced by others of the same length."""
    content = build(**attributes)
    assert content.count(keyword_value) == 1
    assert len(keyword_value) == len(replacement)
    return content.replace(keyword_value, replacement)


def films() -> dict[str, bytes]:
    window = {"WindowCenter": 2000, "WindowWidth": 7654}
    found = {
        "width-0": build(WindowCenter=2000, WindowWidth=0),
        "width-half": build(WindowCenter=2000, WindowWidth=0.5),
        "width-negative": build(WindowCenter=2000, WindowWidth=-400),
        "width-nan": raw(b"7654", b"nan ", **window),
        "width-inf": raw(b"7654", b"inf ", **window),
        "width-words": raw(b"7654", b"wide", **window),
        "width-huge": raw(b"7654", b"1e99", **window),
        "width-alone": build(WindowWidth=400),
        "widths-more": build(WindowCenter=[2000, 100], WindowWidth=[400, 100, 7]),
        "lut-empty": build(VOILUTSequence=lut([0, 0, 16], [])),
        "lut-short": build(VOILUTSequence=lut([4096, 0, 12], [1, 2, 3])),
        "lut-bits": build(VOILUTSequence=lut([2, 0, 99], [1, 2])),
        "lut-no-data": build(VOILUTSequence=[Dataset()]),
        "slope-0": build(RescaleSlope=0, RescaleIntercept=0),
        "slope-tiny": build(RescaleSlope="1e-30", RescaleIntercept=0),
        "aspect-0": build(PixelAspectRatio=[0, 0]),
        "aspect-long": build(PixelAspectRatio=[1, 100000]),
        "aspect-words": raw(b"17\\19 ", b"a\\bcde", PixelAspectRatio=[17, 19]),
        "constant": build(np.full((96, 80), 7)),
        "constant-0": build(np.zeros((96, 80), np.int32)),
        "padding-all": build(np.full((96, 80), 7), PixelPaddingValue=7),
        "one-row": build(gradient(1, 80)),
        "one-column": build(gradient(96, 1)),
        "one-pixel": build(np.array([[9]])),
        "8-bit": build(gradient(bits=8), bits_stored=8),
        "signed": build(signed=True),
        "signed-8-bit": build(gradient(bits=8, low=-128), bits_stored=8, signed=True),
        "narrow": build(gradient(4000, 2)),
        "inverse": build(photometric="MONOCHROME1", PresentationLUTShape="INVERSE"),
    }
    for name, (set_, text) in {
        "cyrillic": ("ISO_IR 144", "Иванов^Пётр"),
        "ideographic": ("ISO_IR 192", "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        "wrong-set": ("ISO_IR 999", "A^B"),
        "arabic": ("ISO_IR 192", "محمد^علي"),
        "long": ("ISO_IR 192", LONG),
    }.items():
        found[f"name-{name}"] = build(SpecificCharacterSet=set_, PatientName=text, PatientID=f"ID-{name}")
    found["name-undeclared"] = raw(b"QQQQQQQQ", "Пётр".encode(), PatientName="QQQQQQQQ")
    found["name-control"] = raw(b"QQQQQQQQ", b"A\n\x1b[2J\0B", PatientName="QQQQQQQQ")
    found["texts-long"] = build(
        SpecificCharacterSet="ISO_IR 192", PatientID=LONG, StudyDescription=LONG, InstitutionName=LONG,
        AccessionNumber=LONG, SeriesDescription=LONG, BodyPartExamined="CHEST", PatientName=LONG, StudyDate=LONG,
        PatientBirthDate=LONG, ViewPosition=LONG, ProtocolName=LONG,
    )  # fmt: skip
    return found


@pytest.mark.slow
def test_headers_and_shapes_that_are_shown_all_the_same(
    open_station: Opener, shows: Shows, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    station = open_station()
    window, area = station.window, station.viewing.area
    for dock in window.docks.values():
        dock.show()
    size = window.size()
    for number, (name, content) in enumerate(films().items()):
        path = tmp_path / "in" / f"{name}.dcm"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content.replace(b"2.25.1001", f"2.25.{2000 + number}".encode()))
        station.opening.open([str(path)])
        shows(station, path)
        for command in ("auto_window", "next_voi", "next_voi", "preset_2", "invert", "rotate_right", "flip",
                        "one_to_one", "zoom_in", "fit", "corner_text", "corner_text", "preset_0"):  # fmt: skip
            window.actions_[command].trigger()
            view = area.current.view
            assert view.display is not None
            image = view.grab().toImage()
            assert image.format() != QImage.Format.Format_Invalid
        model, loaded = area.current.model, area.current.loaded
        assert model is not None
        assert loaded is not None
        columns, rows = loaded.stored.shape[1], loaded.stored.shape[0]
        model.add(Length(points=(PixelPoint(0, 0), PixelPoint(columns, rows))))
        model.add(Rectangle(points=(PixelPoint(0, 0), PixelPoint(columns, rows))))
        assert "nan" not in "".join(station.viewing.measurements.text())
        view.grab()
        model.clear()
        window.actions_["reset"].trigger()
        assert "went wrong" not in "".join(window.messages.texts()), name
    assert window.size() == size, "a long text made the window grow"
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize("spacing", [[0, 0], [0, 0.2], [-0.1, -0.1], ["1e-40", "1e-40"], ["1e300", "1e300"]], ids=str)
def test_a_spacing_that_cannot_be_is_measured_in_pixels_and_said(
    open_station: Opener, shows: Shows, tmp_path: Path, spacing: list[float]
) -> None:
    path = write_study(tmp_path / "a.dcm", 1, PixelSpacing=spacing, ImagerPixelSpacing=spacing)
    station = open_station(path)
    shows(station, path)
    model = station.viewing.area.current.model
    assert model is not None
    model.add(Length(points=(PixelPoint(10, 10), PixelPoint(40, 50))))
    (value,) = station.viewing.measurements.text()
    assert "50.0 px" in value
    assert "mm" not in value
    assert "pacing" in "".join(station.window.messages.texts()), "why there are no millimetres"
