"""What a person may name to be evaluated: a shipped or installed bundle, a bundle folder, or a run folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cxr_core.bundle import MANIFEST, Bundle, find_bundle, load_bundle
from training.evaluation.files import EvaluationError
from training.run_folder import BUNDLE as RUN_BUNDLE
from training.run_folder import CALIBRATION, CHECKPOINT, CONFIG, HISTORY, SPLIT
from training.run_folder import MODEL as KERAS_MODEL

#: What a run leaves behind whether or not it was finished; no bundle holds any of these.
_OF_A_RUN = (CONFIG, SPLIT, CHECKPOINT, KERAS_MODEL)

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A bundle, with what its run folder holds beside it."""

    bundle: Bundle
    keras_model: Path | None
    """The network that the bundle was made from, which gives logits."""

    history: Path | None
    """history.csv of its training."""

    split: Path | None
    """split.csv of its run: which file was trained on, fixed the calibration, or was held out."""

    @property
    def title(self) -> str:
        """Name and version."""
        return f"{self.bundle.manifest.name} {self.bundle.manifest.version}"


def find_candidate(model: str) -> Candidate:
    """The bundle of a name, of a folder, or of a run folder. Raises BundleError or EvaluationError."""
    folder = Path(model)
    if (folder / RUN_BUNDLE / MANIFEST).is_file():
        bundle = load_bundle(folder / RUN_BUNDLE)
    elif not (folder / MANIFEST).is_file() and any((folder / name).is_file() for name in _OF_A_RUN):
        whole = (folder / KERAS_MODEL).is_file() and (folder / CALIBRATION).is_file()
        raise EvaluationError(
            f"run folder {folder} that is unfinished: no {RUN_BUNDLE}/{MANIFEST}",
            "a run with its bundle",
            f"trained to the end: `cxr-train export {folder} --out {folder / RUN_BUNDLE}`"
            if whole
            else "give its `cxr-train fit` command again: it goes on after the last whole epoch",
        )
    else:
        bundle = find_bundle(model)
        folder = bundle.folder
    keras_model, history, split = (folder / name for name in (KERAS_MODEL, HISTORY, SPLIT))
    return Candidate(
        bundle,
        keras_model if keras_model.is_file() else None,
        history if history.is_file() else None,
        split if split.is_file() else None,
    )


def keras_logits(path: Path) -> Callable[[FloatArray], FloatArray]:
    """The Keras model of a run folder as a function of model inputs (n, 150, 150, 3) to logits (n, classes)."""
    import keras

    try:
        model = keras.models.load_model(path, compile=False)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise EvaluationError(f"{path} that Keras cannot load", "the model that `cxr-train fit` wrote", "") from error
    return lambda inputs: np.asarray(keras.ops.convert_to_numpy(model(inputs, training=False)), np.float32)
