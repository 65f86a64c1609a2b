"""Nothing of one film ever stands on another: what arrives too late is dropped, what was kept is told by pixels."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from cxr_desktop.state.geometry import PixelPoint
from cxr_desktop.state.measurement import Length
from cxr_desktop.state.records import InstanceRecord, LoadedImage
from cxr_desktop.window.pane import Pane
from cxr_desktop.window.station import Station
from cxr_desktop.workers.loading import load
from tests.desktop.window.conftest import PATIENCE, Opener, unique_uid, write_study

Shows = Callable[[Station, Path | str], None]


def check(station: Station) -> None:
    """Whatever is shown is of the film that it is shown on."""
    area, desk = station.viewing.area, station.answering.desk
    for pane in area.panes:
        loaded = pane.loaded
        if loaded is None:
            assert not pane.answers
            assert not pane.verdict()
            assert not pane.waiting
            assert pane.model is None
            continue
        for answer in pane.answers:
            assert answer.result.path == loaded.record.name
            assert answer.result.sop_instance_uid == loaded.image.facts.sop_instance_uid
        assert bool(pane.verdict()) == bool(pane.answers or pane.waiting)
        assert not pane.waiting or (pane is area.prior and station.answering._prior_ticket is not None)
        assert pane.model is not None
        assert pane.model.loaded is loaded
        assert {one.comment for one in pane.model.measurements} <= {Path(loaded.record.name).name}
        if not loaded.record.sop_instance_uid:
            continue  # the test pattern
        assert loaded.data_set is not None
        assert loaded.record.patient_id == loaded.data_set.PatientID
        assert loaded.record.sop_instance_uid == loaded.data_set.SOPInstanceUID
    assert desk._image is area.current.loaded
    assert list(desk.reading.answers) == area.current.answers
    layer = area.current.view.heat_map
    assert area.prior.view.heat_map is None
    if layer is not None:
        predictions = [answer.result.prediction for answer in area.current.answers]
        assert any(layer.cam.base is one.maps or layer.cam is one.maps for one in predictions if one is not None)
    if not area.prior.isHidden() and area.prior.loaded is not None:
        assert area.current.loaded is not None
        prior, current = area.prior.loaded.record, area.current.loaded.record
        assert prior.patient_id == current.patient_id
        assert prior.study_date < current.study_date


def answers_settled(station: Station, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: not station.answering.inference.busy, timeout=PATIENCE)


def listed(station: Station, qtbot: QtBot, number: int) -> None:
    qtbot.waitUntil(lambda: len(station.opening.browser.model.browser) == number, timeout=PATIENCE)


def study(path: Path, number: int, patient: str, date: str) -> Path:
    return write_study(path, number, patient=patient, date=date, StudyInstanceUID=unique_uid())


class Gate:
    """Holds the reading of chosen files back until they are let through."""

    def __init__(self) -> None:
        self.held: dict[str, threading.Event] = {}

    def hold(self, path: Path) -> None:
        self.held[str(path)] = threading.Event()

    def let_through(self, path: Path) -> None:
        self.held[str(path)].set()

    def load(self, record: InstanceRecord) -> LoadedImage:
        if record.name in self.held:
            assert self.held[record.name].wait(60)
        return load(record)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Gate:
    gate = Gate()
    monkeypatch.setattr("cxr_desktop.window.viewing.load", gate.load)
    return gate


def pool_idle(qtbot: QtBot) -> None:
    """Wait until every task has ended and told so."""
    from cxr_desktop.workers import task

    qtbot.waitUntil(lambda: not task._running, timeout=PATIENCE)


def test_a_prior_that_is_read_too_late_hangs_beside_no_other_patient(
    open_station: Opener, shows: Shows, qtbot: QtBot, tmp_path: Path, gate: Gate
) -> None:
    prior = study(tmp_path / "then.dcm", 1, "ONE", "20250110")
    current = study(tmp_path / "now.dcm", 2, "ONE", "20260110")
    other = study(tmp_path / "other.dcm", 3, "TWO", "20260101")
    station = open_station(current, prior, other)
    shows(station, current)
    listed(station, qtbot, 3)
    gate.hold(prior)
    station.window.actions_["prior"].trigger()
    assert station.viewing.loading
    station.opening.chosen.emit(station.opening.browser.model.browser.record(str(other)))
    shows(station, other)
    gate.let_through(prior)
    pool_idle(qtbot)
    assert station.viewing.area.prior.isHidden()
    assert station.viewing.area.prior.loaded is None
    check(station)


@pytest.mark.parametrize("way", ["prior", "close_study", "test_pattern", "forget"])
def test_what_is_taken_away_does_not_come_back_when_it_is_read(
    open_station: Opener, shows: Shows, qtbot: QtBot, tmp_path: Path, gate: Gate, way: str
) -> None:
    prior = study(tmp_path / "then.dcm", 1, "ONE", "20250110")
    current = study(tmp_path / "now.dcm", 2, "ONE", "20260110")
    next_one = study(tmp_path / "next.dcm", 3, "TWO", "20240110")
    station = open_station(current, prior, next_one)
    shows(station, current)
    listed(station, qtbot, 3)
    for path in (prior, next_one):
        gate.hold(path)
    station.window.actions_["prior"].trigger()
    if way != "prior":
        station.opening.chosen.emit(station.opening.browser.model.browser.record(str(next_one)))
    if way == "forget":
        station.opening.forget()
    else:
        station.window.actions_[way].trigger()
    for path in (prior, next_one):
        gate.let_through(path)
    pool_idle(qtbot)
    area = station.viewing.area
    assert area.prior.isHidden()
    expected = {"prior": str(current), "test_pattern": "TG18-QC"}.get(way)
    shown = area.current.loaded
    assert (shown is None) == (expected is None)
    if shown is not None and way == "prior":
        assert shown.record.name == expected
    assert not station.opening._index.recent() or way != "forget"


@pytest.mark.slow
def test_fifty_presses_of_a_key_show_the_last_film_and_no_film_out_of_turn(
    open_station: Opener, shows: Shows, qtbot: QtBot, tmp_path: Path
) -> None:
    days = [f"2026{1 + number // 28:02}{1 + number % 28:02}" for number in range(60)]
    names = [
        write_study(tmp_path / "in" / f"{number:02}.dcm", number, patient=f"P{number:02}", date=day)
        for number, day in enumerate(days)
    ]
    names.reverse()  # newest first
    station = open_station(tmp_path / "in")
    listed(station, qtbot, 60)
    station.opening.chosen.emit(station.opening.browser.model.browser.record(str(names[0])))
    shows(station, names[0])
    seen: list[str] = []

    def note(pane: Pane) -> None:
        assert pane.loaded is not None
        seen.append(pane.loaded.record.name)
        check(station)

    station.viewing.shown.connect(note)
    for _ in range(50):
        station.window.actions_["next_image"].trigger()
    shows(station, names[50])
    pool_idle(qtbot)
    assert seen[-1] == str(names[50])
    assert seen == sorted(seen, reverse=True)
    for number in range(50):
        station.window.actions_["previous_image" if number % 5 else "next_image"].trigger()
    pool_idle(qtbot)
    shows(station, names[20])
    assert seen[-1] == str(names[20])


def test_the_next_film_is_reached_past_one_that_cannot_be_read(
    open_station: Opener, shows: Shows, qtbot: QtBot, tmp_path: Path
) -> None:
    paths = [study(tmp_path / "in" / f"{n}.dcm", n, f"P{n}", f"2026010{9 - n}") for n in range(3)]
    station = open_station(tmp_path / "in")
    shows(station, paths[0])
    listed(station, qtbot, 3)
    paths[1].unlink()
    station.window.actions_["next_image"].trigger()
    qtbot.waitUntil(lambda: "no longer there" in "".join(station.window.messages.texts()), timeout=PATIENCE)
    station.window.actions_["next_image"].trigger()
    shows(station, paths[2])


def test_an_answer_that_comes_after_the_film_changed_is_dropped(
    open_station: Opener, shows: Shows, qtbot: QtBot, tmp_path: Path
) -> None:
    one, two = study(tmp_path / "a.dcm", 1, "ONE", "20260102"), study(tmp_path / "b.dcm", 2, "TWO", "20260101")
    station = open_station(one, two)
    shows(station, one)
    listed(station, qtbot, 2)
    station.window.actions_["ask_both"].trigger()
    station.window.actions_["next_image"].trigger()
    shows(station, two)
    answers_settled(station, qtbot)
    assert not station.viewing.area.current.answers
    assert not station.window.actions_["show_map"].isEnabled()
    check(station)
    station.window.actions_["ask"].trigger()
    qtbot.waitUntil(lambda: bool(station.viewing.area.current.answers), timeout=PATIENCE)
    station.window.actions_["show_map"].trigger()
    station.window.actions_["show_map"].trigger()
    check(station)
    station.window.actions_["previous_image"].trigger()
    shows(station, one)
    assert station.viewing.area.current.view.heat_map is None
    check(station)


def test_a_prior_that_is_swapped_while_the_model_looks_gets_no_answer_of_the_other(
    open_station: Opener, shows: Shows, qtbot: QtBot, tmp_path: Path
) -> None:
    older = study(tmp_path / "older.dcm", 1, "ONE", "20240110")
    old = study(tmp_path / "old.dcm", 2, "ONE", "20250110")
    now = study(tmp_path / "now.dcm", 3, "ONE", "20260110")
    station = open_station(now, old, older)
    shows(station, now)
    listed(station, qtbot, 3)
    area, actions = station.viewing.area, station.window.actions_
    actions["prior"].trigger()
    qtbot.waitUntil(lambda: area.prior.loaded is not None, timeout=PATIENCE)
    actions["ask"].trigger()
    actions["other_prior"].trigger()
    qtbot.waitUntil(lambda: area.prior.loaded is not None and area.prior.loaded.record.name == str(older),
                    timeout=PATIENCE)  # fmt: skip
    check(station)
    answers_settled(station, qtbot)
    check(station)


def test_a_batch_and_a_question_at_the_same_time_keep_their_answers_apart(
    open_station: Opener, shows: Shows, qtbot: QtBot, tmp_path: Path
) -> None:
    paths = [study(tmp_path / "in" / f"{n}.dcm", n, f"P{n}", f"2026010{9 - n}") for n in range(4)]
    station = open_station(tmp_path / "in")
    shows(station, paths[0])
    listed(station, qtbot, 4)
    told: list[tuple[str, str]] = []
    station.batching.run.answered.connect(lambda name, answer: told.append((name, answer.result.path)))
    station.batching.start(str(tmp_path / "in"))
    station.window.actions_["ask"].trigger()
    qtbot.waitUntil(lambda: bool(station.viewing.area.current.answers), timeout=PATIENCE)
    check(station)
    station.window.actions_["next_image"].trigger()
    shows(station, paths[1])
    station.window.actions_["ask"].trigger()
    station.window.actions_["cancel"].trigger()
    qtbot.waitUntil(lambda: not station.batching.run.running, timeout=PATIENCE)
    check(station)
    assert told == [(str(path), str(path)) for path in paths]
    assert {item.state for item in station.batching.run.items.items}.isdisjoint({"waiting", "running", "failed"})


def test_films_of_one_uid_share_no_measurement_and_no_opinion(
    open_station: Opener, shows: Shows, qtbot: QtBot, tmp_path: Path
) -> None:
    uid = unique_uid()
    one = write_study(tmp_path / "in" / "1.dcm", 1, patient="ONE", date="20260102", SOPInstanceUID=uid)
    two = write_study(tmp_path / "in" / "2.dcm", 2, patient="TWO", date="20260101", SOPInstanceUID=uid)
    station = open_station(tmp_path / "in")
    shows(station, one)
    listed(station, qtbot, 2)
    pane, actions = station.viewing.area.current, station.window.actions_
    assert pane.model is not None
    pane.model.add(Length(points=(PixelPoint(1, 1), PixelPoint(9, 9))))
    actions["agree"].trigger()
    assert pane.loaded is not None
    first = pane.loaded.key
    qtbot.waitUntil(lambda: len(station.index.opinions_of(first)) == 1, timeout=PATIENCE)
    actions["next_image"].trigger()
    shows(station, two)
    assert pane.model.measurements == ()
    assert station.outgoing._opinions(pane) == []
    pane.model.add(Length(points=(PixelPoint(5, 5), PixelPoint(7, 7))))
    actions["previous_image"].trigger()
    shows(station, one)
    assert [one.points[0].x for one in pane.model.measurements] == [1]


def test_a_picture_that_was_replaced_has_none_of_the_measurements_of_the_one_before(
    open_station: Opener, shows: Shows, qtbot: QtBot, tmp_path: Path
) -> None:
    import cv2

    from tests.dicom_builder import gradient

    path, other = tmp_path / "a.png", tmp_path / "b.png"
    cv2.imwrite(str(path), gradient(200, 200, 8))
    cv2.imwrite(str(other), gradient(210, 200, 8))
    station = open_station(path)
    shows(station, path)
    model = station.viewing.area.current.model
    assert model is not None
    model.add(Length(points=(PixelPoint(1, 1), PixelPoint(9, 9))))
    other.rename(path)
    station.opening.open([str(path)])
    qtbot.waitUntil(lambda: station.viewing.area.current.model is not model, timeout=PATIENCE)
    again = station.viewing.area.current.model
    assert again is not None
    assert again.measurements == ()


COMMANDS = ("next_image", "previous_image", "ask", "ask_both", "prior", "other_prior", "cancel", "show_map", "undo",
            "close_study", "test_pattern", "hide_measurements")  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_no_order_of_commands_puts_anything_on_the_wrong_film(
    open_station: Opener, shows: Shows, qtbot: QtBot, tmp_path: Path, seed: int
) -> None:
    for number in range(9):
        study(tmp_path / "in" / f"{number}.dcm", number, f"P{number // 3}", f"202{number % 3}0101")
    station = open_station(tmp_path / "in")
    listed(station, qtbot, 9)
    shows(station, tmp_path / "in" / "2.dcm")
    chance = random.Random(seed)
    for _ in range(250):
        station.window.actions_[chance.choice(COMMANDS)].trigger()
        pane = station.viewing.area.active
        if pane.loaded is not None and pane.loaded.data_set is not None and pane.model is not None:
            name = Path(pane.loaded.record.name).name
            if chance.random() < 0.2 and not pane.model.measurements and name.endswith(".dcm"):
                pane.model.add(Length(points=(PixelPoint(1, 1), PixelPoint(9, 9)), comment=name))
        for _ in range(chance.choice((0, 0, 1, 5, 30))):
            qtbot.wait(1)
            check(station)
        check(station)
    pool_idle(qtbot)
    answers_settled(station, qtbot)
    check(station)
