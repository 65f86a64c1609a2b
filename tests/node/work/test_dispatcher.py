"""From rows to workflows: when a study is complete, what a jumping clock changes, what is queued again."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from dicom_node.destinations.choose import Destinations
from dicom_node.settings import settings_of
from dicom_node.store import deliveries as delivery_rows
from dicom_node.store import images
from dicom_node.store.completions import Wanted
from dicom_node.work import dispatcher as module
from dicom_node.work.dispatcher import Dispatcher
from tests.node.rows import Rows, deliveries, instances, studies

QUIET = 60.0


class Clocks:
    """The time of day and the monotonic clock, set by the test."""

    def __init__(self) -> None:
        self.day = time.time()
        self.running = 1000.0

    def time(self) -> float:
        return self.day

    def monotonic(self) -> float:
        return self.running

    def go(self, seconds: float) -> None:
        self.day += seconds
        self.running += seconds


class Queue:
    """What would be DBOS: what was started, and what is dead."""

    def __init__(self) -> None:
        self.queued: list[tuple[str, str, tuple[Any, ...]]] = []
        self.lost: set[str] = set()

    def start(self, name: str, key: str, *arguments: Any) -> None:
        self.queued.append((name, key, arguments))

    def dead(self, ids: Iterable[str]) -> set[str]:
        return set(ids) & self.lost

    def of(self, queue: str) -> list[str]:
        return [key for name, key, _ in self.queued if name == queue]


class World:
    """Rows, clocks, a queue, and dispatchers over them."""

    def __init__(self, root: Path, clocks: Clocks) -> None:
        self.rows = Rows(root)
        self.clocks = clocks
        self.queue = Queue()
        self.damages: list[int] = []
        destination = {"name": "there", "kind": "folder", "folder": "/nowhere", "retry_seconds": 10}
        self.settings = settings_of(
            {"analysis": {"study_quiet_seconds": QUIET, "batch_size": 2}, "destinations": [destination]}, "test"
        )
        self.dispatcher = self.another()

    def another(self) -> Dispatcher:
        """A dispatcher that has just started."""
        destinations = Destinations(self.settings, self.rows.folder)
        return Dispatcher(
            self.rows.engine,
            self.queue,  # type: ignore[arg-type]
            self.settings,
            destinations,
            lambda: self.damages.append(1),
        )

    def look(self, seconds: float = 0.0) -> None:
        self.clocks.go(seconds)
        self.dispatcher.look()

    def image(self, study: str = "2.25.1", *, answered: bool = True) -> str:
        key = self.rows.image(study, received_at=self.clocks.day)
        if answered:
            self.rows.answer(key)
        return key


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    clocks = Clocks()
    monkeypatch.setattr(module, "time", clocks)
    made = World(tmp_path, clocks)
    yield made
    made.rows.engine.dispose()


def test_an_image_is_queued_once_under_a_name_that_follows_from_it(world: World) -> None:
    key = world.image(answered=False)
    world.look()
    world.look()
    assert world.queue.of("analyse") == [f"analyse:{key}:0"]
    assert world.rows.one(instances).state == "queued"


def test_a_long_row_stays_in_its_rows(world: World) -> None:
    for _ in range(12):
        world.image(answered=False)
    world.look()
    assert len(world.queue.of("analyse")) == 4, "two batches of two"
    images.answered(world.rows.engine, world.queue.of("analyse")[0].split(":")[1], "{}")
    world.look()
    assert len(world.queue.of("analyse")) == 5


def test_a_study_is_complete_when_it_was_quiet(world: World) -> None:
    world.image()
    world.look()
    world.look(QUIET - 1)
    assert world.queue.of("complete") == []
    world.look(1)
    world.look(1)
    assert world.queue.of("complete") == ["complete:2.25.1:1:0"]


def test_every_image_begins_the_quiet_time_anew(world: World) -> None:
    for _ in range(3):
        world.image()
        world.look()
        world.look(QUIET - 1)
    assert world.queue.of("complete") == []
    world.look(1)
    assert world.queue.of("complete") == ["complete:2.25.1:3:0"]


def test_a_study_waits_for_every_answer(world: World) -> None:
    world.image()
    late = world.image(answered=False)
    world.look()
    world.look(QUIET)
    assert world.queue.of("complete") == []
    images.answered(world.rows.engine, late, "{}")
    world.look()
    assert world.queue.of("complete") == ["complete:2.25.1:2:0"]


def test_a_later_image_makes_another_revision(world: World) -> None:
    world.image()
    world.look()
    world.look(QUIET)
    world.rows.complete("2.25.1")
    world.image()
    world.look()
    world.look(QUIET)
    assert world.queue.of("complete") == ["complete:2.25.1:1:0", "complete:2.25.1:2:0"]


@pytest.mark.parametrize("jump", [-86400.0, 86400.0])
def test_a_clock_that_is_set_changes_no_quiet_time(world: World, jump: float) -> None:
    world.image()
    world.look()
    world.clocks.day += jump
    world.look(QUIET - 1)
    assert world.queue.of("complete") == []
    world.look(1)
    assert len(world.queue.of("complete")) == 1


@pytest.mark.parametrize(("away", "rest"), [(20.0, 40.0), (3600.0, 0.0), (-86400.0, QUIET)])
def test_after_a_start_the_rest_of_the_quiet_time_counts_and_no_more(world: World, away: float, rest: float) -> None:
    world.image()
    world.look()
    world.clocks.day += away  # while no dispatcher was running
    world.clocks.running = 5.0
    world.dispatcher = world.another()
    world.look()
    if rest:
        world.look(rest - 0.5)
        assert world.queue.of("complete") == []
    world.look(0.5)
    assert len(world.queue.of("complete")) == 1


def test_it_wakes_when_a_study_gets_due(world: World) -> None:
    world.image()
    world.look()
    world.look(QUIET - 0.1)
    assert world.dispatcher._pause() == pytest.approx(0.1)


def test_work_whose_workflow_is_gone_is_queued_again(world: World) -> None:
    key = world.image("2.25.2", answered=False)
    world.image("2.25.1")
    world.look()
    world.look(QUIET)
    world.queue.lost = {f"analyse:{key}:0", "complete:2.25.1:1:0"}
    world.look(30)
    assert world.queue.of("analyse")[1:] == [f"analyse:{key}:1"]
    assert world.queue.of("complete")[1:] == ["complete:2.25.1:1:1"]


def test_a_revision_waits_for_the_one_before(world: World) -> None:
    world.image()
    world.look()
    world.look(QUIET)
    world.image()
    world.look()
    world.look(QUIET)
    assert world.queue.of("complete") == ["complete:2.25.1:1:0"]
    row = world.rows.one(studies)
    world.rows.change(studies, completed_revision=1)
    world.look()
    assert world.queue.of("complete") == ["complete:2.25.1:1:0", "complete:2.25.1:2:0"]
    assert row.revision == 2


def test_what_could_not_be_started_is_started_later(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    key = world.image(answered=False)

    def fails(*_: object) -> None:
        raise sa.exc.OperationalError("", {}, Exception("database is locked"))

    with monkeypatch.context() as patched:
        patched.setattr(world.queue, "start", fails)
        with pytest.raises(sa.exc.OperationalError):
            world.look()
    assert world.rows.one(instances).state == "queued"
    world.queue.lost = {f"analyse:{key}:0"}
    world.look(30)
    assert world.queue.of("analyse") == [f"analyse:{key}:1"]


def test_work_that_is_alive_is_left_alone(world: World) -> None:
    world.image(answered=False)
    for _ in range(3):
        world.look(30)
    assert len(world.queue.queued) == 1


def due(world: World, *names: str, peer: str = "") -> list[str]:
    """Deliveries that are due."""
    world.image("2.25.3")
    uids = world.rows.complete("2.25.3", *names, wanted=(Wanted("there", peer, ("sr", "sc")),))
    with world.rows.engine.begin() as connection:
        mine = deliveries.c.result_uid.in_(uids)
        connection.execute(deliveries.update().where(mine).values(due_at=world.clocks.day))
    return uids


def test_what_is_due_at_a_destination_is_one_batch(world: World) -> None:
    due(world, "sr one", "sc one")
    world.look()
    world.look()
    (batch,) = world.queue.of("send")
    rows = world.rows.all(deliveries)
    assert {(row.state, row.batch) for row in rows} == {("sending", batch)}


def test_a_destination_has_one_batch_at_a_time(world: World) -> None:
    due(world, "sr one")
    world.look()
    due(world, "sr two")
    world.look()
    assert len(world.queue.of("send")) == 1
    (batch,) = world.queue.of("send")
    with world.rows.engine.begin() as connection:
        assert not delivery_rows.take_batch(connection, "there", "", world.clocks.day, "other", 50)
        connection.execute(deliveries.update().where(deliveries.c.batch == batch).values(state="delivered"))
    world.look()
    assert len(world.queue.of("send")) == 2


def test_senders_do_not_wait_for_each_other(world: World) -> None:
    due(world, "sr one", peer="A")
    due(world, "sr two", peer="B")
    world.look()
    assert sorted(arguments[1] for _, _, arguments in world.queue.queued) == ["A", "B"]


def test_what_is_not_due_waits(world: World) -> None:
    due(world, "sr one")
    world.rows.change(deliveries, due_at=world.clocks.day + 5)
    world.look()
    assert world.queue.of("send") == []
    world.look(6)
    assert len(world.queue.of("send")) == 1


def test_due_times_move_along_with_a_clock_that_is_set(world: World) -> None:
    due(world, "sr one")
    world.look()
    (batch,) = world.queue.of("send")
    delivery_rows.failed(
        world.rows.engine,
        "there",
        world.rows.one(deliveries).result_uid,
        "no",
        world.clocks.day,
        due_at=world.clocks.day + 100,
        unknown=False,
        unreachable=True,
    )
    world.clocks.day -= 86400
    world.look(99)
    assert world.queue.of("send") == [batch]
    world.look(2)
    assert len(world.queue.of("send")) == 2


def test_after_a_start_nothing_waits_longer_than_the_longest_pause(world: World) -> None:
    due(world, "sr one")
    world.rows.change(deliveries, due_at=world.clocks.day + 10 * 86400)
    world.dispatcher = world.another()
    world.dispatcher.start()
    world.dispatcher.stop()
    assert world.rows.one(deliveries).due_at == pytest.approx(world.clocks.day + 900)


def test_a_batch_without_a_workflow_is_sent_again_and_asked_for_where_it_was_in_flight(world: World) -> None:
    one, two = due(world, "sr one", "sc two")
    world.look()
    (batch,) = world.queue.of("send")
    delivery_rows.mark_in_flight(world.rows.engine, "there", [one])
    world.queue.lost = {batch}
    world.look(30)
    first, second = (world.rows.one(deliveries, result_uid=uid) for uid in (one, two))
    assert (first.state, first.unknown, second.unknown) == ("waiting", True, False)
    assert first.due_at == pytest.approx(world.clocks.day + 10)
    assert second.state == "sending"
    assert second.batch != batch


def test_a_database_that_is_locked_ends_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = []

    def locked(*_: object) -> None:
        looks.append(1)
        if len(looks) == 2:
            world.dispatcher._stopping.set()
        raise sa.exc.OperationalError("", {}, Exception("database is locked"))

    monkeypatch.setattr(images, "queued", locked)
    monkeypatch.setattr(module, "_LOOK_SECONDS", 0.01)
    world.dispatcher._run()
    assert (len(looks), world.damages) == (2, [])


def test_a_damaged_database_is_told_and_ends_it(world: World) -> None:
    world.image()
    with world.rows.engine.begin() as connection:
        connection.execute(sa.text("PRAGMA wal_checkpoint(TRUNCATE)"))
    world.rows.engine.dispose()
    world.rows.folder.database.write_bytes(b"damaged " * 5000)
    world.dispatcher._run()
    assert world.damages == [1]


def test_a_study_s_attempts_count_until_another_image_comes(world: World) -> None:
    world.image()
    world.look()
    world.look(QUIET)
    world.rows.change(studies, attempts=2)
    world.queue.lost = {"complete:2.25.1:1:0"}
    world.look(30)
    assert world.rows.one(studies).attempts == 2
    world.image()
    assert world.rows.one(studies).attempts == 0
