"""Films to batches of model inputs, through the core's own chain."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
import numpy.typing as npt

from cxr_core.preprocess import InputScaling, display_reduced, to_input
from cxr_core.reading import read_image
from training.augment import augment
from training.dataset_index import LABELS, Film

FloatArray = npt.NDArray[np.float32]


def display_of(film: Film) -> FloatArray:
    """Display values of one film as the core shows them: float32 in [0, 1], axes (row, column)."""
    return display_reduced(read_image(film.path))


def inputs_of(films: Sequence[Film], scaling: InputScaling) -> FloatArray:
    """The model inputs of films, exactly what the core would serve: float32, shape (n, 150, 150, 3)."""
    return np.stack([to_input(display_of(film), scaling) for film in films])


def labels_of(films: Sequence[Film]) -> npt.NDArray[np.int64]:
    """Class indices in the order of LABELS, shape (n,)."""
    return np.array([LABELS.index(film.label) for film in films])


class AugmentedBatches(keras.utils.PyDataset):
    """Shuffled, augmented batches; the same seed, epoch and film give the same picture."""

    def __init__(self, films: Sequence[Film], scaling: InputScaling, batch_size: int, seed: int) -> None:
        super().__init__(workers=2, use_multiprocessing=False)
        # Kept as 8-bit pictures (50 kB each), which is what the files hold.
        self._displays = [np.rint(display_of(film) * 255).astype(np.uint8) for film in films]
        self._labels = labels_of(films)
        self._scaling: InputScaling = scaling
        self._batch_size = batch_size
        self._seed = seed
        self._epoch = 0
        self._shuffle()

    def __len__(self) -> int:
        return -(-len(self._displays) // self._batch_size)

    def __getitem__(self, index: int) -> tuple[FloatArray, npt.NDArray[np.int64]]:
        chosen = self._order[index * self._batch_size : (index + 1) * self._batch_size]
        inputs = []
        for film in chosen:
            rng = np.random.default_rng((self._seed, self._epoch, int(film)))
            inputs.append(to_input(augment(self._displays[film].astype(np.float32) / 255, rng), self._scaling))
        return np.stack(inputs), self._labels[chosen]

    def on_epoch_end(self) -> None:
        """Another order and other augmentation for the next epoch."""
        self._epoch += 1
        self._shuffle()

    def _shuffle(self) -> None:
        self._order = np.random.default_rng((self._seed, self._epoch)).permutation(len(self._displays))
