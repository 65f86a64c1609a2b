"""A Keras model to one LiteRT graph: logits, Grad-CAM maps in closed form, embedding; and its comparison with Keras."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from cxr_core.classifier import LiteRtGraph, Outputs
from cxr_core.errors import CxrError
from cxr_core.preprocess import INPUT_SIDE

FloatArray = npt.NDArray[np.float32]
Task = Literal["single_label", "multi_label"]

#: Largest difference of a probability, and relative difference of a map or embedding, between graph and Keras.
PROBABILITY_TOLERANCE, RELATIVE_TOLERANCE = 1e-3, 1e-2
#: Images in one call of Keras while graph and Keras are compared; bounds the memory.
BATCH = 25

_INPUTS = tf.TensorSpec([None, INPUT_SIDE, INPUT_SIDE, 3], tf.float32, name="inputs")
_POINTWISE = (keras.layers.BatchNormalization, keras.layers.ReLU, keras.layers.Activation)
_PROVED = (
    "a Conv2D feature map, then [MaxPooling2D,] Flatten or GlobalAveragePooling2D, then [Dense relu,] Dense linear"
)


class ExportError(CxrError):
    """A network whose closed-form map is not proved, or whose graph answers otherwise than Keras."""


@dataclass(frozen=True, slots=True)
class Tail:
    """A model taken apart behind its last feature map A, shape (n, rows, columns, channels)."""

    body: list[keras.Layer]
    """The layers whose output is A."""

    pooling: keras.Layer | None
    """MaxPooling2D or GlobalAveragePooling2D; what comes out of it, or A itself, flattened, is one vector an image."""

    hidden: keras.layers.Dense | None
    """ReLU."""

    output: keras.layers.Dense
    """Linear; its input is the embedding."""


def tail_of(model: keras.Sequential) -> Tail:
    """Take a model apart. Raises ExportError for any tail but those for which the closed form below is proved.

    Dropout is left out: it does nothing at inference. Of a MobileNetV2 base inside the model A is the output.
    """
    if not isinstance(model, keras.Sequential):
        raise ExportError(f"a {type(model).__name__} model", "a keras.Sequential", "change the network")
    layers = [layer for layer in model.layers if not isinstance(layer, keras.layers.Dropout)]
    found = "a network that ends in " + ", ".join(type(layer).__name__ for layer in layers[-5:])
    rest = list(layers)
    dense: list[keras.layers.Dense] = []
    while rest and isinstance(rest[-1], keras.layers.Dense) and len(dense) < 2:
        dense.insert(0, rest.pop())
    flatten = rest.pop() if rest and isinstance(rest[-1], keras.layers.Flatten) else None
    to_pool = keras.layers.MaxPooling2D if flatten else keras.layers.GlobalAveragePooling2D
    pooling = rest.pop() if rest and isinstance(rest[-1], to_pool) else None
    if not (dense and (flatten or pooling) and _ends_in_feature_map(rest) and len(model.output_shape) == 2):
        raise ExportError(found, _PROVED, "change the network")
    activations = [layer.activation.__name__ for layer in dense]
    if activations != ["relu", "linear"][-len(dense) :]:
        raise ExportError(f"{found} with activations {', '.join(activations)}", _PROVED, "change the network")
    return Tail(rest, pooling, dense[0] if len(dense) == 2 else None, dense[-1])


def _ends_in_feature_map(layers: list[keras.Layer]) -> bool:
    """Whether layers end in Conv2D and what works on each of its values alone, or in a model that does."""
    while layers and isinstance(layers[-1], _POINTWISE):
        layers = layers[:-1]
    if not layers:
        return False
    if isinstance(layers[-1], keras.Model):
        return _ends_in_feature_map(layers[-1].layers)
    return isinstance(layers[-1], keras.layers.Conv2D)


def serving_function(model: keras.Sequential, maps: bool = True) -> Any:
    """A tf.function of (n, 150, 150, 3) inputs that returns logits, maps and embedding (logits only without maps).

    Grad-CAM (Selvaraju et al., ICCV 2017) needs alpha_ck, the mean over the cells of d logit_c / d A_k. Let v be the
    vector made of A. Max-pooling passes the gradient of each of its outputs to one cell, global average pooling
    passes a share of 1 / cells to each cell: in both, what comes to an entry of v leaves it undiminished as a sum over
    the cells of one channel. So with K the kernel on v, (positions x channels, units), summed over its positions,

        alpha_c = K[:, c] / cells                                     without a hidden layer
        alpha_c = K . (1[hidden > 0] * W[:, c]) / cells               with one, W the kernel of the last layer

    and the map is ReLU(sum_k alpha_ck A_k), (n, classes, rows, columns).
    """
    tail = tail_of(model)
    output = tail.output

    @tf.function(input_signature=[_INPUTS])
    def serve(inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        features = _through(tail.body, inputs)
        _, rows, columns, channels = features.shape
        pooled = tail.pooling(features) if tail.pooling else features
        # Flatten itself asks for the batch's size at run time, which XNNPACK leaves to the interpreter.
        vector = tf.reshape(pooled, [-1, math.prod(pooled.shape[1:])])
        embedding = tail.hidden(vector) if tail.hidden else vector
        logits = output(embedding)
        if not maps:
            return {"logits": logits}
        first = tail.hidden or output
        kernel = tf.reduce_sum(tf.reshape(first.kernel, [-1, channels, first.units]), axis=0) / (rows * columns)
        if tail.hidden is None:
            cams = tf.transpose(tf.nn.conv2d(features, kernel[tf.newaxis, tf.newaxis], 1, "VALID"), [0, 3, 1, 2])
        else:
            active = tf.reshape(tf.sign(embedding), [-1, 1, first.units])  # of a ReLU: 1 where it is above 0
            by_unit = tf.reshape(active * tf.transpose(output.kernel), [-1, first.units])
            alphas = tf.reshape(tf.matmul(by_unit, kernel, transpose_b=True), [-1, output.units, channels])
            cells = tf.reshape(features, [-1, rows * columns, channels])
            cams = tf.reshape(tf.matmul(alphas, cells, transpose_b=True), [-1, output.units, rows, columns])
        return {"logits": logits, "maps": tf.nn.relu(cams), "embedding": embedding}

    return serve


def _through(layers: list[keras.Layer], values: tf.Tensor) -> tf.Tensor:
    """Values after layers. Called one by one: a reloaded model's own tensors may be those of another call of it."""
    for layer in layers:
        values = layer(values)
    return values


def to_litert(model: keras.Sequential, path: Path, maps: bool = True, half: bool = False) -> None:
    """Write the graph; with `half` its weights as float16, which the runtime unpacks to float32 as it loads.

    ExportArchive keeps the weights, which a bare tf.Module around a Keras 3 model loses.
    """
    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint("serve", serving_function(model, maps))
    with TemporaryDirectory() as folder:
        archive.write_out(folder, verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        if half:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.target_spec.supported_types = [tf.float16]
        path.write_bytes(converter.convert())


def keras_outputs(model: keras.Sequential, inputs: FloatArray) -> Outputs:
    """What Keras and a GradientTape through its layers give for inputs (n, 150, 150, 3): the reference of the graph."""
    body = tail_of(model).body
    behind = model.layers[model.layers.index(body[-1]) + 1 :]

    @tf.function(input_signature=[_INPUTS])
    def reference(batch: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        features = _through(body, batch)
        cams = []
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(features)
            embedding = _through(behind[:-1], features)
            scores = tf.unstack(behind[-1](embedding), axis=1)
        for score in scores:
            alpha = tf.reduce_mean(tape.gradient(score, features), axis=(1, 2), keepdims=True)
            cams.append(tf.nn.relu(tf.reduce_sum(features * alpha, axis=-1)))
        return model(batch), tf.stack(cams, axis=1), embedding

    parts = [reference(tf.convert_to_tensor(inputs[start : start + BATCH])) for start in range(0, len(inputs), BATCH)]
    return Outputs(*(np.concatenate([part.numpy() for part in column]) for column in zip(*parts, strict=True)))


def compare(graph: LiteRtGraph, model: keras.Sequential, inputs: FloatArray, task: Task) -> dict[str, float]:
    """Largest differences between graph and Keras over inputs (n, 150, 150, 3). Raises ExportError beyond tolerance.

    Maps and embeddings are compared relative to the largest value of each image's.
    """
    reference = keras_outputs(model, inputs)
    parts = [graph(inputs[start : start + BATCH]) for start in range(0, len(inputs), BATCH)]
    probabilities = [
        np.asarray(keras.ops.sigmoid(logits) if task == "multi_label" else keras.ops.softmax(logits, axis=-1))
        for logits in (np.concatenate([part.logits for part in parts]), reference.logits)
    ]
    found = {
        "films": len(inputs),
        "probability": float(np.abs(probabilities[0] - probabilities[1]).max()),
        "maps_relative": _relative(np.concatenate([part.maps for part in parts]), reference.maps),
        "embedding_relative": _relative(np.concatenate([part.embedding for part in parts]), reference.embedding),
    }
    # numpy's max, unlike Python's, lets a NaN through to the comparison, which it then fails.
    if not (
        found["probability"] <= PROBABILITY_TOLERANCE
        and found["maps_relative"] <= RELATIVE_TOLERANCE
        and found["embedding_relative"] <= RELATIVE_TOLERANCE
    ):
        raise ExportError(
            f"a graph {found['probability']:.2g} off in probability, {found['maps_relative']:.2g} in its maps and "
            f"{found['embedding_relative']:.2g} in its embedding",
            f"at most {PROBABILITY_TOLERANCE}, {RELATIVE_TOLERANCE} and {RELATIVE_TOLERANCE}",
            "do not ship it",
        )
    return found


def _relative(served: FloatArray, reference: FloatArray) -> float:
    axes = tuple(range(1, reference.ndim))
    scale = np.abs(reference).max(axis=axes, keepdims=True)
    # An image whose values are all next to nothing is held to the others'; maps have no scale of their own.
    scale = np.maximum(scale, np.maximum(1e-3 * scale.max(), np.finfo(np.float32).tiny))
    return float((np.abs(served - reference) / scale).max())
