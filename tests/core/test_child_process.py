"""A child hears everything that it is told, whatever process its parent is, and does without a dead one."""

from __future__ import annotations

import subprocess
import sys
from multiprocessing import Pipe
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 60.0

CHILD = """
import os
os.getppid = lambda: {parent}
from cxr_core.child_process import connect
print(connect().recv())
"""


def heard(parent: int, told_parent: int) -> str:
    """What a child prints whose parent has a number, and was started by one with another."""
    ours, theirs = Pipe()
    ours.send("the first message")  # there before the child looks
    command = [sys.executable, "-c", CHILD.format(parent=parent), str(theirs.fileno()), str(told_parent)]
    done = subprocess.run(
        command,
        pass_fds=[theirs.fileno()],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        timeout=PATIENCE_SECONDS,
    )
    ours.close()
    theirs.close()
    return done.stdout.strip()


@pytest.mark.parametrize("parent", [1, 4711])
def test_the_first_message_is_heard_of_process_1_too_as_in_a_container(parent: int) -> None:
    assert heard(parent, parent) == "the first message"


@pytest.mark.parametrize("adopter", [1, 4712])
def test_a_child_whose_parent_was_gone_before_it_looked_ends(adopter: int) -> None:
    assert heard(adopter, 4711) == ""
