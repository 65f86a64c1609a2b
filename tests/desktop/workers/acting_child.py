"""Stands in for a child process: does what it is asked to, even to die."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

from cxr_core.errors import CxrError
from cxr_desktop.workers.child_service import serve


def replies(request: tuple[str, object]) -> Iterator[object]:
    what, value = request
    if what == "count":
        assert isinstance(value, int)
        yield from range(value)
    elif what == "echo":
        print("somebody's debugging output")
        yield value
    elif what == "pid":
        yield os.getpid()
    elif what == "wait":
        yield "waiting"
        signal.pause()
    elif what == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    elif what == "refuse":
        raise CxrError("a stone", "bread", "ask a baker")
    elif what == "defect":
        raise KeyError("DOE^JANE")
    elif what == "memory":
        raise MemoryError
    elif what == "unpicklable":
        yield lambda: None


if __name__ == "__main__":
    serve(replies)
