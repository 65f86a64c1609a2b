"""The work process's side of the model process: batches what is asked, starts it again, isolates what ends it."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cxr_core.child_process import Child
from dicom_node import logs
from dicom_node.settings import NodeSettings
from dicom_node.work.messages import Analyse, Answers, Begin, Encode, Encoded, Failed, NotNow, Ready, Unusable

log = logs.get(__name__)

MODULE = "dicom_node.work.model"
#: To load and verify the model, on a slow machine that is busy.
LOAD_SECONDS = 120.0
#: An answer that takes longer does not come any more. The largest film in the slowest syntax takes 20 s; one that was
#: in a batch that took too long goes alone the next time, and then has all the time of the first.
SECONDS_FIRST_IMAGE, SECONDS_NEXT_IMAGE = 120.0, 30.0
#: Between a start that failed and the next.
_RESTART_SECONDS = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0)


class WorkerDiedError(Exception):
    """The model process ended, or gave no answer, while it had the request."""


@dataclass(slots=True)
class _Image:
    key: str
    path: Path
    alone: bool
    answered: Future[str]


@dataclass(slots=True)
class _Study:
    request: Encode
    answered: Future[Encoded | Failed | NotNow]


class ModelProcess:
    """One model process, and a thread that owns it.

    Parameters
    ----------
    settings : NodeSettings
        Handed to the process; `analysis.batch_size` and `batch_wait_ms` are used here.
    encoded : Path
        The folder where it writes result objects.
    count : callable
        Told the keys of images before the process gets them, so that the attempt is counted.
    unusable : callable
        Told once, in words, that the model cannot be loaded. Nothing is answered then.
    """

    def __init__(
        self,
        settings: NodeSettings,
        encoded: Path,
        count: Callable[[list[str]], None],
        unusable: Callable[[str], None],
    ) -> None:
        self._begin = Begin(settings.model_dump_json(), encoded)
        self._size = settings.analysis.batch_size
        self._wait = settings.analysis.batch_wait_ms / 1000
        self._count = count
        self._unusable = unusable
        self._requests: queue.SimpleQueue[_Image | _Study | None] = queue.SimpleQueue()
        self._put_back: list[_Image | _Study] = []
        self._child: Child | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="model", daemon=True)
        self.ready = threading.Event()
        """Set while a process with a loaded model is there."""

    def start(self) -> None:
        """Start the thread, and with it the process."""
        self._thread.start()

    def stop(self) -> None:
        """Let the process finish what it has, and end it. What waits is never answered."""
        self._stopping.set()
        self._requests.put(None)
        self._thread.join()

    def analyse(self, key: str, path: Path, *, alone: bool) -> str:
        """The answer for an image, as JSON; waits for it.

        Parameters
        ----------
        key : str
            Of its row.
        path : Path
            Its file.
        alone : bool
            In no batch with others: it was in one that ended the process.

        Raises
        ------
        WorkerDiedError
            The process ended while it had the image.
        Exception
            What `count` raised; the process did not get the image.
        """
        image = _Image(key, path, alone, Future())
        self._requests.put(image)
        return image.answered.result()

    def encode(self, request: Encode) -> Encoded | Failed | NotNow:
        """A study's objects; waits for them. Raises WorkerDiedError."""
        study = _Study(request, Future())
        self._requests.put(study)
        return study.answered.result()

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            if self._child is None:
                if self._stopping.wait(_RESTART_SECONDS[min(failures, len(_RESTART_SECONDS) - 1)]):
                    break
                failures = 0 if self._started() else failures + 1
                continue
            self._serve_one()
        self._end()

    def _started(self) -> bool:
        """Start the process and load the model; whether both worked."""
        started = time.monotonic()
        try:
            child = Child(MODULE)
        except OSError as error:  # no memory, no descriptors, no processes: there may be some later
            log.error("model process not started", **logs.trouble(error))
            return False
        try:
            child.send(self._begin)
            told = child.receive(LOAD_SECONDS)
        except (OSError, EOFError, TimeoutError) as error:
            log.error("model process did not start", exit_code=child.kill(), **logs.trouble(error))
            return False
        if isinstance(told, Unusable):
            child.kill()
            log.error("model unusable", words=told.words)
            self._unusable(told.words)
            self._stopping.wait()
            return False
        assert isinstance(told, Ready)
        self._child = child
        self.ready.set()
        seconds = round(time.monotonic() - started, 2)
        log.info("model ready", model=told.name, version=told.version, pid=child.process.pid, seconds=seconds)
        return True

    def _serve_one(self) -> None:
        """Take the next request, or batch of images, and answer it."""
        request = self._next()
        if isinstance(request, _Study):
            reply = self._asked(request.request, len(request.request.images), [request.answered])
            if isinstance(reply, Encoded | Failed | NotNow):
                request.answered.set_result(reply)
        elif request is not None:
            self._serve_batch(self._batch(request))

    def _serve_batch(self, batch: list[_Image]) -> None:
        try:
            self._count([image.key for image in batch])
        except Exception as error:  # noqa: BLE001  # handed on to those who wait
            for image in batch:
                image.answered.set_exception(error)
            return
        paths = tuple(image.path for image in batch)
        reply = self._asked(Analyse(paths), len(batch), [image.answered for image in batch])
        if isinstance(reply, Answers):
            for image, text in zip(batch, reply.texts, strict=True):
                image.answered.set_result(text)

    def _next(self, patience_seconds: float | None = None) -> _Image | _Study | None:
        if self._put_back:
            return self._put_back.pop(0)
        try:
            return self._requests.get(timeout=patience_seconds)
        except queue.Empty:
            return None

    def _batch(self, first: _Image) -> list[_Image]:
        """The image and those that come within the batch's time, unless it has to go alone."""
        batch = [first]
        deadline = time.monotonic() + self._wait
        while not first.alone and len(batch) < self._size:
            other = self._next(max(deadline - time.monotonic(), 0))
            if other is None:
                break
            if isinstance(other, _Study) or other.alone:
                self._put_back.append(other)
                break
            batch.append(other)
        return batch

    def _asked(self, request: Analyse | Encode, images: int, waiting: Sequence[Future[Any]]) -> object:
        """The process's reply; None, with an error for those who wait, when it died or was too slow."""
        assert self._child is not None
        try:
            self._child.send(request)
            return self._child.receive(SECONDS_FIRST_IMAGE + SECONDS_NEXT_IMAGE * max(images - 1, 0))
        except (OSError, EOFError, TimeoutError) as error:
            exit_code = self._end()
            log.error("model process ended", count=images, exit_code=exit_code, **logs.trouble(error))
            for answered in waiting:
                answered.set_exception(WorkerDiedError())
            return None

    def _end(self) -> int | None:
        self.ready.clear()
        child, self._child = self._child, None
        return None if child is None else child.kill()
