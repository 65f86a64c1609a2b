"""The node's log: one line an event, with known fields only, so that no patient data can get into it.

An event is a constant; what varies is a field, and only fields of `FIELDS` are written. Values are UIDs, AE titles,
keys, counts and words of our own; texts of exceptions are not, because libraries quote what they were given.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import traceback
import warnings
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any, cast

import structlog

#: What a line may hold beside event, level, time, part and process.
FIELDS = frozenset(
    {
        "address",
        "ae_title",
        "at",
        "attempts",
        "batch",
        "bytes",
        "count",
        "destination",
        "error",
        "exit_code",
        "free_bytes",
        "instance",
        "kind",
        "model",
        "pid",
        "port",
        "purpose",
        "quarantine",
        "reason",
        "result",
        "revision",
        "seconds",
        "sender",
        "sop_class_uid",
        "sop_instance_uid",
        "state",
        "status",
        "study",
        "tls",
        "transfer_syntax",
        "version",
        "words",
    }
)

Event = MutableMapping[str, Any]


def get(name: str) -> structlog.stdlib.BoundLogger:
    """A logger for a module."""
    return cast("structlog.stdlib.BoundLogger", structlog.get_logger(name, part=name.rpartition(".")[2]))


def configure(process: str, *, level: str = "INFO") -> None:
    """Write to standard error: readable lines on a terminal, else one JSON object a line. Once a process."""
    lines = sys.stderr.isatty()
    renderer = structlog.dev.ConsoleRenderer() if lines else structlog.processors.JSONRenderer()
    shared: list[structlog.typing.Processor] = [
        structlog.processors.add_log_level,
        _known_fields,
        structlog.processors.TimeStamper(fmt="iso"),
        _named(process),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[_library_message, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # DBOS brings a handler of its own unless it finds one.
    logging.getLogger("dbos").handlers[:] = [handler]
    logging.getLogger("dbos").setLevel(logging.WARNING)
    # pydicom's warnings quote values of headers; of other libraries nobody knows, so their text is left out, too.
    warnings.filterwarnings("ignore", module=r"pydicom\b")
    logging.captureWarnings(True)
    threading.excepthook = _thread_failed
    for chatty in (
        "pydicom",
        "pynetdicom",
        "highdicom",
    ):  # they quote values of headers, and set their level themselves
        logging.getLogger(chatty).handlers[:] = [logging.NullHandler()]
        logging.getLogger(chatty).propagate = False


def _named(process: str) -> structlog.typing.Processor:
    def add(_logger: Any, _method: str, event: Event) -> Event:
        event["process"] = process
        return event

    return add


def _known_fields(_logger: Any, _method: str, event: Event) -> Event:
    return {key: value for key, value in event.items() if key in FIELDS or key in _FRAME}


_FRAME = {"event", "level", "part", "_record", "_from_structlog"}


def _library_message(_logger: Any, _method: str, event: Event) -> Event:
    """A library's line: where it comes from and of what kind, without the text, which may quote anything."""
    record: logging.LogRecord = event["_record"]
    kind = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else None
    event.update(event="a library reports", part=record.name, at=f"{record.module}:{record.lineno}", error=kind)
    return event


def trouble(error: BaseException) -> dict[str, str]:
    """Fields that say what went wrong and where, without the error's text."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if f"{os.sep}dicom_node{os.sep}" in frame.filename] or frames
    where = f"{Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else "unknown"
    cause = getattr(error, "orig", None)
    name = type(error).__name__ + (f" ({type(cause).__name__})" if cause is not None else "")
    if isinstance(error, OSError) and error.strerror:
        name += f" ({error.strerror})"
    return {"error": name, "at": where}


def _thread_failed(failed: threading.ExceptHookArgs) -> None:
    """In place of Python's own, which prints the error's text."""
    if failed.exc_value is not None:
        get(__name__).error("a thread ended", **trouble(failed.exc_value))
