"""A child process behind signals: replies in order and in the GUI thread, cancelled, killed, failing, stopped."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from cxr_desktop.workers.child import ChildProcess

PATIENCE_MS = 30_000
ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def _tests_are_importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """A child does not take modules from where it happens to be started."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


class Heard:
    """Everything that a child process said."""

    def __init__(self, child: ChildProcess) -> None:
        self.replies: dict[int, list[Any]] = {}
        self.ends: dict[int, str] = {}
        self.threads: set[int] = set()
        child.replied.connect(self._replied)
        child.finished.connect(lambda ticket: self._ended(ticket, "finished"))
        child.failed.connect(self._ended)

    def _replied(self, ticket: int, reply: object) -> None:
        self.threads.add(threading.get_ident())
        self.replies.setdefault(ticket, []).append(reply)

    def _ended(self, ticket: int, words: str) -> None:
        self.threads.add(threading.get_ident())
        assert ticket not in self.ends
        self.ends[ticket] = words


@pytest.fixture
def child(qtbot: QtBot) -> Iterator[ChildProcess]:
    made = ChildProcess("tests.desktop.workers.acting_child")
    yield made
    made.stop()


@pytest.fixture
def heard(child: ChildProcess) -> Heard:
    return Heard(child)


def gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


def test_nothing_runs_before_it_is_asked(child: ChildProcess) -> None:
    assert child.pid is None


def test_replies_come_in_order_and_in_the_thread_of_the_window(qtbot: QtBot, child: ChildProcess, heard: Heard) -> None:
    first, second = child.ask(("count", 3)), child.ask(("echo", b"x" * 5_000_000))
    qtbot.waitUntil(lambda: len(heard.ends) == 2, timeout=PATIENCE_MS)
    assert heard.replies == {first: [0, 1, 2], second: [b"x" * 5_000_000]}
    assert heard.ends == {first: "finished", second: "finished"}
    assert heard.threads == {threading.get_ident()}


def test_one_process_is_kept_for_all_requests(qtbot: QtBot, child: ChildProcess, heard: Heard) -> None:
    tickets = [child.ask(("pid", None)) for _ in range(3)]
    qtbot.waitUntil(lambda: len(heard.ends) == 3, timeout=PATIENCE_MS)
    assert {heard.replies[ticket][0] for ticket in tickets} == {child.pid}


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (("refuse", None), "a stone; expected bread; ask a baker"),
        (("memory", None), "needs more memory than there is"),
        (("defect", None), "an error that was not expected (KeyError at acting_child.py"),
    ],
)
def test_an_error_ends_the_request_and_not_the_process(
    qtbot: QtBot, child: ChildProcess, heard: Heard, request_: object, words: str
) -> None:
    bad, good = child.ask(request_), child.ask(("echo", 1))
    qtbot.waitUntil(lambda: len(heard.ends) == 2, timeout=PATIENCE_MS)
    assert words in heard.ends[bad]
    assert "DOE" not in heard.ends[bad]
    assert heard.replies == {good: [1]}


@pytest.mark.parametrize("request_", [("die", None), ("unpicklable", None)])
def test_a_request_that_ends_the_process_fails_alone(
    qtbot: QtBot, child: ChildProcess, heard: Heard, request_: object
) -> None:
    before, bad, after = child.ask(("pid", None)), child.ask(request_), child.ask(("pid", None))
    qtbot.waitUntil(lambda: len(heard.ends) == 3, timeout=PATIENCE_MS)
    assert heard.ends[before] == heard.ends[after] == "finished"
    assert heard.ends[bad] != "finished"
    assert heard.replies[before] != heard.replies[after]


def test_a_process_killed_from_outside_is_named_and_replaced(qtbot: QtBot, child: ChildProcess, heard: Heard) -> None:
    busy = child.ask(("wait", None))
    qtbot.waitUntil(lambda: busy in heard.replies, timeout=PATIENCE_MS)
    assert child.pid is not None
    os.kill(child.pid, signal.SIGKILL)
    qtbot.waitUntil(lambda: busy in heard.ends, timeout=PATIENCE_MS)
    assert "SIGKILL" in heard.ends[busy]
    assert "ask again" in heard.ends[busy]
    after = child.ask(("echo", "well"))
    qtbot.waitUntil(lambda: after in heard.ends, timeout=PATIENCE_MS)
    assert heard.replies[after] == ["well"]


def test_one_killed_while_idle_is_replaced_before_anybody_notices(
    qtbot: QtBot, child: ChildProcess, heard: Heard
) -> None:
    first = child.ask(("pid", None))
    qtbot.waitUntil(lambda: first in heard.ends, timeout=PATIENCE_MS)
    pid = heard.replies[first][0]
    os.kill(pid, signal.SIGKILL)
    qtbot.waitUntil(lambda: ") Z " in Path(f"/proc/{pid}/stat").read_text(), timeout=PATIENCE_MS)
    second = child.ask(("echo", "well"))
    qtbot.waitUntil(lambda: second in heard.ends, timeout=PATIENCE_MS)
    assert heard.replies[second] == ["well"]


def test_a_cancelled_request_ends_at_once_and_the_others_go_on(qtbot: QtBot, child: ChildProcess, heard: Heard) -> None:
    busy, waiting, last = child.ask(("wait", None)), child.ask(("wait", None)), child.ask(("echo", "well"))
    qtbot.waitUntil(lambda: busy in heard.replies, timeout=PATIENCE_MS)
    pid = child.pid
    assert pid is not None
    child.cancel(waiting)
    child.cancel(busy)
    qtbot.waitUntil(lambda: last in heard.ends, timeout=PATIENCE_MS)
    assert heard.replies == {busy: ["waiting"], last: ["well"]}
    assert heard.ends == {last: "finished"}
    assert child.pid != pid
    assert gone(pid)


def test_what_is_forgotten_is_finished_unheard(qtbot: QtBot, child: ChildProcess, heard: Heard) -> None:
    forgotten, waiting, last = child.ask(("echo", 1)), child.ask(("echo", 2)), child.ask(("pid", None))
    child.forget(forgotten)
    child.forget(waiting)
    qtbot.waitUntil(lambda: last in heard.ends, timeout=PATIENCE_MS)
    assert heard.replies == {last: [child.pid]}
    assert list(heard.ends) == [last]


def test_what_waits_behind_a_forgotten_request_can_be_cancelled(
    qtbot: QtBot, child: ChildProcess, heard: Heard
) -> None:
    stuck = child.ask(("wait", None))
    qtbot.waitUntil(lambda: stuck in heard.replies, timeout=PATIENCE_MS)
    child.forget(stuck)
    waiting = child.ask(("echo", 1))
    child.cancel(waiting)
    after = child.ask(("echo", 2))
    qtbot.waitUntil(lambda: after in heard.ends, timeout=PATIENCE_MS)
    assert heard.replies[after] == [2]


def test_cancelling_what_has_ended_harms_nobody(qtbot: QtBot, child: ChildProcess, heard: Heard) -> None:
    first = child.ask(("echo", 1))
    qtbot.waitUntil(lambda: first in heard.ends, timeout=PATIENCE_MS)
    pid = child.pid
    child.cancel(first)
    second = child.ask(("echo", 2))
    qtbot.waitUntil(lambda: second in heard.ends, timeout=PATIENCE_MS)
    assert child.pid == pid


def test_nothing_is_heard_of_what_was_dropped_by_a_stop(qtbot: QtBot) -> None:
    child = ChildProcess("tests.desktop.workers.acting_child")
    heard = Heard(child)
    busy = child.ask(("wait", None))
    qtbot.waitUntil(lambda: busy in heard.replies, timeout=PATIENCE_MS)
    pid = child.pid
    assert pid is not None
    child.ask(("echo", 1))
    child.stop()
    assert gone(pid)
    child.ask(("echo", 2))
    child.stop()
    assert child.pid is None
    qtbot.wait(0)
    assert heard.ends == {}


def test_a_module_that_is_not_there_is_told(qtbot: QtBot) -> None:
    child = ChildProcess("tests.desktop.workers.no_such_module")
    heard = Heard(child)
    ticket = child.ask(("echo", 1))
    qtbot.waitUntil(lambda: ticket in heard.ends, timeout=PATIENCE_MS)
    child.stop()
    assert "ended (exit code 1)" in heard.ends[ticket]
