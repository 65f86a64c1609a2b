"""A child process: started fresh, connected by a pipe, and gone when its parent is gone."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any

_PR_SET_PDEATHSIG = 1


class Child:
    """A running child, and our end of the pipe to it.

    It has a session of its own, so that Ctrl-C on a terminal reaches the parent alone, which then ends it in order.
    The thread that starts a child has to live as long as the child: the kernel ends a child with the thread.

    Parameters
    ----------
    module : str
        Run as `python -m module DESCRIPTOR PARENT`; it calls `connect` first.
    """

    def __init__(self, module: str) -> None:
        self.connection, other = Pipe()
        try:
            self.process = subprocess.Popen(  # noqa: S603  # our own module
                [sys.executable, "-P", "-m", module, str(other.fileno()), str(os.getpid())],
                pass_fds=[other.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )
        finally:
            other.close()

    def send(self, message: Any) -> None:
        """Send a message. Raises OSError when the child is gone."""
        self.connection.send(message)

    def receive(self, patience_seconds: float | None) -> Any:
        """The next message. Raises EOFError or OSError when the child is gone, TimeoutError when none comes.

        With no patience named it waits as long as the child lives.
        """
        if not self.connection.poll(patience_seconds):
            raise TimeoutError
        return self.connection.recv()

    def kill(self) -> int:
        """End it at once; its exit code."""
        self.process.kill()
        self.connection.close()
        return self.process.wait()


def connect() -> Connection:
    """The child's end of the pipe. From here on the child does not outlive its parent."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # The parent may have ended before the kernel was told. Who has adopted us then need not be process 1; in a
    # container the parent itself is.
    if os.getppid() != int(sys.argv[2]):
        sys.exit(0)
    return Connection(int(sys.argv[1]))
