"""The scanning process: what it lists and draws arrives in the window's thread, and it can be stopped."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtGui import QImage
from pytestqt.qtbot import QtBot

from cxr_desktop.state.index import Index
from cxr_desktop.workers.scan_messages import Listed, MakeThumbnails
from cxr_desktop.workers.scanning import Scanner, Thumbnails
from cxr_desktop.workers.thumbnail import SIDE, make_thumbnails, picture_of
from tests.dicom_builder import build, gradient

_PATIENCE_MS = 60_000


@pytest.fixture
def scanner(qtbot: QtBot, tmp_path: Path) -> Iterator[Scanner]:
    scanner = Scanner(tmp_path / "index.sqlite")
    yield scanner
    scanner.stop()


@pytest.fixture
def thumbnails(qtbot: QtBot) -> Iterator[Thumbnails]:
    thumbnails = Thumbnails(None)
    yield thumbnails
    thumbnails.stop()


def test_lists_one_request_after_the_other(qtbot: QtBot, scanner: Scanner, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.dcm").write_bytes(build(PatientID=name))
    batches: list[Listed] = []
    scanner.listed.connect(batches.append)
    scanner.scan([str(tmp_path / "a.dcm")])
    scanner.scan([str(tmp_path / "b.dcm"), str(tmp_path / "gone.dcm")])
    assert scanner.busy
    with qtbot.waitSignals([scanner.ended, scanner.ended], timeout=_PATIENCE_MS):
        pass
    assert not scanner.busy
    found = [record for batch in batches for record in batch.records]
    assert [(record.patient_id, record.kind) for record in found] == [("a", "image"), ("b", "image"), ("", "failed")]


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """A folder of so many films that its listing takes a while."""
    folder = tmp_path / "many"
    folder.mkdir()
    (folder / "0.dcm").write_bytes(build(gradient(8, 8)))
    for number in range(1, 3000):
        os.link(folder / "0.dcm", folder / f"{number}.dcm")
    return folder


def test_cancelled_listing_sends_nothing_more_and_the_next_one_works(
    qtbot: QtBot, scanner: Scanner, many: Path
) -> None:
    with qtbot.waitSignal(scanner.listed, timeout=_PATIENCE_MS):
        scanner.scan([str(many)])
    scanner.cancel()
    assert not scanner.busy
    batches: list[Listed] = []
    scanner.listed.connect(batches.append)
    with qtbot.waitSignal(scanner.ended, timeout=_PATIENCE_MS):
        scanner.scan([str(many / "0.dcm")])
    assert [batch.done for batch in batches] == [1]


def test_killed_process_is_told_and_replaced(qtbot: QtBot, scanner: Scanner, many: Path) -> None:
    with qtbot.waitSignal(scanner.listed, timeout=_PATIENCE_MS):
        scanner.scan([str(many)])
    pid = scanner._child.pid
    assert pid is not None
    with qtbot.waitSignal(scanner.ended, timeout=_PATIENCE_MS) as ended:
        os.kill(pid, signal.SIGKILL)
    assert ended.args is not None
    assert ended.args[0].startswith("the process that worked on this ended (SIGKILL)")
    assert not scanner.busy
    with qtbot.waitSignal(scanner.ended, timeout=_PATIENCE_MS) as ended:
        scanner.scan([str(many / "0.dcm")])
    assert ended.args == [""]


def test_thumbnails_arrive_and_what_has_none_is_null(qtbot: QtBot, thumbnails: Thumbnails, tmp_path: Path) -> None:
    names = []
    for number in range(6):
        names.append(str(tmp_path / f"{number}.dcm"))
        Path(names[-1]).write_bytes(build(gradient(400, 300)))
    Path(names[3]).write_bytes(b"no image")
    sizes: dict[str, tuple[int, int]] = {}

    def note(name: str, image: QImage) -> None:
        sizes[name] = (image.width(), image.height())

    thumbnails.ready.connect(note)
    thumbnails.want(names)
    qtbot.waitUntil(lambda: len(sizes) == 6, timeout=_PATIENCE_MS)
    assert list(sizes) == names
    assert sizes.pop(names[3]) == (0, 0)
    assert set(sizes.values()) == {(72, 96)}


def test_what_is_wanted_last_comes_first(qtbot: QtBot, thumbnails: Thumbnails, tmp_path: Path) -> None:
    names = [str(tmp_path / f"{number}.dcm") for number in range(20)]
    for name in names:
        Path(name).write_bytes(build())
    order: list[str] = []
    thumbnails.ready.connect(lambda name, image: order.append(name))
    thumbnails.want(names)
    thumbnails.want(names[10:12])
    qtbot.waitUntil(lambda: names[11] in order, timeout=_PATIENCE_MS)
    assert order == [*names[:4], *names[10:12]]


def test_picture_follows_the_grayscale_table_and_the_pixel_aspect(tmp_path: Path) -> None:
    stored = np.zeros((100, 100), np.uint16)
    stored[:, 50:] = 4095
    path = tmp_path / "a.dcm"
    path.write_bytes(build(stored, photometric="MONOCHROME1", PixelSpacing=[2.0, 1.0]))
    image = QImage.fromData(picture_of(str(path)))
    assert (image.width(), image.height()) == (SIDE // 2, SIDE)
    assert image.isGrayscale()
    assert [image.pixelColor(x, 48).red() for x in (5, 40)] == [255, 0]


def test_kept_thumbnail_is_used_until_the_file_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, index = tmp_path / "a.dcm", tmp_path / "index.sqlite"
    path.write_bytes(build(gradient(100, 50)))
    request = MakeThumbnails((str(path),), str(index))
    (first,) = make_thumbnails(request)
    with monkeypatch.context() as patch:
        patch.setattr("cxr_desktop.workers.thumbnail.picture_of", lambda name: b"made again")
        (second,) = make_thumbnails(request)
        assert second == first
        path.write_bytes(build(gradient(50, 100)))
        (third,) = make_thumbnails(request)
    assert third.png == b"made again"
    kept = Index(index, lambda words: None)
    status = path.stat()
    assert kept.thumbnail_of(str(path), f"{status.st_mtime_ns}-{status.st_size}") == b"made again"
    kept.close()


def test_what_is_cancelled_is_not_kept(qtbot: QtBot, thumbnails: Thumbnails, tmp_path: Path) -> None:
    first, second, index = tmp_path / "a.dcm", tmp_path / "b.dcm", tmp_path / "index.sqlite"
    for path in (first, second):
        path.write_bytes(build(gradient(100, 50)))
    made: list[str] = []
    thumbnails.ready.connect(lambda name, _: made.append(name))
    thumbnails.index = index
    thumbnails.want([str(first)])
    thumbnails.cancel()
    thumbnails.want([str(second)])
    qtbot.waitUntil(lambda: str(second) in made, timeout=_PATIENCE_MS)
    kept = Index(index, lambda words: None)
    held = [
        kept.thumbnail_of(str(path), f"{path.stat().st_mtime_ns}-{path.stat().st_size}") for path in (first, second)
    ]
    kept.close()
    assert made == [str(second)]
    assert [one is None for one in held] == [True, False]
