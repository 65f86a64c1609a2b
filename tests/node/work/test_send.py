"""A batch of deliveries: what may have arrived is asked for, every outcome is kept, pauses grow, a person is called."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from dicom_node.destinations.choose import Destinations
from dicom_node.destinations.outcome import Fate, Outcome, Outgoing
from dicom_node.settings import settings_of
from dicom_node.store import completions
from dicom_node.store import deliveries as delivery_rows
from dicom_node.store.completions import Wanted
from dicom_node.work.send import SendBatch
from tests.node.rows import Rows, deliveries, studies

DELIVERED = Outcome(Fate.DELIVERED, "taken")
REFUSED = Outcome(Fate.NOT_THERE, "refused")
UNREACHABLE = Outcome(Fate.NOT_THERE, "cannot be reached", reached=False)
UNKNOWN = Outcome(Fate.UNKNOWN, "it may have arrived")


class There:
    """A destination that does as the test says."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.sent: list[list[str]] = []
        self.answer: Callable[[str], Outcome] = lambda uid: Outcome(Fate.NOT_THERE, "not found")
        self.outcome: Callable[[str], Outcome | None] = lambda uid: DELIVERED
        self.before: Callable[[], None] = lambda: None

    def ask(self, objects: Sequence[Outgoing]) -> dict[str, Outcome]:
        if objects:
            self.asked.append([sent.sop_instance_uid for sent in objects])
        return {sent.sop_instance_uid: self.answer(sent.sop_instance_uid) for sent in objects}

    def send(self, objects: Sequence[Outgoing], settle: Callable[[str, Outcome], None]) -> None:
        self.before()
        self.sent.append([sent.sop_instance_uid for sent in objects])
        for sent in objects:
            outcome = self.outcome(sent.sop_instance_uid)
            if outcome is not None:
                settle(sent.sop_instance_uid, outcome)

    def stop(self) -> None:
        self.before = lambda: None


class World:
    """Deliveries of one study, and a destination."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.rows = Rows(root)
        self.there = There()
        destination = {"name": "there", "kind": "folder", "folder": "/nowhere", "retry_seconds": 10}
        settings = settings_of({"destinations": [destination | {"max_retry_seconds": 50}]}, "test")
        destinations = Destinations(settings, self.rows.folder)
        monkeypatch.setattr(destinations, "open", lambda name, peer: self.there)
        self.destinations = destinations
        self.send = SendBatch(self.rows.engine, self.rows.folder, destinations)
        self.rows.image()
        self.number = 0

    def due(self, *names: str) -> list[str]:
        """New deliveries, waiting."""
        return self.rows.complete("2.25.1", *names, wanted=(Wanted("there", "", ("sr", "sc")),))

    def take(self) -> str:
        """Put everything that waits into a batch."""
        self.number += 1
        batch = f"send:there:{self.number}"
        with self.rows.engine.begin() as connection:
            delivery_rows.take_batch(connection, "there", "", float("inf"), batch, 50)
        return batch

    def run(self) -> None:
        """A batch of everything that waits, to its end."""
        self.send("there", "", self.take())

    def row(self, uid: str) -> sa.Row[Any]:
        return self.rows.one(deliveries, result_uid=uid)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    made = World(tmp_path, monkeypatch)
    yield made
    made.rows.engine.dispose()


def test_a_new_object_is_sent_without_a_question(world: World) -> None:
    uids = world.due("sr", "sc")
    world.run()
    assert world.there.asked == []
    assert sorted(world.there.sent[0]) == sorted(uids)
    assert {(row.state, row.note, row.attempts) for row in map(world.row, uids)} == {("delivered", "taken", 1)}


def test_it_is_marked_before_the_first_byte_leaves(world: World) -> None:
    (uid,) = world.due("sr")
    seen = []
    world.there.before = lambda: seen.append((world.row(uid).state, world.row(uid).unknown))
    world.run()
    assert seen == [("in_flight", True)]


def test_each_object_has_its_own_outcome(world: World) -> None:
    good, bad = world.due("sr", "sc")
    world.there.outcome = lambda uid: DELIVERED if uid == good else REFUSED
    world.run()
    assert (world.row(good).state, world.row(bad).state) == ("delivered", "waiting")
    assert world.row(bad).note == "refused"
    assert not world.row(bad).unknown


def test_pauses_grow_up_to_the_longest(world: World) -> None:
    (uid,) = world.due("sr")
    world.there.outcome = lambda uid: REFUSED
    pauses = []
    for _ in range(4):
        world.run()
        pauses.append(round(world.row(uid).due_at - time.time()))
    assert pauses == [10, 20, 40, 50]
    assert world.row(uid).attempts == 4


def test_after_an_unknown_outcome_it_is_asked_and_not_sent_again(world: World) -> None:
    (uid,) = world.due("sr")
    world.there.outcome = lambda uid: UNKNOWN
    world.run()
    assert (world.row(uid).state, world.row(uid).unknown) == ("waiting", True)
    world.there.answer = lambda uid: Outcome(Fate.DELIVERED, "found there")
    world.run()
    assert (world.there.asked, world.there.sent) == ([[uid]], [[uid]])
    assert (world.row(uid).state, world.row(uid).note) == ("delivered", "found there")


def test_what_was_not_found_is_sent_again(world: World) -> None:
    (uid,) = world.due("sr")
    world.there.outcome = lambda uid: UNKNOWN
    world.run()
    world.there.outcome = lambda uid: DELIVERED
    world.run()
    assert world.there.sent == [[uid], [uid]]
    assert world.row(uid).state == "delivered"


def test_what_cannot_be_asked_now_is_not_sent_now(world: World) -> None:
    (uid,) = world.due("sr")
    world.there.outcome = lambda uid: UNKNOWN
    world.run()
    world.there.answer = lambda uid: UNKNOWN
    world.run()
    assert world.there.sent == [[uid]]
    assert (world.row(uid).state, world.row(uid).unknown) == ("waiting", True)
    assert world.row(uid).due_at == pytest.approx(time.time() + 20, abs=5), "questions pause longer and longer, too"


def test_an_interrupted_batch_is_asked_for_after_a_pause(world: World) -> None:
    sent, unsent = world.due("sr", "sc")
    batch = world.take()
    delivery_rows.mark_in_flight(world.rows.engine, "there", [sent])
    world.send("there", "", batch)  # as DBOS runs it again
    assert world.there.sent == [[unsent]]
    assert (world.row(sent).state, world.row(sent).unknown) == ("waiting", True)
    assert world.row(sent).due_at == pytest.approx(time.time() + 10, abs=5)
    assert world.row(unsent).state == "delivered"


def test_what_a_destination_says_nothing_of_may_have_arrived(world: World) -> None:
    told, untold = world.due("sr", "sc")
    world.there.outcome = lambda uid: DELIVERED if uid == told else None
    world.run()
    assert (world.row(untold).state, world.row(untold).unknown) == ("waiting", True)


def test_what_ends_in_an_error_is_asked_for_later(world: World) -> None:
    (uid,) = world.due("sr")
    world.there.outcome = lambda uid: (_ for _ in ()).throw(RuntimeError)
    batch = world.take()
    with pytest.raises(RuntimeError):
        world.send("there", "", batch)
    assert world.row(uid).state == "in_flight", "the dispatcher finds it without a workflow"


def test_a_destination_that_answers_again_gets_at_once_what_could_not_reach_it(world: World) -> None:
    first, second = world.due("sr", "sc")
    world.there.outcome = lambda uid: UNREACHABLE
    world.run()
    world.there.outcome = lambda uid: REFUSED if uid == second else DELIVERED
    with world.rows.engine.begin() as connection:
        mine = deliveries.c.result_uid == first
        connection.execute(deliveries.update().where(mine).values(state="sending", batch="b"))
    world.send("there", "", "b")
    assert world.row(first).state == "delivered"
    assert world.row(second).due_at <= time.time()


def test_it_is_given_up_after_so_many_hours(world: World) -> None:
    (uid,) = world.due("sr")
    world.there.outcome = lambda uid: UNREACHABLE
    world.run()
    assert world.row(uid).state == "waiting"
    world.rows.change(deliveries, failing_since=time.time() - 169 * 3600)
    world.run()
    assert (world.row(uid).state, world.row(uid).note) == ("gave_up", "cannot be reached")
    assert world.take()
    assert world.row(uid).state == "gave_up", "it waits for a person"


def test_what_only_a_person_can_mend_is_given_up_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    (uid,) = world.due("sr")
    monkeypatch.setattr(world.destinations, "open", lambda name, peer: "no peer X with a port is listed")
    world.run()
    assert (world.row(uid).state, world.row(uid).note) == ("gave_up", "no peer X with a port is listed")


def test_a_result_that_was_on_the_disk_is_asked_for_first(world: World) -> None:
    made = world.rows.result("sr before", made_before=True)
    study = world.rows.one(studies)
    completions.complete(world.rows.engine, study, 1, [made], {}, [Wanted("there", "", ("sr",))])
    world.run()
    assert world.there.asked == [[made.sop_instance_uid]]


@pytest.mark.parametrize("wanted", [True, False])
def test_what_was_delivered_is_to_be_committed_where_that_is_wanted(world: World, wanted: bool) -> None:
    (uid,) = world.due("sr")
    chosen = {"name": "there", "kind": "dicom", "peer": "PACS", "request_commitment": wanted}
    peers = [{"ae_title": "PACS", "host": "127.0.0.1", "port": 104}]
    settings = settings_of({"destinations": [chosen], "peers": peers}, "test")
    world.destinations.configured["there"] = settings.destinations[0]
    world.run()
    assert world.row(uid).committed == ("wanted" if wanted else None)


def test_stop_waits_for_calls_and_then_ends_them(world: World) -> None:
    world.due("sr")
    begun, goes_on = threading.Event(), threading.Event()
    stopped = []

    def hold() -> None:
        begun.set()
        assert goes_on.wait(30)

    world.there.before = hold
    world.there.stop = lambda: (stopped.append(1), goes_on.set())  # type: ignore[method-assign]
    thread = threading.Thread(target=world.run)
    thread.start()
    assert begun.wait(30)
    world.send.stop(0.1)
    thread.join(30)
    assert stopped == [1]
    assert world.rows.one(deliveries).state == "delivered", "the outcome is kept"
