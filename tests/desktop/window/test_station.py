"""The reading station as a whole, driven by its commands: what a reader does from opening to closing."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from cxr_core.samples import sample_folder
from cxr_desktop.state.geometry import PixelPoint
from cxr_desktop.state.measurement import Length
from cxr_desktop.window.station import Station
from tests.desktop.window.conftest import PATIENCE, Opener, unique_uid, write_study

Shows = Callable[[Station, Path | str], None]


def messages(station: Station) -> str:
    return "\n".join(station.window.messages.texts())


def test_the_first_page_opens_the_samples_in_one_click(open_station: Opener, shows: Shows, qtbot: QtBot) -> None:
    station = open_station()
    page = station.window.middle.currentWidget()
    qtbot.mouseClick(page.samples, Qt.MouseButton.LeftButton)
    shows(station, sample_folder() / "synthetic-1-child.dcm")
    qtbot.waitUntil(lambda: len(station.opening.browser.model.browser) == 5, timeout=PATIENCE)
    assert station.window.middle.currentWidget() is station.viewing.area


def test_commands_change_how_the_film_is_shown(open_station: Opener, shows: Shows, tmp_path: Path) -> None:
    path = write_study(tmp_path / "a.dcm", 1)
    station = open_station(path)
    shows(station, path)
    view, actions = station.viewing.area.current.view, station.window.actions_
    first = view.display
    for name in ("invert", "rotate_right", "flip", "one_to_one", "auto_window"):
        actions[name].trigger()
    changed = view.display
    assert changed is not None
    assert first is not None
    assert (changed.inverted, changed.flipped, changed.quarter_turns) == (True, True, 3)
    assert (changed.zoom, changed.voi != first.voi) == (1.0, True)
    actions["reset"].trigger()
    assert view.display == first
    for number in range(1, 7):
        actions[f"preset_{number}"].trigger()
        assert view.display != first, number
    actions["preset_0"].trigger()
    assert view.display == first


def test_an_answer_comes_when_it_is_asked_for_and_its_map_when_that_is_asked_for(
    open_station: Opener, shows: Shows, qtbot: QtBot, tmp_path: Path
) -> None:
    path = write_study(tmp_path / "a.dcm", 1)
    station = open_station(path)
    shows(station, path)
    pane, actions = station.viewing.area.current, station.window.actions_
    assert not pane.answers
    assert not actions["show_map"].isEnabled()
    actions["ask"].trigger()
    qtbot.waitUntil(lambda: bool(pane.answers), timeout=PATIENCE)
    assert pane.view.heat_map is None
    assert "score" in pane.verdict()
    actions["show_map"].trigger()
    assert pane.view.heat_map is not None
    actions["agree"].trigger()
    film = pane.loaded
    assert film is not None
    qtbot.waitUntil(lambda: len(station.index.opinions_of(film.key)) == 1, timeout=PATIENCE)
    assert station.index.opinions_of(film.key)[0]["before_ai"] is False
    qtbot.waitUntil(lambda: len(station.index.answers_of(film.record.key)) == 1, timeout=PATIENCE)


def test_with_the_setting_a_film_is_analysed_when_it_is_opened(
    open_station: Opener, shows: Shows, qtbot: QtBot, tmp_path: Path
) -> None:
    one, two = write_study(tmp_path / "a.dcm", 1), write_study(tmp_path / "b.dcm", 2, patient="OTHER")
    station = open_station(one)
    shows(station, one)
    station.window.actions_["analyse_on_open"].trigger()
    station.opening.open([str(two)])
    shows(station, two)
    qtbot.waitUntil(lambda: bool(station.viewing.area.current.answers), timeout=PATIENCE)


def test_the_next_question_is_answered_after_the_process_was_killed(
    open_station: Opener, shows: Shows, qtbot: QtBot, tmp_path: Path
) -> None:
    path = write_study(tmp_path / "a.dcm", 1)
    station = open_station(path)
    shows(station, path)
    actions, inference = station.window.actions_, station.answering.inference
    actions["ask"].trigger()
    qtbot.waitUntil(lambda: bool(station.viewing.area.current.answers), timeout=PATIENCE)
    assert inference.pid is not None
    os.kill(inference.pid, signal.SIGKILL)
    actions["ask"].trigger()
    qtbot.waitUntil(lambda: not station.answering.desk.running, timeout=PATIENCE)
    if not station.viewing.area.current.answers:  # it died with the question in its hands, which is told
        actions["ask"].trigger()
        qtbot.waitUntil(lambda: bool(station.viewing.area.current.answers), timeout=PATIENCE)


def test_measurements_are_there_again_after_the_next_start(open_station: Opener, shows: Shows, tmp_path: Path) -> None:
    path = write_study(tmp_path / "a.dcm", 1)
    first = open_station(path)
    shows(first, path)
    model = first.viewing.area.current.model
    assert model is not None
    model.add(_length())
    kept = model.records()
    first.window.close()
    second = open_station(path)
    shows(second, path)
    again = second.viewing.area.current.model
    assert again is not None
    assert again.records() == kept
    second.window.actions_["undo"].trigger()
    assert again.records() == kept  # what was kept is not undone


def test_undo_and_redo_of_what_was_drawn(open_station: Opener, shows: Shows, tmp_path: Path) -> None:
    path = write_study(tmp_path / "a.dcm", 1)
    station = open_station(path)
    shows(station, path)
    model, actions = station.viewing.area.current.model, station.window.actions_
    assert model is not None
    assert not actions["undo"].isEnabled()
    model.add(_length())
    actions["undo"].trigger()
    assert model.measurements == ()
    actions["redo"].trigger()
    assert len(model.measurements) == 1
    model.select(model.measurements[0].id)
    actions["delete"].trigger()
    assert model.measurements == ()


def test_the_prior_hangs_beside_the_current_film_with_both_scores(
    open_station: Opener, shows: Shows, qtbot: QtBot, tmp_path: Path
) -> None:
    prior = write_study(tmp_path / "then.dcm", 1, date="20250110", StudyInstanceUID=unique_uid())
    other = write_study(tmp_path / "other.dcm", 3, patient="OTHER", date="20250601", StudyInstanceUID=unique_uid())
    current = write_study(tmp_path / "now.dcm", 2, date="20260110", StudyInstanceUID=unique_uid())
    station = open_station(current, prior, other)
    shows(station, current)
    qtbot.waitUntil(lambda: len(station.opening.browser.model.browser) == 3, timeout=PATIENCE)
    area = station.viewing.area
    station.window.actions_["prior"].trigger()
    qtbot.waitUntil(lambda: area.prior.loaded is not None, timeout=PATIENCE)
    assert area.prior.loaded is not None
    assert area.prior.loaded.record.name == str(prior)
    station.window.actions_["ask"].trigger()
    qtbot.waitUntil(lambda: bool(area.prior.answers) and bool(area.current.answers), timeout=PATIENCE)
    assert "score" in area.prior.verdict()
    station.window.actions_["prior"].trigger()
    assert area.prior.isHidden()


def test_without_a_prior_it_is_said(open_station: Opener, shows: Shows, tmp_path: Path) -> None:
    path = write_study(tmp_path / "a.dcm", 1)
    station = open_station(path)
    shows(station, path)
    station.window.actions_["prior"].trigger()
    assert "No earlier film of this patient is listed" in messages(station)
    assert station.viewing.area.prior.isHidden()


def test_pages_go_through_the_list(open_station: Opener, shows: Shows, qtbot: QtBot, tmp_path: Path) -> None:
    for number, date in enumerate(("20260103", "20260102", "20260101"), 1):
        write_study(tmp_path / "in" / f"{number}.dcm", number, patient=f"P{number}", date=date)
    station = open_station(tmp_path / "in")
    qtbot.waitUntil(lambda: len(station.opening.browser.model.browser) == 3, timeout=PATIENCE)
    shows(station, tmp_path / "in" / "1.dcm")
    station.window.actions_["next_image"].trigger()
    shows(station, tmp_path / "in" / "2.dcm")
    station.window.actions_["next_image"].trigger()
    shows(station, tmp_path / "in" / "3.dcm")
    station.window.actions_["next_image"].trigger()
    station.window.actions_["previous_image"].trigger()
    shows(station, tmp_path / "in" / "2.dcm")


def test_a_file_that_is_gone_is_told_and_what_is_open_stays(
    open_station: Opener, shows: Shows, qtbot: QtBot, tmp_path: Path
) -> None:
    one = write_study(tmp_path / "in" / "1.dcm", 1, patient="P1", date="20260102")
    two = write_study(tmp_path / "in" / "2.dcm", 2, patient="P2", date="20260101")
    station = open_station(tmp_path / "in")
    shows(station, one)
    qtbot.waitUntil(lambda: len(station.opening.browser.model.browser) == 2, timeout=PATIENCE)
    one.unlink()
    two.unlink()
    station.window.actions_["next_image"].trigger()
    qtbot.waitUntil(lambda: "a file that is no longer there" in messages(station), timeout=PATIENCE)
    station.window.actions_["ask"].trigger()  # the film that is open has its content
    qtbot.waitUntil(lambda: bool(station.viewing.area.current.answers), timeout=PATIENCE)


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "an empty file"), (b"no image at all" * 20, "a file of another kind")],
)
def test_a_file_that_is_no_image_is_listed_with_its_reason(
    open_station: Opener, qtbot: QtBot, tmp_path: Path, content: bytes, words: str
) -> None:
    path = tmp_path / "bad.dcm"
    path.write_bytes(content)
    station = open_station(path)
    qtbot.waitUntil(lambda: len(station.opening.browser.model.browser) == 1, timeout=PATIENCE)
    record = station.opening.browser.model.browser.records()[0]
    assert (record.kind, words in record.reason) == ("failed", True)
    qtbot.waitUntil(lambda: "No image was found" in messages(station), timeout=PATIENCE)


def test_what_was_set_is_set_at_the_next_start(open_station: Opener) -> None:
    first = open_station()
    first.window.actions_["corner_text"].trigger()
    first.window.actions_["linked"].trigger()
    first.window.close()
    second = open_station()
    assert (second.settings.corner_text, second.settings.linked) == (1, False)
    assert not second.window.actions_["linked"].isChecked()


def test_what_the_reader_wants_not_to_be_remembered_is_not_from_then_on(
    open_station: Opener, shows: Shows, qtbot: QtBot, tmp_path: Path
) -> None:
    one, two = write_study(tmp_path / "a.dcm", 1), write_study(tmp_path / "b.dcm", 2, patient="OTHER")
    station = open_station(one)
    shows(station, one)
    station.change_settings(keep_index=False)
    station.opening.open([str(two)])
    shows(station, two)
    model, wants = station.viewing.area.current.model, station.opening.browser.model.wants_thumbnail
    assert model is not None
    model.add(_length())
    station.window.actions_["ask"].trigger()
    qtbot.waitUntil(lambda: bool(station.viewing.area.current.answers), timeout=PATIENCE)
    qtbot.waitUntil(lambda: not any(map(wants, station.opening.browser.model.browser.records())), timeout=PATIENCE)
    held = Path(station.index.path).read_bytes() + Path(f"{station.index.path}-wal").read_bytes()
    assert b"SYNTHETIC-P" in held
    assert b"OTHER" not in held
    assert str(two).encode() not in held


def test_forgetting_empties_list_index_and_view(open_station: Opener, shows: Shows, tmp_path: Path) -> None:
    path = write_study(tmp_path / "a.dcm", 1)
    station = open_station(path)
    shows(station, path)
    assert station.index.recent()
    station.opening.forget()
    assert station.index.recent() == []
    assert station.viewing.area.current.loaded is None
    assert len(station.opening.browser.model.browser) == 0


def test_the_first_page_is_there_again_when_the_last_film_is_closed(
    open_station: Opener, shows: Shows, tmp_path: Path
) -> None:
    path = write_study(tmp_path / "a.dcm", 1)
    station = open_station(path)
    shows(station, path)
    station.window.actions_["close_study"].trigger()
    assert station.window.middle.currentWidget() is station.welcome
    assert station.window.focusWidget() is station.opening.browser.tree
    station.window.actions_["next_image"].trigger()
    shows(station, path)
    assert station.window.middle.currentWidget() is station.viewing.area


def test_escape_and_an_opinion_give_the_film_the_keyboard(
    open_station: Opener, shows: Shows, qtbot: QtBot, tmp_path: Path
) -> None:
    path = write_study(tmp_path / "a.dcm", 1)
    station = open_station(path)
    shows(station, path)
    window, view = station.window, station.viewing.area.current.view
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow, timeout=PATIENCE)
    qtbot.waitUntil(station.opening.browser.progress.isHidden, timeout=PATIENCE)  # else Escape would end the listing
    comment = station.answering.panel.feedback.comment
    for box in (station.opening.browser.search, comment):
        box.setFocus()
        qtbot.keyClick(box, Qt.Key.Key_Escape)
        assert window.focusWidget() is view
    window.actions_["comment"].trigger()
    qtbot.keyClicks(comment, "yv1")  # keys of commands are letters here
    qtbot.keyClick(comment, Qt.Key.Key_Return)
    assert window.focusWidget() is station.answering.panel.feedback.buttons["agree"]
    window.actions_["reject"].trigger()
    assert window.focusWidget() is view
    film = station.viewing.area.current.loaded
    assert film is not None
    qtbot.waitUntil(lambda: len(station.index.opinions_of(film.key)) == 1, timeout=PATIENCE)
    assert station.index.opinions_of(film.key)[0]["comment"] == "yv1"


def test_page_keys_scroll_the_tags_and_change_no_film(
    open_station: Opener, shows: Shows, qtbot: QtBot, tmp_path: Path
) -> None:
    one = write_study(tmp_path / "in" / "a.dcm", 1)
    write_study(tmp_path / "in" / "b.dcm", 2, patient="OTHER", date="20200101")
    station = open_station(tmp_path / "in")
    shows(station, one)
    qtbot.waitUntil(lambda: len(station.opening.browser.model.browser) == 2, timeout=PATIENCE)
    station.window.activateWindow()
    qtbot.waitUntil(station.window.isActiveWindow, timeout=PATIENCE)
    station.window.docks["tags"].show()
    tree = station.tags.browser.tree
    qtbot.waitUntil(lambda: tree.model().rowCount() > 20, timeout=PATIENCE)
    tree.setFocus()
    qtbot.keyClick(tree, Qt.Key.Key_PageDown)
    assert not station.viewing.loading
    assert tree.currentIndex().row() > 0


def test_an_object_of_this_program_never_hangs_and_is_never_analysed(
    open_station: Opener, shows: Shows, qtbot: QtBot, tmp_path: Path
) -> None:
    path = write_study(tmp_path / "in" / "a.dcm", 1)
    station = open_station(path)
    shows(station, path)
    actions, browser = station.window.actions_, station.opening.browser
    actions["ask"].trigger()
    qtbot.waitUntil(lambda: bool(station.viewing.area.current.answers), timeout=PATIENCE)
    station.outgoing.folder = tmp_path / "out"
    station.outgoing.folder.mkdir()
    dialog = station.outgoing.results()
    dialog.sc.setCurrentIndex(1)  # of every answer
    dialog.gsps.setCurrentIndex(1)
    dialog.start()
    qtbot.waitUntil(lambda: "Results: 3 of 3 delivered" in station.window.messages.texts(), timeout=PATIENCE)
    dialog.close()
    station.opening.open([str(station.outgoing.folder)])
    qtbot.waitUntil(lambda: len(browser.model.browser) == 4, timeout=PATIENCE)
    qtbot.waitUntil(browser.progress.isHidden, timeout=PATIENCE)
    film = station.viewing.area.current.loaded
    for record in (one for one in browser.model.browser.records() if one.kind == "result"):
        browser.select(record)
        qtbot.keyClick(browser.tree, Qt.Key.Key_Return)
        assert f"{record.name}: a result object of this program" in station.window.messages.texts()
        assert not station.viewing.loading
    assert station.window.docks["tags"].isVisible(), "what is in them can be read"
    actions["next_image"].trigger()
    actions["prior"].trigger()
    assert not station.viewing.loading, "they are neither the next image nor a prior"
    assert station.viewing.area.current.loaded is film
    station.batching.start(str(station.outgoing.folder))
    qtbot.waitUntil(lambda: not station.batching.run.running, timeout=PATIENCE)
    assert [item.state for item in station.batching.run.items.items] == ["refused"] * 3


def test_the_test_pattern_is_shown_and_refused_by_the_model(open_station: Opener, qtbot: QtBot) -> None:
    station = open_station()
    station.window.actions_["test_pattern"].trigger()
    assert station.viewing.area.current.loaded is not None
    station.window.actions_["ask"].trigger()
    qtbot.waitUntil(lambda: "refused" in station.viewing.area.current.verdict(), timeout=PATIENCE)


def test_a_mistake_in_the_program_is_told_and_the_window_stays(open_station: Opener, qtbot: QtBot) -> None:
    import sys

    station = open_station()
    try:
        raise KeyError("SYNTHETIC^NAME")
    except KeyError:
        sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]  # there is one
    assert "KeyError" in messages(station)
    assert "SYNTHETIC" not in messages(station)
    log = next(Path(os.environ["XDG_STATE_HOME"]).rglob("viewer.log")).read_text()
    assert "KeyError" in log
    assert "SYNTHETIC" not in log


def test_every_control_has_a_name_for_those_who_do_not_see_it(
    open_station: Opener, shows: Shows, qtbot: QtBot, tmp_path: Path
) -> None:
    from PySide6.QtWidgets import QAbstractButton, QComboBox, QLineEdit, QSlider, QTreeView

    path = write_study(tmp_path / "a.dcm", 1)
    station = open_station(path)
    shows(station, path)
    station.window.actions_["ask_both"].trigger()
    qtbot.waitUntil(lambda: len(station.viewing.area.current.answers) == 2, timeout=PATIENCE)
    for dock in station.window.docks.values():
        dock.show()
        dock.raise_()
    unnamed = [
        f"{type(control).__name__} in {type(control.parent()).__name__}"
        for kind in (QAbstractButton, QComboBox, QLineEdit, QSlider, QTreeView)
        for control in station.window.findChildren(kind)
        if control.isVisible()
        and not control.accessibleName()
        and not (isinstance(control, QAbstractButton) and (control.text() or control.toolTip()))
        and not type(control.parent()).__module__.startswith("PySide6")
    ]
    assert unnamed == []


def _length() -> Length:
    return Length(points=(PixelPoint(10, 10), PixelPoint(40, 50)))


def test_the_window_can_be_closed_while_something_runs(open_station: Opener, shows: Shows, tmp_path: Path) -> None:
    path = write_study(tmp_path / "a.dcm", 1)
    station = open_station(path)
    shows(station, path)
    station.window.actions_["ask"].trigger()
    station.opening.open([str(sample_folder())])
    station.window.close()
    assert not station.window.isVisible()
    QApplication.processEvents()


def test_a_batch_run_is_remembered_and_shown_in_the_list(
    open_station: Opener, shows: Shows, qtbot: QtBot, tmp_path: Path
) -> None:
    path = write_study(tmp_path / "in" / "a.dcm", 1)
    station = open_station(path)
    shows(station, path)
    station.batching.start(str(tmp_path / "in"))
    run = station.batching.run
    qtbot.waitUntil(lambda: run.items.counts() == {"answered": 1} and not run.running, timeout=PATIENCE)
    loaded = station.viewing.area.current.loaded
    assert loaded is not None
    qtbot.waitUntil(lambda: len(station.index.answers_of(loaded.record.key)) == 1, timeout=PATIENCE)
    browser = station.opening.browser
    index = browser.model.index_of(loaded.record)
    assert "cnn" in str(browser.model.data(index, Qt.ItemDataRole.DisplayRole))
    assert station.viewing.area.current.answers == []  # the reader has asked nothing about the film
