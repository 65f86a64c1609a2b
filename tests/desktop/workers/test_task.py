"""A function in a thread, heard of in the thread that asked."""

from __future__ import annotations

import gc
import threading
import weakref
from typing import Any

from PySide6.QtCore import QThread
from pytestqt.qtbot import QtBot

from cxr_core.errors import ImageReadError
from cxr_desktop.workers.task import Task, run


def test_result_arrives_in_the_thread_that_asked(qtbot: QtBot) -> None:
    seen: list[Any] = []
    task = run(lambda a, b: (a + b, QThread.currentThread()), 1, 2, on_result=lambda v: seen.append(v))
    here: list[QThread] = []
    task.result.connect(lambda _: here.append(QThread.currentThread()))
    with qtbot.waitSignal(task.ended):
        pass
    assert seen[0][0] == 3
    assert here == [QThread.currentThread()]
    assert seen[0][1] != here[0]


def test_error_is_one_line(qtbot: QtBot) -> None:
    def fail() -> None:
        raise ImageReadError("a page", "a film", "choose another")

    words: list[str] = []
    task = run(fail, on_error=words.append)
    with qtbot.waitSignal(task.ended):
        pass
    assert words == ["a page; expected a film; choose another"]


def test_mistake_is_logged_and_said_without_its_values(qtbot: QtBot, caplog: Any) -> None:
    def fail() -> None:
        raise KeyError("NAME^OF PATIENT")

    words: list[str] = []
    task = run(fail, on_error=words.append)
    with qtbot.waitSignal(task.ended):
        pass
    assert words == ["a mistake in the program (KeyError); the log has the details"]
    assert "KeyError in a task" in caplog.text
    assert "in fail" in caplog.text
    assert "OF PATIENT" not in caplog.text.replace('raise KeyError("NAME^OF PATIENT")', "")


def test_progress_is_throttled(qtbot: QtBot) -> None:
    reports: list[tuple[int, int]] = []

    def work(task: Task) -> None:
        for done in range(1, 10_001):
            task.report(done, 10_000)

    task = run(work, on_progress=lambda done, total: reports.append((done, total)))
    with qtbot.waitSignal(task.ended, timeout=30_000):
        pass
    assert reports[0] == (1, 10_000)
    assert reports[-1] == (10_000, 10_000)
    assert len(reports) < 200


def test_cancelled_task_sends_nothing_but_its_end(qtbot: QtBot) -> None:
    begun, cancelled = threading.Event(), threading.Event()
    seen: list[Any] = []

    def work(task: Task) -> str:
        begun.set()
        cancelled.wait()
        task.check()
        return "never"

    task = run(work, on_result=seen.append, on_error=seen.append)
    assert begun.wait(10)
    with qtbot.waitSignal(task.ended):
        task.cancel()
        cancelled.set()
    assert seen == []


def test_task_that_has_ended_is_forgotten(qtbot: QtBot) -> None:
    task = run(lambda: bytes(10))
    with qtbot.waitSignal(task.ended):
        pass
    forgotten = weakref.ref(task)
    del task
    qtbot.waitUntil(lambda: gc.collect() >= 0 and forgotten() is None)
