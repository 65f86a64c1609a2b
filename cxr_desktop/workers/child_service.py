"""The child's side of a request: take it, yield replies, say how it ended. Loads neither Qt nor anything heavy."""

from __future__ import annotations

import signal
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from cxr_core.child_process import connect
from cxr_core.errors import CxrError


@dataclass(frozen=True, slots=True)
class Done:
    """The last reply to a request that was met."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The last reply to a request that was not met."""

    words: str
    """Without patient data."""


def serve(replies: Callable[[Any], Iterable[object]]) -> None:
    """Answer one request after the other until the parent goes away.

    Parameters
    ----------
    replies : callable
        Given a request, it yields what can be pickled. A CxrError that it raises is told to the parent in its words,
        any other error as one that was not expected; the child goes on either way.
    """
    connection = connect()
    # The parent ends this process.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    try:
        while True:
            _answer(connection, iter(replies(connection.recv())))
    except (EOFError, ConnectionError):
        return  # the parent is gone


def _answer(connection: Connection, replies: Iterator[object]) -> None:
    """Send all that is yielded, and how it ended. Raises ConnectionError when the parent is gone."""
    last: Done | Failed | None = None
    while last is None:
        try:
            reply = next(replies)
        except StopIteration:
            reply = last = Done()
        except CxrError as error:
            reply = last = Failed(str(error))
        except MemoryError:
            reply = last = Failed("a request that needs more memory than there is; free memory and ask again")
        except Exception as error:  # noqa: BLE001  # one request ends, not the process
            reply = last = Failed(unexpected(error))
        connection.send(reply)


def unexpected(error: Exception) -> str:
    """An error's class and place; its own text may quote a header."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "an unknown place"
    return f"an error that was not expected ({type(error).__name__} at {place}); report it"
