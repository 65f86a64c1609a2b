"""Listing, index and browser together, with real files and real processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from cxr_desktop.panels.study_browser import StudyBrowser
from cxr_desktop.panels.study_listing import StudyListing
from cxr_desktop.state.index import Index
from tests.dicom_builder import build, gradient

_PATIENCE_MS = 60_000


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    index = Index(tmp_path / "index.sqlite", lambda words: None)
    yield index
    index.close()


@pytest.fixture
def listing(qtbot: QtBot, index: Index) -> Iterator[StudyListing]:
    browser = StudyBrowser()
    qtbot.addWidget(browser)
    browser.resize(340, 700)
    with qtbot.waitExposed(browser):
        browser.show()
    listing = StudyListing(browser, index)
    yield listing
    listing.stop()


def film(path: Path, number: int, date: str) -> Path:
    path.write_bytes(
        build(gradient(200, 160), SOPInstanceUID=f"2.25.{number}", StudyInstanceUID=f"2.25.9{number}", StudyDate=date)
    )
    return path


def test_a_folder_with_its_pictures_its_recent_list_and_its_prior(
    qtbot: QtBot, listing: StudyListing, index: Index, tmp_path: Path
) -> None:
    folder = tmp_path / "day"
    folder.mkdir()
    film(folder / "old.dcm", 1, "20200101")
    film(folder / "new.dcm", 2, "20240101")
    (folder / "bad.dcm").write_bytes(b"")
    with qtbot.waitSignal(listing.ended, timeout=_PATIENCE_MS):
        listing.browser.dropped.emit([str(folder)])
        assert listing.busy
        assert listing.browser.progress.isVisible()
    assert not listing.browser.progress.isVisible()
    assert listing.browser.status.text() == "Files: 3, could not be read: 1"
    new = listing.browser.model.browser.record(str(folder / "new.dcm"))
    old = listing.browser.model.browser.record(str(folder / "old.dcm"))
    assert new is not None
    prior = listing.prior_of(new)
    assert prior is not None
    assert prior.record == old
    qtbot.waitUntil(lambda: not listing.browser.model.wants_thumbnail(new), timeout=_PATIENCE_MS)
    listing.note_opened(new)
    assert [action.toolTip() for action in listing.browser.recent_button.menu().actions()] == [new.name]
    assert index.recent() == [new]
    assert len(index.search("")) == 3


def test_removed_from_the_list_is_removed_from_the_index(
    qtbot: QtBot, listing: StudyListing, index: Index, tmp_path: Path
) -> None:
    path = film(tmp_path / "a.dcm", 1, "20200101")
    with qtbot.waitSignal(listing.ended, timeout=_PATIENCE_MS):
        listing.open([str(path)])
    listing.browser.tree.setCurrentIndex(listing.browser.model.index(0, 0))
    listing.browser.actions_["remove"].trigger()
    assert index.search("") == []
    assert path.exists()


def test_clear_forgets_everything_while_listing(
    qtbot: QtBot, listing: StudyListing, index: Index, tmp_path: Path
) -> None:
    folder = tmp_path / "day"
    folder.mkdir()
    first = film(folder / "0.dcm", 1, "20200101")
    for number in range(1, 2000):
        (folder / f"{number}.dcm").hardlink_to(first)
    with qtbot.waitSignal(listing.listed, timeout=_PATIENCE_MS):
        listing.open([str(folder)])
    with qtbot.waitSignal(listing.ended):
        listing.clear()
    assert not listing.busy
    assert len(listing.browser.model.browser) == 0
    assert index.search("") == []


def test_what_cannot_be_kept_is_told_and_stays_listed(
    qtbot: QtBot, listing: StudyListing, index: Index, tmp_path: Path
) -> None:
    path = film(tmp_path / "a.dcm", 1, "20200101")
    with qtbot.waitSignal(listing.ended, timeout=_PATIENCE_MS):
        listing.open([str(path)])
    (record,) = listing.browser.model.browser.records()
    index._connection.execute("PRAGMA query_only = 1")
    with qtbot.waitSignal(listing.trouble) as told:
        listing.note_opened(record)
    assert told.args is not None
    assert told.args[0].startswith("an index that cannot be used (SQLITE_READONLY)")
    assert len(listing.browser.model.browser) == 1
