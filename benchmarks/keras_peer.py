"""The peer: one DICOM film through pydicom, Keras and an eager GradientTape, the way that tutorials do it.

`keras_peer.py MODEL.keras FILE` answers; `keras_peer.py --save MODEL.keras` writes an untrained model of the
architecture that we ship, which costs the same to run.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

SIDE = 150


def read_input(path: str) -> Any:
    """The film as (1, 150, 150, 3) in [0, 1]."""
    from pydicom import dcmread
    from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut

    dataset = dcmread(path)
    pixels = apply_voi_lut(apply_modality_lut(dataset.pixel_array, dataset), dataset).astype(np.float32)
    pixels = (pixels - pixels.min()) / (pixels.max() - pixels.min())
    if dataset.PhotometricInterpretation == "MONOCHROME1":
        pixels = 1 - pixels
    small = tf.image.resize(pixels[..., np.newaxis], (SIDE, SIDE)).numpy()
    return np.repeat(small, 3, axis=-1)[np.newaxis]


class GradCam:
    """Grad-CAM of the top class by an eager GradientTape over a model that also gives its last feature map."""

    def __init__(self, model: Any) -> None:
        inputs = keras.Input((SIDE, SIDE, 3))
        last = max(index for index, layer in enumerate(model.layers) if isinstance(layer, keras.layers.Conv2D))
        features = output = inputs
        for index, layer in enumerate(model.layers):
            output = layer(output)
            if index == last:
                features = output
        self._model = keras.Model(inputs, [features, output])

    def __call__(self, inputs: Any) -> Any:
        """The map of one input, shape (rows, columns) of the last feature map."""
        with tf.GradientTape() as tape:
            features, logits = self._model(inputs)
            score = logits[:, int(tf.argmax(logits[0]))]
        weights = tf.reduce_mean(tape.gradient(score, features), axis=(1, 2), keepdims=True)
        return tf.nn.relu(tf.reduce_sum(features * weights, axis=-1)).numpy()[0]


def save_model(path: str) -> None:
    """An untrained model of our architecture."""
    from training.networks import sequential_cnn

    keras.utils.set_random_seed(1)
    sequential_cnn().save(path)


def main() -> None:
    """Answer one film on standard output."""
    if sys.argv[1] == "--save":
        save_model(sys.argv[2])
        return
    model = keras.models.load_model(sys.argv[1])
    inputs = read_input(sys.argv[2])
    logits = model.predict(inputs, verbose=0)
    cam = GradCam(model)(inputs)
    probabilities = keras.ops.softmax(logits, axis=-1)
    print(
        json.dumps(
            {"probabilities": np.asarray(probabilities)[0].tolist(), "map": cam.shape, "weights": model.count_params()}
        )
    )


if __name__ == "__main__":
    main()
