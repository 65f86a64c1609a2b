"""Pictures to shuffled, augmented batches, made ahead of the network in a thread of their own."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from cxr_core.preprocess import INPUT_SIDE, squashed
from training.augment import augment, without_chest
from training.datasets.examples import Example
from training.pictures import Picture, PictureStore

FloatArray = npt.NDArray[np.float32]

_AHEAD = 6
#: Share of augmented films of one class out of several whose chest is covered and whose class is drawn by lot: the
#: network learns that without lungs nothing is known.
CHESTLESS = 0.04


@dataclass(frozen=True, eq=False, slots=True)
class Batch:
    """What one step of training gets."""

    greys: FloatArray
    """(n, 150, 150) display values in [0, 1]; `loop` repeats and scales the channel as preprocess.scaled does."""

    targets: npt.NDArray[np.generic]
    """Class indices (n,) int64, or 0 and 1 (n, labels) float32."""

    weights: FloatArray
    """(n,) or (n, labels)"""

    teacher: FloatArray
    """(n, classes) probabilities of a teacher, zero where there is none"""


def grey_of(picture: Picture) -> FloatArray:
    """The unscaled input of a picture, as preprocess.to_input makes it: float32 in [0, 1], (150, 150)."""
    return squashed(np.asarray(picture, np.float32) * np.float32(1 / 255))


def variant_of(store: PictureStore, examples: Sequence[Example], position: int, rng: np.random.Generator) -> Picture:
    """An augmented copy of one of the examples, the border now and then that of another: uint8, (150, 150)."""
    other = store[examples[int(rng.integers(len(examples)))]]
    return augment(store[examples[position]], other, rng)


class TrainingBatches:
    """Batches of any epoch. The same seed, epoch and position give the same picture, whatever ran before.

    Parameters
    ----------
    store, examples
        Where pictures come from, and whose.
    targets, weights, teacher
        As in Batch, for all examples.
    batch_size : int
    seed : int
    augmented : bool
        False: the pictures as they are.
    """

    def __init__(
        self,
        store: PictureStore,
        examples: Sequence[Example],
        targets: npt.NDArray[np.generic],
        weights: FloatArray,
        teacher: FloatArray,
        *,
        batch_size: int,
        seed: int,
        augmented: bool,
    ) -> None:
        self._store, self._examples = store, examples
        self._targets, self._weights, self._teacher = targets, weights, teacher
        self._batch_size, self._seed, self._augmented = batch_size, seed, augmented

    def __len__(self) -> int:
        return -(-len(self._examples) // self._batch_size)

    def epoch(self, number: int) -> Iterator[Batch]:
        """The batches of an epoch; the thread that makes them ends with the iteration, whatever ends it."""
        order = np.random.default_rng((self._seed, number)).permutation(len(self._examples))
        made: queue.Queue[Batch | BaseException | None] = queue.Queue(_AHEAD)
        stopped = threading.Event()

        def put(item: Batch | BaseException | None) -> bool:
            while not stopped.is_set():
                try:
                    made.put(item, timeout=0.2)
                    return True
                except queue.Full:
                    continue
            return False

        def make() -> None:
            try:
                for start in range(0, len(order), self._batch_size):
                    if not put(self._batch(order[start : start + self._batch_size], number)):
                        return
                put(None)
            except BaseException as error:  # noqa: BLE001  # handed over and raised where the batches are taken
                put(error)

        # OpenCV's threads would take turns with the network's; pictures this small gain nothing from them.
        cv2.setNumThreads(1)
        thread = threading.Thread(target=make, name="batches", daemon=True)
        thread.start()
        try:
            while (item := made.get()) is not None:
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:
            stopped.set()
            thread.join()

    def _batch(self, chosen: npt.NDArray[np.intp], epoch: int) -> Batch:
        greys = np.empty((len(chosen), INPUT_SIDE, INPUT_SIDE), np.float32)
        batch = Batch(greys, self._targets[chosen], self._weights[chosen], self._teacher[chosen])
        for slot, position in enumerate(chosen):
            if not self._augmented:
                greys[slot] = grey_of(self._store[self._examples[position]])
                continue
            rng = np.random.default_rng((self._seed, epoch, int(position)))
            variant = variant_of(self._store, self._examples, int(position), rng)
            if self._targets.ndim == 1 and rng.random() < CHESTLESS:
                variant = without_chest(variant, rng)
                batch.targets[slot] = rng.integers(self._teacher.shape[1])
                batch.weights[slot], batch.teacher[slot] = 1, 0
            greys[slot] = variant * np.float32(1 / 255)
        return batch


def greys_of(store: PictureStore, examples: Sequence[Example]) -> Iterator[FloatArray]:
    """Inputs of examples as they are, in batches of up to 64: float32, (n, 150, 150)."""
    for start in range(0, len(examples), 64):
        yield np.stack([grey_of(store[example]) for example in examples[start : start + 64]])
