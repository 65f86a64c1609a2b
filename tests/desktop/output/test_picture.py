"""Pictures: what the reader sees, at full resolution, in the type of the suffix, whole or not at all."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from cxr_core.errors import OutputError
from cxr_desktop.output.files import free_name, write_new
from cxr_desktop.output.picture import PictureOptions, ShownFilm, colours_of, encoded, picture_of, write_picture
from cxr_desktop.state.display import flipped_horizontally, inverted, rotated
from cxr_desktop.state.geometry import PixelPoint
from cxr_desktop.state.measurement import Length
from cxr_desktop.state.windowing import initial_display
from cxr_desktop.tools.layer import export_painter
from cxr_desktop.tools.measurements import MeasurementModel
from cxr_desktop.views.heat_map import HeatMapLayer
from tests.desktop.answers_builder import cam
from tests.desktop.films import film
from tests.dicom_builder import gradient

pytestmark = pytest.mark.usefixtures("qapp")

NAME = "SYNTHETIC^TEST"


def shown(level: int = 0, **attributes: object) -> ShownFilm:
    stored = gradient(rows=420, columns=360)
    loaded = film(stored, SeriesDescription="Synthetic", **attributes)
    record = replace(loaded.record, patient_name=NAME, patient_id="SYNTHETIC-T", study_date="20260101")
    loaded = replace(loaded, record=record)
    return ShownFilm(loaded, initial_display(loaded), corner_text_level=level)


BARE = PictureOptions(overlays=False)


def test_the_png_has_the_pixels_of_the_film_and_the_jpeg_nearly(tmp_path: Path) -> None:
    picture = picture_of(shown(), PictureOptions())
    write_picture(picture, tmp_path / "film.png")
    write_picture(picture, tmp_path / "film.JPG")
    png = cv2.imread(str(tmp_path / "film.png"), cv2.IMREAD_UNCHANGED)
    jpeg = cv2.imread(str(tmp_path / "film.JPG"), cv2.IMREAD_UNCHANGED)
    assert png is not None
    assert jpeg is not None
    assert png.shape == jpeg.shape == (420, 360, 3)
    np.testing.assert_array_equal(png, colours_of(picture))
    assert np.abs(png.astype(int) - jpeg).mean() < 2
    grey = png[100:300, 100:250]  # within: letters stand at the edges
    assert (grey[..., 0] == grey[..., 2]).all()
    expected = np.rint(gradient(rows=420, columns=360)[100:300, 100:250] / 4095 * 255)
    assert np.abs(grey[..., 0] - expected).max() <= 1


def test_the_type_of_the_file_is_that_of_its_suffix() -> None:
    picture = picture_of(shown(), PictureOptions())
    assert encoded(picture, ".PNG").startswith(b"\x89PNG\r\n")
    jpeg = encoded(picture, ".jpeg")
    assert jpeg.startswith(b"\xff\xd8\xff")
    at = jpeg.index(b"\xff\xc0") + 11  # SOF0: each component's sampling factors, all alike in 4:4:4 (ITU T.81 B.2.2)
    assert [jpeg[at + 3 * n] for n in range(3)] == [0x11, 0x11, 0x11]
    for suffix in ("", ".gif", ".pdf"):
        with pytest.raises(OutputError, match=r"\.png or \.jpg"):
            encoded(picture, suffix)


def test_window_inversion_turns_and_flips_are_those_of_the_reader() -> None:
    held = shown()
    upright = colours_of(picture_of(held, BARE)).astype(int)
    turned = picture_of(replace(held, display=rotated(held.display)), BARE)
    assert (turned.width(), turned.height()) == (420, 360)
    colours = colours_of(turned).astype(int)
    np.testing.assert_array_equal(colours[150:300, 150:250], np.rot90(upright, -1)[150:300, 150:250])
    mirrored = colours_of(picture_of(replace(held, display=flipped_horizontally(held.display)), BARE)).astype(int)
    np.testing.assert_array_equal(mirrored[150:300, 100:250], upright[:, ::-1][150:300, 100:250])
    black = colours_of(picture_of(replace(held, display=inverted(held.display)), BARE)).astype(int)
    np.testing.assert_array_equal(black[150:300, 100:250], 255 - upright[150:300, 100:250])


def test_a_flipped_film_bears_its_mark_whatever_is_left_out() -> None:
    held = shown()
    state = flipped_horizontally(held.display)
    nothing = PictureOptions(patient_text=False, overlays=False)
    colours = colours_of(picture_of(replace(held, display=state), nothing)).astype(int)
    amber = (colours[..., 2] > 200) & (colours[..., 0] < 150)
    assert amber.sum() > 50
    plain = colours_of(picture_of(held, nothing)).astype(int)
    assert not ((plain[..., 2] > 200) & (plain[..., 0] < 150)).any()


def test_map_and_measurements_are_on_it_unless_left_out() -> None:
    held = shown()
    model = MeasurementModel(held.loaded)
    model.add(Length(points=(PixelPoint(60, 200), PixelPoint(300, 200))))
    full = replace(held, heat_map=HeatMapLayer(cam(), label="PNEUMONIA"), paint_measurements=export_painter(model))
    bare = colours_of(picture_of(held, PictureOptions()))
    np.testing.assert_array_equal(colours_of(picture_of(full, PictureOptions(overlays=False))), bare)
    only_map = colours_of(picture_of(replace(full, paint_measurements=None), PictureOptions()))
    only_lines = colours_of(picture_of(replace(full, heat_map=None), PictureOptions()))
    warm = slice(280, 310), slice(95, 125)  # where the map is warmest: row 0.7, column 0.3
    assert (only_map[warm] != bare[warm]).any(axis=-1).mean() > 0.9
    line = slice(198, 203), slice(100, 260)
    assert (only_lines[line] != bare[line]).any(axis=-1).mean() > 0.5


def test_without_patient_text_another_patient_gives_the_same_picture() -> None:
    held = shown(level=2)
    record = replace(held.loaded.record, patient_name="OTHER^PERSON", patient_id="77", study_date="19990909")
    other = replace(held, loaded=replace(held.loaded, record=replace(record, institution="ELSEWHERE")))
    hidden = PictureOptions(patient_text=False)
    assert picture_of(held, hidden) == picture_of(other, hidden)
    assert picture_of(held, PictureOptions()) != picture_of(other, PictureOptions())
    assert picture_of(held, hidden) != picture_of(replace(held, corner_text_level=0), hidden)  # the window stays


def test_overlay_planes_may_hold_names_and_go_with_them() -> None:
    plane = np.zeros((420, 360), np.uint8)
    plane[50:90, 50:300] = 1
    held = shown()
    assert held.loaded.data_set is not None
    data = held.loaded.data_set
    for element, vr, value in (
        (0x0010, "US", 420),
        (0x0011, "US", 360),
        (0x0040, "CS", "G"),
        (0x0050, "SS", [1, 1]),
        (0x0100, "US", 1),
        (0x0102, "US", 0),
        (0x3000, "OW", np.packbits(plane, bitorder="little").tobytes()),
    ):
        data.add_new((0x6000, element), vr, value)
    bare = picture_of(held, PictureOptions(overlays=False))
    assert picture_of(held, PictureOptions()) != bare
    assert picture_of(held, PictureOptions(patient_text=False)) == bare


@pytest.mark.parametrize(
    ("number", "words"), [(errno.ENOSPC, "full disk"), (errno.EROFS, "read-only"), (errno.EACCES, "may not be written")]
)
def test_a_disk_that_takes_nothing_is_told_and_nothing_is_left(
    number: int, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = picture_of(shown(), PictureOptions())
    (tmp_path / "film.png").write_bytes(b"what was there")
    monkeypatch.setattr(os, "write", _failing_after(1000, number))
    with pytest.raises(OutputError, match=words) as raised:
        write_picture(picture, tmp_path / "film.png")
    assert str(tmp_path) not in str(raised.value)
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ""] == ["film.png"]
    assert (tmp_path / "film.png").read_bytes() == b"what was there"


def test_a_name_that_is_taken_is_never_lost(tmp_path: Path) -> None:
    assert write_new(tmp_path / "a.dcm", b"one", b"two")
    assert not write_new(tmp_path / "a.dcm", b"onetwo")
    with pytest.raises(OutputError, match="other content"):
        write_new(tmp_path / "a.dcm", b"three")
    assert (tmp_path / "a.dcm").read_bytes() == b"onetwo"
    assert free_name(tmp_path, "a", ".dcm").name == "a-2.dcm"
    assert free_name(tmp_path, "b", ".dcm").name == "b.dcm"


def test_a_large_film_is_encoded_in_a_thread(qtbot: QtBot, tmp_path: Path) -> None:
    from cxr_desktop.workers.task import run

    picture = picture_of(shown(), PictureOptions())
    task = run(write_picture, picture, tmp_path / "film.png")
    with qtbot.waitSignal(task.result):
        pass
    assert cv2.imread(str(tmp_path / "film.png")) is not None


def _failing_after(count: int, number: int) -> object:
    real, written = os.write, [0]

    def write(descriptor: int, data: bytes) -> int:
        if written[0] >= count:
            raise OSError(number, os.strerror(number))
        written[0] += count
        return real(descriptor, data[:count])

    return write
