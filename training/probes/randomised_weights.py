"""Does the map depend on what the network learnt? Its weights are shuffled from the output backwards.

Adebayo et al., Sanity Checks for Saliency Maps, NeurIPS 2018 (cascading randomisation). A LiteRT graph cannot be
changed, so this needs the Keras model of the run folder.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt

from cxr_core.errors import CxrError
from training.graph import keras_outputs
from training.probes.figures import ProbeError
from training.probes.map_checks import RankCorrelation, rank_correlation, summary_of

FloatArray = npt.NDArray[np.float32]

#: Median rank correlation that a map may keep when the last layers are shuffled: half of what it was. Set before any
#: model was measured against it.
MAX_KEPT = 0.5
#: Times that the weights are shuffled anew: a single shuffle may blank a map by chance.
DRAWS = 3


@dataclass(frozen=True, slots=True)
class RandomisedStage:
    """The maps of a network some of whose layers are shuffled, against those of the network itself."""

    words: str
    layers: int
    """Layers with weights that are shuffled, counted from the output."""

    correlation: RankCorrelation
    blank: float
    """Share of shuffled maps that were blank: they differ, but tell nothing more."""


def randomised_weights(path: Path, inputs: FloatArray, columns: npt.NDArray[np.int64]) -> list[RandomisedStage]:
    """Shuffle the output layer, then the last two, the last quarter, and all layers with weights.

    Parameters
    ----------
    path : Path
        model.keras of a run folder.
    inputs : numpy.ndarray
        Model inputs, (n, 150, 150, 3).
    columns : numpy.ndarray
        (n,) output whose map is compared.

    Raises
    ------
    ProbeError
        Keras cannot load the model, or training.graph has no map of its kind.
    """
    try:
        model = keras.models.load_model(path, compile=False)
        plain = _maps(model, inputs, columns)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ProbeError(f"{path} that Keras cannot load", "the model of a run folder", "fit again") from error
    except CxrError as error:
        raise ProbeError(f"{path}: {error.found}", error.expected, error.remedy) from error
    layers = weighted_layers(model)
    stages = {
        min(count, len(layers)): words
        for count, words in (
            (len(layers), "all layers"),
            (max(len(layers) // 4, 1), "last quarter of the layers"),
            (2, "last two layers"),
            (1, "output layer"),
        )
    }
    trained = model.get_weights()
    correlations: dict[int, list[list[float]]] = {count: [] for count in stages}
    for draw in range(DRAWS):
        rng = np.random.default_rng(draw)
        model.set_weights(trained)
        done = 0
        for count in sorted(stages):
            for layer in layers[len(layers) - count : len(layers) - done]:
                # Within each tensor, so that the size of activations and the variances of BatchNorm stay sound.
                layer.set_weights([rng.permutation(w.ravel()).reshape(w.shape) for w in layer.get_weights()])
            done = count
            shuffled = _maps(model, inputs, columns)
            correlations[count].append([rank_correlation(a, b) for a, b in zip(plain, shuffled, strict=True)])
    return [_stage(stages[count], count, np.array(correlations[count])) for count in sorted(stages)]


def _stage(words: str, layers: int, correlations: npt.NDArray[np.float64]) -> RandomisedStage:
    """Of correlations (draws, n): the mean of each film over its draws with a map, 0 for a film without any."""
    told = correlations != 0
    means = correlations.sum(axis=0) / np.maximum(told.sum(axis=0), 1)
    return RandomisedStage(words, layers, summary_of(means), float(1 - told.mean()))


def weighted_layers(model: keras.Model) -> list[keras.Layer]:
    """Layers with weights, those of models inside the model too, from input to output."""
    layers: list[keras.Layer] = []
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            layers += weighted_layers(layer)
        elif layer.get_weights():
            layers.append(layer)
    return layers


def _maps(model: keras.Model, inputs: FloatArray, columns: npt.NDArray[np.int64]) -> Sequence[FloatArray]:
    maps = keras_outputs(model, inputs).maps
    return [maps[i, column] for i, column in enumerate(columns)]


def judged(stages: Sequence[RandomisedStage]) -> bool:
    """Whether the maps change enough once the last two layers (all, where there are fewer) are shuffled, and after."""
    needed = [stage for stage in stages if stage.layers >= 2] or list(stages)
    return all(abs(stage.correlation.median) <= MAX_KEPT for stage in needed)
