"""The networks in Keras."""

from __future__ import annotations

import keras
from keras import layers

from cxr_core.preprocess import INPUT_SIDE


def sequential_cnn(classes: int = 2) -> keras.Sequential:
    """The Sequential CNN: four times Conv2D and MaxPooling2D, Flatten, Dense; outputs logits.

    Input (n, 150, 150, 3), scaling "zero_to_one"; output (n, classes). 0.14 GFLOP a film, two million weights.
    """
    return keras.Sequential(
        [
            keras.Input((INPUT_SIDE, INPUT_SIDE, 3)),
            layers.Conv2D(16, 3, activation="relu", kernel_initializer="he_normal"),
            layers.MaxPooling2D(),
            layers.Conv2D(32, 3, activation="relu", kernel_initializer="he_normal"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, activation="relu", kernel_initializer="he_normal"),
            layers.MaxPooling2D(),
            layers.Conv2D(128, 3, activation="relu", kernel_initializer="he_normal"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(256, activation="relu"),
            layers.Dense(classes),
        ],
        name="cnn",
    )
