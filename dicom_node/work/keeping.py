"""What the node and the work process that it keeps say to each other over their pipe."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from pathlib import Path

#: Of the work process.
MODULE = "dicom_node.work.process"
#: Between two signs of the work process.
SIGN_SECONDS = 5.0

#: Says that there is new work. A signal neither waits for its reader nor piles up, as a message would.
CALL = signal.SIGUSR1


@dataclass(frozen=True, slots=True)
class Begin:
    """The first message to the work process."""

    settings: str
    """NodeSettings as JSON."""

    root: Path
    """Of the data folder, which is locked."""


@dataclass(frozen=True, slots=True)
class Go:
    """The second and last message: the database is prepared. From then on the signal CALL means new work."""


@dataclass(frozen=True, slots=True)
class Alive:
    """A sign of the work process, as long as its dispatcher comes round; without any it is ended and started again."""


@dataclass(frozen=True, slots=True)
class Hopeless:
    """The process ends, and would again: the words say why and what to do."""

    words: str


@dataclass(frozen=True, slots=True)
class Damaged:
    """The process ends, because the database is damaged: it has to be made again first."""
